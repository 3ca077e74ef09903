/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a production engineer asks the store: the answers on data that is known, and that a million records do not make them
 * slow: each goes through an index. `make check` has 100 000; ESPDFU_STORE_RECORDS=1000000, as nightly has it, a million.
 */
#include "tests/fleet/store-bed.h"

#include <unistd.h>

#include "fleet/store.h"
#include "io/clock.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- vocabulary ---- */

struct attempt {
        const char *station_id, *slot, *mac, *image, *version, *sha256, *verdict, *dfu_status, *end, *message;
        int attempt, seconds;
        bool final;
};

static void make_schema(void)
{
        _cleanup_(freep) char *schema = store_schema_sql();

        sql("DROP SCHEMA IF EXISTS espdfu CASCADE");
        sql("%s", schema);
        sql("INSERT INTO espdfu.station (station_id, name) VALUES ('" A "', 'line3'), ('" B "', 'line4')");
}

static char *quoted(const char *text)
{
        char *copy;

        return text && asprintf(&copy, "'%s'", text) >= 0 ? copy : strdup("NULL");
}

static void store_has(const struct attempt *a)
{
        _cleanup_(freep) char *mac = quoted(a->mac);
        _cleanup_(freep) char *image = quoted(a->image), *version = quoted(a->version),
                              *sha256 = quoted(a->sha256);
        _cleanup_(freep) char *dfu_status = quoted(a->dfu_status), *message = quoted(a->message);

        sql("INSERT INTO espdfu.record (station_id, sequence, previous, id, job, attempt, slot, chip, mac, "
            "image_path, "
            "image_name, image_version, image_sha256, clock_synchronized, start_time, end_time, "
            "duration_usec, bytes, "
            "transfers, verdict, final, dfu_status, message) SELECT '%s', n, n - 1, n, 'j' || n, %d, '%s', "
            "'esp32s3', %s, "
            "'/srv/' || %s || '.dfu', %s, %s, %s, true, '%s'::timestamptz - interval '%d s', '%s', %d, "
            "100000, 1, '%s', %s, "
            "%s, %s FROM (SELECT count(*) + 1 AS n FROM espdfu.record WHERE station_id = '%s') AS c",
            a->station_id, a->attempt ? a->attempt : 1, a->slot ? a->slot : "A1", mac, image, image, version,
            sha256, a->end, a->seconds ? a->seconds : 10, a->end, (a->seconds ? a->seconds : 10) * 1000000,
            a->verdict, a->final ? "true" : "false", dfu_status, message, a->station_id);
}

static int begin(void **state)
{
        (void)state;
        make_schema();
        return 0;
}

static int end(void **state)
{
        (void)state;
        return 0;
}

#define GIZMO .image = "gizmo", .version = "1.4.2", .sha256 = "6192ab00"
#define PROBE .image = "probe", .version = "2.0.0", .sha256 = "77aa1100"

/* ---- answers ---- */

