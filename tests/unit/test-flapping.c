/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many leaves are too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/flapping.h"

static bool left_after(struct flapping *f, uint64_t seconds)
{
        return flapping_left(f, (1000 + seconds) * USEC_PER_SEC);
}

static void test_third_leave_within_a_minute_is_flapping(void **state)
{
        struct flapping f = { 0 };

        (void)state;
        assert_false(left_after(&f, 0));
        assert_false(left_after(&f, 30));
        assert_true(left_after(&f, 60));
}

static void test_leaves_of_more_than_a_minute_ago_do_not_count(void **state)
{
        struct flapping f = { 0 };

        (void)state;
        assert_false(left_after(&f, 0));
        assert_false(left_after(&f, 50));
        assert_false(left_after(&f, 61));
        assert_true(left_after(&f, 110)); /* 50, 61 and this one */
}

static void test_count_begins_anew_when_it_was_told(void **state)
{
        struct flapping f = { 0 };

        (void)state;
        for (unsigned round = 0; round < 3; round++) {
                assert_false(left_after(&f, round * 3));
                assert_false(left_after(&f, round * 3 + 1));
                assert_true(left_after(&f, round * 3 + 2));
        }
}

static void test_reason_says_the_numbers(void **state)
{
        (void)state;
        assert_int_equal(FLAPPING_LEAVES, 3);
        assert_int_equal(FLAPPING_WITHIN, 60 * USEC_PER_SEC);
        assert_string_equal(FLAPPING_REASON, "flapping: left 3 times within a minute");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_third_leave_within_a_minute_is_flapping),
                cmocka_unit_test(test_leaves_of_more_than_a_minute_ago_do_not_count),
                cmocka_unit_test(test_count_begins_anew_when_it_was_told),
                cmocka_unit_test(test_reason_says_the_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
