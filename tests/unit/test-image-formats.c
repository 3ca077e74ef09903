/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The formats that an image is made of, each by itself: suffix, CPIO, dfuinfo0.dat, ESP image, partition table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cpio.h"
#include "core/dfu-suffix.h"
#include "core/dfuinfo.h"
#include "core/esp-image.h"
#include "core/partition-table.h"
#include "tests/unit/fixtures.h"

static void test_suffix_is_read_as_it_was_written(void **state)
{
        const struct dfu_suffix written = { 0x0723, 0x0002, 0x303a, 0x0110, 0, 0 };
        _cleanup_(bytes_done) struct bytes file = { 0 };
        struct dfu_suffix read;
        struct fault fault;

        (void)state;
        assert_int_equal(bytes_append(&file, "payload", 7), 0);
        assert_int_equal(dfu_suffix_append(&file, &written), 0);
        assert_int_equal(file.len, 23);
        assert_memory_equal(file.data + 7, "\x23\x07\x02\x00\x3a\x30\x10\x01UFD\x10", 12);
        assert_int_equal(dfu_suffix_read(file.data, file.len, &read, &fault), 0);
        assert_int_equal(read.bcd_device, 0x0723);
        assert_int_equal(read.pid, 0x0002);
        assert_int_equal(read.vid, 0x303a);
        assert_int_equal(read.bcd_dfu, 0x0110);
        assert_int_equal(read.length, 16);
        file.data[3] ^= 1;
        assert_int_equal(dfu_suffix_read(file.data, file.len, &read, &fault), DFU_SUFFIX_BAD_CRC);
        assert_int_equal(fault.offset, 19);
        assert_int_equal(dfu_suffix_read(file.data, 22, &read, &fault), DFU_SUFFIX_MISSING);
}

static void test_suffix_may_not_be_longer_than_the_file(void **state)
{
        const struct dfu_suffix written = { 0 };
        _cleanup_(bytes_done) struct bytes file = { 0 };
        struct dfu_suffix read;
        struct fault fault;

        (void)state;
        assert_int_equal(dfu_suffix_append(&file, &written), 0);
        assert_int_equal(dfu_suffix_read(file.data, file.len, &read, &fault), 0);
        file.data[11] = 17;
        assert_int_equal(dfu_suffix_read(file.data, file.len, &read, &fault), DFU_SUFFIX_MISSING);
        assert_int_equal(fault.offset, 11);
}

static void test_cpio_is_read_as_it_was_written(void **state)
{
        _cleanup_(bytes_done) struct bytes archive = { 0 };
        struct cpio_member m;
        struct fault fault;
        struct cursor c;

        (void)state;
        assert_int_equal(cpio_append(&archive, "a", (const uint8_t *)"hello", 5), 0);
        assert_int_equal(archive.len, 110 + 2 + 8);
        assert_memory_equal(archive.data, "07070100000000000081a4", 22);
        assert_int_equal(cpio_append_trailer(&archive), 0);
        c = cursor_over(archive.data, archive.len);
        assert_int_equal(cpio_next(&c, &m, &fault), 0);
        assert_string_equal(m.name, "a");
        assert_int_equal(m.offset, 112);
        assert_int_equal(m.size, 5);
        assert_memory_equal(m.data, "hello", 5);
        assert_false(m.is_trailer);
        assert_false(m.has_checksum);
        assert_int_equal(cpio_checksum(m.data, m.size), 'h' + 'e' + 'l' + 'l' + 'o');
        assert_int_equal(cpio_next(&c, &m, &fault), 0);
        assert_true(m.is_trailer);
        assert_int_equal(cursor_remaining(&c), 0);
        assert_int_equal(cpio_next(&c, &m, &fault), 1);
        assert_int_equal(fault.offset, archive.len);
}

static void test_dfuinfo_is_read_as_it_was_written(void **state)
{
        struct dfuinfo_record written = {
                .address = 0x12345678, .flags = 28, .name = "app.bin", .md5 = { 1, 2, 3 }
        };
        struct dfuinfo_record read = { 0 };
        _cleanup_(bytes_done) struct bytes bytes = { 0 };
        struct cursor c;

        (void)state;
        assert_int_equal(dfuinfo_append(&bytes, &written), 0);
        assert_int_equal(bytes.len, DFUINFO_RECORD_SIZE);
        c = cursor_over(bytes.data, bytes.len);
        assert_true(dfuinfo_take(&c, &read));
        assert_int_equal(read.address, 0x12345678);
        assert_int_equal(read.flags, 28);
        assert_string_equal(read.name, "app.bin");
        assert_true(read.name_is_terminated);
        assert_memory_equal(read.md5, written.md5, MD5_SIZE);
        assert_false(dfuinfo_take(&c, &read));
        memset(bytes.data + 8, 'n', 64);
        c = cursor_over(bytes.data, bytes.len);
        assert_true(dfuinfo_take(&c, &read));
        assert_false(read.name_is_terminated);
        assert_int_equal(strlen(read.name), 64);
}

