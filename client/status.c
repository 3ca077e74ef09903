/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl status: the station now, or as it changes. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "client/status-pick.h"
#include "client/status-watch.h"
#include "show/status-table.h"

static int print_status(struct station_status *station, const struct table_choice *choice)
{
        _cleanup_(freep) char *text = NULL;
        struct table_style style;
        int r;

        table_style_of_stdout(&style);
        if (table_is_chosen(choice)) {
                r = status_table_rows(station, &style, choice, stdout);
                return r < 0 ? client_misread(r) : EXIT_DONE;
        }
        table_style_fit_terminal(&style);
        r = status_table_render(station, &style, &text);
        if (r < 0)
                return client_misread(r);
        fputs(text, stdout);
        return EXIT_DONE;
}

static int show(json_t *parameters, bool json, const struct table_choice *choice, status_pick pick)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        const char *missing;
        int r;

        if (json && !*pick)
                return client_print_json(parameters, false);
        r = status_update_from_json(parameters, &update);
        if (r < 0)
                return client_misread(r);
        missing = status_pick_missing(pick, &update.station);
        if (missing)
                return status_no_such_slot(missing);
        if (json) {
                status_keep_picked_json(parameters, pick);
                return client_print_json(parameters, false);
        }
        status_keep_picked(&update.station, pick);
        return print_status(&update.station, choice);
}

static int status_once(bool json, const struct table_choice *choice, status_pick pick)
{
        json_t *parameters;
        int r;

        r = client_ask(STATION_INTERFACE ".Status", NULL, &parameters);
        if (r != EXIT_DONE)
                return r;
        r = show(parameters, json, choice, pick);
        json_decref(parameters);
        return r;
}

int verb_status(int argc, char **argv)
{
        struct table_choice choice = { 0 };
        bool json = false, watch = false;
        const struct client_option options[] = {
                { "json", .flag = &json },
                { "watch", .flag = &watch },
                TABLE_OPTIONS(choice),
        };
        int r;

        r = client_options(argc, argv, options, ARRAY_SIZE(options), INT_MAX);
        if (r != CLIENT_GO_ON)
                return r;
        r = table_choice_read(&choice, "status", status_columns, json);
        if (r != EXIT_DONE)
                return r;
        if (!watch)
                return status_once(json, &choice, argv + optind);
        if (table_is_chosen(&choice)) {
                client_error("status: --output and --noheadings: expected without --watch");
                return EXIT_USAGE;
        }
        return status_watch(json, argv + optind);
}
