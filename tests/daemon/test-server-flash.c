/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The method Flash and the descriptors that peers pass: one for a call, of whom may act; all others are closed. */
#include "tests/daemon/conforming.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/signature.h"
#include "daemon/closer.h"
#include "io/sealed.h"

#define FLASH(parameters) "{\"method\":\"" STATION "Flash\",\"parameters\":{\"where\":\"A4\"" parameters "}}"
#define GET_INFO          "{\"method\":\"" SERVICE "GetInfo\"}"
#define IMAGE             ",\"image\":\"/home/joe/gizmo.bin\""

#define MANY 200 /* the kernel lets 253 go in one message */

/* ---- vocabulary ---- */

#define NOBODY_KNOWN 3999999

static struct client *connect_to_act(void)
{
        return connect_as(NOBODY_KNOWN, true);
}

static int memfd(void)
{
        int fd = sealed_memfd("test", (const uint8_t *)"image", 5);

        assert_true(fd >= 0);
        return fd;
}

/* size bytes of text in one message, with n times this descriptor beside them. */
static void send_part(struct client *c, const char *text, size_t size, int fd, size_t n)
{
        union {
                char bytes[CMSG_SPACE(MANY * sizeof(int))];
                struct cmsghdr header;
        } control = { 0 };
        struct iovec bytes = { (char *)(uintptr_t)text, size };
        struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

        assert_true(n <= MANY);
        if (n > 0) {
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(n * sizeof(int));
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
                for (size_t i = 0; i < n; i++)
                        memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd, sizeof(int));
        }
        assert_int_equal(sendmsg(c->fd, &message, MSG_NOSIGNAL), size);
}

/* A whole call. */
static void call_with(struct client *c, const char *text, int fd, size_t n)
{
        send_part(c, text, strlen(text) + 1, fd, n);
}

/* Descriptors of this process, which is server and peers in one, when what is to be closed is. */
static size_t n_open(void)
{
        uint64_t deadline = now_usec() + PATIENCE;
        DIR *dir;
        size_t n = 0;

        while (closer_pending() > 0)
                assert_true(now_usec() < deadline);
        dir = opendir("/proc/self/fd");

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

static void expect_wrong(struct client *c, const char *parameter)
{
        expect_error(c, SERVICE "InvalidParameter", "parameter", parameter);
}

static void expect_wrong_and_last(const char *text, int fd, size_t n)
{
        struct client *c = connect_to_act();

        call_with(c, text, fd, n);
        expect_wrong(c, "image");
        expect_hang_up(c);
        hang_up(c);
}

/* The order came to the station so. */
static void expect_ordered(const char *text, int64_t size)
{
        settle();
        assert_string_equal(w.station.ordered, text);
        assert_int_equal(w.station.given_size, size);
        w.station.ordered[0] = '\0';
}

static void begins(struct client *c)
{
        fake_station_slot(&w.station, "A4")->phase = PHASE_QUEUED;
        server_begun(w.server, w.station.n_retries, "A4", 0, NULL);
        fake_station_slot(&w.station, "A4")->phase = PHASE_FAILED; /* the next call finds it as it was */
        expect_answer(c, "Flash");
}

/* ---- the method ---- */

static void test_flash_without_an_image_needs_no_descriptor(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        call(c, FLASH());
        expect_ordered("flash A4 by 3999999 with -, no signature", 0);
        assert_false(take_reply(c)); /* the ledger is waited for */
        begins(c);
        call(c, FLASH(",\"image\":null,\"signature\":null"));
        expect_ordered("flash A4 by 3999999 with -, no signature", 0);
        begins(c);
        hang_up(c);
        expect_idle();
}

static void test_flash_hands_the_image_and_its_signature_on(void **state)
{
        uint8_t signature[SIGNATURE_SIZE] = { 1, 2, 3 };
        char base64[SIGNATURE_BASE64_SIZE], text[512];
        struct client *c = connect_to_act();
        int fd = memfd();
        size_t before = n_open();

        (void)state;
        call_with(c, FLASH(IMAGE), fd, 1);
        expect_ordered("flash A4 by 3999999 with /home/joe/gizmo.bin, no signature", 5);
        assert_int_equal(n_open(), before); /* it is the station's only while it is asked */
        begins(c);
        signature_to_base64(signature, base64);
        snprintf(text, sizeof(text), FLASH(IMAGE ",\"signature\":\"%s\""), base64);
        call_with(c, text, fd, 1);
        expect_ordered("flash A4 by 3999999 with /home/joe/gizmo.bin, a signature", 5);
        begins(c);
        assert_int_equal(n_open(), before);
        close(fd);
        hang_up(c);
        expect_idle();
}

static void test_flash_is_refused_with_the_reason(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        call_method(c, STATION "Flash", json_pack("{s:s}", "where", "A1"), false);
        expect_refused(c, "NotFlashed", "where", "A1");
        assert_string_equal(json_string_value(json_object_get(c->reply.parameters, "message")),
                            "is running: expected espdfuctl cancel first");
        call_method(c, STATION "Flash", json_pack("{s:s}", "where", "Z9"), false);
        expect_error(c, STATION "NoSuchSlot", "where", "Z9");
        call_method(c, STATION "Flash", NULL, false);
        expect_wrong(c, "where");
        call(c, FLASH());
        settle();
        server_begun(w.server, w.station.n_retries, "A4", -ENOSPC, "the disk is full");
        expect_error(c, STATION "Failed", "message", "the disk is full");
        hang_up(c);
}

static void test_names_and_signatures_that_are_none_are_refused(void **state)
{
        static const char *const images[] = { "\"\"", "\"a\\nb\"", "\"\\u001b[2J\"", "7", "{}" };
        static const char *const signatures[] = {
                "\"\"", "\"AQID\"", "7",
                "\"!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!==\""
        };
        struct client *c = connect_to_act();
        int fd = memfd();
        size_t before = n_open();
        char text[4096], path[2200];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
                snprintf(text, sizeof(text), FLASH(",\"image\":%s"), images[i]);
                call_with(c, text, fd, 1);
                expect_wrong(c, "image");
        }
        memset(path, 'x', sizeof(path));
        path[2049] = '\0';
        snprintf(text, sizeof(text), FLASH(",\"image\":\"%s\""), path);
        call_with(c, text, fd, 1);
        expect_wrong(c, "image");
        for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
                snprintf(text, sizeof(text), FLASH(IMAGE ",\"signature\":%s"), signatures[i]);
                call_with(c, text, fd, 1);
                expect_wrong(c, "signature");
        }
        call_with(c, FLASH(IMAGE ",\"colour\":\"red\""), fd, 1);
        expect_wrong(c, "colour");
        assert_string_equal(w.station.ordered, "");
        assert_int_equal(n_open(), before);
        close(fd);
        hang_up(c);
}

