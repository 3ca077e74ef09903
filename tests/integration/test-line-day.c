/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A day on a line: 40 slots, four policies, three images; every tenth board is bad in its own way, an operator pulls wrong
 * boards, cancels, holds and tries again; the daemon is killed twice, stopped once and reloaded. In the end the ledger, the
 * flash arrays and the files that boards got are compared with what was plugged in.
 *
 * ESPDFU_DAY_BOARDS (60; 500 is a whole day) and ESPDFU_DAY_SEED choose another one.
 */
#include "tests/integration/day.h"

#include <dirent.h>
#include <stdio.h>

static struct day day;

static unsigned from_environment(const char *name, unsigned otherwise)
{
        const char *text = getenv(name);

        return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static int begin(void **state)
{
        unsigned n_boards = from_environment("ESPDFU_DAY_BOARDS", 60);
        unsigned seed = from_environment("ESPDFU_DAY_SEED", 1);

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

static unsigned count_children(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)pid, (int)pid);
        g_autofree char *text = NULL;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return (unsigned)strlen(text);
}

static void test_every_board_of_the_day_is_accounted_for(void **state)
{
        (void)state;
        day_work(&day);
        assert_int_equal(day.n_plugged, day.n_boards);
        assert_int_equal(day.line.status.station.running, 0);
        assert_int_equal(day.line.status.station.waiting, 0);
        assert_int_equal(count_children(bed_pid(day.line.daemon)), 0);
        day_close_book(&day);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_every_board_of_the_day_is_accounted_for, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
