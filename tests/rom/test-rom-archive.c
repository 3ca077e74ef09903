/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model's updater against docs/rom-dfu.md, "The archive that the chip is fed". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "tests/rom/loopback.h"

#define STATUS(status, state) ((status) << 8 | (state))
#define SUCCESS               STATUS(ROM_OK, ROM_DFU_IDLE)
#define FAILED(status)        STATUS(status, ROM_DFU_ERROR)

#define _image_ _cleanup_(sample_image_done)

static const uint8_t hello[10] = { 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce };

static struct rom *new_board(void)
{
        struct rom *rom = rom_new(&(struct rom_config){ .chip = ROM_S2, .starts_in_dfu_mode = true });

        assert_non_null(rom);
        rom_set_configured(rom);
        return rom;
}

/* Sends the archive of these parts to a new board and returns how it ended. */
static int flash_parts(const struct sample_part *parts, size_t n, struct rom **ret)
{
        _image_ struct sample_image image = { 0 };

        *ret = new_board();
        sample_image_from_parts(parts, n, 0x0002, &image);
        return host_flash(*ret, image.data, image.payload_size);
}

static void assert_sha256(const struct sample_image *image, const char *expected)
{
        uint8_t sum[32];
        char hex[65];

        assert_int_equal(EVP_Digest(image->data, image->size, sum, NULL, EVP_sha256(), NULL), 1);
        for (size_t i = 0; i < sizeof(sum); i++)
                snprintf(hex + 2 * i, 3, "%02x", sum[i]);
        assert_string_equal(hex, expected);
}

static void test_samples_are_what_espressifs_builder_makes(void **state)
{
        _image_ struct sample_image s2 = { 0 }, s3 = { 0 };

        (void)state;
        sample_image_make_s2(&s2);
        sample_image_make_s3(&s3);
        assert_int_equal(s2.size, 215056);
        assert_sha256(&s2, "619226a4366af86d24cc63bf32ae6e6022cb0a240c8bc4df4e90f989f14ab69f");
        assert_int_equal(s3.size, 1341456);
        assert_sha256(&s3, "4904ad7420905d24f78ffdd2143d0b04a7332bd367e10d43709467289716dd96");
}

static void test_image_stands_in_the_flash_afterwards(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board();
        _image_ struct sample_image image = { 0 };

        (void)state;
        sample_image_make_s2(&image);
        rom_flash_fill(rom, 0, 0, 1 * MIB);
        assert_int_equal(host_flash(rom, image.data, image.payload_size), SUCCESS);
        assert_true(rom_flash_has_image(rom, image.data, image.size));
        assert_int_equal(rom_counters(rom)->blocks, 3360);
        assert_int_equal(rom_counters(rom)->archives, 1);
        assert_int_equal(rom_counters(rom)->completed, 1);
        assert_int_equal(rom_counters(rom)->raw_downloads, 0);
        assert_int_equal(rom_counters(rom)->verified_files, 3);
        assert_int_equal(rom_counters(rom)->erased_sectors, 6 + 1 + 44);
        assert_int_equal(rom_counters(rom)->written_pages, 88 + 12 + 704);
}

static void test_large_image_with_parts_stands_in_the_flash_afterwards(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board();
        _image_ struct sample_image image = { 0 };

        (void)state;
        sample_image_make_s3(&image);
        assert_int_equal(host_flash(rom, image.data, image.payload_size), SUCCESS);
        assert_true(rom_flash_has_image(rom, image.data, image.payload_size));
        assert_int_equal(rom_counters(rom)->verified_files, 6);
}

static void test_comparison_sees_a_single_wrong_bit(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board();
        _image_ struct sample_image image = { 0 };
        uint8_t byte;

        (void)state;
        sample_image_make_s2(&image);
        host_flash(rom, image.data, image.payload_size);
        rom_flash_read(rom, 0x10000 + 179999, &byte, 1);
        rom_flash_fill(rom, 0x10000 + 179999, byte ^ 1, 1);
        assert_false(rom_flash_has_image(rom, image.data, image.size));
}

static void test_blocks_may_have_any_size_up_to_64(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board();
        _image_ struct sample_image image = { 0 };
        size_t done = 0;

        (void)state;
        sample_image_make_s2(&image);
        for (size_t n = 1; done < image.payload_size; done += n, n = n % 64 + 1) {
                n = MIN(n, image.payload_size - done);
                host_dnload(rom, image.data + done, n);
        }
        host_dnload(rom, NULL, 0);
        assert_int_equal(host_status(rom), SUCCESS);
        assert_true(rom_flash_has_image(rom, image.data, image.size));
}

