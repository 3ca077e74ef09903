/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The station's records: read from its ledger, published in order, and acknowledged there when the collector has them. */
#include <inttypes.h>
#include <stdio.h>

#include "core/messages.h"
#include "fleet/bridge-internal.h"
#include "fleet/cursor-file.h"
#include "io/say.h"

#define EXTENT_USEC                                                                                          \
        (5 *                                                                                                 \
         USEC_PER_SEC) /* what no slot shows (an attempt that was cancelled before it began) is found so */
#define CURSOR_USEC                                                                                          \
        (USEC_PER_SEC / 2) /* how often the cursor is written at most: each time waits for the disk */
#define WORD_WAIT        (2 * USEC_PER_SEC)  /* for what the broker retains of the collector's word */
#define CURSOR_RETRY     (5 * USEC_PER_SEC)  /* after the disk took it not */
#define ACKNOWLEDGE_WAIT (60 * USEC_PER_SEC) /* after the station took it not */

int bridge_records_start(struct bridge *b, const char *state_dir)
{
        struct delivered cursor = { 0 };

        b->word_usec = USEC_INFINITY;
        delivery_init(&b->delivery, b->settings->station.window,
                      b->settings->station.send_again_sec * USEC_PER_SEC);
        if (asprintf(&b->cursor_path, "%s/cursor", state_dir) < 0) {
                b->cursor_path = NULL;
                return -ENOMEM;
        }
        if (cursor_file_read(b->cursor_path, &cursor) == 0) {
                b->on_disk = cursor;
                delivery_resume(&b->delivery, &cursor);
        }
        return 0;
}

void bridge_records_look(struct bridge *b)
{
        b->extent_usec = 0;
}

void bridge_records_away(struct bridge *b)
{
        delivery_station_down(&b->delivery);
        b->identified = false;
        b->acknowledged = 0;
        b->acknowledge_usec = 0;
        b->extent_usec = 0;
}

/* ---- the extent: which ledger it is, and how many records it has ---- */

/* A cursor that is above the ledger's end may be wrong, and the collector is about to say so. */
static bool collector_may_know_better(const struct bridge *b)
{
        return !streq(b->heard.station_id, b->id) && b->now_usec < b->word_usec;
}

static void review_ledger(struct bridge *b)
{
        char text[TROUBLE_TEXT_MAX];

        if (!b->identified)
                return;
        if (!b->delivery.restored) {
                if (trouble_over(&b->ledger_trouble))
                        say_line("the station's records are sent again, from number %" PRId64 " on",
                                 b->delivery.cursor.sequence + 1);
                return;
        }
        if (collector_may_know_better(b))
                return;
        snprintf(text, sizeof(text),
                 "the station's ledger ends with number %" PRId64 ", but number %" PRId64
                 " is delivered: it is an older copy; no record is sent until it has another id: expected "
                 "espdfud --new-ledger-id, see espdfud(8)",
                 b->delivery.last, MAX(b->delivery.cursor.sequence, b->delivery.ahead));
        /* The numbers go on: it is the same trouble. */
        if (!b->ledger_trouble.text[0] || b->now_usec >= b->ledger_trouble.said_usec + TROUBLE_AGAIN)
                if (trouble_is(&b->ledger_trouble, text, b->now_usec))
                        say_line("%s", text);
}

static void identify(struct bridge *b, int64_t last)
{
        if (delivery_station_up(&b->delivery, b->id, b->id_since, last) == DELIVERY_OTHER_LEDGER)
                say_line("the station has the ledger %s now: its records are sent from number %" PRId64 " on",
                         b->id, b->id_since + 1);
        b->identified = true;
        /* What the collector said while nobody knew of which ledger. */
        (void)delivery_delivered(&b->delivery, &b->heard, true, b->now_usec);
}

