/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On a terminal a screen is drawn in place, beside what was there before, which comes back; elsewhere there is a line for
 * each event. A daemon that ends is said and waited for.
 */
#include "client/status-watch.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "client/failures.h"
#include "client/feed.h"
#include "client/screen.h"
#include "client/status-change.h"
#include "core/text.h"
#include "io/poll.h"
#include "show/terminal.h"

#define FAILURES_RECALLED 100 /* attempts of the record that are looked at */
#define RECALL_TIMEOUT    (2 * USEC_PER_SEC)

static volatile sig_atomic_t ended, suspended;

static void on_signal(int signal)
{
        if (signal == SIGTSTP)
                suspended = 1;
        else if (signal != SIGWINCH)
                ended = 1;
}

/* Whoever reads the lines has had enough of them (head -1). */
static void on_reader_left(int signal)
{
        (void)signal;
        _exit(EXIT_DONE);
}

/* The signals come only while waiting for the daemon; ret is the mask for that. */
static void catch_signals(bool screen, sigset_t *ret)
{
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP };
        const struct sigaction reader_left = { .sa_handler = on_reader_left };

        sigaction(SIGPIPE, &reader_left, NULL);
        poll_signals(signals, screen ? ARRAY_SIZE(signals) : 3, on_signal, ret);
}

/* "2026-01-31T09:41:07 A1 failed 3/3: board left at 24 kB" */
static void print_event(const struct slot_status *slot, const char *phase)
{
        _cleanup_(freep) char *name = text_escape(slot->slot);
        _cleanup_(freep) char *word = format_word(phase);
        const char *why = slot->message                 ? slot->message
                          : slot->phase == PHASE_FAILED ? slot->last_message
                                                        : NULL;
        _cleanup_(freep) char *text = text_escape(why ? why : "");
        time_t now = time(NULL);
        char when[32], try[32] = "";
        struct tm tm;

        if (!name || !word || !text || !localtime_r(&now, &tm))
                return;
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
        if (slot->attempt > 0)
                snprintf(try, sizeof(try), " %u/%u", slot->attempt, slot->attempts_max);
        printf("%s %s %s%s%s%s\n", when, name, word, try, *text ? ": " : "", text);
}

/* The whole station is held, held otherwise, or no longer. */
static void print_hold(const struct station_status *before, const struct station_status *after)
{
        if (streq_ptr(before->held, after->held))
                return;
        print_event(
                &(struct slot_status){ .slot = (char *)(uintptr_t) "the station", .message = after->held },
                after->held ? "held" : "released");
}

static void print_events(struct station_status *station, const struct status_update *update)
{
        print_hold(station, &update->station);
        for (size_t i = 0; i < station->n_slots; i++)
                if (status_says_gone(update, station->slots[i].slot))
                        print_event(&(struct slot_status){ .slot = station->slots[i].slot }, "gone");
        for (size_t i = 0; i < update->station.n_slots; i++) {
                const struct slot_status *slot = &update->station.slots[i];

                if (status_is_event(status_find(station, slot->slot), slot))
                        print_event(slot, phase_to_string(slot->phase));
        }
}

/* ---- the picture ---- */

struct watch {
        struct station_status station;
        struct failures failures;
        char *gone; /* why the daemon is gone, or NULL */
        uint64_t gone_usec;
        bool json, screen;
        status_pick pick;
};

static int draw(const struct watch *w, bool last)
{
        _cleanup_(freep) char *text = NULL;
        struct screen screen = {
                .station = &w->station, .failures = &w->failures, .gone = w->gone, .gone_usec = w->gone_usec
        };
        int r;

        if (!w->station.name)
                return 0;
        table_style_of_stdout(&screen.style);
        terminal_size(&screen.style.width, &screen.height);
        if (last) /* it stays where the shell goes on, and may be longer than the screen */
                screen.height = 0;
        r = screen_render(&screen, &text);
        if (r < 0)
                return r;
        if (last)
                fputs(text, stdout);
        else
                terminal_draw(text, screen.height);
        return 0;
}

/* Asks for the last attempts of the record, in silence: *ret, or NULL. */
static void ask_attempts(json_t **ret)
{
        _cleanup_(connection_closep) struct connection *c = NULL;
        json_t *parameters = json_pack("{s:i}", "limit", FAILURES_RECALLED);
        struct varlink_reply reply;

        if (!parameters || client_connect(RECALL_TIMEOUT, true, &c) < 0) {
                json_decref(parameters);
                return;
        }
        if (connection_send(c, STATION_INTERFACE ".History", parameters, false) != 0 ||
            connection_receive(c, RECALL_TIMEOUT, NULL, &reply) != 0)
                return;
        *ret = json_incref(reply.parameters);
        varlink_reply_done(&reply);
}

/* The last failures of the record. A record that cannot be read now is no reason not to watch. */
static int recall_failures(struct watch *w)
{
        struct attempt_record *attempts = NULL;
        json_t *reply = NULL;
        size_t n = 0;
        int r = 0;

        ask_attempts(&reply);
        if (reply && attempts_from_json(reply, &attempts, &n) < 0)
                n = 0;
        json_decref(reply);
        for (size_t i = 0; r == 0 && i < n; i++)
                if (status_pick_has(w->pick, attempts[i].slot, attempts[i].port, attempts[i].path))
                        r = failures_note_attempt(&w->failures, &attempts[i]);
        attempts_free(attempts, n);
        return r < 0 ? client_misread(r) : EXIT_DONE;
}

