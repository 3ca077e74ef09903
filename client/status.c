/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl status: the station now, or as it changes. */
#include <stdio.h>

#include "client/status-table.h"
#include "client/status-watch.h"

static int print_status(const json_t *parameters)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        _cleanup_(freep) char *text = NULL;
        struct table_style style;
        int r;

        table_style_of_stdout(&style);
        r = status_update_from_json(parameters, &update);
        if (r == 0)
                r = status_table_render(&update.station, &style, &text);
        if (r < 0)
                return client_misread(r);
        fputs(text, stdout);
        return EXIT_DONE;
}

static int status_once(bool json)
{
        json_t *parameters;
        int r;

        r = client_ask(STATION_INTERFACE ".Status", NULL, &parameters);
        if (r != EXIT_DONE)
                return r;
        r = json ? client_print_json(parameters, false) : print_status(parameters);
        json_decref(parameters);
        return r;
}

int verb_status(int argc, char **argv)
{
        _cleanup_(connection_closep) struct connection *connection = NULL;
        bool json = false, watch = false;
        const struct client_option options[] = {
                { "json", .flag = &json },
                { "watch", .flag = &watch },
        };
        int r;

        r = client_options(argc, argv, options, ARRAY_SIZE(options), 0);
        if (r != CLIENT_GO_ON)
                return r;
        if (!watch)
                return status_once(json);
        r = client_call(STATION_INTERFACE ".Status", NULL, true, &connection);
        return r == EXIT_DONE ? status_watch(connection, json) : r;
}
