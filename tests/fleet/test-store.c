/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The central store, in a real PostgreSQL: what espdfu.take() makes of what comes, and the schema's own life. */
#include "tests/fleet/store-bed.h"

#include <inttypes.h>

#include <libpq-fe.h>

#include "fleet/queue.h"
#include "fleet/record.h"
#include "fleet/store.h"
#include "io/clock.h"
#include "io/poll.h"
#include "tests/fleet/records.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- vocabulary ---- */

static struct queue *arrived; /* what comes until take() */
static json_t *reply;         /* of the last take() */

static void arrives(const char *topic, char *payload)
{
        json_t *item = NULL;
        int r = record_read(topic, payload, strlen(payload), &item);

        assert_true(r >= 0);
        assert_int_equal(queue_add(arrived, item, r == RECORD_LETTER, 1), 0);
        json_decref(item);
        free(payload);
}

static void record_arrives(const char *id, int64_t sequence, int64_t previous)
{
        arrives("espdfu/1/line3/job", record_payload(id, sequence, previous, NULL, NULL));
}

static void records_arrive(const char *id, int64_t first, int64_t last)
{
        for (int64_t sequence = first; sequence <= last; sequence++)
                record_arrives(id, sequence, sequence - 1);
}

static PGresult *take_by(PGconn *conn)
{
        _cleanup_(freep) char *messages = NULL;
        _cleanup_(freep) char *letters = NULL;
        int n = queue_batch(arrived, QUEUE_ITEMS_MAX, &messages, &letters);
        const char *const values[] = { messages, letters };

        queue_drop(arrived, (size_t)n);
        return PQexecParams(conn, "SELECT espdfu.take($1::jsonb, $2::jsonb)", 2, NULL, values, NULL, NULL, 0);
}

/* All that arrived, in one transaction. */
static void take(void)
{
        PGconn *conn = PQconnectdb(store_bed.connection);
        PGresult *result = take_by(conn);

        if (PQresultStatus(result) != PGRES_TUPLES_OK)
                fail_msg("%s", PQresultErrorMessage(result));
        json_decref(reply);
        reply = json_loads(PQgetvalue(result, 0, 0), 0, NULL);
        assert_non_null(reply);
        PQclear(result);
        PQfinish(conn);
}

