/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfu-web towards browsers that behave and browsers that do not, and towards a daemon that comes and goes. */
#include "tests/web/site.h"
#include "web/visitors.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int begin(void **state)
{
        (void)state;
        start_station();
        start_web((const char *[]){ "--allow-host", "Line3.example", "--timeout", "2", NULL });
        return 0;
}

static int begin_patient(void **state)
{
        (void)state;
        start_station();
        start_web((const char *[]){ "--per-address", "6", NULL });
        return 0;
}

static int begin_alone(void **state)
{
        (void)state;
        start_web((const char *[]){ "--timeout", "2", NULL });
        return 0;
}

static int end(void **state)
{
        (void)state;
        end_site();
        return 0;
}

/* ---- requests ---- */

static void test_page_and_its_files_come_with_headers_that_keep_others_out(void **state)
{
        static const char *const files[][2] = { { "/", "text/html" },
                                                { "/page.css", "text/css" },
                                                { "/page.js", "text/javascript" },
                                                { "/icon.svg", "image/svg+xml" } };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                expect_answer(200, files[i][1], "GET", files[i][0], NULL);
                expect_answer(200, "default-src 'none'", "GET", files[i][0], NULL);
                expect_answer(200, "frame-ancestors 'none'", "GET", files[i][0], NULL);
                expect_answer(200, "X-Content-Type-Options: nosniff", "GET", files[i][0], NULL);
                expect_answer(200, "Referrer-Policy: same-origin", "GET", files[i][0], NULL);
                expect_answer(200, "Cache-Control: no-store", "GET", files[i][0], NULL);
        }
        expect_answer(404, "default-src 'none'", "GET", "/nothing", NULL);
}

static void test_page_asks_for_nothing_from_elsewhere(void **state)
{
        static const char *const files[] = { "/", "/page.css", "/page.js" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                struct answer answer = request("GET", files[i], NULL);

                for (const char *p = answer.body; (p = strstr(p, "//")); p += 2)
                        if (!str_has_prefix(p, "//www.w3.org/2000/svg"))
                                fail_msg("%s has %.40s", files[i], p);
                assert_null(strstr(answer.body, "innerHTML"));
                answer_done(&answer);
        }
}

static void test_path_that_is_not_there_is_404(void **state)
{
        (void)state;
        expect_answer(404, "no such page", "GET", "/index.php", NULL);
        expect_answer(404, "no such page", "GET", "/../../etc/passwd", NULL);
        expect_answer(404, "no such page", "GET", "/page.js/", NULL);
}

static void test_whoever_wants_to_change_something_is_refused(void **state)
{
        static const char *const methods[] = {
                "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FLASH"
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
                expect_answer(405, "Allow: GET, HEAD", methods[i], "/", NULL);
        expect_answer(405, "expected GET or HEAD", "POST", "/history", "Content-Length: 1000000000\r\n");
        expect_answer(413, "without a body", "GET", "/", "Content-Length: 1000000000\r\n");
        expect_answer(413, "without a body", "GET", "/", "Transfer-Encoding: chunked\r\n");
}

static void test_head_has_no_body(void **state)
{
        static const char *const paths[] = { "/", "/events", "/history", "/history.csv" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                struct answer answer = request("HEAD", paths[i], NULL);

                assert_int_equal(answer.status, 200);
                assert_string_equal(answer.body, "");
                answer_done(&answer);
        }
}

static void test_name_that_is_not_ours_is_refused(void **state)
{
        static const char *const ours[] = { "localhost",         "LOCALHOST:9000", "127.0.0.1",
                                            "127.0.0.1:8303",    "[::1]:80",       "line3.example",
                                            "LINE3.EXAMPLE:8303" };
        static const char *const theirs[] = {
                "evil.example",
                "localhost.evil.example",
                "127.0.0.1.evil.example",
                "192.0.2.1",
                "line3.example.",
                "localhost:80:80",
                "localhost:x",
                "[::1",
                "[::2]",
                "",
                "2130706433",
        };
        char header[128];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
                snprintf(header, sizeof(header), "Host: %s\r\n", ours[i]);
                expect_answer(200, "<title>", "GET", "/", header);
        }
        for (size_t i = 0; i < ARRAY_SIZE(theirs); i++) {
                snprintf(header, sizeof(header), "Host: %s\r\n", theirs[i]);
                expect_answer(403, "this name is not known here", "GET", "/history", header);
        }
}

