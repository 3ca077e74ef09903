/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/connection.h"

#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "core/messages.h"
#include "daemon/closer.h"
#include "daemon/log.h"

#define READ_SIZE (16 * KIB)

static void forget_answer(struct connection *c)
{
        if (c->asked)
                c->server->ops->forget(c->server->userdata, c);
        c->asked = false;
}

void connection_doom(struct connection *c, const char *why)
{
        if (c->doomed)
                return;
        log_debug("client %ld of user %ld: %s: disconnected", (long)c->peer.pid, (long)c->peer.uid, why);
        c->doomed = true;
        forget_answer(c);
        c->stream = STREAM_NONE;
        c->limit = sd_event_source_disable_unref(c->limit);
        sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
        sd_event_source_set_enabled(c->server->reaper, SD_EVENT_ONESHOT);
}

size_t connection_unsent(const struct connection *c)
{
        return c->out_end - c->out_begin;
}

static void flush(struct connection *c);

/* Doomed, with a last word, as far as the peer takes it at once. */
static void cut_off(struct connection *c, const char *what)
{
        char message[256];

        if (c->doomed)
                return;
        snprintf(message, sizeof(message),
                 "%s: expected calls, JSON objects of at most %u bytes with a NUL behind each, within %u s",
                 what, (unsigned)VARLINK_REQUEST_MAX, (unsigned)(SERVER_CALL_USEC / USEC_PER_SEC));
        connection_error(c, STATION_INTERFACE ".Failed", json_pack("{s:s}", "message", message));
        flush(c);
        connection_doom(c, what);
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void)source, (void)usec;
        cut_off(userdata, "a call that does not end");
        return 0;
}

static void update_limit(struct connection *c, bool pending)
{
        struct server *server = c->server;
        uint64_t span = server->options->call_usec > 0 ? server->options->call_usec : SERVER_CALL_USEC;

        if (c->doomed || pending || c->in.begin == c->in.end) {
                c->limit = sd_event_source_disable_unref(c->limit);
        } else if (!c->limit) {
                int r = sd_event_add_time_relative(server->event, &c->limit, CLOCK_MONOTONIC, span,
                                                   USEC_PER_SEC / 10, on_limit, c);

                if (r >= 0)
                        r = sd_event_source_set_priority(c->limit, SERVER_PRIORITY);
                if (r < 0)
                        connection_doom(c, "out of memory");
        }
}

/* What the peer still has to be asked for, or told. */
static void update_events(struct connection *c)
{
        bool pending = varlink_input_pending(&c->in);
        uint32_t events = 0;

        if (!c->eof && !pending)
                events |= EPOLLIN;
        if (connection_unsent(c) > 0 || (!c->busy && pending) || (c->stream == STREAM_HISTORY && !c->asked))
                events |= EPOLLOUT;
        update_limit(c, pending);
        if (c->eof && !c->busy && !pending && connection_unsent(c) == 0)
                connection_doom(c, "it says no more, and all is answered");
        if (c->doomed || events == c->events)
                return;
        if (sd_event_source_set_io_events(c->io, events) < 0)
                connection_doom(c, "out of memory");
        c->events = events;
}

static int make_room(struct connection *c, size_t size)
{
        size_t more, wanted;
        char *out;

        if (c->out_begin > 0) {
                memmove(c->out, c->out + c->out_begin, c->out_end - c->out_begin);
                c->out_end -= c->out_begin;
                c->out_begin = 0;
        }
        if (c->out_allocated - c->out_end >= size)
                return 0;
        more = MIN(c->out_end, (size_t)SERVER_UNSENT_MAX);
        wanted = c->out_end + MAX(size, more);
        wanted = MIN(c->out_limit, wanted);
        out = realloc(c->out, wanted);
        if (!out)
                return -ENOMEM;
        c->out = out;
        c->out_allocated = wanted;
        return 0;
}

void connection_queue(struct connection *c, const char *text, size_t size)
{
        if (c->doomed || c->gone)
                return;
        if (connection_unsent(c) == 0)
                c->out_limit = size + SERVER_UNSENT_MAX;
        if (connection_unsent(c) + size > c->out_limit) {
                connection_doom(c, "too slow a reader");
                return;
        }
        if (make_room(c, size) < 0) {
                connection_doom(c, "out of memory");
                return;
        }
        memcpy(c->out + c->out_end, text, size);
        c->out_end += size;
        update_events(c);
}

static void call_finished(struct connection *c)
{
        varlink_call_done(&c->call);
        history_filter_done(&c->history.filter);
        history_told(c);
        c->history = (struct history_position){ 0 };
        free(take_ptr(c->cancelled));
        c->stream = STREAM_NONE;
        c->busy = false;
}

void connection_reply_text(struct connection *c, const char *text, size_t size, bool continues)
{
        if (!c->call.oneway)
                connection_queue(c, text, size);
        if (!continues)
                call_finished(c);
}

static void send_reply(struct connection *c, const char *error, json_t *parameters, bool continues)
{
        _cleanup_(freep) char *text = NULL;
        size_t size;

        if (parameters && varlink_reply_encode(error, parameters, continues, &text, &size) == 0) {
                connection_reply_text(c, text, size, continues);
                return;
        }
        connection_doom(c, "out of memory");
        if (!continues)
                call_finished(c);
}

void connection_reply(struct connection *c, json_t *parameters, bool continues)
{
        send_reply(c, NULL, parameters, continues);
}

void connection_error(struct connection *c, const char *error, json_t *parameters)
{
        send_reply(c, error, parameters, false);
}

