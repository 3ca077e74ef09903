/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reply of Counters. */
#include "core/fields.h"
#include "core/messages.h"

#define POLICIES_MAX 4096 /* that a client takes */

static const struct field policy_fields[] = {
        FIELD(TEXT, policy_counters, policy),      FIELD(U64, policy_counters, flashed),
        FIELD(U64, policy_counters, first_pass),   FIELD(U64, policy_counters, failed),
        FIELD(U64, policy_counters, cancelled),    FIELD(U64, policy_counters, bytes),
        FIELD(U64, policy_counters, flashed_usec),
};

static const struct field span_fields[] = {
        FIELD(USEC_OR_NULL, counters_span, up_to_usec),
        FIELD(U64, counters_span, attempts),
};

struct verdict_count {
        enum verdict verdict;
        uint64_t attempts;
};
static const struct field verdict_fields[] = {
        FIELD(VERDICT, verdict_count, verdict),
        FIELD(U64, verdict_count, attempts),
};

static const struct field station_fields[] = {
        FIELD(U64, station_counters, since_realtime_usec),
        FIELD(U64, station_counters, attempts_recorded),
};

/* Verdicts that there were. */
static json_t *verdicts_to_json(const struct policy_counters *p)
{
        struct verdict_count counts[VERDICT_MAX_];
        size_t n = 0;

        for (enum verdict v = 0; v < VERDICT_MAX_; v++)
                if (p->attempts[v] > 0)
                        counts[n++] = (struct verdict_count){ v, p->attempts[v] };
        return fields_array_to_json(verdict_fields, ARRAY_SIZE(verdict_fields), counts, n, sizeof(*counts));
}

static json_t *policy_to_json(const struct policy_counters *p)
{
        json_t *object = fields_to_json(policy_fields, ARRAY_SIZE(policy_fields), p);
        json_t *spans = fields_array_to_json(span_fields, ARRAY_SIZE(span_fields), p->spans, p->n_spans,
                                             sizeof(*p->spans));

        /* They take a new value over, also on failure. */
        if (!object || json_object_set_new(object, "verdicts", verdicts_to_json(p)) < 0) {
                json_decref(spans);
        } else if (json_object_set_new(object, "durations", spans) == 0) {
                return object;
        }
        json_decref(object);
        return NULL;
}

json_t *station_counters_to_json(const struct station_counters *counters)
{
        json_t *object = fields_to_json(station_fields, ARRAY_SIZE(station_fields), counters),
               *array = json_array();

        for (size_t i = 0; array && i < counters->n_policies; i++)
                if (json_array_append_new(array, policy_to_json(&counters->policies[i])) < 0) {
                        json_decref(array);
                        array = NULL;
                }
        if (object && json_object_set_new(object, "policies", array) == 0)
                return object;
        json_decref(object);
        return NULL;
}

static int verdicts_from_json(const json_t *array, struct policy_counters *p)
{
        struct verdict_count *counts = NULL;
        size_t n = 0;
        int r = fields_array_from_json(verdict_fields, ARRAY_SIZE(verdict_fields), array, sizeof(*counts),
                                       &counts, &n);

        for (size_t i = 0; r == 0 && i < n; i++)
                if (counts[i].verdict < VERDICT_MAX_) /* else one of a newer daemon */
                        p->attempts[counts[i].verdict] = counts[i].attempts;
        free(counts);
        return r;
}

static int spans_from_json(const json_t *array, struct policy_counters *p)
{
        struct counters_span *spans = NULL;
        size_t n = 0;
        int r = fields_array_from_json(span_fields, ARRAY_SIZE(span_fields), array, sizeof(*spans), &spans,
                                       &n);

        if (r == 0 && (n == 0 || n > COUNTERS_SPANS_MAX || spans[n - 1].up_to_usec != USEC_INFINITY))
                r = -EPROTO;
        for (size_t i = 1; r == 0 && i < n; i++)
                if (spans[i].up_to_usec <= spans[i - 1].up_to_usec)
                        r = -EPROTO;
        if (r == 0) {
                memcpy(p->spans, spans, n * sizeof(*spans));
                p->n_spans = n;
        }
        free(spans);
        return r;
}

static int policies_from_json(const json_t *array, struct station_counters *ret)
{
        const json_t *item;
        size_t i;
        int r = 0;

        if (!json_is_array(array) || json_array_size(array) > POLICIES_MAX)
                return -EPROTO;
        ret->policies = calloc(json_array_size(array) + 1, sizeof(*ret->policies));
        if (!ret->policies)
                return -ENOMEM;
        json_array_foreach(array, i, item)
        {
                struct policy_counters *p = &ret->policies[ret->n_policies++];

                r = fields_from_json(policy_fields, ARRAY_SIZE(policy_fields), item, p);
                if (r == 0)
                        r = verdicts_from_json(json_object_get(item, "verdicts"), p);
                if (r == 0)
                        r = spans_from_json(json_object_get(item, "durations"), p);
                if (r < 0)
                        break;
        }
        return r;
}

int station_counters_from_json(const json_t *parameters, struct station_counters *ret)
{
        _cleanup_(station_counters_done) struct station_counters counters = { 0 };
        int r = fields_from_json(station_fields, ARRAY_SIZE(station_fields), parameters, &counters);

        if (r == 0)
                r = policies_from_json(json_object_get(parameters, "policies"), &counters);
        if (r < 0)
                return r;
        *ret = counters;
        counters = (struct station_counters){ 0 };
        return 0;
}
