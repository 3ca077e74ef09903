/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/fields.h"
#include "core/messages.h"

static const struct field attempt_fields[] = {
        FIELD(I64, attempt_record, id),
        FIELD(I64_OR_NULL, attempt_record, sequence),
        FIELD(TEXT, attempt_record, job),
        FIELD(UNSIGNED, attempt_record, attempt),
        FIELD(TEXT, attempt_record, slot),
        FIELD(TEXT_OR_NULL, attempt_record, port),
        FIELD(TEXT_OR_NULL, attempt_record, path),
        FIELD(TEXT_OR_NULL, attempt_record, chip),
        FIELD(TEXT_OR_NULL, attempt_record, mac),
        FIELD(TEXT_OR_NULL, attempt_record, policy),
        FIELD(TEXT_OR_NULL, attempt_record, image_path),
        FIELD(TEXT_OR_NULL, attempt_record, image_name),
        FIELD(TEXT_OR_NULL, attempt_record, image_version),
        FIELD(TEXT_OR_NULL, attempt_record, image_sha256),
        FIELD(TEXT_OR_NULL, attempt_record, boot_id),
        FIELD(BOOL, attempt_record, clock_synchronized),
        FIELD(U64, attempt_record, start_realtime_usec),
        FIELD(U64_OR_NULL, attempt_record, end_realtime_usec),
        FIELD(U64, attempt_record, duration_usec),
        FIELD(U64, attempt_record, bytes),
        FIELD(U64, attempt_record, transfers),
        FIELD(VERDICT, attempt_record, verdict),
        FIELD(BOOL, attempt_record, final),
        FIELD(TEXT_OR_NULL, attempt_record, message),
        FIELD(TEXT_OR_NULL, attempt_record, engine_message),
        FIELD(U64_OR_NULL, attempt_record, detaching_usec),
        FIELD(U64_OR_NULL, attempt_record, away_usec),
        FIELD(U64_OR_NULL, attempt_record, downloading_usec),
        FIELD(U64_OR_NULL, attempt_record, verifying_usec),
        FIELD(TEXT_OR_NULL, attempt_record, dfu_status),
        FIELD(TEXT_OR_NULL, attempt_record, dfu_state),
        FIELD(TEXT_OR_NULL, attempt_record, station),
        FIELD(TEXT_OR_NULL, attempt_record, data_file),
};

const char *attempt_field(size_t index)
{
        return index < ARRAY_SIZE(attempt_fields) ? attempt_fields[index].name : NULL;
}

json_t *attempts_to_json(const struct attempt_record *attempts, size_t n)
{
        json_t *array = fields_array_to_json(attempt_fields, ARRAY_SIZE(attempt_fields), attempts, n,
                                             sizeof(*attempts));

        return array ? json_pack("{s:o}", "attempts", array) : NULL;
}

int attempts_from_json(const json_t *parameters, struct attempt_record **ret, size_t *ret_n)
{
        struct attempt_record *attempts = NULL;
        size_t n = 0;
        int r;

        if (!json_is_array(json_object_get(parameters, "attempts")))
                return -EPROTO;
        r = fields_array_from_json(attempt_fields, ARRAY_SIZE(attempt_fields),
                                   json_object_get(parameters, "attempts"), sizeof(*attempts), &attempts, &n);
        if (r < 0) {
                attempts_free(attempts, n);
                return r;
        }
        *ret = attempts;
        *ret_n = n;
        return 0;
}

void attempts_free(struct attempt_record *attempts, size_t n)
{
        for (size_t i = 0; i < n; i++)
                attempt_record_done(&attempts[i]);
        free(attempts);
}
