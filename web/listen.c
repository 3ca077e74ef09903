/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "web/listen.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#define BACKLOG  32
#define SEND_MAX (64 * KIB) /* what the kernel keeps for a browser that does not read */

static int parse_port(const char *text, in_port_t *ret)
{
        char *end;
        unsigned long port;

        if (strspn(text, "0123456789") != strlen(text) || !*text || strlen(text) > 5)
                return -EINVAL;
        port = strtoul(text, &end, 10);
        if (port > UINT16_MAX)
                return -EINVAL;
        *ret = htons((uint16_t)port);
        return 0;
}

int listen_address_parse(const char *text, struct listen_address *ret)
{
        struct listen_address address = { 0 };
        const char *colon = strrchr(text, ':');
        char host[INET6_ADDRSTRLEN + 2] = "";
        size_t n = colon ? (size_t)(colon - text) : 0;
        in_port_t port;

        if (n == 0 || n >= sizeof(host) || parse_port(colon + 1, &port) < 0)
                return -EINVAL;
        memcpy(host, text, n);
        if (host[0] == '[' && host[n - 1] == ']') {
                host[n - 1] = '\0';
                address.u.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
                address.size = sizeof(address.u.v6);
                if (inet_pton(AF_INET6, host + 1, &address.u.v6.sin6_addr) != 1)
                        return -EINVAL;
        } else {
                address.u.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
                address.size = sizeof(address.u.v4);
                if (inet_pton(AF_INET, host, &address.u.v4.sin_addr) != 1)
                        return -EINVAL;
        }
        *ret = address;
        return 0;
}

void listen_address_print(const struct listen_address *address, char text[static LISTEN_TEXT_MAX])
{
        bool v6 = address->u.any.sa_family == AF_INET6;
        char host[INET6_ADDRSTRLEN] = "?";

        inet_ntop(address->u.any.sa_family,
                  v6 ? (const void *)&address->u.v6.sin6_addr : &address->u.v4.sin_addr, host, sizeof(host));
        snprintf(text, LISTEN_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", host,
                 ntohs(v6 ? address->u.v6.sin6_port : address->u.v4.sin_port));
}

int listen_open(struct listen_address *address)
{
        const int yes = 1, send_max = SEND_MAX;
        int fd = socket(address->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_max, sizeof(send_max)) < 0 ||
            bind(fd, &address->u.any, address->size) < 0 || listen(fd, BACKLOG) < 0 ||
            getsockname(fd, &address->u.any, &address->size) < 0) {
                r = -errno;
                close(fd);
                return r;
        }
        return fd;
}