static void test_request_without_a_name_is_refused(void **state)
{
        int fd = connect_from(NULL);
        struct answer answer;

        (void)state;
        send_text(fd, "GET /history HTTP/1.0\r\n\r\n");
        answer = read_answer(fd);
        assert_int_equal(answer.status, 403);
        answer_done(&answer);
}

static void test_page_of_another_origin_learns_nothing(void **state)
{
        static const char *const paths[] = { "/",        "/events", "/history", "/history.csv",
                                             "/page.js", "/nothing" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                expect_answer(403, "another origin", "GET", paths[i], "Origin: http://evil.example\r\n");
                expect_answer(403, "another origin", "GET", paths[i], "Origin: null\r\n");
                expect_answer(403, "another origin", "GET", paths[i], "Origin: http://localhost:81\r\n");
                expect_answer(403, "another site", "GET", paths[i], "Sec-Fetch-Site: cross-site\r\n");
                expect_answer(403, "another site", "GET", paths[i], "Sec-Fetch-Site: same-site\r\n");
        }
        expect_answer(200, "attempts", "GET", "/history",
                      "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n");
        expect_answer(200, "attempts", "GET", "/history", "Sec-Fetch-Site: none\r\n");
}

static void test_link_from_elsewhere_may_lead_to_the_page_and_nothing_else(void **state)
{
        static const char link[] = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
                                   "Sec-Fetch-Dest: document\r\n";

        (void)state;
        expect_answer(200, "<title>", "GET", "/", link);
        expect_answer(403, "another site", "GET", "/history.csv", link);
        expect_answer(403, "another site", "GET", "/",
                      "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n");
}

#define ON_PLAIN_HTTP "Host: line3.example\r\n"

/* To plain http on a name that is not loopback browsers send no Sec-Fetch-Site, and with a request that any site may make (an
 * image, a frame, a form) no Origin: with "no-referrer", nothing at all. Our own page's say where they come from. */
static void test_browser_that_does_not_say_who_asks_learns_nothing_by_plain_http(void **state)
{
        static const char *const paths[] = { "/events", "/history", "/history.csv" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                expect_answer(403, "expected the station's own page", "GET", paths[i], ON_PLAIN_HTTP);
                expect_answer(403, "expected the station's own page", "GET", paths[i],
                              ON_PLAIN_HTTP "Referer: http://evil.example/\r\n");
                expect_answer(403, "expected the station's own page", "GET", paths[i],
                              ON_PLAIN_HTTP "Referer: http://line3.example.evil.example/\r\n");
                expect_answer(403, "expected the station's own page", "GET", paths[i],
                              "Referer: http://evil.example/\r\n");
                expect_answer(200, "", "HEAD", paths[i],
                              ON_PLAIN_HTTP "Referer: http://line3.example/?x#y\r\n");
                expect_answer(200, "", "HEAD", paths[i], ON_PLAIN_HTTP "Referer: http://line3.example\r\n");
                expect_answer(200, "", "HEAD", paths[i], ON_PLAIN_HTTP "Sec-Fetch-Site: same-origin\r\n");
                expect_answer(200, "", "HEAD", paths[i], NULL); /* curl, on the station itself */
        }
        expect_answer(200, "attempts", "GET", "/history", ON_PLAIN_HTTP "Referer: http://line3.example/\r\n");
        expect_answer(200, "<title>", "GET", "/", ON_PLAIN_HTTP); /* the page itself may be linked to */
        expect_answer(200, "use strict", "GET", "/page.js", ON_PLAIN_HTTP);
}

