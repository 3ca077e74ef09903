/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Status, and those who watch it. A change of phase goes to every watcher at once. Progress is only noted, as a
 * generation of its slot; a timer, armed only while somebody has something to be told, sends what a watcher has not seen
 * if it has read all the rest.
 */
#include <time.h>

#include "core/messages.h"
#include "daemon/connection.h"
#include "daemon/log.h"

#define ACCURACY (10 * USEC_PER_MSEC)

static bool is_watched(const struct server *server)
{
        for (const struct connection *c = server->connections; c; c = c->next)
                if (c->stream == STREAM_WATCH)
                        return true;
        return false;
}

static void doom_watchers(struct server *server, const char *why)
{
        for (struct connection *c = server->connections; c; c = c->next)
                if (c->stream == STREAM_WATCH)
                        connection_doom(c, why);
}

/* To every watcher; a watcher who would miss it is disconnected. */
static void tell_all(struct server *server, const struct status_update *update)
{
        _cleanup_(freep) char *text = NULL;
        size_t size;

        if (status_update_to_reply(update, true, &text, &size) < 0) {
                doom_watchers(server, "out of memory");
                return;
        }
        for (struct connection *c = server->connections; c; c = c->next)
                if (c->stream == STREAM_WATCH)
                        connection_queue(c, text, size);
}

static void forget_slots(struct server *server)
{
        for (size_t i = 0; i < server->n_slots; i++)
                free(server->slots[i].name);
        free(server->slots);
        server->slots = NULL;
        server->n_slots = 0;
}

/* Slots stand in the order of their names: every message of every engine looks for its own. Returns where this one is, or
 * would be. */
