/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The whole way with nothing modelled but the boards: a station with its real ledger, espdfu-mqtt, Mosquitto, two espdfu-collect,
 * PostgreSQL. All of them end at random, the way is cut at random, and then both ends are counted. ESPDFU_FLEET_SEED plays a
 * certain run again, ESPDFU_FLEET_TIMES makes it longer (`make fleet-storm`).
 */
#include "tests/fleet/bridge-bed.h"
#include "tests/fleet/store-bed.h"

#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include "io/clock.h"

/* ---- vocabulary ---- */

static pid_t takers[2]; /* the real collectors */
static unsigned seed;

static void start_taker(size_t i)
{
        const char *argv[] = { ESPDFU_COLLECT, "--config", NULL, NULL };
        argv[2] = write_collect_conf("collect.conf", store_bed.connection);
        takers[i] = start_program("collect.log", argv);
}

static void kill_taker(size_t i)
{
        end_program(takers[i], SIGKILL);
        takers[i] = 0;
}

static unsigned chance(unsigned n)
{
        seed = seed * 1664525 + 1013904223;
        return seed / 65536 % n;
}

static int times(int n)
{
        const char *more = getenv("ESPDFU_FLEET_TIMES");
        long factor = more ? strtol(more, NULL, 10) : 1;

        return n * (int)MAX(factor, 1L);
}

/* The station's end: a text with a line for each attempt that ended, in order. */
static char *ledger_lines(void)
{
        sqlite3 *db = NULL;
        sqlite3_stmt *statement = NULL;
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        assert_int_equal(sqlite3_open_v2(bed_file("ledger.sqlite"), &db, SQLITE_OPEN_READONLY, NULL),
                         SQLITE_OK);
        assert_int_equal(
                sqlite3_prepare_v2(
                        db,
                        "SELECT sequence || '|' || id || '|' || job || '|' || attempt || '|' || slot || '|' "
                        "|| "
                        "coalesce(mac, '') || '|' || verdict || '|' || final || '|' || bytes || '|' || "
                        "start_realtime_usec || '|' || end_realtime_usec || '|' || duration_usec FROM "
                        "attempt "
                        "WHERE sequence IS NOT NULL ORDER BY sequence",
                        -1, &statement, NULL),
                SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW)
                fprintf(f, "%s\n", (const char *)sqlite3_column_text(statement, 0));
        sqlite3_finalize(statement);
        sqlite3_close(db);
        fclose(f);
        return text;
}

/* The store has what the ledger has, each once, to the microsecond; and the station knows. */
static void expect_both_ends_equal(int64_t n)
{
        _cleanup_(freep) char *ledger = NULL;
        uint64_t deadline = monotonic_usec() + 120 * USEC_PER_SEC;
        char number[32], counted[96];

        snprintf(number, sizeof(number), "%" PRId64, n);
        while (!streq(sql("SELECT coalesce(max(sequence), 0) FROM espdfu.station"), number)) {
                if (monotonic_usec() >= deadline)
                        fail_msg("the store's number is %s, and not %s",
                                 sql("SELECT max(sequence) FROM espdfu.station"), number);
                usleep(20000); /* what other programs do has no event here */
        }
        while (tell_station("consumer") != n) {
                if (monotonic_usec() >= deadline)
                        fail_msg("the station was not told");
                usleep(20000);
        }
        snprintf(counted, sizeof(counted), "%" PRId64 "|%" PRId64 "|1|%" PRId64, n, n, n);
        assert_string_equal(sql("SELECT count(*), count(DISTINCT (station_id, sequence)), min(sequence), "
                                "max(sequence) FROM "
                                "espdfu.record"),
                            counted);
        assert_string_equal(sql("SELECT count(*) FROM espdfu.dead_letter"), "0");
        ledger = ledger_lines();
        for (char *line = strtok(ledger, "\n"); line; line = strtok(NULL, "\n"))
                assert_string_equal(
                        sql("SELECT concat_ws('|', sequence, id, job, attempt, slot, coalesce(mac, ''), "
                            "verdict, final::int, "
                            "bytes, (extract(epoch FROM start_time) * 1000000)::bigint, (extract(epoch FROM "
                            "end_time) * "
                            "1000000)::bigint, duration_usec) FROM espdfu.record WHERE sequence = %lld",
                            strtoll(line, NULL, 10)),
                        line);
}

