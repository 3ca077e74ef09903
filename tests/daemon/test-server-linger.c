/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors whose closing takes its time: a TCP socket with bytes that nobody takes and SO_LINGER keeps whoever closes it for
 * the last time. Nobody who passes one keeps the loop, and so neither boards nor other clients.
 */
#include "tests/daemon/peers.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/closer.h"

#define LINGER   3                  /* s */
#define AT_ONCE  (1 * USEC_PER_SEC) /* far less, and far more than a loaded machine needs for an answer */
#define GET_INFO "{\"method\":\"" SERVICE "GetInfo\"}"
#define FLASH                                                                                                \
        "{\"method\":\"" STATION                                                                             \
        "Flash\",\"parameters\":{\"where\":\"A4\",\"image\":\"/home/joe/gizmo.bin\"}}"

/* ---- vocabulary ---- */

static int others_ends[32];
static size_t n_others_ends;

/* A socket that lingers, and whose peer never reads. */
static int lingering(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        const struct linger linger = { .l_onoff = 1, .l_linger = LINGER };
        socklen_t size = sizeof(address);
        static const char bytes[65536];
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096, accepted;
        int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0 && listening >= 0);
        assert_int_equal(setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
        assert_int_equal(bind(listening, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(listening, 1), 0);
        assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
        accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        assert_true(accepted >= 0 && n_others_ends < ARRAY_SIZE(others_ends));
        others_ends[n_others_ends++] = accepted;
        close(listening);
        while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
                ;
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        return fd;
}

static void nobody_lingers(void)
{
        while (n_others_ends > 0)
                close(others_ends[--n_others_ends]);
}

/* One message with a lingering socket beside it, whose last reference is in the message then. */
static void send_lingering(struct client *c, const char *text, size_t size, int flags)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
        struct iovec bytes = { (char *)(uintptr_t)text, size };
        struct msghdr message = { .msg_iov = &bytes,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        int fd = lingering();

        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        assert_int_equal(sendmsg(c->fd, &message, MSG_NOSIGNAL | flags), size);
        close(fd);
}

/* A socket that lingers does so here, too: else these tests show nothing. */
static void expect_that_closing_lingers(void)
{
        int fd = lingering();
        uint64_t begin = now_usec();

        close(fd);
        assert_true(now_usec() - begin > AT_ONCE);
        nobody_lingers();
}

/* Everybody else has an answer at once, and what is due in the loop is not kept: a board's event, say. */
static void expect_that_nobody_waits(void)
{
        uint64_t begin = now_usec();
        struct client *other = connect_as(2000, false);

        call(other, GET_INFO);
        expect_reply(other);
        hang_up(other);
        settle();
        assert_true(now_usec() - begin < AT_ONCE);
}

/* All is closed in the end, and earlier than it would linger: closing is disturbed. */
static void expect_all_closed(void)
{
        uint64_t deadline = now_usec() + (LINGER * USEC_PER_SEC) / 2;

        while (closer_pending() > 0) {
                assert_true(now_usec() < deadline);
                sd_event_run(w.event, 10 * USEC_PER_MSEC);
        }
}

/* ---- stories ---- */

static void test_a_socket_that_lingers_keeps_who_closes_it(void **state)
{
        (void)state;
        expect_that_closing_lingers();
}

static void test_who_may_only_look_and_passes_one_keeps_nobody(void **state)
{
        struct client *c = connect_as(1000, false);

        (void)state;
        send_lingering(c, "{", 1, 0);
        expect_that_nobody_waits();
        expect_hang_up(c);
        expect_that_nobody_waits();
        hang_up(c);
        expect_that_nobody_waits();
        expect_all_closed();
        nobody_lingers();
}

static void test_urgent_bytes_bring_none_in_either(void **state)
{
        struct client *c = connect_as(1000, false);

        (void)state;
        send_lingering(c, "{", 1, MSG_OOB);
        call(c, "\"a\"");
        expect_that_nobody_waits();
        hang_up(c);
        expect_that_nobody_waits();
        expect_all_closed();
        nobody_lingers();
}

static void test_one_that_came_with_a_call_is_refused_with_it(void **state)
{
        struct client *c = connect_as(1000, false);

        (void)state;
        send_lingering(c, FLASH, sizeof(FLASH), 0);
        expect_that_nobody_waits();
        expect_error(c, STATION "NotPermitted", "method", STATION "Flash");
        expect_hang_up(c);
        hang_up(c);
        expect_that_nobody_waits();
        expect_all_closed();
        nobody_lingers();
}

static void test_unread_in_a_connection_that_is_turned_away_it_keeps_nobody(void **state)
{
        struct client *clients[16], *late;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
                clients[i] = connect_as(1000, false);
        /* It has said all before the loop looks at it. */
        late = connect_unseen();
        send_lingering(late, "{", 1, 0);
        expect_that_nobody_waits();
        expect_hang_up(late);
        hang_up(late);
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
                hang_up(clients[i]);
        expect_all_closed();
        nobody_lingers();
}

static void test_a_member_of_the_group_who_passes_one_keeps_nobody(void **state)
{
        static const char *const texts[] = { FLASH, GET_INFO, "nonsense" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                struct client *c = connect_as(1000, true);

                send_lingering(c, texts[i], strlen(texts[i]) + 1, 0);
                expect_that_nobody_waits();
                hang_up(c);
                expect_that_nobody_waits();
                expect_all_closed();
                nobody_lingers();
        }
}

/* What is not kept is closed by a thread, and not before the loop has taken the bytes that it came with. */
static void test_one_with_each_piece_of_a_call_keeps_nobody(void **state)
{
        struct client *c = connect_as(1000, true);

        (void)state;
        for (unsigned i = 0; i < 20; i++) {
                send_lingering(c, " ", 1, 0);
                expect_that_nobody_waits();
        }
        hang_up(c);
        expect_all_closed();
        nobody_lingers();
}

static void test_more_that_linger_than_there_are_closers_keep_nobody(void **state)
{
        struct client *clients[16];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
                clients[i] = connect_as(1000, false);
                send_lingering(clients[i], "{", 1, 0);
        }
        expect_that_nobody_waits();
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
                hang_up(clients[i]);
        expect_that_nobody_waits();
        expect_all_closed();
        nobody_lingers();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_a_socket_that_lingers_keeps_who_closes_it),
                TEST(test_who_may_only_look_and_passes_one_keeps_nobody),
                TEST(test_urgent_bytes_bring_none_in_either),
                TEST(test_one_that_came_with_a_call_is_refused_with_it),
                TEST(test_unread_in_a_connection_that_is_turned_away_it_keeps_nobody),
                TEST(test_a_member_of_the_group_who_passes_one_keeps_nobody),
                TEST(test_one_with_each_piece_of_a_call_keeps_nobody),
                TEST(test_more_that_linger_than_there_are_closers_keep_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
