/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the collector makes of what comes: records, letters, the queue before the store, and what it has to tell whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/messages.h"
#include "fleet/known.h"
#include "fleet/queue.h"
#include "fleet/record.h"
#include "tests/fleet/records.h"

#define ID    "0123456789abcdef0123456789abcdef"
#define TOPIC "espdfu/1/line3/job"

/* To be freed; value is taken over, and NULL leaves the field out. */
static char *payload_with(const char *name, json_t *value)
{
        return record_payload(ID, 7, 6, name, value);
}

static json_t *read_as(const char *topic, const char *payload, size_t size, int expected)
{
        json_t *item = NULL;

        assert_int_equal(record_read(topic, payload, size, &item), expected);
        assert_non_null(item);
        return item;
}

static const char *text_in(const json_t *item, const char *name)
{
        return json_string_value(json_object_get(item, name));
}

static void test_record_has_every_field_that_an_attempt_has_and_no_other(void **state)
{
        size_t n = 0, of_record = 0;

        (void)state;
        while (attempt_field(n)) {
                bool found = false;

                for (size_t i = 0; record_field(i); i++)
                        found = found || streq(record_field(i), attempt_field(n));
                if (!found)
                        fail_msg("%s of an attempt is in no column", attempt_field(n));
                n++;
        }
        while (record_field(of_record))
                of_record++;
        assert_int_equal(of_record, n + 2); /* station_id and previous */
}

static void test_record_goes_to_its_columns(void **state)
{
        _cleanup_(freep) char *payload = payload_with(NULL, NULL);
        json_t *item = read_as(TOPIC, payload, strlen(payload), 0), *row = json_object_get(item, "record");

        (void)state;
        assert_string_equal(text_in(item, "topic"), TOPIC);
        assert_string_equal(text_in(item, "name"), "line3");
        assert_string_equal(text_in(item, "payload"), payload);
        assert_string_equal(text_in(item, "station_id"), ID);
        assert_int_equal(json_integer_value(json_object_get(item, "sequence")), 7);
        assert_int_equal(json_integer_value(json_object_get(item, "previous")), 6);
        assert_string_equal(text_in(row, "start_time"), "2025-11-27T09:41:00.123456Z");
        assert_string_equal(text_in(row, "end_time"), "2025-11-27T09:41:10.000001Z");
        assert_null(json_object_get(row, "start_realtime_usec"));
        assert_string_equal(text_in(row, "message"), "errFIRMWARE \"x\"\n");
        assert_null(json_object_get(row, "unknown"));
        json_decref(item);
}

static void test_what_a_newer_station_tells_is_kept_beside_the_columns(void **state)
{
        _cleanup_(freep) char *payload = payload_with("colour", json_string("green"));
        json_t *item = read_as(TOPIC, payload, strlen(payload), 0);
        json_t *row = json_object_get(item, "record");

        (void)state;
        assert_string_equal(text_in(json_object_get(row, "unknown"), "colour"), "green");
        json_decref(item);
}

