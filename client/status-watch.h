/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `espdfuctl status --watch`: the station as it changes. */
#pragma once

#include "client/client.h"
#include "client/status-pick.h"

/* connection: Status was called with "more". Returns an exit code when a signal or the daemon ends it. */
int status_watch(struct connection *connection, bool json, status_pick pick);
