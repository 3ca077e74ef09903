/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files are: ESP images must be whole and for the chip, and files must fit the partitions that the image's
 * own partition table gives them.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/dfu-suffix.h"
#include "core/esp-image.h"
#include "core/image-reader.h"
#include "core/partition-table.h"

/* A file's bytes in one piece: borrowed from the image, or owned where it has several parts. */
struct content {
        const uint8_t *data;
        size_t len;
        uint8_t *owned;
};

static void content_done(struct content *content)
{
        free(content->owned);
}

static int content_get(const struct image_reader *reader, const struct image_file *file, struct content *ret)
{
        const struct image_member *m = &reader->image->members[file->first_member];
        size_t pos = 0;
        uint8_t *data;

        if (file->n_members == 1) {
                *ret = (struct content){ .data = reader->data + m->offset, .len = m->size };
                return 0;
        }
        data = malloc(MAX(file->size, (size_t)1));
        if (!data)
                return -ENOMEM;
        for (size_t i = 0; i < file->n_members; i++, m++) {
                memcpy(data + pos, reader->data + m->offset, m->size);
                pos += m->size;
        }
        *ret = (struct content){ .data = data, .len = pos, .owned = data };
        return 0;
}

/* The member that holds the file's byte at *offset, which becomes an offset in the whole image. */
static const char *place_in_image(const struct image_reader *reader, const struct image_file *file,
                                  size_t *offset)
{
        const struct image_member *m = &reader->image->members[file->first_member];

        for (size_t i = 1; i < file->n_members && *offset >= m->size; i++, m++)
                *offset -= m->size;
        *offset += m->offset;
        return m->name;
}

static void report(struct image_reader *reader, enum finding_severity severity, const struct image_file *file,
                   const struct fault *fault, const char *why)
{
        size_t offset = fault->offset;
        const char *member = place_in_image(reader, file, &offset);

        findings_add(reader->findings, severity, member, offset, "%s%s", fault->text, why);
}

/* Whether member continues file as its part number index: name.index, where the last part ended. */
static bool is_next_part(const struct image_file *file, size_t index, const struct image_member *member)
{
        char name[IMAGE_NAME_SIZE + 16];

        snprintf(name, sizeof(name), "%s.%zu", file->name, index);
        return streq(name, member->name) && (uint64_t)file->address + file->size == member->address;
}

static int join_parts(struct image *image)
{
        struct image_file *file = NULL;

        image->files = calloc(MAX(image->n_members, (size_t)1), sizeof(*image->files));
        if (!image->files)
                return -ENOMEM;
        for (size_t i = 0; i < image->n_members; i++) {
                const struct image_member *m = &image->members[i];

                if (m->flags & IMAGE_FLASH_PARAMS)
                        continue;
                if (!file || !is_next_part(file, file->n_members, m)) {
                        file = &image->files[image->n_files++];
                        memcpy(file->name, m->name, sizeof(file->name));
                        file->address = m->address;
                        file->first_member = i;
                }
                file->n_members++;
                file->size += m->size;
        }
        return 0;
}

/* An image whose own PID is no chip's has that error already. */
static void check_chip_id(struct image_reader *reader, const struct image_file *file,
                          const struct esp_image *esp)
{
        struct image *image = reader->image;
        const struct chip *found = chip_by_pid(esp->chip_id);
        struct fault fault;

        if (!image->chip && image->pid == DFU_ID_ANY && found)
                image->chip = found;
        if (image->chip ? image->chip == found : image->pid != DFU_ID_ANY)
                return;
        if (image->chip)
                fault_set(&fault, 12, "ESP image for chip id 0x%04x%s%s%s: expected 0x%04x (%s)",
                          (unsigned)esp->chip_id, found ? " (" : "", found ? found->name : "",
                          found ? ")" : "", (unsigned)image->chip->pid, image->chip->name);
        else
                fault_set(&fault, 12, "ESP image for chip id 0x%04x: expected a chip whose ROM speaks DFU",
                          (unsigned)esp->chip_id);
        report(reader, FINDING_ERROR, file, &fault, "; the board would not start it");
}

/* Data may begin with 0xe9 by chance. It is taken at its word if nothing is wrong with it, or if its header names a
 * chip: all the chips' ids are small, and 0 (the first ESP32, which has no DFU) is what chance gives. */
static bool is_meant_as_esp_image(const struct esp_image *esp, bool is_sound)
{
        return is_sound || (esp->n_segments >= 1 && esp->n_segments <= ESP_IMAGE_SEGMENTS_MAX &&
                            esp->chip_id != 0 && esp->chip_id < 0x100);
}

static int check_esp_image(struct image_reader *reader, struct image_file *file,
                           const struct content *content)
{
        struct esp_image esp;
        struct fault fault;
        int r = esp_image_read(content->data, content->len, &esp, &fault);

        if (r < 0)
                return r;
        if (!is_meant_as_esp_image(&esp, r == 0)) {
                report(reader, FINDING_WARNING, file, &fault,
                       "; it begins with 0xe9 but seems to be other data");
                return 0;
        }
        file->kind = esp.is_app ? IMAGE_FILE_APPLICATION : IMAGE_FILE_BOOTLOADER;
        memcpy(file->app_name, esp.app_name, sizeof(file->app_name));
        memcpy(file->app_version, esp.app_version, sizeof(file->app_version));
        check_chip_id(reader, file, &esp);
        if (r > 0)
                report(reader, FINDING_ERROR, file, &fault, "; the board would not start it");
        return 0;
}

static bool partitions_overlap(const struct partition *a, const struct partition *b)
{
        return (uint64_t)a->address < (uint64_t)b->address + b->size &&
               (uint64_t)b->address < (uint64_t)a->address + a->size;
}

