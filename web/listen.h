/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the page is: "127.0.0.1:8303", "[::1]:8303", "192.0.2.5:80"; numbers alone, for a name may change what it means. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "core/util.h"

#define LISTEN_DEFAULT  "127.0.0.1:8303"
#define LISTEN_EXPECTED "expected ADDRESS:PORT, 127.0.0.1:8303 or [::1]:8303"
#define LISTEN_TEXT_MAX (INET6_ADDRSTRLEN + 8)

struct listen_address {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } u;
        socklen_t size;
};

/* 0, or -EINVAL. Port 0: any that is free. */
int listen_address_parse(const char *text, struct listen_address *ret);
/* As it is written. */
void listen_address_print(const struct listen_address *address, char text[static LISTEN_TEXT_MAX]);
/* A socket that listens there, and *address with the port that it has got; or -errno. */
int listen_open(struct listen_address *address);
