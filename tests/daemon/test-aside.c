/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon says when nobody takes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "daemon/aside.h"
#include "daemon/log.h"

#define LINES    5000u /* far more than a pipe holds, and than may wait */
#define PATIENCE 20    /* s: until a test that hangs is killed */

static int saved_stderr, reader;

/* stderr is a pipe that nobody reads. */
static int begin(void **state)
{
        int pair[2];

        (void)state;
        unsetenv("JOURNAL_STREAM");
        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        saved_stderr = dup(STDERR_FILENO);
        assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
        close(pair[1]);
        reader = pair[0];
        alarm(PATIENCE);
        return 0;
}

static int end(void **state)
{
        (void)state;
        alarm(0);
        dup2(saved_stderr, STDERR_FILENO);
        close(saved_stderr);
        close(reader);
        return 0;
}

static void say_much(void)
{
        for (unsigned i = 0; i < LINES; i++)
                log_info("line %u of those that fill the pipe, and the place where lines wait", i);
}

/* All that is there, until the last line of it has text in it. */
static char *read_until(const char *text)
{
        size_t size = 0, allocated = 4 * MIB;
        char *all = calloc(1, allocated);

        assert_non_null(all);
        while (!strstr(all, text)) {
                ssize_t n = read(reader, all + size, allocated - size - 1);

                assert_true(n > 0);
                size += (size_t)n;
        }
        return all;
}

static void test_who_speaks_does_not_wait_for_who_reads(void **state)
{
        char *all;

        (void)state;
        assert_int_equal(aside_begin(log_lost), 0);
        say_much(); /* returns */
        all = read_until("lines were lost here");
        assert_non_null(strstr(all, "espdfud: info: line 0 of"));
        assert_non_null(strstr(all, "espdfud: info: line 999 of"));
        assert_null(strstr(all, "espdfud: info: line 4999 of"));
        free(all);
        log_info("what comes then is said");
        free(read_until("what comes then is said\n"));
        aside_end();
}

static void *read_all(void *userdata)
{
        *(char **)userdata = read_until("the last line\n");
        return NULL;
}

static void test_end_waits_for_what_is_taken(void **state)
{
        char *all = NULL;
        pthread_t thread;

        (void)state;
        assert_int_equal(aside_begin(log_lost), 0);
        for (unsigned i = 0; i < ASIDE_WAITING_MAX / 2; i++)
                log_info("line %u, and something more, so that all of them are more than a pipe holds at a "
                         "time: "
                         "64 KiB are that, as pipe(7) says, and so they have to wait until somebody reads",
                         i);
        log_info("the last line");
        assert_int_equal(pthread_create(&thread, NULL, read_all, &all), 0);
        aside_end();
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_null(strstr(all, "lost"));
        free(all);
}

/* The thread is left in its write to the pipe, which has to stay. */
static int leave(void **state)
{
        (void)state;
        alarm(0);
        dup2(saved_stderr, STDERR_FILENO);
        return 0;
}

/* The last one: its thread hangs for good. */
static void test_end_does_not_wait_for_ever(void **state)
{
        time_t begun = time(NULL);

        (void)state;
        assert_int_equal(aside_begin(log_lost), 0);
        say_much();
        aside_end();
        assert_true(time(NULL) - begun < PATIENCE / 2);
        log_info("nobody hears it, and nobody waits");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_who_speaks_does_not_wait_for_who_reads),
                TEST(test_end_waits_for_what_is_taken),
                cmocka_unit_test_setup_teardown(test_end_does_not_wait_for_ever, begin, leave),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
