/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where in an archive the ROM erases, against the model of the ROM; and what is no archive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/erase-plan.h"
#include "tests/rom/loopback.h"

static struct sample_image image;

static int make(void **state)
{
        (void)state;
        sample_image_make_s2(&image);
        return 0;
}

static int done(void **state)
{
        (void)state;
        sample_image_done(&image);
        return 0;
}

static void test_plan_says_what_the_rom_erases(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = rom_new(
                &(struct rom_config){ .chip = ROM_S2, .starts_in_dfu_mode = true });
        struct erase_plan plan;
        struct fault fault;
        size_t planned = 0,
               params = 4096; /* flash_params.dat is in the plan, but erases nothing: on the safe side */

        (void)state;
        assert_non_null(rom);
        assert_int_equal(erase_plan_make(image.data, image.payload_size, &plan, &fault), 0);
        for (size_t at = 0; at < image.payload_size; at += 64) {
                unsigned before = rom_counters(rom)->erased_sectors;
                size_t window = at - MIN(at, (size_t)512), erased;

                planned += erase_plan_bytes(&plan, at, MIN((size_t)64, image.payload_size - at));
                host_dnload(rom, image.data + at, MIN((size_t)64, image.payload_size - at));
                erased = (rom_counters(rom)->erased_sectors - before) * 4096;
                /* The ROM takes 256 bytes at a time: what a block erases was announced at most 512 bytes before it. */
                assert_true(erase_plan_bytes(&plan, window, at + 64 - window) >= erased);
        }
        assert_int_equal(rom_counters(rom)->erased_sectors * 4096, planned - params);
        assert_int_equal(erase_plan_bytes(&plan, 0, image.payload_size), planned);
}

static void test_each_byte_is_counted_once_however_the_archive_is_cut(void **state)
{
        static const size_t sizes[] = { 1, 7, 64, 100, 4096, 1000000 };
        struct erase_plan plan;
        struct fault fault;
        size_t all;

        (void)state;
        assert_int_equal(erase_plan_make(image.data, image.payload_size, &plan, &fault), 0);
        all = erase_plan_bytes(&plan, 0, SIZE_MAX);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                size_t sum = 0;

                for (size_t at = 0; at < image.payload_size; at += sizes[i])
                        sum += erase_plan_bytes(&plan, at, sizes[i]);
                assert_int_equal(sum, all);
        }
        assert_int_equal(erase_plan_bytes(&plan, 0, 0), 0);
        assert_int_equal(erase_plan_bytes(&plan, image.payload_size, SIZE_MAX), 0);
}

static void test_what_is_written_is_what_is_read_back(void **state)
{
        struct erase_plan plan;
        struct fault fault;
        size_t sum = 0;

        (void)state;
        assert_int_equal(erase_plan_make(image.data, image.payload_size, &plan, &fault), 0);
        for (size_t i = 0; i < plan.n_items; i++) {
                assert_int_equal(plan.items[i].bytes % 4096, 0);
                sum += plan.items[i].bytes;
        }
        assert_true(plan.flash_bytes <= sum && plan.flash_bytes + plan.n_items * 4096 > sum);
}

/* ---- what the ROM would write raw, or not take ---- */

static void test_what_the_rom_would_write_raw_is_refused(void **state)
{
        struct erase_plan plan;
        struct fault fault;

        (void)state;
        for (size_t len = 0; len <= 231; len++)
                assert_int_equal(erase_plan_make(image.data, len, &plan, &fault), 1);
        for (size_t i = 0; i < 6; i++) {
                image.data[i] ^= 0x40;
                assert_int_equal(erase_plan_make(image.data, image.payload_size, &plan, &fault), 1);
                image.data[i] ^= 0x40;
        }
        assert_int_equal(erase_plan_make(image.data, image.payload_size, &plan, &fault), 0);
}

static void test_archive_without_its_records_first_is_refused(void **state)
{
        struct erase_plan plan;
        struct fault fault;

        (void)state;
        image.data[110] = 'x'; /* of "dfuinfo0.dat" */
        assert_int_equal(erase_plan_make(image.data, image.payload_size, &plan, &fault), 1);
        image.data[110] = 'd';
}

static void test_archive_cut_before_its_trailer_is_refused(void **state)
{
        const uint8_t *trailer = memmem(image.data, image.payload_size, "TRAILER!!!", 10);
        struct erase_plan plan;
        struct fault fault;

        (void)state;
        assert_non_null(trailer);
        for (size_t len = 232; len < (size_t)(trailer - image.data); len += 997) {
                _cleanup_(freep) uint8_t *cut = malloc(len);

                assert_non_null(cut);
                memcpy(cut, image.data, len);
                assert_int_equal(erase_plan_make(cut, len, &plan, &fault), 1);
        }
}

static void test_sizes_that_lie_are_refused(void **state)
{
        uint8_t keep[8];
        struct erase_plan plan;
        struct fault fault;

        (void)state;
        memcpy(keep, image.data + 54, 8);
        memcpy(image.data + 54, "ffffffff", 8); /* the first member's size */
        assert_int_equal(erase_plan_make(image.data, image.payload_size, &plan, &fault), 1);
        memcpy(image.data + 54, "0000zz00", 8);
        assert_int_equal(erase_plan_make(image.data, image.payload_size, &plan, &fault), 1);
        memcpy(image.data + 54, keep, 8);
}

static void test_more_members_than_the_rom_can_take_are_refused(void **state)
{
        static const uint8_t nothing[4];
        struct sample_part parts[IMAGE_RECORDS_MAX + 2];
        struct sample_image many;
        struct erase_plan plan = { .n_items = 77 };
        struct fault fault;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                parts[i] = (struct sample_part){ .name = "x", .data = nothing, .size = 4, .unlisted = true };
        sample_image_from_parts(parts, ARRAY_SIZE(parts), 0x0002, &many);
        assert_int_equal(erase_plan_make(many.data, many.payload_size, &plan, &fault), 1);
        assert_int_equal(plan.n_items, 77);
        sample_image_done(&many);
        sample_image_from_parts(parts, IMAGE_RECORDS_MAX + 1, 0x0002, &many);
        assert_int_equal(erase_plan_make(many.data, many.payload_size, &plan, &fault), 0);
        sample_image_done(&many);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plan_says_what_the_rom_erases),
                cmocka_unit_test(test_each_byte_is_counted_once_however_the_archive_is_cut),
                cmocka_unit_test(test_what_is_written_is_what_is_read_back),
                cmocka_unit_test(test_what_the_rom_would_write_raw_is_refused),
                cmocka_unit_test(test_archive_without_its_records_first_is_refused),
                cmocka_unit_test(test_archive_cut_before_its_trailer_is_refused),
                cmocka_unit_test(test_sizes_that_lie_are_refused),
                cmocka_unit_test(test_more_members_than_the_rom_can_take_are_refused),
        };

        return cmocka_run_group_tests(tests, make, done);
}
