/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real bridge between a real ledger and a real Mosquitto: what arrives, and that nothing is lost whatever goes wrong. */
#include "tests/fleet/bridge-bed.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"

static void test_records_arrive_in_order_and_are_acknowledged(void **state)
{
        (void)state;
        begin("send-again = 60\n");
        tell_station("record 100");
        expect_all_delivered(100);
        assert_int_equal(collector.n_messages, 100); /* each once: nothing went wrong */
        tell_station("record 1");
        expect_all_delivered(101);
        stop_bridge();
        collect_until(strstr(collector.online, "\"online\":false"));
        assert_non_null(strstr(collector.online, "espdfu-mqtt was stopped"));
        tell_station("record 10");
        start_bridge();
        expect_all_delivered(111);
        assert_int_equal(collector.n_messages, 111);
        assert_non_null(strstr(collector.online, "\"online\":true"));
        stop_bridge();
}

/* How often something is done: `make fleet-storm` wants more of it. */
static int times(int n)
{
        const char *more = getenv("ESPDFU_FLEET_TIMES");
        long factor = more ? strtol(more, NULL, 10) : 1;

        return n * (int)MAX(factor, 1L);
}

static void test_what_a_killed_broker_had_is_sent_again(void **state)
{
        unsigned broker_persists = 0;
        int64_t n = 0;

        (void)state;
        begin("");
        collect_until(collector.ups > 0);
        for (int i = 0; i < times(4); i++) {
                order_station("record 500"); /* while it dies */
                collect_for((unsigned)rand() % (100 * USEC_PER_MSEC));
                kill_broker();
                n = station_answer();
                start_broker(broker_persists++ % 2);
                collect_for(USEC_PER_SEC / 4);
        }
        expect_all_delivered(n);
        stop_bridge();
}

static void test_a_way_that_is_cut_at_random_loses_nothing(void **state)
{
        int64_t n = 0;

        (void)state;
        start_relay(true, 20261127);
        begin("");
        for (int i = 0; i < times(8); i++) {
                order_station("record 300");
                collect_for(400 * USEC_PER_MSEC);
                n = station_answer();
        }
        calm_relay();
        expect_all_delivered(n);
        assert_true(lines_with("bridge.log", "connected") > 0); /* it was cut */
        stop_bridge();
        stop_relay();
}

static void test_a_bridge_that_is_killed_at_any_moment_loses_nothing(void **state)
{
        int64_t n = 0;

        (void)state;
        begin("");
        for (int i = 0; i < times(10); i++) {
                order_station("record 100");
                collect_for(50 * USEC_PER_MSEC + (unsigned)rand() % (250 * USEC_PER_MSEC));
                kill_bridge();
                n = station_answer();
                start_bridge();
        }
        expect_all_delivered(n);
        stop_bridge();
}

static void test_a_station_that_is_restarted_is_found_again(void **state)
{
        int64_t n = 0;

        (void)state;
        begin("");
        collect_until(strstr(collector.online, "\"online\":true"));
        for (int i = 0; i < times(3); i++) {
                n = tell_station("record 200");
                collect_for(50 * USEC_PER_MSEC);
                if (i % 2)
                        stop_station();
                else
                        kill_station();
                collect_until(strstr(collector.online, "\"online\":false"));
                assert_non_null(strstr(collector.online, "espdfud"));
                start_station();
                collect_until(strstr(collector.online, "\"online\":true"));
        }
        expect_all_delivered(n);
        stop_bridge();
}

static void test_a_day_without_a_broker_is_caught_up(void **state)
{
        const int n = times(4000);
        uint64_t began;
        double minutes;

        (void)state;
        start_station();
        configure_bridge("");
        start_bridge();
        tell_station("record %d", n);
        start_broker(false);
        start_collector();
        collect_until(collector.ups > 0);
        began = monotonic_usec();
        expect_all_delivered(n);
        minutes = (double)(monotonic_usec() - began) / (60.0 * USEC_PER_SEC);
        printf("%.0f records a minute through bridge and broker; the bridge had at most %u KiB\n",
               n / minutes, bridge_rss_kib(true));
#ifndef ESPDFU_SANITIZERS
        assert_true(bridge_rss_kib(true) < 10 * 1024);
#endif
        stop_bridge();
}