/* ---- messages ---- */

/* The first reply is whole. Later a reload may take a slot away that was named. */
static int check_first(struct station_status *station, const struct station_status *first, status_pick pick)
{
        const char *missing = station->name ? NULL : status_pick_missing(pick, first);

        if (missing)
                return status_no_such_slot(missing);
        return EXIT_DONE;
}

/* As it came, but for the slots. What it says is looked at only where somebody named slots. */
static int take_json(struct station_status *station, const struct varlink_reply *reply, status_pick pick)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        int r = EXIT_DONE;

        if (*pick && !station->name) {
                r = status_update_from_json(reply->parameters, &update);
                if (r < 0)
                        return client_misread(r);
                r = check_first(station, &update.station, pick);
                station->name = take_ptr(update.station.name);
        }
        status_keep_picked_json(reply->parameters, pick);
        return r == EXIT_DONE ? client_print_json(reply->parameters, true) : r;
}

/* One reply. */
static int take_update(struct watch *w, const struct varlink_reply *reply)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        struct station_status *station = &w->station;
        int r;

        if (w->json)
                return take_json(station, reply, w->pick);
        r = status_update_from_json(reply->parameters, &update);
        if (r < 0)
                return client_misread(r);
        r = check_first(station, &update.station, w->pick);
        if (r != EXIT_DONE)
                return r;
        status_keep_picked(&update.station, w->pick);
        for (size_t i = 0; r == 0 && i < update.station.n_slots; i++)
                r = failures_note_slot(&w->failures, &update.station.slots[i]);
        if (r == 0 && !w->screen) {
                print_events(station, &update);
                r = client_flush();
                if (r != EXIT_DONE)
                        return r;
        }
        if (r == 0)
                r = status_apply(station, &update);
        return r < 0 ? client_misread(r) : EXIT_DONE;
}

/* The daemon went (why), or is back (NULL). */
static void note_daemon(struct watch *w, const char *why)
{
        struct slot_status line = { .slot = (char *)(uintptr_t) "espdfud",
                                    .message = (char *)(uintptr_t)why };
        struct timespec now;

        free(w->gone);
        w->gone = why ? strdup(why) : NULL;
        clock_gettime(CLOCK_REALTIME, &now);
        w->gone_usec = (uint64_t)now.tv_sec * USEC_PER_SEC;
        if (w->json)
                client_error("espdfud %s%s%s", why ? "is gone, and is waited for: " : "is back",
                             why ? why : "", why ? "" : ": what follows is whole");
        else if (!w->screen)
                print_event(&line, why ? "gone" : "back");
}

/* CLIENT_GO_ON, or an exit code. */
static int watch_once(struct watch *w, struct feed *feed, const sigset_t *mask)
{
        struct pollfd keys = w->screen ? terminal_keys() : (struct pollfd){ .fd = -EBADF };
        struct varlink_reply reply;
        int r = feed_next(feed, mask, &keys, 1, USEC_INFINITY, &reply);

        if (keys.revents && terminal_quits())
                ended = 1;
        switch (r) {
        case FEED_REPLY:
                if (w->gone)
                        note_daemon(w, NULL);
                r = take_update(w, &reply);
                varlink_reply_done(&reply);
                if (r != EXIT_DONE)
                        return r;
                break;
        case FEED_GONE:
                note_daemon(w, feed_trouble(feed));
                break;
        case FEED_READER_LEFT:
                return EXIT_DONE;
        case FEED_OTHERS:
                return CLIENT_GO_ON;
        case FEED_INTERRUPTED:
                if (w->screen && suspended)
                        terminal_suspend();
                suspended = 0;
                break;
        default:
                return r;
        }
        if (!w->screen)
                return client_flush() == EXIT_DONE ? CLIENT_GO_ON : EXIT_FAILED;
        if (!ended && !feed_has_reply(feed) && draw(w, false) < 0)
                return client_misread(-ENOMEM);
        return CLIENT_GO_ON;
}

int status_watch(bool json, status_pick pick)
{
        _cleanup_(feed_freep) struct feed *feed = NULL;
        struct watch w = { .json = json, .screen = !json && table_on_screen(), .pick = pick };
        sigset_t mask;
        int r = feed_open(&feed);

        if (r == EXIT_DONE && w.screen)
                r = recall_failures(&w);
        if (r == EXIT_DONE) {
                catch_signals(w.screen, &mask);
                if (w.screen)
                        terminal_enter();
                r = CLIENT_GO_ON;
                while (r == CLIENT_GO_ON && !ended)
                        r = watch_once(&w, feed, &mask);
                if (w.screen) {
                        terminal_leave();
                        draw(&w, true);
                }
                r = r == CLIENT_GO_ON ? EXIT_DONE : r;
        }
        station_status_done(&w.station);
        failures_done(&w.failures);
        free(w.gone);
        return r;
}
