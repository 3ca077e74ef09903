/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/fields.h"
#include "core/messages.h"

static const struct field station_fields[] = {
        FIELD(TEXT, station_status, name),
        FIELD(TEXT_OR_NULL, station_status, id),
        FIELD(I64, station_status, id_since),
        FIELD(TEXT, station_status, version),
        FIELD(U64, station_status, uptime_usec),
        FIELD(U64, station_status, flashed_today),
        FIELD(U64, station_status, failed_today),
        FIELD(U64, station_status, first_pass_today),
        FIELD(U64, station_status, flashed_last_hour),
        FIELD(UNSIGNED, station_status, running),
        FIELD(UNSIGNED, station_status, waiting),
        FIELD(UNSIGNED, station_status, failed),
        FIELD(TEXT_OR_NULL, station_status, config_error),
        FIELD(TEXT_OR_NULL, station_status, ledger_trouble),
        FIELD(TEXT_OR_NULL, station_status, lagging),
        FIELD(TEXT_OR_NULL, station_status, held),
};

static const struct field slot_fields[] = {
        FIELD(TEXT, slot_status, slot),
        FIELD(TEXT_OR_NULL, slot_status, port),
        FIELD(TEXT_OR_NULL, slot_status, path),
        FIELD(TEXT_OR_NULL, slot_status, chip),
        FIELD(TEXT_OR_NULL, slot_status, mac),
        FIELD(TEXT_OR_NULL, slot_status, policy),
        FIELD(TEXT_OR_NULL, slot_status, image_name),
        FIELD(TEXT_OR_NULL, slot_status, image_version),
        FIELD(TEXT_OR_NULL, slot_status, data_file),
        FIELD(PHASE, slot_status, phase),
        FIELD(U64, slot_status, bytes_done),
        FIELD(U64, slot_status, bytes_total),
        FIELD(U64_OR_NULL, slot_status, rate),
        FIELD(USEC_OR_NULL, slot_status, left_usec),
        FIELD(U64, slot_status, elapsed_usec),
        FIELD(UNSIGNED, slot_status, attempt),
        FIELD(UNSIGNED, slot_status, attempts_max),
        FIELD(TEXT_OR_NULL, slot_status, message),
        FIELD(VERDICT, slot_status, last_verdict),
        FIELD(U64_OR_NULL, slot_status, last_realtime_usec),
        FIELD(TEXT_OR_NULL, slot_status, last_message),
};

static const struct field policy_fields[] = {
        FIELD(TEXT, policy_status, name),
        FIELD(TEXT_OR_NULL, policy_status, image),
        FIELD(TEXT_OR_NULL, policy_status, sha256),
        FIELD(TEXT_OR_NULL, policy_status, image_name),
        FIELD(TEXT_OR_NULL, policy_status, image_version),
        FIELD(TEXT_OR_NULL, policy_status, unusable),
};

const char *station_fault(const json_t *station)
{
        return fields_fault(station_fields, ARRAY_SIZE(station_fields), station);
}

const char *slot_fault(const json_t *slot)
{
        return fields_fault(slot_fields, ARRAY_SIZE(slot_fields), slot);
}

json_t *slot_reply_to_json(const struct slot_status *slot)
{
        return json_pack("{s:o}", "slot", fields_to_json(slot_fields, ARRAY_SIZE(slot_fields), slot));
}

int slot_reply_from_json(const json_t *parameters, struct slot_status *ret)
{
        struct slot_status slot = { 0 };
        int r = fields_from_json(slot_fields, ARRAY_SIZE(slot_fields), json_object_get(parameters, "slot"),
                                 &slot);

        if (r < 0) {
                slot_status_done(&slot);
                return r;
        }
        *ret = slot;
        return 0;
}

json_t *status_update_to_json(const struct status_update *update)
{
        const struct station_status *station = &update->station;

        return json_pack("{s:o, s:o, s:o, s:b, s:o}", "station",
                         fields_to_json(station_fields, ARRAY_SIZE(station_fields), station), "slots",
                         fields_array_to_json(slot_fields, ARRAY_SIZE(slot_fields), station->slots,
                                              station->n_slots, sizeof(*station->slots)),
                         "policies",
                         update->whole ? fields_array_to_json(policy_fields, ARRAY_SIZE(policy_fields),
                                                              station->policies, station->n_policies,
                                                              sizeof(*station->policies))
                                       : json_null(),
                         "whole", update->whole, "gone", strings_to_json(update->gone, update->n_gone));
}

static int print(struct bytes *out, const char *text)
{
        return bytes_append(out, text, strlen(text));
}

static int print_policies(const struct status_update *update, struct bytes *out)
{
        const struct station_status *station = &update->station;

        if (!update->whole)
                return print(out, "null");
        return fields_array_to_text(policy_fields, ARRAY_SIZE(policy_fields), station->policies,
                                    station->n_policies, sizeof(*station->policies), out);
}

int status_update_to_reply(const struct status_update *update, bool continues, char **ret, size_t *ret_size)
{
        _cleanup_(bytes_done) struct bytes out = { 0 };
        const struct station_status *station = &update->station;
        int r = print(&out, continues ? "{\"continues\":true,\"parameters\":{\"station\":"
                                      : "{\"parameters\":{\"station\":");

        if (r == 0)
                r = fields_to_text(station_fields, ARRAY_SIZE(station_fields), station, &out);
        if (r == 0)
                r = print(&out, ",\"slots\":");
        if (r == 0)
                r = fields_array_to_text(slot_fields, ARRAY_SIZE(slot_fields), station->slots,
                                         station->n_slots, sizeof(*station->slots), &out);
        if (r == 0)
                r = print(&out, ",\"policies\":");
        if (r == 0)
                r = print_policies(update, &out);
        if (r == 0)
                r = print(&out, update->whole ? ",\"whole\":true,\"gone\":" : ",\"whole\":false,\"gone\":");
        if (r == 0)
                r = strings_to_text(update->gone, update->n_gone, &out);
        if (r == 0)
                r = bytes_append(&out, "}}", sizeof("}}"));
        if (r < 0)
                return r;
        *ret_size = out.len;
        *ret = (char *)take_ptr(out.data);
        return 0;
}

int status_update_from_json(const json_t *parameters, struct status_update *ret)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        struct station_status *station = &update.station;
        int r;

        r = fields_from_json(station_fields, ARRAY_SIZE(station_fields),
                             json_object_get(parameters, "station"), station);
        if (r < 0)
                return r;
        r = fields_array_from_json(slot_fields, ARRAY_SIZE(slot_fields), json_object_get(parameters, "slots"),
                                   sizeof(*station->slots), &station->slots, &station->n_slots);
        if (r < 0)
                return r;
        r = fields_array_from_json(policy_fields, ARRAY_SIZE(policy_fields),
                                   json_object_get(parameters, "policies"), sizeof(*station->policies),
                                   &station->policies, &station->n_policies);
        if (r < 0)
                return r;
        r = strings_from_json(json_object_get(parameters, "gone"), &update.gone, &update.n_gone);
        if (r < 0)
                return r;
        if (!json_is_array(json_object_get(parameters, "slots")) ||
            !json_is_boolean(json_object_get(parameters, "whole")))
                return -EPROTO;
        update.whole = json_is_true(json_object_get(parameters, "whole"));
        *ret = update;
        update = (struct status_update){ 0 };
        return 0;
}
