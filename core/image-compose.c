/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/image-compose.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/cpio.h"
#include "core/dfuinfo.h"
#include "core/image-build.h"
#include "core/partition-table.h"

#define PLACES_SIZE 120 /* bytes of a message that list where partitions begin */

/* The archive while it grows; dfuinfo0.dat is known last. */
struct composer {
        const uint8_t *base;
        const struct image *image;
        const struct board_data_piece *piece;
        char name[IMAGE_NAME_SIZE + 1]; /* of the piece's file */
        struct bytes info, members;
};

static void composer_done(struct composer *c)
{
        bytes_done(&c->info);
        bytes_done(&c->members);
}

/* ---- whether it may lie there ---- */

static int explain(struct fault *fault, const char *text)
{
        return fault_set(fault, 0, "%s", text);
}

static const struct image_file *file_at(const struct image *image, uint32_t address)
{
        for (size_t i = 0; i < image->n_files; i++)
                if (image->files[i].address == address)
                        return &image->files[i];
        return NULL;
}

static uint64_t sector_below(uint64_t address)
{
        return address / FLASH_SECTOR_SIZE * FLASH_SECTOR_SIZE;
}

static uint64_t sector_end(uint64_t address)
{
        return sector_below(address + FLASH_SECTOR_SIZE - 1);
}

/* By whole sectors, since that is what is erased. */
static int check_neighbours(const struct image *image, uint32_t address, size_t size, struct fault *fault)
{
        uint64_t end = sector_end((uint64_t)address + size);

        for (size_t i = 0; i < image->n_files; i++) {
                const struct image_file *file = &image->files[i];
                uint64_t file_end = (uint64_t)file->address + file->size;

                if (file->address == address || sector_end(file_end) <= address ||
                    sector_below(file->address) >= end)
                        continue;
                return fault_set(fault, 0,
                                 "flash 0x%x to 0x%" PRIx64 " overlaps %s of the image at 0x%x to 0x%" PRIx64
                                 ": expected sectors of its own",
                                 address, end, file->name, file->address, file_end);
        }
        return 0;
}

/* The table of the image, joined where it has several parts; 1: it has none. A file of this kind is at most a sector. */
static int read_table(const uint8_t *base, const struct image *image, struct partition_table *ret)
{
        const struct image_file *file = NULL;
        uint8_t data[PARTITION_TABLE_SECTOR];
        struct fault fault;
        size_t len = 0;
        int r;

        for (size_t i = 0; i < image->n_files && !file; i++)
                if (image->files[i].kind == IMAGE_FILE_PARTITION_TABLE)
                        file = &image->files[i];
        if (!file || file->size > sizeof(data))
                return 1;
        for (size_t i = 0; i < file->n_members; i++) {
                const struct image_member *m = &image->members[file->first_member + i];

                memcpy(data + len, base + m->offset, m->size);
                len += m->size;
        }
        r = partition_table_read(data, len, ret, &fault);
        return r > 0 ? -EINVAL : r; /* the image was accepted with it */
}

/* "nvs at 0x9000, factory at 0x10000", cut to size. */
static void list_places(const struct partition_table *table, char *buffer, size_t size)
{
        size_t n = 0;

        buffer[0] = '\0';
        for (size_t i = 0; i < table->n_partitions && n < size; i++)
                if (table->partitions[i].type != PARTITION_APP)
                        n += (size_t)snprintf(buffer + n, size - n, "%s%s at 0x%x", n > 0 ? ", " : "",
                                              table->partitions[i].label, table->partitions[i].address);
        if (n == 0)
                snprintf(buffer, size, "none");
        else if (n >= size)
                snprintf(buffer + size - 4, 4, "...");
}

static const struct partition *partition_at(const struct partition_table *table, uint32_t address)
{
        for (size_t i = 0; i < table->n_partitions; i++)
                if (table->partitions[i].address == address)
                        return &table->partitions[i];
        return NULL;
}

