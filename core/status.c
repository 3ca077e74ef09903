/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/status.h"

static void strings_free(char **strings, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(strings[i]);
        free(strings);
}

void slot_status_done(struct slot_status *slot)
{
        free(slot->slot);
        free(slot->port);
        free(slot->path);
        free(slot->chip);
        free(slot->mac);
        free(slot->policy);
        free(slot->image_name);
        free(slot->image_version);
        free(slot->data_file);
        free(slot->message);
        free(slot->last_message);
        *slot = (struct slot_status){ 0 };
}

void policy_status_done(struct policy_status *policy)
{
        free(policy->name);
        free(policy->image);
        free(policy->sha256);
        free(policy->image_name);
        free(policy->image_version);
        free(policy->unusable);
        *policy = (struct policy_status){ 0 };
}

void station_status_done(struct station_status *status)
{
        free(status->name);
        free(status->version);
        free(status->config_error);
        free(status->ledger_trouble);
        free(status->lagging);
        free(status->id);
        free(status->held);
        for (size_t i = 0; i < status->n_slots; i++)
                slot_status_done(&status->slots[i]);
        free(status->slots);
        for (size_t i = 0; i < status->n_policies; i++)
                policy_status_done(&status->policies[i]);
        free(status->policies);
        *status = (struct station_status){ 0 };
}

void status_update_done(struct status_update *update)
{
        station_status_done(&update->station);
        strings_free(update->gone, update->n_gone);
        *update = (struct status_update){ 0 };
}

void explanation_done(struct explanation *explanation)
{
        free(explanation->slot);
        free(explanation->port);
        free(explanation->board);
        free(explanation->chosen);
        free(explanation->message);
        free(explanation->held);
        for (size_t i = 0; i < explanation->n_policies; i++) {
                free(explanation->policies[i].policy);
                free(explanation->policies[i].key);
                free(explanation->policies[i].wanted);
                free(explanation->policies[i].found);
        }
        free(explanation->policies);
        *explanation = (struct explanation){ 0 };
}

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
        free(record->engine_message);
        free(record->dfu_status);
        free(record->dfu_state);
        free(record->station);
        free(record->data_file);
        *record = (struct attempt_record){ 0 };
}

int attempt_record_copy(const struct attempt_record *record, struct attempt_record *ret)
{
        _cleanup_(attempt_record_done) struct attempt_record copy = *record;
        char **const texts[] = {
                &copy.job,           &copy.slot,           &copy.port,
                &copy.path,          &copy.chip,           &copy.mac,
                &copy.policy,        &copy.image_path,     &copy.image_name,
                &copy.image_version, &copy.image_sha256,   &copy.boot_id,
                &copy.message,       &copy.engine_message, &copy.dfu_status,
                &copy.dfu_state,     &copy.station,        &copy.data_file,
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

void reload_result_done(struct reload_result *result)
{
        strings_free(result->warnings, result->n_warnings);
        strings_free(result->errors, result->n_errors);
        *result = (struct reload_result){ 0 };
}
