/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/feed.h"

#include <stdio.h>

#include "core/messages.h"
#include "fleet/backoff.h"
#include "fleet/trouble.h"
#include "io/clock.h"
#include "io/daemon-call.h"
#include "io/say.h"

#define RETRY_FIRST  (250 * USEC_PER_MSEC)
#define RETRY_MAX    (4 * USEC_PER_SEC)
#define CONNECT_MAX  USEC_PER_SEC        /* it is a local socket: only its backlog can be full */
#define ANSWER_MAX   (30 * USEC_PER_SEC) /* its disk may be slow */
#define REPLIES_ONCE 1024                /* all that is there, as a rule */
#define AHEAD_MAX    (2 * MIB)
#define BEHIND       64 /* messages that had come when it hung up, and were not read: it may be for that */

struct feed {
        const char *socket;
        const struct feed_events *events;
        void *userdata;
        struct connection *watch, *ask; /* NULL: not there */
        bool heard;                     /* a Status came on this connection */
        unsigned n_read;                /* messages of this step */
        feed_answer_t answer;           /* of the open question, or NULL */
        uint64_t deadline_usec;         /* of the first Status, or of the open question; else USEC_INFINITY */
        uint64_t retry_usec;            /* when to try again, while there is no connection */
        struct backoff backoff;
        struct trouble trouble;
};

int feed_new(const char *socket, const struct feed_events *events, void *userdata, struct feed **ret)
{
        struct feed *f = calloc(1, sizeof(*f));

        if (!f)
                return -ENOMEM;
        f->socket = socket;
        f->events = events;
        f->userdata = userdata;
        f->backoff = (struct backoff){ .first_usec = RETRY_FIRST, .max_usec = RETRY_MAX };
        *ret = f;
        return 0;
}

static void hang_up(struct feed *f)
{
        if (f->watch)
                connection_close(f->watch);
        if (f->ask)
                connection_close(f->ask);
        f->watch = f->ask = NULL;
        f->heard = false;
}

struct feed *feed_free(struct feed *f)
{
        hang_up(f);
        free(f);
        return NULL;
}

/* r: as daemon_trouble(). */
static void lost(struct feed *f, int r, uint64_t now)
{
        feed_answer_t answer = f->answer;
        bool was_heard = f->heard, changed;
        char why[TROUBLE_TEXT_MAX];

        hang_up(f);
        f->answer = NULL;
        if (r == CONNECTION_CLOSED && f->n_read >= BEHIND)
                snprintf(why, sizeof(why),
                         "espdfud has hung up while we were behind with what it said: it does so with who "
                         "reads too slowly, for this machine is busy; or it was stopped (systemctl status "
                         "espdfud)");
        else
                daemon_trouble(f->socket, r, why, sizeof(why));
        changed = trouble_is(&f->trouble, why, now);
        if (changed)
                say_line("%s", why);
        if (was_heard)
                backoff_reset(&f->backoff);
        f->retry_usec = now + backoff_next(&f->backoff, now);
        if (answer)
                answer(f->userdata, NULL, NULL);
        if (was_heard || changed)
                f->events->down(f->userdata, why);
}

static void connect_to(struct feed *f, uint64_t now)
{
        int r = connection_open(f->socket, CONNECT_MAX, &f->watch);

        if (r == 0)
                r = connection_send(f->watch, STATION_INTERFACE ".Status", NULL, true);
        if (r == 0)
                r = connection_open(f->socket, CONNECT_MAX, &f->ask);
        f->deadline_usec = now + ANSWER_MAX;
        if (r != 0)
                lost(f, r, now);
}

static int take_status(struct feed *f, struct varlink_reply *reply)
{
        bool first = !f->heard;
        int r;

        if (reply->error)
                return daemon_refused(reply);
        if (!reply->parameters)
                return -EPROTO;
        f->heard = true;
        if (first && trouble_over(&f->trouble))
                say_line("espdfud is heard on %s", f->socket);
        if (first)
                f->deadline_usec = USEC_INFINITY;
        r = f->events->status(f->userdata, reply->parameters, first);
        return r == 0 && !reply->continues ? CONNECTION_CLOSED : r;
}

static int take_answer(struct feed *f, struct varlink_reply *reply)
{
        feed_answer_t answer = f->answer;

        /* It comes unasked: there is no place for this connection. */
        if (reply->error && daemon_refused(reply) == -EUSERS)
                return -EUSERS;
        if (!answer)
                return CONNECTION_NONSENSE;
        if (!reply->error && !reply->parameters)
                return -EPROTO;
        f->answer = NULL;
        f->deadline_usec = USEC_INFINITY;
        answer(f->userdata, reply->error, reply->parameters);
        return 0;
}

void feed_read_ahead(struct feed *f)
{
        if (f->watch)
                connection_read_ahead(f->watch, AHEAD_MAX);
}

/* What has come on a connection: 0, or as daemon_trouble(). */
static int drain(struct feed *f, struct connection *c, int (*take)(struct feed *, struct varlink_reply *))
{
        int r = 0;

        for (int i = 0; r == 0 && i < REPLIES_ONCE; i++) {
                struct varlink_reply reply;

                if (i % 16 == 0)
                        feed_read_ahead(f);
                r = connection_receive(c, 0, NULL, &reply);
                if (r == 0) {
                        f->n_read++;
                        r = take(f, &reply);
                        varlink_reply_done(&reply);
                }
        }
        return r == CONNECTION_TIMED_OUT ? 0 : r;
}

static bool has_something(const struct connection *c, const struct pollfd *pfd)
{
        return pfd->revents != 0 || connection_has_reply((struct connection *)(uintptr_t)c);
}

uint64_t feed_wait(const struct feed *f, struct pollfd pfds[static FEED_FDS])
{
        for (size_t i = 0; i < FEED_FDS; i++)
                pfds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
        if (!f->watch)
                return f->retry_usec;
        pfds[0].fd = connection_fd(f->watch);
        pfds[1].fd = connection_fd(f->ask);
        if (connection_has_reply(f->watch) || connection_has_reply(f->ask))
                return 0;
        return f->deadline_usec;
}

void feed_step(struct feed *f, const struct pollfd pfds[static FEED_FDS], uint64_t now)
{
        int r = 0;

        if (!f->watch) {
                if (now >= f->retry_usec)
                        connect_to(f, now);
                return;
        }
        f->n_read = 0;
        if (has_something(f->watch, &pfds[0]))
                r = drain(f, f->watch, take_status);
        if (r == 0 && has_something(f->ask, &pfds[1]))
                r = drain(f, f->ask, take_answer);
        if (r == 0 && now >= f->deadline_usec)
                r = CONNECTION_TIMED_OUT;
        if (r != 0)
                lost(f, r, now);
}

bool feed_is_free(const struct feed *f)
{
        return f->heard && !f->answer;
}

void feed_ask(struct feed *f, const char *method, json_t *parameters, feed_answer_t answer)
{
        f->answer = answer;
        f->deadline_usec = monotonic_usec() + ANSWER_MAX;
        if (connection_send(f->ask, method, parameters, false) != 0)
                f->deadline_usec = 0; /* the next step ends it */
}
