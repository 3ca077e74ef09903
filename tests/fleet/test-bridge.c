/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real bridge between a real ledger and a real Mosquitto: what arrives, and that nothing is lost whatever goes wrong. */
#include "tests/fleet/bridge-bed.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/clock.h"

static void begin(const char *extra)
{
        start_broker(false);
        start_station();
        configure_bridge(extra);
        start_bridge();
        start_collector();
}

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

/* Turns the collector's loop for so long, at least. */
static void collect_for(uint64_t usec)
{
        uint64_t end = monotonic_usec() + usec;

        while (monotonic_usec() < end)
                collect();
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

static void expect_bridge_says_once(const char *text)
{
        expect_line("bridge.log", text);
        assert_int_equal(lines_with("bridge.log", text), 1);
        kill_bridge();
}

static void test_why_it_cannot_come_in_is_one_line(void **state)
{
        (void)state;
        start_broker(false);
        start_station();
        configure_bridge("");
        write_file("line3.password", "wrong\n");
        start_bridge();
        expect_bridge_says_once("it refuses us: Not authorized");
        write_file("line3.password", "line3\n");
        stop_broker();
        bed.certificate = "elsewhere";
        start_broker(false);
        start_bridge();
        expect_bridge_says_once("is refused: hostname mismatch");
        bed.certificate = NULL;
}

static void test_two_bridges_of_one_name_say_that_they_are(void **state)
{
        const char *argv[] = { ESPDFU_MQTT, "--config", bed_file("mqtt.conf"), "--state", bed.dir, NULL };

        (void)state;
        begin("");
        collect_until(strstr(collector.online, "\"online\":true"));
        start_program("second.log", argv);
        expect_line("bridge.log", "each time soon after it was made: another client may have the same name");
}

/* Listens in espdfud's place, and answers everything with this; in a process of its own. */
static pid_t start_nonsense(const char *answer)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char call[4096];
        pid_t pid;

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", bed_file("socket"));
        assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(listening, 8), 0);
        pid = fork_program();
        while (pid == 0) {
                int fd = accept(listening, NULL, NULL);

                if (recv(fd, call, sizeof(call), 0) > 0)
                        (void)send(fd, answer, strlen(answer) + 1, MSG_NOSIGNAL);
                (void)recv(fd, call, sizeof(call), 0); /* until it hangs up */
                close(fd);
        }
        close(listening);
        return pid;
}

static void test_what_is_no_espdfud_is_told_and_a_real_one_is_found(void **state)
{
        static const char *const nonsense[] = { "HTTP/1.1 400", "{}", "{\"parameters\":{}}",
                                                "{\"parameters\":{\"station\":{\"name\":\"line3\"}}}",
                                                "{\"parameters\":{\"station\":7,\"slots\":[]}}" };

        (void)state;
        start_broker(false);
        start_collector();
        configure_bridge("name = line3\n");
        start_bridge();
        collect_until(strstr(collector.online, "no espdfud listens")); /* it has a name, so it can say so */
        for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
                pid_t pid = start_nonsense(nonsense[i]);

                collect_until(strstr(collector.online, "is not an espdfud that we understand"));
                end_program(pid, SIGKILL);
                unlink(bed_file("socket"));
                collect_until(strstr(collector.online, "no espdfud listens"));
        }
        start_station();
        tell_station("record 3");
        expect_all_delivered(3);
        stop_bridge();
}

/* What systemd would be told next, after this; fails after 20 s. */
static void expect_notified(int fd, const char *text)
{
        char said[4096];
        ssize_t n;

        do {
                n = recv(fd, said, sizeof(said) - 1, 0);
                if (n < 0)
                        fail_msg("waited for %s", text);
                said[MAX(n, (ssize_t)0)] = '\0';
        } while (!strstr(said, text));
}

