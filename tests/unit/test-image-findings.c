/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parser of whole images: each row takes a good archive, breaks one thing, and names the finding that must come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/expect-finding.h"

/* A function that breaks one thing of archive a, before that is put together. */
#define BREAK(what, ...)                                                                                     \
        static void break_##what(struct fixture_archive *a)                                                  \
        {                                                                                                    \
                __VA_ARGS__;                                                                                 \
        }                                                                                                    \
        struct fixture_archive /* takes the semicolon */

static void set_data(struct fixture_member *m, const void *data, size_t size)
{
        free(m->data);
        m->data = malloc(size + 1);
        if (!m->data)
                abort();
        memcpy(m->data, data, size);
        m->size = size;
}

static void set_name(struct fixture_member *m, const char *name)
{
        memset(m->record_name, 0, sizeof(m->record_name));
        memcpy(m->record_name, name, strnlen(name, sizeof(m->record_name)));
        memset(m->name, 0, sizeof(m->name));
        memcpy(m->name, name, strnlen(name, sizeof(m->name) - 1));
}

BREAK(vid, a->vid = 0x1209);
BREAK(vid_any, a->vid = 0xffff);
BREAK(pid, a->pid = 0x0005);
BREAK(pid_any, a->pid = 0xffff);
BREAK(dfuse, a->bcd_dfu = 0x011a);
BREAK(bcd_dfu, a->bcd_dfu = 0x0200);
BREAK(info_first, a->info_name = NULL);
BREAK(info_name, a->info_name = "dfuinfo1.dat");
BREAK(md5, a->members[3].keep_md5 = true);
BREAK(flag_ram, a->members[3].flags = 1);
BREAK(flag_call, a->members[3].flags = 2);
BREAK(flag_unknown, a->members[3].flags = 0x80000000);
BREAK(flag_params, a->members[3].flags = 4);
BREAK(flag_no_erase, a->members[3].flags = 8);
BREAK(flag_no_md5, a->members[3].flags = 16);
BREAK(params_flags, a->members[0].flags = 4 | 16);
BREAK(params_size, a->members[0].size = 28);
BREAK(params_flash_size, write_le32(a->members[0].data + 12, 0));
BREAK(params_flash_huge, write_le32(a->members[0].data + 12, 0xfffff000));
BREAK(params_block, write_le32(a->members[0].data + 16, 0));
BREAK(params_sector, write_le32(a->members[0].data + 20, 512));
BREAK(params_page, write_le32(a->members[0].data + 24, 0));
BREAK(params_mask, write_le32(a->members[0].data + 28, 0xff));
BREAK(beyond, a->members[3].address = 4 * MIB - 99);
BREAK(beyond_4g, a->members[3].address = UINT32_MAX);
BREAK(overlap, a->members[3].address = 0x11000 + 903);
BREAK(unlisted, a->members[3].record_name[0] = '\0');
BREAK(missing, a->members[3].name[0] = '\0');
BREAK(other_name, a->members[3].record_name[0] = 'C');
BREAK(duplicate, set_name(&a->members[3], "app.bin"));
BREAK(empty, a->members[3].size = 0);
BREAK(control, set_name(&a->members[3], "a\033[2Jb"));
BREAK(utf8, set_name(&a->members[3], "a\xc3("));
BREAK(slash, set_name(&a->members[3], "../x"));
BREAK(trailer, a->trailer = NULL);
BREAK(block, a->block = 64);

static void break_long_name(struct fixture_archive *a)
{
        char name[65] = { 0 };

        memset(name, 'n', 64);
        set_name(&a->members[3], name);
}

static void break_very_long_name(struct fixture_archive *a)
{
        memset(a->members[3].name, 'n', 256);
}

static void break_behind_nul(struct fixture_archive *a)
{
        a->members[3].record_name[40] = 'x';
}

static void swap_members(struct fixture_archive *a, size_t i, size_t j)
{
        struct fixture_member m = a->members[i];

        a->members[i] = a->members[j];
        a->members[j] = m;
}

