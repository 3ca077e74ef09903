/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon as systemd has it: a socket that it is given, and what it tells of itself (sd_notify). The test is systemd
 * here; no board is plugged in. What systemd makes of it, tests/vm shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/util.h"
#include "tests/io/temp-dir.h"

#define PATIENCE_MSEC 15000

static struct service {
        struct sockaddr_un address; /* of the socket that clients use */
        int listening, notified;
        pid_t daemon;
        bool notify_only; /* no socket is passed */
        char told[1024];  /* the last message to systemd */
} service;

/* ---- the vocabulary ---- */

static int bound_socket(const char *name, int type, struct sockaddr_un *address)
{
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(address->sun_path, sizeof(address->sun_path), "%s", name);
        assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
        return fd;
}

static int open_service(void **state)
{
        struct sockaddr_un notify;

        if (enter_temp_dir(state) < 0)
                return -1;
        service = (struct service){ .daemon = -1 };
        make_dir("conf");
        service.notified = bound_socket("notify", SOCK_DGRAM, &notify);
        service.listening = bound_socket("socket", SOCK_STREAM, &service.address);
        assert_int_equal(listen(service.listening, 16), 0);
        write_text("conf/espdfud.conf", "[station]\nstop-time = 7s\n");
        return 0;
}

static int close_service(void **state)
{
        if (service.daemon > 0) {
                kill(service.daemon, SIGKILL);
                waitpid(service.daemon, NULL, 0);
        }
        close(service.notified);
        close(service.listening);
        return leave_temp_dir(state);
}

/* The child between fork and exec: descriptor 3 is the first that systemd passes. */
static void become_daemon(void)
{
        char pid[16], notify[PATH_MAX];

        snprintf(pid, sizeof(pid), "%d", getpid());
        setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef", 1);
        setenv("NOTIFY_SOCKET", realpath("notify", notify), 1);
        if (!service.notify_only) {
                dup2(service.listening, 3);
                setenv("LISTEN_FDS", "1", 1);
                setenv("LISTEN_PID", pid, 1);
        }
        execl(ESPDFUD, ESPDFUD, "--config", "conf", "--state", "state", "--socket", "other", NULL);
        _exit(127);
}

static void start(void)
{
        service.daemon = fork();
        assert_true(service.daemon >= 0);
        if (service.daemon == 0)
                become_daemon();
}

static void expect_exit(int expected)
{
        int status;

        assert_int_equal(waitpid(service.daemon, &status, 0), service.daemon);
        service.daemon = -1;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), expected);
}

/* Reads what systemd is told, until one message has this text. */
static void expect_told(const char *text)
{
        struct pollfd p = { .fd = service.notified, .events = POLLIN };

        do {
                ssize_t n;

                if (poll(&p, 1, PATIENCE_MSEC) != 1)
                        fail_msg("systemd was not told \"%s\"; last: \"%s\"", text, service.told);
                n = recv(service.notified, service.told, sizeof(service.told) - 1, 0);
                assert_true(n >= 0);
                service.told[n] = '\0';
        } while (!strstr(service.told, text));
}

static int connect_client(void)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval patience = { .tv_sec = PATIENCE_MSEC / 1000 };

        assert_true(fd >= 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        assert_int_equal(connect(fd, (struct sockaddr *)&service.address, sizeof(service.address)), 0);
        return fd;
}

static void ask(int fd, const char *method)
{
        char call[128];
        int n = snprintf(call, sizeof(call), "{\"method\":\"%s\"}", method);

        assert_int_equal(send(fd, call, (size_t)n + 1, MSG_NOSIGNAL), n + 1);
}

static void expect_answer(int fd, const char *text)
{
        char answer[4096];
        ssize_t n = recv(fd, answer, sizeof(answer) - 1, 0);

        assert_true(n > 0);
        answer[n] = '\0';
        assert_non_null(strstr(answer, text));
        close(fd);
}

/* ---- the stories ---- */

static void test_a_client_that_came_before_the_daemon_gets_its_answer(void **state)
{
        int client = connect_client();

        (void)state;
        ask(client, "org.varlink.service.GetInfo");
        start();
        expect_told("READY=1");
        expect_answer(client, "io.espdfu.Station1");
}

