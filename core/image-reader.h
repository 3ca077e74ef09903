/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps of image_parse(), one file each; nobody else calls them. Each returns 0 (look at the findings) or a
 * negative errno.
 */
#pragma once

#include "core/image.h"

struct image_reader {
        const uint8_t *data; /* the whole file, borrowed */
        size_t len;
        struct findings *findings; /* borrowed */
        struct image *image;       /* what has been read so far; borrowed */
        bool complete; /* the archive could be read to its end and agrees with its records: what lies in flash is known */
};

#define image_error(reader, member, offset, ...)                                                             \
        findings_add((reader)->findings, FINDING_ERROR, member, offset, __VA_ARGS__)
#define image_warning(reader, member, offset, ...)                                                           \
        findings_add((reader)->findings, FINDING_WARNING, member, offset, __VA_ARGS__)

/* image-archive.c: the members, their records, their MD5s; fills members, flash_size. */
int image_read_archive(struct image_reader *reader);
/* image-layout.c: what the ROM erases and writes where. */
int image_check_layout(struct image_reader *reader);
/* image-content.c: joins parts to files and looks into them. */
int image_check_content(struct image_reader *reader);
