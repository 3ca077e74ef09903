/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each board gets a file of its own: never twice, the same one again, and without one it waits. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/line.h"

#define DATA_ADDRESS 0x9000
#define DATA_SIZE    0x3000

static const char gizmo[] = "[policy gizmo]\n"
                            "chip = esp32s2\n"
                            "image = @s2.bin\n"
                            "board-data = 0x9000:@nvs\n"
                            "retry-delay = 10ms\n"
                            "[policy probe]\n"
                            "chip = esp32s3\n"
                            "image = @s3.bin\n"
                            "board-data = 0x9000:@nvs\n";

/* As gizmo, on a bus where a download takes about 3 s. */
static const struct rom_config slow = { .chip = ROM_S2, .timing = { .transfer_usec = 900 } };

static struct line line;
static char owner[40];
static const char *const environment[] = { owner, NULL };

static void lay_out(const char *config)
{
        line_lay_out(&line, config);
        g_autofree char *folder = line_path(&line, "nvs");

        assert_return_code(mkdir(folder, 0755), errno);
        g_snprintf(owner, sizeof(owner), "ESPDFU_DATA_OWNER=%u", (unsigned)geteuid());
        line.environment = environment;
}

static int begin(void **state)
{
        (void)state;
        lay_out(gizmo);
        start_daemon(&line);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

/* ---- vocabulary ---- */

static char *file_path(const char *name)
{
        return g_strdup_printf("%s/nvs/%s", line.dir, name);
}

/* As an administrator does it: made elsewhere, then moved there. Its content is its name's own. */
static void put_of_size(const char *name, size_t size)
{
        g_autofree char *path = file_path(name), *made = line_path(&line, "made");
        g_autofree uint8_t *content = g_malloc(size);

        sample_fill(content, size, g_str_hash(name) % 10007);
        snprintf((char *)content, size, "%s", name);
        assert_true(g_file_set_contents(made, (char *)content, (gssize)size, NULL));
        assert_return_code(chmod(made, 0644), errno);
        assert_return_code(rename(made, path), errno);
}

static void put(const char *name)
{
        put_of_size(name, DATA_SIZE);
}

static void take_away(const char *name)
{
        g_autofree char *path = file_path(name);

        assert_return_code(unlink(path), errno);
}

/* What the slot says that its board got, without the folder. */
static const char *file_of(const char *slot)
{
        const char *file = slot_of(&line, slot)->data_file;

        assert_non_null(file);
        return strrchr(file, '/') + 1;
}

static void expect_in_flash(struct bed_board *board, const char *name)
{
        g_autofree char *path = file_path(name), *content = NULL;
        gsize size;

        assert_true(g_file_get_contents(path, &content, &size, NULL));
        bed_lock(line.bed);
        assert_true(rom_flash_equals(bed_rom(board), DATA_ADDRESS, content, size));
        bed_unlock(line.bed);
}

/* The image, and this file. */
static void expect_flashed_with(const char *slot, struct bed_board *board, const char *name)
{
        expect_flashed(&line, slot, board);
        assert_string_equal(file_of(slot), name);
        expect_in_flash(board, name);
}

static struct bed_board *plug_s3(const char *port, uint8_t last)
{
        return plug_with(&line, port,
                         &(struct rom_config){ .chip = ROM_S3, .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, last } });
}

/* ---- tests ---- */

static void test_board_gets_the_image_and_the_next_file(void **state)
{
        struct bed_board *first, *second;

        (void)state;
        put("unit-9.bin");
        put("unit-10.bin");
        first = plug(&line, "1-4.1", ROM_S2);
        expect_flashed_with("1-4.1", first, "unit-9.bin");
        second = plug(&line, "1-4.2", ROM_S2);
        expect_flashed_with("1-4.2", second, "unit-10.bin");
        expect_log(&line, "nvs/unit-10.bin (attempt 1)");
}

