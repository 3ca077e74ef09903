/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "core/util.h"
#include "daemon/clock.h"

static void test_boot_id_is_written_as_the_journal_writes_it(void **state)
{
        char id[BOOT_ID_SIZE], again[BOOT_ID_SIZE];

        (void)state;
        assert_int_equal(clock_boot_id(id), 0);
        assert_int_equal(strlen(id), 32);
        assert_int_equal(strspn(id, "0123456789abcdef"), 32);
        assert_int_equal(clock_boot_id(again), 0);
        assert_string_equal(id, again);
}

static void test_clocks_count_microseconds(void **state)
{
        time_t before = time(NULL);
        uint64_t boot = clock_boottime_usec(), now = clock_realtime_usec();

        (void)state;
        /* time() may lag behind clock_gettime() by a tick. */
        assert_in_range(now / USEC_PER_SEC, before, time(NULL) + 1);
        assert_true(boot > 0);
        assert_true(clock_boottime_usec() >= boot);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_boot_id_is_written_as_the_journal_writes_it),
                cmocka_unit_test(test_clocks_count_microseconds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
