/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the daemon's socket may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/socket-dir.h"
#include "tests/io/temp-dir.h"

static void test_a_missing_directory_is_made_and_then_good(void **state)
{
        struct stat st;

        (void)state;
        assert_int_equal(socket_dir_make("run/socket"), 0);
        assert_int_equal(stat("run", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0755 & ~umask(umask(0)) & 0777);
        assert_int_equal(socket_dir_make("run/socket"), 0);
        assert_int_equal(socket_dir_check("run/socket"), 0);
}

static void test_a_directory_without_a_parent_is_an_error(void **state)
{
        (void)state;
        assert_int_equal(socket_dir_make("no/run/socket"), -ENOENT);
        assert_int_equal(socket_dir_check("no/run/socket"), -ENOENT);
}

static void test_a_directory_in_which_anybody_may_write_is_refused(void **state)
{
        (void)state;
        make_dir("run");
        assert_int_equal(chmod("run", 0777), 0);
        assert_int_equal(socket_dir_check("run/socket"), 1);
        assert_int_equal(chmod("run", 0775), 0);
        assert_int_equal(socket_dir_check("run/socket"), 1);
        assert_int_equal(chmod("run", 01777), 0); /* as /tmp: what is there, its owner alone removes */
        assert_int_equal(socket_dir_check("run/socket"), 0);
}

static void test_a_directory_of_somebody_else_is_refused(void **state)
{
        (void)state;
        make_dir("run");
        if (chown("run", 65534, (gid_t)-1) < 0)
                skip(); /* only root gives a directory away */
        assert_int_equal(socket_dir_check("run/socket"), 1);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                in_temp_dir(test_a_missing_directory_is_made_and_then_good),
                in_temp_dir(test_a_directory_without_a_parent_is_an_error),
                in_temp_dir(test_a_directory_in_which_anybody_may_write_is_refused),
                in_temp_dir(test_a_directory_of_somebody_else_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
