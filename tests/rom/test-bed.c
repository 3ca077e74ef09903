/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bed itself: real libudev, sd-event and libusb in programs, against modelled boards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/rom/bed.h"

#define PATIENCE (60 * USEC_PER_SEC)

static struct bed *the_bed;
static char image_path[] = "/tmp/test-bed-XXXXXX";
static struct sample_image image;

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
        return 0;
}

static int make_image(void **state)
{
        int fd = mkstemp(image_path);

        (void)state;
        if (fd < 0)
                return -1;
        close(fd);
        sample_image_make_s2(&image);
        image.size = image.payload_size; /* the probe sends what is there */
        return sample_image_write(&image, image_path);
}

static int remove_image(void **state)
{
        (void)state;
        unlink(image_path);
        sample_image_done(&image);
        return 0;
}

/* ---- vocabulary ---------------------------------------------------------------------- */

static struct bed_board *plug(const char *port, bool dfu_mode)
{
        return bed_plug(the_bed, port,
                        &(struct rom_config){ .chip = ROM_S3,
                                              .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0x00, 0x12 },
                                              .starts_in_dfu_mode = dfu_mode });
}

static struct bed_child *probe(const char *verb, const char *node, const char *path)
{
        return bed_spawn(the_bed, (const char *[]){ BED_PROBE, verb, node, path, NULL }, NULL);
}

struct said {
        struct bed_child *child;
        const char *text;
};

static bool has_said(void *userdata)
{
        const struct said *said = userdata;

        return strstr(bed_output(said->child), said->text);
}

static void expect_output(struct bed_child *child, const char *text)
{
        if (!bed_wait(the_bed, has_said, &(struct said){ child, text }, PATIENCE))
                fail_msg("expected: %s\ngot:\n%s", text, bed_output(child));
}

static void expect_exit(struct bed_child *child, int status)
{
        int r = bed_wait_child(child, PATIENCE);

        if (r != status)
                fail_msg("exit status %d, expected %d; output:\n%s", r, status, bed_output(child));
}

static void add_fault(struct bed_board *board, enum rom_fault_when when, unsigned nth,
                      enum rom_fault_what what, uint64_t value)
{
        rom_add_fault(bed_rom(board),
                      &(struct rom_fault){ .when = when, .nth = nth, .what = what, .value = value });
}

/* As if the board had just come, and udevd were still at its rules. */
static void undo_rules(struct bed_board *board, const char *entry)
{
        char *inside = NULL, *path;

        assert_true(asprintf(&inside, "/run-udev/data/%s", entry) > 0);
        path = bed_path(board, inside);
        assert_int_equal(unlink(path), 0);
        free(path);
        free(inside);
}

struct blocks {
        struct bed_board *board;
        unsigned n;
};

static bool has_blocks(void *userdata)
{
        const struct blocks *blocks = userdata;

        return rom_counters(bed_rom(blocks->board))->requests[ROM_DNLOAD] >= blocks->n;
}

static uint64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

/* ---- udev ------------------------------------------------------------------------------ */

static void test_monitor_in_a_program_sees_boards_come_and_go(void **state)
{
        struct bed_child *child = probe("monitor", NULL, NULL);
        struct bed_board *board;

        (void)state;
        expect_output(child, "listening");
        board = plug("1-4.1", false);
        expect_output(child, "add 1-4.1 /dev/bus/usb/001/003 usb_device path=pci-0000:00:14.0-usb-0:4.1 "
                             "serial=7c:df:a1:0b:00:12 initialized=1 tagged=1 usec=");
        expect_output(child, "bind 1-4.1");
        bed_pull(board);
        expect_output(child, "remove 1-4.1 /dev/bus/usb/001/003");
        bed_replug(board, "2-7");
        expect_output(child, "add 2-7 /dev/bus/usb/002/002");
}

/* Ten events are all that its socket holds. */
static void test_a_monitor_that_stands_still_holds_up_nobody(void **state)
{
        struct bed_child *still = probe("monitor", NULL, NULL);
        uint64_t start;
        char port[16];

        (void)state;
        expect_output(still, "listening");
        bed_kill(still, SIGSTOP);
        start = now();
        for (int i = 1; i <= 20; i++) {
                snprintf(port, sizeof(port), "1-4.%d", i);
                plug(port, false);
        }
        assert_true(now() - start < 5 * USEC_PER_SEC); /* an event takes longer to be lost on it */
        bed_kill(still, SIGCONT);
        expect_output(still, "add 1-4.1 ");
}