/* ---- descriptors ---- */

/* Else the board would be flashed with something else than what was sent. */
static void test_image_and_descriptor_come_together_or_the_call_is_wrong(void **state)
{
        struct client *c = connect_to_act();
        int fd = memfd();
        size_t before = n_open();

        (void)state;
        call(c, FLASH(IMAGE));
        expect_wrong(c, "image");
        call_with(c, FLASH(), fd, 1);
        expect_wrong(c, "image");
        assert_int_equal(n_open(), before);
        call_with(c, FLASH(IMAGE), fd, 1); /* the connection is as it was */
        expect_ordered("flash A4 by 3999999 with /home/joe/gizmo.bin, no signature", 5);
        begins(c);
        /* Several in one message stay where they are, and the connection ends behind the answer. */
        expect_wrong_and_last(FLASH(IMAGE), fd, 2);
        expect_wrong_and_last(FLASH(IMAGE), fd, MANY);
        expect_wrong_and_last(FLASH(), fd, 2);
        assert_string_equal(w.station.ordered, "");
        assert_int_equal(n_open(), before);
        close(fd);
        hang_up(c);
}

static void test_descriptor_is_for_the_call_that_it_came_with(void **state)
{
        static const char text[] = FLASH(IMAGE);
        struct client *c = connect_to_act();
        int fd = memfd();
        size_t before = n_open();

        (void)state;
        /* Beside another method it is closed, and none is left for the next call. */
        call_with(c, GET_INFO, fd, 1);
        expect_reply(c);
        assert_int_equal(n_open(), before);
        call(c, FLASH(IMAGE));
        expect_wrong(c, "image");
        /* What was sent before it, and is read with it, is another call. */
        call(c, GET_INFO);
        call_with(c, text, fd, 1);
        expect_reply(c);
        expect_ordered("flash A4 by 3999999 with /home/joe/gizmo.bin, no signature", 5);
        begins(c);
        /* A call in pieces, with the descriptor at the first, or at a later one. */
        send_part(c, text, 20, fd, 1);
        settle();
        assert_int_equal(n_open(), before + 1);
        send_part(c, text + 20, sizeof(text) - 20, -1, 0);
        expect_ordered("flash A4 by 3999999 with /home/joe/gizmo.bin, no signature", 5);
        begins(c);
        send_part(c, text, 20, -1, 0);
        settle();
        send_part(c, text + 20, sizeof(text) - 20, fd, 1);
        expect_ordered("flash A4 by 3999999 with /home/joe/gizmo.bin, no signature", 5);
        begins(c);
        /* One with each piece is two. */
        send_part(c, text, 20, fd, 1);
        settle();
        send_part(c, text + 20, sizeof(text) - 20, fd, 1);
        expect_wrong(c, "image");
        assert_int_equal(n_open(), before);
        close(fd);
        hang_up(c);
}

