/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parser of whole images: what it understands, and what it makes of damaged bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cpio.h"
#include "core/dfu-suffix.h"
#include "core/dfuinfo.h"
#include "tests/unit/expect-finding.h"

static struct image *expect_good(const struct bytes *bytes)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        struct image *image = NULL;

        assert_int_equal(image_parse(bytes->data, bytes->len, &findings, &image), 0);
        if (findings.n_items > 0)
                fail_msg("a good image was said to be: %s", findings.items[0].text);
        return image;
}

static void test_a_board_image_is_understood(void **state)
{
        _cleanup_(bytes_done) struct bytes bytes = fixture_board_image(chip_by_name("esp32s2"));
        _cleanup_(image_freep) struct image *image = expect_good(&bytes);

        (void)state;
        assert_ptr_equal(image->chip, chip_by_name("esp32s2"));
        assert_int_equal(image->vid, 0x303a);
        assert_int_equal(image->pid, 0x0002);
        assert_int_equal(image->payload_size, bytes.len - 16);
        assert_int_equal(image->flash_size, 4 * MIB);
        assert_int_equal(image->n_members, 4);
        assert_string_equal(image->members[0].name, "flash_params.dat");
        assert_int_equal(image->n_files, 3);
        assert_string_equal(image->files[0].name, "bootloader.bin");
        assert_int_equal(image->files[0].kind, IMAGE_FILE_BOOTLOADER);
        assert_int_equal(image->files[1].kind, IMAGE_FILE_PARTITION_TABLE);
        assert_int_equal(image->files[2].kind, IMAGE_FILE_APPLICATION);
        assert_int_equal(image->files[2].address, 0x10000);
        assert_string_equal(image->files[2].partition, "factory");
        assert_string_equal(image->app_name, "gizmo");
        assert_string_equal(image->app_version, "1.4.2");
        assert_int_equal(image->erase_bytes, 3 * FLASH_SECTOR_SIZE);
        assert_int_equal(image->flash_bytes,
                         image->files[0].size + image->files[1].size + image->files[2].size);
}

static void test_parts_of_one_file_are_joined(void **state)
{
        struct fixture_archive a;
        _cleanup_(bytes_done) struct bytes bytes = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;

        (void)state;
        fixture_archive_small(&a);
        bytes = fixture_archive_make(&a);
        image = expect_good(&bytes);
        assert_int_equal(image->n_members, 4);
        assert_int_equal(image->n_files, 2);
        assert_string_equal(image->files[0].name, "app.bin");
        assert_int_equal(image->files[0].size, 5000);
        assert_int_equal(image->files[0].first_member, 1);
        assert_int_equal(image->files[0].n_members, 2);
        assert_string_equal(image->files[1].name, "cal.bin");
        for (size_t i = 0; i < image->n_members; i++) {
                assert_true(image->members[i].md5_ok);
                assert_memory_equal(bytes.data + image->members[i].offset, a.members[i].data,
                                    a.members[i].size);
        }
        fixture_archive_done(&a);
}

static void test_a_later_file_that_looks_like_a_part_elsewhere_is_its_own(void **state)
{
        struct fixture_archive a;
        _cleanup_(bytes_done) struct bytes bytes = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;

        (void)state;
        fixture_archive_small(&a);
        a.members[2].address = 0x12000;
        bytes = fixture_archive_make(&a);
        image = expect_good(&bytes);
        assert_int_equal(image->n_files, 3);
        fixture_archive_done(&a);
}

static void test_an_image_for_any_chip_is_for_the_chip_of_its_esp_images(void **state)
{
        struct fixture_archive a;
        _cleanup_(bytes_done) struct bytes esp = fixture_esp_image(0x0009, "gizmo", "1"), bytes = { 0 };
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;

        (void)state;
        fixture_archive_init(&a);
        fixture_archive_add(&a, "app.bin", 0x10000, esp.data, esp.len);
        a.pid = 0xffff;
        bytes = fixture_archive_make(&a);
        assert_int_equal(image_parse(bytes.data, bytes.len, &findings, &image), 0);
        assert_int_equal(image->pid, 0xffff);
        assert_ptr_equal(image->chip, chip_by_name("esp32s3"));
        fixture_archive_done(&a);
}

