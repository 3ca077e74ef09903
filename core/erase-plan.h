/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where in an archive the ROM will erase: at each member's first bytes, the member's whole range, inside that one
 * DNLOAD. From the CPIO headers alone, without a hash: the engine asks it for its time limits, the daemon has validated
 * the image long before. That it walks at all is the engine's own guard against the raw-mode trap.
 * Source: docs/rom-dfu.md, "The archive that the chip is fed".
 */
#pragma once

#include "core/finding.h"
#include "core/image.h"

struct erase_plan {
        struct {
                size_t offset; /* of the member's data in the archive */
                size_t bytes;  /* whole sectors */
        } items[IMAGE_RECORDS_MAX + 1];
        size_t n_items;
        size_t flash_bytes; /* what is written, and read back in the end */
};

/* archive: what is sent, without the suffix. Returns 0, or 1 with *fault where the ROM would not take it as an archive. */
int erase_plan_make(const uint8_t *archive, size_t len, struct erase_plan *ret, struct fault *fault);

/* Bytes that the ROM erases when it takes [offset, offset + len) of the archive. */
size_t erase_plan_bytes(const struct erase_plan *plan, size_t offset, size_t len);
