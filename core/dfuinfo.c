/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/dfuinfo.h"

static bool all_zero(const uint8_t *p, size_t len)
{
        for (size_t i = 0; i < len; i++)
                if (p[i] != 0)
                        return false;
        return true;
}

bool dfuinfo_take(struct cursor *c, struct dfuinfo_record *ret)
{
        struct dfuinfo_record record = { 0 };
        const uint8_t *name, *md5;
        size_t length;

        if (cursor_remaining(c) < DFUINFO_RECORD_SIZE)
                return false;
        cursor_take_le32(c, &record.address);
        cursor_take_le32(c, &record.flags);
        cursor_take(c, DFUINFO_NAME_SIZE, &name);
        cursor_take(c, MD5_SIZE, &md5);
        memcpy(record.name, name, DFUINFO_NAME_SIZE);
        memcpy(record.md5, md5, MD5_SIZE);
        length = strlen(record.name);
        record.name_is_terminated = length < DFUINFO_NAME_SIZE &&
                                    all_zero(name + length, DFUINFO_NAME_SIZE - length);
        *ret = record;
        return true;
}

int dfuinfo_append(struct bytes *bytes, const struct dfuinfo_record *record)
{
        uint8_t raw[DFUINFO_RECORD_SIZE] = { 0 };

        write_le32(raw, record->address);
        write_le32(raw + 4, record->flags);
        memcpy(raw + 8, record->name, strnlen(record->name, DFUINFO_NAME_SIZE - 1));
        memcpy(raw + 8 + DFUINFO_NAME_SIZE, record->md5, MD5_SIZE);
        return bytes_append(bytes, raw, sizeof(raw));
}

void flash_params_read(const uint8_t raw[FLASH_PARAMS_SIZE], struct flash_params *ret)
{
        *ret = (struct flash_params){
                .is_hspi = read_le32(raw),
                .legacy = read_le32(raw + 4),
                .device_id = read_le32(raw + 8),
                .flash_size = read_le32(raw + 12),
                .block_size = read_le32(raw + 16),
                .sector_size = read_le32(raw + 20),
                .page_size = read_le32(raw + 24),
                .status_mask = read_le32(raw + 28),
        };
}

void flash_params_write(uint32_t flash_size, uint8_t ret[FLASH_PARAMS_SIZE])
{
        memset(ret, 0, FLASH_PARAMS_SIZE);
        write_le32(ret + 12, flash_size);
        write_le32(ret + 16, FLASH_PARAMS_BLOCK_SIZE);
        write_le32(ret + 20, FLASH_PARAMS_SECTOR_SIZE);
        write_le32(ret + 24, FLASH_PARAMS_PAGE_SIZE);
        write_le32(ret + 28, FLASH_PARAMS_STATUS_MASK);
}
