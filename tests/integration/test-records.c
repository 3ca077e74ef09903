/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a station keeps of its attempts, who may ask for it, what is removed; and a disk that is full. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/line.h"

static const char gizmo[] = "[station]\n"
                            "name = line3-a\n"
                            "[policy gizmo]\n"
                            "chip = esp32s2\n"
                            "image = @s2.bin\n"
                            "attempts = 1\n";

/* On a bus where a download takes about 3 s. */
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

/* One board that is flashed on 1-4.1, and one on 1-4.2 whose flash does not hold what was written. */
static void good_and_bad(void)
{
        struct bed_board *good = plug(&line, "1-4.1", ROM_S2), *bad = plug_with(&line, "1-4.2", &slow);

        bed_lock(line.bed);
        rom_add_fault(bed_rom(bad), &(struct rom_fault){ .when = ROM_AT_MANIFEST,
                                                         .what = ROM_DO_FLIP_BIT,
                                                         .value = (0x10000 + 77) << 3 });
        bed_unlock(line.bed);
        expect_flashed(&line, "1-4.1", good);
        expect_phase(&line, "1-4.2", PHASE_FAILED);
}

static void test_row_says_how_long_each_phase_took_and_what_the_board_said(void **state)
{
        static const char *const words[] = { "\"dfu_status\":\"errFIRMWARE\"",
                                             "\"dfu_state\":\"dfuERROR\"",
                                             "\"station\":\"line3-a\"",
                                             "\"verdict\":\"verify-failed\"",
                                             "\"engine_message\":\"board reports errFIRMWARE",
                                             "\"data_file\":null",
                                             "\"final\":true" };
        g_autofree char *row = NULL;

        (void)state;
        good_and_bad();
        assert_int_equal(
                ctl(&line, &row, (const char *[]){ "export", "--format", "json", "--slot", "1-4.2", NULL }),
                0);
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                expect_said(row, words[i]);
        assert_null(strstr(row, "\"downloading_usec\":null"));
        assert_null(strstr(row, "\"verifying_usec\":null"));
}

static void test_filters_figures_and_tables_are_of_the_same_attempts(void **state)
{
        g_autofree char *csv = NULL, *history = NULL;

        (void)state;
        good_and_bad();
        expect_ctl(&line, "50.0 %", (const char *[]){ "stats", NULL });
        expect_ctl(&line, "verify failed  errFIRMWARE", (const char *[]){ "stats", "--since", "1h", NULL });
        expect_ctl(&line, "No attempt.", (const char *[]){ "history", "--until", "1h", NULL });
        expect_ctl(&line, "No attempt.", (const char *[]){ "history", "--image", "probe", NULL });
        assert_int_equal(ctl(&line, &history, (const char *[]){ "history", "--verdict", "flashed", NULL }),
                         0);
        expect_said(history, "1-4.1");
        assert_null(strstr(history, "1-4.2"));
        assert_int_equal(ctl(&line, &csv, (const char *[]){ "export", "--format", "csv", NULL }), 0);
        expect_said(csv, "id,sequence,job,");
        expect_said(csv, "\r\n1,");
        expect_said(csv, "\r\n2,");
}

/* Of what is removed and of another daemon's attempts the ledger alone tells. */
static void test_counters_begin_with_the_daemon_and_never_fall_while_it_runs(void **state)
{
        static const char *const metrics[] = { "metrics", NULL };

        (void)state;
        good_and_bad();
        expect_ctl(&line, "result=\"flashed\"} 1\n", metrics);
        expect_ctl(&line, "result=\"failed\"} 1\n", metrics);
        expect_ctl(&line, "verdict=\"verify-failed\"} 1\n", metrics);
        expect_ctl(&line, "le=\"+Inf\"} 1\n", metrics);
        expect_ctl(&line, "\nespdfu_ledger_attempts_total 2\n", metrics);
        stop_daemon(&line);
        line_configure(&line, "[station]\nledger-rows-max = 1\n");
        start_daemon(&line);
        expect_log(&line, "removed the 1 oldest attempts");
        expect_ctl(&line, "\nespdfu_up 1\n", metrics);
        expect_ctl(&line, "\nespdfu_ledger_attempts_total 2\n", metrics);
}

static void test_old_rows_go_when_they_were_had_and_the_journal_says_so(void **state)
{
        (void)state;
        good_and_bad();
        expect_ctl(&line, "bridge: registered, has number 0",
                   (const char *[]){ "consumer", "register", "bridge", NULL });
        stop_daemon(&line);
        line_configure(&line, "[station]\nledger-rows-max = 1\n");
        start_daemon(&line);
        expect_log(&line, "1 attempts that should be removed are kept for a consumer that has not had them");
        expect_ctl(&line, "bridge: registered, has number 2",
                   (const char *[]){ "consumer", "acknowledge", "bridge", "2", NULL });
        stop_daemon(&line);
        start_daemon(&line);
        expect_log(&line, "removed the 1 oldest attempts, numbers 1 to 1");
        expect_ctl(&line, "The ledger begins at number 2: 1 older attempts were removed",
                   (const char *[]){ "stats", NULL });
}