static void check_partitions(struct image_reader *reader, const struct image_file *file,
                             const struct partition_table *table)
{
        uint32_t flash_size = reader->image->flash_size;
        struct fault fault;

        for (size_t i = 0; i < table->n_partitions; i++) {
                const struct partition *p = &table->partitions[i];

                if (flash_size > 0 && (uint64_t)p->address + p->size > flash_size) {
                        fault_set(&fault, p->offset,
                                  "partition %s ends at flash 0x%" PRIx64
                                  ", beyond the flash: expected at most 0x%x",
                                  p->label, (uint64_t)p->address + p->size, flash_size);
                        report(reader, FINDING_ERROR, file, &fault, "; the board would not start");
                }
                for (size_t j = 0; j < i; j++) {
                        if (!partitions_overlap(p, &table->partitions[j]))
                                continue;
                        fault_set(&fault, p->offset,
                                  "partition %s overlaps partition %s: expected them side by side", p->label,
                                  table->partitions[j].label);
                        report(reader, FINDING_WARNING, file, &fault, "");
                }
        }
}

static int check_partition_table(struct image_reader *reader, struct image_file *file,
                                 const struct content *content, struct partition_table *ret)
{
        struct fault fault;
        int r = partition_table_read(content->data, content->len, ret, &fault);

        if (r < 0)
                return r;
        file->kind = IMAGE_FILE_PARTITION_TABLE;
        if (r > 0) {
                report(reader, FINDING_ERROR, file, &fault, "; the board would not start");
                ret->n_partitions = 0;
                return 0;
        }
        if (!ret->has_md5) {
                fault_set(&fault, 0, "partition table without an MD5: expected an entry 0xebeb");
                report(reader, FINDING_WARNING, file, &fault, "");
        }
        check_partitions(reader, file, ret);
        return 0;
}

/* A file that begins outside every partition must also end there. */
static void check_runs_into(struct image_reader *reader, const struct image_file *file,
                            const struct partition_table *table)
{
        uint64_t end = (uint64_t)file->address + file->size;
        struct fault fault;

        for (size_t i = 0; i < table->n_partitions; i++) {
                const struct partition *p = &table->partitions[i];

                if (p->size == 0 || p->address < file->address || p->address >= end)
                        continue;
                fault_set(&fault, 0,
                          "file at flash 0x%x to 0x%" PRIx64
                          " runs into partition %s: expected an end of at most 0x%x",
                          file->address, end, p->label, p->address);
                report(reader, FINDING_ERROR, file, &fault, "");
                return;
        }
}

static void check_fit(struct image_reader *reader, struct image_file *file,
                      const struct partition_table *table)
{
        const struct partition *p = partition_table_find(table, file->address);
        uint64_t room;
        struct fault fault;

        if (!p) {
                check_runs_into(reader, file, table);
                return;
        }
        memcpy(file->partition, p->label, sizeof(file->partition));
        room = (uint64_t)p->address + p->size - file->address;
        if (file->size > room) {
                fault_set(
                        &fault, 0,
                        "file of %zu bytes at flash 0x%x does not fit partition %s: expected at most %" PRIu64
                        " bytes there",
                        file->size, file->address, p->label, room);
                report(reader, FINDING_ERROR, file, &fault, "");
        }
        if (p->type != PARTITION_APP)
                return;
        if (file->kind == IMAGE_FILE_BOOTLOADER)
                file->kind = IMAGE_FILE_APPLICATION;
        if (file->kind != IMAGE_FILE_APPLICATION && file->address == p->address) {
                fault_set(&fault, 0,
                          "no ESP image in application partition %s: expected one, unless it is encrypted",
                          p->label);
                report(reader, FINDING_WARNING, file, &fault, "");
        }
}

/* What the image is called: by an application that lies in an application's partition, else by any. */
static void name_image(struct image *image, const struct partition_table *table)
{
        const struct image_file *best = NULL;

        for (size_t i = 0; i < image->n_files; i++) {
                const struct image_file *file = &image->files[i];
                const struct partition *p = partition_table_find(table, file->address);

                if (!file->app_name[0] && !file->app_version[0])
                        continue;
                if (p && p->type == PARTITION_APP) {
                        best = file;
                        break;
                }
                best = best ?: file;
        }
        if (!best)
                return;
        memcpy(image->app_name, best->app_name, sizeof(image->app_name));
        memcpy(image->app_version, best->app_version, sizeof(image->app_version));
}

/* The first table that is found is the one that counts. */
static int look_into(struct image_reader *reader, struct image_file *file, struct partition_table *table)
{
        _cleanup_(content_done) struct content content = { 0 };
        int r = content_get(reader, file, &content);

        if (r < 0)
                return r;
        if (esp_image_is_magic(content.data, content.len))
                return check_esp_image(reader, file, &content);
        if (content.len <= PARTITION_TABLE_SECTOR && table->n_partitions == 0 &&
            partition_table_is_magic(content.data, content.len))
                return check_partition_table(reader, file, &content, table);
        return 0;
}

int image_check_content(struct image_reader *reader)
{
        _cleanup_(freep) struct partition_table *table = calloc(1, sizeof(*table));
        struct image *image = reader->image;
        int r = table ? join_parts(image) : -ENOMEM;

        for (size_t i = 0; r == 0 && i < image->n_files; i++)
                r = look_into(reader, &image->files[i], table);
        if (r < 0)
                return r;
        for (size_t i = 0; i < image->n_files; i++)
                check_fit(reader, &image->files[i], table);
        name_image(image, table);
        return 0;
}