static void test_what_is_no_archive_is_written_raw_and_called_a_success(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board();
        uint8_t data[5000];

        (void)state;
        sample_fill(data, sizeof(data), 1);
        rom_flash_fill(rom, 0, 0, 8192);
        assert_int_equal(host_flash(rom, data, sizeof(data)), SUCCESS);
        assert_int_equal(rom_counters(rom)->raw_downloads, 1);
        assert_true(rom_flash_equals(rom, 0, data, sizeof(data)));
        assert_int_equal(rom_counters(rom)->verified_files, 0);
}

static void test_archive_of_231_bytes_is_raw_and_of_232_is_not(void **state)
{
        _image_ struct sample_image image = { 0 };

        (void)state;
        sample_image_make_s2(&image);
        for (size_t len = 231; len <= 232; len++) {
                _cleanup_(rom_freep) struct rom *rom = new_board();
                int status = host_flash(rom, image.data, len);

                assert_int_equal(rom_counters(rom)->raw_downloads, len == 231);
                assert_int_equal(status, len == 231 ? SUCCESS : FAILED(ROM_ERR_TARGET));
        }
}

static void test_archive_without_records_succeeds_and_writes_nothing(void **state)
{
        const struct sample_part part = { .name = "a", .data = hello, .size = 10, .unlisted = true };
        _cleanup_(rom_freep) struct rom *rom = NULL;

        (void)state;
        assert_int_equal(flash_parts(&part, 1, &rom), SUCCESS);
        assert_true(rom_flash_is_blank(rom, 0, ROM_FLASH_SIZE));
        assert_int_equal(rom_counters(rom)->completed, 0);
}

static void test_member_that_no_record_lists_is_dropped(void **state)
{
        const struct sample_part parts[] = {
                { .name = "unlisted", .address = 0x1000, .data = hello, .size = 10, .unlisted = true },
                { .name = "listed", .address = 0x3000, .data = hello, .size = 10 },
        };
        _cleanup_(rom_freep) struct rom *rom = NULL;

        (void)state;
        assert_int_equal(flash_parts(parts, 2, &rom), SUCCESS);
        assert_true(rom_flash_is_blank(rom, 0, 0x3000));
        assert_true(rom_flash_equals(rom, 0x3000, hello, 10));
}

static void test_listed_file_that_is_missing_is_err_target(void **state)
{
        const struct sample_part parts[] = {
                { .name = "here", .address = 0x1000, .data = hello, .size = 10 },
                { .name = "gone", .address = 0x3000, .data = hello, .size = 10, .missing = true },
        };
        _cleanup_(rom_freep) struct rom *rom = NULL;

        (void)state;
        assert_int_equal(flash_parts(parts, 2, &rom), FAILED(ROM_ERR_TARGET));
}

static void test_truncated_archive_is_err_target(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board();
        _image_ struct sample_image image = { 0 };

        (void)state;
        sample_image_make_s2(&image);
        assert_int_equal(host_flash(rom, image.data, 100000), FAILED(ROM_ERR_TARGET));
}

static void test_error_in_mid_stream_shows_on_getstatus_alone(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board();
        _image_ struct sample_image image = { 0 };

        (void)state;
        sample_image_make_s2(&image);
        image.data[476] = 'X'; /* the second member's magic */
        host_send(rom, image.data, image.payload_size);
        assert_int_equal(rom_state(rom), ROM_DFU_DNLOAD_IDLE);
        assert_int_equal(rom_pending_error(rom), ROM_ERR_TARGET);
        assert_int_equal(rom_counters(rom)->stalls, 0);
        assert_in_range(rom_counters(rom)->dropped, 3300, 3360);
        assert_int_equal(host_status(rom), FAILED(ROM_ERR_TARGET));
        assert_true(rom_flash_is_blank(rom, 0, ROM_FLASH_SIZE));
}

static void test_new_archive_clears_the_updaters_error(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board();
        _image_ struct sample_image image = { 0 };

        (void)state;
        sample_image_make_s2(&image);
        host_flash(rom, image.data, 100032);
        host_simple(rom, ROM_ABORT);
        assert_int_equal(rom_pending_error(rom), ROM_ERR_TARGET);
        assert_int_equal(host_flash(rom, image.data, image.payload_size), SUCCESS);
        assert_true(rom_flash_has_image(rom, image.data, image.size));
}

