/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/collect.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "core/hex.h"
#include "fleet/broker.h"
#include "fleet/known.h"
#include "fleet/queue.h"
#include "fleet/record.h"
#include "fleet/service.h"
#include "fleet/store.h"
#include "fleet/trouble.h"
#include "io/clock.h"
#include "io/poll.h"
#include "io/say.h"

#define ALL_JOBS      "espdfu/+/+/job" /* of every version: what is not ours to read is kept as well */
#define ALL_DELIVERED "espdfu/" TOPIC_VERSION "/+/delivered"
#define AWAY_GRACE    (10 * USEC_PER_SEC) /* a database that is restarted is back by then */
#define LEAVE_MAX     (5 * USEC_PER_SEC)  /* to bring in what is on its way, at the end */
#define HEARD_WAIT    (100 * USEC_PER_MSEC)
#define LINES_MAX     10 /* a minute of each kind, one by one */
#define MINUTE        (60 * USEC_PER_SEC)

/* Lines of one kind, of which a minute has only so many. */
struct lines {
        uint64_t minute;
        unsigned said; /* in it */
};

struct collector {
        const struct settings *settings;
        char filter[TOPIC_SIZE]; /* of our shared subscription */
        struct broker *broker;
        struct store *store;
        struct queue *queue;
        struct known known;
        size_t flying; /* of the queue: what the store was given and has not taken yet */
        size_t batch;  /* at most so many at a time: less after the store refused */
        bool subscribed;
        bool surveyed; /* the known stations are those of the store, and told */
        bool surveying;
        uint64_t away_usec; /* since when the store is away; 0: it is not */
        uint64_t tell_usec; /* when what was heard is answered; USEC_INFINITY: nothing was */
        uint64_t records, letters,
                full; /* committed; kept as letters; not taken because the queue was full */
        struct lines letter_lines, gap_lines;
        struct trouble letter; /* the last that was said */
        uint64_t now_usec;     /* of this turn */
};

/* ---- what the broker is told --------------------------------------------------------- */

static void tell_delivered(struct collector *c)
{
        const struct known_station *station;
        char topic[TOPIC_SIZE], text[DELIVERED_TEXT_SIZE];

        while (broker_is_up(c->broker) && (station = known_take(&c->known)))
                if (topic_print(topic, TOPIC_DELIVERED, station->name, NULL) == 0)
                        broker_publish(c->broker, topic, text, delivered_print(&station->delivered, text), 1,
                                       true, NULL);
        c->tell_usec = USEC_INFINITY;
}

/* Who cannot bring records in leaves them to the others who share the subscription. Of a short absence nobody is to notice. */
static void review_subscription(struct collector *c)
{
        bool is_long = c->away_usec > 0 && c->now_usec >= c->away_usec + AWAY_GRACE;
        bool is_full = queue_length(c->queue) > QUEUE_ITEMS_MAX / 2;
        bool wanted = c->surveyed && !is_long && !is_full && !service_is_ending();

        if (!broker_is_up(c->broker) || wanted == c->subscribed)
                return;
        if (wanted ? broker_subscribe(c->broker, c->filter) == 0
                   : broker_unsubscribe(c->broker, c->filter) == 0)
                c->subscribed = wanted;
}

static void on_up(void *userdata)
{
        struct collector *c = userdata;

        c->subscribed = false;
        (void)broker_subscribe_to_others(c->broker, ALL_DELIVERED);
        /* A broker that lost what it kept gets it again: the survey tells all. */
        c->surveyed = false;
}

static void on_down(void *userdata)
{
        struct collector *c = userdata;

        c->subscribed = false;
}

/* ---- what the broker says ------------------------------------------------------------ */

static void take_delivered(struct collector *c, const struct broker_message *m)
{
        struct delivered heard;

        if (delivered_parse(m->payload, m->size, &heard) < 0)
                return;
        known_heard(&c->known, &heard);
        if (c->known.n_to_be_told > 0 && c->tell_usec == USEC_INFINITY)
                c->tell_usec = c->now_usec + HEARD_WAIT;
}

static void take_job(struct collector *c, const struct broker_message *m)
{
        json_t *item = NULL;
        int r = record_read(m->topic, m->payload, m->size, &item);

        if (r >= 0) {
                r = queue_add(c->queue, item, r == RECORD_LETTER, c->now_usec);
                json_decref(item);
        }
        if (r == 0)
                return;
        if (c->full == 0)
                say_line("%s: %zu records wait for the database: what comes is not taken for now, and sent "
                         "again",
                         m->topic, queue_length(c->queue));
        c->full++;
}

