/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the station is: online or not, its header, its slots; each retained by the broker. */
#include <stdio.h>
#include <time.h>

#include "fleet/bridge-internal.h"
#include "io/say.h"

#define HEADER_USEC  USEC_PER_SEC
#define PUBLISH_ONCE 64
#define GONE_TEXT    "espdfu-mqtt is gone, or the way to it"

static uint64_t realtime_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

static const char *text_of(const json_t *object, const char *key)
{
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

/* A retained message of QoS 0, or 1. text: NULL: empty. Whether the connection took it. */
static bool publish(struct bridge *b, enum topic_kind kind, const char *slot, const char *text, int qos)
{
        char topic[TOPIC_SIZE];

        if (topic_print(topic, kind, b->name, slot) < 0)
                return true; /* such a name cannot be published, ever */
        return broker_publish(b->broker, topic, text, text ? strlen(text) : 0, qos, true, NULL) == 0;
}

/* ---- online ---- */

/* To be freed; why_away NULL: it is online. */
static char *online_text(const struct bridge *b, const char *why_away)
{
        json_t *object = json_pack("{s:b, s:s?, s:s, s:s?, s:I, s:s?}", "online", !why_away, "station_id",
                                   b->id[0] ? b->id : NULL, "station", b->name, "version", b->version,
                                   "since_realtime_usec", (json_int_t)b->changed_realtime_usec, "message",
                                   why_away);
        char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

        json_decref(object);
        return text;
}

int bridge_set_will(struct bridge *b)
{
        _cleanup_(freep) char *text = online_text(b, GONE_TEXT);
        char topic[TOPIC_SIZE];
        int r = text ? topic_print(topic, TOPIC_ONLINE, b->name, NULL) : -ENOMEM;

        return r == 0 ? broker_set_will(b->broker, topic, text, strlen(text)) : r;
}

void bridge_publish_online(struct bridge *b, const char *why_away)
{
        _cleanup_(freep) char *text = online_text(b, why_away);

        b->online_waits = !text || !publish(b, TOPIC_ONLINE, NULL, text, 1);
}

/* ---- the header ---- */

/* Of the Status's header what does not change by itself. */
static json_t *header_of(const json_t *station)
{
        json_t *header = json_copy((json_t *)(uintptr_t)station);

        json_object_del(header, "uptime_usec");
        return header;
}

static int take_header(struct bridge *b, const json_t *station)
{
        json_t *header = header_of(station);

        if (!header)
                return -ENOMEM;
        b->header_waits |= !b->header || !json_equal(header, b->header);
        json_decref(b->header);
        b->header = header;
        return 0;
}

static void publish_header(struct bridge *b)
{
        json_t *header = json_copy(b->header);
        uint64_t backlog = delivery_backlog(&b->delivery);
        json_t *more = json_pack("{s:I, s:I, s:s?, s:I}", "slots", (json_int_t)slots_n(b->slots), "backlog",
                                 (json_int_t)backlog, "station_id", b->id[0] ? b->id : NULL, "realtime_usec",
                                 (json_int_t)realtime_usec());
        _cleanup_(freep) char *text = header && more && json_object_update(header, more) == 0
                                              ? json_dumps(header, JSON_COMPACT)
                                              : NULL;

        json_decref(header);
        json_decref(more);
        b->header_usec = b->now_usec;
        if (text && publish(b, TOPIC_STATION, NULL, text, 0)) {
                b->header_waits = false;
                b->backlog_told = backlog;
        }
}

/* ---- slots ---- */

static int take_slot(struct bridge *b, const json_t *slot)
{
        const char *name = text_of(slot, "slot"), *phase = text_of(slot, "phase");
        json_t *copy = json_copy((json_t *)(uintptr_t)slot);
        json_int_t last = json_integer_value(json_object_get(slot, "last_realtime_usec"));
        char *text = NULL;

        if (copy &&
            json_object_set_new(copy, "realtime_usec", json_integer((json_int_t)realtime_usec())) == 0)
                text = json_dumps(copy, JSON_COMPACT);
        json_decref(copy);
        if (!text)
                return -ENOMEM;
        if (last > b->last_realtime_usec)
                bridge_records_look(b); /* an attempt has ended */
        b->last_realtime_usec = MAX(b->last_realtime_usec, (int64_t)last);
        return slots_put(b->slots, name, phase, text);
}

static int take_slots(struct bridge *b, const json_t *parameters)
{
        const json_t *slots = json_object_get(parameters, "slots"),
                     *gone = json_object_get(parameters, "gone"), *item;
        bool whole = json_is_true(json_object_get(parameters, "whole"));
        size_t i;
        int r = 0;

        if (!json_is_array(slots))
                return -EPROTO;
        if (whole)
                slots_begin_whole(b->slots);
        json_array_foreach(slots, i, item)
        {
                if (r == 0 || r == -ENOBUFS)
                        r = take_slot(b, item);
        }
        json_array_foreach(gone, i, item)
        {
                if (json_is_string(item) && (r == 0 || r == -ENOBUFS))
                        r = slots_gone(b->slots, json_string_value(item));
        }
        if (whole)
                slots_end_whole(b->slots);
        if (r == -ENOBUFS && trouble_is(&b->slots_trouble, "slots", b->now_usec))
                say_line("not every slot is published: expected at most %u, with names of 1 to %d bytes",
                         SLOTS_MAX, TOPIC_NAME_MAX);
        return r == -ENOBUFS ? 0 : r;
}

void bridge_take_retained_slot(struct bridge *b, const struct topic *topic)
{
        if (!b->why_away[0] && !slots_has(b->slots, topic->slot))
                (void)slots_gone(b->slots, topic->slot);
}

/* ---- a Status ---- */

static int take_identity(struct bridge *b, const json_t *station)
{
        const char *id = text_of(station, "id");

        if (!json_is_object(station))
                return -EPROTO;
        snprintf(b->id, sizeof(b->id), "%s", station_id_is_valid(id) ? id : "");
        b->id_since = json_integer_value(json_object_get(station, "id_since"));
        return free_and_strdup(&b->version, text_of(station, "version"));
}

int bridge_take_status(struct bridge *b, const json_t *parameters, bool first)
{
        const json_t *station = json_object_get(parameters, "station");
        int r = take_identity(b, station);

        if (r == 0)
                r = take_header(b, station);
        if (r == 0)
                r = take_slots(b, parameters);
        if (r == 0 && first && !b->id[0])
                say_line("espdfud %s tells no id of its ledger: no record is sent: expected one as new as "
                         "this program",
                         b->version);
        if (r == 0 && first) {
                b->why_away[0] = '\0';
                b->changed_realtime_usec = realtime_usec();
                b->online_waits = true;
                bridge_records_look(b);
        }
        return r;
}

/* ---- what is due ---- */

void bridge_state_forgotten(struct bridge *b)
{
        b->online_waits = b->header_waits = true;
        b->header_usec = 0;
        slots_forget_published(b->slots);
}

static void publish_slots(struct bridge *b)
{
        const char *name, *text;

        for (int i = 0; i < PUBLISH_ONCE && !broker_is_choked(b->broker); i++)
                if (!slots_next(b->slots, b->now_usec, &name, &text) ||
                    !publish(b, TOPIC_SLOT, name, text, 0))
                        return;
}

uint64_t bridge_publish_state(struct bridge *b)
{
        uint64_t header_due;

        if (!b->broker || !broker_is_up(b->broker))
                return USEC_INFINITY;
        if (b->online_waits && (b->why_away[0] || b->header))
                bridge_publish_online(b, b->why_away[0] ? b->why_away : NULL);
        publish_slots(b);
        if (b->backlog_told != delivery_backlog(&b->delivery))
                b->header_waits = true;
        header_due = b->header_waits && b->header ? b->header_usec + HEADER_USEC : USEC_INFINITY;
        if (header_due <= b->now_usec || (b->header_usec == 0 && b->header_waits && b->header)) {
                publish_header(b);
                header_due = USEC_INFINITY;
        }
        if (broker_is_choked(b->broker))
                return USEC_INFINITY; /* it says when there is room */
        return MIN(header_due, slots_due(b->slots));
}

void bridge_unpublish_state(struct bridge *b)
{
        const char *name, *text;

        slots_begin_whole(b->slots);
        slots_end_whole(b->slots);
        while (slots_next(b->slots, USEC_INFINITY - 1, &name, &text))
                (void)publish(b, TOPIC_SLOT, name, NULL, 0);
        (void)publish(b, TOPIC_STATION, NULL, NULL, 0);
        (void)publish(b, TOPIC_ONLINE, NULL, NULL, 1);
}
