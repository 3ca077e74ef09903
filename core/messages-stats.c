/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reply of Stats, and that of Consumers. */
#include "core/fields.h"
#include "core/messages.h"

#define LINE_FIELDS                                                                                          \
        FIELD(U64, stats_line, attempts), FIELD(U64, stats_line, flashed),                                   \
                FIELD(U64, stats_line, first_pass), FIELD(U64, stats_line, failed),                          \
                FIELD(U64, stats_line, cancelled), FIELD(U64, stats_line, worked_usec),                      \
                FIELD(USEC_OR_NULL, stats_line, yield_ppm), FIELD(USEC_OR_NULL, stats_line, first_pass_ppm), \
                FIELD(USEC_OR_NULL, stats_line, boards_per_hour),                                            \
                FIELD(USEC_OR_NULL, stats_line, mean_usec), FIELD(USEC_OR_NULL, stats_line, p95_usec)

static const struct field line_fields[] = { FIELD(TEXT_OR_NULL, stats_line, name), LINE_FIELDS };

static const struct field error_fields[] = {
        FIELD(VERDICT, stats_error, verdict),
        FIELD(TEXT_OR_NULL, stats_error, dfu_status),
        FIELD(U64, stats_error, attempts),
        FIELD(TEXT_OR_NULL, stats_error, message),
};

static const struct field ledger_fields[] = {
        FIELD(U64, station_stats, rows),
        FIELD(I64_OR_NULL, station_stats, first_sequence),
        FIELD(I64_OR_NULL, station_stats, last_sequence),
        FIELD(U64, station_stats, removed),
        FIELD(U64_OR_NULL, station_stats, removed_realtime_usec),
};

static const struct field extent_fields[] = {
        FIELD(U64_OR_NULL, station_stats, first_start_realtime_usec),
        FIELD(U64_OR_NULL, station_stats, last_end_realtime_usec),
};

static json_t *lines(const struct stats_line *items, size_t n)
{
        return fields_array_to_json(line_fields, ARRAY_SIZE(line_fields), items, n, sizeof(*items));
}

json_t *station_stats_to_json(const struct station_stats *stats)
{
        json_t *object = fields_to_json(extent_fields, ARRAY_SIZE(extent_fields), stats);
        json_t *more = json_pack("{s:o, s:o, s:o, s:o, s:o}", "total",
                                 fields_to_json(line_fields, ARRAY_SIZE(line_fields), &stats->total),
                                 "policies", lines(stats->policies, stats->n_policies), "slots",
                                 lines(stats->slots, stats->n_slots), "errors",
                                 fields_array_to_json(error_fields, ARRAY_SIZE(error_fields), stats->errors,
                                                      stats->n_errors, sizeof(*stats->errors)),
                                 "ledger", fields_to_json(ledger_fields, ARRAY_SIZE(ledger_fields), stats));

        if (!object || !more || json_object_update(object, more) < 0) {
                json_decref(object);
                object = NULL;
        }
        json_decref(more);
        return object;
}

int station_stats_from_json(const json_t *parameters, struct station_stats *ret)
{
        _cleanup_(station_stats_done) struct station_stats s = { 0 };
        int r = fields_from_json(extent_fields, ARRAY_SIZE(extent_fields), parameters, &s);

        if (r == 0)
                r = fields_from_json(line_fields, ARRAY_SIZE(line_fields),
                                     json_object_get(parameters, "total"), &s.total);
        if (r == 0)
                r = fields_array_from_json(line_fields, ARRAY_SIZE(line_fields),
                                           json_object_get(parameters, "policies"), sizeof(*s.policies),
                                           &s.policies, &s.n_policies);
        if (r == 0)
                r = fields_array_from_json(line_fields, ARRAY_SIZE(line_fields),
                                           json_object_get(parameters, "slots"), sizeof(*s.slots), &s.slots,
                                           &s.n_slots);
        if (r == 0)
                r = fields_array_from_json(error_fields, ARRAY_SIZE(error_fields),
                                           json_object_get(parameters, "errors"), sizeof(*s.errors),
                                           &s.errors, &s.n_errors);
        if (r == 0)
                r = fields_from_json(ledger_fields, ARRAY_SIZE(ledger_fields),
                                     json_object_get(parameters, "ledger"), &s);
        if (r < 0)
                return r;
        *ret = s;
        s = (struct station_stats){ 0 };
        return 0;
}

/* ---- consumers ---- */

static const struct field consumer_fields[] = {
        FIELD(TEXT, consumer_status, consumer),     FIELD(I64, consumer_status, sequence),
        FIELD(U64, consumer_status, behind),        FIELD(U64, consumer_status, seen_realtime_usec),
        FIELD(USEC_OR_NULL, consumer_status, user),
};

json_t *consumers_to_json(const struct consumer_status *consumers, size_t n)
{
        json_t *array = fields_array_to_json(consumer_fields, ARRAY_SIZE(consumer_fields), consumers, n,
                                             sizeof(*consumers));

        return array ? json_pack("{s:o}", "consumers", array) : NULL;
}

int consumers_from_json(const json_t *parameters, struct consumer_status **ret, size_t *ret_n)
{
        struct consumer_status *consumers = NULL;
        size_t n = 0;
        int r;

        if (!json_is_array(json_object_get(parameters, "consumers")))
                return -EPROTO;
        r = fields_array_from_json(consumer_fields, ARRAY_SIZE(consumer_fields),
                                   json_object_get(parameters, "consumers"), sizeof(*consumers), &consumers,
                                   &n);
        if (r < 0) {
                consumers_free(consumers, n);
                return r;
        }
        *ret = consumers;
        *ret_n = n;
        return 0;
}