static int flash_n_records(size_t n)
{
        struct sample_part *parts = calloc(n, sizeof(*parts));
        _cleanup_(rom_freep) struct rom *rom = NULL;
        int status;

        assert_non_null(parts);
        for (size_t i = 0; i < n; i++) {
                parts[i] = (struct sample_part){ .address = (uint32_t)i * 4096, .data = hello, .size = 10 };
                snprintf(parts[i].name, sizeof(parts[i].name), "part%zu", i);
        }
        status = flash_parts(parts, n, &rom);
        free(parts);
        return status;
}

static void test_64_records_are_taken_and_65_are_err_file(void **state)
{
        (void)state;
        assert_int_equal(flash_n_records(64), SUCCESS);
        assert_int_equal(flash_n_records(65), FAILED(ROM_ERR_FILE));
}

static void test_wrong_md5_is_err_firmware_unless_the_record_says_not_to_look(void **state)
{
        struct sample_part part = { .name = "a", .data = hello, .size = 10, .wrong_md5 = true };
        _cleanup_(rom_freep) struct rom *rom = NULL, *other = NULL;

        (void)state;
        assert_int_equal(flash_parts(&part, 1, &rom), FAILED(ROM_ERR_FIRMWARE));
        part.flags = 16;
        assert_int_equal(flash_parts(&part, 1, &other), SUCCESS);
}

static void test_bit_that_flips_before_verification_is_err_firmware(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board();
        _image_ struct sample_image image = { 0 };

        (void)state;
        sample_image_make_s2(&image);
        rom_add_fault(rom, &(struct rom_fault){ .when = ROM_AT_MANIFEST,
                                                .nth = 1,
                                                .what = ROM_DO_FLIP_BIT,
                                                .value = 0x10100 * 8 + 3 });
        assert_int_equal(host_flash(rom, image.data, image.payload_size), FAILED(ROM_ERR_FIRMWARE));
        assert_false(rom_flash_has_image(rom, image.data, image.size));
}

static void test_without_erase_bits_are_only_cleared(void **state)
{
        static const uint8_t data[10] = { 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0 };
        const struct sample_part part = { .name = "a", .flags = 8, .data = data, .size = 10 };
        _image_ struct sample_image image = { 0 };
        _cleanup_(rom_freep) struct rom *rom = new_board();
        uint8_t byte;

        (void)state;
        rom_flash_fill(rom, 0, 0x3f, 10);
        sample_image_from_parts(&part, 1, 2, &image);
        assert_int_equal(host_flash(rom, image.data, image.payload_size), FAILED(ROM_ERR_FIRMWARE));
        rom_flash_read(rom, 0, &byte, 1);
        assert_int_equal(byte, 0x30);
        assert_int_equal(rom_counters(rom)->erased_sectors, 0);
}

static void test_part_off_the_sector_grid_wipes_the_tail_before_it(void **state)
{
        static uint8_t first[5000], second[5000];
        const struct sample_part parts[] = {
                { .name = "a", .address = 0, .data = first, .size = 5000 },
                { .name = "a.1", .address = 5000, .data = second, .size = 5000 },
        };
        _cleanup_(rom_freep) struct rom *rom = NULL;

        (void)state;
        sample_fill(first, sizeof(first), 1);
        sample_fill(second, sizeof(second), 2);
        assert_int_equal(flash_parts(parts, 2, &rom), FAILED(ROM_ERR_FIRMWARE));
        assert_true(rom_flash_equals(rom, 0, first, 4096));
        assert_true(rom_flash_is_blank(rom, 4096, 5000 - 4096));
        assert_true(rom_flash_equals(rom, 5000, second, sizeof(second)));
}

static void test_file_beyond_the_flash_is_not_erased_and_fails_at_the_end(void **state)
{
        const struct sample_spec spec = {
                .pid = 2,
                .flash_size = 1 * MIB,
                .files = { { "in.bin", 0x1000, 5000, 1 }, { "out.bin", 0xff000, 5000, 2 } },
                .n_files = 2,
        };
        _cleanup_(rom_freep) struct rom *rom = new_board();
        _image_ struct sample_image image = { 0 };

        (void)state;
        sample_image_make(&spec, &image);
        host_send(rom, image.data, image.payload_size);
        assert_int_equal(rom_pending_error(rom), ROM_OK);
        assert_int_equal(rom_counters(rom)->erased_sectors, 2);
        host_dnload(rom, NULL, 0);
        assert_int_equal(host_status(rom), FAILED(ROM_ERR_FIRMWARE));
        assert_true(rom_flash_is_blank(rom, 1 * MIB, 1 * MIB));
}

