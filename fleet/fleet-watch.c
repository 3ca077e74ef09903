/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfu-fleet watch: what the broker keeps of the stations, as it changes. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/text.h"
#include "fleet/fleet-picture.h"
#include "fleet/fleet.h"
#include "fleet/listen.h"
#include "io/clock.h"
#include "io/poll.h"
#include "io/say.h"
#include "show/terminal.h"

#define DRAW_USEC  (250 * USEC_PER_MSEC) /* no oftener */
#define HEIGHT_LOW 8                     /* below this the lines are for rows */

struct watch {
        struct listener listener;
        bool json, screen;
        bool told;          /* the broker has told all that it kept when this connection began */
        bool told_once;     /* of any connection */
        json_t *printed;    /* object: what the last line of a topic said, without its time */
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

        signal(SIGPIPE, SIG_IGN);
        poll_signals(signals, ARRAY_SIZE(signals), on_signal, ret);
}

/* ---- lines ---- */

static json_t *payload_of(const struct broker_message *message)
{
        json_t *payload = json_loadb(message->payload, message->size, 0, NULL);
        _cleanup_(freep) char *text = NULL;

        if (payload || message->size == 0)
                return payload ? payload : json_null();
        text = text_to_utf8(message->payload, VIEW_PAYLOAD_MAX);
        return text ? json_string(text) : NULL;
}

/* A message as a line of JSON; of one that is no more "payload" is null, of one that is no JSON a string. */
static void print_message(const struct topic *topic, const struct broker_message *message)
{
        json_t *line = json_pack(
                "{s:s, s:s, s:s?, s:o}", "station", topic->station, "kind", topic_kind_to_string(topic->kind),
                "slot", topic->kind == TOPIC_SLOT ? topic->slot : NULL, "payload", payload_of(message));

        if (line)
                json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
}

/* What there is to say of a topic: a word, and why; borrowed. station NULL: it is no more. */
static const char *news(const struct topic *topic, const struct view_station *station, const char **ret_why)
{
        const json_t *slot = NULL;
        const char *phase;

        *ret_why = station ? view_fault(station, topic) : NULL;
        if (*ret_why)
                return "?";
        if (station && topic->kind != TOPIC_SLOT) {
                *ret_why = view_note(station);
                return view_is_online(station) ? "online" : "offline";
        }
        slot = station ? json_object_get(station->slots, topic->slot) : NULL;
        if (!slot)
                return "gone";
        phase = json_string_value(json_object_get(slot, "phase"));
        *ret_why = json_string_value(json_object_get(slot, "message"));
        return phase ? phase : "?";
}

/* "line3 online", "line3 A1 failed: board left at 24 kB"; to be freed. */
static char *line_of(const struct topic *topic, const struct view_station *station)
{
        const char *why, *word = news(topic, station, &why);
        _cleanup_(freep) char *name = text_escape(topic->station);
        _cleanup_(freep) char *slot = text_escape(topic->slot);
        _cleanup_(freep) char *said = format_word(word);
        _cleanup_(freep) char *text = text_escape(why ? why : "");
        char *line;

        if (!name || !slot || !said || !text)
                return NULL;
        return asprintf(&line, "%s%s%s %s%s%s", name, *slot ? " " : "", slot, said, *text ? ": " : "", text) <
                               0
                       ? NULL
                       : line;
}

/* Where it says something else than the last one of this topic. */
static void print_line(struct watch *w, const struct topic *topic, const struct view_station *station)
{
        _cleanup_(freep) char *line = line_of(topic, station);
        char when[32], name[TOPIC_SIZE];
        time_t now = time(NULL);
        struct tm tm;

        if (!line || topic_print(name, topic->kind, topic->station, topic->slot) < 0 ||
            streq_ptr(json_string_value(json_object_get(w->printed, name)), line) || !localtime_r(&now, &tm))
                return;
        (void)json_object_set_new(w->printed, name, json_string(line));
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
        printf("%s %s\n", when, line);
}

static void print_line_of(struct watch *w, enum topic_kind kind, const struct view_station *station,
                          const char *slot)
{
        struct topic topic = { .kind = kind };

        snprintf(topic.station, sizeof(topic.station), "%s", station->name);
        snprintf(topic.slot, sizeof(topic.slot), "%s", slot);
        print_line(w, &topic, station);
}

/* What the broker kept came in any order: all of it in its own. What is as it was before the connection was lost is not told
 * again. */
static void print_all(struct watch *w)
{
        const struct view *view = &w->listener.view;

        for (size_t i = 0; i < view->n; i++) {
                const struct view_station *station = &view->stations[i];
                _cleanup_(freep) const char **slots = w->listener.station ? view_slot_names(station) : NULL;

                print_line_of(w, TOPIC_ONLINE, station, "");
                for (size_t k = 0; slots && slots[k]; k++)
                        print_line_of(w, TOPIC_SLOT, station, slots[k]);
        }
        fflush(stdout);
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
        else if (topic->kind != TOPIC_STATION && w->told && listener_told_usec(&w->listener) != USEC_INFINITY)
                print_line(w, topic, station);
        fflush(stdout);
}

/* Of a station whose name may be mistyped. */
static void on_told(struct watch *w)
{
        const char *station = w->listener.station;

        if (station && !w->told_once && !w->screen && !view_find(&w->listener.view, station))
                say_line("watch: the broker keeps nothing of a station %s yet, or this user may not read it; "
                         "waiting for it",
                         station);
        if (!w->json && !w->screen)
                print_all(w);
        w->told_once = w->changed = true;
}

/* ---- the picture ---- */

/* A low screen has no line for what stands between header and rows. */
static void make_low(char *text)
{
        char *first = strchr(text, '\n'), *blank = strstr(text, "\n\n");

        if (first && blank)
                memmove(first + 1, blank + 2, strlen(blank + 2) + 1);
}

static int render(const struct watch *w, const struct table_style *style, char **ret)
{
        const struct broker *broker = w->listener.broker;

        if (w->told_once)
                return fleet_picture(&w->listener.view, w->listener.station, style, ret);
        return asprintf(ret, "asking %s %s\n", broker_name(broker), style->utf8 ? "\u2026" : "...") < 0
                       ? -ENOMEM
                       : 0;
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
        if (render(w, &style, &text) == 0 && why) {
                _cleanup_(freep) char *whole = NULL;

                if (height < HEIGHT_LOW)
                        make_low(text);
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
                uint64_t told = listener_told_usec(&w->listener);
                uint64_t until = MIN(w->told ? USEC_INFINITY : told,
                                     w->screen && w->changed ? w->draw_usec : USEC_INFINITY);
                int r = listener_turn(&w->listener, w->screen ? keys.fd : -1, until, mask);
                bool was_told = w->told;

                w->told = monotonic_usec() >= listener_told_usec(&w->listener);
                if (w->told && !was_told)
                        on_told(w);
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
        r = fleet_check_station("watch", station);
        if (r == EXIT_DONE)
                r = fleet_settings(true, &settings);
        if (r != EXIT_DONE)
                return r;
        w.screen = !w.json && table_on_screen();
        w.listener.heard = on_heard;
        w.listener.userdata = &w;
        w.printed = json_object();
        if (!w.printed || listener_open(&w.listener, &settings.broker, station) < 0) {
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
        json_decref(w.printed);
        settings_done(&settings);
        return r;
}