static void test_without_a_collector_nothing_counts_as_delivered(void **state)
{
        (void)state;
        begin("window = 20\n");
        collector.silent = true;
        tell_station("record 500");
        collect_until(collector.n_messages >= 60); /* the same again and again */
        assert_int_equal(collector.highest, 20);
        assert_int_equal(tell_station("consumer"), 0);
        assert_int_equal(tell_station("keep 1"), 0); /* the station keeps them */
        collect_until(strstr(collector.header, "\"backlog\":500"));
        collector.silent = false;
        expect_all_delivered(500);
        assert_int_equal(tell_station("keep 1"), 499);
        stop_bridge();
}

static void test_a_store_that_is_new_gets_all_that_is_left(void **state)
{
        (void)state;
        begin("");
        tell_station("record 300");
        expect_all_delivered(300);
        assert_int_equal(tell_station("keep 100"), 200);
        /* The store is gone, and what the broker retained. */
        kill_broker();
        for (int64_t i = 0; i <= 300; i++)
                free(take_ptr(collector.jobs[i]));
        collector.contiguous = 0;
        start_broker(false);
        tell_station("record 1");
        collect_until(collector.contiguous == 301);
        assert_null(collector.jobs[200]);
        assert_int_equal(collector.before[201], 0); /* what is left begins here */
        collect_until(lines_with("state/cursor", "\"sequence\":301}") == 1);
        stop_bridge();
}

