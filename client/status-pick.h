/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Of all slots those that somebody named: by name, port path or ID_PATH. */
#pragma once

#include <jansson.h>

#include "core/status.h"

/* NULL-terminated, borrowed; NULL or empty: all slots. */
typedef char *const *status_pick;

/* Whether one is meant that is called so; port and path may be NULL. */
bool status_pick_has(status_pick pick, const char *slot, const char *port, const char *path);
bool status_is_picked(status_pick pick, const struct slot_status *slot);
/* Takes all other slots out. */
void status_keep_picked(struct station_status *station, status_pick pick);
/* The same with a message of Status as it came. */
void status_keep_picked_json(json_t *parameters, status_pick pick);
/* Says that there is none; returns EXIT_FAILED. */
int status_no_such_slot(const char *where);
/* The first that no slot of the station is called, or NULL. */
const char *status_pick_missing(status_pick pick, const struct station_status *station);