static void test_two_monitors_both_see_every_board(void **state)
{
        struct bed_child *a = probe("monitor", NULL, NULL), *b = probe("monitor", NULL, NULL);
        char port[16];

        (void)state;
        expect_output(a, "listening");
        expect_output(b, "listening");
        for (int i = 1; i <= 40; i++) {
                snprintf(port, sizeof(port), "1-4.%d", i);
                plug(port, false);
        }
        expect_output(a, "bind 1-4.40 ");
        expect_output(b, "bind 1-4.40 ");
        for (int i = 1; i <= 40; i++) {
                snprintf(port, sizeof(port), "add 1-4.%d ", i);
                expect_output(a, port);
                expect_output(b, port);
        }
}

/* The kernel's files come one by one, and whoever looks meanwhile must be able to tell. */
static void test_board_that_udev_is_not_done_with_shows_it(void **state)
{
        struct bed_child *child;

        (void)state;
        undo_rules(plug("1-4.1", false), "c189:2");
        plug("1-4.2", false);
        child = probe("scan", NULL, NULL);
        expect_exit(child, 0);
        expect_output(child, "- 1-4.1 /dev/bus/usb/001/003 usb_device path=- serial=7c:df:a1:0b:00:12 "
                             "initialized=0 tagged=0 usec=-");
        expect_output(child, "- 1-4.2 /dev/bus/usb/001/004 usb_device path=pci-0000:00:14.0-usb-0:4.2 "
                             "serial=7c:df:a1:0b:00:12 initialized=1 tagged=1 usec=");
        expect_output(child, "udevd is there");
}

static void test_board_that_is_there_already_is_found_with_its_tag(void **state)
{
        struct bed_child *child;
        struct bed_board *other;

        (void)state;
        plug("1-4.1", false);
        other = plug("1-4.2", false);
        bed_pull(other);
        bed_set_property(other, "TAGS", ":seat:");
        bed_replug(other, NULL);
        child = probe("enumerate", NULL, NULL);
        expect_exit(child, 0);
        expect_output(child, "- 1-4.1 /dev/bus/usb/001/003 usb_device path=pci-0000:00:14.0-usb-0:4.1 "
                             "serial=7c:df:a1:0b:00:12 initialized=1 tagged=1 usec=");
        assert_null(strstr(bed_output(child), "usec=-"));
        assert_null(strstr(bed_output(child), "1-4.2"));
}

/* ---- libusb ----------------------------------------------------------------------------- */

static void test_pipelined_download_by_libusb_stands_in_the_flash(void **state)
{
        struct bed_board *board = plug("1-1", true);
        struct bed_child *child = probe("flash", bed_devnode(board), image_path);

        (void)state;
        expect_exit(child, 0);
        expect_output(child, "blocks: 3360 done, 0 failed");
        expect_output(child, "manifest: LIBUSB_SUCCESS");
        expect_output(child, "status: 6 bytes, status 0, state 2");
        assert_true(rom_flash_has_image(bed_rom(board), image.data, image.size));
        assert_int_equal(rom_counters(bed_rom(board))->archives, 1);
        assert_int_equal(rom_counters(bed_rom(board))->violations, 0);
}

/* 3360 blocks, 51 sectors, 804 pages, 205 472 bytes: none may be faster than the chip. */
static void test_bus_takes_the_time_that_the_chip_takes(void **state)
{
        struct rom_config config = { .starts_in_dfu_mode = true, .timing = { 80, 940, 40, 1500000 } };
        struct bed_board *board = bed_plug(the_bed, "1-1", &config);
        uint64_t start = now(), floor = 3360 * 80 + 51 * 940 + 804 * 40 + 293923;
        struct bed_child *child = probe("flash", bed_devnode(board), image_path);

        (void)state;
        expect_exit(child, 0);
        assert_true(now() - start >= floor);
        assert_true(rom_flash_has_image(bed_rom(board), image.data, image.size));
        print_message("%.3f s, the floor is %.3f s\n", (double)(now() - start) / 1e6, (double)floor / 1e6);
}