static void test_request_that_is_too_long_is_refused_and_the_next_is_answered(void **state)
{
        char *path = calloc(1, 100001), *header = calloc(1, 100020);
        struct answer answer;

        (void)state;
        memset(path, 'a', 100000);
        path[0] = '/';
        answer = request("GET", path, NULL);
        assert_true(answer.status == 414 || answer.status == 431 || answer.status == 0);
        answer_done(&answer);
        snprintf(header, 100020, "X: %s\r\n", path);
        answer = request("GET", "/", header);
        assert_true(answer.status == 431 || answer.status == 0);
        answer_done(&answer);
        free(path);
        free(header);
        expect_answer(200, "<title>", "GET", "/", NULL);
}

static void test_what_is_no_http_is_refused(void **state)
{
        int fd = connect_from(NULL);
        struct answer answer;

        (void)state;
        send_text(fd, "\x16\x03\x01\x02\r\n\r\n");
        answer = read_answer(fd);
        assert_true(answer.status == 400 || answer.status == 0);
        answer_done(&answer);
        expect_answer(200, "<title>", "GET", "/", NULL);
}

/* --timeout 2 */
static void wait_until_one_that_does_not_go_on_is_dropped(void)
{
        int fd = connect_from(NULL);
        char byte;

        send_text(fd, "GET / HTTP/1.1\r\nHost: local");
        while (recv(fd, &byte, 1, 0) > 0)
                ;
        assert_int_not_equal(errno, EAGAIN);
        close(fd);
}

static void test_request_that_does_not_go_on_is_dropped(void **state)
{
        (void)state;
        wait_until_one_that_does_not_go_on_is_dropped();
}

/* --timeout 2: it has a byte each half second, and 4 s in all. */
static void test_request_byte_by_byte_is_dropped_all_the_same(void **state)
{
        static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
        int fd = connect_from(NULL), sent = 0;
        struct pollfd pfd = { .fd = fd, .events = POLLIN };

        (void)state;
        send_text(fd, request);
        while (poll(&pfd, 1, 500) == 0 && sent++ < 40)
                send_text(fd, "x");
        assert_true(sent >= 4 && sent < 30);
        close(fd);
        expect_answer(200, "<title>", "GET", "/", NULL);
}

/* ---- many ---- */

/* Whether there is a place: the page is asked for and comes. The socket stays open. */
static bool is_served(int fd)
{
        char text[32];

        send_text(fd, "GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n");
        return recv(fd, text, sizeof(text), 0) > 12 && memcmp(text, "HTTP/1.1 200", 12) == 0;
}

/* It is told that there is no place, and when to come again; and then the connection ends. */
static void expect_no_place(const char *from, const char *why)
{
        int fd = connect_from(from);
        struct answer answer;

        send_text(fd, "GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n");
        answer = read_answer(fd);
        assert_int_equal(answer.status, 503);
        assert_non_null(strstr(answer.text, "\r\nRetry-After: 1\r\n"));
        assert_non_null(strstr(answer.body, why));
        answer_done(&answer);
}

static void test_more_connections_than_an_address_may_have_are_told_so_and_others_are_served(void **state)
{
        int fds[6];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = connect_from("127.0.0.2");
                assert_true(is_served(fds[i]));
        }
        for (unsigned i = 0; i < 3; i++)
                expect_no_place("127.0.0.2", "this address has as many connections as one may have");
        expect_answer(200, "<title>", "GET", "/", NULL);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
}

static struct in6_addr party_of(const char *address)
{
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } from = { .any = { .sa_family = strchr(address, ':') ? AF_INET6 : AF_INET } };
        void *into = from.any.sa_family == AF_INET6 ? (void *)&from.v6.sin6_addr : (void *)&from.v4.sin_addr;

        assert_int_equal(inet_pton(from.any.sa_family, address, into), 1);
        return visitors_party(&from.any);
}

static bool are_one(const char *a, const char *b)
{
        struct in6_addr of_a = party_of(a), of_b = party_of(b);

        return memcmp(&of_a, &of_b, sizeof(of_a)) == 0;
}

