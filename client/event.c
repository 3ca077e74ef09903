/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event.h"

#include <stdio.h>
#include <time.h>

#include "client/status-change.h"
#include "core/text.h"

const char *const event_kind_words[EVENT_MAX_ + 1] = {
        [EVENT_BEGUN] = "begun",
        [EVENT_BOARD_ARRIVED] = "board-arrived",
        [EVENT_BOARD_LEFT] = "board-left",
        [EVENT_VERDICT] = "verdict",
        [EVENT_PHASE] = "phase",
        [EVENT_SLOT_GONE] = "slot-gone",
        [EVENT_STATION_HELD] = "station-held",
        [EVENT_STATION_RELEASED] = "station-released",
        [EVENT_CONFIG_ERROR] = "config-error",
        [EVENT_CONFIG_SOUND] = "config-sound",
        [EVENT_LEDGER_TROUBLE] = "ledger-trouble",
        [EVENT_LEDGER_SOUND] = "ledger-sound",
        [EVENT_POLICY_UNUSABLE] = "policy-unusable",
        [EVENT_POLICY_USABLE] = "policy-usable",
        [EVENT_DAEMON_GONE] = "daemon-gone",
        [EVENT_DAEMON_BACK] = "daemon-back",
};
DEFINE_WORDS(event_kind, event_kind_words)

const char *const event_keys[] = { "event",         "realtime_usec", "station", "slot",    "port",
                                   "path",          "chip",          "mac",     "policy",  "image_name",
                                   "image_version", "data_file",     "phase",   "attempt", "attempts_max",
                                   "verdict",       "message",       NULL };

/* ---- one event ---- */

/* What is about a slot. phase and attempt are of it alone. */
static int add_slot(json_t *event, const struct slot_status *slot)
{
        bool tried = slot->attempt > 0;

        if (json_object_set_new(event, "phase", json_string(phase_to_string(slot->phase))) < 0)
                return -ENOMEM;
        if (tried && (json_object_set_new(event, "attempt", json_integer(slot->attempt)) < 0 ||
                      json_object_set_new(event, "attempts_max", json_integer(slot->attempts_max)) < 0))
                return -ENOMEM;
        return 0;
}

json_t *event_new(enum event_kind kind, const char *station, const struct slot_status *slot,
                  const char *message, uint64_t now_realtime_usec)
{
        static const struct slot_status none = { 0 };
        const struct slot_status *s = slot ? slot : &none;
        bool ended = kind == EVENT_VERDICT;
        const char *verdict = ended ? verdict_to_string(s->last_verdict) : NULL;
        const char *why = message ? message : ended ? s->last_message : s->message;
        json_t *event = json_pack(
                "{s:s, s:I, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:n, s:n, "
                "s:n, s:s?, s:s?}",
                "event", event_kind_to_string(kind), "realtime_usec", (json_int_t)now_realtime_usec,
                "station", station, "slot", s->slot, "port", s->port, "path", s->path, "chip", s->chip, "mac",
                s->mac, "policy", s->policy, "image_name", s->image_name, "image_version", s->image_version,
                "data_file", s->data_file, "phase", "attempt", "attempts_max", "verdict", verdict, "message",
                why);

        if (event && slot && kind != EVENT_SLOT_GONE && add_slot(event, slot) < 0) {
                json_decref(event);
                return NULL;
        }
        return event;
}

static const char *text_of(const json_t *event, const char *key)
{
        return json_string_value(json_object_get(event, key));
}

enum event_kind event_kind_of(const json_t *event)
{
        int kind = event_kind_from_string(text_of(event, "event"));

        return kind < 0 ? EVENT_MAX_ : (enum event_kind)kind;
}

bool event_passes(const json_t *event, unsigned kinds, status_pick pick)
{
        const char *slot = text_of(event, "slot");

        if (!(kinds & 1U << event_kind_of(event)))
                return false;
        return !slot || status_pick_has(pick, slot, text_of(event, "port"), text_of(event, "path"));
}

/* ---- what differs ---- */

struct difference {
        const struct station_status *before, *after;
        uint64_t now;
        json_t *events;
};

