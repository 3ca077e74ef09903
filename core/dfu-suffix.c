/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <zlib.h>

#include "core/cursor.h"
#include "core/dfu-suffix.h"

#define CRC_SIZE 4

static const uint8_t signature[3] = { 'U', 'F', 'D' };

uint32_t dfu_suffix_crc(const void *data, size_t len)
{
        return ~(uint32_t)crc32_z(0, data, len);
}

/* All but the CRC's value. */
static int read_fields(const uint8_t *file, size_t len, struct dfu_suffix *ret, struct fault *fault)
{
        struct cursor c = cursor_over(file, len);
        const uint8_t *found;

        if (len < DFU_SUFFIX_SIZE)
                return fault_set(fault, 0, "%zu bytes: too short for a DFU suffix, expected at least %d", len,
                                 DFU_SUFFIX_SIZE);
        cursor_skip(&c, len - DFU_SUFFIX_SIZE);
        cursor_take_le16(&c, &ret->bcd_device);
        cursor_take_le16(&c, &ret->pid);
        cursor_take_le16(&c, &ret->vid);
        cursor_take_le16(&c, &ret->bcd_dfu);
        if (!cursor_take(&c, sizeof(signature), &found) || memcmp(found, signature, sizeof(signature)) != 0)
                return fault_set(fault, len - 8,
                                 "no DFU suffix: expected the signature \"UFD\" 8 bytes before the end");
        cursor_take_u8(&c, &ret->length);
        cursor_take_le32(&c, &ret->crc);
        if (ret->length < DFU_SUFFIX_SIZE || ret->length > len)
                return fault_set(fault, len - 5,
                                 "DFU suffix length %u: expected %d, and not more than the file",
                                 (unsigned)ret->length, DFU_SUFFIX_SIZE);
        return 0;
}

int dfu_suffix_read(const uint8_t *file, size_t len, struct dfu_suffix *ret, struct fault *fault)
{
        struct dfu_suffix suffix = { 0 };
        uint32_t crc;

        if (read_fields(file, len, &suffix, fault) != 0)
                return DFU_SUFFIX_MISSING;
        *ret = suffix;
        crc = dfu_suffix_crc(file, len - CRC_SIZE);
        if (crc == suffix.crc)
                return 0;
        fault_set(fault, len - CRC_SIZE,
                  "CRC 0x%08x in the DFU suffix: expected 0x%08x; the file is damaged or was changed",
                  suffix.crc, crc);
        return DFU_SUFFIX_BAD_CRC;
}

int dfu_suffix_append(struct bytes *payload, const struct dfu_suffix *suffix)
{
        uint8_t raw[DFU_SUFFIX_SIZE];
        int r;

        write_le16(raw, suffix->bcd_device);
        write_le16(raw + 2, suffix->pid);
        write_le16(raw + 4, suffix->vid);
        write_le16(raw + 6, suffix->bcd_dfu);
        memcpy(raw + 8, signature, sizeof(signature));
        raw[11] = DFU_SUFFIX_SIZE;
        r = bytes_append(payload, raw, DFU_SUFFIX_SIZE - CRC_SIZE);
        if (r < 0)
                return r;
        write_le32(raw + 12, dfu_suffix_crc(payload->data, payload->len));
        return bytes_append(payload, raw + 12, CRC_SIZE);
}
