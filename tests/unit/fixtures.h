/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images for the tests, made of nothing: files by formula, ESP images, partition tables, and a way to put any
 * archive together, right or wrong. Whatever fails here is the test's fault and aborts it.
 */
#pragma once

#include "core/bytes.h"
#include "core/image-build.h"

/* Byte i of len bytes: (i * i * seed + i * 7 + seed) & 255. To be freed. */
uint8_t *fixture_bytes(size_t len, uint32_t seed);

/* An ESP image for chip_id with two segments, checksum and SHA-256; an application where version is not NULL. */
struct bytes fixture_esp_image(uint16_t chip_id, const char *name, const char *version);
/* The same with code_size bytes in its second segment. */
struct bytes fixture_esp_image_of_size(uint16_t chip_id, const char *name, const char *version,
                                       size_t code_size);

/* One entry of a partition table. */
struct fixture_partition {
        uint8_t type, subtype;
        uint32_t address, size;
        const char *label;
};
/* With MD5, filled up to 0xc00 with 0xff. n up to 94. */
struct bytes fixture_partition_table(const struct fixture_partition *partitions, size_t n);

/* What a whole board gets: bootloader.bin, partition-table.bin, app.bin "gizmo" "1.4.2", 4 MB. */
struct bytes fixture_board_image(const struct chip *chip);

/* One member of an archive, with its record. The test changes what it likes before fixture_archive(). */
struct fixture_member {
        char name[300];
        char record_name[64]; /* "" for none: no record lists it */
        uint32_t address, flags;
        uint8_t *data; /* owned */
        size_t size;
        bool keep_md5; /* record md5 as it stands, do not make it right */
        uint8_t md5[16];
};

struct fixture_archive {
        const char *info_name; /* of the first member; dfuinfo0.dat */
        struct fixture_member members[80];
        size_t n_members;
        const char *trailer; /* TRAILER!!! */
        const void *tail;    /* behind the trailer, borrowed */
        size_t tail_size;
        size_t block; /* padding to a multiple; 10240 */
        uint16_t vid, pid, bcd_dfu;
};

/* flash_params.dat (4 MB, esp32s2) alone. */
void fixture_archive_init(struct fixture_archive *a);
struct fixture_member *fixture_archive_add(struct fixture_archive *a, const char *name, uint32_t address,
                                           const void *data, size_t size);
/* The same with two parts of a file by formula, and a small one: a good image of 2 sectors and a bit. */
void fixture_archive_small(struct fixture_archive *a);
struct bytes fixture_archive_make(const struct fixture_archive *a);
void fixture_archive_done(struct fixture_archive *a);

/* Makes the suffix's CRC right again. */
void fixture_mend_crc(struct bytes *image);
