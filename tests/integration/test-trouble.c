/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Boards that are pulled or fail, images that cannot be used, engines that die: nothing wrong is sent, nothing is lost. */
#include <signal.h>
#include <unistd.h>

#include "tests/integration/line.h"

static const char gizmo[] = "[policy gizmo]\n"
                            "chip = esp32s2\n"
                            "image = @s2.bin\n"
                            "retry-delay = 10ms\n";

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

/* An S2 in run-time mode that has one fault. */
static struct bed_board *plug_faulty(const char *port, const struct rom_fault *fault)
{
        struct bed_board *board;

        board = plug_with(&line, port,
                          &(struct rom_config){ .chip = ROM_S2, .timing = { .transfer_usec = 80 } });
        bed_lock(line.bed);
        rom_add_fault(bed_rom(board), fault);
        bed_unlock(line.bed);
        return board;
}

static unsigned attempts(const char *slot)
{
        return slot_of(&line, slot)->attempt;
}

/* ---- boards -------------------------------------------------------------------- */

static void test_board_pulled_mid_file_is_flashed_when_it_returns(void **state)
{
        struct bed_board *board = plug_with(
                &line, "1-4.1", &(struct rom_config){ .chip = ROM_S2, .timing = { .transfer_usec = 500 } });

        (void)state;
        expect_bytes_done(&line, "1-4.1", 20000);
        bed_pull(board);
        expect_phase(&line, "1-4.1", PHASE_FAILED);
        assert_int_equal(slot_of(&line, "1-4.1")->last_verdict, VERDICT_BOARD_LEFT);
        assert_non_null(strstr(slot_of(&line, "1-4.1")->last_message, "board left at byte"));
        bed_replug(board, NULL);
        expect_flashed(&line, "1-4.1", board);
}

static void test_board_that_stalls_once_is_flashed_with_the_second_attempt(void **state)
{
        struct bed_board *board = plug_faulty(
                "1-4.1", &(struct rom_fault){ .when = ROM_AT_BLOCK, .nth = 1000, .what = ROM_DO_STALL });

        (void)state;
        expect_flashed(&line, "1-4.1", board);
        assert_int_equal(attempts("1-4.1"), 2);
}

static void test_board_whose_verification_fails_is_failed_not_done(void **state)
{
        /* dfu-util says "Done!" here and exits with 0. */
        struct bed_board *board = plug_faulty("1-4.1", &(struct rom_fault){ .when = ROM_AT_MANIFEST,
                                                                            .what = ROM_DO_FLIP_BIT,
                                                                            .value = (0x10000 + 77) << 3 });

        (void)state;
        expect_phase(&line, "1-4.1", PHASE_FAILED);
        assert_int_equal(slot_of(&line, "1-4.1")->last_verdict, VERDICT_VERIFY_FAILED);
        assert_int_equal(attempts("1-4.1"), 3);
        assert_non_null(strstr(slot_of(&line, "1-4.1")->message, "errFIRMWARE"));
        assert_int_equal(rom_counters(bed_rom(board))->completed, 0);
}

static void test_board_that_hangs_is_given_up_and_its_neighbour_does_not_notice(void **state)
{
        struct bed_board *hangs = plug_faulty(
                "1-4.1", &(struct rom_fault){ .when = ROM_AT_BLOCK, .nth = 100, .what = ROM_DO_HANG });
        struct bed_board *good = plug(&line, "1-4.2", ROM_S2);

        (void)state;
        expect_flashed(&line, "1-4.2", good);
        expect_last_verdict(&line, "1-4.1", VERDICT_TIMED_OUT);
        bed_pull(hangs);
        expect_phase(&line, "1-4.1", PHASE_FAILED);
}

static void test_interface_that_somebody_else_has_claimed_is_busy(void **state)
{
        struct bed_board *board;

        (void)state;
        stop_daemon(&line);
        board = plug(&line, "1-4.1", ROM_S2);
        bed_occupy(board, 2);
        start_daemon(&line);
        expect_phase(&line, "1-4.1", PHASE_FAILED);
        assert_int_equal(slot_of(&line, "1-4.1")->last_verdict, VERDICT_BUSY);
        expect_untouched(&line, board);
}

/* A descriptor of no length: whoever walks along them gets nowhere. */
static const struct rom_config lying = { .chip = ROM_S2, .lies = { { 18 + 9, 0 } } };

static void test_board_whose_descriptors_contradict_themselves_is_seen_and_left_alone(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &lying);

        (void)state;
        expect_phase(&line, "1-4.1", PHASE_NO_POLICY);
        expect_message(&line, "1-4.1", "no policy for ESP32-S2 with descriptors that contradict themselves");
        expect_untouched(&line, board);
}

static void test_board_that_comes_from_detach_with_such_descriptors_is_failed_for_them(void **state)
{
        struct rom_config config = lying;

        (void)state;
        config.lies_in_dfu_mode_alone = true;
        plug_with(&line, "1-4.1", &config);
        expect_phase(&line, "1-4.1", PHASE_FAILED);
        assert_int_equal(slot_of(&line, "1-4.1")->last_verdict, VERDICT_NOT_DFU);
        expect_said(slot_of(&line, "1-4.1")->message, "descriptors");
}

/* ---- engines ------------------------------------------------------------------- */

static pid_t engine_pid(void)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", bed_pid(line.daemon),
                                                bed_pid(line.daemon));
        g_autofree char *text = NULL;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return (pid_t)g_ascii_strtoll(text, NULL, 10);
}