/* Of a file system of its own, where we may have one; else a cursor's place where no file can be. */
static void fill_disk(bool full)
{
        static bool own;
        char chunk[4096] = { 0 };

        if (full)
                own = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
                      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                      mount("tmpfs", bed_file("state"), "tmpfs", 0, "size=64k") == 0;
        if (!own && full) {
                unlink(bed_file("state/cursor"));
                assert_int_equal(mkdir(bed_file("state/cursor"), 0700), 0);
        } else if (!own) {
                assert_int_equal(rmdir(bed_file("state/cursor")), 0);
        } else if (full) {
                int fd = open(bed_file("state/filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

                while (write(fd, chunk, sizeof(chunk)) > 0)
                        ;
                assert_int_equal(errno, ENOSPC);
                close(fd);
        } else {
                assert_int_equal(unlink(bed_file("state/filler")), 0);
        }
}

static void test_a_full_disk_at_the_cursor_is_told_and_loses_nothing(void **state)
{
        (void)state;
        start_broker(false);
        start_station();
        configure_bridge("");
        fill_disk(true);
        start_bridge();
        start_collector();
        tell_station("record 100");
        collect_until(collector.contiguous == 100);
        expect_line("bridge.log", "state/cursor: cannot be written: ");
        assert_int_equal(tell_station("consumer"), 0); /* the station keeps what is not written down */
        assert_int_equal(tell_station("keep 1"), 0);
        kill_bridge();
        start_bridge();
        tell_station("record 100");
        collect_until(collector.contiguous == 200);
        fill_disk(false);
        expect_all_delivered(200);
        expect_line("bridge.log", "state/cursor: written again");
        assert_int_equal(lines_with("bridge.log", "cannot be written"), 2); /* of each bridge one */
        stop_bridge();
}

static void test_a_restored_ledger_is_not_sent_under_numbers_that_are_used(void **state)
{
        const char *copy[] = { "/bin/cp", bed_file("ledger.sqlite"), bed_file("ledger.copy"), NULL };
        const char *restore[] = { "/bin/cp", bed_file("ledger.copy"), bed_file("ledger.sqlite"), NULL };
        const char *new_id[] = { ESPDFUD, "--state", bed.dir, "--new-ledger-id", NULL };
        char old_id[STATION_ID_SIZE];
        uint64_t n;

        (void)state;
        begin("");
        tell_station("record 50");
        expect_all_delivered(50);
        stop_station();
        end_program(start_program("setup.log", copy), 0);
        start_station();
        tell_station("record 50");
        expect_all_delivered(100);
        stop_station();
        collect_until(strstr(collector.online, "\"online\":false")); /* what was on its way has come */
        n = collector.n_messages;
        end_program(start_program("setup.log", restore), 0);
        start_station();
        tell_station("record 10");
        expect_line("bridge.log", "the station's ledger ends with number");
        collect_for(USEC_PER_SEC);
        assert_int_equal(collector.n_messages, n);

        stop_station();
        end_program(start_program("setup.log", restore), 0);
        assert_int_equal(end_program(start_program("setup.log", new_id), 0), 0);
        snprintf(old_id, sizeof(old_id), "%s", collector.station_id);
        collector.station_id[0] = '\0'; /* as another station's */
        for (int64_t i = 0; i <= 100; i++)
                free(take_ptr(collector.jobs[i]));
        collector.contiguous = collector.highest = 0;
        start_station();
        tell_station("record 10");
        collect_until(collector.contiguous == 60);
        assert_string_not_equal(collector.station_id, old_id);
        assert_int_equal(lines_with("bridge.log", "the station's ledger ends with number"), 1);
        assert_int_equal(lines_with("bridge.log", "the station's records are sent again"), 1);
        assert_null(collector.jobs[50]); /* the old id's */
        assert_int_equal(collector.before[51], 0);
        stop_bridge();
}

static void write_cursor(const char *station_id, int64_t sequence)
{
        struct delivered cursor = { .sequence = sequence };
        char text[DELIVERED_TEXT_SIZE];

        memcpy(cursor.station_id, station_id, sizeof(cursor.station_id));
        (void)delivered_print(&cursor, text);
        write_file("state/cursor", text);
}

/* The operator has nothing to do with it: the collector knows better. */
static void test_a_cursor_that_is_wrong_is_put_right_without_a_word(void **state)
{
        (void)state;
        begin("");
        tell_station("record 50");
        expect_all_delivered(50);
        stop_bridge();
        write_cursor(collector.station_id, 900);
        start_bridge();
        tell_station("record 10");
        expect_all_delivered(60);
        assert_int_equal(lines_with("bridge.log", ""), 0);
        stop_bridge();
}

/* Nobody says otherwise: then the cursor is believed. */
static void test_a_cursor_above_the_ledgers_end_is_told_where_no_collector_says_anything(void **state)
{
        (void)state;
        begin("");
        tell_station("record 50");
        expect_all_delivered(50);
        stop_bridge();
        stop_collector();
        kill_broker();
        unlink(bed_file("mosquitto.db"));
        write_cursor(collector.station_id, 900);
        start_bridge();
        start_broker(false);
        expect_line("bridge.log", "the station's ledger ends with number 50, but number 900 is delivered");
        start_collector();
        collect_until(collector.ups > 1);
        collector.told = false;
        tell_station("record 10");
        collect_until(lines_with("bridge.log", "the station's records are sent again") == 1);
        expect_all_delivered(60);
        stop_bridge();
}

static void say_as_collector(const char *payload)
{
        collect_until(broker_is_up(collector.broker));
        assert_int_equal(broker_publish(collector.broker, "espdfu/1/line3/delivered", payload,
                                        strlen(payload), 1, true, NULL),
                         0);
}

static void test_nonsense_in_place_of_delivered_is_a_line_and_its_removal_none(void **state)
{
        (void)state;
        begin("");
        tell_station("record 5");
        expect_all_delivered(5);
        say_as_collector("");
        for (int i = 0; i < 20; i++) {
                say_as_collector(i % 2 ? "nonsense" : "{\"sequence\":7}");
                collector.told = false; /* and what is right in between */
                collect();
        }
        tell_station("record 5");
        expect_all_delivered(10);
        assert_int_equal(lines_with("bridge.log",
                                    "espdfu/1/line3/delivered: not what a collector says: expected "
                                    "{\"station_id\":\"32 hexadecimal digits\",\"sequence\":a "
                                    "number from 0 on}; it is ignored"),
                         1);
        assert_int_equal(lines_with("bridge.log", ""), 1);
        stop_bridge();
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, fleet_setup, fleet_teardown)

/* With an argument: the stories with it in their names. */
int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                STORY(test_records_arrive_in_order_and_are_acknowledged),
                STORY(test_a_day_without_a_broker_is_caught_up),
                STORY(test_what_a_killed_broker_had_is_sent_again),
                STORY(test_a_way_that_is_cut_at_random_loses_nothing),
                STORY(test_a_bridge_that_is_killed_at_any_moment_loses_nothing),
                STORY(test_a_station_that_is_restarted_is_found_again),
                STORY(test_without_a_collector_nothing_counts_as_delivered),
                STORY(test_a_store_that_is_new_gets_all_that_is_left),
                STORY(test_a_restored_ledger_is_not_sent_under_numbers_that_are_used),
                STORY(test_a_cursor_that_is_wrong_is_put_right_without_a_word),
                STORY(test_a_cursor_above_the_ledgers_end_is_told_where_no_collector_says_anything),
                STORY(test_nonsense_in_place_of_delivered_is_a_line_and_its_removal_none),
                STORY(test_a_full_disk_at_the_cursor_is_told_and_loses_nothing), /* the last: it has a view of its own of the disks */
        };

        cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
        return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
