/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the ROM does to the flash, member by member in the archive's order: it erases the whole sectors that a member
 * touches, then writes it. So nothing may lie beyond the flash, no two may overlap, and no member's erase may wipe
 * what an earlier one wrote.
 */
#include <inttypes.h>

#include "core/dfuinfo.h"
#include "core/image-reader.h"

struct range {
        uint64_t start, end; /* flash addresses; end is behind the last byte */
};

static bool is_flashed(const struct image_member *member)
{
        return !(member->flags & IMAGE_FLASH_PARAMS);
}

static struct range data_range(const struct image_member *member)
{
        return (struct range){ member->address, (uint64_t)member->address + member->size };
}

/* Empty where nothing is erased. */
static struct range erase_range(const struct image_member *member)
{
        struct range data = data_range(member);

        if (!is_flashed(member) || (member->flags & IMAGE_NO_ERASE) || member->size == 0)
                return (struct range){ 0 };
        return (struct range){
                data.start / FLASH_SECTOR_SIZE * FLASH_SECTOR_SIZE,
                (data.end + FLASH_SECTOR_SIZE - 1) / FLASH_SECTOR_SIZE * FLASH_SECTOR_SIZE,
        };
}

static struct range common_range(struct range a, struct range b)
{
        struct range common;

        common.start = MAX(a.start, b.start);
        common.end = MIN(a.end, b.end);
        return common.start < common.end ? common : (struct range){ 0 };
}

/* In whole sectors: the ROM erases all of it when the member's first byte arrives. */
static uint64_t erase_bytes(const struct image_member *member)
{
        struct range range = erase_range(member);

        return range.end - range.start;
}

static void check_geometry(struct image_reader *reader, const struct image_member *m,
                           const struct flash_params *params)
{
        const struct {
                const char *what;
                size_t offset;
                uint32_t found, expected;
        } fields[] = {
                { "block size", 16, params->block_size, FLASH_PARAMS_BLOCK_SIZE },
                { "sector size", 20, params->sector_size, FLASH_PARAMS_SECTOR_SIZE },
                { "page size", 24, params->page_size, FLASH_PARAMS_PAGE_SIZE },
        };

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                if (fields[i].found != fields[i].expected)
                        image_error(reader, m->name, m->offset + fields[i].offset,
                                    "%s of %u bytes: expected %u", fields[i].what, fields[i].found,
                                    fields[i].expected);
        if (params->status_mask != FLASH_PARAMS_STATUS_MASK)
                image_warning(reader, m->name, m->offset + 28, "status mask 0x%x: expected 0x%x",
                              params->status_mask, FLASH_PARAMS_STATUS_MASK);
}

static void read_flash_params(struct image_reader *reader, const struct image_member *m)
{
        struct flash_params params;

        if (m->size != FLASH_PARAMS_SIZE) {
                image_error(reader, m->name, m->offset, "%zu bytes: expected %d", m->size, FLASH_PARAMS_SIZE);
                return;
        }
        flash_params_read(reader->data + m->offset, &params);
        check_geometry(reader, m, &params);
        if (params.flash_size < FLASH_SIZE_MIN || params.flash_size > FLASH_SIZE_MAX ||
            params.flash_size % FLASH_PARAMS_BLOCK_SIZE != 0) {
                image_error(reader, m->name, m->offset + 12,
                            "flash size of %u bytes: expected %zu to %zu, a multiple of %u",
                            params.flash_size, (size_t)FLASH_SIZE_MIN, (size_t)FLASH_SIZE_MAX,
                            FLASH_PARAMS_BLOCK_SIZE);
                return;
        }
        reader->image->flash_size = params.flash_size;
}

