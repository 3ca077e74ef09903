/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One board's data in an image: what comes out is what the builder makes of all files, or an exact message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/image-compose.h"
#include "tests/unit/fixtures.h"

#define RANDOM_ROUNDS 150

/* An image, parsed. */
struct base {
        struct bytes bytes;
        struct image *image;
};

static struct base parse(struct bytes bytes)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        struct base base = { .bytes = bytes };

        assert_int_equal(image_parse(bytes.data, bytes.len, &findings, &base.image), 0);
        return base;
}

static void base_done(struct base *base)
{
        image_free(base->image);
        bytes_done(&base->bytes);
}

static struct bytes build(const struct image_build_file *files, size_t n)
{
        const struct image_build build = { chip_by_name("esp32s2"), 4 * MIB, IMAGE_PART_SIZE_DEFAULT, files,
                                           n };
        _cleanup_(findings_done) struct findings findings = { 0 };
        struct bytes bytes = { 0 };

        assert_int_equal(image_build(&build, &findings, &bytes.data, &bytes.len), 0);
        return bytes;
}

static struct bytes board_image(void)
{
        return fixture_board_image(chip_by_name("esp32s2"));
}

/* The bytes at this flash address of an image, and how many there are. */
static const uint8_t *flashed_at(const struct base *base, uint32_t address, size_t *ret_size)
{
        for (size_t i = 0; i < base->image->n_members; i++) {
                const struct image_member *m = &base->image->members[i];

                if (m->address == address && !(m->flags & IMAGE_FLASH_PARAMS)) {
                        *ret_size = m->size;
                        return base->bytes.data + m->offset;
                }
        }
        return NULL;
}

static struct base compose(const struct base *base, uint32_t address, const uint8_t *data, size_t size)
{
        const struct board_data_piece piece = { address, data, size };
        struct fault fault = { 0 };
        struct bytes bytes = { 0 };
        int r = image_compose(base->bytes.data, base->bytes.len, base->image, &piece, &bytes.data, &bytes.len,
                              &fault);

        if (r != 0)
                fail_msg("%d: %s", r, fault.text);
        return parse(bytes);
}

static void expect_refused(const struct base *base, uint32_t address, size_t size, const char *message)
{
        _cleanup_(freep) uint8_t *data = fixture_bytes(size, 9);
        const struct board_data_piece piece = { address, data, size };
        struct fault fault = { 0 };
        uint8_t *bytes = NULL;
        size_t len;

        assert_int_equal(
                image_compose(base->bytes.data, base->bytes.len, base->image, &piece, &bytes, &len, &fault),
                1);
        assert_null(bytes);
        assert_string_equal(fault.text, message);
}

static void test_data_goes_into_the_partition_that_begins_there(void **state)
{
        _cleanup_(freep) uint8_t *nvs = fixture_bytes(0x6000, 17);
        _cleanup_(base_done) struct base base = parse(board_image());
        _cleanup_(base_done) struct base made = compose(&base, 0x9000, nvs, 0x6000);
        const struct image_file *file = &made.image->files[2];
        size_t size = 0;

        (void)state;
        assert_int_equal(made.image->n_files, 4);
        assert_string_equal(file->name, "board-data.bin");
        assert_int_equal(file->address, 0x9000);
        assert_string_equal(file->partition, "nvs");
        assert_memory_equal(flashed_at(&made, 0x9000, &size), nvs, 0x6000);
        assert_int_equal(size, 0x6000);
        assert_string_equal(made.image->app_name, "gizmo");
        assert_ptr_equal(made.image->chip, base.image->chip);
        assert_int_equal(made.image->erase_bytes, base.image->erase_bytes + 0x6000);
}

static void test_entry_at_the_same_address_is_replaced_with_all_its_parts(void **state)
{
        _cleanup_(freep) uint8_t *old = fixture_bytes(1300000, 3), *app = fixture_bytes(5000, 5),
                                 *data = fixture_bytes(700000, 7);
        const struct image_build_file before[] = { { 0x10000, "app.bin", app, 5000 },
                                                   { 0x80000, "cal.bin", old, 1300000 } };
        const struct image_build_file after[] = { { 0x10000, "app.bin", app, 5000 },
                                                  { 0x80000, "cal.bin", data, 700000 } };
        _cleanup_(base_done) struct base base = parse(build(before, 2));
        _cleanup_(base_done) struct base made = compose(&base, 0x80000, data, 700000);
        _cleanup_(bytes_done) struct bytes expected = build(after, 2);

        (void)state;
        assert_int_equal(base.image->files[1].n_members, 3);
        assert_int_equal(made.image->files[1].n_members, 2);
        assert_int_equal(made.bytes.len, expected.len);
        assert_memory_equal(made.bytes.data, expected.data, expected.len);
}