static void test_addresses_that_one_machine_may_have_are_one(void **state)
{
        (void)state;
        assert_true(are_one("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_false(are_one("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert_true(are_one("192.0.2.1", "::ffff:192.0.2.1"));
        assert_false(are_one("192.0.2.1", "192.0.2.2"));
        assert_false(are_one("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
        assert_false(are_one("::1", "127.0.0.1"));
}

static void test_more_connections_than_there_are_places_are_told_so_until_one_leaves(void **state)
{
        struct stream streams[64];
        char address[32];
        bool served = false;

        (void)state;
        for (unsigned i = 0; i < ARRAY_SIZE(streams); i++) {
                snprintf(address, sizeof(address), "127.0.0.%u", 2 + i / 6);
                streams[i] = watch(address);
                json_decref(next_event(&streams[i]));
        }
        for (unsigned i = 0; i < 4; i++)
                expect_no_place("127.0.0.100", "the page has as many browsers as it may have");
        tell("phase A1 flashed");
        for (unsigned i = 0; i < ARRAY_SIZE(streams); i++) /* who is there is told as ever */
                json_decref(expect_slot(&streams[i], "A1", "flashed"));
        unwatch(&streams[0]);
        for (unsigned i = 0; i < 200 && !served; i++) { /* it takes a moment until its thread is reaped */
                int fd = connect_from("127.0.0.100");

                served = is_served(fd);
                close(fd);
                if (!served)
                        usleep(20000);
        }
        assert_true(served);
        for (unsigned i = 1; i < ARRAY_SIZE(streams); i++)
                unwatch(&streams[i]);
}

static void test_page_that_is_loaded_again_and_again_leaves_no_connections_behind(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 100; i++) {
                struct stream s = watch("127.0.0.3");
                json_t *event = next_event(&s);

                if (!event) /* the one before is just being reaped */
                        usleep(20000);
                json_decref(event);
                unwatch(&s);
        }
        for (unsigned i = 0; i < 100; i++) {
                struct stream s = watch("127.0.0.3");
                json_t *event = next_event(&s);

                unwatch(&s);
                if (event) {
                        json_decref(event);
                        return;
                }
                usleep(20000);
        }
        fail_msg("the places of an address are not free again");
}

/* ---- live ---- */

static void test_slot_that_changes_is_told_and_it_alone(void **state)
{
        struct stream s = watch(NULL);
        json_t *event = next_event(&s);

        (void)state;
        while (!json_is_true(json_object_get(json_object_get(event, "link"), "up"))) {
                json_decref(event);
                event = next_event(&s);
        }
        assert_int_equal(json_array_size(json_object_get(event, "slots")), 5);
        assert_string_equal(json_string_value(json_object_get(json_object_get(event, "station"), "name")),
                            "line3-a");
        json_decref(event);
        tell("phase A3 downloading");
        event = expect_slot(&s, "A3", "downloading");
        assert_int_equal(json_array_size(json_object_get(event, "slots")), 1);
        assert_false(json_is_true(json_object_get(event, "whole")));
        json_decref(event);
        unwatch(&s);
}

static void test_slot_that_is_no_more_is_gone_from_the_whole(void **state)
{
        struct stream s = watch(NULL);
        json_t *event = expect_slot(&s, "A4", "failed");

        (void)state;
        json_decref(event);
        tell("remove A4");
        do {
                event = next_event(&s);
                assert_non_null(event);
                if (json_is_true(json_object_get(event, "whole")) && !slot_in(event, "A4"))
                        break;
                json_decref(event);
        } while (true);
        assert_int_equal(json_array_size(json_object_get(event, "slots")), 4);
        json_decref(event);
        unwatch(&s);
}

static void test_what_others_wrote_is_escaped(void **state)
{
        struct stream s;
        json_t *event;
        char *text;

        (void)state;
        stop_web();
        tell("unusable");
        start_web(NULL);
        s = watch(NULL);
        event = expect_slot(&s, "A4", "failed");
        text = json_dumps(event, JSON_COMPACT);
        assert_non_null(strstr(text, "no such file\\u001B[2J"));
        free(text);
        json_decref(event);
        unwatch(&s);
}

/* Nothing was told of it; the question whether the daemon is there (--timeout 2) brings it. */
static void test_policy_that_becomes_unusable_is_told(void **state)
{
        struct stream s = watch(NULL);
        bool told = false;

        (void)state;
        json_decref(expect_slot(&s, "A4", "failed"));
        tell("unusable");
        while (!told) {
                json_t *event = next_event(&s);

                told = json_is_string(
                        json_object_get(json_array_get(json_object_get(event, "policies"), 1), "unusable"));
                json_decref(event);
        }
        unwatch(&s);
}

/* It takes nothing; the line goes on; then it is given how things are by now, not all that was. */
static void test_browser_that_reads_slowly_is_told_the_newest_and_holds_up_nobody(void **state)
{
        const int little = 2304;
        char order[64];
        struct stream quick = watch(NULL), slow = watch(NULL);
        uint64_t told = 0;

        (void)state;
        setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
        json_decref(next_event(&quick));
        for (unsigned i = 0; i < 4000; i++) {
                snprintf(order, sizeof(order), "phase A%u %s", 1 + i % 5,
                         i / 5 % 2 ? "downloading" : "verifying");
                tell(order);
        }
        tell("progress A1 262144");
        tell("phase A1 flashed");
        json_decref(expect_slot(&quick, "A1", "flashed"));
        unwatch(&quick);
        json_decref(expect_slot(&slow, "A1", "flashed"));
        told = slow.n_events;
        unwatch(&slow);
        assert_true(told < 1000);
}

/* It asked for twenty megabytes, which no socket takes, and nobody reads them for twice its time. */
static void test_browser_that_does_not_read_at_all_is_dropped(void **state)
{
        const int little = 2304;
        int fd = connect_from(NULL);
        struct answer answer;

        (void)state;
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
        tell("attempts 100000");
        send_text(fd, "GET /history.csv HTTP/1.0\r\nHost: localhost\r\n\r\n");
        assert_int_equal(recv(fd, (char[1]){ 0 }, 1, MSG_PEEK), 1);
        wait_until_one_that_does_not_go_on_is_dropped();
        wait_until_one_that_does_not_go_on_is_dropped();
        answer = read_answer(fd);
        assert_int_equal(answer.status, 200);
        assert_true(strlen(answer.text) < 4 * MIB);
        answer_done(&answer);
        expect_answer(200, "<title>", "GET", "/", NULL);
}

/* A download of the whole record, which is too much for any socket. */
static int download_from(const char *from)
{
        int fd = connect_narrowly_from(from);

        send_text(fd, "GET /history.csv HTTP/1.0\r\nHost: localhost\r\n\r\n");
        return fd;
}

static void expect_begun(int fd)
{
        char text[16];

        assert_int_equal(recv(fd, text, 12, MSG_WAITALL), 12);
        assert_memory_equal(text, "HTTP/1.1 200", 12);
}

static void expect_refused(int fd, const char *why)
{
        struct answer answer = read_answer(fd);

        assert_int_equal(answer.status, 503);
        assert_non_null(strstr(answer.body, why));
        answer_done(&answer);
}

static void test_downloads_leave_places_to_other_addresses_and_to_who_searches(void **state)
{
        int fds[4];

        (void)state;
        tell("attempts 100000");
        for (unsigned i = 0; i < 2; i++)
                expect_begun(fds[i] = download_from("127.0.0.2"));
        expect_refused(download_from("127.0.0.2"), "this address looks into the history as often as one may");
        for (unsigned i = 2; i < 4; i++)
                expect_begun(fds[i] = download_from("127.0.0.3"));
        expect_refused(download_from("127.0.0.4"), "too many look into the history");
        expect_answer(200, "attempts", "GET", "/history", NULL);
        for (unsigned i = 0; i < 4; i++)
                close(fds[i]);
}

/* They are never silent for long (--timeout 2), and would keep their places for hours. What the kernel had taken by then they
 * still get. */
static void test_browsers_that_take_a_download_little_by_little_lose_their_places(void **state)
{
        const char *from = "127.0.0.2";
        bool begun = false;
        char some[512];
        int fds[2];

        (void)state;
        tell("attempts 100000");
        for (unsigned i = 0; i < 2; i++)
                expect_begun(fds[i] = download_from(from));
        for (unsigned i = 0; i < 200 && !begun; i++) {
                int another = download_from(from);

                assert_int_equal(recv(another, some, 12, MSG_WAITALL), 12);
                begun = memcmp(some, "HTTP/1.1 200", 12) == 0;
                close(another);
                for (unsigned k = 0; k < 2; k++) /* 5 KiB/s where 16 are expected */
                        assert_true(recv(fds[k], some, sizeof(some), 0) > 0);
                poll(NULL, 0, 100);
        }
        assert_true(begun);
        close(fds[0]);
        close(fds[1]);
}

/* ---- the daemon ---- */

static void test_daemon_that_restarts_is_told_and_watched_again(void **state)
{
        struct stream s = watch(NULL);

        (void)state;
        expect_link(&s, true, NULL);
        stop_station();
        expect_link(&s, false, "espdfud");
        expect_answer(200, "<title>", "GET", "/", NULL);
        expect_answer(503, "no espdfud listens on", "GET", "/history", NULL);
        start_station();
        expect_link(&s, true, NULL);
        tell("phase A3 flashed");
        json_decref(expect_slot(&s, "A3", "flashed"));
        unwatch(&s);
}

static void test_page_is_there_before_the_daemon_is(void **state)
{
        struct stream s = watch(NULL);

        (void)state;
        expect_link(&s, false, "no espdfud listens on");
        expect_answer(200, "<title>", "GET", "/", NULL);
        expect_answer(503, "no espdfud listens on", "GET", "/history.csv", NULL);
        start_station();
        expect_link(&s, true, NULL);
        unwatch(&s);
}

static void test_daemon_that_talks_nonsense_is_told_and_survived(void **state)
{
        static const char *const nonsense[] = {
                "HTTP/1.1 400 Bad Request",
                "{}",
                "{\"parameters\":{\"station\":7,\"slots\":\"none\"},\"continues\":true}",
                "{\"continues\":true,\"parameters\":{\"station\":{\"name\":\"x\"},\"slots\":[{}]}}",
                "{\"error\":\"org.varlink.service.MethodNotFound\"}",
        };
        struct stream s = watch(NULL);

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
                start_nonsense(nonsense[i]);
                expect_link(&s, false, "is not an espdfud that we understand");
                expect_answer(502, "is not an espdfud that we understand", "GET", "/history", NULL);
                expect_answer(502, "is not an espdfud that we understand", "GET", "/history.csv", NULL);
                stop_station();
                expect_link(&s, false, "no espdfud listens on");
        }
        start_station();
        expect_link(&s, true, NULL);
        unwatch(&s);
}

/* --timeout 2 counts for it, too. */
static void test_daemon_that_hangs_is_told(void **state)
{
        struct stream s = watch(NULL);

        (void)state;
        expect_link(&s, true, NULL);
        kill(site.station, SIGSTOP);
        expect_link(&s, false, "does not answer");
        expect_answer(200, "<title>", "GET", "/", NULL);
        kill(site.station, SIGCONT);
        expect_link(&s, true, NULL);
        unwatch(&s);
}

static void test_it_ends_at_once_though_browsers_watch(void **state)
{
        struct stream a = watch(NULL), b = watch(NULL);

        (void)state;
        expect_link(&a, true, NULL);
        stop_web();
        while (true) {
                json_t *event = next_event(&b);

                if (!event)
                        break;
                json_decref(event);
        }
        unwatch(&a);
        unwatch(&b);
}

/* ---- history ---- */

static json_t *history(const char *arguments)
{
        char path[256];
        struct answer answer;
        json_t *json;

        snprintf(path, sizeof(path), "/history?%s", arguments);
        answer = request("GET", path, NULL);
        assert_int_equal(answer.status, 200);
        json = json_loads(answer.body, 0, NULL);
        assert_non_null(json);
        answer_done(&answer);
        return json;
}

static size_t n_of(const char *arguments, bool *ret_more)
{
        json_t *json = history(arguments);
        size_t n = json_array_size(json_object_get(json, "attempts"));

        *ret_more = json_is_true(json_object_get(json, "more"));
        json_decref(json);
        return n;
}

static void test_history_comes_in_pages_and_says_whether_there_is_more(void **state)
{
        bool more;

        (void)state;
        tell("attempts 120");
        assert_int_equal(n_of("", &more), 50);
        assert_true(more);
        assert_int_equal(n_of("limit=119", &more), 119);
        assert_true(more);
        assert_int_equal(n_of("limit=120", &more), 120);
        assert_false(more);
        assert_int_equal(n_of("limit=500&slot=A1", &more), 60);
        assert_int_equal(n_of("slot=&mac=&image=&verdict=&since=&until=", &more), 50);
}

static void test_search_that_is_not_understood_is_refused_with_what_was_expected(void **state)
{
        static const char *const wrong[][2] = {
                { "limit=0", "from 1 to 500" },
                { "limit=501", "from 1 to 500" },
                { "limit=x", "from 1 to 500" },
                { "colour=red", "colour: expected slot, mac" },
                { "verdict=splendid", "verdict splendid: expected none, flashed" },
                { "since=soon", "since soon: expected a date" },
                { "since=today&until=yesterday", "since today: expected a time before until yesterday" },
                { "slot=%ff", "expected UTF-8" },
                { "slot=A%00B", "slot: expected" },
                { "slot=<script>&verdict=<b>", "verdict <b>: expected" },
        };
        char path[256];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                snprintf(path, sizeof(path), "/history?%s", wrong[i][0]);
                expect_answer(400, wrong[i][1], "GET", path, NULL);
                expect_answer(400, "text/plain", "GET", path, NULL);
        }
        expect_answer(400, "limit: expected slot, mac", "GET", "/history.csv?limit=5", NULL);
}

static void test_csv_is_all_of_it_the_oldest_first(void **state)
{
        int fd = connect_from(NULL);
        struct answer answer;
        size_t lines = 0;

        (void)state;
        tell("attempts 700");
        send_text(fd, "GET /history.csv?slot=A1 HTTP/1.0\r\nHost: localhost\r\n\r\n");
        answer = read_answer(fd);
        assert_int_equal(answer.status, 200);
        assert_non_null(strstr(answer.text, "attachment; filename=\"espdfu-history.csv\""));
        assert_true(str_has_prefix(answer.body, "id,sequence,job,attempt,slot,"));
        for (const char *p = answer.body; (p = strstr(p, "\r\n")); p += 2)
                lines++;
        assert_int_equal(lines, 351);
        assert_true(str_has_prefix(strstr(answer.body, "\r\n") + 2, "1,1,"));
        answer_done(&answer);
}

static void test_csv_of_a_daemon_that_dies_is_broken_and_not_short(void **state)
{
        static const char last_chunk[] = "\r\n0\r\n\r\n";
        const int little = 2304;
        int fd = connect_from(NULL);
        struct answer answer;
        size_t n;

        (void)state;
        tell("attempts 100000");
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
        send_text(fd, "GET /history.csv HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_int_equal(recv(fd, (char[1]){ 0 }, 1, MSG_PEEK), 1);
        stop_station();
        answer = read_answer(fd);
        n = strlen(answer.text);
        assert_int_equal(answer.status, 200);
        assert_true(n < strlen(last_chunk) || !streq(answer.text + n - strlen(last_chunk), last_chunk));
        answer_done(&answer);
}

/* ---- the command line ---- */

static int run_web(const char *const *argv)
{
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
                        _exit(126);
                execv(ESPDFU_WEB, (char **)(uintptr_t)argv);
                _exit(127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_command_line_that_is_not_understood_ends_with_2(void **state)
{
        static const char *const wrong[][2] = {
                { "--listen", "localhost:80" },
                { "--listen", "127.0.0.1" },
                { "--listen", "127.0.0.1:99999" },
                { "--listen", "[::1:80" },
                { "--listen", ":80" },
                { "--allow-host", "a/b" },
                { "--allow-host", "" },
                { "--per-address", "0" },
                { "--per-address", "65" },
                { "--timeout", "0" },
                { "--timeout", "1h" },
                { "--socket", "" },
                { "--listen", NULL },
                { "--colour", "red" },
                { "word", NULL },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                assert_int_equal(run_web((const char *[]){ "espdfu-web", wrong[i][0], wrong[i][1], NULL }),
                                 2);
        assert_int_equal(run_web((const char *[]){ "espdfu-web", "--help", NULL }), 0);
        assert_int_equal(run_web((const char *[]){ "espdfu-web", "--version", NULL }), 0);
        /* An address that is no address of this machine. */
        assert_int_equal(run_web((const char *[]){ "espdfu-web", "--listen", "192.0.2.1:8303", NULL }), 1);
}

#define TEST(name)         cmocka_unit_test_setup_teardown(name, begin, end)
#define TEST_PATIENT(name) cmocka_unit_test_setup_teardown(name, begin_patient, end)
#define TEST_ALONE(name)   cmocka_unit_test_setup_teardown(name, begin_alone, end)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_page_and_its_files_come_with_headers_that_keep_others_out),
                TEST(test_page_asks_for_nothing_from_elsewhere),
                TEST(test_path_that_is_not_there_is_404),
                TEST(test_whoever_wants_to_change_something_is_refused),
                TEST(test_head_has_no_body),
                TEST(test_name_that_is_not_ours_is_refused),
                TEST(test_request_without_a_name_is_refused),
                TEST(test_page_of_another_origin_learns_nothing),
                TEST(test_link_from_elsewhere_may_lead_to_the_page_and_nothing_else),
                TEST(test_browser_that_does_not_say_who_asks_learns_nothing_by_plain_http),
                TEST(test_request_that_is_too_long_is_refused_and_the_next_is_answered),
                TEST(test_what_is_no_http_is_refused),
                TEST(test_request_that_does_not_go_on_is_dropped),
                TEST(test_request_byte_by_byte_is_dropped_all_the_same),
                TEST_PATIENT(
                        test_more_connections_than_an_address_may_have_are_told_so_and_others_are_served),
                TEST(test_addresses_that_one_machine_may_have_are_one),
                TEST_PATIENT(test_more_connections_than_there_are_places_are_told_so_until_one_leaves),
                TEST_PATIENT(test_downloads_leave_places_to_other_addresses_and_to_who_searches),
                TEST_PATIENT(test_page_that_is_loaded_again_and_again_leaves_no_connections_behind),
                TEST(test_slot_that_changes_is_told_and_it_alone),
                TEST(test_slot_that_is_no_more_is_gone_from_the_whole),
                TEST(test_what_others_wrote_is_escaped),
                TEST(test_policy_that_becomes_unusable_is_told),
                TEST_PATIENT(test_browser_that_reads_slowly_is_told_the_newest_and_holds_up_nobody),
                TEST(test_browser_that_does_not_read_at_all_is_dropped),
                TEST(test_browsers_that_take_a_download_little_by_little_lose_their_places),
                TEST(test_daemon_that_restarts_is_told_and_watched_again),
                TEST_ALONE(test_page_is_there_before_the_daemon_is),
                TEST_ALONE(test_daemon_that_talks_nonsense_is_told_and_survived),
                TEST(test_daemon_that_hangs_is_told),
                TEST(test_it_ends_at_once_though_browsers_watch),
                TEST(test_history_comes_in_pages_and_says_whether_there_is_more),
                TEST(test_search_that_is_not_understood_is_refused_with_what_was_expected),
                TEST(test_csv_is_all_of_it_the_oldest_first),
                TEST(test_csv_of_a_daemon_that_dies_is_broken_and_not_short),
                cmocka_unit_test(test_command_line_that_is_not_understood_ends_with_2),
        };

        setenv("TZ", "UTC", 1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
