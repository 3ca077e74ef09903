/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl history: attempts as the ledger has them, the newest first. */
#include <stdio.h>

#include "client/client.h"
#include "client/filters.h"
#include "client/table-choice.h"

#define LIMIT_DEFAULT 20

enum column { TIME, SLOT, CHIP, MAC, POLICY, IMAGE, TRY, VERDICT, TOOK, SIZE, MESSAGE, N_COLUMNS };

static const char *const column_names[N_COLUMNS] = {
        [TIME] = "TIME",     [SLOT] = "SLOT",   [CHIP] = "CHIP",       [MAC] = "MAC",
        [POLICY] = "POLICY", [IMAGE] = "IMAGE", [TRY] = "TRY",         [VERDICT] = "VERDICT",
        [TOOK] = "TOOK",     [SIZE] = "SIZE",   [MESSAGE] = "MESSAGE",
};

const char *const history_columns[] = { "time", "slot",    "chip", "mac",  "policy",  "image",
                                        "try",  "verdict", "took", "size", "message", NULL };

/* As in status-table.c. */
static const size_t dispensable[] = { MAC, POLICY, SIZE, TOOK, CHIP, TRY };
static const size_t usual_widths[N_COLUMNS] = { [MESSAGE] = 10 };

struct listing {
        struct table_style style;
        struct libscols_table *table; /* NULL with --json */
        size_t n;
};

static int add_attempt(struct listing *listing, const struct attempt_record *a)
{
        const struct table_style *style = &listing->style;
        struct libscols_line *line = scols_table_new_line(listing->table, NULL);
        bool open = a->verdict == VERDICT_NONE;
        _cleanup_(freep) char *time = format_time(style, a->start_realtime_usec);
        _cleanup_(freep) char *image = format_image(a->image_name, a->image_version);
        _cleanup_(freep) char *verdict = format_word(open ? "running" : verdict_to_string(a->verdict));
        _cleanup_(freep) char *took = open ? strdup("") : format_span(a->duration_usec);
        _cleanup_(freep) char *size = format_bytes(a->bytes);
        char try[16];
        const char *texts[N_COLUMNS] = {
                [TIME] = time,  [SLOT] = a->slot,       [CHIP] = format_chip(a->chip),
                [MAC] = a->mac, [POLICY] = a->policy,   [IMAGE] = image,
                [TRY] = try,    [VERDICT] = verdict,    [TOOK] = took,
                [SIZE] = size,  [MESSAGE] = a->message,
        };
        int r = 0;

        snprintf(try, sizeof(try), "%u", a->attempt);
        if (!line || !time || !image || !verdict || !took || !size)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < N_COLUMNS; i++)
                r = table_set(style, line, i, texts[i]);
        if (r == 0 && style->colour && !open)
                r = scols_cell_set_color(scols_line_get_cell(line, VERDICT),
                                         a->verdict == VERDICT_FLASHED ? "green" : "red");
        return r;
}

/* With --json the attempts are printed as they come: the list may be long. */
static int take_page(struct listing *listing, const json_t *parameters)
{
        struct attempt_record *attempts = NULL;
        json_t *array = json_object_get(parameters, "attempts"), *item;
        size_t i, n = 0;
        int r = 0;

        if (!json_is_array(array))
                return -EPROTO;
        if (!listing->table) {
                json_array_foreach(array, i, item)
                {
                        fputs(listing->n++ > 0 ? ",\n" : "", stdout);
                        if (json_dumpf(item, stdout, JSON_COMPACT) < 0 && !ferror(stdout))
                                return -ENOMEM;
                }
                return 0;
        }
        r = attempts_from_json(parameters, &attempts, &n);
        for (i = 0; r == 0 && i < n; i++)
                r = add_attempt(listing, &attempts[i]);
        listing->n += n;
        attempts_free(attempts, n);
        return r;
}

static int take_all(struct listing *listing, struct connection *connection)
{
        struct varlink_reply reply;
        bool continues = true;
        int r;

        while (continues) {
                r = client_reply(connection, &reply);
                if (r != EXIT_DONE)
                        return r;
                continues = reply.continues;
                r = take_page(listing, reply.parameters);
                varlink_reply_done(&reply);
                if (r < 0)
                        return client_misread(r);
                if (ferror(stdout))
                        return client_flush();
        }
        return EXIT_DONE;
}

/* The table is whole. */
static int print_table(struct listing *listing, const struct table_choice *choice)
{
        const struct table_fit fit = { usual_widths, dispensable, ARRAY_SIZE(dispensable) };
        int r;

        if (listing->n == 0 && !table_is_chosen(choice))
                return fputs("No attempt.\n", stdout), EXIT_DONE;
        r = table_is_chosen(choice) ? table_choose(listing->table, choice)
                                    : table_fit(&listing->style, listing->table, &fit);
        if (r == 0)
                r = scols_print_table(listing->table);
        return r < 0 && !ferror(stdout) ? client_misread(-ENOMEM) : EXIT_DONE;
}

static int list(json_t *parameters, bool json, const struct table_choice *choice)
{
        _cleanup_(connection_closep) struct connection *connection = NULL;
        _cleanup_(table_unrefp) struct libscols_table *table = NULL;
        struct listing listing = { 0 };
        int r;

        r = client_call(STATION_INTERFACE ".History", parameters, true, &connection);
        if (r != EXIT_DONE)
                return r;
        table_style_of_stdout(&listing.style);
        if (!table_is_chosen(choice))
                table_style_fit_terminal(&listing.style);
        if (json) {
                fputs("{\"attempts\": [\n", stdout);
        } else {
                listing.table = table = table_new(&listing.style, column_names, N_COLUMNS);
                if (!table)
                        return client_misread(-ENOMEM);
        }
        r = take_all(&listing, connection);
        if (json)
                fputs("\n]}\n", stdout);
        else if (r == EXIT_DONE)
                r = print_table(&listing, choice);
        return r;
}

int verb_history(int argc, char **argv)
{
        struct history_query filter = { 0 };
        struct table_choice choice = { 0 };
        const char *rows = NULL;
        bool json = false, all = false;
        const struct client_option options[] = {
                { "all", .flag = &all }, { "json", .flag = &json }, { "limit", .value = &rows },
                TABLE_OPTIONS(choice),   FILTER_OPTIONS(filter),
        };
        int64_t limit = LIMIT_DEFAULT;
        json_t *parameters;
        int r;

        r = client_options(argc, argv, options, ARRAY_SIZE(options), 0);
        if (r != CLIENT_GO_ON)
                return r;
        if (rows && all) {
                client_error("history: --limit and --all: expected one or the other");
                return EXIT_USAGE;
        }
        if (rows && !client_number("--limit", rows, 1, INT32_MAX, &limit))
                return EXIT_USAGE;
        r = table_choice_read(&choice, "history", history_columns, json);
        if (r == EXIT_DONE)
                r = filter_parameters(&filter, &parameters);
        if (r != EXIT_DONE)
                return r;
        if (!all && json_object_set_new(parameters, "limit", json_integer(limit)) < 0) {
                json_decref(parameters);
                return client_misread(-ENOMEM);
        }
        return list(parameters, json, &choice);
}
