/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is common to all calls of the daemon: limits, and what went wrong, in words for a screen and the journal. */
#pragma once

#include "io/connection.h"

#define DAEMON_CONNECT_MAX (5 * USEC_PER_SEC)

/* What an error is: -EUSERS: the daemon has no place; -EPROTO: none that is expected. */
int daemon_refused(const struct varlink_reply *reply);

/* r: of connection_*(), of daemon_refused(), or -EPROTO for a reply that is not what the interface says. One line into why. */
void daemon_trouble(const char *socket, int r, char *why, size_t size);
