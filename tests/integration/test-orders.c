/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people order: a job is cancelled, a slot or the station is held and released; all of it outlives the daemon. */
#include <stdio.h>
#include <sys/stat.h>

#include "tests/integration/line.h"

static const char gizmo[] = "[slot A1]\n"
                            "port = 1-4.1\n"
                            "[policy gizmo]\n"
                            "chip = esp32s2\n"
                            "image = @s2.bin\n"
                            "retry-delay = 10ms\n";

/* On a bus where a download takes about 5 s; and on one where it does not end before somebody cancels it. */
static const struct rom_config slow = { .chip = ROM_S2, .timing = { .transfer_usec = 1500 } };
static const struct rom_config endless = { .chip = ROM_S2, .timing = { .transfer_usec = 20000 } };

static struct line line;

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

/* ---- vocabulary ---- */

/* espdfuctl with these arguments does it. */
#define ORDER(...) expect_ctl(&line, "", (const char *[]){ __VA_ARGS__, NULL })

static void expect_refused(const char *text, const char *const *arguments)
{
        g_autofree char *said = NULL;

        assert_int_equal(ctl(&line, &said, arguments), 1);
        expect_said(said, text);
}

static void expect_explained(const char *slot, const char *text)
{
        expect_ctl(&line, text, (const char *[]){ "explain", slot, NULL });
}

static unsigned times_flashed(struct bed_board *board)
{
        unsigned n;

        bed_lock(line.bed);
        n = rom_counters(bed_rom(board))->completed;
        bed_unlock(line.bed);
        return n;
}

/* Another board goes all the way meanwhile: time enough for what must not happen. */
static void flash_another(const char *port)
{
        struct bed_board *board = plug(&line, port, ROM_S2);

        expect_flashed(&line, port, board);
}

static void restart_daemon(void)
{
        stop_daemon(&line);
        start_daemon(&line);
}

/* ---- cancel ---- */

static void test_cancelled_board_stays_cancelled_until_it_is_unplugged(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &endless);
        g_autofree char *history = NULL;

        (void)state;
        expect_bytes_done(&line, "A1", 4096);
        ORDER("cancel", "A1");
        /* The answer came when all was over. */
        expect_phase(&line, "A1", PHASE_CANCELLED);
        expect_message(&line, "A1", "cancelled by user ");
        assert_int_equal(slot_of(&line, "A1")->last_verdict, VERDICT_CANCELLED);
        assert_int_equal(ctl(&line, &history, (const char *[]){ "history", NULL }), 0);
        expect_said(history, "cancelled by user ");
        reload_daemon(&line);
        restart_daemon();
        flash_another("1-4.2");
        expect_phase(&line, "A1", PHASE_CANCELLED);
        expect_message(&line, "A1", "cancelled by user ");
        assert_int_equal(times_flashed(board), 0);
        assert_int_equal(rom_counters(bed_rom(board))->raw_downloads, 0);
        bed_pull(board);
        expect_phase(&line, "A1", PHASE_EMPTY);
        bed_replug(board, NULL);
        expect_bytes_done(&line, "A1", 4096);
        ORDER("cancel", "A1");
}

static void test_board_cancelled_between_run_time_and_dfu_mode_is_left_alone_when_it_is_back(void **state)
{
        const struct rom_config lazy = { .chip = ROM_S2, .detach_usec = 3000000 };
        struct bed_board *board = plug_with(&line, "1-4.1", &lazy);

        (void)state;
        expect_phase(&line, "A1", PHASE_DETACHING);
        ORDER("cancel", "A1");
        expect_phase(&line, "A1", PHASE_CANCELLED);
        flash_another("1-4.2");
        kill_daemon(&line);
        start_daemon(&line);
        flash_another("1-4.3");
        expect_phase(&line, "A1", PHASE_CANCELLED);
        assert_int_equal(times_flashed(board), 0);
        assert_int_equal(rom_counters(bed_rom(board))->written_pages, 0);
}

static void test_queued_job_is_cancelled_and_recorded(void **state)
{
        struct bed_board *second;

        (void)state;
        line_configure(&line, "[station]\njobs-max = 1\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n");
        ORDER("reload");
        plug_with(&line, "1-4.1", &endless);
        expect_bytes_done(&line, "1-4.1", 4096);
        second = plug(&line, "1-4.2", ROM_S2);
        expect_phase(&line, "1-4.2", PHASE_QUEUED);
        ORDER("cancel", "1-4.2");
        expect_phase(&line, "1-4.2", PHASE_CANCELLED);
        expect_message(&line, "1-4.2", "before it began");
        ORDER("cancel", "1-4.1");
        restart_daemon();
        flash_another("1-4.3");
        expect_phase(&line, "1-4.2", PHASE_CANCELLED);
        expect_untouched(&line, second);
}

