/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfu-fleet status, watch: what the broker keeps of the stations, once, or as it changes. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/text.h"
#include "fleet/fleet-table.h"
#include "fleet/fleet.h"
#include "fleet/listen.h"
#include "io/clock.h"
#include "io/say.h"
#include "show/status-table.h"
#include "show/terminal.h"

#define DRAW_USEC (250 * USEC_PER_MSEC) /* no oftener */

/* ---- what was heard, as it is printed ---- */

static json_t *station_to_json(const struct view_station *station)
{
        return json_pack("{s:s, s:O?, s:O?, s:O}", "station", station->name, "online", station->online,
                         "status", station->header, "slots", station->slots);
}

static int print_json(const struct view *view)
{
        json_t *stations = json_array(), *whole = json_pack("{s:o}", "stations", stations);
        int r = whole ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < view->n; i++)
                if (json_array_append_new(stations, station_to_json(&view->stations[i])) < 0)
                        r = -ENOMEM;
        if (r == 0 && json_dumpf(whole, stdout, JSON_INDENT(2)) < 0 && !ferror(stdout))
                r = -ENOMEM;
        putchar('\n');
        json_decref(whole);
        return r;
}

/* Of one station: as its own espdfuctl status, and above it whether it is online. */
static int render_station(const struct view_station *station, const struct table_style *style, char **ret)
{
        _cleanup_(station_status_done) struct station_status status = { 0 };
        _cleanup_(freep) char *table = NULL;
        _cleanup_(freep) char *note = text_escape(view_note(station));
        _cleanup_(freep) char *seen = format_time(style, view_seen_usec(station));
        int r = view_status(station, &status);

        if (r == 0)
                r = note && seen ? status_table_render(&status, style, &table) : -ENOMEM;
        if (r < 0)
                return r;
        return asprintf(ret, "%s%s%s%s%s%s", view_is_online(station) ? "" : "offline since ",
                        view_is_online(station) ? "" : seen, view_is_online(station) || !*note ? "" : ": ",
                        view_is_online(station) ? "" : note, view_is_online(station) ? "" : "\n", table) < 0
                       ? -ENOMEM
                       : 0;
}

static int render(const struct listener *l, const struct table_style *style, char **ret)
{
        const struct view_station *station = l->station ? view_find(&l->view, l->station) : NULL;

        if (!l->station)
                return fleet_table_render(&l->view, style, ret);
        if (station)
                return render_station(station, style, ret);
        *ret = strdup("This station has not been heard yet.\n");
        return *ret ? 0 : -ENOMEM;
}

/* ---- status ---- */

static int print_rows(const struct listener *l, const struct table_style *style,
                      const struct table_choice *choice)
{
        _cleanup_(station_status_done) struct station_status status = { 0 };
        int r;

        if (!l->station)
                return fleet_table_rows(&l->view, style, choice, stdout);
        r = view_status(view_find(&l->view, l->station), &status);
        return r == 0 ? status_table_rows(&status, style, choice, stdout) : r;
}

static int show(const struct listener *l, bool json, const struct table_choice *choice)
{
        _cleanup_(freep) char *text = NULL;
        struct table_style style;
        int r;

        if (l->station && !view_find(&l->view, l->station)) {
                say_line("status: no station %s: the broker keeps nothing of it", l->station);
                return EXIT_FAILED;
        }
        if (json)
                return print_json(&l->view) < 0 ? fleet_no_memory() : EXIT_DONE;
        table_style_of_stdout(&style);
        if (table_is_chosen(choice)) {
                r = print_rows(l, &style, choice);
        } else {
                table_style_fit_terminal(&style);
                r = render(l, &style, &text);
        }
        if (r == -EPROTO) {
                say_line("status: what station %s says is not understood", l->station);
                return EXIT_FAILED;
        }
        if (r == 0 && text)
                fputs(text, stdout);
        return r < 0 ? fleet_no_memory() : EXIT_DONE;
}

int verb_status(int argc, char **argv)
{
        struct settings settings = { 0 };
        struct listener listener = { 0 };
        struct table_choice choice = { 0 };
        const char *station = NULL;
        bool json = false;
        const struct client_option options[] = {
                { "json", .flag = &json },
                { "station", .value = &station },
                TABLE_OPTIONS(choice),
        };
        int r = client_options(argc, argv, options, ARRAY_SIZE(options), 0);

        if (r != CLIENT_GO_ON)
                return r;
        r = table_choice_read(&choice, "status", station ? status_columns : fleet_columns, json);
        if (r == EXIT_DONE)
                r = fleet_settings(true, &settings);
        if (r != EXIT_DONE)
                return r;
        settings.broker.retry_max_sec = 0;
        if (listener_open(&listener, &settings.broker, station) < 0)
                r = fleet_no_memory();
        else if ((r = listener_hear_all(&listener)) == 0)
                r = show(&listener, json, &choice);
        else if (r == -ETIMEDOUT)
                say_line("broker %s: it does not answer", broker_name(listener.broker));
        listener_close(&listener);
        settings_done(&settings);
        return r < 0 ? EXIT_NO_DAEMON : r;
}

/* ---- watch ---- */

struct watch {
        struct listener listener;
        bool json, screen;
        bool changed;       /* since it was drawn */
        uint64_t draw_usec; /* not before */
};