static void test_what_is_not_touched_stays_to_the_byte(void **state)
{
        static const uint8_t serial[100] = "serial 0001";
        struct fixture_archive archive;
        size_t n_old = 0, n_new = 0;

        (void)state;
        fixture_archive_small(&archive);
        archive.members[2].flags = IMAGE_NO_MD5; /* odd, and left as it is */
        archive.vid = archive.pid = 0xffff;
        _cleanup_(base_done) struct base base = parse(fixture_archive_make(&archive));
        _cleanup_(base_done) struct base made = compose(&base, 0x30000, serial, sizeof(serial));
        fixture_archive_done(&archive);

        assert_int_equal(made.image->pid, 0xffff);
        assert_int_equal(made.image->n_members, base.image->n_members + 1);
        for (size_t i = 0; i < base.image->n_members; i++) {
                const struct image_member *was = &base.image->members[i], *is = &made.image->members[i];

                assert_string_equal(is->name, was->name);
                assert_int_equal(is->flags, was->flags);
                assert_int_equal(is->address, was->address);
                assert_int_equal(is->size, was->size);
                assert_memory_equal(made.bytes.data + is->offset, base.bytes.data + was->offset, was->size);
        }
        assert_memory_equal(flashed_at(&base, 0x20000, &n_old), flashed_at(&made, 0x20000, &n_new), 100);
}

static void test_member_of_our_name_that_lies_elsewhere_is_not_confused_with_it(void **state)
{
        _cleanup_(freep) uint8_t *a = fixture_bytes(100, 3), *b = fixture_bytes(200, 5);
        const struct image_build_file files[] = { { 0x10000, "board-data.bin", a, 100 } };
        _cleanup_(base_done) struct base base = parse(build(files, 1));
        _cleanup_(base_done) struct base made = compose(&base, 0x20000, b, 200);

        (void)state;
        assert_int_equal(made.image->n_files, 2);
        assert_string_equal(made.image->files[1].name, "board-data-2.bin");
}

static void test_data_that_does_not_fit_is_refused(void **state)
{
        _cleanup_(base_done) struct base base = parse(board_image());

        (void)state;
        expect_refused(&base, 0x9000, 0x6001,
                       "24577 bytes do not fit partition nvs at 0x9000: expected at most 24576");
        expect_refused(
                &base, 0xa000, 100,
                "no partition of the image begins at 0xa000: expected a data partition's: nvs at 0x9000");
        expect_refused(
                &base, 0x8000, 100,
                "no partition of the image begins at 0x8000: expected a data partition's: nvs at 0x9000");
        expect_refused(&base, 0x10000, 100,
                       "partition factory at 0x10000 is for an application: expected a data partition");
        expect_refused(&base, 0x3ff000, 4097,
                       "flash 0x3ff000 to 0x400001 is beyond the flash: expected an end of at most 0x400000");
        expect_refused(&base, 0xfffff000, 8192,
                       "flash 0xfffff000 to 0x100001000 is beyond the flash: expected an end of at most "
                       "0x400000");
        expect_refused(&base, 0x9001, 100, "flash address 0x9001: expected a multiple of 4096");
        expect_refused(&base, 0x9000, 0, "empty: expected data");
        expect_refused(&base, 0x9000, 4 * MIB + 1, "4194305 bytes: expected at most 4194304");
}

static void test_data_over_another_file_is_refused(void **state)
{
        struct fixture_archive archive;

        (void)state;
        fixture_archive_small(&archive);
        _cleanup_(base_done) struct base base = parse(fixture_archive_make(&archive));
        fixture_archive_done(&archive);

        expect_refused(&base, 0x11000, 100,
                       "flash 0x11000 to 0x12000 overlaps app.bin of the image at 0x10000 to 0x11388: "
                       "expected sectors of its own");
        expect_refused(&base, 0x1f000, 4097,
                       "flash 0x1f000 to 0x21000 overlaps cal.bin of the image at 0x20000 to 0x20064: "
                       "expected sectors of its own");
}

static void test_image_of_any_dfu_device_takes_none(void **state)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        struct base base = { .bytes = board_image() };

        (void)state;
        assert_int_equal(image_parse_suffix_only(base.bytes.data, base.bytes.len, &findings, &base.image), 0);
        expect_refused(&base, 0x9000, 100,
                       "the image is no archive of files: expected what idf.py dfu makes");
        base_done(&base);
}

