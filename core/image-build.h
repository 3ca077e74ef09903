/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a DFU image out of files, byte for byte as ESP-IDF's mkdfu.py makes it.
 * Source: docs/rom-dfu.md, "The archive that the chip is fed".
 */
#pragma once

#include "core/bytes.h"
#include "core/dfu-suffix.h"
#include "core/image.h"

#define IMAGE_PART_SIZE_DEFAULT  (512 * KIB)
#define IMAGE_FLASH_SIZE_DEFAULT (2 * MIB)

struct image_build_file {
        uint32_t address;    /* in flash */
        const char *name;    /* without directories; borrowed */
        const uint8_t *data; /* borrowed */
        size_t size;
};

struct image_build {
        const struct chip *chip;
        uint32_t flash_size; /* bytes */
        size_t part_size;    /* bytes; larger files are split into parts of this size; not 0 */
        const struct image_build_file *files; /* in any order; of two with one address the later counts */
        size_t n_files;
};

/* What image_parse() would find in the result is found here already; but parts off the sector grid, which the chip
 * cannot take, are only warned about.
 * Returns 0, *ret (to be freed) and *ret_len; 1 when findings got an error (both untouched), -ENOMEM, or -EOPNOTSUPP. */
int image_build(const struct image_build *build, struct findings *findings, uint8_t **ret, size_t *ret_len);

/* dfuinfo0.dat of these records, the members that they list, the trailer, the padding and the suffix: appended to image.
 * 0 or -ENOMEM. */
int image_put_together(const struct bytes *records, const struct bytes *members,
                       const struct dfu_suffix *suffix, struct bytes *image);

/* "0x1000" or "4096": 0, or -EINVAL. Leading zeros ("010") are refused, since people read them as octal. */
int flash_address_parse(const char *s, uint32_t *ret);
/* "1MB", "2MB", … "128MB", as esptool names them: 0, or -EINVAL. */
int flash_size_parse(const char *s, uint32_t *ret);