/* The chip would take its data for records, and forget the files. */
static void break_second_info(struct fixture_archive *a)
{
        fixture_archive_add(a, "dfuinfo0.dat", 0x30000, "12345", 5);
}

static void break_order(struct fixture_archive *a)
{
        memcpy(a->members[1].record_name, "cal.bin\0\0\0", 11);
        memcpy(a->members[3].record_name, "app.bin\0\0\0", 11);
}

BREAK(params_late, swap_members(a, 0, 1));

static void break_params_gone(struct fixture_archive *a)
{
        swap_members(a, 0, 3);
        free(a->members[--a->n_members].data);
}

static void break_files_gone(struct fixture_archive *a)
{
        while (a->n_members > 1)
                free(a->members[--a->n_members].data);
}

static void break_all_gone(struct fixture_archive *a)
{
        fixture_archive_done(a);
}

static void break_too_many(struct fixture_archive *a)
{
        char name[16];

        for (unsigned i = 0; a->n_members < 65; i++) {
                snprintf(name, sizeof(name), "f%u", i);
                fixture_archive_add(a, name, 0x100000 + i * 0x1000, "x", 1);
        }
}

static void break_too_many_records(struct fixture_archive *a)
{
        break_too_many(a);
        a->members[64].name[0] = '\0';
}

static void break_second_archive(struct fixture_archive *a)
{
        a->tail = "0707010000000";
        a->tail_size = 13;
}

static void break_tail(struct fixture_archive *a)
{
        a->tail = "\0\0\0hello";
        a->tail_size = 8;
}

/* Part sizes off the grid: 5000 bytes at 0x10000, the next part behind them in the same sector. */
static void break_grid(struct fixture_archive *a)
{
        _cleanup_(freep) uint8_t *data = fixture_bytes(5000, 3);

        set_data(&a->members[1], data, 5000);
        a->members[2].address = 0x10000 + 5000;
}

static void break_grid_without_loss(struct fixture_archive *a)
{
        break_grid(a);
        memset(a->members[1].data + 4096, 0xff, 5000 - 4096);
}

BREAK(alignment, a->members[3].address = 0x20080);

/* The later member lies below the earlier one, in its first sector. */
static void break_earlier_above(struct fixture_archive *a)
{
        a->members[1].address = 0x30800;
        a->members[3].address = 0x30000;
}

#define PARTITION(type, address, size, label)                                                                \
        {                                                                                                    \
                type, 0, address, size, label                                                                \
        }

static struct bytes good_table(void)
{
        static const struct fixture_partition partitions[] = {
                PARTITION(1, 0x9000, 0x6000, "nvs"),
                PARTITION(0, 0x10000, 0x2000, "factory"),
                PARTITION(1, 0x20000, 0x1000, "cal"),
        };

        return fixture_partition_table(partitions, ARRAY_SIZE(partitions));
}

/* Adds a table; break_it changes it before, re-making its MD5 is its own business. */
static void add_table(struct fixture_archive *a, struct bytes table)
{
        fixture_archive_add(a, "pt.bin", 0x8000, table.data, table.len);
        bytes_done(&table);
}

BREAK(not_an_app, add_table(a, good_table()));

static void break_table_md5(struct fixture_archive *a)
{
        struct bytes table = good_table();

        table.data[12] = 'N';
        add_table(a, table);
}

static void break_table_entry(struct fixture_archive *a)
{
        struct bytes table = good_table();

        table.data[32] = 0;
        add_table(a, table);
}

static void break_table_without_md5(struct fixture_archive *a)
{
        struct bytes table = good_table();

        memset(table.data + 3 * 32, 0xff, 32);
        add_table(a, table);
}

static void break_fit(struct fixture_archive *a)
{
        static const struct fixture_partition partitions[] = { PARTITION(0, 0x10000, 4999, "factory") };

        add_table(a, fixture_partition_table(partitions, 1));
}

