/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPIO archives in the "new ASCII" form: 070701 (newc) and 070702 (newc with a checksum).
 * Source: cpio(5), "New ASCII Format" and "New CRC Format".
 */
#pragma once

#include "core/bytes.h"
#include "core/cursor.h"
#include "core/finding.h"

#define CPIO_MAGIC_SIZE  6
#define CPIO_HEADER_SIZE 110
#define CPIO_NAME_MAX    255 /* bytes, without the NUL; a longer name is a fault */
#define CPIO_TRAILER     "TRAILER!!!"

struct cpio_member {
        const char *name;    /* in the archive, NUL-terminated */
        size_t header;       /* offset of the header */
        const uint8_t *data; /* in the archive */
        size_t offset;       /* of the data */
        size_t size;         /* bytes of data */
        uint32_t mode;
        bool is_trailer;
        bool has_checksum; /* 070702 */
        uint32_t checksum; /* as the header has it */
};

/* Whether bytes begin as a member does. */
bool cpio_is_magic(const uint8_t *bytes, size_t len);

/* Takes the next member, the trailer as well. Offsets count from the cursor's start.
 * Returns 0, or 1 with *fault: no member can be read from here on. */
int cpio_next(struct cursor *c, struct cpio_member *ret, struct fault *fault);

/* The sum that a 070702 header carries. */
uint32_t cpio_checksum(const uint8_t *data, size_t len);

/* Appends one member as mkdfu.py does (070701, all fields zero but mode, filesize and namesize). 0 or -ENOMEM;
 * -EFBIG for 4 GiB or more. */
int cpio_append(struct bytes *archive, const char *name, const uint8_t *data, size_t len);
int cpio_append_trailer(struct bytes *archive);