static int add(const struct difference *d, enum event_kind kind, const struct slot_status *slot,
               const char *message)
{
        json_t *event = event_new(kind, d->after->name, slot, message, d->now);

        return event && json_array_append_new(d->events, event) == 0 ? 0 : -ENOMEM;
}

/* The same port under another name after a reload is the same slot. */
static const struct slot_status *find_before(const struct difference *d, const struct slot_status *after)
{
        for (size_t i = 0; i < d->before->n_slots; i++)
                if (streq(d->before->slots[i].slot, after->slot))
                        return &d->before->slots[i];
        for (size_t i = 0; after->port && i < d->before->n_slots; i++)
                if (streq_ptr(d->before->slots[i].port, after->port))
                        return &d->before->slots[i];
        return NULL;
}

static bool is_occupied(const struct slot_status *slot)
{
        return slot && slot->phase != PHASE_EMPTY;
}

/* Another board without an empty slot in between: too quick for a message of its own. */
static bool is_another(const struct slot_status *before, const struct slot_status *after)
{
        return before->mac && after->mac && !streq(before->mac, after->mac);
}

static int board_events(const struct difference *d, const struct slot_status *before,
                        const struct slot_status *after)
{
        bool was = is_occupied(before), is = is_occupied(after),
             other = was && is && is_another(before, after);
        int r = 0;

        if (was && (!is || other)) {
                struct slot_status left = *before; /* who left, and what became of it */

                left.phase = PHASE_EMPTY;
                left.message = NULL;
                left.attempt = 0;
                r = add(d, EVENT_BOARD_LEFT, &left, NULL);
        }
        if (r == 0 && is && (!was || other))
                r = add(d, EVENT_BOARD_ARRIVED, after, NULL);
        return r;
}

/* An attempt that ended with its board's leaving is still about that board. */
static int verdict_event(const struct difference *d, const struct slot_status *before,
                         const struct slot_status *after)
{
        struct slot_status ended = *after;

        if (after->last_verdict == VERDICT_NONE ||
            (before && before->last_realtime_usec == after->last_realtime_usec &&
             before->last_verdict == after->last_verdict))
                return 0;
        if (before && !after->chip && before->chip) {
                ended.chip = before->chip;
                ended.mac = before->mac;
                ended.policy = before->policy;
                ended.image_name = before->image_name;
                ended.image_version = before->image_version;
                ended.data_file = before->data_file;
        }
        if (before && ended.attempt == 0) {
                ended.attempt = before->attempt;
                ended.attempts_max = before->attempts_max;
        }
        return add(d, EVENT_VERDICT, &ended, NULL);
}

static int slot_events(const struct difference *d, const struct slot_status *after)
{
        const struct slot_status *before = find_before(d, after);
        int r = verdict_event(d, before, after);

        if (r == 0)
                r = board_events(d, before, after);
        if (r == 0 && (!before ? is_occupied(after)
                               : before->phase != after->phase || before->attempt != after->attempt ||
                                         !streq_ptr(before->message, after->message)))
                r = add(d, EVENT_PHASE, after, NULL);
        return r;
}

static bool names_port(const struct station_status *station, const char *port)
{
        for (size_t i = 0; port && i < station->n_slots; i++)
                if (streq_ptr(station->slots[i].port, port))
                        return true;
        return false;
}

/* Names that were, and are not; a name whose port goes on under another one has not lost its board. */
static int gone_events(const struct difference *d, const struct status_update *update)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < d->before->n_slots; i++) {
                const struct slot_status *before = &d->before->slots[i];

                if (!status_says_gone(update, before->slot))
                        continue;
                if (is_occupied(before) && !names_port(d->after, before->port))
                        r = add(d, EVENT_BOARD_LEFT, before, NULL);
                if (r == 0)
                        r = add(d, EVENT_SLOT_GONE, before, NULL);
        }
        return r;
}

/* A text of the station's that is there, or not: two events. */
static int text_event(const struct difference *d, const char *before, const char *after,
                      enum event_kind there, enum event_kind away)
{
        if (streq_ptr(before, after))
                return 0;
        return add(d, after ? there : away, NULL, after);
}