static void test_calls_with_a_descriptor_each_are_answered_in_order(void **state)
{
        struct client *c = connect_to_act();
        int fd = memfd(), larger = sealed_memfd("test", (const uint8_t *)"another image", 13);
        size_t before = n_open();

        (void)state;
        call_with(c, FLASH(IMAGE), fd, 1);
        call_with(c, FLASH(IMAGE), larger, 1);
        call_with(c, GET_INFO, fd, 1);
        expect_ordered("flash A4 by 3999999 with /home/joe/gizmo.bin, no signature", 5);
        begins(c);
        expect_ordered("flash A4 by 3999999 with /home/joe/gizmo.bin, no signature", 13);
        begins(c);
        expect_reply(c);
        assert_int_equal(n_open(), before);
        close(fd);
        close(larger);
        hang_up(c);
}

static void test_descriptors_of_who_may_only_look_are_never_taken(void **state)
{
        struct client *c = connect_as(1000, false);
        int fd = memfd();
        size_t before = n_open();

        (void)state;
        /* A call that came with some is answered, and is the last. */
        call_with(c, FLASH(IMAGE), fd, 1);
        expect_error(c, STATION "NotPermitted", "method", STATION "Flash");
        expect_hang_up(c);
        hang_up(c);
        c = connect_as(1000, false);
        call_with(c, GET_INFO, fd, MANY);
        expect_reply(c);
        expect_hang_up(c);
        hang_up(c);
        c = connect_as(1000, false);
        send_part(c, "{", 1, fd, MANY);
        expect_hang_up(c);
        hang_up(c);
        assert_int_equal(n_open(), before - 2); /* both ends of the first of them */
        assert_string_equal(w.station.ordered, "");
        close(fd);
}

static void test_descriptors_are_not_hoarded(void **state)
{
        struct client *c = connect_to_act(), *gone;
        int fd = memfd();
        size_t before = n_open();

        (void)state;
        /* Byte by byte of a call that has no end, each with descriptors. */
        for (unsigned i = 0; i < 500; i++) {
                send_part(c, " ", 1, fd, 1);
                settle();
                assert_true(n_open() <= before + 1);
        }
        /* Over and over beside a method that takes none; a watch lasts, but its descriptor does not. */
        hang_up(c);
        c = connect_to_act();
        before = n_open();
        for (unsigned i = 0; i < 100; i++) {
                call_with(c, GET_INFO, fd, 1);
                expect_reply(c);
        }
        call_with(c, "{\"method\":\"" STATION "Status\",\"more\":true}", fd, 1);
        expect_reply(c);
        assert_int_equal(n_open(), before);
        /* Who hangs up, or sends what is no call, leaves nothing. */
        gone = connect_to_act();
        send_part(gone, "{", 1, fd, 1);
        settle();
        hang_up(gone);
        assert_int_equal(n_open(), before);
        gone = connect_to_act();
        call_with(gone, "nonsense", fd, 1);
        expect_hang_up(gone);
        settle();
        hang_up(gone);
        assert_int_equal(n_open(), before);
        close(fd);
        hang_up(c);
}

static void test_flash_one_way_takes_the_image_along(void **state)
{
        struct client *c = connect_to_act();
        int fd = memfd();

        (void)state;
        call_with(c,
                  "{\"method\":\"" STATION "Flash\",\"parameters\":{\"where\":\"A4\"" IMAGE
                  "},\"oneway\":true}",
                  fd, 1);
        call(c, GET_INFO);
        assert_int_equal(n_of(expect_reply(c), "interfaces"), 2);
        expect_ordered("flash A4 by 3999999 with /home/joe/gizmo.bin, no signature", 5);
        close(fd);
        hang_up(c);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_flash_without_an_image_needs_no_descriptor),
                TEST(test_flash_hands_the_image_and_its_signature_on),
                TEST(test_flash_is_refused_with_the_reason),
                TEST(test_names_and_signatures_that_are_none_are_refused),
                TEST(test_image_and_descriptor_come_together_or_the_call_is_wrong),
                TEST(test_descriptor_is_for_the_call_that_it_came_with),
                TEST(test_calls_with_a_descriptor_each_are_answered_in_order),
                TEST(test_descriptors_of_who_may_only_look_are_never_taken),
                TEST(test_descriptors_are_not_hoarded),
                TEST(test_flash_one_way_takes_the_image_along),
        };

        return cmocka_run_group_tests(tests, read_interface, drop_interface);
}