static void test_archive_with_all_the_records_that_the_chip_takes_gets_no_more(void **state)
{
        static const uint8_t byte[1] = { 1 };
        struct fixture_archive archive;
        char name[16];

        (void)state;
        fixture_archive_init(&archive);
        for (unsigned i = 1; i < IMAGE_RECORDS_MAX; i++) {
                snprintf(name, sizeof(name), "f%u", i);
                fixture_archive_add(&archive, name, i * 0x2000, byte, 1);
        }
        _cleanup_(base_done) struct base base = parse(fixture_archive_make(&archive));
        fixture_archive_done(&archive);
        expect_refused(&base, 0x1000, 1,
                       "the image with it in: f63: more members than the chip takes: expected at most 64");
        /* One that replaces another is no more than before. */
        _cleanup_(base_done) struct base made = compose(&base, 0x2000, byte, 1);
        assert_int_equal(made.image->n_members, IMAGE_RECORDS_MAX);
}

/* ---- random ones against the builder ---- */

static uint32_t seed = 1;

static uint32_t dice(uint32_t n)
{
        seed = seed * 1664525 + 1013904223;
        return (seed >> 8) % n;
}

/* Files on sectors of their own, in the order of addresses, between them room for none to some sectors. */
static size_t random_files(struct image_build_file *files, char (*names)[8], size_t max)
{
        size_t n = 1 + dice((uint32_t)max);
        uint32_t at = dice(3) * FLASH_SECTOR_SIZE;

        for (size_t i = 0; i < n; i++) {
                size_t size = 1 + dice(i % 4 == 3 ? 600000 : 20000);

                snprintf(names[i], sizeof(names[i]), "f%zu", i);
                files[i] = (struct image_build_file){ at, names[i], fixture_bytes(size, dice(1000)), size };
                at += ((uint32_t)size / FLASH_SECTOR_SIZE + 1 + dice(4)) * FLASH_SECTOR_SIZE;
        }
        return n;
}

/* Whether another file has something in these sectors. */
static bool is_in_the_way(const struct image_build_file *files, size_t n, uint32_t address, size_t size)
{
        uint64_t end = ((uint64_t)address + size + FLASH_SECTOR_SIZE - 1) / FLASH_SECTOR_SIZE *
                       FLASH_SECTOR_SIZE;

        for (size_t i = 0; i < n; i++)
                if (files[i].address != address && files[i].address < end &&
                    (uint64_t)files[i].address + files[i].size > address)
                        return true;
        return false;
}

static void round_of_dice(void)
{
        struct image_build_file files[8], with[9];
        char names[8][8];
        size_t n = random_files(files, names, 6), n_with = n, size = 1 + dice(30000);
        uint32_t address = dice(2) == 0 ? files[dice((uint32_t)n)].address : dice(64) * FLASH_SECTOR_SIZE;
        _cleanup_(freep) uint8_t *data = fixture_bytes(size, dice(1000));
        _cleanup_(base_done) struct base base = parse(build(files, n));
        const struct board_data_piece piece = { address, data, size };
        _cleanup_(bytes_done) struct bytes made = { 0 };
        struct fault fault;
        int r = image_compose(base.bytes.data, base.bytes.len, base.image, &piece, &made.data, &made.len,
                              &fault);

        memcpy(with, files, sizeof(files));
        with[n_with++] = (struct image_build_file){ address, BOARD_DATA_NAME, data, size };
        for (size_t i = 0; i < n; i++)
                if (files[i].address == address)
                        with[n].name = files[i].name;
        if (is_in_the_way(files, n, address, size)) {
                assert_int_equal(r, 1);
                assert_non_null(strstr(fault.text, "overlaps"));
        } else {
                _cleanup_(bytes_done) struct bytes expected = build(with, n_with);

                if (r != 0)
                        fail_msg("0x%x: %s", address, fault.text);
                assert_int_equal(made.len, expected.len);
                assert_memory_equal(made.data, expected.data, expected.len);
        }
        for (size_t i = 0; i < n; i++)
                free((void *)files[i].data);
}

static void test_random_images_with_random_data_are_as_the_builder_makes_them(void **state)
{
        (void)state;
        for (unsigned i = 0; i < RANDOM_ROUNDS; i++)
                round_of_dice();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_data_goes_into_the_partition_that_begins_there),
                cmocka_unit_test(test_entry_at_the_same_address_is_replaced_with_all_its_parts),
                cmocka_unit_test(test_what_is_not_touched_stays_to_the_byte),
                cmocka_unit_test(test_member_of_our_name_that_lies_elsewhere_is_not_confused_with_it),
                cmocka_unit_test(test_data_that_does_not_fit_is_refused),
                cmocka_unit_test(test_data_over_another_file_is_refused),
                cmocka_unit_test(test_image_of_any_dfu_device_takes_none),
                cmocka_unit_test(test_archive_with_all_the_records_that_the_chip_takes_gets_no_more),
                cmocka_unit_test(test_random_images_with_random_data_are_as_the_builder_makes_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
