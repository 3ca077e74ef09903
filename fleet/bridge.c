/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/bridge.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "core/messages.h"
#include "fleet/bridge-internal.h"
#include "io/clock.h"
#include "io/poll.h"
#include "io/say.h"

#define SOCKET_DEFAULT RUNSTATEDIR "/espdfu/" STATION_INTERFACE
#define LEAVE_MAX      (5 * USEC_PER_SEC)

/* ---- the broker ---- */

/* "espdfu/1/line3/slot/+" */
static int slots_filter(const struct bridge *b, char ret[static TOPIC_SIZE + 1])
{
        char topic[TOPIC_SIZE];
        int r = topic_print(topic, TOPIC_SLOT, b->name, "x");

        if (r == 0)
                snprintf(ret, TOPIC_SIZE + 1, "%.*s+", (int)strlen(topic) - 1, topic);
        return r;
}

/* What the broker retains of our slots, from an earlier life: those that are no more are removed. */
static void look_at_retained_slots(struct bridge *b)
{
        char filter[TOPIC_SIZE + 1];

        /* Until the station is heard nobody knows which slots it has. */
        if (!b->why_away[0] && slots_filter(b, filter) == 0)
                (void)broker_subscribe(b->broker, filter);
}

/* What we publish there comes back: all that was retained has come. */
static void retained_slots_are_over(struct bridge *b)
{
        char filter[TOPIC_SIZE + 1];

        if (slots_filter(b, filter) == 0)
                (void)broker_unsubscribe(b->broker, filter);
}

static void on_up(void *userdata)
{
        struct bridge *b = userdata;
        char topic[TOPIC_SIZE];

        if (topic_print(topic, TOPIC_DELIVERED, b->name, NULL) == 0)
                (void)broker_subscribe(b->broker, topic);
        look_at_retained_slots(b);
        delivery_broker_up(&b->delivery);
        bridge_state_forgotten(b);
}

static void on_down(void *userdata)
{
        struct bridge *b = userdata;

        delivery_broker_down(&b->delivery);
        (void)bridge_set_will(b);
}

static void on_message(void *userdata, const struct broker_message *message)
{
        struct bridge *b = userdata;
        struct topic topic;

        if (topic_parse(message->topic, &topic) != 0 || !streq(topic.station, b->name))
                return;
        if (topic.kind == TOPIC_DELIVERED && message->size > 0)
                bridge_take_delivered(b, message);
        else if (topic.kind == TOPIC_SLOT && !message->retained)
                retained_slots_are_over(b);
        else if (topic.kind == TOPIC_SLOT && message->size > 0)
                bridge_take_retained_slot(b, &topic);
}

static void on_subscribed(void *userdata)
{
        bridge_records_subscribed(userdata);
}

static const struct broker_events broker_events = {
        .up = on_up, .down = on_down, .message = on_message, .subscribed = on_subscribed
};

static void leave_broker(struct bridge *b, const char *why)
{
        if (broker_is_up(b->broker))
                bridge_publish_online(b, why);
        broker_leave(b->broker, LEAVE_MAX);
}

/* The topics are those of this name. */
static int open_broker(struct bridge *b, const char *name)
{
        int r;

        snprintf(b->name, sizeof(b->name), "%s", name);
        snprintf(b->client_id, sizeof(b->client_id), "espdfu-mqtt-%s", name);
        r = broker_new(&b->settings->broker, b->client_id, &broker_events, b, &b->broker);
        return r == 0 ? bridge_set_will(b) : r;
}

static int use_name(struct bridge *b, const char *name)
{
        if (strlen(name) > TOPIC_NAME_MAX || !*name) {
                say_line("the station's name is %s: expected [station] name, of 1 to %d bytes",
                         *name ? name : "empty", TOPIC_NAME_MAX);
                return -EPROTO;
        }
        if (b->broker && streq(b->name, name))
                return 0;
        if (b->broker) {
                say_line("the station is called %s now, and was %s", name, b->name);
                if (broker_is_up(b->broker))
                        bridge_unpublish_state(b);
                broker_leave(b->broker, LEAVE_MAX);
                b->broker = broker_free(b->broker);
                delivery_broker_down(&b->delivery);
        }
        return open_broker(b, name);
}