static void test_the_image_is_named_by_the_application_in_an_app_partition(void **state)
{
        static const struct fixture_partition partitions[] = {
                { 1, 0x40, 0x10000, 0x1000, "tools" },
                { 0, 0x10, 0x20000, 0x1000, "ota_0" },
        };
        struct fixture_archive a;
        _cleanup_(bytes_done) struct bytes table = fixture_partition_table(partitions, 2);
        _cleanup_(bytes_done) struct bytes tool = fixture_esp_image(2, "tool", "0.1");
        _cleanup_(bytes_done) struct bytes app = fixture_esp_image(2, "gizmo\033", "2.0");
        _cleanup_(bytes_done) struct bytes bytes = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;

        (void)state;
        fixture_archive_init(&a);
        fixture_archive_add(&a, "tool.bin", 0x10000, tool.data, tool.len);
        fixture_archive_add(&a, "pt.bin", 0x8000, table.data, table.len);
        fixture_archive_add(&a, "app.bin", 0x20000, app.data, app.len);
        bytes = fixture_archive_make(&a);
        image = expect_good(&bytes);
        assert_string_equal(image->app_name, "gizmo?");
        assert_string_equal(image->app_version, "2.0");
        fixture_archive_done(&a);
}

/* Parts of five bytes in one sector: the second part's erase wipes the first, and the chip's verification fails. */
static void test_case_a_of_the_builder_is_refused(void **state)
{
        static const uint8_t ce[10] = { 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce };
        const struct image_build_file file = { 0, "bin", ce, sizeof(ce) };
        const struct image_build build = { chip_by_name("esp32s2"), 4 * MIB, 5, &file, 1 };
        const struct expectation expected = ERROR("bin.1", "its erase wipes 5 bytes of bin at flash 0x0");
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(bytes_done) struct bytes bytes = { 0 };

        (void)state;
        assert_int_equal(image_build(&build, &findings, &bytes.data, &bytes.len), 0);
        expect_finding(&bytes, &expected, "case A");
}

/* ---- broken bytes ---- */

/* The offset of the header of the archive's nth member, dfuinfo0.dat being 0. */
static size_t header_of(const struct bytes *bytes, size_t index)
{
        struct cursor c = cursor_over(bytes->data, bytes->len);
        struct cpio_member member = { 0 };
        struct fault fault;

        for (size_t i = 0; i <= index; i++)
                assert_int_equal(cpio_next(&c, &member, &fault), 0);
        return member.header;
}

/* Writes one of the 13 numbers of a header. */
static void set_field(struct bytes *bytes, size_t header, size_t field, uint32_t value)
{
        char digits[9];

        snprintf(digits, sizeof(digits), "%08X", value);
        memcpy(bytes->data + header + 6 + 8 * field, digits, 8);
}

#define FIELD_FILESIZE 6
#define FIELD_NAMESIZE 11
#define FIELD_CHECK    12

#define HARM(what, ...)                                                                                      \
        static void harm_##what(struct bytes *b)                                                             \
        {                                                                                                    \
                __VA_ARGS__;                                                                                 \
        }                                                                                                    \
        struct bytes /* takes the semicolon */

