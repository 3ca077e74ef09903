/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon says where there is no journal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/log.h"

static int saved_stderr;
static FILE *said;

static int catch_stderr(void **state)
{
        (void)state;
        unsetenv("JOURNAL_STREAM");
        said = tmpfile();
        saved_stderr = dup(STDERR_FILENO);
        assert_non_null(said);
        assert_true(dup2(fileno(said), STDERR_FILENO) >= 0);
        log_set_max_level(LOG_INFO);
        return 0;
}

static int release_stderr(void **state)
{
        (void)state;
        fflush(stderr);
        dup2(saved_stderr, STDERR_FILENO);
        close(saved_stderr);
        fclose(said);
        return 0;
}

/* All that has been said since the beginning of the test. */
static void expect_said(const char *expected)
{
        char text[512] = "";
        ssize_t n;

        fflush(stderr);
        n = pread(fileno(said), text, sizeof(text) - 1, 0);
        assert_true(n >= 0);
        assert_string_equal(text, expected);
}

static void test_a_line_has_its_level_and_its_slot(void **state)
{
        (void)state;
        log_error("disk full");
        log_warning("%d slots", 3);
        log_slot(LOG_INFO, "A1", "0c1d", NULL, "flashed %s in %.1f s", "gizmo", 4.2);
        log_slot(LOG_INFO, NULL, NULL, NULL, "no slot");
        expect_said("espdfud: error: disk full\n"
                    "espdfud: warning: 3 slots\n"
                    "espdfud: info: A1: flashed gizmo in 4.2 s\n"
                    "espdfud: info: no slot\n");
}

static void test_what_is_not_wanted_is_not_said(void **state)
{
        (void)state;
        log_debug("detail");
        expect_said("");
        log_set_max_level(LOG_DEBUG);
        log_debug("detail");
        expect_said("espdfud: debug: detail\n");
}

static void test_a_board_cannot_forge_a_line(void **state)
{
        (void)state;
        log_slot(LOG_WARNING, "A1", NULL, NULL, "serial %s", "x\nespdfud: error: fire");
        expect_said("espdfud: warning: A1: serial x<0a>espdfud: error: fire\n");
}

static void test_errno_survives(void **state)
{
        (void)state;
        errno = ENOTTY;
        log_error("something");
        assert_int_equal(errno, ENOTTY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, catch_stderr, release_stderr)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_a_line_has_its_level_and_its_slot),
                TEST(test_what_is_not_wanted_is_not_said),
                TEST(test_a_board_cannot_forge_a_line),
                TEST(test_errno_survives),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
