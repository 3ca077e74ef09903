/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/status.h"

void attempt_record_done(struct attempt_record *record)
{
        free(record->job);
        free(record->slot);
        free(record->port);
        free(record->path);
        free(record->chip);
        free(record->mac);
        free(record->policy);
        free(record->image_path);
        free(record->image_name);
        free(record->image_version);
        free(record->image_sha256);
        free(record->boot_id);
        free(record->message);
        *record = (struct attempt_record){ 0 };
}

int attempt_record_copy(const struct attempt_record *record, struct attempt_record *ret)
{
        _cleanup_(attempt_record_done) struct attempt_record copy = *record;
        char **const texts[] = {
                &copy.job,          &copy.slot,    &copy.port,       &copy.path,       &copy.chip,
                &copy.mac,          &copy.policy,  &copy.image_path, &copy.image_name, &copy.image_version,
                &copy.image_sha256, &copy.boot_id, &copy.message,
        };
        int r = 0;

        /* Every text is replaced, even after a failure: what is left in copy is released. */
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (*texts[i] && !(*texts[i] = strdup(*texts[i])))
                        r = -ENOMEM;
        if (r < 0)
                return r;
        *ret = copy;
        copy = (struct attempt_record){ 0 };
        return 0;
}