/* It must come before all that is written, which it describes. */
static void find_flash_params(struct image_reader *reader)
{
        const struct image *image = reader->image;

        for (size_t i = 0; i < image->n_members; i++) {
                const struct image_member *m = &image->members[i];

                if (!streq(m->name, FLASH_PARAMS_NAME))
                        continue;
                if (i > 0)
                        image_error(reader, m->name, m->offset,
                                    "member %zu: expected it right behind " DFUINFO_NAME ", before the files",
                                    i + 1);
                read_flash_params(reader, m);
                return;
        }
        image_error(reader, NULL, 0,
                    "no " FLASH_PARAMS_NAME
                    ": the chip would not know its flash; expected it behind " DFUINFO_NAME);
}

static void check_end(struct image_reader *reader, const struct image_member *m)
{
        struct range range = data_range(m);
        uint32_t flash_size = reader->image->flash_size;

        if (flash_size > 0 && range.end > flash_size)
                image_error(reader, m->name, m->offset,
                            "flash 0x%" PRIx64 " to 0x%" PRIx64
                            " is beyond the flash: expected an end of at most 0x%x",
                            range.start, range.end, flash_size);
}

/* What lies before in the sector is none of the image's. */
static void check_start(struct image_reader *reader, const struct image_member *m)
{
        if (m->address % FLASH_SECTOR_SIZE != 0 && !(m->flags & IMAGE_NO_ERASE))
                image_warning(reader, m->name, m->offset,
                              "flash address 0x%x is not at a sector's start: its erase also wipes the %u "
                              "bytes before; "
                              "expected a multiple of %d",
                              m->address, m->address % FLASH_SECTOR_SIZE, FLASH_SECTOR_SIZE);
}

/* An erased flash byte reads 0xff, so losing one of those loses nothing. */
static bool loses_data(const struct image_reader *reader, const struct image_member *m, struct range wiped)
{
        for (uint64_t at = wiped.start; at < wiped.end; at++)
                if (reader->data[m->offset + (size_t)(at - m->address)] != 0xff)
                        return true;
        return false;
}

/* Returns whether the later member does anything to the earlier one. */
static bool check_pair(struct image_reader *reader, const struct image_member *earlier,
                       const struct image_member *later)
{
        struct range common = common_range(data_range(earlier), data_range(later)), wiped;

        if (common.end > 0) {
                image_error(reader, later->name, later->offset,
                            "overlaps %s at flash 0x%" PRIx64 " to 0x%" PRIx64
                            ": expected files side by side",
                            earlier->name, common.start, common.end);
                return true;
        }
        wiped = common_range(data_range(earlier), erase_range(later));
        if (wiped.end == 0)
                return false;
        if (loses_data(reader, earlier, wiped))
                image_error(reader, later->name, later->offset,
                            "its erase wipes %" PRIu64 " bytes of %s at flash 0x%" PRIx64
                            ": expected parts and addresses in multiples of %d bytes",
                            wiped.end - wiped.start, earlier->name, wiped.start, FLASH_SECTOR_SIZE);
        else
                image_warning(reader, later->name, later->offset,
                              "its erase touches %s at flash 0x%" PRIx64
                              ", where that is 0xff: expected parts and addresses in multiples of %d bytes",
                              earlier->name, wiped.start, FLASH_SECTOR_SIZE);
        return true;
}

static void check_member(struct image_reader *reader, size_t index)
{
        const struct image_member *members = reader->image->members, *m = &members[index];
        bool harms = false;

        check_end(reader, m);
        for (size_t i = 0; i < index; i++)
                if (is_flashed(&members[i]))
                        harms = check_pair(reader, &members[i], m) || harms;
        if (!harms)
                check_start(reader, m);
}

int image_check_layout(struct image_reader *reader)
{
        struct image *image = reader->image;

        find_flash_params(reader);
        for (size_t i = 0; i < image->n_members; i++) {
                if (!is_flashed(&image->members[i]))
                        continue;
                check_member(reader, i);
                image->erase_bytes += erase_bytes(&image->members[i]);
                image->flash_bytes += image->members[i].size;
        }
        if (image->flash_bytes == 0)
                image_error(reader, NULL, 0,
                            "archive holds no file to flash: expected one behind " FLASH_PARAMS_NAME);
        return 0;
}
