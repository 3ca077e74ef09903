/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of slots, and its bound: a port that is empty gives its place to one where a board comes. */
#include "daemon/station-internal.h"

#include <stdio.h>

#include "daemon/log.h"

static struct slot *slot_at(struct station *station, const char *path, const char *port)
{
        for (size_t i = 0; i < station->n_slots; i++)
                if (slot_is_at(station->slots[i], path, port))
                        return station->slots[i];
        return NULL;
}

int station_add_slot(struct station *station, const char *name, const char *path, const char *port,
                     struct slot **ret)
{
        struct slot **slots;
        int r;

        if (station->n_slots >= SLOTS_MAX)
                return -ENOBUFS;
        if (station->n_slots == station->slots_room) {
                slots = reallocarray(station->slots, station->n_slots + 1, sizeof(struct slot *));
                if (!slots)
                        return -ENOMEM;
                station->slots = slots;
                station->slots_room = station->n_slots + 1;
        }
        r = slot_new(&station->world, name, path, port, &station->slots[station->n_slots]);
        if (r < 0)
                return r;
        *ret = station->slots[station->n_slots++];
        return 0;
}

/* ---- the bound ---- */

/* What the configuration names, and what people hold, is there to be seen. */
static bool may_go(const struct station *station, const struct slot *slot, bool with_failure)
{
        return slot_is_spare(slot, with_failure) &&
               !holds_of_port(&station->holds, slot_path(slot), slot_port(slot)) &&
               !config_slot_for(station->config, slot_path(slot), slot_port(slot));
}

/* The one that is empty for the longest time; n_slots: none. */
static size_t find_spare(const struct station *station, bool with_failure)
{
        size_t found = station->n_slots;

        for (size_t i = 0; i < station->n_slots; i++)
                if (may_go(station, station->slots[i], with_failure) &&
                    (found == station->n_slots ||
                     slot_left_usec(station->slots[i]) < slot_left_usec(station->slots[found])))
                        found = i;
        return found;
}

static void take_away(struct station *station, size_t i)
{
        slot_free(station->slots[i]);
        station->n_slots--;
        memmove(&station->slots[i], &station->slots[i + 1], (station->n_slots - i) * sizeof(struct slot *));
}

/* Some at a time, for those who watch get the whole station again after it. Failures to be seen go last. */
static bool make_room(struct station *station)
{
        size_t n = 0, i;

        while (n < SLOTS_GO && (i = find_spare(station, false)) < station->n_slots) {
                take_away(station, i);
                n++;
        }
        if (n == 0 && (i = find_spare(station, true)) < station->n_slots) {
                take_away(station, i);
                n++;
        }
        if (n == 0)
                return false;
        log_notice("%zu empty port%s not shown any more: boards were seen on more than %d", n,
                   n == 1 ? " is" : "s are", SLOTS_MAX);
        server_changed(station->server);
        return true;
}

/* ---- boards that no slot is left for ---- */

/* Without memory for it the journal alone says so. */
static void note_left_alone(struct station *station, const char *port)
{
        char **place = &station->left_alone[station->n_left_alone++ % ARRAY_SIZE(station->left_alone)];

        (void)free_and_strdup(place, port);
}

bool station_leaves_alone(const struct station *station, const char *port)
{
        for (size_t i = 0; i < ARRAY_SIZE(station->left_alone); i++)
                if (streq_ptr(station->left_alone[i], port))
                        return true;
        return false;
}

void station_forget_left_alone(struct station *station, const char *port)
{
        for (size_t i = 0; i < ARRAY_SIZE(station->left_alone); i++)
                if (!port || streq_ptr(station->left_alone[i], port))
                        free(take_ptr(station->left_alone[i]));
}

/* The slot of a port that the configuration does not name is called as the port. */
int station_slot_for_board(struct station *station, const struct board *board, struct slot **ret)
{
        struct slot *slot = slot_at(station, board->path, board->port);

        station_forget_left_alone(station, board->port);
        if (slot) {
                *ret = slot;
                return 0;
        }
        if (station->n_slots >= SLOTS_MAX && !make_room(station)) {
                note_left_alone(station, board->port);
                return -ENOBUFS;
        }
        return station_add_slot(station, board->port, board->path, board->port, ret);
}