static void test_folder_that_runs_empty_holds_the_slot_and_goes_on_when_a_file_comes(void **state)
{
        struct bed_board *first, *second;

        (void)state;
        put("a");
        first = plug(&line, "1-4.1", ROM_S2);
        expect_flashed_with("1-4.1", first, "a");
        second = plug(&line, "1-4.2", ROM_S2);
        g_autofree char *text = g_strdup_printf("policy gizmo: no unused file left in %s/nvs (1 used)",
                                                line.dir);
        expect_message(&line, "1-4.2", text);
        assert_string_equal(slot_of(&line, "1-4.2")->message, text);
        expect_phase(&line, "1-4.2", PHASE_QUEUED);
        expect_untouched(&line, second);
        put("b");
        expect_flashed_with("1-4.2", second, "b");
}

static void test_board_that_waits_for_a_file_keeps_nobody_from_going_on(void **state)
{
        struct bed_board *waits, *goes_on;

        (void)state;
        line_configure(&line, "[station]\njobs-max = 1\n"
                              "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nboard-data = 0x9000:@nvs\n"
                              "[policy probe]\nchip = esp32s3\nimage = @s3.bin\n");
        reload_daemon(&line);
        waits = plug(&line, "1-4.1", ROM_S2);
        expect_message(&line, "1-4.1", "no unused file left");
        goes_on = plug(&line, "1-4.2", ROM_S3);
        expect_flashed(&line, "1-4.2", goes_on);
        assert_null(slot_of(&line, "1-4.2")->data_file);
        expect_untouched(&line, waits);
}

static void test_retry_gets_the_same_file(void **state)
{
        struct bed_board *bad, *next;

        (void)state;
        put("a");
        put("b");
        bad = plug_with(&line, "1-4.1", &slow);
        bed_lock(line.bed);
        rom_add_fault(bed_rom(bad),
                      &(struct rom_fault){ .when = ROM_AT_BLOCK, .nth = 20, .what = ROM_DO_STALL });
        bed_unlock(line.bed);
        expect_flashed_with("1-4.1", bad, "a");
        assert_int_equal(slot_of(&line, "1-4.1")->attempt, 2);
        next = plug(&line, "1-4.2", ROM_S2);
        expect_flashed_with("1-4.2", next, "b");
}

static void test_crash_after_commit_gives_the_same_file(void **state)
{
        struct bed_board *board, *next;

        (void)state;
        put("a");
        put("b");
        board = plug_with(&line, "1-4.1", &slow);
        expect_bytes_done(&line, "1-4.1", 20000);
        assert_string_equal(file_of("1-4.1"), "a");
        kill_daemon(&line);
        start_daemon(&line);
        expect_flashed_with("1-4.1", board, "a");
        next = plug(&line, "1-4.2", ROM_S2);
        expect_flashed_with("1-4.2", next, "b");
}

static void test_crash_in_the_first_moment_wastes_no_file(void **state)
{
        struct bed_board *board;

        (void)state;
        put("a");
        board = plug_with(
                &line, "1-4.1",
                &(struct rom_config){ .chip = ROM_S2, .starts_in_dfu_mode = true, .timing = slow.timing });
        expect_phase(&line, "1-4.1", PHASE_DOWNLOADING);
        kill_daemon(&line);
        start_daemon(&line);
        expect_flashed_with("1-4.1", board, "a");
}

/* An S2 that stays off the bus for 3 s after its DETACH, in which it is by now. */
static struct bed_board *plug_and_detach(const char *port)
{
        struct bed_board *board = plug_with(&line, port,
                                            &(struct rom_config){ .chip = ROM_S2, .detach_usec = 3000000 });
        bool is_off = false;

        expect_phase(&line, port, PHASE_DETACHING);
        while (!is_off) {
                bed_lock(line.bed);
                is_off = rom_counters(bed_rom(board))->detaches > 0;
                bed_unlock(line.bed);
                g_thread_yield();
        }
        return board;
}

/* It has the file that it got before its DETACH, and no second one is used up. */
static void expect_own_file(struct bed_board *board)
{
        struct bed_board *next;

        expect_flashed_with("1-4.1", board, "a");
        assert_int_equal(rom_counters(bed_rom(board))->detaches, 1);
        next = plug(&line, "1-4.2", ROM_S2);
        expect_flashed_with("1-4.2", next, "b");
}

static void test_s2_that_comes_back_from_detach_to_a_new_daemon_gets_its_file(void **state)
{
        struct bed_board *board;

        (void)state;
        put("a");
        put("b");
        board = plug_and_detach("1-4.1");
        kill_daemon(&line);
        start_daemon(&line);
        expect_own_file(board);
}

