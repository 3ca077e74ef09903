/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `espdfuctl status --watch`: the station as it changes. */
#pragma once

#include "client/client.h"
#include "client/status-pick.h"

/* Returns an exit code when a signal, a key or its reader ends it, or there was no daemon to begin with. */
int status_watch(bool json, status_pick pick);