static int check_partition(const struct partition_table *table, uint32_t address, size_t size,
                           struct fault *fault)
{
        const struct partition *p = partition_at(table, address);
        char places[PLACES_SIZE];

        if (!p) {
                list_places(table, places, sizeof(places));
                return fault_set(fault, 0,
                                 "no partition of the image begins at 0x%x: expected a data partition's: %s",
                                 address, places);
        }
        if (p->type == PARTITION_APP)
                return fault_set(fault, 0,
                                 "partition %s at 0x%x is for an application: expected a data partition",
                                 p->label, address);
        if (size > p->size)
                return fault_set(fault, 0, "%zu bytes do not fit partition %s at 0x%x: expected at most %u",
                                 size, p->label, address, p->size);
        return 0;
}

static int check_place(const struct image *image, uint32_t address, size_t size, struct fault *fault)
{
        if (image->n_files == 0)
                return explain(fault, "the image is no archive of files: expected what idf.py dfu makes");
        if (address % FLASH_SECTOR_SIZE != 0)
                return fault_set(fault, 0, "flash address 0x%x: expected a multiple of %d", address,
                                 FLASH_SECTOR_SIZE);
        if (size == 0)
                return explain(fault, "empty: expected data");
        if (size > BOARD_DATA_MAX)
                return fault_set(fault, 0, "%zu bytes: expected at most %" PRIu64, size, BOARD_DATA_MAX);
        if ((uint64_t)address + size > image->flash_size)
                return fault_set(fault, 0,
                                 "flash 0x%x to 0x%" PRIx64
                                 " is beyond the flash: expected an end of at most 0x%x",
                                 address, (uint64_t)address + size, image->flash_size);
        return 0;
}

int image_compose_check(const uint8_t *base, size_t base_len, const struct image *image, uint32_t address,
                        size_t size, struct fault *fault)
{
        _cleanup_(freep) struct partition_table *table = calloc(1, sizeof(*table));
        int r;

        if (!table)
                return -ENOMEM;
        if (image->payload_size > base_len)
                return -EINVAL;
        r = check_place(image, address, size, fault);
        if (r != 0)
                return r;
        r = read_table(base, image, table);
        if (r == 0)
                r = check_partition(table, address, size, fault);
        else if (r == 1)
                r = 0;
        return r == 0 ? check_neighbours(image, address, size, fault) : r;
}

/* ---- putting it there ---- */

static int add_member(struct composer *c, const struct dfuinfo_record *record, const uint8_t *data,
                      size_t size)
{
        int r = dfuinfo_append(&c->info, record);

        return r == 0 ? cpio_append(&c->members, record->name, data, size) : r;
}

static int add_old(struct composer *c, const struct image_member *m)
{
        struct dfuinfo_record record = { .address = m->address, .flags = m->flags };

        memcpy(record.name, m->name, MIN(sizeof(record.name), sizeof(m->name)));
        memcpy(record.md5, m->md5, sizeof(record.md5));
        return add_member(c, &record, c->base + m->offset, m->size);
}

static int part_name(char *name, size_t size, const char *file, size_t part)
{
        int n = part == 0 ? snprintf(name, size, "%s", file) : snprintf(name, size, "%s.%zu", file, part);

        return n < 0 || n >= DFUINFO_NAME_SIZE ? -ENAMETOOLONG : 0;
}

static int add_piece(struct composer *c)
{
        const struct board_data_piece *piece = c->piece;
        int r = 0;

        for (size_t part = 0, pos = 0; pos < piece->size && r == 0; part++, pos += IMAGE_PART_SIZE_DEFAULT) {
                size_t size = MIN(piece->size - pos, (size_t)IMAGE_PART_SIZE_DEFAULT);
                struct dfuinfo_record record = { .address = piece->address + (uint32_t)pos };

                r = part_name(record.name, sizeof(record.name), c->name, part);
                if (r == 0)
                        r = digest_md5(piece->data + pos, size, record.md5);
                if (r == 0)
                        r = add_member(c, &record, piece->data + pos, size);
        }
        return r;
}