static void test_board_of_a_killed_engine_is_flashed_by_the_next_attempt(void **state)
{
        struct bed_board *board = plug_with(
                &line, "1-4.1", &(struct rom_config){ .chip = ROM_S2, .timing = { .transfer_usec = 500 } });
        pid_t engine;

        (void)state;
        expect_bytes_done(&line, "1-4.1", 20000);
        engine = engine_pid();
        assert_true(engine > 1);
        kill(engine, SIGKILL);
        expect_flashed(&line, "1-4.1", board);
        assert_int_equal(attempts("1-4.1"), 2);
        expect_log(&line, "killed by SIGKILL");
}

/* ---- images -------------------------------------------------------------------- */

/* The policy with this image is unusable for this reason, another policy works. */
static void expect_refused(struct sample_image *bad, const char *why)
{
        g_autofree char *path = line_path(&line, "bad.bin");
        struct bed_board *board, *other;

        assert_int_equal(sample_image_write(bad, path), 0);
        line_configure(&line, "[policy bad]\nchip = esp32s2\nimage = @bad.bin\n"
                              "[policy good]\nchip = esp32s3\nimage = @s3.bin\n");
        reload_daemon(&line);
        board = plug(&line, "1-4.1", ROM_S2);
        other = plug(&line, "1-4.2", ROM_S3);
        expect_phase(&line, "1-4.1", PHASE_UNUSABLE);
        if (!strstr(slot_of(&line, "1-4.1")->message, why))
                fail_msg("expected \"%s\" in: %s", why, slot_of(&line, "1-4.1")->message);
        expect_untouched(&line, board);
        expect_flashed(&line, "1-4.2", other);
        sample_image_done(bad);
}

static void test_image_with_a_wrong_crc_is_never_sent(void **state)
{
        struct sample_image bad;

        (void)state;
        sample_image_make_s2(&bad);
        bad.data[bad.size - 1] ^= 1;
        expect_refused(&bad, "CRC");
}

static void test_image_for_another_chip_is_never_sent(void **state)
{
        struct sample_image bad;

        (void)state;
        sample_image_make_s3(&bad);
        expect_refused(&bad, "303a:0009");
}

static void test_image_that_calls_an_address_is_never_sent(void **state)
{
        static const uint8_t params[32] = { [14] = 0x40 }, code[64] = { 1, 2, 3 };
        const struct sample_part parts[] = {
                { .name = "flash_params.dat", .flags = 4 | 8 | 16, .data = params, .size = sizeof(params) },
                { .name = "evil.bin", .address = 0x10000, .flags = 2, .data = code, .size = sizeof(code) },
        };
        struct sample_image bad;

        (void)state;
        sample_image_from_parts(parts, ARRAY_SIZE(parts), 0x0002, &bad);
        expect_refused(&bad, "evil.bin");
}

static void test_image_that_passes_the_end_of_the_flash_is_never_sent(void **state)
{
        struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 4 * MIB,
                .files = { { .name = "app.bin", .address = 0x3ff000, .size = 8192, .seed = 3 } },
                .n_files = 1,
        };
        struct sample_image bad;

        (void)state;
        sample_image_make(&spec, &bad);
        expect_refused(&bad, "app.bin");
}

static void test_missing_image_makes_its_policy_alone_unusable(void **state)
{
        g_autofree char *text = NULL;
        struct bed_board *board, *other;

        (void)state;
        line_configure(&line, "[policy bad]\nchip = esp32s2\nimage = @nowhere.bin\n"
                              "[policy good]\nchip = esp32s3\nimage = @s3.bin\n");
        reload_daemon(&line);
        board = plug(&line, "1-4.1", ROM_S2);
        other = plug(&line, "1-4.2", ROM_S3);
        expect_phase(&line, "1-4.1", PHASE_UNUSABLE);
        expect_flashed(&line, "1-4.2", other);
        expect_untouched(&line, board);
        assert_int_equal(ctl(&line, &text, (const char *[]){ "status", NULL }), 0);
        assert_non_null(strstr(text, "nowhere.bin"));
        assert_non_null(strstr(text, "No such file"));
}

static void write_half_bin(size_t len)
{
        g_autofree char *path = line_path(&line, "half.bin");

        assert_true(g_file_set_contents(path, (const char *)line.s2.data, (gssize)len, NULL));
}

static void test_board_that_came_while_its_image_was_copied_is_flashed_when_the_next_finds_it_whole(
        void **state)
{
        struct bed_board *early, *late;

        (void)state;
        write_half_bin(line.s2.size / 2);
        line_configure(&line, "[policy half]\nchip = esp32s2\nimage = @half.bin\n");
        reload_daemon(&line);
        early = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_UNUSABLE);
        write_half_bin(line.s2.size);
        late = plug(&line, "1-4.2", ROM_S2);
        expect_flashed(&line, "1-4.2", late);
        expect_flashed(&line, "1-4.1", early);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_board_pulled_mid_file_is_flashed_when_it_returns),
                TEST(test_board_that_stalls_once_is_flashed_with_the_second_attempt),
                TEST(test_board_whose_verification_fails_is_failed_not_done),
                TEST(test_board_that_hangs_is_given_up_and_its_neighbour_does_not_notice),
                TEST(test_interface_that_somebody_else_has_claimed_is_busy),
                TEST(test_board_whose_descriptors_contradict_themselves_is_seen_and_left_alone),
                TEST(test_board_that_comes_from_detach_with_such_descriptors_is_failed_for_them),
                TEST(test_board_of_a_killed_engine_is_flashed_by_the_next_attempt),
                TEST(test_image_with_a_wrong_crc_is_never_sent),
                TEST(test_image_for_another_chip_is_never_sent),
                TEST(test_image_that_calls_an_address_is_never_sent),
                TEST(test_image_that_passes_the_end_of_the_flash_is_never_sent),
                TEST(test_missing_image_makes_its_policy_alone_unusable),
                TEST(test_board_that_came_while_its_image_was_copied_is_flashed_when_the_next_finds_it_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
