/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfu-fleet status: what the broker keeps of the stations, once. */
#include <stdio.h>

#include "fleet/fleet-picture.h"
#include "fleet/fleet-table.h"
#include "fleet/fleet.h"
#include "fleet/listen.h"
#include "io/say.h"
#include "show/status-table.h"

static json_t *station_to_json(const struct view_station *station)
{
        return json_pack("{s:s, s:O?, s:O?, s:O, s:O}", "station", station->name, "online", station->online,
                         "status", station->header, "slots", station->slots, "faults", station->faults);
}

static int print_json(const struct view *view)
{
        json_t *stations = json_array(), *whole = json_pack("{s:o}", "stations", stations);
        int r = whole ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < view->n; i++)
                if (json_array_append_new(stations, station_to_json(&view->stations[i])) < 0)
                        r = -ENOMEM;
        if (r == 0 && json_dumpf(whole, stdout, JSON_INDENT(2)) < 0 && !ferror(stdout))
                r = -ENOMEM;
        putchar('\n');
        json_decref(whole);
        return r;
}

/* Between rows for a program there is no place for them. */
static int say_faults(const struct view_station *station)
{
        _cleanup_(freep) char *text = fleet_faults(station);
        char *rest = NULL;

        if (!text)
                return -ENOMEM;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                say_line("status: %s", line);
        return 0;
}

static int print_rows(const struct listener *l, const struct table_style *style,
                      const struct table_choice *choice)
{
        _cleanup_(station_status_done) struct station_status status = { 0 };
        const struct view_station *station = l->station ? view_find(&l->view, l->station) : NULL;
        int r;

        if (!station)
                return fleet_table_rows(&l->view, style, choice, stdout);
        r = view_status(station, &status);
        if (r == 0)
                r = status_table_rows(&status, style, choice, stdout);
        return r == 0 ? say_faults(station) : r;
}

static int show(const struct listener *l, bool json, const struct table_choice *choice)
{
        _cleanup_(freep) char *text = NULL;
        struct table_style style;
        int r;

        if (l->station && !view_find(&l->view, l->station)) {
                say_line(
                        "status: no station %s: the broker keeps nothing of it, or this user may not read it",
                        l->station);
                return EXIT_FAILED;
        }
        if (json)
                return print_json(&l->view) < 0 ? fleet_no_memory() : EXIT_DONE;
        table_style_of_stdout(&style);
        if (table_is_chosen(choice)) {
                r = print_rows(l, &style, choice);
        } else {
                table_style_fit_terminal(&style);
                r = fleet_picture(&l->view, l->station, &style, &text);
        }
        if (r == -EPROTO) {
                say_line("status: what station %s says is not understood", l->station);
                return EXIT_FAILED;
        }
        if (r == 0 && text)
                fputs(text, stdout);
        return r < 0 ? fleet_no_memory() : EXIT_DONE;
}

int verb_status(int argc, char **argv)
{
        struct settings settings = { 0 };
        struct listener listener = { 0 };
        struct table_choice choice = { 0 };
        const char *station = NULL;
        bool json = false;
        const struct client_option options[] = {
                { "json", .flag = &json },
                { "station", .value = &station },
                TABLE_OPTIONS(choice),
        };
        int r = client_options(argc, argv, options, ARRAY_SIZE(options), 0);

        if (r != CLIENT_GO_ON)
                return r;
        r = fleet_check_station("status", station);
        if (r == EXIT_DONE)
                r = table_choice_read(&choice, "status", station ? status_columns : fleet_columns, json);
        if (r == EXIT_DONE)
                r = fleet_settings(true, &settings);
        if (r != EXIT_DONE)
                return r;
        settings.broker.retry_max_sec = 0;
        if (listener_open(&listener, &settings.broker, station) < 0)
                r = fleet_no_memory();
        else if ((r = listener_hear_all(&listener)) == 0)
                r = show(&listener, json, &choice);
        else if (r == -ETIMEDOUT)
                say_line("broker %s: it does not answer", broker_name(listener.broker));
        listener_close(&listener);
        settings_done(&settings);
        return r < 0 ? EXIT_NO_DAEMON : r;
}