static size_t place_of(const struct server *server, const char *name)
{
        size_t from = 0, to = server->n_slots;

        while (from < to) {
                size_t middle = from + (to - from) / 2;

                if (strcmp(server->slots[middle].name, name) < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

static bool is_at(const struct server *server, size_t place, const char *name)
{
        return place < server->n_slots && streq(server->slots[place].name, name);
}

static int insert_slot(struct server *server, size_t place, const char *name)
{
        struct watched_slot *slots = reallocarray(server->slots, server->n_slots + 1, sizeof(*slots));
        char *copy;

        if (!slots)
                return -ENOMEM;
        server->slots = slots;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        memmove(slots + place + 1, slots + place, (server->n_slots - place) * sizeof(*slots));
        server->n_slots++;
        slots[place] = (struct watched_slot){ .name = copy };
        return 0;
}

static int note_slot(struct server *server, const char *name)
{
        size_t place = place_of(server, name);
        int r = is_at(server, place, name) ? 0 : insert_slot(server, place, name);

        if (r == 0)
                server->slots[place].changed = ++server->generation;
        return r;
}

static void forget_slot(struct server *server, const char *name)
{
        size_t place = place_of(server, name);

        if (!is_at(server, place, name))
                return;
        free(server->slots[place].name);
        server->n_slots--;
        memmove(server->slots + place, server->slots + place + 1,
                (server->n_slots - place) * sizeof(*server->slots));
}

/* The slots that changed after the generation seen. Slots that are no more have been told by their change of phase. */
static int changes_since(struct server *server, uint64_t seen, char **ret, size_t *ret_size)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        struct station_status *station = &update.station;
        int r;

        r = server->ops->header(server->userdata, station);
        if (r < 0)
                return r;
        station->slots = calloc(server->n_slots + 1, sizeof(*station->slots));
        if (!station->slots)
                return -ENOMEM;
        for (size_t i = 0; i < server->n_slots; i++) {
                if (server->slots[i].changed <= seen)
                        continue;
                r = server->ops->slot(server->userdata, server->slots[i].name,
                                      &station->slots[station->n_slots]);
                if (r < 0)
                        return r;
                if (r == 0)
                        station->n_slots++;
        }
        return status_update_to_reply(&update, true, ret, ret_size);
}

/* The timer runs only while a watcher has something to be told. */
static void arm_progress(struct server *server)
{
        int enabled = SD_EVENT_OFF;

        if (sd_event_source_get_enabled(server->progress, &enabled) >= 0 && enabled != SD_EVENT_OFF)
                return;
        if (sd_event_source_set_time_relative(server->progress, SERVER_PROGRESS_USEC) < 0 ||
            sd_event_source_set_enabled(server->progress, SD_EVENT_ONESHOT) < 0)
                log_warning("socket: the timer for progress cannot be armed");
}

static int on_progress(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct server *server = userdata;
        char *text = NULL; /* what was made for the watcher before; most have seen the same */
        uint64_t text_seen = 0;
        size_t size = 0;
        int r = 0;

        (void)source;
        (void)usec;
        for (struct connection *c = server->connections; c && r >= 0; c = c->next) {
                if (c->stream != STREAM_WATCH || c->seen >= server->generation || connection_unsent(c) > 0)
                        continue;
                if (!text || text_seen != c->seen) {
                        free(take_ptr(text));
                        text_seen = c->seen;
                        r = changes_since(server, c->seen, &text, &size);
                        if (r < 0)
                                break;
                }
                c->seen = server->generation;
                connection_queue(c, text, size);
        }
        free(text);
        if (r < 0)
                log_warning("socket: progress cannot be told: %s", strerror(-r));
        return 0;
}

void watch_drained(struct connection *c)
{
        if (c->seen < c->server->generation)
                arm_progress(c->server);
}

void watch_done(struct server *server)
{
        forget_slots(server);
        server->progress = sd_event_source_disable_unref(server->progress);
}

int watch_begin(struct server *server)
{
        int r;

        r = sd_event_add_time_relative(server->event, &server->progress, CLOCK_MONOTONIC, 0, ACCURACY,
                                       on_progress, server);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->progress, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(server->progress, SERVER_PRIORITY);
        return r;
}

static void tell_phase(struct server *server, const char *name)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        char *gone[] = { (char *)(uintptr_t)name };
        int r;

        r = server->ops->header(server->userdata, &update.station);
        if (r >= 0) {
                update.station.slots = calloc(1, sizeof(*update.station.slots));
                r = update.station.slots ? server->ops->slot(server->userdata, name, update.station.slots)
                                         : -ENOMEM;
        }
        if (r < 0) {
                log_warning("socket: slot %s cannot be told: %s", name, strerror(-r));
                doom_watchers(server, "it would miss a phase");
                return;
        }
        update.station.n_slots = r == 0;
        if (r > 0) {
                forget_slot(server, name);
                update.gone = gone;
                update.n_gone = 1;
        }
        tell_all(server, &update);
        update.gone = NULL; /* borrowed */
        update.n_gone = 0;
}

void server_slot_changed(struct server *server, const char *slot, bool phase_changed)
{
        if (phase_changed)
                cancel_look(server, slot);
        if (!is_watched(server))
                return;
        if (phase_changed)
                tell_phase(server, slot);
        else if (note_slot(server, slot) < 0)
                log_warning("socket: out of memory: progress of slot %s is not told", slot);
        else
                arm_progress(server);
}

/* 0 with the whole station. */
static int whole(struct server *server, struct status_update *ret)
{
        ret->whole = true;
        return server->ops->status(server->userdata, &ret->station);
}

void server_changed(struct server *server)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        int r;

        forget_slots(server);
        cancel_look(server, NULL);
        if (!is_watched(server))
                return;
        r = whole(server, &update);
        if (r < 0) {
                log_warning("socket: the station cannot be told: %s", strerror(-r));
                doom_watchers(server, "it would miss a change");
                return;
        }
        tell_all(server, &update);
}

void method_status(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        _cleanup_(status_update_done) struct status_update update = { 0 };
        _cleanup_(freep) char *text = NULL;
        size_t size = 0;
        int r;

        if (connection_refuse(c, &args))
                return;
        r = whole(c->server, &update);
        if (r == 0)
                r = status_update_to_reply(&update, c->call.more, &text, &size);
        if (r < 0) {
                connection_fail(c, r);
                return;
        }
        if (c->call.more) {
                c->stream = STREAM_WATCH;
                c->seen = c->server->generation;
        }
        connection_reply_text(c, text, size, c->call.more);
}
