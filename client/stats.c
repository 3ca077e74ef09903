/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl stats: the figures of a line. */
#include <inttypes.h>
#include <stdio.h>

#include "client/client.h"
#include "client/filters.h"
#include "show/table-choice.h"

#define STATS_TIMEOUT (10 * 60 * USEC_PER_SEC) /* a record of many years, on a slow disk */

/* ---- numbers as words; NULL: out of memory ---- */

static char *format_count(uint64_t n)
{
        char *text;

        return asprintf(&text, "%" PRIu64, n) < 0 ? NULL : text;
}

static char *format_known(const struct table_style *style, uint64_t n)
{
        return n == USEC_INFINITY ? strdup(table_nothing(style)) : format_count(n);
}

static char *format_share(const struct table_style *style, uint64_t ppm)
{
        char *text;

        if (ppm == USEC_INFINITY)
                return strdup(table_nothing(style));
        /* 99.96 % are not all. */
        ppm = ppm < 1000000 && ppm >= 999500 ? 999000 : ppm;
        return asprintf(&text, "%" PRIu64 ".%" PRIu64 " %%", (ppm + 500) / 10000, (ppm + 500) / 1000 % 10) < 0
                       ? NULL
                       : text;
}

static char *format_duration(const struct table_style *style, uint64_t usec)
{
        return usec == USEC_INFINITY ? strdup(table_nothing(style)) : format_span(usec);
}

/* ---- tables ---- */

enum column {
        OF,
        NAME,
        BOARDS,
        FAILED,
        CANCELLED,
        YIELD,
        FIRST_PASS,
        PER_HOUR,
        MEAN,
        P95,
        ATTEMPTS,
        N_COLUMNS
};

const char *const stats_columns[] = { "of",         "name",     "flashed", "failed", "cancelled", "yield",
                                      "first-pass", "per-hour", "mean",    "p95",    "attempts",  NULL };

/* of: station, policy or slot; shown where all are in one table. */
static int add_line(const struct table_style *style, struct libscols_table *table, const char *of,
                    const char *name, const struct stats_line *s)
{
        struct libscols_line *line = scols_table_new_line(table, NULL);
        char *texts[N_COLUMNS] = {
                [BOARDS] = format_count(s->flashed),
                [FAILED] = format_count(s->failed),
                [CANCELLED] = format_count(s->cancelled),
                [YIELD] = format_share(style, s->yield_ppm),
                [FIRST_PASS] = format_share(style, s->first_pass_ppm),
                [PER_HOUR] = format_known(style, s->boards_per_hour),
                [MEAN] = format_duration(style, s->mean_usec),
                [P95] = format_duration(style, s->p95_usec),
                [ATTEMPTS] = format_count(s->attempts),
        };
        int r = line ? table_set(style, line, OF, of) : -ENOMEM;

        if (r == 0)
                r = table_set(style, line, NAME, name);
        for (size_t i = BOARDS; i < N_COLUMNS; i++) {
                if (r < 0)
                        free(texts[i]);
                else
                        r = table_take(line, i, texts[i]);
        }
        return r;
}

/* As in status-table.c. */
static const size_t dispensable[] = { CANCELLED, MEAN, PER_HOUR, FIRST_PASS, P95 };
static const size_t usual_widths[N_COLUMNS] = { 0 };

static int print_table(struct libscols_table *table)
{
        return scols_print_table(table) < 0 && !ferror(stdout) ? -ENOMEM : 0;
}

static int add_lines(const struct table_style *style, struct libscols_table *table, const char *of,
                     const struct stats_line *lines, size_t n)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                r = add_line(style, table, of, lines[i].name ? lines[i].name : "all", &lines[i]);
        return r;
}

static struct libscols_table *new_table(const struct table_style *style, const char *title)
{
        const char *const names[N_COLUMNS] = {
                [OF] = "OF",
                [NAME] = title,
                [BOARDS] = "FLASHED",
                [FAILED] = "FAILED",
                [CANCELLED] = "CANCELLED",
                [YIELD] = "YIELD",
                [FIRST_PASS] = "FIRST PASS",
                [PER_HOUR] = "PER HOUR",
                [MEAN] = "MEAN",
                [P95] = "95 %",
                [ATTEMPTS] = "ATTEMPTS",
        };

        return table_new(style, names, N_COLUMNS);
}

static int print_lines(const struct table_style *style, const char *title, const struct stats_line *lines,
                       size_t n)
{
        struct table_style fitted = *style;
        _cleanup_(table_unrefp) struct libscols_table *table = NULL;
        const struct table_fit fit = { usual_widths, dispensable, ARRAY_SIZE(dispensable) };
        int r;

        table_style_fit_terminal(&fitted);
        table = new_table(&fitted, title);
        r = table ? scols_column_set_flags(scols_table_get_column(table, OF), SCOLS_FL_HIDDEN) : -ENOMEM;
        if (r == 0)
                r = add_lines(style, table, NULL, lines, n);
        if (r == 0)
                r = table_fit(&fitted, table, &fit);
        return r < 0 ? r : print_table(table);
}

