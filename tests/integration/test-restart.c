/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon stops, dies, starts again, is told to load its configuration anew; a second one is kept out. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/integration/line.h"

static const char gizmo[] = "[policy gizmo]\n"
                            "chip = esp32s2\n"
                            "image = @s2.bin\n"
                            "retry-delay = 10ms\n";

/* As gizmo, on a bus where a download takes about 3 s. */
static const struct rom_config slow = { .chip = ROM_S2, .timing = { .transfer_usec = 900 } };

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

static void test_restart_flashes_no_finished_board_again(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);

        (void)state;
        expect_flashed(&line, "1-4.1", board);
        stop_daemon(&line);
        start_daemon(&line);
        expect_flashed(&line, "1-4.1", board);
        assert_int_equal(rom_counters(bed_rom(board))->completed, 1);
        assert_string_equal(slot_of(&line, "1-4.1")->policy, "gizmo");
        assert_string_equal(slot_of(&line, "1-4.1")->image_name, "s2.bin");
}

static void test_board_of_a_killed_daemon_is_flashed_by_the_next_one(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &slow);
        g_autofree char *history = NULL;

        (void)state;
        expect_bytes_done(&line, "1-4.1", 20000);
        kill_daemon(&line);
        start_daemon(&line);
        expect_flashed(&line, "1-4.1", board);
        assert_int_equal(ctl(&line, &history, (const char *[]){ "history", NULL }), 0);
        assert_non_null(strstr(history, "interrupted"));
        assert_non_null(strstr(history, "flashed"));
}

static void test_silent_board_of_a_killed_daemon_is_not_busy_for_the_next_one(void **state)
{
        struct bed_board *board;

        (void)state;
        /* As in life: the engine before has a second to go. */
        line_configure(&line, "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nretry-delay = 1s\n");
        reload_daemon(&line);
        board = plug_with(&line, "1-4.1", &slow);
        bed_lock(line.bed);
        rom_add_fault(bed_rom(board),
                      &(struct rom_fault){ .when = ROM_AT_BLOCK, .nth = 30, .what = ROM_DO_HANG });
        bed_unlock(line.bed);
        expect_bytes_done(&line, "1-4.1", 1024);
        kill_daemon(&line);
        start_daemon(&line);
        if (!bed_wait(line.bed, bed_board_is_claimed_again, board, PATIENCE))
                fail_msg("the next engine never had the interface; espdfud said:\n%s",
                         bed_output(line.daemon));
        bed_pull(board);
        expect_phase(&line, "1-4.1", PHASE_FAILED);
        expect_last_verdict(&line, "1-4.1", VERDICT_BOARD_LEFT);
}

static void test_stop_lets_a_running_download_end(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &slow);

        (void)state;
        expect_bytes_done(&line, "1-4.1", 20000);
        stop_daemon(&line);
        assert_true(rom_flash_has_image(bed_rom(board), line.s2.data, line.s2.payload_size));
        assert_int_equal(rom_counters(bed_rom(board))->requests[ROM_ABORT], 0);
}

static void test_stop_cancels_a_download_that_takes_longer_than_stop_time(void **state)
{
        struct bed_board *board;

        (void)state;
        line_configure(&line,
                       "[station]\nstop-time = 100ms\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n");
        reload_daemon(&line);
        board = plug_with(&line, "1-4.1", &slow);
        expect_bytes_done(&line, "1-4.1", 20000);
        stop_daemon(&line);
        assert_int_equal(rom_counters(bed_rom(board))->requests[ROM_ABORT], 1);
        assert_int_equal(rom_counters(bed_rom(board))->raw_downloads, 0);
        assert_int_equal(rom_state(bed_rom(board)), ROM_DFU_IDLE);
        start_daemon(&line);
        expect_flashed(&line, "1-4.1", board);
}

static void test_second_daemon_on_the_same_socket_is_refused(void **state)
{
        g_autofree char *conf = line_path(&line, "conf"), *other = line_path(&line, "other"),
                        *socket = line_path(&line, "socket"), *socket2 = line_path(&line, "socket2"),
                        *same = line_path(&line, "state");
        const char *const by_socket[] = { ESPDFUD, "--config", conf,   "--state",
                                          other,   "--socket", socket, NULL };
        const char *const by_state[] = {
                ESPDFUD, "--config", conf, "--state", same, "--socket", socket2, NULL
        };
        struct bed_board *board;
        struct bed_child *second;

        (void)state;
        second = bed_spawn(line.bed, by_socket, NULL);
        assert_int_equal(bed_wait_child(second, PATIENCE), 1);
        assert_non_null(strstr(bed_output(second), "another espdfud"));
        second = bed_spawn(line.bed, by_state, NULL);
        assert_int_equal(bed_wait_child(second, PATIENCE), 1);
        assert_non_null(strstr(bed_output(second), "another espdfud"));
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "1-4.1", board);
}

