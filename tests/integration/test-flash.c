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
        assert_string_equal(slot_of(&line, "A1")->policy, "gizmo");
}

static void test_board_in_dfu_mode_is_flashed_without_detach(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.2",
                                            &(struct rom_config){ .chip = ROM_S3,
                                                                  .mac = { 0x7c, 0xdf, 0xa1, 0, 0, 1 },
                                                                  .starts_in_dfu_mode = true });

        (void)state;
        expect_flashed(&line, "A2", board);
        assert_int_equal(rom_counters(bed_rom(board))->requests[ROM_DETACH], 0);
        assert_string_equal(slot_of(&line, "A2")->mac, "7c:df:a1:00:00:01");
}

static void test_board_that_is_there_before_the_daemon_is_flashed(void **state)
{
        struct bed_board *board;

        (void)state;
        stop_daemon(&line);
        board = plug(&line, "1-4.1", ROM_S2);
        start_daemon(&line);
        expect_flashed(&line, "A1", board);
}

static void test_four_boards_are_flashed_side_by_side(void **state)
{
        static const char *const slots[] = { "A1", "A2", "1-4.3", "2-1" };
        static const char *const ports[] = { "1-4.1", "1-4.2", "1-4.3", "2-1" };
        struct bed_board *boards[4];

        (void)state;
        for (size_t i = 0; i < 4; i++)
                boards[i] = plug(&line, ports[i], i % 2 ? ROM_S3 : ROM_S2);
        for (size_t i = 0; i < 4; i++)
                expect_flashed(&line, slots[i], boards[i]);
}

static void test_image_of_many_parts_is_flashed(void **state)
{
        g_autofree char *path = line_path(&line, "s3.bin");
        struct bed_board *board;

        (void)state;
        sample_image_done(&line.s3);
        sample_image_make_s3(&line.s3);
        assert_int_equal(sample_image_write(&line.s3, path), 0);
        board = plug(&line, "1-4.2", ROM_S3);
        expect_flashed(&line, "A2", board);
}

static void test_no_more_jobs_run_than_jobs_max_allows(void **state)
{
        struct bed_board *first, *second;

        (void)state;
        line_configure(&line, "[station]\njobs-max = 1\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n");
        reload_daemon(&line);
        first = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_DOWNLOADING);
        second = plug(&line, "1-4.2", ROM_S2);
        expect_phase(&line, "1-4.2", PHASE_QUEUED);
        assert_int_not_equal(slot_of(&line, "1-4.1")->phase, PHASE_QUEUED);
        expect_flashed(&line, "1-4.1", first);
        expect_flashed(&line, "1-4.2", second);
}

static void test_board_without_a_policy_is_shown_and_explained(void **state)
{
        struct bed_board *board = plug(&line, "1-4.3", ROM_P4);
        g_autofree char *text = NULL;

        (void)state;
        expect_phase(&line, "1-4.3", PHASE_NO_POLICY);
        assert_int_equal(ctl(&line, &text, (const char *[]){ "explain", "1-4.3", NULL }), 0);
        assert_non_null(strstr(text, "ESP32-P4"));
        assert_non_null(strstr(text, "gizmo"));
        assert_non_null(strstr(text, "chip"));
        assert_non_null(strstr(text, "esp32s2"));
        expect_untouched(&line, board);
}

static void test_board_that_only_looks_like_the_rom_is_left_alone(void **state)
{
        /* An application on the ROM's USB stack: on an S2 its serial number is the MAC, not "0". */
        struct bed_board *board = plug_with(
                &line, "1-4.1", &(struct rom_config){ .chip = ROM_S2, .serial = "7C:DF:A1:00:00:09" });

        (void)state;
        expect_phase(&line, "A1", PHASE_NO_POLICY);
        expect_untouched(&line, board);
}

static void test_board_that_stays_is_flashed_once_and_one_that_returns_again(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);

        (void)state;
        expect_flashed(&line, "A1", board);
        reload_daemon(&line);
        bed_uevent(board, "change");
        bed_pull(board);
        expect_phase(&line, "A1", PHASE_EMPTY);
        assert_int_equal(rom_counters(bed_rom(board))->completed, 1);
        bed_replug(board, NULL);
        expect_flashed(&line, "A1", board);
        assert_int_equal(rom_counters(bed_rom(board))->completed, 2);
}

static void test_status_history_and_json_show_what_happened(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);
        g_autofree char *status = NULL, *json = NULL, *history = NULL;

        (void)state;
        expect_flashed(&line, "A1", board);
        assert_int_equal(ctl(&line, &status, (const char *[]){ "status", NULL }), 0);
        assert_non_null(strstr(status, "A1"));
        assert_non_null(strstr(status, "A2"));
        assert_non_null(strstr(status, "flashed"));
        assert_non_null(strstr(status, "empty"));
        assert_int_equal(ctl(&line, &json, (const char *[]){ "status", "--json", NULL }), 0);
        assert_non_null(strstr(json, "\"flashed\""));
        assert_int_equal(ctl(&line, &history, (const char *[]){ "history", NULL }), 0);
        assert_non_null(strstr(history, "flashed"));
        assert_non_null(strstr(history, "gizmo"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_board_in_run_time_mode_is_detached_and_flashed),
                TEST(test_board_in_dfu_mode_is_flashed_without_detach),
                TEST(test_board_that_is_there_before_the_daemon_is_flashed),
                TEST(test_four_boards_are_flashed_side_by_side),
                TEST(test_image_of_many_parts_is_flashed),
                TEST(test_no_more_jobs_run_than_jobs_max_allows),
                TEST(test_board_without_a_policy_is_shown_and_explained),
                TEST(test_board_that_only_looks_like_the_rom_is_left_alone),
                TEST(test_board_that_stays_is_flashed_once_and_one_that_returns_again),
                TEST(test_status_history_and_json_show_what_happened),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
