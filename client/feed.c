/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/feed.h"

#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "client/remote.h"
#include "io/clock.h"
#include "io/poll.h"

#define RETRY_FIRST   (100 * USEC_PER_MSEC)
#define RETRY_LAST    (5 * USEC_PER_SEC)
#define MESSAGE_LIMIT (10 * USEC_PER_SEC) /* from a message's first bytes to its last */
#define CALL_TIMEOUT  USEC_PER_SEC        /* of a call that is made again */

struct feed {
        struct connection *connection; /* NULL: none */
        bool heard;                    /* a message came, ever */
        bool gone;                     /* FEED_GONE was said, and nothing came since */
        uint64_t message_until;        /* a message has begun; 0: none */
        uint64_t retry_at, retry_span; /* while there is no connection */
        int directory; /* inotify of the socket's directory, while there is no connection, or -EBADF */
        char trouble[256];
};

int feed_open(struct feed **ret)
{
        _cleanup_(feed_freep) struct feed *feed = calloc(1, sizeof(*feed));
        int r;

        if (!feed)
                return client_misread(-ENOMEM);
        feed->directory = -EBADF;
        feed->retry_span = RETRY_FIRST;
        r = client_call(STATION_INTERFACE ".Status", NULL, true, &feed->connection);
        if (r != EXIT_DONE)
                return r;
        *ret = take_ptr(feed);
        return EXIT_DONE;
}

static void hang_up(struct feed *feed)
{
        if (feed->connection)
                connection_close(take_ptr(feed->connection));
        feed->message_until = 0;
}

static void forget_directory(struct feed *feed)
{
        if (feed->directory >= 0)
                close(take_fd(&feed->directory));
}

struct feed *feed_free(struct feed *feed)
{
        hang_up(feed);
        forget_directory(feed);
        free(feed);
        return NULL;
}

const char *feed_trouble(const struct feed *feed)
{
        return feed->trouble;
}

bool feed_has_reply(const struct feed *feed)
{
        return feed->connection && connection_has_reply(feed->connection);
}

/* ---- the daemon is away ---- */

/* What stands in the way of a socket, from then on, is told by its directory; where that cannot be, only time helps. */
static void watch_directory(struct feed *feed)
{
        char path[PATH_MAX];
        char *slash;

        if (feed->directory >= 0 || client_host ||
            (size_t)snprintf(path, sizeof(path), "%s", client_socket) >= sizeof(path))
                return;
        slash = strrchr(path, '/');
        if (slash)
                slash[slash == path] = '\0';
        feed->directory = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (feed->directory >= 0 && inotify_add_watch(feed->directory, slash ? path : ".",
                                                      IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR) < 0)
                forget_directory(feed);
}

/* Whether the socket is among what the directory tells of. A directory that goes is looked for at the next try. */
static bool socket_appeared(struct feed *feed)
{
        char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        const char *slash = strrchr(client_socket, '/'), *name = slash ? slash + 1 : client_socket;
        bool appeared = false, lost = false;
        ssize_t size;

        while ((size = read(feed->directory, buffer, sizeof(buffer))) > 0)
                for (char *p = buffer; p < buffer + size;) {
                        const struct inotify_event *event = (const void *)p;

                        appeared = appeared || (event->len > 0 && streq(event->name, name));
                        lost = lost || (event->mask & IN_IGNORED);
                        p += sizeof(*event) + event->len;
                }
        if (lost)
                forget_directory(feed);
        if (appeared) /* it may not be listened on yet */
                feed->retry_span = RETRY_FIRST;
        return appeared;
}

/* FEED_GONE the first time, else 0: the next try waits for its time. */
static int lose(struct feed *feed, const char *why)
{
        bool was_gone = feed->gone;

        hang_up(feed);
        snprintf(feed->trouble, sizeof(feed->trouble), "%s", why);
        feed->retry_at = monotonic_usec() + feed->retry_span;
        feed->retry_span = MIN(2 * feed->retry_span, RETRY_LAST);
        watch_directory(feed);
        feed->gone = true;
        return was_gone ? 0 : FEED_GONE;
}

static void try_again(struct feed *feed)
{
        struct connection *c = NULL;
        int r = client_connect(CALL_TIMEOUT, true, &c);

        if (r == 0) {
                r = connection_send(c, STATION_INTERFACE ".Status", NULL, true);
                if (r != 0)
                        connection_close(take_ptr(c));
        }
        if (r != 0) {
                lose(feed, r < 0 ? strerror(-r) : "it hung up");
                return;
        }
        forget_directory(feed);
        feed->connection = c;
}