bool connection_refuse(struct connection *c, struct varlink_arguments *args)
{
        const char *invalid = varlink_args_invalid(args);

        if (invalid)
                connection_error(c, SERVICE_INTERFACE ".InvalidParameter",
                                 json_pack("{s:s}", "parameter", invalid));
        return invalid;
}

void connection_fail(struct connection *c, int r)
{
        connection_error(c, STATION_INTERFACE ".Failed", json_pack("{s:s}", "message", strerror(-r)));
}

static void flush(struct connection *c)
{
        ssize_t n;

        while (!c->gone && connection_unsent(c) > 0) {
                n = send(c->fd, c->out + c->out_begin, connection_unsent(c), MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0)
                        c->gone = true;
                else
                        c->out_begin += (size_t)n;
        }
        /* An idle client keeps no memory. */
        free(c->out);
        c->out = NULL;
        c->out_begin = c->out_end = c->out_allocated = 0;
}

static void fill(struct connection *c)
{
        char data[READ_SIZE];
        bool stays;
        ssize_t n;

        n = passed_receive(c->peer.may_act ? &c->passed : NULL, c->fd, data, sizeof(data), &stays);
        if ((n == -EINTR || n == -EAGAIN) && !c->gone)
                return;
        if (stays)
                server_tell_passed(c->server, &c->peer);
        if (n <= 0 || stays)
                c->eof = true; /* what was said up to here is answered */
        if (n > 0 && varlink_input_feed(&c->in, data, (size_t)n) < 0)
                connection_doom(c, "out of memory");
}

/* The next call, if one is there; another one has its turn when the loop has been round. */
static void next_call(struct connection *c)
{
        const char *text;
        size_t size;
        int r;

        r = varlink_input_next(&c->in, &text, &size);
        if (r == VARLINK_INCOMPLETE) {
                if (c->eof)
                        connection_doom(c, "it has left");
                return;
        }
        if (r == 0)
                r = varlink_call_parse(text, size, &c->call);
        if (r != 0) {
                if (r == -ENOMEM)
                        connection_doom(c, "out of memory");
                else
                        cut_off(c,
                                r == VARLINK_OVERLONG ? "a call that is too long" : "what came is no call");
                return;
        }
        c->limit = sd_event_source_disable_unref(c->limit); /* what is behind it has a time of its own */
        c->busy = true;
        passed_next(&c->passed);
        if (c->call.oneway)
                c->call.more = false;
        methods_dispatch(c);
        passed_drop(&c->passed);
}

static void advance(struct connection *c)
{
        if (c->gone && c->stream != STREAM_NONE)
                connection_doom(c, "it has left");
        if (c->doomed || connection_unsent(c) > 0)
                return;
        if (!c->busy)
                next_call(c);
        else if (c->stream == STREAM_WATCH)
                watch_drained(c);
        else if (c->stream == STREAM_HISTORY)
                history_drained(c);
        if (!c->doomed)
                flush(c);
}

bool connection_has_left(struct connection *c)
{
        struct pollfd pfd = { .fd = c->fd };
        int unread = 0;

        if (!c->doomed && !c->busy && c->in.begin == c->in.end && poll(&pfd, 1, 0) > 0 &&
            pfd.revents & (POLLHUP | POLLERR) && ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0)
                connection_doom(c, "it has left");
        return c->doomed;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct connection *c = userdata;

        (void)source;
        (void)fd;
        if (revents & (EPOLLHUP | EPOLLERR))
                c->gone = true;
        flush(c);
        if (!c->eof && !varlink_input_pending(&c->in) && revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                fill(c);
        advance(c);
        update_events(c);
        return 0;
}

/* Urgent bytes are bytes: else one, and what came with it, is dropped by a recv() of those behind it. And nothing comes beside
 * bytes but descriptors (a socket of systemd's may have more set), for that something came is how they are known. */
static void prepare_socket(int fd)
{
        static const struct {
                int option, value;
        } options[] = {
                { SO_OOBINLINE, 1 },
                { SO_PASSCRED, 0 },
                { SO_PASSSEC, 0 },
#ifdef SO_PASSPIDFD
                { SO_PASSPIDFD, 0 },
#endif
        };

        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                (void)setsockopt(fd, SOL_SOCKET, options[i].option, &options[i].value,
                                 sizeof(options[i].value));
}

int connection_new(struct server *server, int fd, const struct server_peer *peer, struct connection **ret)
{
        struct connection *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        prepare_socket(fd);
        *c = (struct connection){
                .server = server,
                .fd = -EBADF,
                .peer = *peer,
                .passed.fd = -EBADF,
                .in.limit = VARLINK_REQUEST_MAX,
                .events = EPOLLIN,
        };
        r = sd_event_add_io(server->event, &c->io, fd, c->events, on_io, c);
        if (r >= 0)
                r = sd_event_source_set_priority(c->io, SERVER_PRIORITY);
        if (r < 0) {
                connection_free(c);
                return r;
        }
        c->fd = fd;
        *ret = c;
        return 0;
}

/* What is unread may have descriptors beside it. It counts on while it hangs: else who makes it hang has no bound. */
static void close_socket(struct connection *c)
{
        int unread = 0;

        if (shutdown(c->fd, SHUT_RDWR) == 0 && ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0)
                closer_close(c->fd);
        else
                closer_close_for(c->fd, c->peer.uid, server_rank(&c->peer));
}

void connection_free(struct connection *c)
{
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->limit);
        forget_answer(c);
        call_finished(c);
        varlink_input_done(&c->in);
        passed_done(&c->passed);
        free(c->out);
        if (c->fd >= 0)
                close_socket(c);
        free(c);
}