static volatile sig_atomic_t ended, suspended;

static void on_signal(int signal)
{
        if (signal == SIGTSTP)
                suspended = 1;
        else if (signal != SIGWINCH)
                ended = 1;
}

static void catch_signals(sigset_t *ret)
{
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP };
        const struct sigaction action = { .sa_handler = on_signal };
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                sigaddset(&set, signals[i]);
                sigaction(signals[i], &action, NULL);
        }
        signal(SIGPIPE, SIG_IGN);
        sigprocmask(SIG_BLOCK, &set, ret);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                sigdelset(ret, signals[i]);
}

/* A message as a line of JSON; of one that is no more "payload" is null. */
static void print_message(const struct topic *topic, const struct broker_message *message)
{
        json_t *payload = json_loadb(message->payload, message->size, 0, NULL);
        json_t *line = json_pack("{s:s, s:s, s:s?, s:o?}", "station", topic->station, "kind",
                                 topic_kind_to_string(topic->kind), "slot",
                                 topic->kind == TOPIC_SLOT ? topic->slot : NULL, "payload", payload);

        if (line)
                json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
}

/* "2026-01-31T09:41:07 line3 online", "… line3 A1 failed: board left at 24 kB" */
static void print_line(const struct topic *topic, const struct view_station *station)
{
        const json_t *slot = topic->kind == TOPIC_SLOT ? json_object_get(station->slots, topic->slot) : NULL;
        const char *phase = json_string_value(json_object_get(slot, "phase"));
        const char *why = slot ? json_string_value(json_object_get(slot, "message")) : view_note(station);
        _cleanup_(freep) char *name = text_escape(topic->station);
        _cleanup_(freep) char *of_slot = text_escape(topic->slot);
        _cleanup_(freep) char *word = format_word(slot                      ? phase ? phase : "?"
                                                  : view_is_online(station) ? "online"
                                                                            : "offline");
        _cleanup_(freep) char *text = text_escape(why ? why : "");
        time_t now = time(NULL);
        char when[32];
        struct tm tm;

        if (!name || !of_slot || !word || !text || !localtime_r(&now, &tm))
                return;
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
        printf("%s %s%s%s %s%s%s\n", when, name, *of_slot ? " " : "", of_slot, word, *text ? ": " : "", text);
}

static void on_heard(void *userdata, const struct topic *topic, const struct view_station *station,
                     const struct broker_message *message)
{
        struct watch *w = userdata;

        w->changed = true;
        if (w->screen)
                return;
        if (w->json)
                print_message(topic, message);
        else if (station && topic->kind != TOPIC_STATION)
                print_line(topic, station);
        fflush(stdout);
}

static void draw(struct watch *w)
{
        _cleanup_(freep) char *text = NULL;
        const char *trouble = broker_trouble(w->listener.broker);
        _cleanup_(freep) char *why = text_escape(trouble);
        struct table_style style;
        size_t height;

        table_style_of_stdout(&style);
        terminal_size(&style.width, &height);
        if (render(&w->listener, &style, &text) == 0 && why) {
                _cleanup_(freep) char *whole = NULL;

                if (asprintf(&whole, "%s%s%s%s", *why ? "broker: " : "", why, *why ? "\n" : "", text) >= 0)
                        terminal_draw(whole, height);
                else
                        whole = NULL;
        }
        w->changed = false;
        w->draw_usec = monotonic_usec() + DRAW_USEC;
}

static bool is_over(const struct watch *w)
{
        struct pollfd keys = terminal_keys();

        if (ended || ferror(stdout))
                return true;
        return w->screen && keys.fd >= 0 && poll(&keys, 1, 0) > 0 && terminal_quits();
}

static void watch(struct watch *w, const sigset_t *mask)
{
        while (!is_over(w)) {
                struct pollfd keys = terminal_keys();
                int r = listener_turn(&w->listener, w->screen ? keys.fd : -1,
                                      w->screen && w->changed ? w->draw_usec : USEC_INFINITY, mask);

                if (suspended && w->screen)
                        terminal_suspend();
                suspended = 0;
                if (w->screen && (r == -EINTR || (w->changed && monotonic_usec() >= w->draw_usec)))
                        draw(w);
        }
}

int verb_watch(int argc, char **argv)
{
        struct settings settings = { 0 };
        const char *station = NULL;
        struct watch w = { .changed = true };
        const struct client_option options[] = { { "json", .flag = &w.json },
                                                 { "station", .value = &station } };
        sigset_t mask;
        int r = client_options(argc, argv, options, ARRAY_SIZE(options), 0);

        if (r != CLIENT_GO_ON)
                return r;
        r = fleet_settings(true, &settings);
        if (r != EXIT_DONE)
                return r;
        w.screen = !w.json && table_on_screen();
        w.listener.heard = on_heard;
        w.listener.userdata = &w;
        if (listener_open(&w.listener, &settings.broker, station) < 0) {
                r = fleet_no_memory();
        } else {
                catch_signals(&mask);
                if (w.screen)
                        terminal_enter();
                watch(&w, &mask);
                if (w.screen)
                        terminal_leave();
        }
        listener_close(&w.listener);
        settings_done(&settings);
        return r;
}