static void test_systemd_is_told_how_it_is(void **state)
{
        const struct timeval patience = { .tv_sec = 20 };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void)state;
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", bed_file("notify"));
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
        setenv("NOTIFY_SOCKET", address.sun_path, 1);
        setenv("WATCHDOG_USEC", "300000", 1);
        configure_bridge("");
        start_bridge();
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        expect_notified(fd, "READY=1");
        expect_notified(fd, "STATUS=no espdfud listens");
        start_station();
        expect_notified(fd, ": Connection refused");
        start_broker(false);
        expect_notified(fd, "STATUS=line3: connected to localhost:");
        expect_notified(fd, "WATCHDOG=1");
        expect_notified(fd, "WATCHDOG=1");
        stop_bridge();
        expect_notified(fd, "STOPPING=1");
        close(fd);
}

/* ---- what the station is ---- */

static void test_slots_are_told_and_those_that_are_no_more_are_taken_away(void **state)
{
        (void)state;
        begin("");
        collect_until(strstr(slot_text("A1"), "\"phase\":\"downloading\"") && *slot_text("A5"));
        tell_station("phase A1 verifying");
        collect_until(strstr(slot_text("A1"), "\"phase\":\"verifying\""));
        tell_station("remove A4");
        collect_until(!*slot_text("A4"));
        /* One that goes while the bridge is not there, and one that the station never had. */
        kill_bridge();
        tell_station("remove A5");
        assert_int_equal(broker_publish(collector.broker, "espdfu/1/line3/delivered", "x", 1, 1, true, NULL),
                         0);
        start_bridge();
        collect_until(!*slot_text("A5"));
        collect_until(strstr(collector.online, "\"online\":true"));
        expect_line("bridge.log", "delivered: not what a collector says");
        assert_true(*slot_text("A1"));
        stop_bridge();
}

static void test_progress_is_gathered_and_a_phase_is_told_at_once(void **state)
{
        uint64_t began;
        unsigned before;

        (void)state;
        begin("");
        collect_until(*slot_text("A1") && *slot_text("A2"));
        collect_for(USEC_PER_SEC);
        before = collector.slots[0].n;
        began = monotonic_usec();
        for (int i = 0; i < 100; i++) {
                tell_station("progress %s %d", collector.slots[0].name, 1000 + i);
                collect_for(20 * USEC_PER_MSEC);
        }
        collect_until(strstr(collector.slots[0].text, "\"bytes_done\":1099"));
        assert_true(collector.slots[0].n - before <= (monotonic_usec() - began) / USEC_PER_SEC + 2);
        stop_bridge();
}

static void test_a_station_that_gets_another_name_has_other_topics(void **state)
{
        (void)state;
        begin("");
        tell_station("record 10");
        expect_all_delivered(10);
        tell_station("name line4");
        collect_until(!*collector.online && !*slot_text("A1")); /* of line3 nothing is retained any more */
        expect_line("bridge.log", "the station is called line4 now, and was line3");
        stop_bridge();
}

static void test_a_bridge_that_is_killed_is_said_to_be_gone(void **state)
{
        (void)state;
        begin("");
        collect_until(strstr(collector.online, "\"online\":true"));
        kill_bridge();
        collect_until(strstr(collector.online, "\"online\":false"));
        assert_non_null(strstr(collector.online, "espdfu-mqtt is gone"));
        start_bridge();
        collect_until(strstr(collector.online, "\"online\":true"));
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
        assert_null(collector.jobs[50]); /* the old id's */
        assert_int_equal(collector.before[51], 0);
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
                STORY(test_why_it_cannot_come_in_is_one_line),
                STORY(test_two_bridges_of_one_name_say_that_they_are),
                STORY(test_what_is_no_espdfud_is_told_and_a_real_one_is_found),
                STORY(test_systemd_is_told_how_it_is),
                STORY(test_slots_are_told_and_those_that_are_no_more_are_taken_away),
                STORY(test_progress_is_gathered_and_a_phase_is_told_at_once),
                STORY(test_a_station_that_gets_another_name_has_other_topics),
                STORY(test_a_bridge_that_is_killed_is_said_to_be_gone),
                STORY(test_a_restored_ledger_is_not_sent_under_numbers_that_are_used),
                STORY(test_a_full_disk_at_the_cursor_is_told_and_loses_nothing), /* the last: it has a view of its own of the disks */
        };

        cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
        return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
