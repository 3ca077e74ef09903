/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is connected, from which address, and since when it is asked for nothing yet. One that comes when its address, or the
 * page, has as many as there may be gets its connection all the same, so that it can be told, and is served nothing else. One
 * that does not end its request in time is hung up by a thread of ours: libmicrohttpd has a limit for silence alone.
 */
#pragma once

#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "core/util.h"

/* Connections that are there to be told that there are too many; more are closed without a word. */
#define VISITORS_OVER 8

/* Whom a connection from there is counted for: an IPv4 address as ::ffff:192.0.2.1, be it told so or not; of an IPv6 address
 * its /64, of which one machine may have every address. */
static inline struct in6_addr visitors_party(const struct sockaddr *from)
{
        struct in6_addr party = { 0 };

        if (from->sa_family == AF_INET6) {
                party = ((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
                if (!IN6_IS_ADDR_V4MAPPED(&party))
                        memset(&party.s6_addr[8], 0, 8);
                return party;
        }
        party.s6_addr[10] = party.s6_addr[11] = 0xff;
        memcpy(&party.s6_addr[12], &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
        return party;
}

struct visitors;

/* At most `all` connections are served, per_address of one address; a request has request_usec, from the connection's begin, or
 * from the answer before it. */
int visitors_new(unsigned all, unsigned per_address, uint64_t request_usec, struct visitors **ret);
/* Behind MHD_stop_daemon(). */
struct visitors *visitors_free(struct visitors *visitors);
DEFINE_CLEANUP(struct visitors, visitors_free)

/* For MHD_OPTION_NOTIFY_CONNECTION and MHD_OPTION_NOTIFY_COMPLETED; userdata is the visitors. */
void visitors_connection(void *userdata, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode what);
void visitors_answered(void *userdata, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode how);

/* The request has come: its time is over no more. */
void visitors_asked(struct visitors *visitors, struct MHD_Connection *connection);
/* While it is answered: it is hung up then, unless this is told again. */
void visitors_limit(struct visitors *visitors, struct MHD_Connection *connection, uint64_t deadline_usec);
/* Whom it is counted for. */
struct in6_addr visitors_from(struct MHD_Connection *connection);
/* Why it is served nothing, or NULL. */
const char *visitors_refuse(struct visitors *visitors, struct MHD_Connection *connection);
