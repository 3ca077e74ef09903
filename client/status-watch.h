/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `espdfuctl status --watch`: the station as it changes. */
#pragma once

#include "client/client.h"
#include "client/table.h"

/* Puts a change into station: replaces, appends, removes. Takes what it needs out of update. 0 or -ENOMEM. */
int status_apply(struct station_status *station, struct status_update *update);

/* Whether a line is due for the change from before (NULL: a new slot) to after: another phase, attempt, board, policy or
 * text; progress alone is none. */
bool status_is_event(const struct slot_status *before, const struct slot_status *after);

/* connection: Status was called with "more". Returns an exit code when a signal or the daemon ends it. */
int status_watch(struct connection *connection, bool json);