static void on_message(void *userdata, const struct broker_message *m)
{
        struct topic topic;

        if (topic_parse(m->topic, &topic) == 0 && topic.kind == TOPIC_DELIVERED)
                take_delivered(userdata, m);
        else
                take_job(userdata, m);
}

/* ---- the store ----------------------------------------------------------------------- */

static void give(struct collector *c)
{
        _cleanup_(freep) char *messages = NULL;
        _cleanup_(freep) char *letters = NULL;
        uint64_t due = queue_since(c->queue) == USEC_INFINITY
                               ? USEC_INFINITY
                               : queue_since(c->queue) +
                                         c->settings->database.batch_wait_msec * USEC_PER_MSEC;
        int n;

        if (!store_is_ready(c->store))
                return;
        if (!c->surveyed) {
                c->surveying = store_survey(c->store, c->now_usec) == 0;
                return;
        }
        if (queue_length(c->queue) < c->batch && c->now_usec < due && !service_is_ending())
                return;
        n = queue_batch(c->queue, c->batch, &messages, &letters);
        if (n > 0 && store_take(c->store, messages, letters, c->now_usec) == 0)
                c->flying = (size_t)n;
}

static void on_ready(void *userdata)
{
        struct collector *c = userdata;

        c->away_usec = 0;
        give(c);
}

static void on_away(void *userdata)
{
        struct collector *c = userdata;

        c->flying = 0;
        c->surveyed = c->surveying = false;
        c->away_usec = c->now_usec;
}

/* Perhaps it was too much for it; or one record is, and then the others are to come in. */
static void on_refused(void *userdata)
{
        struct collector *c = userdata;

        c->flying = 0;
        c->surveying = false;
        c->batch = MAX(c->batch / 2, (size_t)1);
        if (c->away_usec == 0)
                c->away_usec = c->now_usec;
}

/* Whether one more is to be said; where it is the first that is not, that there are more, and where they are. */
static bool may_say(struct lines *lines, uint64_t now_usec, const char *where)
{
        if (lines->minute != now_usec / MINUTE)
                *lines = (struct lines){ .minute = now_usec / MINUTE };
        lines->said++;
        if (lines->said == LINES_MAX + 1)
                say_line("there are more of them: see %s", where);
        return lines->said <= LINES_MAX;
}

/* The same of many records, as of a station that was renamed, is one line. */
static void say_letter(struct collector *c, const json_t *letter)
{
        char text[TROUBLE_TEXT_MAX];

        c->letters++;
        snprintf(text, sizeof(text), "%s: %s", json_string_value(json_object_get(letter, "topic")),
                 json_string_value(json_object_get(letter, "why")));
        if (trouble_is(&c->letter, text, c->now_usec) &&
            may_say(&c->letter_lines, c->now_usec, "espdfu.dead_letter"))
                say_line("%s; kept in espdfu.dead_letter", text);
}

static void say_gap(struct collector *c, const json_t *gap)
{
        if (may_say(&c->gap_lines, c->now_usec, "espdfu.missing()"))
                say_line("station %s: the records with the numbers %" JSON_INTEGER_FORMAT
                         " to %" JSON_INTEGER_FORMAT
                         " are no more: its ledger had them no longer when they were to be sent; all that is "
                         "missing: SELECT * FROM espdfu.missing()",
                         json_string_value(json_object_get(gap, "name")),
                         json_integer_value(json_object_get(gap, "from")),
                         json_integer_value(json_object_get(gap, "to")));
}

static void on_taken(void *userdata, const json_t *reply)
{
        struct collector *c = userdata;
        json_t *item;
        size_t i;

        json_array_foreach(json_object_get(reply, "stations"), i, item)
        {
                const char *id = json_string_value(json_object_get(item, "station_id"));
                const char *name = json_string_value(json_object_get(item, "name"));

                if (id && name)
                        known_committed(&c->known, id, name,
                                        json_integer_value(json_object_get(item, "sequence")));
        }
        json_array_foreach(json_object_get(reply, "letters"), i, item) say_letter(c, item);
        json_array_foreach(json_object_get(reply, "gaps"), i, item) say_gap(c, item);
        c->records += (uint64_t)json_integer_value(json_object_get(reply, "added"));
        queue_drop(c->queue, c->flying);
        if (c->full > 0 && queue_length(c->queue) < QUEUE_ITEMS_MAX / 2) {
                say_line("what comes is taken again; %" PRIu64 " were not", c->full);
                c->full = 0;
        }
        c->batch = MIN(c->batch * 2, (size_t)c->settings->database.batch);
        c->flying = 0;
        c->surveyed = c->surveyed || c->surveying;
        c->surveying = false;
        tell_delivered(c);
}

