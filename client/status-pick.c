/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/status-pick.h"

#include "client/say.h"
#include "show/exit.h"

static bool is_called(const char *where, const char *slot, const char *port, const char *path)
{
        return streq_ptr(slot, where) || streq_ptr(port, where) || streq_ptr(path, where);
}

bool status_pick_has(status_pick pick, const char *slot, const char *port, const char *path)
{
        if (!pick || !*pick)
                return true;
        for (; *pick; pick++)
                if (is_called(*pick, slot, port, path))
                        return true;
        return false;
}

bool status_is_picked(status_pick pick, const struct slot_status *slot)
{
        return status_pick_has(pick, slot->slot, slot->port, slot->path);
}

void status_keep_picked(struct station_status *station, status_pick pick)
{
        size_t kept = 0;

        for (size_t i = 0; i < station->n_slots; i++) {
                if (status_is_picked(pick, &station->slots[i]))
                        station->slots[kept++] = station->slots[i];
                else
                        slot_status_done(&station->slots[i]);
        }
        station->n_slots = kept;
}

void status_keep_picked_json(json_t *parameters, status_pick pick)
{
        json_t *slots = json_object_get(parameters, "slots");

        for (size_t i = json_array_size(slots); i > 0; i--) {
                const json_t *slot = json_array_get(slots, i - 1);

                if (!status_pick_has(pick, json_string_value(json_object_get(slot, "slot")),
                                     json_string_value(json_object_get(slot, "port")),
                                     json_string_value(json_object_get(slot, "path"))))
                        json_array_remove(slots, i - 1);
        }
}

const char *status_pick_missing(status_pick pick, const struct station_status *station)
{
        for (; pick && *pick; pick++) {
                bool found = false;

                for (size_t i = 0; i < station->n_slots && !found; i++)
                        found = is_called(*pick, station->slots[i].slot, station->slots[i].port,
                                          station->slots[i].path);
                if (!found)
                        return *pick;
        }
        return NULL;
}

int status_no_such_slot(const char *where)
{
        client_error("%s: no slot has this name, port or path: see espdfuctl status", where);
        return EXIT_FAILED;
}
