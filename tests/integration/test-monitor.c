/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What somebody who watches the real station is told of real ways of a board: `espdfuctl monitor`, and a daemon that is
 * killed while it is watched. */
#include "tests/integration/line.h"

static const char gizmo[] = "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n";

static struct line line;
static struct bed_child *monitor;

static int begin(void **state)
{
        (void)state;
        line_begin(&line, gizmo);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

struct told {
        const char *text;
};

static bool is_told(void *userdata)
{
        const struct told *told = userdata;

        return strstr(bed_output(monitor), told->text);
}

static void expect_told(const char *text)
{
        struct told told = { text };

        if (!bed_wait(line.bed, is_told, &told, PATIENCE))
                fail_msg("expected: %s\nthe monitor said:\n%s", text, bed_output(monitor));
}

static void start_monitor(void)
{
        g_autofree char *socket = line_path(&line, "socket");
        const char *const argv[] = { ESPDFUCTL, "--socket", socket, "monitor", NULL };
        struct bed_spawn_options options = { .outside = true };

        monitor = bed_spawn(line.bed, argv, &options);
        expect_told(" begun\n");
}

static void end_monitor(void)
{
        bed_kill(monitor, SIGTERM);
        assert_int_equal(bed_wait_child(monitor, PATIENCE), 0);
}

/* These texts, in this order. */
static void expect_order(const char *const *texts)
{
        const char *at = bed_output(monitor);

        for (; *texts; texts++) {
                const char *found = strstr(at, *texts);

                if (!found)
                        fail_msg("expected next: %s\nthe monitor said:\n%s", *texts, bed_output(monitor));
                at = found + strlen(*texts);
        }
}

static void test_each_step_of_a_board_is_an_event_from_its_arrival_to_its_leaving(void **state)
{
        struct bed_board *board;

        (void)state;
        start_monitor();
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "1-4.1", board);
        bed_pull(board);
        expect_told(" board-left 1-4.1 esp32s2");
        end_monitor();
        expect_order((const char *[]){ " board-arrived 1-4.1 esp32s2", " phase 1-4.1 downloading 1/3",
                                       " phase 1-4.1 verifying 1/3", " verdict 1-4.1 flashed esp32s2 1/3",
                                       " phase 1-4.1 flashed", " board-left 1-4.1 esp32s2",
                                       " phase 1-4.1 empty", NULL });
}

static void test_every_failed_attempt_is_a_verdict_of_its_own(void **state)
{
        struct bed_board *board;

        (void)state;
        start_monitor();
        board = plug(&line, "1-4.1", ROM_S2);
        bed_lock(line.bed);
        rom_add_fault(bed_rom(board),
                      &(struct rom_fault){ .when = ROM_AT_BLOCK, .nth = 20, .what = ROM_DO_STALL });
        bed_unlock(line.bed);
        expect_flashed(&line, "1-4.1", board);
        expect_told(" phase 1-4.1 flashed 2/3");
        end_monitor();
        expect_order((const char *[]){ " board-arrived 1-4.1", " verdict 1-4.1 stalled esp32s2",
                                       " phase 1-4.1 downloading 2/3", " verdict 1-4.1 flashed esp32s2 2/3",
                                       NULL });
}

static void test_a_daemon_that_is_killed_is_waited_for(void **state)
{
        struct bed_board *board;

        (void)state;
        start_monitor();
        kill_daemon(&line);
        expect_told(" daemon-gone: it hung up\n");
        start_daemon(&line);
        expect_told(" daemon-back\n");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "1-4.1", board);
        expect_told(" verdict 1-4.1 flashed esp32s2 1/3");
        end_monitor();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_each_step_of_a_board_is_an_event_from_its_arrival_to_its_leaving),
                TEST(test_every_failed_attempt_is_a_verdict_of_its_own),
                TEST(test_a_daemon_that_is_killed_is_waited_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
