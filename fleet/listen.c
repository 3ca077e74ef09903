/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/listen.h"

#include <stdio.h>
#include <sys/random.h>

#include "core/hex.h"
#include "io/clock.h"
#include "io/poll.h"

/* MQTT has no end of what is kept. A broker sends it in one go when it has answered to the subscription, or soon after. */
#define QUIET_USEC (150 * USEC_PER_MSEC)
#define ALL_MAX    (10 * USEC_PER_SEC)

#define ALL_STATIONS "espdfu/" TOPIC_VERSION "/+/"

/* "espdfu/1/line3/online" with another end. */
static int subscribe(struct listener *l, const char *last)
{
        char filter[TOPIC_SIZE + 16] = ALL_STATIONS;

        if (l->station) {
                int r = topic_print(filter, TOPIC_ONLINE, l->station, NULL);

                if (r < 0)
                        return r;
                *strrchr(filter, '/') = '\0';
                strncat(filter, "/", sizeof(filter) - strlen(filter) - 1);
        }
        strncat(filter, last, sizeof(filter) - strlen(filter) - 1);
        return broker_subscribe(l->broker, filter);
}

static unsigned filters(const struct listener *l)
{
        return l->station ? 3 : 2;
}

static void on_up(void *userdata)
{
        struct listener *l = userdata;

        l->subscribed = 0;
        (void)subscribe(l, "online");
        (void)subscribe(l, "station");
        if (l->station)
                (void)subscribe(l, "slot/+");
}

static void on_subscribed(void *userdata)
{
        struct listener *l = userdata;

        l->subscribed++;
        l->retained_usec = l->now_usec;
}

static void on_message(void *userdata, const struct broker_message *message)
{
        struct listener *l = userdata;
        struct view_station *station = NULL;
        struct topic topic;

        if (message->retained)
                l->retained_usec = l->now_usec;
        if (topic_parse(message->topic, &topic) == 0 &&
            view_take(&l->view, &topic, message->payload, message->size, &station) > 0 && l->heard)
                l->heard(l->userdata, &topic, station, message);
}

int listener_open(struct listener *l, const struct broker_settings *settings, const char *station)
{
        static const struct broker_events events = { .up = on_up,
                                                     .message = on_message,
                                                     .subscribed = on_subscribed };
        uint8_t random[8];
        char client_id[64], digits[2 * sizeof(random) + 1];
        int r;

        if (getrandom(random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        hex_encode(random, sizeof(random), digits);
        snprintf(client_id, sizeof(client_id), "espdfu-fleet-%s", digits);
        l->station = station;
        r = broker_new(settings, client_id, &events, l, &l->broker);
        if (r == 0)
                broker_is_unique(l->broker);
        return r;
}

void listener_close(struct listener *l)
{
        if (l->broker) {
                broker_leave(l->broker, 100 * USEC_PER_MSEC);
                broker_free(l->broker);
        }
        view_done(&l->view);
}

int listener_turn(struct listener *l, int fd, uint64_t deadline_usec, const sigset_t *mask)
{
        struct pollfd pfds[2] = { [1] = { .fd = fd, .events = POLLIN } };
        uint64_t until = broker_wait(l->broker, &pfds[0]);
        int r = poll_until(pfds, ARRAY_SIZE(pfds), MIN(until, deadline_usec), mask);

        l->now_usec = monotonic_usec();
        if (r <= 0)
                pfds[0].revents = 0;
        broker_step(l->broker, pfds[0].revents, l->now_usec);
        return r == -EINTR ? r : 0;
}

uint64_t listener_told_usec(const struct listener *l)
{
        return l->subscribed < filters(l) ? USEC_INFINITY : l->retained_usec + QUIET_USEC;
}

int listener_hear_all(struct listener *l)
{
        uint64_t end = monotonic_usec() + ALL_MAX;

        for (;;) {
                uint64_t told = listener_told_usec(l);

                if (monotonic_usec() >= told)
                        return broker_is_refused(l->broker) ? -EIO : 0;
                if (monotonic_usec() >= end)
                        return -ETIMEDOUT;
                (void)listener_turn(l, -1, MIN(told, end), NULL);
                if (!broker_is_up(l->broker) && *broker_trouble(l->broker))
                        return -EIO;
        }
}
