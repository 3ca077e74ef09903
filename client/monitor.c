/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl monitor: what happens at a station, a line for each event, and a command for each. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "client/event.h"
#include "client/feed.h"
#include "client/hook.h"
#include "client/status-change.h"
#include "io/poll.h"

#define EXEC_TIMEOUT_DEFAULT 30
#define EXEC_TIMEOUT_MAX     86400

struct monitor {
        struct station_status station;
        bool json, gone;
        unsigned kinds; /* a bit for each event_kind */
        status_pick pick;
        struct hook *hook; /* or NULL */
};

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
        (void)signal;
        ended = 1;
}

/* They come only while waiting; ret is the mask for that. */
static void catch_signals(sigset_t *ret)
{
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

        signal(SIGPIPE, SIG_IGN);
        poll_signals(signals, ARRAY_SIZE(signals), on_signal, ret);
}

static uint64_t now_realtime_usec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* ---- events ---- */

static int print_event(const struct monitor *m, const json_t *event)
{
        size_t flags = JSON_COMPACT | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0);
        _cleanup_(freep) char *line = m->json ? json_dumps(event, flags) : event_line(event);

        if (!line)
                return client_misread(-ENOMEM);
        puts(line);
        if (fflush(stdout) == 0 || errno != EPIPE)
                return client_flush();
        clearerr(stdout); /* whoever read the lines has had enough of them */
        return CLIENT_READER_LEFT;
}

static int tell(struct monitor *m, json_t *event)
{
        if (!event_passes(event, m->kinds, m->pick))
                return EXIT_DONE;
        if (m->hook)
                hook_add(m->hook, event);
        return print_event(m, event);
}

static int tell_daemon(struct monitor *m, enum event_kind kind, const char *why)
{
        json_t *event = event_new(kind, m->station.name, NULL, why, now_realtime_usec());
        int r = event ? tell(m, event) : client_misread(-ENOMEM);

        m->gone = kind == EVENT_DAEMON_GONE;
        json_decref(event);
        return r;
}

static int tell_all(struct monitor *m, const struct status_update *update)
{
        json_t *events = json_array(), *event;
        int r = events ? events_of_update(&m->station, update, now_realtime_usec(), events) : -ENOMEM;
        size_t i;

        r = r < 0 ? client_misread(r) : EXIT_DONE;
        json_array_foreach(events, i, event)
        {
                if (r == EXIT_DONE)
                        r = tell(m, event);
        }
        json_decref(events);
        return r;
}

static int take_update(struct monitor *m, const json_t *parameters)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        const char *missing;
        int r = status_update_from_json(parameters, &update);

        if (r < 0)
                return client_misread(r);
        missing = m->station.name ? NULL : status_pick_missing(m->pick, &update.station);
        if (missing)
                return status_no_such_slot(missing);
        if (m->gone)
                r = tell_daemon(m, EVENT_DAEMON_BACK, NULL);
        if (r == EXIT_DONE)
                r = tell_all(m, &update);
        if (r == EXIT_DONE && status_apply(&m->station, &update) < 0)
                r = client_misread(-ENOMEM);
        return r;
}

static int watch_once(struct monitor *m, struct feed *feed, const sigset_t *mask)
{
        struct pollfd pfds[2 * HOOK_JOBS_MAX];
        struct varlink_reply reply;
        uint64_t deadline = USEC_INFINITY;
        size_t n = m->hook ? hook_poll(m->hook, pfds, &deadline) : 0;
        int r = feed_next(feed, mask, pfds, n, deadline, &reply);

        switch (r) {
        case FEED_REPLY:
                r = take_update(m, reply.parameters);
                varlink_reply_done(&reply);
                break;
        case FEED_GONE:
                r = tell_daemon(m, EVENT_DAEMON_GONE, feed_trouble(feed));
                break;
        case FEED_INTERRUPTED:
        case FEED_OTHERS:
                r = EXIT_DONE;
                break;
        case FEED_READER_LEFT:
                return EXIT_DONE;
        default:
                return r;
        }
        if (m->hook)
                hook_go_on(m->hook);
        return r == EXIT_DONE ? CLIENT_GO_ON : r;
}

static int watch(struct monitor *m)
{
        _cleanup_(feed_freep) struct feed *feed = NULL;
        sigset_t mask;
        int r = feed_open(&feed);

        if (r != EXIT_DONE)
                return r;
        catch_signals(&mask);
        do
                r = watch_once(m, feed, &mask);
        while (r == CLIENT_GO_ON && !ended);
        return r == CLIENT_GO_ON || r == CLIENT_READER_LEFT ? EXIT_DONE : r;
}

/* ---- the command line ---- */

static int unknown_event(const char *word)
{
        char words[512];
        size_t n = 0;

        for (enum event_kind kind = 0; kind < EVENT_MAX_ && n < sizeof(words); kind++)
                n += (size_t)snprintf(words + n, sizeof(words) - n, "%s%s", kind > 0 ? ", " : "",
                                      event_kind_to_string(kind));
        client_error("monitor: --event %s: expected some of %s, with commas between them", word, words);
        return EXIT_USAGE;
}

/* "verdict,daemon-gone"; NULL: all. */
static int read_kinds(const char *text, unsigned *ret)
{
        _cleanup_(freep) char *copy = text ? strdup(text) : NULL;
        char *rest = copy, *word;

        *ret = text ? 0 : ~0U;
        while ((word = strsep(&rest, ","))) {
                int kind = event_kind_from_string(word);

                if (kind < 0)
                        return unknown_event(word);
                *ret |= 1U << kind;
        }
        return EXIT_DONE;
}

static int read_hook(const char *command, const char *timeout, const char *jobs, struct hook **ret)
{
        struct hook_options options = { .command = command, .socket = client_host ? NULL : client_socket };
        int64_t seconds = EXEC_TIMEOUT_DEFAULT, n = 1;

        if (!command && (timeout || jobs)) {
                client_error("monitor: %s: expected with --exec", timeout ? "--exec-timeout" : "--exec-jobs");
                return EXIT_USAGE;
        }
        if ((timeout && !client_number("--exec-timeout", timeout, 1, EXEC_TIMEOUT_MAX, &seconds)) ||
            (jobs && !client_number("--exec-jobs", jobs, 1, HOOK_JOBS_MAX, &n)))
                return EXIT_USAGE;
        if (!command)
                return EXIT_DONE;
        options.timeout_usec = (uint64_t)seconds * USEC_PER_SEC;
        options.jobs_max = (size_t)n;
        return hook_new(&options, ret) < 0 ? client_misread(-ENOMEM) : EXIT_DONE;
}

int verb_monitor(int argc, char **argv)
{
        struct monitor m = { 0 };
        const char *command = NULL, *timeout = NULL, *jobs = NULL, *kinds = NULL;
        const struct client_option options[] = {
                { "event", .value = &kinds },    { "exec", .value = &command },
                { "exec-jobs", .value = &jobs }, { "exec-timeout", .value = &timeout },
                { "json", .flag = &m.json },
        };
        int r;

        r = client_options(argc, argv, options, ARRAY_SIZE(options), INT_MAX);
        if (r != CLIENT_GO_ON)
                return r;
        m.pick = argv + optind;
        r = read_kinds(kinds, &m.kinds);
        if (r == EXIT_DONE)
                r = read_hook(command, timeout, jobs, &m.hook);
        if (r == EXIT_DONE)
                r = watch(&m);
        if (m.hook)
                hook_end(m.hook);
        station_status_done(&m.station);
        return r;
}