static void test_cancel_where_nothing_runs_says_so(void **state)
{
        (void)state;
        expect_refused("A1: nothing to cancel", (const char *[]){ "cancel", "A1", NULL });
        expect_refused("Z9: no slot", (const char *[]){ "cancel", "Z9", NULL });
        flash_another("1-4.2");
        expect_refused("1-4.2: nothing to cancel", (const char *[]){ "cancel", "1-4.2", NULL });
        /* All are tried. */
        plug_with(&line, "1-4.1", &endless);
        expect_bytes_done(&line, "A1", 4096);
        expect_refused("A1: cancelled by user", (const char *[]){ "cancel", "Z9", "A1", "1-4.2", NULL });
}

/* ---- hold and release ---- */

static void test_held_station_flashes_after_release(void **state)
{
        struct bed_board *first, *second;

        (void)state;
        ORDER("hold", "--reason", "new jig");
        first = plug(&line, "1-4.1", ROM_S2);
        second = plug(&line, "1-4.2", ROM_S2);
        expect_phase(&line, "A1", PHASE_HELD);
        expect_phase(&line, "1-4.2", PHASE_HELD);
        assert_string_equal(slot_of(&line, "A1")->policy, "gizmo");
        expect_message(&line, "A1", "held by ");
        expect_message(&line, "A1", ": new jig");
        expect_held(&line, ": new jig");
        expect_explained("A1", "gizmo: held by ");
        expect_untouched(&line, first);
        expect_untouched(&line, second);
        ORDER("release");
        expect_flashed(&line, "A1", first);
        expect_flashed(&line, "1-4.2", second);
        expect_held(&line, NULL);
}

static void test_hold_survives_a_restart(void **state)
{
        struct bed_board *board, *other;

        (void)state;
        ORDER("hold", "--reason", "audit");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "A1", PHASE_HELD);
        kill_daemon(&line);
        start_daemon(&line);
        expect_phase(&line, "A1", PHASE_HELD);
        expect_held(&line, ": audit");
        other = plug(&line, "1-4.2", ROM_S2);
        expect_phase(&line, "1-4.2", PHASE_HELD);
        expect_untouched(&line, board);
        ORDER("release");
        expect_flashed(&line, "A1", board);
        expect_flashed(&line, "1-4.2", other);
        restart_daemon();
        expect_held(&line, NULL);
}

static void test_held_slot_leaves_the_others_alone(void **state)
{
        struct bed_board *board;

        (void)state;
        ORDER("hold", "1-4.1", "--reason", "bent pin"); /* A1, by its port */
        expect_message(&line, "A1", ": bent pin");
        expect_explained("A1", ": bent pin");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "A1", PHASE_HELD);
        flash_another("1-4.2");
        restart_daemon();
        flash_another("1-4.3");
        expect_phase(&line, "A1", PHASE_HELD);
        expect_message(&line, "A1", ": bent pin");
        expect_held(&line, NULL);
        expect_untouched(&line, board);
        ORDER("release", "A1");
        expect_flashed(&line, "A1", board);
}

static void test_held_port_that_nobody_named_is_there_after_a_restart(void **state)
{
        struct bed_board *board;

        (void)state;
        flash_another("1-4.2");
        ORDER("hold", "1-4.2");
        restart_daemon();
        expect_message(&line, "1-4.2", "flashed already");
        expect_explained("1-4.2", "; held by ");
        board = plug(&line, "1-4.3", ROM_S2);
        expect_flashed(&line, "1-4.3", board);
        ORDER("hold", "1-4.3");
        bed_pull(board);
        expect_phase(&line, "1-4.3", PHASE_EMPTY);
        restart_daemon();
        expect_phase(&line, "1-4.3", PHASE_EMPTY);
        expect_message(&line, "1-4.3", "held by ");
        ORDER("release", "1-4.3", "1-4.2");
        bed_replug(board, NULL);
        expect_flashed(&line, "1-4.3", board);
}

static void test_what_runs_ends_first_and_what_is_queued_waits(void **state)
{
        struct bed_board *first, *second;

        (void)state;
        line_configure(&line, "[station]\njobs-max = 1\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n");
        ORDER("reload");
        first = plug_with(&line, "1-4.1", &slow);
        expect_bytes_done(&line, "1-4.1", 20000);
        second = plug(&line, "1-4.2", ROM_S2);
        expect_phase(&line, "1-4.2", PHASE_QUEUED);
        ORDER("hold");
        expect_flashed(&line, "1-4.1", first);
        /* The place is free, and nobody takes it. */
        ORDER("status");
        expect_phase(&line, "1-4.2", PHASE_QUEUED);
        expect_message(&line, "1-4.2", "held by ");
        expect_untouched(&line, second);
        ORDER("release");
        expect_flashed(&line, "1-4.2", second);
}