/* Who is killed while it starts an engine leaves a process that has its locks for a moment. */
static void test_daemon_waits_for_what_a_killed_one_left_to_let_go(void **state)
{
        g_autofree char *path = line_path(&line, "state/lock");
        struct bed_board *board;
        int fd;

        (void)state;
        kill_daemon(&line);
        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
        launch_daemon(&line);
        expect_log(&line, "is in use: waiting");
        close(fd);
        expect_ready(&line);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "1-4.1", board);
}

static void test_configuration_with_errors_is_refused_in_one_go(void **state)
{
        g_autofree char *conf = line_path(&line, "conf"), *other = line_path(&line, "other"),
                        *socket = line_path(&line, "socket2");
        const char *const argv[] = { ESPDFUD, "--config", conf, "--state", other, "--socket", socket, NULL };
        struct bed_child *child;

        (void)state;
        line_configure(&line, "[policy gizmo]\nchip = esp32s2\nimag = @s2.bin\nslot = [A\nattempts = 0\n");
        child = bed_spawn(line.bed, argv, NULL);
        assert_int_equal(bed_wait_child(child, PATIENCE), 78);
        assert_non_null(strstr(bed_output(child), "espdfud.conf:3: imag"));
        assert_non_null(strstr(bed_output(child), "espdfud.conf:4: slot"));
        assert_non_null(strstr(bed_output(child), "espdfud.conf:5: attempts = 0: expected 1 to 20"));
}

static void test_reload_with_an_error_leaves_the_station_as_it_was(void **state)
{
        g_autofree char *text = NULL;
        struct bed_board *board;

        (void)state;
        line_configure(&line, "[policy gizmo]\nchip = esp32s9\nimage = @s2.bin\n");
        assert_int_equal(ctl(&line, &text, (const char *[]){ "reload", NULL }), 1);
        assert_non_null(strstr(text, "espdfud.conf:2: chip = esp32s9"));
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "1-4.1", board);
        assert_non_null(line.status.station.config_error);
}

static void test_reload_brings_a_policy_to_a_board_that_waits_for_one(void **state)
{
        struct bed_board *board = plug(&line, "1-4.2", ROM_S3);

        (void)state;
        expect_phase(&line, "1-4.2", PHASE_NO_POLICY);
        line_configure(
                &line,
                "[slot B7]\nport = 1-4.2\n[policy probe]\nchip = esp32s3\nslot = B*\nimage = @s3.bin\n");
        assert_int_equal(ctl(&line, NULL, (const char *[]){ "reload", NULL }), 0);
        expect_flashed(&line, "B7", board);
}

static void test_image_that_is_replaced_in_mid_run_does_not_reach_the_running_job(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &slow);
        g_autofree char *path = line_path(&line, "s2.bin");
        struct bed_board *second;

        (void)state;
        expect_bytes_done(&line, "1-4.1", 20000);
        assert_int_equal(sample_image_write(&line.s3, path), 0);
        second = plug(&line, "1-4.2", ROM_S2);
        expect_phase(&line, "1-4.2", PHASE_UNUSABLE);
        expect_flashed(&line, "1-4.1", board);
        expect_untouched(&line, second);
}

static void test_station_that_cannot_record_flashes_nothing_and_says_so(void **state)
{
        g_autofree char *ledger = line_path(&line, "state/ledger.sqlite");
        g_autofree char *aside = line_path(&line, "state/aside");
        struct bed_board *board;

        (void)state;
        assert_int_equal(rename(ledger, aside), 0);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_log(&line, "not flashed while it cannot be recorded");
        expect_phase(&line, "1-4.1", PHASE_QUEUED);
        assert_non_null(strstr(slot_of(&line, "1-4.1")->message, "nothing is flashed until then"));
        expect_untouched(&line, board);
        assert_int_equal(rename(aside, ledger), 0);
        expect_flashed(&line, "1-4.1", board);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_restart_flashes_no_finished_board_again),
                TEST(test_board_of_a_killed_daemon_is_flashed_by_the_next_one),
                TEST(test_silent_board_of_a_killed_daemon_is_not_busy_for_the_next_one),
                TEST(test_stop_lets_a_running_download_end),
                TEST(test_stop_cancels_a_download_that_takes_longer_than_stop_time),
                TEST(test_second_daemon_on_the_same_socket_is_refused),
                TEST(test_daemon_waits_for_what_a_killed_one_left_to_let_go),
                TEST(test_configuration_with_errors_is_refused_in_one_go),
                TEST(test_reload_with_an_error_leaves_the_station_as_it_was),
                TEST(test_reload_brings_a_policy_to_a_board_that_waits_for_one),
                TEST(test_image_that_is_replaced_in_mid_run_does_not_reach_the_running_job),
                TEST(test_station_that_cannot_record_flashes_nothing_and_says_so),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
