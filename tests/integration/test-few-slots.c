/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* More ports than the station can have slots: a board that comes and goes everywhere keeps no other from being flashed. The
 * daemon is one that can have four. */
#include <stdio.h>

#include "tests/integration/line.h"

#define EXPLAIN(where) ((const char *const[]){ "explain", where, NULL })

static struct line line;

static int begin(void **state)
{
        (void)state;
        line_lay_out(&line, "[slot A1]\nport = 1-4.4\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n");
        line.engine = ENGINE; /* it is not beside this daemon */
        start_daemon(&line);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

/* A board that nothing is done with. */
static struct bed_board *plug_stranger(const char *port)
{
        struct bed_board *board = plug(&line, port, ROM_P4);

        expect_phase(&line, port, PHASE_NO_POLICY);
        return board;
}

static void come_and_go(const char *port)
{
        struct bed_board *board = plug_stranger(port);

        bed_pull(board);
        expect_phase(&line, port, PHASE_EMPTY);
        bed_forget(board);
}

static void test_port_that_is_empty_longest_gives_its_place_to_one_where_a_board_comes(void **state)
{
        static const char *const ports[] = { "1-1.1", "1-1.2", "1-1.3", "1-1.4", "1-2.1", "1-2.2", "1-2.3" };
        struct bed_board *good;
        g_autofree char *list = NULL, *gone = NULL;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
                come_and_go(ports[i]);
        good = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "1-4.1", good);
        assert_int_equal(ctl(&line, &list, (const char *const[]){ "status", NULL }), 0);
        assert_non_null(
                strstr(list, "A1")); /* the configuration names it: it stays, though nothing ever was there */
        assert_non_null(strstr(list, "1-2.3"));
        assert_null(strstr(list, "1-1."));
        assert_int_not_equal(ctl(&line, &gone, EXPLAIN("1-1.1")), 0);
}

static void test_held_port_keeps_its_place(void **state)
{
        (void)state;
        come_and_go("1-1.1");
        expect_ctl(&line, "1-1.1", (const char *const[]){ "hold", "1-1.1", NULL });
        come_and_go("1-1.2");
        come_and_go("1-1.3");
        come_and_go("1-1.4");
        expect_ctl(&line, "held", EXPLAIN("1-1.1"));
}

static void test_board_that_no_slot_is_left_for_is_told_and_served_when_there_is_one(void **state)
{
        struct bed_board *first = plug_stranger("1-1.1"), *good;

        (void)state;
        plug_stranger("1-1.2");
        plug_stranger("1-1.3");
        good = plug(&line, "1-4.1", ROM_S2);
        expect_log(&line, "board on port 1-4.1 is left alone: the station has as many slots as it can have");
        expect_ctl(&line, "left alone: the station has as many slots", EXPLAIN("1-4.1"));
        expect_untouched(&line, good);
        bed_pull(good);
        bed_pull(first);
        expect_phase(&line, "1-1.1", PHASE_EMPTY);
        good = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "1-4.1", good);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_port_that_is_empty_longest_gives_its_place_to_one_where_a_board_comes, begin,
                        end),
                cmocka_unit_test_setup_teardown(test_held_port_keeps_its_place, begin, end),
                cmocka_unit_test_setup_teardown(
                        test_board_that_no_slot_is_left_for_is_told_and_served_when_there_is_one, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
