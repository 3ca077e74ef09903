/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "core/cpio.h"
#include "core/dfu-suffix.h"
#include "core/dfuinfo.h"
#include "tests/unit/fixtures.h"

static void must(bool condition)
{
        if (!condition)
                abort();
}

static void *must_copy(const void *data, size_t size)
{
        uint8_t *copy = malloc(MAX(size, (size_t)1));

        must(copy != NULL);
        if (size > 0)
                memcpy(copy, data, size);
        return copy;
}

uint8_t *fixture_bytes(size_t len, uint32_t seed)
{
        uint8_t *data = malloc(MAX(len, (size_t)1));

        must(data != NULL);
        for (size_t i = 0; i < len; i++)
                data[i] = (uint8_t)(i * i * seed + i * 7 + seed);
        return data;
}

static void add_segment(struct bytes *image, uint32_t load, const uint8_t *data, uint32_t size)
{
        uint8_t header[8];

        write_le32(header, load);
        write_le32(header + 4, size);
        must(bytes_append(image, header, sizeof(header)) == 0);
        must(bytes_append(image, data, size) == 0);
}

static uint8_t xor_all(const uint8_t *data, size_t len)
{
        uint8_t sum = 0;

        for (size_t i = 0; i < len; i++)
                sum ^= data[i];
        return sum;
}

struct bytes fixture_esp_image_of_size(uint16_t chip_id, const char *name, const char *version,
                                       size_t code_size)
{
        struct bytes image = { 0 };
        _cleanup_(freep) uint8_t *code = fixture_bytes(code_size, 3);
        uint8_t header[24] = { [0] = 0xe9, [1] = 2, [23] = 1 }, first[256] = { 0 }, checksum, sha[32];

        write_le16(header + 12, chip_id);
        if (version) {
                write_le32(first, 0xabcd5432);
                snprintf((char *)first + 16, 32, "%s", version);
                snprintf((char *)first + 48, 32, "%s", name);
        }
        checksum = 0xef ^ xor_all(first, sizeof(first)) ^ xor_all(code, code_size);
        must(bytes_append(&image, header, sizeof(header)) == 0);
        add_segment(&image, 0x3f000020, first, sizeof(first));
        add_segment(&image, 0x40020000, code, (uint32_t)code_size);
        must(bytes_append_zeros(&image, 15 - image.len % 16) == 0);
        must(bytes_append(&image, &checksum, 1) == 0);
        must(digest_sha256(image.data, image.len, sha) == 0);
        must(bytes_append(&image, sha, sizeof(sha)) == 0);
        return image;
}

struct bytes fixture_esp_image(uint16_t chip_id, const char *name, const char *version)
{
        return fixture_esp_image_of_size(chip_id, name, version, 100);
}

struct bytes fixture_partition_table(const struct fixture_partition *partitions, size_t n)
{
        struct bytes table = { 0 };
        uint8_t entry[32], md5[16];

        for (size_t i = 0; i < n; i++) {
                memset(entry, 0, sizeof(entry));
                write_le16(entry, 0x50aa);
                entry[2] = partitions[i].type;
                entry[3] = partitions[i].subtype;
                write_le32(entry + 4, partitions[i].address);
                write_le32(entry + 8, partitions[i].size);
                memcpy(entry + 12, partitions[i].label, strnlen(partitions[i].label, 16));
                must(bytes_append(&table, entry, sizeof(entry)) == 0);
        }
        must(digest_md5(table.data, table.len, md5) == 0);
        memset(entry, 0xff, sizeof(entry));
        write_le16(entry, 0xebeb);
        memcpy(entry + 16, md5, sizeof(md5));
        must(bytes_append(&table, entry, sizeof(entry)) == 0);
        memset(entry, 0xff, sizeof(entry));
        while (table.len < 0xc00)
                must(bytes_append(&table, entry, sizeof(entry)) == 0);
        return table;
}

