/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which paths the service does not see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/sandbox.h"

static void test_homes_are_hidden_by_protect_home(void **state)
{
        (void)state;
        assert_string_equal(sandbox_hides("/home/joe/dfu.bin"), "ProtectHome=yes");
        assert_string_equal(sandbox_hides("/root/dfu.bin"), "ProtectHome=yes");
}

static void test_temporary_files_are_hidden_by_private_tmp(void **state)
{
        (void)state;
        assert_string_equal(sandbox_hides("/tmp/dfu.bin"), "PrivateTmp=yes");
        assert_string_equal(sandbox_hides("/var/tmp/x/dfu.bin"), "PrivateTmp=yes");
}

static void test_what_is_there_until_the_next_boot_is_hidden(void **state)
{
        (void)state;
        assert_string_equal(sandbox_hides("/run/user/1000/dfu.bin"), "TemporaryFileSystem=/run:ro");
        assert_string_equal(sandbox_hides("/run/media/joe/dfu.bin"), "TemporaryFileSystem=/run:ro");
        assert_string_equal(sandbox_hides("/dev/shm/dfu.bin"),
                            "InaccessiblePaths=-/dev/shm -/dev/mqueue -/dev/hugepages");
}

static void test_everything_else_is_seen(void **state)
{
        static const char *const seen[] = { "/srv/dfu.bin",  "/var/lib/gizmo/dfu.bin", "/homes/dfu.bin",
                                            "/rootfs/x.bin", "/srv/home/dfu.bin",      "/runs/dfu.bin" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
                assert_null(sandbox_hides(seen[i]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_homes_are_hidden_by_protect_home),
                cmocka_unit_test(test_temporary_files_are_hidden_by_private_tmp),
                cmocka_unit_test(test_what_is_there_until_the_next_boot_is_hidden),
                cmocka_unit_test(test_everything_else_is_seen),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
