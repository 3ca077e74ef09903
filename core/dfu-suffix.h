/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The 16 bytes at the end of a DFU file: for which device it is, and a CRC-32. They stay on the host.
 * Source: DFU 1.1 specification, appendix B.
 */
#pragma once

#include "core/bytes.h"
#include "core/finding.h"

#define DFU_SUFFIX_SIZE 16
#define DFU_ID_ANY      0xffff /* as vid, pid or bcd_device: matches everything */

struct dfu_suffix {
        uint16_t bcd_device, pid, vid;
        uint16_t bcd_dfu;
        uint8_t length; /* of the suffix: 16 to the file's size */
        uint32_t crc;
};

enum dfu_suffix_verdict {
        DFU_SUFFIX_MISSING = 1, /* *ret is untouched */
        DFU_SUFFIX_BAD_CRC,     /* *ret is filled */
};

/* Reads the suffix of a whole file and checks signature, length and CRC. Returns 0, or a verdict with *fault. */
int dfu_suffix_read(const uint8_t *file, size_t len, struct dfu_suffix *ret, struct fault *fault);

/* Appends the suffix to a payload; length and crc of suffix are not looked at. Returns 0 or -ENOMEM. */
int dfu_suffix_append(struct bytes *payload, const struct dfu_suffix *suffix);

/* CRC-32 as the suffix has it: without the final inversion. */
uint32_t dfu_suffix_crc(const void *data, size_t len);