static int header_events(const struct difference *d)
{
        const struct station_status *b = d->before, *a = d->after;
        int r = text_event(d, b->held, a->held, EVENT_STATION_HELD, EVENT_STATION_RELEASED);

        if (r == 0)
                r = text_event(d, b->config_error, a->config_error, EVENT_CONFIG_ERROR, EVENT_CONFIG_SOUND);
        if (r == 0)
                r = text_event(d, b->ledger_trouble, a->ledger_trouble, EVENT_LEDGER_TROUBLE,
                               EVENT_LEDGER_SOUND);
        return r;
}

static const char *was_unusable(const struct station_status *station, const char *policy)
{
        for (size_t i = 0; i < station->n_policies; i++)
                if (streq(station->policies[i].name, policy))
                        return station->policies[i].unusable;
        return NULL;
}

/* Policies come with what is whole. */
static int policy_events(const struct difference *d)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < d->after->n_policies; i++) {
                const struct policy_status *p = &d->after->policies[i];
                const struct slot_status about = { .policy = p->name,
                                                   .image_name = p->image_name,
                                                   .image_version = p->image_version };
                const char *before = was_unusable(d->before, p->name);
                json_t *event;

                if (streq_ptr(before, p->unusable))
                        continue;
                event = event_new(p->unusable ? EVENT_POLICY_UNUSABLE : EVENT_POLICY_USABLE, d->after->name,
                                  &about, p->unusable, d->now);
                if (!event || json_object_set_new(event, "phase", json_null()) < 0 ||
                    json_array_append_new(d->events, event) < 0)
                        r = -ENOMEM;
        }
        return r;
}

int events_of_update(const struct station_status *before, const struct status_update *update,
                     uint64_t now_realtime_usec, json_t *events)
{
        const struct difference d = { before, &update->station, now_realtime_usec, events };
        int r;

        if (!before->name)
                return add(&d, EVENT_BEGUN, NULL, NULL);
        r = header_events(&d);
        if (r == 0 && update->whole)
                r = policy_events(&d);
        if (r == 0)
                r = gone_events(&d, update);
        for (size_t i = 0; r == 0 && i < update->station.n_slots; i++)
                r = slot_events(&d, &update->station.slots[i]);
        return r;
}

/* ---- a line ---- */

static void put_part(FILE *f, const char *before, const char *text)
{
        if (text)
                fprintf(f, "%s%s", before, text);
}

char *event_line(const json_t *event)
{
        _cleanup_(freep) char *raw = NULL;
        enum event_kind kind = event_kind_of(event);
        time_t when = (time_t)(json_integer_value(json_object_get(event, "realtime_usec")) /
                               (json_int_t)USEC_PER_SEC);
        char time_text[32];
        struct tm tm;
        size_t size;
        FILE *f = open_memstream(&raw, &size);

        if (!f)
                return NULL;
        if (localtime_r(&when, &tm) && strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &tm) > 0)
                fputs(time_text, f);
        put_part(f, " ", text_of(event, "event"));
        put_part(f, " ", text_of(event, "slot"));
        if (kind == EVENT_VERDICT)
                put_part(f, " ", text_of(event, "verdict"));
        if (kind == EVENT_PHASE)
                put_part(f, " ", text_of(event, "phase"));
        if (kind == EVENT_POLICY_UNUSABLE || kind == EVENT_POLICY_USABLE)
                put_part(f, " ", text_of(event, "policy"));
        if (kind == EVENT_VERDICT || kind == EVENT_BOARD_ARRIVED || kind == EVENT_BOARD_LEFT) {
                put_part(f, " ", text_of(event, "chip"));
                put_part(f, " ", text_of(event, "mac"));
        }
        if (json_is_integer(json_object_get(event, "attempt")) && kind != EVENT_BOARD_ARRIVED)
                fprintf(f, " %lld/%lld", (long long)json_integer_value(json_object_get(event, "attempt")),
                        (long long)json_integer_value(json_object_get(event, "attempts_max")));
        put_part(f, ": ", text_of(event, "message"));
        if (fclose(f) == EOF)
                return NULL;
        return text_escape(raw);
}