static void test_pulled_s2_is_a_new_board_and_its_file_stays_used(void **state)
{
        struct bed_board *board;

        (void)state;
        put("a");
        put("b");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed_with("1-4.1", board, "a");
        bed_pull(board);
        expect_phase(&line, "1-4.1", PHASE_EMPTY);
        bed_replug(board, NULL);
        expect_flashed_with("1-4.1", board, "b");
        take_away("a");
        bed_pull(board);
        expect_phase(&line, "1-4.1", PHASE_EMPTY);
        bed_replug(board, NULL);
        expect_message(&line, "1-4.1", "no unused file left");
        expect_message(&line, "1-4.1", "(2 used)");
}

static void test_board_with_a_mac_gets_its_file_again(void **state)
{
        struct bed_board *board, *other;

        (void)state;
        put("a");
        put("b");
        board = plug_s3("1-4.1", 1);
        expect_flashed_with("1-4.1", board, "a");
        other = plug_s3("1-4.2", 2);
        expect_flashed_with("1-4.2", other, "b");
        bed_pull(board);
        expect_phase(&line, "1-4.1", PHASE_EMPTY);
        stop_daemon(&line);
        start_daemon(&line);
        bed_replug(board, "1-4.3");
        expect_flashed_with("1-4.3", board, "a");
        assert_int_equal(rom_counters(bed_rom(board))->completed, 2);
}

static void test_file_that_does_not_fit_is_refused_and_its_successor_goes_on(void **state)
{
        struct bed_board *board;

        (void)state;
        put_of_size("large", 0x7001);
        board = plug(&line, "1-4.1", ROM_S2);
        g_autofree char *text = g_strdup_printf(
                "policy gizmo: %s/nvs/large: flash 0x9000 to 0x11000 overlaps app.bin "
                "of the image at 0x10000 to 0x3bf20: expected sectors of its own",
                line.dir);
        expect_message(&line, "1-4.1", text);
        expect_untouched(&line, board);
        take_away("large");
        expect_message(&line, "1-4.1", "no unused file left");
        put("fits");
        expect_flashed_with("1-4.1", board, "fits");
}

static void test_file_that_others_may_write_reaches_no_board_until_that_is_mended(void **state)
{
        g_autofree char *path = file_path("a");
        struct bed_board *board;

        (void)state;
        put("a");
        assert_return_code(chmod(path, 0666), errno);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_message(&line, "1-4.1",
                       "nvs/a: mode 0666: expected no write permission for group and others (chmod go-w)");
        expect_untouched(&line, board);
        assert_return_code(chmod(path, 0644), errno);
        expect_flashed_with("1-4.1", board, "a");
}

static void test_entry_of_the_image_at_the_same_address_is_replaced(void **state)
{
        const struct sample_spec spec = { .pid = 0x0002,
                                          .flash_size = 4 * MIB,
                                          .files = { { "nvs.bin", DATA_ADDRESS, 20000, 7 },
                                                     { "app.bin", 0x10000, 9000, 11 } },
                                          .n_files = 2 };
        g_autofree char *path = line_path(&line, "s2.bin");
        g_autofree uint8_t *app = g_malloc(9000);
        struct bed_board *board;

        (void)state;
        sample_image_done(&line.s2);
        sample_image_make(&spec, &line.s2);
        assert_int_equal(sample_image_write(&line.s2, path), 0);
        put("a");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_FLASHED);
        expect_in_flash(board, "a");
        sample_fill(app, 9000, 11);
        bed_lock(line.bed);
        assert_true(rom_flash_equals(bed_rom(board), 0x10000, app, 9000));
        /* Nothing is left of the file that it replaces: behind it nobody wrote. */
        assert_true(rom_flash_is_blank(bed_rom(board), DATA_ADDRESS + DATA_SIZE, 0x4000));
        assert_int_equal(rom_counters(bed_rom(board))->raw_downloads, 0);
        bed_unlock(line.bed);
}