/* ---- waiting ---- */

/* What has come, if anything; 0: nothing yet. */
static int take_reply(struct feed *feed, const sigset_t *mask, struct varlink_reply *ret)
{
        struct varlink_reply reply;
        int r = connection_receive(feed->connection, 0, NULL, &reply);

        if (r == CONNECTION_TIMED_OUT) {
                if (feed->message_until == 0 && connection_is_within(feed->connection))
                        feed->message_until = monotonic_usec() + MESSAGE_LIMIT;
                return 0;
        }
        if (r == CONNECTION_READER_LEFT)
                return FEED_READER_LEFT;
        if (r == CONNECTION_CLOSED && feed->heard)
                return lose(feed, connection_is_remote(feed->connection)
                                          ? remote_trouble(connection_child_status(feed->connection))
                                          : "it hung up");
        if (r == 0 && feed->heard && streq_ptr(reply.error, STATION_INTERFACE ".Busy")) {
                varlink_reply_done(&reply);
                return lose(feed, "it takes no more connections");
        }
        r = client_received(feed->connection, r, REPLY_TIMEOUT, mask, &reply, ret);
        if (r != EXIT_DONE)
                return r;
        feed->message_until = 0;
        feed->heard = true;
        feed->gone = false;
        feed->retry_span = RETRY_FIRST;
        return FEED_REPLY;
}

/* When something has to be done though nothing comes. */
static uint64_t next_deadline(const struct feed *feed, uint64_t others)
{
        if (!feed->connection)
                return MIN(others, feed->retry_at);
        return feed->message_until > 0 ? MIN(others, feed->message_until) : others;
}

/* The first message has its limit too. */
static int out_of_time(struct feed *feed)
{
        if (feed->heard)
                return lose(feed, "it does not end its message");
        return client_received(feed->connection, CONNECTION_TIMED_OUT, REPLY_TIMEOUT, NULL, NULL, NULL);
}

static int await(const sigset_t *mask, struct pollfd *pfds, size_t n, uint64_t deadline)
{
        int r = poll_until(pfds, n, deadline, mask);

        if (r >= 0)
                return 0;
        return r == -EINTR ? FEED_INTERRUPTED : client_misread(r);
}

int feed_next(struct feed *feed, const sigset_t *mask, struct pollfd *others, size_t n_others,
              uint64_t deadline_usec, struct varlink_reply *ret)
{
        struct pollfd pfds[2 + FEED_OTHERS_MAX] = { 0 };
        int r;

        if (!feed->heard && feed->message_until == 0)
                feed->message_until = monotonic_usec() + MESSAGE_LIMIT;
        n_others = MIN(n_others, (size_t)FEED_OTHERS_MAX);
        for (;;) {
                bool others_have = false;
                uint64_t now;

                pfds[0] = (struct pollfd){ .fd = feed->connection ? connection_fd(feed->connection)
                                                                  : feed->directory,
                                           .events = POLLIN };
                pfds[1] = (struct pollfd){ .fd = STDOUT_FILENO }; /* POLLERR and POLLHUP are always told */
                if (n_others > 0)
                        memcpy(&pfds[2], others, n_others * sizeof(*others));
                /* Signals and the others have their turn even where messages come without end. */
                r = await(mask, pfds, 2 + n_others,
                          feed_has_reply(feed) ? 0 : next_deadline(feed, deadline_usec));
                if (r != 0)
                        return r;
                if (pfds[1].revents & (POLLERR | POLLHUP))
                        return FEED_READER_LEFT;
                if (n_others > 0)
                        memcpy(others, &pfds[2], n_others * sizeof(*others));
                for (size_t i = 0; i < n_others; i++)
                        others_have = others_have || others[i].revents != 0;
                now = monotonic_usec();
                if (feed->connection && (pfds[0].revents || feed_has_reply(feed)))
                        r = take_reply(feed, mask, ret);
                else if (feed->connection && feed->message_until > 0 && now >= feed->message_until)
                        r = out_of_time(feed);
                else if (!feed->connection &&
                         ((pfds[0].revents && socket_appeared(feed)) || now >= feed->retry_at))
                        try_again(feed);
                if (r != 0)
                        return r;
                if (others_have || now >= deadline_usec)
                        return FEED_OTHERS;
        }
}