/* ---- the station ---- */

static int on_status(void *userdata, const json_t *parameters, bool first)
{
        struct bridge *b = userdata;
        const char *name = json_string_value(json_object_get(json_object_get(parameters, "station"), "name"));
        int r = use_name(b, b->settings->station.name ? b->settings->station.name : name ? name : "");

        if (r == 0)
                r = bridge_take_status(b, parameters, first);
        if (r == 0 && first && broker_is_up(b->broker))
                look_at_retained_slots(b);
        return r;
}

static void on_away(void *userdata, const char *why)
{
        struct bridge *b = userdata;

        if (!b->why_away[0])
                b->changed_realtime_usec = (uint64_t)time(NULL) * USEC_PER_SEC;
        snprintf(b->why_away, sizeof(b->why_away), "%s", why);
        b->online_waits = true;
        bridge_records_away(b);
}

static const struct feed_events feed_events = { on_status, on_away };

/* ---- the program ---- */

int bridge_new(const struct settings *settings, const char *state_dir, struct bridge **ret)
{
        _cleanup_(bridge_freep) struct bridge *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return -ENOMEM;
        b->settings = settings;
        b->slots = slots_new();
        snprintf(b->why_away, sizeof(b->why_away), "espdfud is not heard yet");
        b->changed_realtime_usec = (uint64_t)time(NULL) * USEC_PER_SEC;
        r = b->slots ? bridge_records_start(b, state_dir) : -ENOMEM;
        if (r == 0)
                r = feed_new(settings->station.socket ? settings->station.socket : SOCKET_DEFAULT,
                             &feed_events, b, &b->feed);
        if (r == 0 && settings->station.name)
                r = open_broker(b, settings->station.name);
        if (r < 0)
                return r;
        *ret = take_ptr(b);
        return 0;
}

struct bridge *bridge_free(struct bridge *b)
{
        if (b->broker)
                broker_free(b->broker);
        if (b->feed)
                feed_free(b->feed);
        if (b->slots)
                slots_free(b->slots);
        json_decref(b->header);
        free(b->version);
        free(b->cursor_path);
        free(b);
        return NULL;
}

static void tell_systemd(struct bridge *b)
{
        bool up = b->broker && broker_is_up(b->broker);
        uint64_t backlog = delivery_backlog(&b->delivery);

        if (b->why_away[0])
                service_status(&b->service, "%s", b->why_away);
        else if (!up)
                service_status(&b->service, "%s: broker %s: %s", b->name, broker_name(b->broker),
                               *broker_trouble(b->broker) ? broker_trouble(b->broker) : "not connected yet");
        else
                service_status(&b->service, "%s: connected to %s, %" PRIu64 " records to deliver", b->name,
                               broker_name(b->broker), backlog);
}

/* Waits, and does what is due. */
static void turn(struct bridge *b, uint64_t until_usec)
{
        struct pollfd pfds[FEED_FDS + 1];

        until_usec = MIN(until_usec, feed_wait(b->feed, pfds));
        pfds[FEED_FDS] = (struct pollfd){ .fd = -1 };
        if (b->broker)
                until_usec = MIN(until_usec, broker_wait(b->broker, &pfds[FEED_FDS]));
        if (poll_until(pfds, ARRAY_SIZE(pfds), until_usec, &b->service.waiting) < 0)
                for (size_t i = 0; i < ARRAY_SIZE(pfds); i++)
                        pfds[i].revents = 0;
        b->now_usec = monotonic_usec();
        if (b->broker)
                broker_step(b->broker, pfds[FEED_FDS].revents, b->now_usec);
        feed_step(b->feed, pfds, b->now_usec);
}

int bridge_run(struct bridge *b)
{
        service_start(&b->service);
        service_ready();
        while (!service_is_ending()) {
                uint64_t until;

                b->now_usec = monotonic_usec();
                until = bridge_records_step(b);
                until = MIN(until, bridge_publish_state(b));
                tell_systemd(b);
                until = MIN(until, service_alive(&b->service, b->now_usec));
                turn(b, until);
        }
        service_stopping();
        if (b->broker)
                leave_broker(b, "espdfu-mqtt was stopped");
        b->now_usec = monotonic_usec();
        bridge_records_end(b);
        return 0;
}