static int begin_story(void **state)
{
        const char *given = getenv("ESPDFU_FLEET_SEED");

        sql("DROP SCHEMA IF EXISTS espdfu CASCADE");
        seed = given ? (unsigned)strtoul(given, NULL, 10) : 20261127;
        printf("ESPDFU_FLEET_SEED=%u\n", seed);
        return fleet_setup(state);
}

static int end_story(void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(takers); i++)
                if (takers[i])
                        kill_taker(i);
        if (!store_bed.server)
                start_database();
        return fleet_teardown(state);
}

/* ---- stories ---- */

static void test_records_of_a_real_station_are_in_the_store_and_it_is_told(void **state)
{
        (void)state;
        start_broker(true);
        start_taker(0);
        start_station();
        configure_bridge("");
        start_bridge();
        expect_sql("t", "SELECT to_regclass('espdfu.record') IS NOT NULL");
        tell_station("record 500");
        expect_both_ends_equal(500);
        stop_bridge();
}

static void something_happens(unsigned what)
{
        switch (what) {
        case 0:
                kill_broker();
                start_broker(chance(2));
                break;
        case 1:
                kill_bridge();
                start_bridge();
                break;
        case 2: {
                size_t i = chance(2);

                kill_taker(i);
                start_taker(i);
                break;
        }
        case 3:
                if (chance(2))
                        stop_database();
                else
                        crash_database();
                usleep(chance(300) * 1000); /* for so long it is away */
                start_database();
                break;
        case 4:
                freeze_broker(true);
                usleep(chance(500) * 1000);
                freeze_broker(false);
                break;
        default:
                break;
        }
}

static void test_everything_is_killed_and_cut_off_at_random_and_both_ends_are_equal(void **state)
{
        unsigned happened[5] = { 0 };
        int64_t n = 0;

        (void)state;
        start_broker(true);
        start_relay(true, seed);
        start_taker(0);
        start_taker(1);
        start_station();
        configure_bridge("");
        start_bridge();
        expect_sql("t", "SELECT to_regclass('espdfu.record') IS NOT NULL");
        for (int i = 0; i < times(12); i++) {
                unsigned what = i < 5 ? (unsigned)i : chance(5); /* each at least once */

                order_station("record %u", 50 + chance(150));
                usleep(chance(400) * 1000); /* the moment is any */
                something_happens(what);
                happened[what]++;
                n = station_answer();
        }
        calm_relay();
        expect_both_ends_equal(n);
        printf("%" PRId64 " records; killed: broker %u, bridge %u, collector %u, database %u; broker silent "
               "%u; the way cut at "
               "random\n",
               n, happened[0], happened[1], happened[2], happened[3], happened[4]);
        stop_bridge();
        stop_relay();
}

/* A day without a broker: what waits is brought in at once, and the station's boards do not notice. */
static void test_figure_of_the_whole_way(void **state)
{
        const int n = times(1) > 1 ? 10000 : 3000;
        char all[16];
        uint64_t began, usec;

        (void)state;
        snprintf(all, sizeof(all), "%d", n);
        start_broker(true);
        start_taker(0);
        start_station();
        tell_station("record %d", n);
        configure_bridge("");
        expect_sql("t", "SELECT to_regclass('espdfu.record') IS NOT NULL");
        began = monotonic_usec();
        start_bridge();
        expect_sql(all, "SELECT coalesce(max(sequence), 0) FROM espdfu.station");
        usec = monotonic_usec() - began;
        printf("%d records through espdfu-mqtt, Mosquitto, espdfu-collect into PostgreSQL: %.1f s, %.0f a "
               "minute\n",
               n, (double)usec / 1e6, n * 60e6 / (double)usec);
        assert_true(usec < (unsigned)n / 50 * 300 * USEC_PER_MSEC); /* 10000 in a minute */
        stop_bridge();
}

#define story(test) cmocka_unit_test_setup_teardown(test, begin_story, end_story)

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                story(test_records_of_a_real_station_are_in_the_store_and_it_is_told),
                story(test_everything_is_killed_and_cut_off_at_random_and_both_ends_are_equal),
                story(test_figure_of_the_whole_way),
        };

        cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
        return cmocka_run_group_tests(tests, beds_setup, beds_teardown);
}
