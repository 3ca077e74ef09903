/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /events: the station live, as server-sent events (HTML, "Server-sent events"). Each "data:" is one line of JSON, what is new
 * to this reader. Without news there is a beat every few seconds, by which the page knows that it is still heard.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "io/clock.h"
#include "web/http.h"

#define BEAT    (5 * USEC_PER_SEC)
#define SPACING (100 * USEC_PER_MSEC) /* at most ten a second, whatever happens on the line */

struct events {
        struct view_reader *reader;
        int socket;
        uint64_t last_usec; /* when the last event was taken */
        char *text;         /* being sent; NULL: none */
        size_t size, sent;
};

static void wait_for_spacing(const struct events *e)
{
        uint64_t now = monotonic_usec(), then = e->last_usec + SPACING;
        struct timespec ts = { .tv_nsec = (long)((then - now) * 1000) };

        if (e->last_usec > 0 && now < then)
                nanosleep(&ts, NULL);
}

/* The next event into e->text. 0, or what a content reader returns at the end. */
static ssize_t next_event(struct events *e)
{
        _cleanup_(freep) char *news = NULL;
        int r, n;

        wait_for_spacing(e);
        r = view_next(e->reader, e->socket, BEAT, &news);
        if (r == VIEW_NO_NEWS)
                n = asprintf(&e->text, "event: beat\ndata: 1\n\n");
        else if (r == 0)
                n = asprintf(&e->text, "%sdata: %s\n\n", e->last_usec == 0 ? "retry: 1000\n" : "", news);
        else
                return r == VIEW_ENDED ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
        if (n < 0) {
                e->text = NULL;
                return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        e->last_usec = monotonic_usec();
        e->size = (size_t)n;
        e->sent = 0;
        return 0;
}

static ssize_t read_events(void *userdata, uint64_t position, char *buffer, size_t size)
{
        struct events *e = userdata;
        ssize_t r = e->text ? 0 : next_event(e);
        size_t n;

        (void)position;
        if (r != 0)
                return r;
        n = MIN(size, e->size - e->sent);
        memcpy(buffer, e->text + e->sent, n);
        e->sent += n;
        if (e->sent == e->size)
                free(take_ptr(e->text));
        return (ssize_t)n;
}

static void events_done(void *userdata)
{
        struct events *e = userdata;

        if (e->reader)
                view_reader_free(e->reader);
        free(e->text);
        free(e);
}

enum MHD_Result events_answer(struct web *web, struct MHD_Connection *connection)
{
        struct events *e = calloc(1, sizeof(*e));
        struct MHD_Response *response;

        if (!e)
                return MHD_NO;
        e->socket = http_socket(connection);
        if (view_reader_new(web->view, &e->reader) < 0) {
                events_done(e);
                return MHD_NO;
        }
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_events, e, events_done);
        if (!response) {
                events_done(e);
                return MHD_NO;
        }
        MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, web->timeout_sec);
        return http_send(connection, MHD_HTTP_OK, "text/event-stream; charset=utf-8", response);
}