static void on_extent(void *userdata, const char *error, const json_t *parameters)
{
        struct bridge *b = userdata;
        json_t *recorded = json_object_get(parameters, "attempts_recorded");

        b->extent_usec = b->now_usec + EXTENT_USEC;
        if (error || !json_is_integer(recorded) || !b->id[0])
                return;
        if (b->identified)
                (void)delivery_extent(&b->delivery, json_integer_value(recorded));
        else
                identify(b, json_integer_value(recorded));
}

/* ---- records ---- */

/* The attempt with what makes it a record of the fleet. To be freed. */
static char *record_text(const struct bridge *b, const json_t *attempt, int64_t previous)
{
        json_t *record = json_copy((json_t *)(uintptr_t)attempt);
        char *text = NULL;

        if (record && json_object_set_new(record, "station_id", json_string(b->id)) == 0 &&
            json_object_set_new(record, "previous", json_integer((json_int_t)previous)) == 0)
                text = json_dumps(record, JSON_COMPACT);
        json_decref(record);
        return text;
}

static void send_record(struct bridge *b, const json_t *attempt)
{
        int64_t sequence = json_integer_value(json_object_get(attempt, "sequence")), previous = 0;
        _cleanup_(freep) char *text = NULL;
        char topic[TOPIC_SIZE];
        bool gap = false;
        int r;

        feed_read_ahead(b->feed);
        if (!delivery_record(&b->delivery, sequence, b->now_usec, &previous, &gap))
                return;
        if (gap)
                say_line("the records between the numbers %" PRId64 " and %" PRId64
                         " are no more: the station has removed them, or somebody has",
                         previous, sequence);
        text = record_text(b, attempt, previous);
        r = text ? topic_print(topic, TOPIC_JOB, b->name, NULL) : -ENOMEM;
        if (r == 0)
                r = broker_publish(b->broker, topic, text, strlen(text), 1, false, NULL);
        if (r < 0 && r != -ENOTCONN)
                say_line("record %" PRId64 " cannot be published: %s; it is tried again", sequence,
                         strerror(-r));
}

static void on_page(void *userdata, const char *error, const json_t *parameters)
{
        struct bridge *b = userdata;
        const json_t *attempts = json_object_get(parameters, "attempts"), *attempt;
        size_t i;

        if (error || !json_is_array(attempts)) {
                delivery_page_over(&b->delivery, -1);
                return;
        }
        json_array_foreach(attempts, i, attempt) send_record(b, attempt);
        delivery_page_over(&b->delivery, (int)json_array_size(attempts));
}

/* ---- delivered ---- */

void bridge_records_subscribed(struct bridge *b)
{
        if (b->word_usec == USEC_INFINITY)
                b->word_usec = b->now_usec + WORD_WAIT;
}

void bridge_take_delivered(struct bridge *b, const struct broker_message *message)
{
        struct delivered delivered;

        if (delivered_parse(message->payload, message->size, &delivered) < 0) {
                char text[TROUBLE_TEXT_MAX];

                snprintf(text, sizeof(text),
                         "%s: not what a collector says: expected {\"station_id\":\"32 hexadecimal "
                         "digits\",\"sequence\":a number from 0 on}; it is ignored",
                         message->topic);
                if (trouble_is(&b->delivered_trouble, text, b->now_usec))
                        say_line("%s", text);
                return;
        }
        b->heard = delivered;
        if (b->identified)
                (void)delivery_delivered(&b->delivery, &delivered, message->retained, b->now_usec);
}

static bool cursor_is_on_disk(const struct bridge *b)
{
        return b->on_disk.sequence == b->delivery.cursor.sequence &&
               streq(b->on_disk.station_id, b->delivery.cursor.station_id);
}