static void break_runs_into(struct fixture_archive *a)
{
        static const struct fixture_partition partitions[] = { PARTITION(1, 0x11000, 0x1000, "nvs") };

        add_table(a, fixture_partition_table(partitions, 1));
}

static void break_partition_beyond(struct fixture_archive *a)
{
        static const struct fixture_partition partitions[] = { PARTITION(0, 0x3f0000, 0x20000, "ota_0") };

        add_table(a, fixture_partition_table(partitions, 1));
}

static void break_partitions_overlap(struct fixture_archive *a)
{
        static const struct fixture_partition partitions[] = {
                PARTITION(1, 0x40000, 0x2000, "one"),
                PARTITION(1, 0x41000, 0x2000, "two"),
        };

        add_table(a, fixture_partition_table(partitions, 2));
}

/* Replaces app.bin by an ESP image in two parts, the first of so many bytes. */
static void set_app(struct fixture_archive *a, struct bytes esp, size_t first)
{
        set_data(&a->members[1], esp.data, first);
        set_data(&a->members[2], esp.data + first, esp.len - first);
        a->members[1].flags = a->members[2].flags = 8; /* no erase: parts this small are off the grid */
        a->members[2].address = (uint32_t)(a->members[1].address + first);
        bytes_done(&esp);
}

BREAK(chip_id, set_app(a, fixture_esp_image(0x0009, "gizmo", "1"), 200));
BREAK(chip_esp32, set_app(a, fixture_esp_image(0, "gizmo", "1"), 200));

static void break_any_chip_esp32(struct fixture_archive *a)
{
        a->pid = 0xffff;
        break_chip_esp32(a);
}

static void break_any_vendor(struct fixture_archive *a)
{
        a->vid = 0xffff;
        break_chip_id(a);
}

static void break_two_chips(struct fixture_archive *a)
{
        struct bytes other = fixture_esp_image(0x0009, "other", "2");

        a->pid = 0xffff;
        set_app(a, fixture_esp_image(0x0002, "gizmo", "1"), 200);
        set_data(&a->members[3], other.data, other.len);
        bytes_done(&other);
}

static void break_checksum(struct fixture_archive *a)
{
        struct bytes esp = fixture_esp_image(0x0002, "gizmo", "1");

        esp.data[400 - 1] ^= 1; /* 24 + 8 + 256 + 8 + 100, padded to 400 */
        set_app(a, esp, 200);
}

static void break_sha256(struct fixture_archive *a)
{
        struct bytes esp = fixture_esp_image(0x0002, "gizmo", "1");

        esp.data[esp.len - 1] ^= 1;
        set_app(a, esp, 400); /* the second part is the SHA-256, and nothing else */
}

static void break_segment(struct fixture_archive *a)
{
        struct bytes esp = fixture_esp_image(0x0002, "gizmo", "1");

        write_le32(esp.data + 28, 0xfffffff0);
        set_app(a, esp, 200);
}

static void break_truncated_app(struct fixture_archive *a)
{
        struct bytes esp = fixture_esp_image(0x0002, "gizmo", "1");

        esp.len -= 33;
        set_app(a, esp, 200);
}

static void break_no_esp_image(struct fixture_archive *a)
{
        a->members[3].data[0] = 0xe9;
        memset(a->members[3].data + 1, 0, 50);
}

