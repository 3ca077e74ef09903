/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "web/http.h"

#include <stdio.h>

#include "core/text.h"
#include "web/visitors.h"

/* Seconds without a byte, until it is known what is asked for; and in all twice as many. */
#define REQUEST_TIMEOUT 10
#define RETRY_AFTER     "1" /* seconds */

/* The files of this directory, as they are. */
static const char page_html[] =
#include "web/page.html.inc"
        ;
static const char page_css[] =
#include "web/page.css.inc"
        ;
static const char page_js[] =
#include "web/page.js.inc"
        ;
static const char icon_svg[] =
#include "web/icon.svg.inc"
        ;

static const struct route {
        const char *path;
        const char *content, *type;
        enum MHD_Result (*answer)(struct web *web,
                                  struct MHD_Connection *connection); /* instead of content; NULL: that */
} routes[] = {
        { "/", page_html, "text/html; charset=utf-8", NULL },
        { "/page.css", page_css, "text/css; charset=utf-8", NULL },
        { "/page.js", page_js, "text/javascript; charset=utf-8", NULL },
        { "/icon.svg", icon_svg, "image/svg+xml", NULL },
        { "/events", "", "text/event-stream; charset=utf-8", events_answer },
        { "/history", "", "application/json", history_answer },
        { "/history.csv", "", "text/csv; charset=utf-8", history_csv_answer },
};

/* Nothing but our own files is run, shown or asked; nobody frames the page; nothing stays in a cache. */
static const char *const headers[][2] = {
        { "Content-Security-Policy",
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
          "form-action 'self'; base-uri 'none'; frame-ancestors 'none'" },
        { "X-Content-Type-Options", "nosniff" },
        { "Referrer-Policy", "same-origin" }, /* by which guard.c knows our own page */
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
        { "Cache-Control", "no-store" },
};

/* ---- answers ---- */

enum MHD_Result http_send(struct MHD_Connection *connection, unsigned status, const char *type,
                          struct MHD_Response *response)
{
        enum MHD_Result r = response ? MHD_add_response_header(response, "Content-Type", type) : MHD_NO;

        for (size_t i = 0; r == MHD_YES && i < ARRAY_SIZE(headers); i++)
                r = MHD_add_response_header(response, headers[i][0], headers[i][1]);
        if (r == MHD_YES && status == MHD_HTTP_METHOD_NOT_ALLOWED)
                r = MHD_add_response_header(response, "Allow", "GET, HEAD");
        if (r == MHD_YES && status == MHD_HTTP_SERVICE_UNAVAILABLE)
                r = MHD_add_response_header(response, "Connection", "close");
        if (r == MHD_YES && status == MHD_HTTP_SERVICE_UNAVAILABLE)
                r = MHD_add_response_header(response, "Retry-After", RETRY_AFTER);
        if (r == MHD_YES)
                r = MHD_queue_response(connection, status, response);
        if (response)
                MHD_destroy_response(response);
        return r;
}

enum MHD_Result http_say(struct MHD_Connection *connection, unsigned status, const char *text)
{
        _cleanup_(freep) char *escaped = text_escape(text);
        char *line;
        int n = escaped ? asprintf(&line, "%s\n", escaped) : -1;

        if (n < 0)
                return MHD_NO;
        return http_send(connection, status, "text/plain; charset=utf-8",
                         MHD_create_response_from_buffer((size_t)n, line, MHD_RESPMEM_MUST_FREE));
}

int http_socket(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                       MHD_CONNECTION_INFO_CONNECTION_FD);

        return info ? info->connect_fd : -EBADF;
}

static enum MHD_Result send_file(struct MHD_Connection *connection, const struct route *route)
{
        return http_send(connection, MHD_HTTP_OK, route->type,
                         MHD_create_response_from_buffer(strlen(route->content),
                                                         (void *)(uintptr_t)route->content,
                                                         MHD_RESPMEM_PERSISTENT));
}

/* ---- requests ---- */

