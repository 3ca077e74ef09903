/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/fields.h"
#include "core/messages.h"

static const struct field reload_fields[] = {
        FIELD(UNSIGNED, reload_result, slots),
        FIELD(UNSIGNED, reload_result, policies),
};

json_t *reload_result_to_json(const struct reload_result *result)
{
        json_t *object;

        if (result->n_errors > 0)
                return json_pack("{s:o}", "errors", strings_to_json(result->errors, result->n_errors));
        object = fields_to_json(reload_fields, ARRAY_SIZE(reload_fields), result);
        if (json_object_set_new(object, "warnings", strings_to_json(result->warnings, result->n_warnings)) <
            0) {
                json_decref(object);
                return NULL;
        }
        return object;
}

int reload_result_from_json(const json_t *parameters, struct reload_result *ret)
{
        _cleanup_(reload_result_done) struct reload_result result = { 0 };
        int r;

        r = fields_from_json(reload_fields, ARRAY_SIZE(reload_fields), parameters, &result);
        if (r < 0)
                return r;
        r = strings_from_json(json_object_get(parameters, "warnings"), &result.warnings, &result.n_warnings);
        if (r < 0)
                return r;
        r = strings_from_json(json_object_get(parameters, "errors"), &result.errors, &result.n_errors);
        if (r < 0)
                return r;
        *ret = result;
        result = (struct reload_result){ 0 };
        return 0;
}