/* ---- a full disk ---- */

/* What is left of the file system goes into a file; returns its descriptor. */
static int fill(const char *directory)
{
        g_autofree char *path = g_strdup_printf("%s/filler", directory);
        char chunk[512] = { 0 };
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        while (write(fd, chunk, sizeof(chunk)) > 0)
                ;
        assert_int_equal(errno, ENOSPC);
        return fd;
}

/* Its state on a disk of its own, which is small. Returns the directory; skips who may not mount. */
static char *begin_on_a_small_disk(const char *config)
{
        char *directory;

        line_lay_out(&line, config);
        directory = line_path(&line, "state");
        assert_int_equal(mkdir(directory, 0700), 0);
        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", directory, "tmpfs", 0, "size=1m") < 0)
                skip();
        start_daemon(&line);
        return directory;
}

static void test_stop_waits_for_no_full_disk_and_says_what_is_not_recorded(void **state)
{
        g_autofree char *directory = begin_on_a_small_disk(
                "[station]\nstop-time = 100ms\n"
                "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n");
        struct bed_board *board = plug_with(&line, "1-4.1", &slow);
        int filler;

        (void)state;
        expect_bytes_done(&line, "1-4.1", 4096);
        filler = fill(directory);
        expect_log(&line, "the attempt's verdict cannot be recorded");
        stop_watching(&line);
        bed_kill(line.daemon, SIGTERM);
        assert_int_equal(bed_wait_child(line.daemon, PATIENCE), 0);
        expect_said(bed_output(line.daemon), "1-4.1: how its attempt ended is not recorded: ");
        expect_said(bed_output(line.daemon), ": the next start will say interrupted");
        assert_int_equal(ftruncate(filler, 0), 0);
        close(filler);
        start_daemon(&line);
        expect_flashed(&line, "1-4.1", board);
        expect_ctl(&line, "1-4.1", (const char *[]){ "history", "--verdict", "interrupted", NULL });
        stop_daemon(&line);
        assert_int_equal(umount(directory), 0);
}

static void test_full_disk_begins_nothing_tells_nothing_and_says_why(void **state)
{
        g_autofree char *directory = begin_on_a_small_disk(gizmo), *status = NULL, *history = NULL;
        struct bed_board *running, *waiting;
        int filler;

        (void)state;
        running = plug_with(&line, "1-4.1", &slow);
        expect_bytes_done(&line, "1-4.1", 4096);
        filler = fill(directory);
        waiting = plug(&line, "1-4.2", ROM_S2);
        expect_log(&line, "not flashed while it cannot be recorded");
        expect_log(&line,
                   "the attempt's verdict cannot be recorded"); /* the running download came to its end */
        assert_int_equal(rom_counters(bed_rom(running))->completed, 1);
        expect_untouched(&line, waiting);
        assert_int_equal(ctl(&line, &status, (const char *[]){ "status", NULL }), 0);
        expect_said(status, "attempts cannot be recorded: ");
        expect_said(status, "No space left on device");
        assert_int_not_equal(slot_of(&line, "1-4.1")->phase, PHASE_FLASHED);
        expect_phase(&line, "1-4.2", PHASE_QUEUED);
        expect_message(&line, "1-4.2", "No space left on device");
        assert_int_equal(ctl(&line, &history, (const char *[]){ "history", NULL }), 0); /* reading goes on */
        expect_said(history, "running");

        assert_int_equal(ftruncate(filler, 0), 0);
        close(filler);
        expect_flashed(&line, "1-4.1", running);
        expect_flashed(&line, "1-4.2", waiting);
        stop_daemon(&line);
        assert_int_equal(umount(directory), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_row_says_how_long_each_phase_took_and_what_the_board_said),
                TEST(test_filters_figures_and_tables_are_of_the_same_attempts),
                TEST(test_counters_begin_with_the_daemon_and_never_fall_while_it_runs),
                TEST(test_old_rows_go_when_they_were_had_and_the_journal_says_so),
                /* They leave the process in a mount namespace of its own: last. */
                cmocka_unit_test_setup_teardown(
                        test_stop_waits_for_no_full_disk_and_says_what_is_not_recorded, NULL, end),
                cmocka_unit_test_setup_teardown(test_full_disk_begins_nothing_tells_nothing_and_says_why,
                                                NULL, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
