/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/fleet-picture.h"

#include <stdio.h>

#include "core/text.h"
#include "fleet/fleet-table.h"
#include "show/status-table.h"

#define FAULTS_SHOWN 5

char *fleet_faults(const struct view_station *station)
{
        size_t n = json_object_size(station->faults), shown = 0, size;
        _cleanup_(freep) char *text = NULL;
        FILE *f = open_memstream(&text, &size);
        const char *topic;
        json_t *fault;

        if (!f)
                return NULL;
        json_object_foreach(station->faults, topic, fault)
        {
                _cleanup_(freep) char *line = text_escape(json_string_value(fault));

                if (shown++ < FAULTS_SHOWN)
                        fprintf(f, "%s\n", line ? line : topic);
        }
        if (n > FAULTS_SHOWN)
                fprintf(f, "and %zu more: see --json\n", n - FAULTS_SHOWN);
        return fclose(f) == EOF ? NULL : take_ptr(text);
}

/* "offline since 09:41: …"; "" of one that is online. NULL: -ENOMEM. */
static char *offline_text(const struct view_station *station, const struct table_style *style)
{
        uint64_t seen_usec = view_seen_usec(station);
        _cleanup_(freep) char *note = text_escape(view_note(station));
        _cleanup_(freep) char *seen = format_time(style, seen_usec);
        char *text;

        if (view_is_online(station))
                return strdup("");
        if (!note || !seen)
                return NULL;
        return asprintf(&text, "offline%s%s%s%s\n", seen_usec > 0 ? " since " : "", seen_usec > 0 ? seen : "",
                        *note ? ": " : "", note) < 0
                       ? NULL
                       : text;
}

/* Of one station: as its own espdfuctl status, and above it whether it is online. */
static int station_picture(const struct view_station *station, const struct table_style *style, char **ret)
{
        _cleanup_(station_status_done) struct station_status status = { 0 };
        _cleanup_(freep) char *table = NULL, *offline = offline_text(station, style),
                              *faults = fleet_faults(station);
        int r = view_status(station, &status);

        if (r == 0)
                r = offline && faults ? status_table_render(&status, style, &table) : -ENOMEM;
        if (!table)
                return r < 0 ? r : -ENOMEM;
        return asprintf(ret, "%s%s%s%s", offline, table, *faults ? "\n" : "", faults) < 0 ? -ENOMEM : 0;
}

int fleet_picture(const struct view *view, const char *station, const struct table_style *style, char **ret)
{
        const struct view_station *found = station ? view_find(view, station) : NULL;

        if (!station)
                return fleet_table_render(view, style, ret);
        if (found)
                return station_picture(found, style, ret);
        *ret = strdup("This station has not been heard yet.\n");
        return *ret ? 0 : -ENOMEM;
}
