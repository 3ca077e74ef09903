/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On a terminal the table is drawn in place, on the other screen, so that what was there before comes back; elsewhere
 * there is a line for each event. Both end with a signal or with the daemon.
 */
#include "client/status-watch.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/status-change.h"
#include "client/status-table.h"
#include "core/text.h"

/* The other screen, without cursor, and lines that are too long are cut, not folded. */
#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_LEAVE "\033[?7h\033[?25h\033[?1049l"
#define CURSOR_HOME  "\033[H"
#define LINE_CLEAR   "\033[K"
#define REST_CLEAR   "\033[J"

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
        if (signal != SIGWINCH)
                ended = 1;
}

/* Whoever reads the lines has had enough of them (head -1). */
static void on_reader_left(int signal)
{
        (void)signal;
        _exit(EXIT_DONE);
}

/* The signals come only while waiting for the daemon; ret is the mask for that. */
static void catch_signals(sigset_t *ret)
{
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
        struct sigaction action = { .sa_handler = on_signal };
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                sigaddset(&set, signals[i]);
                sigaction(signals[i], &action, NULL);
        }
        action.sa_handler = on_reader_left;
        sigaction(SIGPIPE, &action, NULL);
        sigprocmask(SIG_BLOCK, &set, ret);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                sigdelset(ret, signals[i]);
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
        for (size_t i = 0; i < update->n_gone; i++)
                if (status_find(station, update->gone[i]))
                        print_event(&(struct slot_status){ .slot = update->gone[i] }, "gone");
        for (size_t i = 0; i < update->station.n_slots; i++) {
                const struct slot_status *slot = &update->station.slots[i];

                if (status_is_event(status_find(station, slot->slot), slot))
                        print_event(slot, phase_to_string(slot->phase));
        }
}

/* As many lines as the terminal has; the last one says how many are not shown. */
static void draw_lines(const char *text, size_t height)
{
        size_t n_lines = 0, shown = 0;

        for (const char *p = text; (p = strchr(p, '\n')); p++)
                n_lines++;
        fputs(CURSOR_HOME, stdout);
        for (; *text && (n_lines < height || shown + 2 < height); shown++) {
                size_t length = strcspn(text, "\n");

                printf("%.*s" LINE_CLEAR "\n", (int)length, text);
                text += length + (text[length] == '\n');
        }
        if (shown < n_lines)
                printf("(%zu more lines)" LINE_CLEAR, n_lines - shown);
        fputs(REST_CLEAR, stdout);
        fflush(stdout);
}

static int draw(const struct station_status *station)
{
        _cleanup_(freep) char *text = NULL;
        struct winsize size = { 0 };
        struct table_style style;
        int r;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
                size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
        table_style_of_stdout(&style);
        style.width = size.ws_col;
        r = status_table_render(station, &style, &text);
        if (r < 0)
                return r;
        draw_lines(text, size.ws_row);
        return 0;
}

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
static int take_update(struct station_status *station, const struct varlink_reply *reply, bool json,
                       bool screen, status_pick pick)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        int r;

        if (json)
                return take_json(station, reply, pick);
        r = status_update_from_json(reply->parameters, &update);
        if (r < 0)
                return client_misread(r);
        r = check_first(station, &update.station, pick);
        if (r != EXIT_DONE)
                return r;
        status_keep_picked(&update.station, pick);
        if (!screen) {
                print_events(station, &update);
                r = client_flush();
                if (r != EXIT_DONE)
                        return r;
        }
        r = status_apply(station, &update);
        return r < 0 ? client_misread(r) : EXIT_DONE;
}

static int watch_loop(struct connection *connection, struct station_status *station, bool json, bool screen,
                      status_pick pick, const sigset_t *mask)
{
        int r;

        while (!ended) {
                struct varlink_reply reply;

                r = client_next(connection, mask, &reply);
                if (r == CLIENT_READER_LEFT)
                        return EXIT_DONE;
                if (r == CLIENT_INTERRUPTED) {
                        if (screen && !ended)
                                draw(station);
                        continue;
                }
                if (r != EXIT_DONE)
                        return r;
                r = take_update(station, &reply, json, screen, pick);
                varlink_reply_done(&reply);
                if (r != EXIT_DONE)
                        return r;
                if (ferror(stdout))
                        return client_flush();
                if (screen && !connection_has_reply(connection))
                        draw(station);
        }
        return EXIT_DONE;
}

int status_watch(struct connection *connection, bool json, status_pick pick)
{
        _cleanup_(station_status_done) struct station_status station = { 0 };
        bool screen = !json && table_on_screen();
        sigset_t mask;
        int r;

        catch_signals(&mask);
        if (screen)
                fputs(SCREEN_ENTER, stdout);
        r = watch_loop(connection, &station, json, screen, pick, &mask);
        if (screen) {
                _cleanup_(freep) char *text = NULL;
                struct table_style style;

                fputs(SCREEN_LEAVE, stdout);
                table_style_of_stdout(&style);
                if (station.name && status_table_render(&station, &style, &text) == 0)
                        fputs(text, stdout);
                fflush(stdout);
        }
        return r;
}
