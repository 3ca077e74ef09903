/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "web/watcher.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "core/messages.h"
#include "io/connection.h"
#include "io/daemon-call.h"
#include "io/say.h"

#define RETRY_FIRST (250 * USEC_PER_MSEC)
#define RETRY_MAX   (4 * USEC_PER_SEC)

struct watcher {
        const char *socket;
        uint64_t silence_usec;
        struct view *view;
        pthread_t thread;
        sigset_t waiting; /* what is blocked while it waits: all but SIGUSR1 */
        atomic_bool stopping;
};

static void wake_up(int signal)
{
        (void)signal;
}

/* 0, or a result of connection_*(), or of daemon_refused(), or -EPROTO: that was no Status. */
static int take_reply(struct watcher *w, const struct varlink_reply *reply, bool header_alone)
{
        if (reply->error)
                return daemon_refused(reply);
        return header_alone ? view_apply_header(w->view, reply->parameters)
                            : view_apply(w->view, reply->parameters);
}

/* The daemon was silent: a second question. Its answer has a fresh header, too: "today" and the last hour go by. */
static int ask_whether_there(struct watcher *w)
{
        _cleanup_(connection_closep) struct connection *c = NULL;
        struct varlink_reply reply;
        int r = connection_open(w->socket, DAEMON_CONNECT_MAX, &c);

        if (r == 0)
                r = connection_send(c, STATION_INTERFACE ".Status", NULL, false);
        if (r == 0)
                r = connection_receive(c, w->silence_usec, &w->waiting, &reply);
        if (r != 0)
                return r;
        r = take_reply(w, &reply, true);
        varlink_reply_done(&reply);
        return r;
}

static void link_is_up(struct watcher *w)
{
        if (view_set_link(w->view, NULL))
                say_line("espdfud is heard on %s", w->socket);
}

/* Until it ends, and why: as connection_receive(). *ret_heard: whether there was a status. */
static int watch_once(struct watcher *w, bool *ret_heard)
{
        _cleanup_(connection_closep) struct connection *c = NULL;
        struct varlink_reply reply;
        int r = connection_open(w->socket, DAEMON_CONNECT_MAX, &c);

        if (r == 0)
                r = connection_send(c, STATION_INTERFACE ".Status", NULL, true);
        while (r == 0 && !w->stopping) {
                r = connection_receive(c, w->silence_usec, &w->waiting, &reply);
                if (r == CONNECTION_TIMED_OUT && *ret_heard) {
                        r = ask_whether_there(w);
                        continue;
                }
                if (r != 0)
                        break;
                r = take_reply(w, &reply, false);
                if (r == 0 && !reply.continues)
                        r = CONNECTION_CLOSED;
                varlink_reply_done(&reply);
                if (r == 0) {
                        *ret_heard = true;
                        link_is_up(w);
                }
        }
        return r;
}

/* Whether it is down for another reason than before: something is going on there. */
static bool link_is_down(struct watcher *w, int r)
{
        char why[512];
        bool changed;

        daemon_trouble(w->socket, r, why, sizeof(why));
        changed = view_set_link(w->view, why);
        if (changed)
                say_line("%s", why);
        return changed;
}

static void *watch(void *userdata)
{
        struct watcher *w = userdata;
        uint64_t delay = RETRY_FIRST;

        while (!w->stopping) {
                bool heard = false;
                int r = watch_once(w, &heard);
                struct timespec ts;

                if (w->stopping)
                        break;
                if (link_is_down(w, r) || heard)
                        delay = RETRY_FIRST;
                ts = (struct timespec){ (time_t)(delay / USEC_PER_SEC), (long)(delay % USEC_PER_SEC * 1000) };
                (void)ppoll(NULL, 0, &ts, &w->waiting); /* SIGUSR1 ends it */
                delay = MIN(delay * 2, RETRY_MAX);
        }
        return NULL;
}

int watcher_start(const char *socket, uint64_t silence_usec, struct view *view, struct watcher **ret)
{
        const struct sigaction action = { .sa_handler = wake_up };
        struct watcher *w = calloc(1, sizeof(*w));
        sigset_t blocked;
        int r;

        if (!w)
                return -ENOMEM;
        w->socket = socket;
        w->silence_usec = silence_usec;
        w->view = view;
        sigaction(SIGUSR1, &action, NULL);
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &blocked, &w->waiting);
        sigdelset(&w->waiting, SIGUSR1);
        r = pthread_create(&w->thread, NULL, watch, w);
        if (r != 0) {
                free(w);
                return -r;
        }
        *ret = w;
        return 0;
}

struct watcher *watcher_stop(struct watcher *w)
{
        w->stopping = true;
        pthread_kill(w->thread, SIGUSR1);
        pthread_join(w->thread, NULL);
        free(w);
        return NULL;
}