/* In the place of what it replaces, else in the order of addresses. */
static int add_members(struct composer *c)
{
        const struct image *image = c->image;
        const struct image_file *old = file_at(image, c->piece->address);
        bool added = false;
        int r = 0;

        for (size_t i = 0; i < image->n_members && r == 0; i++) {
                const struct image_member *m = &image->members[i];
                bool is_old = old && i >= old->first_member && i < old->first_member + old->n_members;
                bool is_file = !(m->flags & IMAGE_FLASH_PARAMS);

                if (!added && (old ? is_old : is_file && m->address > c->piece->address)) {
                        r = add_piece(c);
                        added = true;
                }
                if (r == 0 && !is_old)
                        r = add_old(c, m);
        }
        return r == 0 && !added ? add_piece(c) : r;
}

/* Whether a member that stays is called so. */
static bool name_stays(const struct image *image, const struct image_file *old, const char *name)
{
        for (size_t i = 0; i < image->n_members; i++)
                if (streq(image->members[i].name, name) &&
                    !(old && i >= old->first_member && i < old->first_member + old->n_members))
                        return true;
        return false;
}

static bool name_serves(const struct composer *c, const struct image_file *old, const char *name)
{
        char part[DFUINFO_NAME_SIZE + 32];

        for (size_t i = 0; i * IMAGE_PART_SIZE_DEFAULT < c->piece->size; i++)
                if (part_name(part, sizeof(part), name, i) < 0 || name_stays(c->image, old, part))
                        return false;
        return true;
}

/* What it replaces keeps its name, unless its parts would be called like other members. */
static void choose_name(struct composer *c)
{
        const struct image_file *old = file_at(c->image, c->piece->address);

        if (old && name_serves(c, old, old->name)) {
                memcpy(c->name, old->name, sizeof(c->name));
                return;
        }
        snprintf(c->name, sizeof(c->name), "%s", BOARD_DATA_NAME);
        for (unsigned i = 2; i <= IMAGE_RECORDS_MAX + 2 && !name_serves(c, old, c->name); i++)
                snprintf(c->name, sizeof(c->name), "board-data-%u.bin", i);
}

static int finish(struct composer *c, size_t base_len, struct bytes *image)
{
        struct dfu_suffix suffix;
        struct fault fault;
        int r = dfu_suffix_read(c->base, base_len, &suffix, &fault);

        if (r > 0)
                return -EINVAL; /* the image was accepted with it */
        return r == 0 ? image_put_together(&c->info, &c->members, &suffix, image) : r;
}

/* Nothing is sent that the chip would not take, whatever went into it. */
static int check_result(const struct bytes *bytes, struct fault *fault)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;
        int r = image_parse(bytes->data, bytes->len, &findings, &image);

        for (size_t i = 0; r == 1 && i < findings.n_items; i++)
                if (findings.items[i].severity == FINDING_ERROR)
                        return fault_set(fault, 0, "the image with it in: %s%s%s",
                                         findings.items[i].member ? findings.items[i].member : "",
                                         findings.items[i].member ? ": " : "", findings.items[i].text);
        return r == 1 ? explain(fault, "the image with it in is refused") : r;
}

int image_compose(const uint8_t *base, size_t base_len, const struct image *image,
                  const struct board_data_piece *piece, uint8_t **ret, size_t *ret_len, struct fault *fault)
{
        _cleanup_(composer_done) struct composer c = { .base = base, .image = image, .piece = piece };
        _cleanup_(bytes_done) struct bytes composed = { 0 };
        int r = image_compose_check(base, base_len, image, piece->address, piece->size, fault);

        if (r != 0)
                return r;
        choose_name(&c);
        r = add_members(&c);
        if (r == 0)
                r = finish(&c, base_len, &composed);
        if (r == 0)
                r = check_result(&composed, fault);
        if (r != 0)
                return r;
        *ret_len = composed.len;
        *ret = take_ptr(composed.data);
        return 0;
}
