/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the real bridge tells of the station and of itself: online, slots, names; to a real Mosquitto, the journal and systemd. */
#include "tests/fleet/bridge-bed.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/clock.h"

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
        pid_t second;

        (void)state;
        begin("");
        collect_until(strstr(collector.online, "\"online\":true"));
        second = start_program("second.log", argv);
        expect_line("bridge.log", "each time soon after it was made: another client may have the same name");
        expect_line("second.log", "each time soon after it was made: another client may have the same name");
        collect_for(3 * USEC_PER_SEC); /* they go on, and say no more */
        assert_true(lines_with("bridge.log", ": connected") <= 1);
        assert_true(lines_with("bridge.log", "the connection is lost") <= 2);
        assert_true(lines_with("second.log", ": connected") <= 1);
        end_program(second, SIGKILL);
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

/* The station's own server takes 16 of one user. */
static void take_places(int *fds, size_t n)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", bed_file("socket"));
        for (size_t i = 0; i < n; i++) {
                fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
        }
}

static void test_an_espdfud_without_a_place_is_told_and_tried_again(void **state)
{
        static const size_t taken[] = { 16, 15 }; /* none is left; none for its second connection */
        int fds[16];

        (void)state;
        start_broker(false);
        start_collector();
        configure_bridge("name = line3\n");
        start_station();
        for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
                take_places(fds, taken[i]);
                start_bridge();
                collect_until(strstr(collector.online, "espdfud takes no more connections"));
                for (size_t j = 0; j < taken[i]; j++)
                        close(fds[j]);
                collect_until(strstr(collector.online, "\"online\":true"));
                stop_bridge();
        }
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

#define STORY(name) cmocka_unit_test_setup_teardown(name, fleet_setup, fleet_teardown)

/* With an argument: the stories that it fits. */
int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                STORY(test_why_it_cannot_come_in_is_one_line),
                STORY(test_two_bridges_of_one_name_say_that_they_are),
                STORY(test_what_is_no_espdfud_is_told_and_a_real_one_is_found),
                STORY(test_an_espdfud_without_a_place_is_told_and_tried_again),
                STORY(test_systemd_is_told_how_it_is),
                STORY(test_slots_are_told_and_those_that_are_no_more_are_taken_away),
                STORY(test_progress_is_gathered_and_a_phase_is_told_at_once),
                STORY(test_a_station_that_gets_another_name_has_other_topics),
                STORY(test_a_bridge_that_is_killed_is_said_to_be_gone),
        };

        cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
        return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