static const char *header(struct MHD_Connection *connection, const char *name)
{
        return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static const struct route *find_route(const char *path)
{
        for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
                if (streq(routes[i].path, path))
                        return &routes[i];
        return NULL;
}

/* route: NULL, there is none. */
static const char *refuses(const struct web *web, struct MHD_Connection *connection,
                           const struct route *route)
{
        struct sockaddr_storage local = { 0 };
        socklen_t size = sizeof(local);
        struct guard_request request = {
                .host = header(connection, "Host"),
                .origin = header(connection, "Origin"),
                .referer = header(connection, "Referer"),
                .fetch_site = header(connection, "Sec-Fetch-Site"),
                .fetch_mode = header(connection, "Sec-Fetch-Mode"),
                .fetch_dest = header(connection, "Sec-Fetch-Dest"),
                .local = (struct sockaddr *)&local,
                .is_page = route && streq(route->path, "/"),
                .is_telling = route && route->answer,
        };

        if (getsockname(http_socket(connection), (struct sockaddr *)&local, &size) < 0)
                request.local = NULL;
        return guard_refuses(&web->guard, &request);
}

static bool may_pass(struct MHD_Connection *connection, const char *method)
{
        const char *length = header(connection, "Content-Length");

        return (streq(method, "GET") || streq(method, "HEAD")) && (!length || streq(length, "0")) &&
               !header(connection, "Transfer-Encoding");
}

static enum MHD_Result answer(struct web *web, struct MHD_Connection *connection, const char *path,
                              const char *method)
{
        const char *why = visitors_refuse(web->visitors, connection);
        const struct route *route = find_route(path);

        if (why)
                return http_say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, why);
        why = refuses(web, connection, route);
        if (why)
                return http_say(connection, MHD_HTTP_FORBIDDEN, why);
        if (!streq(method, "GET") && !streq(method, "HEAD"))
                return http_say(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                                "expected GET or HEAD: this page shows, it changes nothing");
        if (!may_pass(connection, method))
                return http_say(connection, MHD_HTTP_CONTENT_TOO_LARGE, "expected a request without a body");
        if (!route)
                return http_say(connection, MHD_HTTP_NOT_FOUND, "no such page: expected /");
        /* Of what is made as it is asked for, HEAD has the type alone. */
        return route->answer && streq(method, "GET") ? route->answer(web, connection)
                                                     : send_file(connection, route);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **seen)
{
        static char has_been_here;
        struct web *web = userdata;

        (void)version;
        (void)data;
        (void)size;
        if (!*seen)
                visitors_asked(web->visitors, connection);
        /* The first call is before the body. Answered then, the connection is closed behind it, and nothing more is read. */
        if (!*seen && may_pass(connection, method)) {
                *seen = &has_been_here;
                return MHD_YES;
        }
        return answer(web, connection, path, method);
}

int http_start(struct web *web, int listening)
{
        unsigned silence_sec = MIN(web->timeout_sec, (unsigned)REQUEST_TIMEOUT);
        int r = visitors_new(HTTP_CONNECTIONS_MAX, web->per_address, 2 * silence_sec * USEC_PER_SEC,
                             &web->visitors);

        if (r < 0)
                return r;
        web->http = MHD_start_daemon(
                MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL,
                on_request, web, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listening, MHD_OPTION_CONNECTION_LIMIT,
                (unsigned)HTTP_CONNECTIONS_MAX + VISITORS_OVER, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                web->per_address + VISITORS_OVER, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                (size_t)HTTP_REQUEST_MAX, MHD_OPTION_CONNECTION_TIMEOUT, silence_sec,
                MHD_OPTION_THREAD_STACK_SIZE, (size_t)HTTP_THREAD_STACK, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                MHD_OPTION_NOTIFY_CONNECTION, visitors_connection, web->visitors, MHD_OPTION_NOTIFY_COMPLETED,
                visitors_answered, web->visitors, MHD_OPTION_END);
        if (web->http)
                return 0;
        web->visitors = visitors_free(web->visitors);
        return -EIO;
}

void http_stop(struct web *web)
{
        MHD_stop_daemon(web->http);
        web->http = NULL;
        web->visitors = visitors_free(web->visitors);
}