static void test_yield_is_of_boards_by_day_and_station(void **state)
{
        static const struct attempt attempts[] = {
                { A, GIZMO, .verdict = "flashed", .final = true, .end = "2026-11-26 23:59:59Z" },
                { A, GIZMO, .verdict = "flashed", .final = true, .end = "2026-11-27 08:00Z" },
                /* A board that took two attempts, one that was given up, one that a person took out, one interrupted. */
                { A, GIZMO, .verdict = "board-error", .final = false, .end = "2026-11-27 08:01Z" },
                { A, GIZMO, .verdict = "flashed", .final = true, .attempt = 2, .end = "2026-11-27 08:02Z" },
                { A, GIZMO, .verdict = "verify-failed", .final = true, .attempt = 3,
                  .end = "2026-11-27 08:03Z" },
                { A, GIZMO, .verdict = "cancelled", .final = true, .end = "2026-11-27 08:04Z" },
                { A, GIZMO, .verdict = "interrupted", .final = true, .end = "2026-11-27 08:05Z" },
                { B, GIZMO, .verdict = "flashed", .final = true, .end = "2026-11-27 09:00Z" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
                store_has(&attempts[i]);
        sql("SET timezone = 'UTC'");
        assert_string_equal(sql("SELECT * FROM espdfu.yield_by_day('2026-11-01')"),
                            "2026-11-26|line3|1|1|1|0|0|100.00|100.00\n"
                            "2026-11-27|line3|6|2|1|1|1|66.67|33.33\n"
                            "2026-11-27|line4|1|1|1|0|0|100.00|100.00");
        assert_string_equal(
                sql("SELECT day, attempts FROM espdfu.yield_by_day('2026-11-27', '2026-11-27 08:01Z')"),
                "2026-11-27|1");
        sql("SET timezone = 'Asia/Tokyo'");
        assert_string_equal(
                sql("SELECT day, station, flashed FROM espdfu.yield_by_day('2026-11-01Z') LIMIT 1"),
                "2026-11-27|line3|3");
        sql("SET timezone = 'UTC'");
}

static void test_board_has_what_it_was_flashed_with_last(void **state)
{
        static const char mac[] = "7c:df:a1:0b:00:12";
        static const struct attempt attempts[] = {
                { A, GIZMO, .mac = mac, .verdict = "flashed", .end = "2026-11-01 08:00Z" },
                { B, PROBE, .mac = mac, .slot = "B7", .verdict = "flashed", .end = "2026-11-02 08:00Z" },
                { A, GIZMO, .mac = "7c:df:a1:0b:00:13", .verdict = "flashed", .end = "2026-11-03 08:00Z" },
        };
        const struct attempt failed = { A, GIZMO, .mac = mac, .verdict = "board-left",
                                        .end = "2026-11-04 08:00Z" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
                store_has(&attempts[i]);
        assert_string_equal(
                sql("SELECT mac, image_name, image_version, station, slot, flashed_time, certain FROM "
                    "espdfu.on_board('7C-DF-A1-0B-00-12')"),
                "7c:df:a1:0b:00:12|probe|2.0.0|line4|B7|2026-11-02 08:00:00+00|t");
        assert_string_equal(sql("SELECT image_name FROM espdfu.on_board('7cdfa10b0013')"), "gizmo");
        assert_string_equal(sql("SELECT count(*) FROM espdfu.on_board('7c:df:a1:0b:00:99')"), "0");
        store_has(&failed); /* it sent bytes, so nobody knows what is on it */
        assert_string_equal(sql("SELECT image_name, certain FROM espdfu.on_board('%s')", mac), "probe|f");
}

static void test_boards_with_an_image_are_those_that_still_have_it(void **state)
{
        static const struct attempt attempts[] = {
                { A, GIZMO, .mac = "00:00:00:00:00:01", .verdict = "flashed", .end = "2026-11-01 08:00Z" },
                { A, GIZMO, .mac = "00:00:00:00:00:02", .verdict = "flashed", .end = "2026-11-01 08:01Z" },
                { B, PROBE, .mac = "00:00:00:00:00:02", .verdict = "flashed", .end = "2026-11-02 08:00Z" },
                { B, GIZMO, .mac = "00:00:00:00:00:03", .verdict = "board-error",
                  .end = "2026-11-02 08:01Z" },
                { B, GIZMO, .verdict = "flashed", .end = "2026-11-02 08:02Z" },
                { B, .image = "gizmo", .version = "1.5.0", .sha256 = "99", .mac = "00:00:00:00:00:04",
                  .verdict = "flashed", .end = "2026-11-03 08:02Z" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
                store_has(&attempts[i]);
        assert_string_equal(sql("SELECT mac, image_version, station FROM espdfu.boards_with('gizmo')"),
                            "00:00:00:00:00:01|1.4.2|line3\n|1.4.2|line4\n00:00:00:00:00:04|1.5.0|line4");
        assert_string_equal(sql("SELECT mac FROM espdfu.boards_with('gizmo', '1.5.0')"), "00:00:00:00:00:04");
        assert_string_equal(sql("SELECT count(*) FROM espdfu.boards_with('6192AB')"), "2");
        assert_string_equal(sql("SELECT count(*) FROM espdfu.boards_with('6192A')"),
                            "0"); /* too short for a digest */
        assert_string_equal(sql("SELECT count(*) FROM espdfu.boards_with('/srv/probe.dfu')"), "1");
        assert_string_equal(sql("SELECT count(*) FROM espdfu.boards_with('nothing')"), "0");
}

static void test_slow_slots_are_beside_what_the_same_image_takes_elsewhere(void **state)
{
        (void)state;
        for (int i = 0; i < 12; i++) {
                const struct attempt usual = { A,
                                               GIZMO,
                                               .slot = "A1",
                                               .verdict = "flashed",
                                               .seconds = 10 + i % 3,
                                               .end = "2026-11-27 08:00Z" };
                const struct attempt slow = { B,
                                              GIZMO,
                                              .slot = "B1",
                                              .verdict = "flashed",
                                              .seconds = 20,
                                              .end = "2026-11-27 08:00Z" };
                const struct attempt big = { A,
                                             PROBE,
                                             .slot = "A2",
                                             .verdict = "flashed",
                                             .seconds = 60,
                                             .end = "2026-11-27 08:00Z" };
                const struct attempt failed = { A,
                                                GIZMO,
                                                .slot = "A1",
                                                .verdict = "board-error",
                                                .seconds = 500,
                                                .end = "2026-11-27 08:00Z" };

                store_has(&usual);
                store_has(&slow);
                store_has(&big);
                store_has(&failed);
        }
        assert_string_equal(sql("SELECT station, slot, image_name, flashed, median_s, fleet_median_s, "
                                "slower, kb_per_s FROM "
                                "espdfu.slow_slots('2026-11-01')"),
                            "line4|B1|gizmo|12|20.00|16.00|1.250|5.0\n"
                            "line3|A2|probe|12|60.00|60.00|1.000|1.7\n"
                            "line3|A1|gizmo|12|11.00|16.00|0.688|9.1");
        assert_string_equal(sql("SELECT count(*) FROM espdfu.slow_slots('2026-11-01', 'infinity', 13)"), "0");
}

static void test_errors_are_counted_from_the_most_frequent_on(void **state)
{
        static const struct attempt attempts[] = {
                { A, GIZMO, .verdict = "flashed", .end = "2026-11-27 08:00Z" },
                { A, GIZMO, .verdict = "cancelled", .end = "2026-11-27 08:00Z" },
                { A, GIZMO, .verdict = "board-left", .end = "2026-11-27 08:01Z", .message = "at 1 kB" },
                { A, GIZMO, .verdict = "board-left", .slot = "A2", .end = "2026-11-27 08:02Z",
                  .message = "at 2 kB" },
                { B, GIZMO, .verdict = "board-left", .end = "2026-11-27 08:00Z", .message = "at 3 kB" },
                { B, GIZMO, .verdict = "board-error", .dfu_status = "errFIRMWARE",
                  .end = "2026-11-27 08:00Z" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
                store_has(&attempts[i]);
        assert_string_equal(sql("SELECT * FROM espdfu.errors('2026-11-01')"),
                            "board-left||3|75.00|75.00|2|3|2026-11-27 08:02:00+00|at 2 kB\n"
                            "board-error|errFIRMWARE|1|25.00|100.00|1|1|2026-11-27 08:00:00+00|");
}

/* ---- a long record ---- */

static long records(void)
{
        const char *text = getenv("ESPDFU_STORE_RECORDS");

        return text ? strtol(text, NULL, 10) : 100000;
}

/* Of a year, by 50 stations with 40 slots: 20 images, a tenth fails. */
static void fill(void)
{
        sql("INSERT INTO espdfu.station (station_id, name) SELECT lpad(to_hex(i), 32, '0'), 'line' || i FROM "
            "generate_series(100, 149) AS i");
        sql("INSERT INTO espdfu.record (station_id, sequence, previous, id, job, attempt, slot, chip, mac, "
            "image_path, "
            "image_name, image_version, image_sha256, clock_synchronized, start_time, end_time, "
            "duration_usec, bytes, "
            "transfers, verdict, final, dfu_status) "
            "SELECT lpad(to_hex(100 + i %% 50), 32, '0'), i / 50 + 1, i / 50, i, 'j' || i, 1, 'S' || i / 50 "
            "%% 40, 'esp32s3', "
            "'7c:df:a1:' || substr(lpad(to_hex(i), 6, '0'), 1, 2) || ':' || substr(lpad(to_hex(i), 6, '0'), "
            "3, 2) || ':' || "
            "substr(lpad(to_hex(i), 6, '0'), 5, 2), '/srv/firmware/image' || h, 'image' || h, '1.' || h, "
            "lpad(to_hex(h + 16), 64, 'ab'), true, t, t + interval '10 s', 9000000 + i %% 3000 * 1000, "
            "400000, 100, "
            "CASE WHEN i %% 10 = 0 THEN 'board-left' ELSE 'flashed' END, true, NULL "
            "FROM (SELECT i, i / 7 %% 20 AS h, timestamptz '2026-01-01Z' + i * (interval '360 days' / %ld) "
            "AS t FROM "
            "generate_series(0::bigint, %ld - 1) AS i) AS g",
            records(), records());
        sql("ANALYZE espdfu.record; ANALYZE espdfu.station");
}

/* The plan has no look at all of the records, and the answer is there in time. */
static void expect_quick(const char *what, uint64_t max_usec, const char *query)
{
        uint64_t began, usec;
        const char *plan = sql("EXPLAIN %s", query);

        if (strstr(plan, "Seq Scan on record"))
                fail_msg("%s looks at every record:\n%s", what, plan);
        if (!strstr(plan, "Index"))
                fail_msg("%s goes through no index:\n%s", what, plan);
        began = monotonic_usec();
        sql("SELECT count(*) FROM (%s) AS q", query);
        usec = monotonic_usec() - began;
        printf("%s of %ld records: %.1f ms\n", what, records(), (double)usec / 1e3);
        if (usec > max_usec)
                fail_msg("%s took %u ms", what, (unsigned)(usec / 1000));
}

static void test_questions_go_through_an_index_in_a_long_record(void **state)
{
        (void)state;
        fill();
        assert_int_equal(strtol(sql("SELECT count(*) FROM espdfu.record"), NULL, 10), records());
        expect_quick("yield by day and station, a week", 5 * USEC_PER_SEC,
                     "SELECT * FROM espdfu.yield_by_day('2026-06-01Z', '2026-06-08Z')");
        expect_quick("what is on a board", USEC_PER_SEC,
                     "SELECT * FROM espdfu.on_board('7C:DF:A1:00:12:34')");
        expect_quick("boards with an image, by digest", 20 * USEC_PER_SEC,
                     "SELECT * FROM "
                     "espdfu.boards_with('abababababababababababababababababababababababababababababababa"
                     "b1a') ");
        expect_quick("boards with an image that there is none of", USEC_PER_SEC,
                     "SELECT * FROM espdfu.boards_with('nothing', '1.0')");
        expect_quick("slow slots, a week", 5 * USEC_PER_SEC,
                     "SELECT * FROM espdfu.slow_slots('2026-06-01Z', '2026-06-08Z')");
        expect_quick("errors, a week", 5 * USEC_PER_SEC,
                     "SELECT * FROM espdfu.errors('2026-06-01Z', '2026-06-08Z')");
        expect_quick(
                "the last of a station", USEC_PER_SEC,
                "SELECT * FROM espdfu.record AS r WHERE r.station_id = ANY (ARRAY(SELECT station_id FROM "
                "espdfu.station WHERE name = 'line120')) ORDER BY start_time DESC LIMIT 20");
        expect_quick("the last of all", USEC_PER_SEC,
                     "SELECT * FROM espdfu.record ORDER BY start_time DESC LIMIT 20");
        expect_quick("up to which number all is there", USEC_PER_SEC,
                     "SELECT r.sequence, r.previous FROM espdfu.record AS r WHERE r.station_id = "
                     "'00000000000000000000000000000070' AND r.sequence > 1000 ORDER BY 1 LIMIT 10000");
}

#define story(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                story(test_yield_is_of_boards_by_day_and_station),
                story(test_board_has_what_it_was_flashed_with_last),
                story(test_boards_with_an_image_are_those_that_still_have_it),
                story(test_slow_slots_are_beside_what_the_same_image_takes_elsewhere),
                story(test_errors_are_counted_from_the_most_frequent_on),
                story(test_questions_go_through_an_index_in_a_long_record),
        };

        cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
        return cmocka_run_group_tests(tests, store_alone_setup, beds_teardown);
}
