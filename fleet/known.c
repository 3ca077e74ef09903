/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/known.h"

#include <stdio.h>

void known_done(struct known *known)
{
        free(known->stations);
        *known = (struct known){ 0 };
}

/* Where it is, or would be. */
static size_t find(const struct known *known, const char *station_id, bool *ret_found)
{
        size_t low = 0, high = known->n;

        while (low < high) {
                size_t middle = (low + high) / 2;
                int order = strcmp(known->stations[middle].delivered.station_id, station_id);

                if (order == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_found = false;
        return low;
}

static int insert(struct known *known, size_t at, const char *station_id)
{
        if (known->n == KNOWN_MAX)
                return -ENOSPC;
        if (known->n == known->allocated) {
                size_t allocated = MAX(known->allocated * 2, (size_t)64);
                void *stations = reallocarray(known->stations, allocated, sizeof(*known->stations));

                if (!stations)
                        return -ENOMEM;
                known->stations = stations;
                known->allocated = allocated;
        }
        memmove(&known->stations[at + 1], &known->stations[at], (known->n - at) * sizeof(*known->stations));
        known->stations[at] = (struct known_station){ 0 };
        snprintf(known->stations[at].delivered.station_id, STATION_ID_SIZE, "%s", station_id);
        known->n++;
        return 0;
}

static void tell(struct known *known, struct known_station *station)
{
        known->n_to_be_told += station->is_to_be_told ? 0 : 1;
        station->is_to_be_told = true;
}

int known_committed(struct known *known, const char *station_id, const char *name, int64_t sequence)
{
        bool found;
        size_t at = find(known, station_id, &found);
        int r = found ? 0 : insert(known, at, station_id);
        struct known_station *station;

        if (r < 0)
                return r;
        station = &known->stations[at];
        snprintf(station->name, sizeof(station->name), "%s", name);
        /* A lower one is right, too: the store may be an older copy. */
        station->delivered.sequence = sequence;
        tell(known, station);
        return 0;
}

void known_heard(struct known *known, const struct delivered *heard)
{
        bool found;
        size_t at = find(known, heard->station_id, &found);

        if (found && heard->sequence < known->stations[at].delivered.sequence)
                tell(known, &known->stations[at]);
}

const struct known_station *known_take(struct known *known)
{
        for (size_t i = 0; known->n_to_be_told > 0 && i < known->n; i++) {
                struct known_station *station = &known->stations[known->next++ % known->n];

                if (!station->is_to_be_told)
                        continue;
                station->is_to_be_told = false;
                known->n_to_be_told--;
                return station;
        }
        return NULL;
}