static void test_the_passed_socket_outlives_the_daemon(void **state)
{
        int client;

        (void)state;
        start();
        expect_told("READY=1");
        kill(service.daemon, SIGTERM);
        expect_exit(0);
        client = connect_client();
        ask(client, "org.varlink.service.GetInfo");
        start();
        expect_answer(client, "io.espdfu.Station1");
}

static void test_the_status_line_has_the_counts(void **state)
{
        (void)state;
        service.notify_only = true;
        start();
        expect_told("STATUS=running 0, waiting 0, failed 0; today 0 flashed, 0 failed");
}

static void test_a_hold_stands_in_the_status_line(void **state)
{
        int client;

        (void)state;
        start();
        expect_told("READY=1");
        client = connect_client();
        ask(client, "io.espdfu.Station1.Hold");
        expect_told("STATUS=held by ");
        expect_answer(client, "held by ");
}

static void test_a_reload_is_over_when_systemd_is_told(void **state)
{
        (void)state;
        start();
        expect_told("READY=1");
        kill(service.daemon, SIGHUP);
        expect_told("RELOADING=1");
        expect_told("READY=1");
}

static void test_a_refused_reload_stands_in_the_status_line_until_it_is_mended(void **state)
{
        (void)state;
        start();
        expect_told("READY=1");
        write_text("conf/espdfud.conf", "[station]\njobs-max = many\n");
        kill(service.daemon, SIGHUP);
        expect_told("RELOADING=1");
        expect_told("READY=1");
        expect_told("the last reload was refused: ");
        assert_non_null(strstr(service.told, "espdfud.conf:2: jobs-max = many"));
        write_text("conf/espdfud.conf", "[station]\njobs-max = 3\n");
        kill(service.daemon, SIGHUP);
        expect_told("READY=1");
        expect_told("STATUS=");
        assert_null(strstr(service.told, "refused"));
}

static void test_a_stop_asks_for_the_time_that_downloads_may_take(void **state)
{
        const char *extend;

        (void)state;
        start();
        expect_told("READY=1");
        kill(service.daemon, SIGTERM);
        expect_told("STOPPING=1");
        extend = strstr(service.told, "EXTEND_TIMEOUT_USEC=");
        assert_non_null(extend);
        assert_true(strtoull(extend + strlen("EXTEND_TIMEOUT_USEC="), NULL, 10) > 7 * USEC_PER_SEC);
        expect_exit(0);
}

static void test_a_broken_configuration_is_the_status_and_nobody_waits(void **state)
{
        int client = connect_client();
        char byte;
        ssize_t n;

        (void)state;
        write_text("conf/espdfud.conf", "[policy x]\nattempts = 0\n");
        ask(client, "org.varlink.service.GetInfo");
        start();
        expect_told("espdfud.conf:2: attempts = 0");
        expect_exit(78);
        n = recv(client, &byte, 1, 0);
        assert_true(n == 0 || (n < 0 && errno == ECONNRESET)); /* not: still waiting */
        close(client);
}

static void test_a_state_directory_that_cannot_be_made_is_the_status(void **state)
{
        (void)state;
        write_text("state", ""); /* a file is in the way: also root cannot */
        start();
        expect_told("STATUS=");
        assert_non_null(strstr(service.told, "state"));
        expect_exit(1);
}

static void test_an_image_that_the_sandbox_hides_says_where_images_belong(void **state)
{
        int client = connect_client();

        (void)state;
        write_text("conf/espdfud.conf", "[policy x]\nimage = /tmp/no-such-image.bin\n");
        start();
        ask(client, "io.espdfu.Station1.Status");
        expect_answer(client, "/srv is a good place");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_service, close_service)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_a_client_that_came_before_the_daemon_gets_its_answer),
                TEST(test_the_passed_socket_outlives_the_daemon),
                TEST(test_the_status_line_has_the_counts),
                TEST(test_a_hold_stands_in_the_status_line),
                TEST(test_a_reload_is_over_when_systemd_is_told),
                TEST(test_a_refused_reload_stands_in_the_status_line_until_it_is_mended),
                TEST(test_a_stop_asks_for_the_time_that_downloads_may_take),
                TEST(test_a_broken_configuration_is_the_status_and_nobody_waits),
                TEST(test_an_image_that_the_sandbox_hides_says_where_images_belong),
                TEST(test_a_state_directory_that_cannot_be_made_is_the_status),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
