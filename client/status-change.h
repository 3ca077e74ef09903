/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A watcher's picture of the station, and how a change is put into it. */
#pragma once

#include "core/status.h"

/* NULL if there is none of that name. */
struct slot_status *status_find(struct station_status *station, const char *name);

/* Puts a change into station: replaces, appends, removes. Takes what it needs out of update. 0 or -ENOMEM. */
int status_apply(struct station_status *station, struct status_update *update);

/* Whether there is no slot of this name any more, after an update; of one that is whole, what is not in it is gone. */
bool status_says_gone(const struct status_update *update, const char *name);

/* Whether a line is due for the change from before (NULL: a new slot) to after: another phase, attempt, board, policy or
 * text; progress alone is none. */
bool status_is_event(const struct slot_status *before, const struct slot_status *after);