static void test_release_of_what_is_not_held_is_no_error(void **state)
{
        g_autofree char *said = NULL, *again = NULL;

        (void)state;
        assert_int_equal(ctl(&line, &said, (const char *[]){ "release", NULL }), 0);
        expect_said(said, "the station: was not held");
        assert_int_equal(ctl(&line, &again, (const char *[]){ "release", "A1", NULL }), 0);
        expect_said(again, "A1: was not held");
        /* What holds the station is no hold of the slot. */
        expect_ctl(&line, "", (const char *[]){ "hold", NULL });
        expect_ctl(&line, "A1: was not held", (const char *[]){ "release", "A1", NULL });
        expect_refused("Z9: no slot", (const char *[]){ "release", "Z9", NULL });
        expect_refused("Z9: no slot", (const char *[]){ "hold", "Z9", NULL });
}

static void test_damaged_file_of_holds_holds_the_station(void **state)
{
        g_autofree char *path = line_path(&line, "state/holds.json");
        struct bed_board *board;

        (void)state;
        stop_daemon(&line);
        assert_true(g_file_set_contents(path, "{\"station", -1, NULL));
        start_daemon(&line);
        expect_held(&line, "holds.json cannot be read");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "A1", PHASE_HELD);
        expect_untouched(&line, board);
        ORDER("release");
        expect_flashed(&line, "A1", board);
}

static void test_hold_that_cannot_be_kept_holds_and_says_so(void **state)
{
        g_autofree char *path = line_path(&line, "state/holds.json");

        (void)state;
        assert_int_equal(mkdir(path, 0700), 0);
        expect_ctl(&line, "held by root (only until espdfud ends: it cannot be kept: Is a directory)",
                   (const char *[]){ "hold", NULL });
        expect_held(&line, "held by root");
        plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "A1", PHASE_HELD);
        assert_int_equal(rmdir(path), 0);
        ORDER("release");
        flash_another("1-4.2");
}

/* ---- boards that their policy holds ---- */

static void test_board_that_its_policy_holds_is_flashed_once_after_release(void **state)
{
        struct bed_board *board;

        (void)state;
        line_configure(&line, "[policy gate]\nchip = esp32s2\nimage = @s2.bin\naction = hold\n");
        ORDER("reload");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_HELD);
        ORDER("hold");
        expect_refused("the station is held by ", (const char *[]){ "release", "1-4.1", NULL });
        ORDER("release");
        ORDER("status");
        expect_phase(&line, "1-4.1", PHASE_HELD);
        expect_untouched(&line, board);
        ORDER("release", "1-4.1");
        expect_flashed(&line, "1-4.1", board);
        bed_pull(board);
        expect_phase(&line, "1-4.1", PHASE_EMPTY);
        bed_replug(board, NULL);
        expect_phase(&line, "1-4.1", PHASE_HELD);
        assert_int_equal(times_flashed(board), 1);
}

static void test_release_of_a_policys_hold_without_an_image_says_why_not(void **state)
{
        g_autofree char *path = line_path(&line, "s3.bin");
        struct bed_board *board;

        (void)state;
        line_configure(&line, "[policy gate]\nchip = esp32s2\naction = hold\n");
        ORDER("reload");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_HELD);
        expect_refused("policy gate says action = hold and names no image",
                       (const char *[]){ "release", "1-4.1", NULL });
        expect_phase(&line, "1-4.1", PHASE_HELD);
        line_configure(&line, "[policy gate]\nchip = esp32s2\naction = hold\nimage = @s3.bin\n");
        ORDER("reload");
        expect_refused("made for 303a:0009", (const char *[]){ "release", "1-4.1", NULL });
        expect_untouched(&line, board);
        assert_int_equal(sample_image_write(&line.s2, path), 0);
        ORDER("release", "1-4.1");
        expect_flashed(&line, "1-4.1", board);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_cancelled_board_stays_cancelled_until_it_is_unplugged),
                TEST(test_board_cancelled_between_run_time_and_dfu_mode_is_left_alone_when_it_is_back),
                TEST(test_queued_job_is_cancelled_and_recorded),
                TEST(test_cancel_where_nothing_runs_says_so),
                TEST(test_held_station_flashes_after_release),
                TEST(test_hold_survives_a_restart),
                TEST(test_held_slot_leaves_the_others_alone),
                TEST(test_held_port_that_nobody_named_is_there_after_a_restart),
                TEST(test_what_runs_ends_first_and_what_is_queued_waits),
                TEST(test_release_of_what_is_not_held_is_no_error),
                TEST(test_damaged_file_of_holds_holds_the_station),
                TEST(test_hold_that_cannot_be_kept_holds_and_says_so),
                TEST(test_board_that_its_policy_holds_is_flashed_once_after_release),
                TEST(test_release_of_a_policys_hold_without_an_image_says_why_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
