/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fleet/model-stations.h"

#include "fleet/topics.h"
#include "io/clock.h"
#include "io/poll.h"
#include "tests/fleet/records.h"

#define AT_THE_BROKER 200 /* more than this waits with us */

static void on_up(void *userdata)
{
        struct model_stations *m = userdata;

        m->ups++;
        m->on_their_way = 0;
        for (unsigned i = 0; i < m->n; i++)
                m->stations[i].sent = m->stations[i].delivered;
        assert_int_equal(broker_subscribe(m->broker, "espdfu/1/+/delivered"), 0);
}

static struct model_station *find(struct model_stations *m, const char *name)
{
        unsigned number;

        if (sscanf(name, "line%u", &number) != 1 || number >= m->n)
                return NULL;
        return &m->stations[number];
}

static void on_message(void *userdata, const struct broker_message *message)
{
        struct model_stations *m = userdata;
        struct model_station *station;
        struct delivered delivered;
        struct topic topic;

        assert_int_equal(topic_parse(message->topic, &topic), 0);
        station = find(m, topic.station);
        if (!station)
                return;
        assert_int_equal(delivered_parse(message->payload, message->size, &delivered), 0);
        assert_string_equal(delivered.station_id, station->id);
        /* Nobody may tell of a record that there is none of. */
        assert_true(delivered.sequence <= station->last);
        m->told++;
        if (delivered.sequence > station->delivered) {
                station->delivered = delivered.sequence;
                station->sent = MAX(station->sent, station->delivered);
                station->moved_usec = monotonic_usec();
        }
}

static void on_acknowledged(void *userdata, int number, bool refused)
{
        struct model_stations *m = userdata;

        (void)number;
        assert_false(refused);
        m->on_their_way -= m->on_their_way > 0;
}

void model_stations_open(struct model_stations *m, unsigned n)
{
        static const struct broker_events events = { .up = on_up,
                                                     .message = on_message,
                                                     .acknowledged = on_acknowledged };

        *m = (struct model_stations){ .settings = settings_of("stations"),
                                      .n = n,
                                      .again_usec = USEC_PER_SEC };
        m->stations = calloc(n, sizeof(*m->stations));
        assert_non_null(m->stations);
        for (unsigned i = 0; i < n; i++) {
                snprintf(m->stations[i].name, sizeof(m->stations[i].name), "line%u", i);
                snprintf(m->stations[i].id, sizeof(m->stations[i].id), "%032x", i + 0xa0);
        }
        assert_int_equal(broker_new(&m->settings, "stations", &events, m, &m->broker), 0);
}

void model_stations_close(struct model_stations *m)
{
        m->broker = broker_free(m->broker);
        free(m->stations);
}

void model_stations_work(struct model_stations *m, int64_t n)
{
        for (unsigned i = 0; i < m->n; i++) {
                m->stations[i].last += n;
                m->stations[i].moved_usec = monotonic_usec();
        }
}

int64_t model_stations_records(const struct model_stations *m)
{
        int64_t records = 0;

        for (unsigned i = 0; i < m->n; i++)
                records += m->stations[i].last;
        return records;
}

bool model_stations_all_delivered(const struct model_stations *m)
{
        for (unsigned i = 0; i < m->n; i++)
                if (m->stations[i].delivered < m->stations[i].last)
                        return false;
        return true;
}

static bool publish_next(struct model_stations *m, struct model_station *station)
{
        char topic[TOPIC_SIZE];
        char slot[8];
        _cleanup_(freep) char *payload = NULL;

        snprintf(slot, sizeof(slot), "S%u", (unsigned)(station->sent % 40));
        payload = record_payload(station->id, station->sent + 1, station->sent, "slot", json_string(slot));
        assert_int_equal(topic_print(topic, TOPIC_JOB, station->name, NULL), 0);
        if (broker_publish(m->broker, topic, payload, strlen(payload), 1, false, NULL) < 0)
                return false;
        station->sent++;
        m->on_their_way++;
        return true;
}

static void send_all(struct model_stations *m, uint64_t now)
{
        for (unsigned i = 0; i < m->n; i++) {
                struct model_station *station = &m->stations[i];

                if (station->delivered < station->sent && now >= station->moved_usec + m->again_usec) {
                        station->sent = station->delivered;
                        station->moved_usec = now;
                }
                while (m->on_their_way < AT_THE_BROKER && station->sent < station->last &&
                       station->sent < station->delivered + MODEL_WINDOW)
                        if (!publish_next(m, station))
                                return;
        }
}

void model_stations_turn(struct model_stations *m)
{
        struct pollfd pfd;
        uint64_t now = monotonic_usec(), until = broker_wait(m->broker, &pfd);

        (void)poll_until(&pfd, 1, MIN(until, now + 20 * USEC_PER_MSEC), NULL);
        now = monotonic_usec();
        broker_step(m->broker, pfd.revents, now);
        if (broker_is_up(m->broker) && !m->silent)
                send_all(m, now);
}