HARM(signature, b->data[b->len - 8] = 'u');
HARM(length, b->data[b->len - 5] = 15);
HARM(long_suffix, b->data[b->len - 5] = 17; fixture_mend_crc(b));
HARM(crc, b->data[b->len - 20] ^= 1);
HARM(magic, b->data[5] = '7'; fixture_mend_crc(b));
HARM(magic_later, b->data[header_of(b, 2)] = 'x'; fixture_mend_crc(b));
HARM(digit, b->data[header_of(b, 2) + 6] = 'g'; fixture_mend_crc(b));
HARM(filesize, set_field(b, header_of(b, 4), FIELD_FILESIZE, 0xffffffff); fixture_mend_crc(b));
HARM(namesize_none, set_field(b, header_of(b, 2), FIELD_NAMESIZE, 1); fixture_mend_crc(b));
HARM(namesize_huge, set_field(b, header_of(b, 2), FIELD_NAMESIZE, 0xffffffff); fixture_mend_crc(b));
HARM(nul, b->data[header_of(b, 2) + 110 + 7] = 'x'; fixture_mend_crc(b));
HARM(inner_nul, b->data[header_of(b, 2) + 110 + 2] = 0; fixture_mend_crc(b));
HARM(info_size, set_field(b, header_of(b, 0), FIELD_FILESIZE, 4 * 88 - 1); fixture_mend_crc(b));
HARM(trailer_size, set_field(b, header_of(b, 5), FIELD_FILESIZE, 8); fixture_mend_crc(b));

static void harm_checksum(struct bytes *b)
{
        size_t header = header_of(b, 2);

        b->data[header + 5] = '2';
        set_field(b, header, FIELD_CHECK, 0x1234);
        fixture_mend_crc(b);
}

/* Makes a good suffix behind len bytes of what was there. */
static void resuffix(struct bytes *b, size_t len)
{
        const struct dfu_suffix suffix = { 0xffff, 0x0002, 0x303a, 0x0100, 0, 0 };

        b->len = len;
        assert_int_equal(dfu_suffix_append(b, &suffix), 0);
}

HARM(short_payload, resuffix(b, 231));
HARM(cut_at_header, resuffix(b, header_of(b, 3)));
HARM(cut_in_data, resuffix(b, header_of(b, 3) + 200));
HARM(cut_in_name, resuffix(b, header_of(b, 3) + 112));
HARM(tiny, b->len = 15);
HARM(empty, b->len = 0);

static void test_each_damaged_image_gets_its_finding(void **state)
{
        static const struct {
                const char *story;
                void (*harm)(struct bytes *bytes);
                struct expectation expected;
        } rows[] = {
#define ROW(what, ...) { #what, harm_##what, __VA_ARGS__ }
                ROW(signature, ERROR(NULL, "no DFU suffix")),
                ROW(length, ERROR(NULL, "DFU suffix length 15")),
                ROW(long_suffix, ERROR(NULL, "DFU suffix of 17 bytes: expected 16")),
                ROW(crc, ERROR(NULL, "in the DFU suffix: expected 0x")),
                ROW(magic, ERROR(NULL, "no CPIO archive: the chip would write it raw to flash address 0")),
                ROW(magic_later, ERROR(NULL, "no CPIO header: expected 070701 or 070702")),
                ROW(digit, ERROR(NULL, "byte 0x67 in a CPIO header: expected a hexadecimal digit")),
                ROW(filesize, ERROR(NULL, "archive ends in member cal.bin")),
                ROW(namesize_none, ERROR(NULL, "name of 1 bytes in a CPIO header")),
                ROW(namesize_huge, ERROR(NULL, "name of 4294967295 bytes in a CPIO header")),
                ROW(nul, ERROR(NULL, "expected one NUL, at its end")),
                ROW(inner_nul, ERROR(NULL, "expected one NUL, at its end")),
                ROW(info_size, ERROR("dfuinfo0.dat", "351 bytes: expected a multiple of 88")),
                ROW(trailer_size, WARNING("TRAILER!!!", "8 bytes of data: expected none")),
                ROW(checksum, ERROR("app.bin", "checksum 0x00001234 in the CPIO header: expected 0x")),
                ROW(short_payload, ERROR(NULL, "payload of 231 bytes: the chip would write it raw")),
                ROW(cut_at_header, ERROR(NULL, "archive ends without TRAILER!!!")),
                ROW(cut_in_data, ERROR(NULL, "archive ends in member app.bin.1")),
                ROW(cut_in_name, ERROR(NULL, "archive ends in a member's name")),
                ROW(tiny, ERROR(NULL, "15 bytes: too short for a DFU suffix")),
                ROW(empty, ERROR(NULL, "0 bytes: too short for a DFU suffix")),
#undef ROW
        };
        struct fixture_archive a;

        (void)state;
        fixture_archive_small(&a);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(bytes_done) struct bytes bytes = fixture_archive_make(&a);

                rows[i].harm(&bytes);
                expect_finding(&bytes, &rows[i].expected, rows[i].story);
        }
        fixture_archive_done(&a);
}

