/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "web/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

#define NAME_MAX_ 255

/* "name:80", "[::1]:80" -> name, without brackets. False if it is neither. */
static bool split_host(const char *host, char name[static NAME_MAX_ + 1])
{
        const char *begin = host, *end, *rest;

        if (*host == '[') {
                begin = host + 1;
                end = strchr(begin, ']');
                rest = end ? end + 1 : "";
        } else {
                end = rest = host + strcspn(host, ":");
        }
        if (!end || end == begin || (size_t)(end - begin) > NAME_MAX_)
                return false;
        if (*rest && (*rest != ':' || strlen(rest) > 6 || rest[1 + strspn(rest + 1, "0123456789")]))
                return false;
        memcpy(name, begin, (size_t)(end - begin));
        name[end - begin] = '\0';
        return true;
}

static bool is_loopback(const char *name)
{
        struct in_addr v4;
        struct in6_addr v6;

        if (inet_pton(AF_INET, name, &v4) == 1)
                return ntohl(v4.s_addr) >> 24 == 127;
        if (inet_pton(AF_INET6, name, &v6) == 1)
                return IN6_IS_ADDR_LOOPBACK(&v6);
        return strcasecmp(name, "localhost") == 0;
}

/* A socket for both families tells an IPv4 address as ::ffff:192.0.2.1. */
static bool is_address(const char *name, const struct sockaddr *local)
{
        const struct in6_addr *v6 = local && local->sa_family == AF_INET6
                                            ? &((const struct sockaddr_in6 *)(const void *)local)->sin6_addr
                                            : NULL;
        const struct in_addr *v4 = local && local->sa_family == AF_INET
                                           ? &((const struct sockaddr_in *)(const void *)local)->sin_addr
                                           : NULL;
        struct in6_addr asked6;
        struct in_addr asked4;

        if (inet_pton(AF_INET, name, &asked4) == 1)
                return (v4 && asked4.s_addr == v4->s_addr) ||
                       (v6 && IN6_IS_ADDR_V4MAPPED(v6) && memcmp(&v6->s6_addr[12], &asked4, 4) == 0);
        return v6 && inet_pton(AF_INET6, name, &asked6) == 1 && memcmp(&asked6, v6, sizeof(asked6)) == 0;
}

static bool is_ours(const struct guard *guard, const char *host, const struct sockaddr *local, bool *ret_here)
{
        char name[NAME_MAX_ + 1];

        if (!split_host(host, name))
                return false;
        *ret_here = is_loopback(name);
        for (size_t i = 0; i < guard->n_names; i++)
                if (strcasecmp(guard->names[i], name) == 0)
                        return true;
        return *ret_here || is_address(name, local);
}

/* "http://HOST", and https where something before us speaks that; url may go on with a path. */
static bool is_of_origin(const char *url, const char *host)
{
        const char *its;

        if (!str_has_prefix(url, "http://") && !str_has_prefix(url, "https://"))
                return false;
        its = strstr(url, "//") + 2;
        return strcspn(its, "/?#") == strlen(host) && strncasecmp(its, host, strlen(host)) == 0;
}

/*
 * Whether it is known where what tells of the station was asked from. Browsers say so themselves (Sec-Fetch-Site, of which the
 * value has been looked at) by https and on this machine's own names; by plain http only Referer says so, which other sites can
 * leave out, and never choose. Who asks on this machine without either is no browser.
 */
static bool is_from_our_page(const struct guard_request *request, bool here)
{
        if (request->fetch_site || request->origin)
                return true;
        return request->referer ? is_of_origin(request->referer, request->host) : here;
}

/* Somebody followed a link to the page: whoever wrote that learns nothing. */
static bool is_link_to_page(const struct guard_request *request)
{
        return request->is_page && streq_ptr(request->fetch_mode, "navigate") &&
               streq_ptr(request->fetch_dest, "document");
}

const char *guard_refuses(const struct guard *guard, const struct guard_request *request)
{
        bool here = false;

        if (!request->host || !is_ours(guard, request->host, request->local, &here))
                return "this name is not known here: expected localhost, the address that espdfu-web listens "
                       "on, or "
                       "a name that it was told with --allow-host";
        if (request->origin && !is_of_origin(request->origin, request->host))
                return "asked from another origin: expected the station's own page";
        if (request->fetch_site && !streq(request->fetch_site, "same-origin") &&
            !streq(request->fetch_site, "none") && !is_link_to_page(request))
                return "asked from another site: expected the station's own page";
        if (request->is_telling && !is_from_our_page(request, here))
                return "asked from another site, or by a browser that does not say from where: expected the "
                       "station's own page, which has it send Referer (curl: --referer http://HOST/)";
        return NULL;
}

bool guard_is_name(const char *name)
{
        struct in6_addr v6;
        size_t n = strlen(name);

        if (inet_pton(AF_INET6, name, &v6) == 1)
                return true;
        return n > 0 && n <= NAME_MAX_ &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == n;
}