static void test_explain_says_which_file_would_be_the_next(void **state)
{
        struct bed_board *board;

        (void)state;
        line_configure(&line, "[policy gizmo]\nchip = esp32s2\naction = hold\nimage = @s2.bin\n"
                              "board-data = 0x9000:@nvs\n");
        reload_daemon(&line);
        put("a");
        put("b");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_HELD);
        expect_ctl(&line, "; board data: ", (const char *[]){ "explain", "1-4.1", NULL });
        expect_ctl(&line, "nvs/a", (const char *[]){ "explain", "1-4.1", NULL });
        expect_ctl(&line, "", (const char *[]){ "release", "1-4.1", NULL });
        expect_flashed_with("1-4.1", board, "a");
        expect_ctl(&line, "nvs/a", (const char *[]){ "explain", "1-4.1", NULL });
}

static void test_cancelled_board_that_waited_takes_no_file(void **state)
{
        struct bed_board *board;

        (void)state;
        (void)plug(&line, "1-4.1", ROM_S2);
        expect_message(&line, "1-4.1", "no unused file left");
        expect_ctl(&line, "", (const char *[]){ "cancel", "1-4.1", NULL });
        expect_phase(&line, "1-4.1", PHASE_CANCELLED);
        put("a");
        board = plug(&line, "1-4.2", ROM_S2);
        expect_flashed_with("1-4.2", board, "a");
}

/* ---- a hundred at once ---- */

#define HUNDRED 100

static void test_hundred_boards_get_a_hundred_files(void **state)
{
        const struct sample_spec spec = { .pid = 0x0002,
                                          .flash_size = 4 * MIB,
                                          .files = { { "app.bin", 0x10000, 3000, 11 } },
                                          .n_files = 1 };
        g_autofree char *path = line_path(&line, "s2.bin");
        struct bed_board *boards[HUNDRED];
        bool given[HUNDRED] = { false };
        char port[HUNDRED][16], name[24];

        (void)state;
        sample_image_done(&line.s2);
        sample_image_make(&spec, &line.s2);
        assert_int_equal(sample_image_write(&line.s2, path), 0);
        for (unsigned i = 0; i < HUNDRED; i++) {
                g_snprintf(name, sizeof(name), "unit-%u.bin", i);
                put_of_size(name, 1000);
        }
        /* One by one, since the bed's udev takes no hundred events at once; then they all begin together. */
        expect_ctl(&line, "", (const char *[]){ "hold", "--reason", "all at once", NULL });
        for (unsigned i = 0; i < HUNDRED; i++) {
                g_snprintf(port[i], sizeof(port[i]), "1-%u.%u", 1 + i / 10, 1 + i % 10);
                boards[i] = plug_with(&line, port[i],
                                      &(struct rom_config){ .chip = ROM_S2, .starts_in_dfu_mode = true });
                expect_phase(&line, port[i], PHASE_HELD);
        }
        expect_ctl(&line, "", (const char *[]){ "release", NULL });
        for (unsigned i = 0; i < HUNDRED; i++) {
                unsigned n;

                expect_flashed(&line, port[i], boards[i]);
                assert_int_equal(sscanf(file_of(port[i]), "unit-%u.bin", &n), 1);
                assert_in_range(n, 0, HUNDRED - 1);
                assert_false(given[n]);
                given[n] = true;
                expect_in_flash(boards[i], file_of(port[i]));
        }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_board_gets_the_image_and_the_next_file),
                TEST(test_folder_that_runs_empty_holds_the_slot_and_goes_on_when_a_file_comes),
                TEST(test_board_that_waits_for_a_file_keeps_nobody_from_going_on),
                TEST(test_retry_gets_the_same_file),
                TEST(test_crash_after_commit_gives_the_same_file),
                TEST(test_crash_in_the_first_moment_wastes_no_file),
                TEST(test_s2_that_comes_back_from_detach_to_a_new_daemon_gets_its_file),
                TEST(test_pulled_s2_is_a_new_board_and_its_file_stays_used),
                TEST(test_board_with_a_mac_gets_its_file_again),
                TEST(test_file_that_does_not_fit_is_refused_and_its_successor_goes_on),
                TEST(test_file_that_others_may_write_reaches_no_board_until_that_is_mended),
                TEST(test_entry_of_the_image_at_the_same_address_is_replaced),
                TEST(test_explain_says_which_file_would_be_the_next),
                TEST(test_cancelled_board_that_waited_takes_no_file),
                TEST(test_hundred_boards_get_a_hundred_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