static void test_board_pulled_in_mid_download_fails_what_is_in_flight(void **state)
{
        struct bed_board *board = plug("1-1", true);
        struct bed_child *child;

        (void)state;
        add_fault(board, ROM_AT_BLOCK, 1000, ROM_DO_UNPLUG, 0);
        child = probe("flash", bed_devnode(board), image_path);
        expect_exit(child, 0);
        expect_output(child, "blocks: 999 done, ");
        expect_output(child, "status: LIBUSB_ERROR_NO_DEVICE");
        assert_false(bed_is_present(board));
}

static void test_cancelled_transfers_never_reach_the_board(void **state)
{
        struct bed_board *board = plug("1-1", true);
        struct bed_child *child;

        (void)state;
        add_fault(board, ROM_AT_BLOCK, 1, ROM_DO_LOSE, 0);
        child = probe("cancel", bed_devnode(board), NULL);
        expect_exit(child, 0);
        expect_output(child, "transfer: status 3\ntransfer: status 3\ntransfer: status 3\n");
        expect_output(child, "status: 6 bytes, status 0, state 2");
        assert_int_equal(rom_counters(bed_rom(board))->requests[ROM_DNLOAD], 1);
        assert_int_equal(rom_counters(bed_rom(board))->archives, 0);
}

static void test_interface_is_busy_until_its_holder_is_gone(void **state)
{
        struct bed_board *board = plug("1-1", true);
        struct bed_child *holder = probe("claim", bed_devnode(board), NULL), *other;

        (void)state;
        expect_output(holder, "claimed");
        other = probe("status", bed_devnode(board), NULL);
        expect_exit(other, 3);
        expect_output(other, "claim: LIBUSB_ERROR_BUSY");
        bed_kill(holder, SIGKILL);
        expect_exit(holder, -SIGKILL);
        other = probe("status", bed_devnode(board), NULL);
        expect_exit(other, 0);
        bed_occupy(board, 2);
        other = probe("status", bed_devnode(board), NULL);
        expect_exit(other, 3);
        assert_int_equal(rom_counters(bed_rom(board))->requests[ROM_GETSTATUS], 1);
}

static void test_reset_reboots_a_board_in_dfu_mode(void **state)
{
        struct bed_board *board = plug("1-1", true);
        struct bed_child *child = probe("reset", bed_devnode(board), NULL);

        (void)state;
        expect_exit(child, 0);
        expect_output(child, "reset: LIBUSB_ERROR_NO");
        assert_true(bed_wait(the_bed, bed_board_is_present, board, PATIENCE));
        assert_false(rom_in_dfu_mode(bed_rom(board)));
        assert_string_equal(bed_devnode(board), "/dev/bus/usb/001/003");
        child = probe("reset", bed_devnode(board), NULL);
        expect_exit(child, 0);
        expect_output(child, "reset: LIBUSB_SUCCESS");
        assert_int_equal(rom_counters(bed_rom(board))->resets, 1);
        assert_int_equal(rom_counters(bed_rom(board))->runtime_resets, 1);
}

static void test_detached_board_returns_on_its_port_with_a_new_node(void **state)
{
        struct bed_child *monitor = probe("monitor", NULL, NULL), *child;
        struct bed_board *board;

        (void)state;
        expect_output(monitor, "listening");
        board = plug("1-1", false);
        child = probe("detach", bed_devnode(board), NULL);
        expect_exit(child, 0);
        expect_output(child, "detach: LIBUSB_ERROR_");
        expect_output(monitor, "remove 1-1 /dev/bus/usb/001/002");
        expect_output(monitor, "add 1-1 /dev/bus/usb/001/003");
        assert_true(rom_in_dfu_mode(bed_rom(board)));
        child = probe("status", bed_devnode(board), NULL);
        expect_exit(child, 0);
        expect_output(child, "status: 6 bytes, status 0, state 2");
}

static void test_board_pulled_while_it_detaches_forgets_it(void **state)
{
        struct rom_config config = { .chip = ROM_S2, .detach_usec = 60 * USEC_PER_SEC };
        struct bed_board *board = bed_plug(the_bed, "1-1", &config);
        struct bed_child *child = probe("detach", bed_devnode(board), NULL);

        (void)state;
        assert_true(bed_wait(the_bed, bed_board_is_gone, board, PATIENCE));
        expect_exit(child, 0);
        bed_pull(board);
        bed_replug(board, NULL);
        assert_false(rom_in_dfu_mode(bed_rom(board)));
}

