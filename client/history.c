/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl history: attempts as the ledger has them, the newest first. */
#include <stdio.h>

#include "client/client.h"
#include "client/filters.h"
#include "show/attempt-table.h"

#define LIMIT_DEFAULT 20

struct listing {
        struct attempt_table table; /* nothing is in it with --json */
        bool json;
        size_t n;
};

static void listing_done(struct listing *listing)
{
        attempt_table_done(&listing->table);
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
        if (listing->json) {
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
                r = attempt_table_add(&listing->table, NULL, &attempts[i]);
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

static int list(json_t *parameters, bool json, const struct table_choice *choice)
{
        _cleanup_(connection_closep) struct connection *connection = NULL;
        _cleanup_(listing_done) struct listing listing = { .json = json };
        int r;

        r = client_call(STATION_INTERFACE ".History", parameters, true, &connection);
        if (r != EXIT_DONE)
                return r;
        if (json)
                fputs("{\"attempts\": [\n", stdout);
        else if (attempt_table_init(&listing.table, false, choice) < 0)
                return client_misread(-ENOMEM);
        r = take_all(&listing, connection);
        if (json)
                fputs("\n]}\n", stdout);
        else if (r == EXIT_DONE && attempt_table_print(&listing.table, choice) < 0)
                r = client_misread(-ENOMEM);
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
        r = table_choice_read(&choice, "history", attempt_columns, json);
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
