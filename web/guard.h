/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may ask: the page alone, under a name that is ours. Pure.
 *
 * A site that a browser on the line has open must learn nothing of the station, neither by asking from its own origin, nor by
 * having its own name point at our address (DNS rebinding). So the Host must be a name of this machine's loopback, the very
 * address that was connected to, or a name that the administrator allowed; and a request that says that it comes from elsewhere
 * is refused, but for a link to the page itself. What tells of the station goes only to who says that it comes from our page,
 * or asks from this machine.
 */
#pragma once

#include <sys/socket.h>

#include "core/util.h"

#define GUARD_NAMES_MAX 16

struct guard {
        const char *names[GUARD_NAMES_MAX]; /* borrowed; compared without case */
        size_t n_names;
};

/* Of a request's header; NULL: it is not there. */
struct guard_request {
        const char *host, *origin, *referer, *fetch_site, *fetch_mode, *fetch_dest;
        const struct sockaddr *local; /* the address that was connected to */
        bool is_page;                 /* it asks for the page itself */
        bool is_telling; /* it asks for what tells of the station; else for a file that is everybody's */
};

/* NULL: it may pass; else why not, what was expected, in one line. */
const char *guard_refuses(const struct guard *guard, const struct guard_request *request);
/* Whether it can stand in guard.names: a host's name or address, without a port. */
bool guard_is_name(const char *name);