static void write_cursor(struct bridge *b)
{
        const struct delivered cursor = b->delivery.cursor;
        int r = cursor_file_write(b->cursor_path, &cursor);
        char text[TROUBLE_TEXT_MAX];

        feed_read_ahead(b->feed); /* the disk may have taken its time */
        if (r == 0) {
                b->on_disk = cursor;
                b->cursor_usec = b->now_usec + CURSOR_USEC;
                if (trouble_over(&b->cursor_trouble))
                        say_line("%s: written again", b->cursor_path);
                return;
        }
        b->cursor_usec = b->now_usec + CURSOR_RETRY;
        snprintf(text, sizeof(text),
                 "%s: cannot be written: %s; records go on, and the station keeps all that is not written "
                 "there",
                 b->cursor_path, strerror(-r));
        if (trouble_is(&b->cursor_trouble, text, b->now_usec))
                say_line("%s", text);
}

/* ---- acknowledging ---- */

static void on_acknowledged(void *userdata, const char *error, const json_t *parameters)
{
        struct bridge *b = userdata;
        char text[TROUBLE_TEXT_MAX];

        if (!error && !parameters)
                return; /* it is gone */
        if (!error) {
                b->acknowledged = json_integer_value(json_object_get(parameters, "sequence"));
                (void)trouble_over(&b->acknowledge_trouble);
                return;
        }
        b->acknowledge_usec = b->now_usec + ACKNOWLEDGE_WAIT;
        if (streq(error, STATION_INTERFACE ".WrongSequence"))
                return; /* it has had more before: the store lost some */
        snprintf(text, sizeof(text),
                 "the station does not keep records for us (%s): expected espdfuctl consumer register %s "
                 "--user "
                 "espdfu-mqtt",
                 strrchr(error, '.') ? strrchr(error, '.') + 1 : error, b->settings->station.consumer);
        if (trouble_is(&b->acknowledge_trouble, text, b->now_usec))
                say_line("%s", text);
}

/* ---- a turn ---- */

static bool acknowledgement_is_due(const struct bridge *b)
{
        return streq(b->on_disk.station_id, b->id) && b->on_disk.sequence > b->acknowledged &&
               b->now_usec >= b->acknowledge_usec;
}

static void ask(struct bridge *b)
{
        int64_t after;
        unsigned limit;

        if (!feed_is_free(b->feed) || !b->id[0])
                return;
        if (!b->identified || delivery_wants_extent(&b->delivery) || b->now_usec >= b->extent_usec)
                feed_ask(b->feed, STATION_INTERFACE ".Counters", NULL, on_extent);
        else if (acknowledgement_is_due(b))
                feed_ask(b->feed, STATION_INTERFACE ".Acknowledge",
                         json_pack("{s:s, s:I}", "consumer", b->settings->station.consumer, "sequence",
                                   (json_int_t)b->on_disk.sequence),
                         on_acknowledged);
        else if (b->broker && broker_is_up(b->broker) && !broker_is_choked(b->broker) &&
                 delivery_wants_page(&b->delivery, &after, &limit))
                feed_ask(b->feed, STATION_INTERFACE ".History",
                         json_pack("{s:I, s:i}", "after_sequence", (json_int_t)after, "limit", (int)limit),
                         on_page);
}

void bridge_records_end(struct bridge *b)
{
        if (b->delivery.cursor.station_id[0] && !cursor_is_on_disk(b))
                write_cursor(b);
}

uint64_t bridge_records_step(struct bridge *b)
{
        uint64_t next;

        (void)delivery_time(&b->delivery, b->now_usec);
        review_ledger(b);
        if (b->delivery.cursor.station_id[0] && !cursor_is_on_disk(b) && b->now_usec >= b->cursor_usec)
                write_cursor(b);
        ask(b);
        next = delivery_deadline(&b->delivery);
        if (b->identified && b->delivery.restored && collector_may_know_better(b))
                next = MIN(next, b->word_usec);
        if (!cursor_is_on_disk(b))
                next = MIN(next, b->cursor_usec);
        if (feed_is_free(b->feed) && b->id[0]) {
                next = MIN(next, b->extent_usec);
                if (b->on_disk.sequence > b->acknowledged)
                        next = MIN(next, MAX(b->acknowledge_usec, b->now_usec));
        }
        return next;
}
