/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A partition table as ESP-IDF's gen_esp32part.py makes it: entries of 32 bytes, an MD5 over them, then 0xff.
 * Source: ESP-IDF, "Partition Tables".
 */
#pragma once

#include "core/finding.h"

#define PARTITION_TABLE_MAX    0xc00  /* bytes that the bootloader reads */
#define PARTITION_TABLE_SECTOR 0x1000 /* what it has in flash */
#define PARTITIONS_MAX         (PARTITION_TABLE_MAX / 32 - 1)

enum { PARTITION_APP = 0x00, PARTITION_DATA = 0x01 };

struct partition {
        uint8_t type, subtype;
        uint32_t address, size; /* bytes */
        char label[17];         /* printable */
        size_t offset;          /* of the entry in the table */
};

struct partition_table {
        struct partition partitions[PARTITIONS_MAX];
        size_t n_partitions;
        bool has_md5;
};

/* Whether data begins as a table does. */
bool partition_table_is_magic(const uint8_t *data, size_t len);

/* Returns 0, 1 with *fault (and *ret filled up to there), or a negative errno from the digest. */
int partition_table_read(const uint8_t *data, size_t len, struct partition_table *ret, struct fault *fault);

/* The partition that address lies in, or NULL. */
const struct partition *partition_table_find(const struct partition_table *table, uint32_t address);
