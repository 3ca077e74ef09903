/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dfuinfo0.dat, the first member of a DFU image: one record for each member behind it, saying where it goes; and
 * flash_params.dat, which tells the ROM what flash there is.
 * Source: docs/rom-dfu.md, "The archive that the chip is fed".
 */
#pragma once

#include "core/bytes.h"
#include "core/cursor.h"
#include "core/digest.h"

#define DFUINFO_NAME        "dfuinfo0.dat"
#define DFUINFO_RECORD_SIZE 88
#define DFUINFO_NAME_SIZE   64 /* with at least one NUL */

#define FLASH_PARAMS_NAME "flash_params.dat"
#define FLASH_PARAMS_SIZE 32

struct dfuinfo_record {
        uint32_t address;
        uint32_t flags;
        char name[DFUINFO_NAME_SIZE + 1]; /* NUL-terminated here in any case */
        bool name_is_terminated;          /* and there too, with nothing but NULs behind */
        uint8_t md5[MD5_SIZE];
};

/* False at the end. */
bool dfuinfo_take(struct cursor *c, struct dfuinfo_record *ret);
/* 0 or -ENOMEM. record->name has at most 63 bytes. */
int dfuinfo_append(struct bytes *bytes, const struct dfuinfo_record *record);

/* The ROM's description of a flash chip, in its order. */
struct flash_params {
        uint32_t is_hspi, legacy, device_id; /* not looked at */
        uint32_t flash_size;                 /* bytes, as are the next three */
        uint32_t block_size, sector_size, page_size;
        uint32_t status_mask;
};

/* What every image has, but for the size. */
#define FLASH_PARAMS_BLOCK_SIZE  0x10000u
#define FLASH_PARAMS_SECTOR_SIZE 0x1000u
#define FLASH_PARAMS_PAGE_SIZE   0x100u
#define FLASH_PARAMS_STATUS_MASK 0xffffu

void flash_params_read(const uint8_t raw[FLASH_PARAMS_SIZE], struct flash_params *ret);
void flash_params_write(uint32_t flash_size, uint8_t ret[FLASH_PARAMS_SIZE]);