static void test_esp_image_tells_its_application(void **state)
{
        _cleanup_(bytes_done) struct bytes bytes = fixture_esp_image(0x0012, "gizmo", "1.4.2-7-gabcdef0");
        struct esp_image esp;
        struct fault fault;

        (void)state;
        assert_int_equal(esp_image_read(bytes.data, bytes.len, &esp, &fault), 0);
        assert_int_equal(esp.chip_id, 0x0012);
        assert_int_equal(esp.n_segments, 2);
        assert_true(esp.is_app);
        assert_true(esp.has_hash);
        assert_int_equal(esp.size, bytes.len);
        assert_string_equal(esp.app_name, "gizmo");
        assert_string_equal(esp.app_version, "1.4.2-7-gabcdef0");
}

static void test_esp_image_names_of_full_length_end(void **state)
{
        char name[33] = { 0 };
        struct esp_image esp;
        struct fault fault;
        _cleanup_(bytes_done) struct bytes bytes = { 0 };

        (void)state;
        bytes = fixture_esp_image(2, "x", "1");
        memset(name, 'n', 32);
        memcpy(bytes.data + 32 + 48, name, 32);
        esp_image_read(bytes.data, bytes.len, &esp, &fault);
        assert_string_equal(esp.app_name, name);
}

static void test_esp_image_may_do_without_a_hash(void **state)
{
        _cleanup_(bytes_done) struct bytes bytes = fixture_esp_image(2, "", NULL);
        struct esp_image esp;
        struct fault fault;

        (void)state;
        bytes.data[23] = 0;
        assert_int_equal(esp_image_read(bytes.data, bytes.len - 32, &esp, &fault), 0);
        assert_int_equal(esp.size, bytes.len - 32);
        assert_false(esp.is_app);
        bytes.data[23] = 1;
        assert_int_equal(esp_image_read(bytes.data, bytes.len - 32, &esp, &fault), 1);
        assert_non_null(strstr(fault.text, "ends before its SHA-256"));
}

static void test_no_prefix_of_an_esp_image_is_taken_for_whole(void **state)
{
        _cleanup_(bytes_done) struct bytes bytes = fixture_esp_image(2, "gizmo", "1");
        struct esp_image esp;
        struct fault fault;

        (void)state;
        for (size_t len = 0; len < bytes.len; len++) {
                _cleanup_(bytes_done) struct bytes cut = { 0 };

                assert_int_equal(bytes_append(&cut, bytes.data, len), 0);
                assert_int_equal(esp_image_read(cut.data, cut.len, &esp, &fault), 1);
        }
        bytes.data[1] = 0;
        assert_int_equal(esp_image_read(bytes.data, bytes.len, &esp, &fault), 1);
        bytes.data[1] = 17;
        assert_int_equal(esp_image_read(bytes.data, bytes.len, &esp, &fault), 1);
}

static void test_partition_table_is_understood(void **state)
{
        static const struct fixture_partition partitions[] = {
                { 1, 2, 0x9000, 0x6000, "nvs" },
                { 0, 0x10, 0x10000, 0x100000, "sixteen_letters_" },
        };
        _cleanup_(bytes_done) struct bytes bytes = fixture_partition_table(partitions, 2);
        struct partition_table table;
        struct fault fault;

        (void)state;
        assert_true(partition_table_is_magic(bytes.data, bytes.len));
        assert_int_equal(partition_table_read(bytes.data, bytes.len, &table, &fault), 0);
        assert_int_equal(table.n_partitions, 2);
        assert_true(table.has_md5);
        assert_string_equal(table.partitions[1].label, "sixteen_letters_");
        assert_int_equal(table.partitions[1].subtype, 0x10);
        assert_int_equal(table.partitions[1].offset, 32);
        assert_null(partition_table_find(&table, 0x8fff));
        assert_ptr_equal(partition_table_find(&table, 0x9000), &table.partitions[0]);
        assert_ptr_equal(partition_table_find(&table, 0xefff), &table.partitions[0]);
        assert_null(partition_table_find(&table, 0xf000));
        /* What is not written is erased flash, so a table may end where its file does. */
        assert_int_equal(partition_table_read(bytes.data, 3 * 32, &table, &fault), 0);
        assert_int_equal(partition_table_read(bytes.data, 3 * 32 - 1, &table, &fault), 1);
}

static void test_partition_table_without_an_end_is_refused(void **state)
{
        struct fixture_partition partitions[95];
        struct partition_table table;
        struct fault fault;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(partitions); i++)
                partitions[i] = (struct fixture_partition){ 1, 2, (uint32_t)(0x10000 + i * 0x1000), 0x1000,
                                                            "p" };
        for (size_t n = 94; n <= 95; n++) {
                _cleanup_(bytes_done) struct bytes bytes = fixture_partition_table(partitions, n);

                assert_int_equal(bytes.len, PARTITION_TABLE_MAX);
                assert_int_equal(partition_table_read(bytes.data, bytes.len, &table, &fault), n > 94);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_suffix_is_read_as_it_was_written),
                cmocka_unit_test(test_suffix_may_not_be_longer_than_the_file),
                cmocka_unit_test(test_cpio_is_read_as_it_was_written),
                cmocka_unit_test(test_dfuinfo_is_read_as_it_was_written),
                cmocka_unit_test(test_esp_image_tells_its_application),
                cmocka_unit_test(test_esp_image_names_of_full_length_end),
                cmocka_unit_test(test_esp_image_may_do_without_a_hash),
                cmocka_unit_test(test_no_prefix_of_an_esp_image_is_taken_for_whole),
                cmocka_unit_test(test_partition_table_is_understood),
                cmocka_unit_test(test_partition_table_without_an_end_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