static void test_device_numbers_come_round_on_a_busy_bus(void **state)
{
        struct bed_board *other = plug("1-2", true), *board = plug("1-1", true);
        struct bed_child *child;

        (void)state;
        for (int i = 0; i < 130; i++) {
                bed_pull(board);
                bed_replug(board, NULL);
        }
        assert_string_equal(bed_devnode(other), "/dev/bus/usb/001/002");
        assert_string_equal(bed_devnode(board), "/dev/bus/usb/001/008");
        child = probe("status", bed_devnode(board), NULL);
        expect_exit(child, 0);
        expect_output(child, "status: 6 bytes, status 0, state 0");
}

/* Killed while the board erases for 300 ms: the next program has to wait until the board is through. */
static void test_board_works_on_for_a_program_that_was_killed(void **state)
{
        struct bed_board *board = plug("1-1", true);
        struct bed_child *child;
        uint64_t start;

        (void)state;
        add_fault(board, ROM_AT_BLOCK, 100, ROM_DO_DELAY, 300000);
        child = probe("flash", bed_devnode(board), image_path);
        assert_true(bed_wait(the_bed, has_blocks, &(struct blocks){ board, 100 }, PATIENCE));
        start = now();
        bed_kill(child, SIGKILL);
        expect_exit(child, -SIGKILL);
        child = probe("status", bed_devnode(board), NULL);
        expect_exit(child, 0);
        expect_output(child, "status 0, state 5");
        assert_true(now() - start > 200000);
}

static void test_program_killed_in_mid_stream_leaves_the_interface_free(void **state)
{
        struct bed_board *board = plug("1-1", true);

        (void)state;
        for (unsigned i = 1; i <= 10; i++) {
                struct bed_child *child = probe("flash", bed_devnode(board), image_path);
                unsigned until = rom_counters(bed_rom(board))->requests[ROM_DNLOAD] + 37 * i;

                assert_true(bed_wait(the_bed, has_blocks, &(struct blocks){ board, until }, PATIENCE));
                bed_kill(child, SIGKILL);
                expect_exit(child, -SIGKILL);
                expect_exit(probe("status", bed_devnode(board), NULL), 0);
        }
}

static void test_four_boards_are_flashed_side_by_side(void **state)
{
        struct bed_board *boards[4];
        struct bed_child *children[4];
        char port[16];

        (void)state;
        for (int i = 0; i < 4; i++) {
                snprintf(port, sizeof(port), "1-4.%d", i + 1);
                boards[i] = plug(port, true);
                children[i] = probe("flash", bed_devnode(boards[i]), image_path);
        }
        for (int i = 0; i < 4; i++) {
                expect_exit(children[i], 0);
                assert_true(rom_flash_has_image(bed_rom(boards[i]), image.data, image.size));
        }
}

int main(void)
{
#define in_bed(test) cmocka_unit_test_setup_teardown(test, make_bed, end_bed)
        static const struct CMUnitTest tests[] = {
                in_bed(test_monitor_in_a_program_sees_boards_come_and_go),
                in_bed(test_a_monitor_that_stands_still_holds_up_nobody),
                in_bed(test_two_monitors_both_see_every_board),
                in_bed(test_board_that_udev_is_not_done_with_shows_it),
                in_bed(test_board_that_is_there_already_is_found_with_its_tag),
                in_bed(test_pipelined_download_by_libusb_stands_in_the_flash),
                in_bed(test_bus_takes_the_time_that_the_chip_takes),
                in_bed(test_board_pulled_in_mid_download_fails_what_is_in_flight),
                in_bed(test_cancelled_transfers_never_reach_the_board),
                in_bed(test_interface_is_busy_until_its_holder_is_gone),
                in_bed(test_reset_reboots_a_board_in_dfu_mode),
                in_bed(test_detached_board_returns_on_its_port_with_a_new_node),
                in_bed(test_board_pulled_while_it_detaches_forgets_it),
                in_bed(test_device_numbers_come_round_on_a_busy_bus),
                in_bed(test_board_works_on_for_a_program_that_was_killed),
                in_bed(test_program_killed_in_mid_stream_leaves_the_interface_free),
                in_bed(test_four_boards_are_flashed_side_by_side),
        };

        return cmocka_run_group_tests(tests, make_image, remove_image);
}
