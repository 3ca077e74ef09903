/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/dfu against the devices of dfu-chaos.h, of 20000 seeds. tests/fuzz/test-dfu.c plays devices that a fuzzer chose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dfu-chaos.h"

#define RUNS 20000

static void test_any_device_comes_to_an_end_within_the_rules(void **state)
{
        unsigned verdicts[VERDICT_MAX_] = { 0 };

        (void)state;
        for (uint64_t seed = 1; seed <= RUNS; seed++) {
                struct dice dice = dice_of_seed(seed);

                verdicts[chaos_run(&dice)]++;
        }
        /* The chaos is neither so wild nor so tame that a way is never gone. */
        assert_in_range(verdicts[VERDICT_FLASHED], RUNS / 50, RUNS / 2);
        assert_true(verdicts[VERDICT_DETACHED] > 0);
        assert_true(verdicts[VERDICT_CANCELLED] > 0);
        assert_true(verdicts[VERDICT_BOARD_LEFT] > 0);
        assert_true(verdicts[VERDICT_TIMED_OUT] > 0);
        assert_true(verdicts[VERDICT_STALLED] > 0);
        assert_true(verdicts[VERDICT_BOARD_ERROR] > 0);
        assert_true(verdicts[VERDICT_VERIFY_FAILED] > 0);
        assert_true(verdicts[VERDICT_BAD_ANSWER] > 0);
        assert_true(verdicts[VERDICT_USB_ERROR] > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_any_device_comes_to_an_end_within_the_rules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