static void test_what_follows_the_trailer_is_ignored(void **state)
{
        const struct sample_part part = { .name = "a", .data = hello, .size = 10 };
        _image_ struct sample_image image = { 0 };
        _cleanup_(rom_freep) struct rom *rom = new_board();

        (void)state;
        sample_image_from_parts(&part, 1, 2, &image);
        memset(image.data + 8192, 'X', 2048);
        assert_int_equal(host_flash(rom, image.data, image.payload_size), SUCCESS);
        assert_int_equal(rom_counters(rom)->completed, 1);
}

static void test_archive_that_calls_into_memory_is_a_violation(void **state)
{
        const struct sample_part part = { .name = "a", .flags = 2, .data = hello, .size = 10 };
        _cleanup_(rom_freep) struct rom *rom = NULL;

        (void)state;
        flash_parts(&part, 1, &rom);
        assert_int_equal(rom_counters(rom)->violations, 1);
        assert_true(rom_flash_is_blank(rom, 0, 4096));
}

static void test_delays_fall_where_the_chip_works(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = rom_new(&(struct rom_config){
                .starts_in_dfu_mode = true,
                .timing = { 80, 9400, 400, 1500000 },
        });
        _image_ struct sample_image image = { 0 };
        uint64_t total = 0, longest = 0;
        struct rom_reply reply;

        (void)state;
        sample_image_make_s2(&image);
        for (size_t i = 0; i < image.payload_size; i += 64) {
                host_request(rom, ROM_DNLOAD, 0, image.data + i, 64, &reply);
                total += reply.delay_usec;
                longest = MAX(longest, reply.delay_usec);
        }
        assert_int_equal(total, 3360 * 80 + 51 * 9400 + 804 * 400);
        assert_in_range(longest, 80 + 44 * 9400, 80 + 44 * 9400 + 2 * 400);
        host_request(rom, ROM_DNLOAD, 0, NULL, 0, &reply);
        assert_in_range(reply.delay_usec, 293000, 294100); /* 205 472 bytes at 1.5 s per MiB */
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_samples_are_what_espressifs_builder_makes),
                cmocka_unit_test(test_image_stands_in_the_flash_afterwards),
                cmocka_unit_test(test_large_image_with_parts_stands_in_the_flash_afterwards),
                cmocka_unit_test(test_comparison_sees_a_single_wrong_bit),
                cmocka_unit_test(test_blocks_may_have_any_size_up_to_64),
                cmocka_unit_test(test_what_is_no_archive_is_written_raw_and_called_a_success),
                cmocka_unit_test(test_archive_of_231_bytes_is_raw_and_of_232_is_not),
                cmocka_unit_test(test_archive_without_records_succeeds_and_writes_nothing),
                cmocka_unit_test(test_member_that_no_record_lists_is_dropped),
                cmocka_unit_test(test_listed_file_that_is_missing_is_err_target),
                cmocka_unit_test(test_truncated_archive_is_err_target),
                cmocka_unit_test(test_error_in_mid_stream_shows_on_getstatus_alone),
                cmocka_unit_test(test_new_archive_clears_the_updaters_error),
                cmocka_unit_test(test_64_records_are_taken_and_65_are_err_file),
                cmocka_unit_test(test_wrong_md5_is_err_firmware_unless_the_record_says_not_to_look),
                cmocka_unit_test(test_bit_that_flips_before_verification_is_err_firmware),
                cmocka_unit_test(test_without_erase_bits_are_only_cleared),
                cmocka_unit_test(test_part_off_the_sector_grid_wipes_the_tail_before_it),
                cmocka_unit_test(test_file_beyond_the_flash_is_not_erased_and_fails_at_the_end),
                cmocka_unit_test(test_what_follows_the_trailer_is_ignored),
                cmocka_unit_test(test_archive_that_calls_into_memory_is_a_violation),
                cmocka_unit_test(test_delays_fall_where_the_chip_works),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
