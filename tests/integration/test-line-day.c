/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A day on a line: 40 slots, four policies, three images; every tenth board is bad in its own way, an operator pulls wrong
 * boards, cancels, holds and tries again; the daemon is killed twice, stopped once and reloaded. In the end the ledger, the
 * flash arrays and the files that boards got are compared with what was plugged in.
 *
 * ESPDFU_DAY_BOARDS (100; 500 is a whole day) and ESPDFU_DAY_SEED choose another one.
 */
#include "tests/integration/day.h"
#include "tests/integration/upkeep.h"

static struct day day;

static int begin(void **state)
{
        unsigned n_boards = stock_number("ESPDFU_DAY_BOARDS", 100);
        unsigned seed = stock_number("ESPDFU_DAY_SEED", 1);

        (void)state;
        print_message("ESPDFU_DAY_BOARDS=%u ESPDFU_DAY_SEED=%u\n", n_boards, seed);
        day_plan(&day, n_boards, seed);
        day_begin(&day);
        return 0;
}

static int end(void **state)
{
        (void)state;
        day_end(&day);
        return 0;
}

/* Nothing is there, nothing goes on, nobody holds anything. What a board that is gone left in a slot is told, no more. */
static void expect_quiet_line(const struct station_status *station)
{
        assert_int_equal(station->running, 0);
        assert_int_equal(station->waiting, 0);
        assert_null(station->held);
        assert_null(station->ledger_trouble);
        assert_null(station->config_error);
        assert_int_equal(station->n_slots, DAY_SLOTS);
        for (unsigned i = 0; i < DAY_SLOTS; i++) {
                const struct slot_status *slot = slot_of(&day.line, day.slots[i].name);

                assert_non_null(slot);
                if (slot->phase != PHASE_EMPTY &&
                    (slot->phase != PHASE_FAILED || slot->last_verdict != VERDICT_BOARD_LEFT))
                        fail_msg("slot %s in the evening: %s, %s", slot->slot, phase_to_string(slot->phase),
                                 slot->message ? slot->message : "-");
        }
}

static void test_every_board_of_the_day_is_accounted_for(void **state)
{
        g_autofree char *morning = upkeep_descriptors(&day.line);

        (void)state;
        day_work(&day);
        assert_int_equal(day.n_plugged, day.n_boards);
        expect_quiet_line(&day.line.status.station);
        upkeep_expect_no_engine(&day.line);
        day_close_book(&day);
        upkeep_expect_descriptors(&day.line, morning);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_every_board_of_the_day_is_accounted_for, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