/* ---- the loop ------------------------------------------------------------------------ */

static uint64_t next_deadline(const struct collector *c, uint64_t deadline)
{
        uint64_t since = queue_since(c->queue);

        if (store_is_ready(c->store) && since != USEC_INFINITY)
                deadline = MIN(deadline, since + c->settings->database.batch_wait_msec * USEC_PER_MSEC);
        if (c->away_usec > 0 && c->subscribed)
                deadline = MIN(deadline, c->away_usec + AWAY_GRACE);
        return MIN(deadline, c->tell_usec);
}

static void show(struct collector *c, struct service *service)
{
        const char *trouble = broker_is_up(c->broker) ? store_trouble(c->store) : broker_trouble(c->broker);

        service_status(service, "%zu stations, %" PRIu64 " records and %" PRIu64 " dead letters taken in%s%s",
                       c->known.n, c->records, c->letters, *trouble ? "; " : "", trouble);
}

/* until: when it ends anyway. */
static void turn(struct collector *c, struct service *service, uint64_t until)
{
        struct pollfd pfds[2];
        uint64_t deadline = MIN(broker_wait(c->broker, &pfds[0]), store_wait(c->store, &pfds[1]));
        int r;

        until = MIN(until, service_alive(service, monotonic_usec()));
        deadline = MIN(deadline, until);
        r = poll_until(pfds, ARRAY_SIZE(pfds), next_deadline(c, deadline),
                       service_is_ending() ? NULL : &service->waiting);
        if (r < 0)
                pfds[0].revents = pfds[1].revents = 0;
        c->now_usec = monotonic_usec();
        broker_step(c->broker, pfds[0].revents, c->now_usec);
        store_step(c->store, pfds[1].revents, c->now_usec);
        give(c);
        if (c->now_usec >= c->tell_usec)
                tell_delivered(c);
        review_subscription(c);
        show(c, service);
}

static void run(struct collector *c)
{
        struct service service;
        uint64_t until;

        service_start(&service);
        service_ready();
        while (!service_is_ending())
                turn(c, &service, USEC_INFINITY);
        service_stopping();
        until = monotonic_usec() + LEAVE_MAX;
        while ((c->flying > 0 || (queue_length(c->queue) > 0 && store_is_ready(c->store))) &&
               monotonic_usec() < until)
                turn(c, &service, until);
        broker_leave(c->broker, LEAVE_MAX);
}

static int open_all(struct collector *c)
{
        static const struct broker_events broker_events = { .up = on_up,
                                                            .down = on_down,
                                                            .message = on_message };
        static const struct store_events store_events = { on_ready, on_away, on_taken, on_refused };
        uint8_t random[8];
        char client_id[64], digits[2 * sizeof(random) + 1];
        int r;

        /* Each collector is a client of its own. */
        if (getrandom(random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        hex_encode(random, sizeof(random), digits);
        snprintf(client_id, sizeof(client_id), "espdfu-collect-%s", digits);
        snprintf(c->filter, sizeof(c->filter), "$share/%s/" ALL_JOBS, c->settings->collector.group);
        c->queue = queue_new();
        r = c->queue ? broker_new(&c->settings->broker, client_id, &broker_events, c, &c->broker) : -ENOMEM;
        if (r == 0)
                broker_is_unique(c->broker);
        if (r == 0)
                r = store_new(c->settings->database.connection, c->settings->broker.retry_max_sec,
                              &store_events, c, &c->store);
        return r;
}

static void close_all(struct collector *c)
{
        if (c->broker)
                broker_free(c->broker);
        if (c->store)
                store_free(c->store);
        if (c->queue)
                queue_free(c->queue);
        known_done(&c->known);
}

int collect(const struct settings *settings)
{
        struct collector collector = { .settings = settings,
                                       .tell_usec = USEC_INFINITY,
                                       .batch = settings->database.batch };
        int r = open_all(&collector);

        if (r == 0)
                run(&collector);
        close_all(&collector);
        return r;
}