static void test_field_that_may_be_absent_is_left_out(void **state)
{
        static const char *const names[] = { "mac",       "message", "image_path",
                                             "away_usec", "station", "data_file" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                for (int absent = 0; absent < 2; absent++) {
                        _cleanup_(freep) char *payload = payload_with(names[i], absent ? NULL : json_null());
                        json_t *item = read_as(TOPIC, payload, strlen(payload), 0);

                        assert_null(json_object_get(json_object_get(item, "record"), names[i]));
                        json_decref(item);
                }
}

/* A letter keeps its place where that is legible: without it the station would wait for ever. */
static void test_record_with_a_wrong_field_is_a_letter_in_its_place(void **state)
{
        struct {
                const char *field;
                json_t *value;
                const char *why;
        } cases[] = {
                { "job", json_integer(3), "job: expected a text of at most 4096 bytes" },
                { "slot", NULL, "slot is missing: expected a text of at most 4096 bytes" },
                { "slot", json_null(), "slot: expected a text of at most 4096 bytes" },
                { "mac", json_true(), "mac: expected a text of at most 4096 bytes, or null" },
                { "bytes", json_integer(-1), "bytes: expected a number from 0 on" },
                { "bytes", json_real(1.5), "bytes: expected a number from 0 on" },
                { "away_usec", json_string("2"), "away_usec: expected a number from 0 on, or null" },
                { "attempt", json_integer(INT64_C(1) << 31), "attempt: expected a number below 2^31" },
                { "final", json_integer(1), "final: expected true or false" },
                { "end_realtime_usec", NULL,
                  "end_realtime_usec is missing: expected microseconds since 1970, before the year 10000" },
                { "start_realtime_usec", json_integer(INT64_C(253402300800000000)),
                  "start_realtime_usec: expected microseconds since 1970, before the year 10000" },
                { "verdict", json_string("none"), "verdict: none: expected a record that has ended" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(freep) char *payload = payload_with(cases[i].field, cases[i].value);
                json_t *item = read_as(TOPIC, payload, strlen(payload), RECORD_LETTER);

                assert_string_equal(text_in(item, "why"), cases[i].why);
                assert_string_equal(text_in(item, "payload"), payload);
                assert_string_equal(text_in(item, "station_id"), ID);
                assert_int_equal(json_integer_value(json_object_get(item, "sequence")), 7);
                assert_null(json_object_get(item, "record"));
                json_decref(item);
        }
}

static void test_text_of_the_longest_length_is_taken_and_a_longer_one_is_not(void **state)
{
        _cleanup_(freep) char *text = malloc(4098);

        (void)state;
        memset(text, 'x', 4097);
        for (size_t length = 4096; length <= 4097; length++) {
                _cleanup_(freep) char *payload = payload_with("message", json_stringn(text, length));

                json_decref(read_as(TOPIC, payload, strlen(payload), length == 4096 ? 0 : RECORD_LETTER));
        }
}

static void test_place_that_makes_no_sense_is_none(void **state)
{
        struct {
                const char *field;
                json_t *value;
                const char *why;
        } cases[] = {
                { "station_id", NULL, "station_id is missing: expected 32 hexadecimal digits in lower case" },
                { "station_id", json_string("0123456789ABCDEF0123456789ABCDEF"),
                  "station_id: expected 32 hexadecimal digits in lower case" },
                { "station_id", json_string("0123"),
                  "station_id: expected 32 hexadecimal digits in lower case" },
                { "station_id", json_integer(1), "station_id: expected 32 hexadecimal digits in lower case" },
                { "sequence", NULL, "sequence is missing: expected a number from 1 on" },
                { "sequence", json_null(), "sequence: expected a number from 1 on" },
                { "sequence", json_string("7"), "sequence: expected a number from 1 on" },
                { "sequence", json_integer(6), "previous: expected a number from 0 on, below sequence" },
                { "sequence", json_integer(0), "sequence: expected a number from 1 on" },
                { "previous", NULL, "previous is missing: expected a number from 0 on, below sequence" },
                { "previous", json_integer(7), "previous: expected a number from 0 on, below sequence" },
                { "previous", json_integer(-1), "previous: expected a number from 0 on, below sequence" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(freep) char *payload = payload_with(cases[i].field, cases[i].value);
                json_t *item = read_as(TOPIC, payload, strlen(payload), RECORD_LETTER);

                assert_string_equal(text_in(item, "why"), cases[i].why);
                assert_null(json_object_get(item, "station_id"));
                json_decref(item);
        }
}

static void test_payload_that_is_no_object_is_a_letter_as_it_came(void **state)
{
        static const struct {
                const char *payload;
                size_t size;
                const char *bytes, *why;
        } cases[] = {
                { "", 0, "", "it is empty: expected one JSON object" },
                { "\0\xff\n", 3, "00ff0a", "byte 1: it is no JSON: expected one JSON object" },
                { "[1]", 3, "5b315d", "it is another JSON value: expected one JSON object" },
                { "{\"a\":1", 6, "7b2261223a31", "byte 6: it ends too early: expected one JSON object" },
                { "{\"a\":\"\xff\"}", 9, "7b2261223a22ff227d", "byte 6: it is no UTF-8: expected one JSON object" },
                { "{\"a\":1,\"a\":2}", 13, "7b2261223a312c2261223a327d",
                  "byte 10: a field comes twice: expected each once" },
                { "{\"a\":\"\\u0000\"}", 14, "7b2261223a225c7530303030227d",
                  "byte 13: a text has \\u0000: expected none in a record" },
                { "{} {}", 5, "7b7d207b7d", "byte 4: there is more behind it: expected one JSON object" },
                { "{\"n\":99999999999999999999}", 26, "7b226e223a39393939393939393939393939393939393939397d",
                  "byte 25: a number is too large: expected at most 9223372036854775807" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                json_t *item = read_as(TOPIC, cases[i].payload, cases[i].size, RECORD_LETTER);

                assert_string_equal(text_in(item, "bytes"), cases[i].bytes);
                assert_string_equal(text_in(item, "why"), cases[i].why);
                assert_null(json_object_get(item, "payload"));
                json_decref(item);
        }
}

static void test_payload_that_is_too_long_is_kept_in_part(void **state)
{
        _cleanup_(freep) char *payload = calloc(1, RECORD_PAYLOAD_MAX + 1);
        json_t *item = read_as(TOPIC, payload, RECORD_PAYLOAD_MAX + 1, RECORD_LETTER);

        (void)state;
        assert_int_equal(strlen(text_in(item, "bytes")), 2 * RECORD_PAYLOAD_MAX);
        assert_string_equal(text_in(item, "why"), "65537 bytes: expected at most 65536");
        json_decref(item);
}

/* Even if it looks like one of ours: who knows what the other version means by it. */
static void test_record_of_another_version_is_a_letter_without_a_place(void **state)
{
        _cleanup_(freep) char *payload = payload_with(NULL, NULL);
        json_t *item = read_as("espdfu/2/line3/job", payload, strlen(payload), RECORD_LETTER);

        (void)state;
        assert_string_equal(text_in(item, "why"), "another version of the topics: expected espdfu/1/");
        assert_null(json_object_get(item, "station_id"));
        assert_null(json_object_get(item, "name"));
        json_decref(item);
        item = read_as("espdfu/1/line3/online", payload, strlen(payload), RECORD_LETTER);
        assert_string_equal(text_in(item, "why"), "expected the topic espdfu/1/STATION/job");
        json_decref(item);
        item = read_as("espdfu/1/line%b0/job", payload, strlen(payload), RECORD_LETTER);
        assert_string_equal(text_in(item, "why"), "expected the topic espdfu/1/STATION/job");
        assert_null(json_object_get(item, "name"));
        json_decref(item);
}

/* ---- the queue ---- */

static void add_number(struct queue *q, int number, bool is_letter, uint64_t now_usec)
{
        json_t *item = json_integer(number);
        json_t *array = json_pack("[o]", item);

        assert_int_equal(queue_add(q, array, is_letter, now_usec), 0);
        json_decref(array);
}

static void test_queue_gives_the_first_again_until_they_are_dropped(void **state)
{
        _cleanup_(queue_freep) struct queue *q = queue_new();

        (void)state;
        assert_true(queue_since(q) == USEC_INFINITY);
        for (int i = 0; i < 5; i++)
                add_number(q, i, i == 1, (uint64_t)(100 + i));
        for (int again = 0; again < 2; again++) {
                _cleanup_(freep) char *messages = NULL;
                _cleanup_(freep) char *letters = NULL;

                assert_int_equal(queue_batch(q, 3, &messages, &letters), 3);
                assert_string_equal(messages, "[[0],[2]]");
                assert_string_equal(letters, "[[1]]");
                assert_int_equal(queue_since(q), 100);
        }
        queue_drop(q, 3);
        assert_int_equal(queue_since(q), 103);
        assert_int_equal(queue_length(q), 2);
        queue_drop(q, 2);
        {
                _cleanup_(freep) char *messages = NULL;
                _cleanup_(freep) char *letters = NULL;

                assert_int_equal(queue_batch(q, 3, &messages, &letters), 0);
                assert_string_equal(messages, "[]");
                assert_string_equal(letters, "[]");
        }
}

static void test_full_queue_takes_no_more_and_then_does_again(void **state)
{
        _cleanup_(queue_freep) struct queue *q = queue_new();
        json_t *item = json_pack("[i]", 1);

        (void)state;
        for (size_t i = 0; i < QUEUE_ITEMS_MAX; i++)
                assert_int_equal(queue_add(q, item, false, 1), 0);
        assert_int_equal(queue_add(q, item, false, 1), -ENOBUFS);
        queue_drop(q, 10);
        for (size_t i = 0; i < 10; i++)
                assert_int_equal(queue_add(q, item, false, 2), 0);
        assert_int_equal(queue_add(q, item, false, 1), -ENOBUFS);
        queue_drop(q, QUEUE_ITEMS_MAX - 10);
        assert_int_equal(queue_since(q), 2);
        json_decref(item);
}

static void test_queue_is_bounded_in_bytes_and_so_is_a_batch(void **state)
{
        _cleanup_(queue_freep) struct queue *q = queue_new();
        _cleanup_(freep) char *messages = NULL;
        _cleanup_(freep) char *letters = NULL;
        _cleanup_(freep) char *text = calloc(1, MIB + 1);
        json_t *item;
        size_t n = 0;

        (void)state;
        memset(text, 'x', MIB);
        item = json_pack("[s]", text);
        while (queue_add(q, item, false, 1) == 0)
                n++;
        assert_int_equal(n, QUEUE_BYTES_MAX / MIB);
        assert_int_equal(queue_batch(q, 1000, &messages, &letters), QUEUE_BATCH_BYTES / MIB);
        json_decref(item);
}

/* ---- what is told ---- */

static struct delivered heard(const char *id, int64_t sequence)
{
        struct delivered d = { .sequence = sequence };

        snprintf(d.station_id, sizeof(d.station_id), "%s", id);
        return d;
}

static void expect_told(struct known *known, const char *id, const char *name, int64_t sequence)
{
        const struct known_station *station = known_take(known);

        assert_non_null(station);
        assert_string_equal(station->delivered.station_id, id);
        assert_string_equal(station->name, name);
        assert_int_equal(station->delivered.sequence, sequence);
}

static void test_what_is_committed_is_told_once(void **state)
{
        _cleanup_(known_done) struct known known = { 0 };

        (void)state;
        assert_int_equal(known_committed(&known, "b", "line2", 5), 0);
        assert_int_equal(known_committed(&known, "a", "line1", 3), 0);
        assert_int_equal(known_committed(&known, "b", "line2", 6), 0);
        expect_told(&known, "a", "line1", 3);
        expect_told(&known, "b", "line2", 6);
        assert_null(known_take(&known));
        assert_int_equal(known_committed(&known, "b", "renamed", 6), 0);
        expect_told(&known, "b", "renamed", 6);
        assert_null(known_take(&known));
}

static void test_lower_number_that_is_heard_is_put_right(void **state)
{
        _cleanup_(known_done) struct known known = { 0 };
        struct delivered lower = heard("a", 2), same = heard("a", 3), higher = heard("a", 4),
                         foreign = heard("z", 1);

        (void)state;
        known_committed(&known, "a", "line1", 3);
        expect_told(&known, "a", "line1", 3);
        known_heard(&known, &same);
        known_heard(&known, &higher);
        known_heard(&known, &foreign);
        assert_null(known_take(&known));
        known_heard(&known, &lower);
        known_heard(&known, &lower);
        expect_told(&known, "a", "line1", 3);
        assert_null(known_take(&known));
}

static void test_thousands_of_stations_are_told_each_once(void **state)
{
        _cleanup_(known_done) struct known known = { 0 };
        char id[STATION_ID_SIZE];
        unsigned n = 0;

        (void)state;
        for (unsigned i = 0; i < 5000; i++) {
                snprintf(id, sizeof(id), "%032x", i * 7919 % 5000);
                assert_int_equal(known_committed(&known, id, "line", i), 0);
        }
        while (known_take(&known))
                n++;
        assert_int_equal(n, 5000);
        assert_int_equal(known.n, 5000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_record_has_every_field_that_an_attempt_has_and_no_other),
                cmocka_unit_test(test_record_goes_to_its_columns),
                cmocka_unit_test(test_what_a_newer_station_tells_is_kept_beside_the_columns),
                cmocka_unit_test(test_field_that_may_be_absent_is_left_out),
                cmocka_unit_test(test_record_with_a_wrong_field_is_a_letter_in_its_place),
                cmocka_unit_test(test_text_of_the_longest_length_is_taken_and_a_longer_one_is_not),
                cmocka_unit_test(test_place_that_makes_no_sense_is_none),
                cmocka_unit_test(test_payload_that_is_no_object_is_a_letter_as_it_came),
                cmocka_unit_test(test_payload_that_is_too_long_is_kept_in_part),
                cmocka_unit_test(test_record_of_another_version_is_a_letter_without_a_place),
                cmocka_unit_test(test_queue_gives_the_first_again_until_they_are_dropped),
                cmocka_unit_test(test_full_queue_takes_no_more_and_then_does_again),
                cmocka_unit_test(test_queue_is_bounded_in_bytes_and_so_is_a_batch),
                cmocka_unit_test(test_what_is_committed_is_told_once),
                cmocka_unit_test(test_lower_number_that_is_heard_is_put_right),
                cmocka_unit_test(test_thousands_of_stations_are_told_each_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
