/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/fields.h"
#include "core/messages.h"

static const struct field explanation_fields[] = {
        FIELD(TEXT, explanation, slot),
        FIELD(TEXT_OR_NULL, explanation, port),
        FIELD(BOOL, explanation, present),
        FIELD(TEXT_OR_NULL, explanation, board),
        FIELD(PHASE, explanation, phase),
        FIELD(TEXT_OR_NULL, explanation, chosen),
        FIELD(TEXT_OR_NULL, explanation, message),
        FIELD(TEXT_OR_NULL, explanation, held),
};

static const struct field answer_fields[] = {
        FIELD(TEXT, explain_policy, policy),        FIELD(BOOL, explain_policy, matches),
        FIELD(TEXT_OR_NULL, explain_policy, key),   FIELD(TEXT_OR_NULL, explain_policy, wanted),
        FIELD(TEXT_OR_NULL, explain_policy, found),
};

json_t *explanations_to_json(const struct explanation *explanations, size_t n)
{
        json_t *array = fields_array_to_json(explanation_fields, ARRAY_SIZE(explanation_fields), explanations,
                                             n, sizeof(*explanations));

        for (size_t i = 0; array && i < n; i++) {
                json_t *answers = fields_array_to_json(answer_fields, ARRAY_SIZE(answer_fields),
                                                       explanations[i].policies, explanations[i].n_policies,
                                                       sizeof(*explanations[i].policies));

                if (json_object_set_new(json_array_get(array, i), "policies", answers) < 0) {
                        json_decref(array);
                        return NULL;
                }
        }
        return array ? json_pack("{s:o}", "explanations", array) : NULL;
}

static int explanations_read(const json_t *array, struct explanation **ret, size_t *ret_n)
{
        int r;

        r = fields_array_from_json(explanation_fields, ARRAY_SIZE(explanation_fields), array, sizeof(**ret),
                                   ret, ret_n);
        for (size_t i = 0; r >= 0 && i < *ret_n; i++) {
                struct explanation *e = &(*ret)[i];

                r = fields_array_from_json(answer_fields, ARRAY_SIZE(answer_fields),
                                           json_object_get(json_array_get(array, i), "policies"),
                                           sizeof(*e->policies), &e->policies, &e->n_policies);
        }
        return r;
}

int explanations_from_json(const json_t *parameters, struct explanation **ret, size_t *ret_n)
{
        struct explanation *explanations = NULL;
        size_t n = 0;
        int r;

        if (!json_is_array(json_object_get(parameters, "explanations")))
                return -EPROTO;
        r = explanations_read(json_object_get(parameters, "explanations"), &explanations, &n);
        if (r < 0) {
                explanations_free(explanations, n);
                return r;
        }
        *ret = explanations;
        *ret_n = n;
        return 0;
}

void explanations_free(struct explanation *explanations, size_t n)
{
        for (size_t i = 0; i < n; i++)
                explanation_done(&explanations[i]);
        free(explanations);
}