/* All of them in one table. */
static int print_chosen(const struct table_style *style, const struct station_stats *stats,
                        const struct table_choice *choice)
{
        _cleanup_(table_unrefp) struct libscols_table *table = new_table(style, "NAME");
        int r = table ? add_lines(style, table, "station", &stats->total, 1) : -ENOMEM;

        if (r == 0)
                r = add_lines(style, table, "policy", stats->policies, stats->n_policies);
        if (r == 0)
                r = add_lines(style, table, "slot", stats->slots, stats->n_slots);
        if (r == 0)
                r = table_choose(table, choice);
        return r < 0 ? r : print_table(table);
}

static int print_errors(const struct table_style *style, const struct station_stats *stats)
{
        static const char *const names[] = { "ATTEMPTS", "ENDED", "DFU STATUS", "THE LAST ONE" };
        _cleanup_(table_unrefp) struct libscols_table *table = table_new(style, names, ARRAY_SIZE(names));
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < stats->n_errors; i++) {
                const struct stats_error *e = &stats->errors[i];
                struct libscols_line *line = scols_table_new_line(table, NULL);

                r = line ? table_take(line, 0, format_count(e->attempts)) : -ENOMEM;
                if (r == 0)
                        r = table_take(line, 1, format_word(verdict_to_string(e->verdict)));
                if (r == 0)
                        r = table_set(style, line, 2, e->dfu_status);
                if (r == 0)
                        r = table_set(style, line, 3, e->message);
        }
        if (r < 0 || stats->n_errors == 0)
                return r;
        putchar('\n');
        return print_table(table);
}

static int print_extent(const struct table_style *style, const struct station_stats *stats)
{
        _cleanup_(freep) char *from = format_time(style, stats->first_start_realtime_usec);
        _cleanup_(freep) char *to = format_time(style, stats->last_end_realtime_usec);
        _cleanup_(freep) char *removed = format_time(style, stats->removed_realtime_usec);

        if (!from || !to || !removed)
                return -ENOMEM;
        if (stats->total.attempts > 0)
                printf("%s to %s\n\n", from, to);
        else
                puts("No attempt.");
        if (stats->removed > 0)
                printf("The ledger begins at number %" PRId64 ": %" PRIu64
                       " older attempts were removed, the last of them %s.\n\n",
                       stats->first_sequence, stats->removed, removed);
        return 0;
}

static int print_stats(const json_t *parameters, const struct table_choice *choice)
{
        _cleanup_(station_stats_done) struct station_stats stats = { 0 };
        struct table_style style;
        int r = station_stats_from_json(parameters, &stats);

        table_style_of_stdout(&style);
        if (r == 0 && table_is_chosen(choice)) {
                r = print_chosen(&style, &stats, choice);
                return r < 0 ? client_misread(r) : EXIT_DONE;
        }
        if (r == 0)
                r = print_extent(&style, &stats);
        if (r == 0 && stats.total.attempts > 0) {
                r = print_lines(&style, "STATION", &stats.total, 1);
                putchar('\n');
                if (r == 0)
                        r = print_lines(&style, "POLICY", stats.policies, stats.n_policies);
                putchar('\n');
                if (r == 0)
                        r = print_lines(&style, "SLOT", stats.slots, stats.n_slots);
                if (r == 0)
                        r = print_errors(&style, &stats);
        }
        return r < 0 ? client_misread(r) : EXIT_DONE;
}

int verb_stats(int argc, char **argv)
{
        struct history_query filter = { 0 };
        bool json = false;
        struct table_choice choice = { 0 };
        const struct client_option options[] = { { "json", .flag = &json },
                                                 TABLE_OPTIONS(choice),
                                                 FILTER_OPTIONS(filter) };
        json_t *parameters, *reply;
        int r;

        r = client_options(argc, argv, options, ARRAY_SIZE(options), 0);
        if (r != CLIENT_GO_ON)
                return r;
        r = table_choice_read(&choice, "stats", stats_columns, json);
        if (r == EXIT_DONE)
                r = filter_parameters(&filter, &parameters);
        if (r == EXIT_DONE)
                r = client_ask_patiently(STATION_INTERFACE ".Stats", parameters, STATS_TIMEOUT, &reply);
        if (r != EXIT_DONE)
                return r;
        r = json ? client_print_json(reply, false) : print_stats(reply, &choice);
        json_decref(reply);
        return r;
}