static void test_each_broken_archive_gets_its_finding(void **state)
{
        static const struct {
                const char *story;
                void (*break_it)(struct fixture_archive *a);
                struct expectation expected;
        } rows[] = {
#define ROW(function, ...) { #function, function, __VA_ARGS__ }
                ROW(break_vid, ERROR(NULL, "VID 0x1209 in the suffix: expected 0x303a")),
                ROW(break_vid_any, WARNING(NULL, "VID 0xffff (any)")),
                ROW(break_pid, ERROR(NULL, "PID 0x0005 in the suffix: expected a chip's")),
                ROW(break_pid_any, WARNING(NULL, "PID 0xffff (any)")),
                ROW(break_dfuse, ERROR(NULL, "DfuSe file")),
                ROW(break_bcd_dfu, WARNING(NULL, "bcdDFU 0x0200")),
                ROW(break_info_first, ERROR("flash_params.dat", "expected dfuinfo0.dat")),
                ROW(break_info_name, ERROR("dfuinfo1.dat", "expected dfuinfo0.dat")),
                ROW(break_md5,
                    ERROR("cal.bin", "MD5 00000000000000000000000000000000 in dfuinfo0.dat: expected ")),
                ROW(break_flag_ram, ERROR("cal.bin", "flags 0x1: the chip would write to its RAM")),
                ROW(break_flag_call, ERROR("cal.bin", "flags 0x2: the chip would call code")),
                ROW(break_flag_unknown, ERROR("cal.bin", "unknown flags 0x80000000")),
                ROW(break_flag_params,
                    ERROR("cal.bin", "flags 0x4: the chip would take it for flash parameters")),
                ROW(break_flag_no_erase, WARNING("cal.bin", "flags 0x8: the chip would not erase")),
                ROW(break_flag_no_md5, WARNING("cal.bin", "flags 0x10: the chip would not verify")),
                ROW(break_params_flags, ERROR("flash_params.dat", "flags 0x14: expected 0x1c")),
                ROW(break_params_size, ERROR("flash_params.dat", "28 bytes: expected 32")),
                ROW(break_params_flash_size,
                    ERROR("flash_params.dat", "flash size of 0 bytes: expected 1048576 to")),
                ROW(break_params_flash_huge, ERROR("flash_params.dat", "flash size of 4294963200 bytes")),
                ROW(break_params_block, ERROR("flash_params.dat", "block size of 0 bytes: expected 65536")),
                ROW(break_params_sector,
                    ERROR("flash_params.dat", "sector size of 512 bytes: expected 4096")),
                ROW(break_params_page, ERROR("flash_params.dat", "page size of 0 bytes: expected 256")),
                ROW(break_params_mask, WARNING("flash_params.dat", "status mask 0xff: expected 0xffff")),
                ROW(break_params_late,
                    ERROR("flash_params.dat", "member 2: expected it right behind dfuinfo0.dat")),
                ROW(break_params_gone, ERROR(NULL, "no flash_params.dat")),
                ROW(break_files_gone, ERROR(NULL, "archive holds no file to flash")),
                ROW(break_all_gone, ERROR(NULL, "archive holds no file: expected flash_params.dat")),
                ROW(break_beyond, ERROR("cal.bin", "flash 0x3fff9d to 0x400001 is beyond the flash")),
                ROW(break_beyond_4g, ERROR("cal.bin", "flash 0xffffffff to 0x100000063 is beyond the flash")),
                ROW(break_overlap, ERROR("cal.bin", "overlaps app.bin.1 at flash 0x11387 to 0x11388")),
                ROW(break_unlisted, ERROR("cal.bin", "no record in dfuinfo0.dat lists it")),
                ROW(break_missing, ERROR("cal.bin", "listed in dfuinfo0.dat but not in the archive")),
                ROW(break_other_name, ERROR("Cal.bin", "listed in dfuinfo0.dat but not in the archive")),
                ROW(break_duplicate, ERROR("app.bin", "second member of this name")),
                ROW(break_second_info, ERROR("dfuinfo0.dat", "second member of this name")),
                ROW(break_order, ERROR("cal.bin", "record 1 of dfuinfo0.dat: expected app.bin")),
                ROW(break_empty, ERROR("cal.bin", "empty: nothing would be flashed")),
                ROW(break_control, ERROR("a?[2Jb", "control characters")),
                ROW(break_utf8, ERROR("a?(", "invalid UTF-8")),
                ROW(break_slash, WARNING("../x", "name with '/'")),
                ROW(break_long_name, ERROR("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
                                           "name of 64 bytes: expected at most 63")),
                ROW(break_very_long_name,
                    ERROR(NULL, "name of 257 bytes in a CPIO header: expected 2 to 256")),
                ROW(break_behind_nul, ERROR("cal.bin", "name in record 3 of dfuinfo0.dat")),
                ROW(break_trailer, ERROR(NULL, "expected 070701 or 070702")),
                ROW(break_block, WARNING(NULL, "expected a multiple of 10240")),
                ROW(break_too_many, ERROR("f60", "expected at most 64")),
                ROW(break_too_many_records, ERROR("dfuinfo0.dat", "65 records: expected at most 64")),
                ROW(break_second_archive, ERROR(NULL, "a second archive behind TRAILER!!!")),
                ROW(break_tail, WARNING(NULL, "data behind TRAILER!!!")),
                ROW(break_grid, ERROR("app.bin.1", "its erase wipes 904 bytes of app.bin at flash 0x11000")),
                ROW(break_grid_without_loss,
                    WARNING("app.bin.1", "its erase touches app.bin at flash 0x11000")),
                ROW(break_alignment, WARNING("cal.bin", "flash address 0x20080 is not at a sector's start")),
                ROW(break_earlier_above,
                    ERROR("cal.bin", "its erase wipes 2048 bytes of app.bin at flash 0x30800")),
                ROW(break_not_an_app, WARNING("app.bin", "no ESP image in application partition factory")),
                ROW(break_table_md5, ERROR("pt.bin", "MD5 of the partition table is ")),
                ROW(break_table_entry, ERROR("pt.bin", "entry 0x5000 in the partition table")),
                ROW(break_table_without_md5, WARNING("pt.bin", "partition table without an MD5")),
                ROW(break_fit,
                    ERROR("app.bin",
                          "5000 bytes at flash 0x10000 does not fit partition factory: expected at "
                          "most 4999")),
                ROW(break_runs_into,
                    ERROR("app.bin", "runs into partition nvs: expected an end of at most 0x11000")),
                ROW(break_partition_beyond, ERROR("pt.bin", "partition ota_0 ends at flash 0x410000")),
                ROW(break_partitions_overlap, WARNING("pt.bin", "partition two overlaps partition one")),
                ROW(break_chip_id, ERROR("app.bin", "chip id 0x0009 (esp32s3): expected 0x0002 (esp32s2)")),
                ROW(break_chip_esp32, ERROR("app.bin", "chip id 0x0000: expected 0x0002 (esp32s2)")),
                ROW(break_any_chip_esp32,
                    ERROR("app.bin", "chip id 0x0000: expected a chip whose ROM speaks DFU")),
                ROW(break_any_vendor,
                    ERROR("app.bin", "chip id 0x0009 (esp32s3): expected 0x0002 (esp32s2)")),
                ROW(break_two_chips, ERROR("cal.bin", "chip id 0x0009 (esp32s3): expected 0x0002 (esp32s2)")),
                ROW(break_checksum, ERROR("app.bin.1", "of the ESP image: expected 0x")),
                ROW(break_sha256, ERROR("app.bin.1", "SHA-256 of the ESP image is ")),
                ROW(break_segment, ERROR("app.bin", "ESP image ends in segment 1 of 2")),
                ROW(break_truncated_app, ERROR("app.bin.1", "ESP image ends before its checksum")),
                ROW(break_no_esp_image, WARNING("cal.bin", "it begins with 0xe9 but seems to be other data")),
#undef ROW
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct fixture_archive a;
                _cleanup_(bytes_done) struct bytes bytes = { 0 };

                fixture_archive_small(&a);
                rows[i].break_it(&a);
                bytes = fixture_archive_make(&a);
                expect_finding(&bytes, &rows[i].expected, rows[i].story);
                fixture_archive_done(&a);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_broken_archive_gets_its_finding) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
