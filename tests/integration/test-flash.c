/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole way of a board, with the real programs: plugged in, matched, flashed, shown. */
#include "tests/integration/line.h"

static const char both_chips[] = "[slot A1]\n"
                                 "port = 1-4.1\n"
                                 "[slot A2]\n"
                                 "port = 1-4.2\n"
                                 "[policy gizmo]\n"
                                 "chip = esp32s2\n"
                                 "image = @s2.bin\n"
                                 "retry-delay = 10ms\n"
                                 "[policy probe]\n"
                                 "chip = esp32s3\n"
                                 "image = @s3.bin\n"
                                 "retry-delay = 10ms\n";

static struct line line;

static int begin(void **state)
{
        (void)state;
        line_begin(&line, both_chips);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

static void test_board_in_run_time_mode_is_detached_and_flashed(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);

        (void)state;
        expect_flashed(&line, "A1", board);
        assert_int_equal(rom_counters(bed_rom(board))->detaches, 1);
        assert_int_equal(slot_of(&line, "A1")->last_verdict, VERDICT_FLASHED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_board_in_run_time_mode_is_detached_and_flashed, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