struct bytes fixture_board_image(const struct chip *chip)
{
        static const struct fixture_partition partitions[] = {
                { 1, 2, 0x9000, 0x6000, "nvs" },
                { 0, 0, 0x10000, 0x100000, "factory" },
        };
        struct bytes bootloader = fixture_esp_image(chip->pid, "", NULL);
        struct bytes table = fixture_partition_table(partitions, ARRAY_SIZE(partitions));
        struct bytes app = fixture_esp_image(chip->pid, "gizmo", "1.4.2"), image = { 0 };
        const struct image_build_file files[] = {
                { 0x1000, "bootloader.bin", bootloader.data, bootloader.len },
                { 0x8000, "partition-table.bin", table.data, table.len },
                { 0x10000, "app.bin", app.data, app.len },
        };
        const struct image_build build = { chip, 4 * MIB, IMAGE_PART_SIZE_DEFAULT, files, ARRAY_SIZE(files) };
        struct findings findings = { 0 };

        must(image_build(&build, &findings, &image.data, &image.len) == 0);
        findings_done(&findings);
        bytes_done(&bootloader);
        bytes_done(&table);
        bytes_done(&app);
        return image;
}

void fixture_archive_init(struct fixture_archive *a)
{
        uint8_t params[FLASH_PARAMS_SIZE];

        *a = (struct fixture_archive){
                .info_name = DFUINFO_NAME,
                .trailer = CPIO_TRAILER,
                .block = 10240,
                .vid = 0x303a,
                .pid = 0x0002,
                .bcd_dfu = 0x0100,
        };
        flash_params_write(4 * MIB, params);
        fixture_archive_add(a, FLASH_PARAMS_NAME, 0, params, sizeof(params))->flags = 4 | 8 | 16;
}

struct fixture_member *fixture_archive_add(struct fixture_archive *a, const char *name, uint32_t address,
                                           const void *data, size_t size)
{
        struct fixture_member *m = &a->members[a->n_members++];

        must(a->n_members <= ARRAY_SIZE(a->members));
        snprintf(m->name, sizeof(m->name), "%s", name);
        memcpy(m->record_name, name, strnlen(name, sizeof(m->record_name)));
        m->address = address;
        m->data = must_copy(data, size);
        m->size = size;
        return m;
}

void fixture_archive_small(struct fixture_archive *a)
{
        _cleanup_(freep) uint8_t *data = fixture_bytes(5000, 3);

        fixture_archive_init(a);
        fixture_archive_add(a, "app.bin", 0x10000, data, 4096);
        fixture_archive_add(a, "app.bin.1", 0x11000, data + 4096, 904);
        fixture_archive_add(a, "cal.bin", 0x20000, data, 100);
}

struct bytes fixture_archive_make(const struct fixture_archive *a)
{
        _cleanup_(bytes_done) struct bytes info = { 0 };
        struct dfu_suffix suffix = { 0xffff, a->pid, a->vid, a->bcd_dfu, 0, 0 };
        struct bytes image = { 0 };

        for (size_t i = 0; i < a->n_members; i++) {
                const struct fixture_member *m = &a->members[i];
                uint8_t record[88] = { 0 };

                if (!m->record_name[0])
                        continue;
                write_le32(record, m->address);
                write_le32(record + 4, m->flags);
                memcpy(record + 8, m->record_name, sizeof(m->record_name));
                memcpy(record + 72, m->md5, sizeof(m->md5));
                if (!m->keep_md5)
                        must(digest_md5(m->data, m->size, record + 72) == 0);
                must(bytes_append(&info, record, sizeof(record)) == 0);
        }
        if (a->info_name)
                must(cpio_append(&image, a->info_name, info.data, info.len) == 0);
        for (size_t i = 0; i < a->n_members; i++)
                if (a->members[i].name[0])
                        must(cpio_append(&image, a->members[i].name, a->members[i].data,
                                         a->members[i].size) == 0);
        if (a->trailer)
                must(cpio_append(&image, a->trailer, NULL, 0) == 0);
        must(bytes_append(&image, a->tail, a->tail_size) == 0);
        must(bytes_pad(&image, a->block) == 0);
        must(dfu_suffix_append(&image, &suffix) == 0);
        return image;
}

void fixture_archive_done(struct fixture_archive *a)
{
        for (size_t i = 0; i < a->n_members; i++)
                free(a->members[i].data);
        a->n_members = 0;
}

void fixture_mend_crc(struct bytes *image)
{
        must(image->len >= DFU_SUFFIX_SIZE);
        write_le32(image->data + image->len - 4, dfu_suffix_crc(image->data, image->len - 4));
}
