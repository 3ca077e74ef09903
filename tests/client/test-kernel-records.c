/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records as /dev/kmsg gives them, out of a pipe that keeps them apart; and a file as dmesg writes it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/kernel-log.h"

static int pipe_fds[2];
static struct kernel_log log_;

static int begin(void **state)
{
        (void)state;
        log_ = (struct kernel_log){ 0 };
        return pipe2(pipe_fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC);
}

static int end(void **state)
{
        (void)state;
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        return 0;
}

/* The kernel said it so many seconds ago. */
static void say(unsigned seconds_ago, const char *text)
{
        char record[512];
        struct timespec now;
        int len;

        clock_gettime(CLOCK_MONOTONIC, &now);
        len = snprintf(record, sizeof(record), "3,1205,%lld,-;%s\n SUBSYSTEM=usb\n DEVICE=c189:3\n",
                       ((long long)now.tv_sec - seconds_ago) * 1000000, text);
        assert_int_equal(write(pipe_fds[1], record, (size_t)len), len);
}

static void test_records_are_taken_one_by_one(void **state)
{
        (void)state;
        say(2, "usb 1-4: device descriptor read/64, error -71");
        say(1, "usb 1-5: device descriptor read/64, error -71");
        say(0, "usb 1-4: New USB device found, idVendor=303a, idProduct=0002, bcdDevice= 7.23");
        assert_int_equal(kernel_log_read_records(pipe_fds[0], &log_), 0);
        assert_int_equal(log_.n_troubles, 1);
        assert_string_equal(log_.troubles[0].place, "1-5");
        assert_string_equal(log_.troubles[0].text, "usb 1-5: device descriptor read/64, error -71");
}

static void test_what_is_older_than_an_hour_was_about_another_board(void **state)
{
        struct timespec now;

        (void)state;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec < 3700)
                skip(); /* the machine has not run for so long */
        say(3650, "usb 1-4: device descriptor read/64, error -71");
        say(3500, "usb 1-5: device descriptor read/64, error -71");
        assert_int_equal(kernel_log_read_records(pipe_fds[0], &log_), 0);
        assert_int_equal(log_.n_troubles, 1);
        assert_string_equal(log_.troubles[0].place, "1-5");
}

static void test_what_is_no_record_is_left_out(void **state)
{
        static const char *const records[] = { "usb 1-4: device descriptor read/64, error -71\n",
                                               ";usb 1-4: unable to enumerate USB device\n",
                                               "3,x,y,-;usb 1-4: device descriptor read/64, error -71\n",
                                               "3,1205,", "\n" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(records); i++)
                assert_int_equal(write(pipe_fds[1], records[i], strlen(records[i])), strlen(records[i]));
        say(0, "usb 1-5: device descriptor read/64, error -71");
        assert_int_equal(kernel_log_read_records(pipe_fds[0], &log_), 0);
        assert_int_equal(log_.n_troubles, 1);
}

static void test_a_log_that_cannot_be_read_is_an_error(void **state)
{
        (void)state;
        assert_int_equal(kernel_log_read_records(pipe_fds[1], &log_), -EBADF);
        assert_int_equal(kernel_log_read_file("/nowhere/dmesg.txt", &log_), -ENOENT);
        assert_int_equal(kernel_log_read_file("/dev/zero", &log_), -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_records_are_taken_one_by_one),
                TEST(test_what_is_older_than_an_hour_was_about_another_board),
                TEST(test_what_is_no_record_is_left_out),
                TEST(test_a_log_that_cannot_be_read_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