static void expect_reply(const char *name, const char *expected)
{
        _cleanup_(freep) char *text = json_dumps(json_object_get(reply, name),
                                                 JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

        assert_string_equal(text, expected);
}

static void expect_delivered(const char *id, int64_t sequence)
{
        char number[32];

        snprintf(number, sizeof(number), "%" PRId64, sequence);
        assert_string_equal(sql("SELECT sequence FROM espdfu.station WHERE station_id = '%s'", id), number);
}

static void expect_records(const char *expected)
{
        assert_string_equal(
                sql("SELECT string_agg(left(station_id, 1) || sequence, ' ' ORDER BY station_id, sequence) "
                    "FROM espdfu.record"),
                expected);
}

/* Its first line of trouble, "" when it became ready. */
static void on_ready(void *userdata)
{
        *(bool *)userdata = true;
}

static void on_nothing(void *userdata)
{
        (void)userdata;
}

static bool bring_schema(const char *connection, char trouble[static 512])
{
        static const struct store_events events = { .ready = on_ready,
                                                    .away = on_nothing,
                                                    .refused = on_nothing };
        _cleanup_(store_freep) struct store *store = NULL;
        bool ready = false;

        assert_int_equal(store_new(connection, 0, &events, &ready, &store), 0);
        while (!ready && !*store_trouble(store)) {
                struct pollfd pfd;
                uint64_t deadline = store_wait(store, &pfd);

                (void)poll_until(&pfd, 1, deadline, NULL);
                store_step(store, pfd.revents, monotonic_usec());
        }
        snprintf(trouble, 512, "%s", store_trouble(store));
        return ready;
}

static void expect_schema(const char *connection)
{
        char trouble[512];

        if (!bring_schema(connection, trouble))
                fail_msg("%s", trouble);
}

static void expect_no_schema(const char *connection, const char *why)
{
        char trouble[512];

        assert_false(bring_schema(connection, trouble));
        if (!strstr(trouble, why))
                fail_msg("\"%s\" is not in: %s", why, trouble);
}

static int begin(void **state)
{
        (void)state;
        arrived = queue_new();
        sql_in(NULL);
        sql("DROP SCHEMA IF EXISTS espdfu CASCADE");
        expect_schema(store_bed.connection);
        return 0;
}

static int end(void **state)
{
        (void)state;
        arrived = queue_free(arrived);
        json_decref(reply);
        reply = NULL;
        return 0;
}

/* ---- records ---- */

static void test_record_is_in_its_columns_with_every_field(void **state)
{
        (void)state;
        arrives("espdfu/1/line3/job", record_payload(A, 7, 0, "colour", json_string("green")));
        take();
        assert_string_equal(
                sql("SELECT to_jsonb(r) - 'received_time' FROM espdfu.record AS r"),
                "{\"id\": 1007, \"job\": \"j1\", \"mac\": \"7c:df:a1:0b:00:12\", \"chip\": \"esp32s3\", "
                "\"path\": "
                "\"pci-0000:00:14.0-usb-0:4.1\", \"port\": \"1-4.1\", \"slot\": \"A1\", \"bytes\": 81920, "
                "\"final\": "
                "true, \"policy\": \"gizmo\", \"attempt\": 1, \"boot_id\": \"b\", \"message\": \"errFIRMWARE "
                "\\\"x\\\"\\n\", \"station\": \"line3\", \"unknown\": {\"colour\": \"green\"}, \"verdict\": "
                "\"board-error\", \"end_time\": \"2025-11-27T09:41:10.000001+00:00\", \"previous\": 0, "
                "\"sequence\": 7, "
                "\"away_usec\": 2, \"data_file\": \"/srv/data/unit-9.bin\", \"dfu_state\": \"dfuERROR\", "
                "\"transfers\": "
                "21, \"dfu_status\": \"errFIRMWARE\", \"image_name\": \"gizmo\", \"image_path\": "
                "\"/srv/gizmo.dfu\", "
                "\"start_time\": \"2025-11-27T09:41:00.123456+00:00\", \"station_id\": "
                "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", \"image_sha256\": \"6192ab\", \"duration_usec\": "
                "9876545, "
                "\"image_version\": \"1.4.2\", \"detaching_usec\": 1, \"engine_message\": \"e\", "
                "\"verifying_usec\": 4, \"downloading_usec\": 3, \"clock_synchronized\": true}");
}

static void test_every_field_of_a_record_has_a_column(void **state)
{
        (void)state;
        for (size_t i = 0; record_field(i); i++) {
                const char *field = record_field(i);
                const char *column = streq(field, "start_realtime_usec") ? "start_time"
                                     : streq(field, "end_realtime_usec") ? "end_time"
                                                                         : field;

                if (!streq(sql("SELECT count(*) FROM information_schema.columns WHERE table_schema = "
                               "'espdfu' AND "
                               "table_name = 'record' AND column_name = '%s'",
                               column),
                           "1"))
                        fail_msg("%s has no column", field);
        }
}

static void test_record_that_comes_again_is_there_once(void **state)
{
        (void)state;
        records_arrive(A, 1, 3);
        records_arrive(A, 2, 3);
        take();
        expect_reply("added", "3");
        records_arrive(A, 1, 5);
        take();
        expect_reply("added", "2");
        expect_reply("letters", "[]");
        expect_reply("stations", "[{\"name\":\"line3\",\"sequence\":5,\"station_id\":\"" A "\"}]");
        expect_records("a1 a2 a3 a4 a5");
        assert_string_equal(sql("SELECT count(*) FROM espdfu.dead_letter"), "0");
}

static void test_number_stops_before_a_gap_and_goes_on_when_it_is_filled(void **state)
{
        (void)state;
        records_arrive(A, 1, 3);
        records_arrive(A, 5, 8);
        take();
        expect_delivered(A, 3);
        records_arrive(A, 10, 12);
        take();
        expect_delivered(A, 3);
        records_arrive(A, 4, 4);
        take();
        expect_delivered(A, 8);
        records_arrive(A, 9, 9);
        take();
        expect_delivered(A, 12);
}

static void test_order_of_arrival_does_not_matter(void **state)
{
        (void)state;
        for (int64_t sequence = 20; sequence > 0; sequence--)
                record_arrives(A, sequence, sequence - 1);
        take();
        expect_delivered(A, 20);
}

/* previous 0: what the ledger had before was removed before anybody asked for it. */
static void test_station_may_begin_at_any_number(void **state)
{
        (void)state;
        record_arrives(A, 501, 0);
        record_arrives(A, 502, 501);
        take();
        expect_delivered(A, 502);
}

/* Somebody removed rows from under the bridge: what it sends next says where it was. */
static void test_rows_that_were_removed_hold_nothing_back(void **state)
{
        (void)state;
        records_arrive(A, 1, 4);
        record_arrives(A, 7, 6); /* 5 and 6 were on their way, and lost */
        take();
        expect_delivered(A, 4);
        record_arrives(A, 10, 4);
        record_arrives(A, 11, 10);
        take();
        expect_delivered(A, 11);
}

static void test_record_without_its_beginning_moves_nothing(void **state)
{
        (void)state;
        records_arrive(A, 5, 8);
        take();
        expect_delivered(A, 0);
        expect_reply("stations", "[{\"name\":\"line3\",\"sequence\":0,\"station_id\":\"" A "\"}]");
}

static void test_gap_before_more_than_is_looked_at_is_filled_all_the_same(void **state)
{
        (void)state;
        records_arrive(A, 2, 10500);
        while (queue_length(arrived) > 0)
                take();
        expect_delivered(A, 0);
        records_arrive(A, 1, 1);
        take();
        expect_delivered(A, 10500);
}

static void test_stations_do_not_mind_each_other(void **state)
{
        (void)state;
        arrives("espdfu/1/line3/job", record_payload(A, 1, 0, NULL, NULL));
        arrives("espdfu/1/line4/job", record_payload(B, 1, 0, "slot", json_string("B9")));
        arrives("espdfu/1/line4/job", record_payload(B, 2, 1, NULL, NULL));
        take();
        assert_string_equal(sql("SELECT name, sequence FROM espdfu.station ORDER BY name"),
                            "line3|1\nline4|2");
}

/* ---- whose a ledger is ---- */

#define LINE3S                                                                                               \
        "this ledger is station line3's, and nothing of it is taken under the name line4: if the station "   \
        "has got another name: SELECT espdfu.rename_station('line3', 'line4'); if line4 has a copy of its "  \
        "ledger: espdfud --new-ledger-id on line4; else line4 says that it is another one"

static void record_arrives_as(const char *name, int64_t sequence, int64_t previous)
{
        char topic[64];

        snprintf(topic, sizeof(topic), "espdfu/1/%s/job", name);
        arrives(topic, record_payload(A, sequence, previous, NULL, NULL));
}

static void test_nobody_speaks_of_another_stations_ledger(void **state)
{
        (void)state;
        records_arrive(A, 1, 3);
        take();
        sql("UPDATE espdfu.station SET last_seen = '2020-01-01'");
        record_arrives_as("line4", INT64_C(9000000000), 3);
        take();
        expect_reply("added", "0");
        expect_reply("stations", "[]"); /* nobody is told anything */
        expect_reply("letters", "[{\"topic\":\"espdfu/1/line4/job\",\"why\":\"" LINE3S "\"}]");
        assert_string_equal(sql("SELECT name, sequence, last_seen = '2020-01-01' FROM espdfu.station"),
                            "line3|3|t");
        assert_string_equal(sql("SELECT topic, why, num_nonnulls(station_id, sequence, previous), "
                                "convert_from(payload, 'UTF8')::jsonb->>'sequence' FROM espdfu.dead_letter"),
                            "espdfu/1/line4/job|" LINE3S "|0|9000000000");
        /* The station itself goes on, also in one batch with the other one. */
        record_arrives_as("line4", 5, 3);
        records_arrive(A, 4, 4);
        record_arrives_as("line4", 6, 5);
        take();
        expect_reply("stations", "[{\"name\":\"line3\",\"sequence\":4,\"station_id\":\"" A "\"}]");
        expect_records("a1 a2 a3 a4");
        assert_string_equal(sql("SELECT last_seen > '2020-01-01' FROM espdfu.station"), "t");
}

/* Nor by what is no record. */
static void test_letter_under_another_name_has_no_place(void **state)
{
        (void)state;
        records_arrive(A, 1, 2);
        arrives("espdfu/1/line4/job", record_payload(A, 3, 2, "final", json_integer(1)));
        take();
        expect_delivered(A, 2);
        assert_string_equal(sql("SELECT why, station_id IS NULL FROM espdfu.dead_letter"), LINE3S "|t");
}

static void test_ledger_is_the_names_that_comes_first_in_a_batch(void **state)
{
        (void)state;
        record_arrives_as("line3", 1, 0);
        record_arrives_as("line4", 2, 1);
        take();
        assert_string_equal(sql("SELECT name, sequence FROM espdfu.station"), "line3|1");
        assert_string_equal(sql("SELECT why FROM espdfu.dead_letter"), LINE3S);
}

/* Until it is said that it is the same station its records are letters, and it keeps them; then they come in. */
static void test_station_that_was_renamed_goes_on_when_it_is_said(void **state)
{
        (void)state;
        records_arrive(A, 1, 2);
        take();
        for (int again = 1; again <= 2; again++) {
                record_arrives_as("line4", 3, 2);
                arrives("espdfu/1/line4/job", record_payload(A, 4, 3, "final", json_integer(1)));
                record_arrives_as("line4", 5, 4);
                take();
                expect_reply("stations", "[]");
                assert_string_equal(sql("SELECT count(*), min(times), max(times) FROM espdfu.dead_letter"),
                                    again == 1 ? "3|1|1" : "3|2|2");
        }
        assert_string_equal(sql("SELECT espdfu.rename_station('line3', 'line4')"), "1");
        record_arrives_as("line4", 3, 2);
        arrives("espdfu/1/line4/job", record_payload(A, 4, 3, "final", json_integer(1)));
        record_arrives_as("line4", 5, 4);
        take();
        expect_reply("stations", "[{\"name\":\"line4\",\"sequence\":5,\"station_id\":\"" A "\"}]");
        expect_records("a1 a2 a3 a5");
        assert_string_equal(sql("SELECT sequence, why FROM espdfu.dead_letter WHERE station_id IS NOT NULL"),
                            "4|final: expected true or false");
        /* And the old name speaks for it no more. */
        record_arrives_as("line3", 6, 5);
        take();
        expect_delivered(A, 5);
}

static void test_renaming_wants_names_that_are_right(void **state)
{
        (void)state;
        records_arrive(A, 1, 1);
        take();
        assert_string_equal(sql_state("SELECT espdfu.rename_station('line9', 'line4')"), "P0002");
        assert_string_equal(sql_state("SELECT espdfu.rename_station('line3', '')"), "22023");
        assert_string_equal(sql_state("SELECT espdfu.rename_station('line3', NULL)"), "22023");
        assert_string_equal(sql_state("SELECT espdfu.rename_station('line3', repeat('x', 65))"), "22023");
        assert_string_equal(sql("SELECT name FROM espdfu.station"), "line3");
}

/* What an operator is to paste is what it looks like, whatever a station calls itself. */
static void test_name_in_a_letter_is_no_command(void **state)
{
        (void)state;
        records_arrive(A, 1, 1);
        take();
        arrives("espdfu/1/x'%29;%20DROP%20TABLE%20y--/job", record_payload(A, 2, 1, NULL, NULL));
        take();
        assert_non_null(strstr(sql("SELECT why FROM espdfu.dead_letter"),
                               "rename_station('line3', 'x''); DROP TABLE y--');"));
}

/* ---- gaps ---- */

static void test_numbers_that_are_no_more_are_told_once(void **state)
{
        (void)state;
        record_arrives(A, 501, 0); /* a beginning is none */
        take();
        expect_reply("gaps", "[]");
        record_arrives(A, 507, 501);
        records_arrive(A, 508, 509);
        take();
        expect_reply("gaps", "[{\"from\":502,\"name\":\"line3\",\"to\":506}]");
        record_arrives(A, 507, 501);
        records_arrive(A, 510, 510);
        take();
        expect_reply("gaps", "[]");
        /* Beyond what is reached nobody knows yet. */
        records_arrive(A, 515, 516);
        take();
        expect_reply("gaps", "[]");
        arrives("espdfu/1/line4/job", record_payload(B, 4, 0, "final", json_integer(1)));
        arrives("espdfu/1/line4/job", record_payload(B, 5, 4, NULL, NULL));
        take();
        assert_string_equal(
                sql("SELECT station, missing_from, missing_to, may_still_come FROM espdfu.missing()"),
                "line3|502|506|f\nline3|511|514|t");
        /* A record whose predecessor was there before it was removed is behind none. */
        record_arrives(A, 515, 510);
        take();
        expect_reply("gaps", "[{\"from\":511,\"name\":\"line3\",\"to\":514}]");
}

/* ---- letters ---- */

static void test_other_contents_under_a_used_number_are_a_letter_and_the_first_stay(void **state)
{
        (void)state;
        records_arrive(A, 1, 2);
        take();
        arrives("espdfu/1/line3/job", record_payload(A, 2, 1, "slot", json_string("A9")));
        arrives("espdfu/1/line3/job", record_payload(A, 3, 2, NULL, NULL));
        take();
        expect_reply("added", "1");
        expect_reply("letters",
                     "[{\"topic\":\"espdfu/1/line3/job\",\"why\":\"another record of this station has this "
                     "number, with another slot\"}]");
        expect_delivered(A, 3);
        assert_string_equal(sql("SELECT slot FROM espdfu.record WHERE sequence = 2"), "A1");
        assert_string_equal(
                sql("SELECT convert_from(payload, 'UTF8')::jsonb->>'slot', station_id, sequence, previous, "
                    "times FROM espdfu.dead_letter"),
                "A9|" A "|2|1|1");
        /* Sent again it is counted, and not said again. */
        arrives("espdfu/1/line3/job", record_payload(A, 2, 1, "slot", json_string("A9")));
        take();
        expect_reply("letters", "[]");
        assert_string_equal(sql("SELECT times FROM espdfu.dead_letter"), "2");
}

static void test_two_contents_under_one_number_in_one_batch(void **state)
{
        (void)state;
        records_arrive(A, 1, 1);
        arrives("espdfu/1/line3/job", record_payload(A, 1, 0, "verdict", json_string("flashed")));
        take();
        assert_string_equal(sql("SELECT verdict FROM espdfu.record"), "board-error");
        assert_string_equal(sql("SELECT why FROM espdfu.dead_letter"),
                            "another record of this station has this number, with another verdict");
}

/* What differs between two sendings of one record is no conflict. */
static void test_another_previous_or_a_new_field_is_no_conflict(void **state)
{
        (void)state;
        record_arrives(A, 5, 4);
        take();
        record_arrives(A, 5, 0);
        arrives("espdfu/1/line3/job", record_payload(A, 5, 0, "colour", json_string("green")));
        take();
        assert_string_equal(sql("SELECT count(*) FROM espdfu.dead_letter"), "0");
}

/* The ledger's beginning was removed meanwhile: the one that says so counts. */
static void test_previous_that_is_lower_when_it_comes_again_fills_the_gap(void **state)
{
        (void)state;
        record_arrives(A, 5, 4);
        take();
        expect_delivered(A, 0);
        record_arrives(A, 5, 0);
        take();
        expect_delivered(A, 5);
}

static void test_letter_in_the_middle_holds_nothing_back(void **state)
{
        (void)state;
        records_arrive(A, 1, 2);
        arrives("espdfu/1/line3/job", record_payload(A, 3, 2, "final", json_integer(1)));
        records_arrive(A, 4, 5);
        take();
        expect_delivered(A, 5);
        expect_records("a1 a2 a4 a5");
        assert_string_equal(sql("SELECT sequence, why FROM espdfu.dead_letter"),
                            "3|final: expected true or false");
        arrives("espdfu/2/line3/job", strdup("{}"));
        arrives("espdfu/1/line3/job", strdup("nonsense \xff"));
        take();
        assert_string_equal(sql("SELECT count(*), count(station_id) FROM espdfu.dead_letter"), "3|1");
        assert_string_equal(sql("SELECT payload FROM espdfu.dead_letter ORDER BY id DESC LIMIT 1"),
                            "\\x6e6f6e73656e736520ff");
}

/* A name of 3000 characters that cannot be compressed is longer than an index takes: the database says no. */
static void test_record_that_the_database_refuses_is_a_letter_and_its_neighbours_are_records(void **state)
{
        char name[3001];
        uint32_t number = 1;

        (void)state;
        for (size_t i = 0; i < sizeof(name) - 1; i++) {
                number = number * 1664525 + 1013904223;
                name[i] = (char)('!' + number / 65536 % 90);
                name[i] = name[i] == '"' || name[i] == '\\' ? '.' : name[i];
        }
        name[sizeof(name) - 1] = '\0';
        records_arrive(A, 1, 2);
        arrives("espdfu/1/line3/job", record_payload(A, 3, 2, "image_name", json_string(name)));
        records_arrive(A, 4, 5);
        take();
        expect_reply("added", "4");
        expect_delivered(A, 5);
        expect_records("a1 a2 a4 a5");
        assert_non_null(
                strstr(sql("SELECT why FROM espdfu.dead_letter"), "the database refuses it: index row size"));
}

/* ---- two collectors ---- */

/* What arrived is given to second while first is in its transaction: it waits, and first's commit lets it go on. */
static void take_by_second_until_first_commits(PGconn *first, PGconn *second)
{
        _cleanup_(freep) char *messages = NULL;
        _cleanup_(freep) char *letters = NULL;
        struct pollfd pfd = { .fd = PQsocket(second), .events = POLLIN };
        const char *values[2];
        PGresult *result;

        queue_drop(arrived, (size_t)queue_batch(arrived, 100, &messages, &letters));
        values[0] = messages;
        values[1] = letters;
        assert_true(PQsendQueryParams(second, "SELECT espdfu.take($1::jsonb, $2::jsonb)", 2, NULL, values,
                                      NULL, NULL, 0));
        expect_sql("1", "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
        assert_int_equal(poll(&pfd, 1, 0), 0);
        PQclear(PQexec(first, "COMMIT"));
        result = PQgetResult(second);
        assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
        PQclear(result);
        PQfinish(first);
        PQfinish(second);
}

/* The second waits for the first one's commit, and then sees all that it did. */
static void test_two_that_take_the_same_station_at_once_leave_no_gap(void **state)
{
        PGconn *first = PQconnectdb(store_bed.connection), *second = PQconnectdb(store_bed.connection);

        (void)state;
        PQclear(PQexec(first, "BEGIN"));
        records_arrive(A, 1, 3);
        PQclear(take_by(first));
        records_arrive(B, 1, 1);
        records_arrive(A, 3, 6);
        take_by_second_until_first_commits(first, second);
        expect_delivered(A, 6);
        expect_delivered(B, 1);
        expect_records("a1 a2 a3 a4 a5 a6 b1");
}

/* Of a new ledger as well. */
static void test_two_that_hear_a_ledger_under_two_names_at_once_give_it_to_one(void **state)
{
        PGconn *first = PQconnectdb(store_bed.connection), *second = PQconnectdb(store_bed.connection);

        (void)state;
        PQclear(PQexec(first, "BEGIN"));
        records_arrive(A, 1, 3);
        PQclear(take_by(first));
        record_arrives_as("line4", 4, 3);
        record_arrives_as("line4", 1, 0);
        take_by_second_until_first_commits(first, second);
        assert_string_equal(sql("SELECT name, sequence FROM espdfu.station"), "line3|3");
        expect_records("a1 a2 a3");
        assert_string_equal(sql("SELECT count(*), count(station_id) FROM espdfu.dead_letter"), "2|0");
}

/* ---- the schema's life ---- */

static void test_schema_is_made_once_and_its_records_stay(void **state)
{
        (void)state;
        records_arrive(A, 1, 2);
        take();
        expect_schema(store_bed.connection);
        expect_records("a1 a2");
        assert_string_equal(sql("SELECT version FROM espdfu.version"), "1");
}

static void test_schema_by_hand_is_the_same(void **state)
{
        _cleanup_(freep) char *text = store_schema_sql();
        char before[20000];

        (void)state;
        snprintf(before, sizeof(before), "%s",
                 sql("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE "
                     "table_schema = "
                     "'espdfu' ORDER BY 1, ordinal_position"));
        sql("DROP SCHEMA espdfu CASCADE");
        sql("%s", text);
        assert_string_equal(
                sql("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE "
                    "table_schema = 'espdfu' ORDER BY 1, ordinal_position"),
                before);
        sql("%s", text); /* once more does no harm */
}

static void test_newer_schema_is_left_alone(void **state)
{
        (void)state;
        sql("UPDATE espdfu.version SET version = 2");
        expect_no_schema(store_bed.connection,
                         "its schema has version 2: expected 1: upgrade espdfu-collect");
        assert_string_equal(sql("SELECT version FROM espdfu.version"), "2");
}

static void test_database_that_is_not_utf8_is_refused(void **state)
{
        char connection[160];

        (void)state;
        sql("DROP DATABASE IF EXISTS ascii");
        sql("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'");
        snprintf(connection, sizeof(connection), "host=%s user=postgres dbname=ascii", store_bed.dir);
        expect_no_schema(connection, "its encoding is SQL_ASCII: expected UTF8");
}

/* The collector needs no more than this: docs/fleet.md. */
static void test_user_with_few_rights_takes_records_in_and_may_not_make_the_schema(void **state)
{
        char connection[160];

        (void)state;
        snprintf(connection, sizeof(connection), "host=%s user=collector dbname=espdfu", store_bed.dir);
        sql("DROP ROLE IF EXISTS collector");
        sql("CREATE ROLE collector LOGIN");
        sql("GRANT USAGE ON SCHEMA espdfu TO collector;"
            "GRANT SELECT ON ALL TABLES IN SCHEMA espdfu TO collector;"
            "GRANT INSERT, UPDATE ON espdfu.station, espdfu.dead_letter TO collector;"
            "GRANT INSERT, UPDATE (previous) ON espdfu.record TO collector");
        expect_schema(connection);
        sql_in(connection);
        assert_string_equal(sql("SELECT (espdfu.take('[]', '[]'))->>'added'"), "0");
        assert_string_equal(sql_state("DELETE FROM espdfu.record"), "42501");
        assert_string_equal(sql_state("SELECT espdfu.rename_station('line3', 'line4')"), "42501");
        sql_in(NULL);
        sql("DROP SCHEMA espdfu CASCADE");
        expect_no_schema(connection,
                         "permission denied for database espdfu: expected a user that may do so, or the "
                         "schema made before by the owner of the database: espdfu-collect --init");
        sql("DROP OWNED BY collector; DROP ROLE collector");
}

static void test_what_is_wrong_with_a_connection_is_one_line(void **state)
{
        char connection[160];

        (void)state;
        snprintf(connection, sizeof(connection), "host=%s user=postgres dbname=nothing", store_bed.dir);
        expect_no_schema(connection, "database \"nothing\" does not exist");
        snprintf(connection, sizeof(connection), "host=%s user=nobody dbname=espdfu", store_bed.dir);
        expect_no_schema(connection, "role \"nobody\" does not exist");
        expect_no_schema("host=/nowhere dbname=espdfu", "No such file or directory");
        expect_no_schema("hostt=x", "invalid connection option \"hostt\"");
}

#define story(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                story(test_record_is_in_its_columns_with_every_field),
                story(test_every_field_of_a_record_has_a_column),
                story(test_record_that_comes_again_is_there_once),
                story(test_number_stops_before_a_gap_and_goes_on_when_it_is_filled),
                story(test_order_of_arrival_does_not_matter),
                story(test_station_may_begin_at_any_number),
                story(test_rows_that_were_removed_hold_nothing_back),
                story(test_record_without_its_beginning_moves_nothing),
                story(test_gap_before_more_than_is_looked_at_is_filled_all_the_same),
                story(test_stations_do_not_mind_each_other),
                story(test_nobody_speaks_of_another_stations_ledger),
                story(test_letter_under_another_name_has_no_place),
                story(test_ledger_is_the_names_that_comes_first_in_a_batch),
                story(test_station_that_was_renamed_goes_on_when_it_is_said),
                story(test_renaming_wants_names_that_are_right),
                story(test_name_in_a_letter_is_no_command),
                story(test_numbers_that_are_no_more_are_told_once),
                story(test_other_contents_under_a_used_number_are_a_letter_and_the_first_stay),
                story(test_two_contents_under_one_number_in_one_batch),
                story(test_another_previous_or_a_new_field_is_no_conflict),
                story(test_previous_that_is_lower_when_it_comes_again_fills_the_gap),
                story(test_letter_in_the_middle_holds_nothing_back),
                story(test_record_that_the_database_refuses_is_a_letter_and_its_neighbours_are_records),
                story(test_two_that_take_the_same_station_at_once_leave_no_gap),
                story(test_two_that_hear_a_ledger_under_two_names_at_once_give_it_to_one),
                story(test_schema_is_made_once_and_its_records_stay),
                story(test_schema_by_hand_is_the_same),
                story(test_newer_schema_is_left_alone),
                story(test_database_that_is_not_utf8_is_refused),
                story(test_user_with_few_rights_takes_records_in_and_may_not_make_the_schema),
                story(test_what_is_wrong_with_a_connection_is_one_line),
        };

        return cmocka_run_group_tests(tests, store_alone_setup, beds_teardown);
}
