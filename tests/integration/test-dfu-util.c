/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dfu-util, unchanged, against the modelled chips: that it takes them for real ones is what says that the model and the
 * bed are right. And what it does when something goes wrong is why espdfu exists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/rom/bed.h"

#include <glib.h> /* behind core/util.h: it has MIN and MAX of its own */

#define PATIENCE (90 * USEC_PER_SEC) /* 5 s of it dfu-util sleeps after its DETACH */
#define SKIP     77

static struct bed *the_bed;
static struct sample_image image;
static char image_path[] = "/tmp/test-dfu-util-XXXXXX";

static int make_bed(void **state)
{
        (void)state;
        the_bed = bed_new();
        return 0;
}

static int end_bed(void **state)
{
        (void)state;
        the_bed = bed_free(the_bed);
        sample_image_done(&image);
        return 0;
}

static struct bed_board *plug(const char *port, enum rom_chip chip, bool dfu_mode)
{
        return bed_plug(the_bed, port,
                        &(struct rom_config){
                                .chip = chip,
                                .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0x00, 0x12 },
                                .timing = { .transfer_usec = 80 },
                                .starts_in_dfu_mode = dfu_mode,
                        });
}

/* dfu-util says what it says on stdout; returns its exit status. */
static int dfu_util(const char *option, const char *value, const char **ret_output)
{
        struct bed_child *child = bed_spawn(
                the_bed, (const char *[]){ "dfu-util", option, value, value ? "-D" : NULL, image_path, NULL },
                NULL);
        int r = bed_wait_child(child, PATIENCE);

        *ret_output = bed_output(child);
        return r;
}

static void expect_flashed(struct bed_board *board)
{
        const struct rom_counters *counters = rom_counters(bed_rom(board));
        const char *output;

        assert_int_equal(sample_image_write(&image, image_path), 0);
        if (dfu_util("-p", "1-4.1", &output) != 0 || !strstr(output, "Done!"))
                fail_msg("%s", output);
        if (!rom_flash_has_image(bed_rom(board), image.data, image.size))
                fail_msg("%s", output);
        assert_int_equal(counters->detaches, 1);
        assert_int_equal(counters->archives, 1);
        assert_int_equal(counters->completed, 1);
        assert_int_equal(counters->violations, 0);
        assert_int_equal(counters->raw_downloads, 0);
}

static void test_dfu_util_lists_the_board_as_users_know_it(void **state)
{
        const char *output;

        (void)state;
        plug("1-4.1", ROM_S3, false);
        assert_int_equal(dfu_util("-l", NULL, &output), 0);
        assert_non_null(strstr(
                output, "Found Runtime: [303a:0009] ver=0728, devnum=3, cfg=1, intf=2, path=\"1-4.1\", "
                        "alt=0, name=\"UNKNOWN\", serial=\"7c:df:a1:0b:00:12\""));
}

static void test_s2_in_run_time_mode_is_flashed(void **state)
{
        (void)state;
        sample_image_make_s2(&image);
        expect_flashed(plug("1-4.1", ROM_S2, false));
}

static void test_s3_in_run_time_mode_is_flashed(void **state)
{
        const struct sample_spec spec = {
                .pid = 0x0009,
                .flash_size = 8 * MIB,
                .part_size = 64 * KIB,
                .files = { { "boot.bin", 0x0, 22400, 3 }, { "app.bin", 0x10000, 180000, 11 } },
                .n_files = 2,
        };

        (void)state;
        sample_image_make(&spec, &image);
        expect_flashed(plug("1-4.1", ROM_S3, false));
}

static void test_failed_verification_is_exit_status_0_there(void **state)
{
        struct bed_board *board = plug("1-4.1", ROM_S2, true);
        const char *output;

        (void)state;
        sample_image_make_s2(&image);
        assert_int_equal(sample_image_write(&image, image_path), 0);
        rom_add_fault(bed_rom(board), &(struct rom_fault){ .when = ROM_AT_MANIFEST,
                                                           .nth = 1,
                                                           .what = ROM_DO_FLIP_BIT,
                                                           .value = 0x10100 * 8 });
        assert_int_equal(dfu_util("-p", "1-4.1", &output), 0);
        assert_non_null(strstr(output, "Device's firmware is corrupt"));
        assert_non_null(strstr(output, "Done!"));
        assert_false(rom_flash_has_image(bed_rom(board), image.data, image.size));
        assert_int_equal(rom_state(bed_rom(board)), ROM_DFU_ERROR);
}

int main(void)
{
#define in_bed(test) cmocka_unit_test_setup_teardown(test, make_bed, end_bed)
        static const struct CMUnitTest tests[] = {
                in_bed(test_dfu_util_lists_the_board_as_users_know_it),
                in_bed(test_s2_in_run_time_mode_is_flashed),
                in_bed(test_s3_in_run_time_mode_is_flashed),
                in_bed(test_failed_verification_is_exit_status_0_there),
        };
        g_autofree char *program = g_find_program_in_path("dfu-util");
        int fd, r;

        if (!program) {
                fprintf(stderr, "dfu-util is not installed: run ./bootstrap deps\n");
                return SKIP;
        }
        fd = mkstemp(image_path);
        if (fd < 0)
                return 1;
        close(fd);
        r = cmocka_run_group_tests(tests, NULL, NULL);
        unlink(image_path);
        return r;
}