static void test_a_cut_archive_is_said_once(void **state)
{
        struct fixture_archive a;
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(bytes_done) struct bytes bytes = { 0 };
        struct image *image = NULL;

        (void)state;
        fixture_archive_small(&a);
        bytes = fixture_archive_make(&a);
        harm_cut_in_data(&bytes);
        assert_int_equal(image_parse(bytes.data, bytes.len, &findings, &image), 1);
        assert_int_equal(findings.n_errors, 1);
        fixture_archive_done(&a);
}

static void test_a_file_that_just_fits_its_partition_is_good(void **state)
{
        static const struct fixture_partition partitions[] = { { 1, 0x40, 0x10000, 5000, "blob" } };
        struct fixture_archive a;
        _cleanup_(bytes_done) struct bytes table = fixture_partition_table(partitions, 1), bytes = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;

        (void)state;
        fixture_archive_small(&a);
        fixture_archive_add(&a, "pt.bin", 0x8000, table.data, table.len);
        bytes = fixture_archive_make(&a);
        image = expect_good(&bytes);
        assert_string_equal(image->files[0].partition, "blob");
        fixture_archive_done(&a);
}

static void test_the_crc_form_of_cpio_is_taken_too(void **state)
{
        struct fixture_archive a;
        _cleanup_(bytes_done) struct bytes bytes = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;

        (void)state;
        fixture_archive_small(&a);
        bytes = fixture_archive_make(&a);
        for (size_t i = 1; i < 5; i++) {
                size_t header = header_of(&bytes, i);

                bytes.data[header + 5] = '2';
                set_field(&bytes, header, FIELD_CHECK,
                          cpio_checksum(a.members[i - 1].data, a.members[i - 1].size));
        }
        fixture_mend_crc(&bytes);
        image = expect_good(&bytes);
        fixture_archive_done(&a);
}

static void test_more_than_the_bound_is_not_even_looked_at(void **state)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        struct image *image = NULL;

        (void)state;
        assert_int_equal(image_parse((const uint8_t *)"", IMAGE_SIZE_MAX + 1, &findings, &image), 1);
        assert_non_null(strstr(findings.items[0].text, "67108865 bytes: expected at most 67108864"));
        assert_null(image);
}

/* Every prefix, with its suffix made good again: cut off behind the trailer it is only an odd length. */
static void test_no_prefix_of_an_archive_is_taken_for_whole(void **state)
{
        struct fixture_archive a;
        _cleanup_(bytes_done) struct bytes whole = { 0 };
        size_t end;

        (void)state;
        fixture_archive_init(&a);
        fixture_archive_add(&a, "a.bin", 0x1000, "hello", 5);
        a.block = 4;
        whole = fixture_archive_make(&a);
        end = whole.len - 16;
        assert_true(end < 1000);
        for (size_t len = 0; len < whole.len; len++) {
                _cleanup_(findings_done) struct findings findings = { 0 };
                _cleanup_(image_freep) struct image *image = NULL;

                /* Of its own size on the heap, so that a sanitizer sees a read behind it. */
                _cleanup_(bytes_done) struct bytes cut = { 0 };
                assert_int_equal(bytes_append(&cut, whole.data, len), 0);
                assert_int_equal(image_parse(cut.data, cut.len, &findings, &image), 1);
                if (len >= end)
                        continue;
                resuffix(&cut, len);
                assert_int_equal(image_parse(cut.data, cut.len, &findings, &image), 1);
        }
        fixture_archive_done(&a);
}

/* A CRC that is made right again lets each flip through to the parser; the digests then catch what is data. */
static void test_no_flipped_byte_crashes_the_parser(void **state)
{
        static const uint8_t flips[] = { 0x01, 0x80, 0xff };
        _cleanup_(bytes_done) struct bytes board = fixture_board_image(chip_by_name("esp32s3"));

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(flips); i++) {
                for (size_t at = 0; at < board.len; at++) {
                        _cleanup_(findings_done) struct findings findings = { 0 };
                        _cleanup_(image_freep) struct image *image = NULL;
                        int r;

                        board.data[at] ^= flips[i];
                        if (at < board.len - 4)
                                fixture_mend_crc(&board);
                        r = image_inspect(board.data, board.len, &findings, &image);
                        assert_int_equal(r, 0);
                        board.data[at] ^= flips[i];
                        fixture_mend_crc(&board);
                }
        }
        image_free(expect_good(&board));
}

static void test_any_dfu_file_is_read_by_its_suffix_alone(void **state)
{
        const struct dfu_suffix suffix = { 0x0100, 0xdf11, 0x0483, 0x0110, 0, 0 };
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(bytes_done) struct bytes bytes = { 0 };
        _cleanup_(image_freep) struct image *image = NULL, *none = NULL;

        (void)state;
        assert_int_equal(bytes_append(&bytes, "firmware", 8), 0);
        assert_int_equal(dfu_suffix_append(&bytes, &suffix), 0);
        assert_int_equal(image_parse_suffix_only(bytes.data, bytes.len, &findings, &image), 0);
        assert_int_equal(image->vid, 0x0483);
        assert_int_equal(image->pid, 0xdf11);
        assert_int_equal(image->payload_size, 8);
        assert_null(image->chip);
        bytes.data[0] = 'F';
        assert_int_equal(image_parse_suffix_only(bytes.data, bytes.len, &findings, &none), 1);
        assert_int_equal(image_parse_suffix_only(bytes.data + 8, bytes.len - 8, &findings, &none), 1);
        assert_null(none);
}

static void test_what_was_found_before_does_not_refuse_a_good_image(void **state)
{
        _cleanup_(bytes_done) struct bytes bytes = fixture_board_image(chip_by_name("esp32p4"));
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;

        (void)state;
        findings_add(&findings, FINDING_ERROR, NULL, 0, "in another file");
        assert_int_equal(image_parse(bytes.data, bytes.len, &findings, &image), 0);
        assert_non_null(image);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_board_image_is_understood),
                cmocka_unit_test(test_parts_of_one_file_are_joined),
                cmocka_unit_test(test_a_later_file_that_looks_like_a_part_elsewhere_is_its_own),
                cmocka_unit_test(test_an_image_for_any_chip_is_for_the_chip_of_its_esp_images),
                cmocka_unit_test(test_the_image_is_named_by_the_application_in_an_app_partition),
                cmocka_unit_test(test_case_a_of_the_builder_is_refused),
                cmocka_unit_test(test_each_damaged_image_gets_its_finding),
                cmocka_unit_test(test_a_cut_archive_is_said_once),
                cmocka_unit_test(test_a_file_that_just_fits_its_partition_is_good),
                cmocka_unit_test(test_the_crc_form_of_cpio_is_taken_too),
                cmocka_unit_test(test_more_than_the_bound_is_not_even_looked_at),
                cmocka_unit_test(test_no_prefix_of_an_archive_is_taken_for_whole),
                cmocka_unit_test(test_no_flipped_byte_crashes_the_parser),
                cmocka_unit_test(test_any_dfu_file_is_read_by_its_suffix_alone),
                cmocka_unit_test(test_what_was_found_before_does_not_refuse_a_good_image),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
