/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "core/cpio.h"
#include "core/hex.h"

#define ALIGNMENT 4

/* The 13 numbers of a header, 8 hexadecimal digits each, in their order. */
enum field {
        FIELD_INO,
        FIELD_MODE,
        FIELD_UID,
        FIELD_GID,
        FIELD_NLINK,
        FIELD_MTIME,
        FIELD_FILESIZE,
        FIELD_DEVMAJOR,
        FIELD_DEVMINOR,
        FIELD_RDEVMAJOR,
        FIELD_RDEVMINOR,
        FIELD_NAMESIZE,
        FIELD_CHECK,
        FIELD_MAX_,
};

bool cpio_is_magic(const uint8_t *bytes, size_t len)
{
        return len >= CPIO_MAGIC_SIZE && memcmp(bytes, "07070", 5) == 0 &&
               (bytes[5] == '1' || bytes[5] == '2');
}

static int parse_fields(const uint8_t *header, size_t offset, uint32_t fields[FIELD_MAX_],
                        struct fault *fault)
{
        for (size_t i = 0; i < FIELD_MAX_; i++) {
                const uint8_t *digits = header + CPIO_MAGIC_SIZE + 8 * i;

                fields[i] = 0;
                for (size_t j = 0; j < 8; j++) {
                        int digit = hex_digit((char)digits[j]);

                        if (digit < 0)
                                return fault_set(fault, offset + CPIO_MAGIC_SIZE + 8 * i + j,
                                                 "byte 0x%02x in a CPIO header: expected a hexadecimal digit",
                                                 (unsigned)digits[j]);
                        fields[i] = fields[i] << 4 | (uint32_t)digit;
                }
        }
        return 0;
}

static int take_name(struct cursor *c, uint32_t size, const char **ret, struct fault *fault)
{
        size_t offset = cursor_offset(c);
        const uint8_t *name;

        if (size < 2 || size > CPIO_NAME_MAX + 1)
                return fault_set(fault, offset,
                                 "name of %u bytes in a CPIO header: expected 2 to %d, the NUL included",
                                 size, CPIO_NAME_MAX + 1);
        if (!cursor_take(c, size, &name))
                return fault_set(fault, offset,
                                 "archive ends in a member's name: %zu bytes left, expected %u",
                                 cursor_remaining(c), size);
        if (memchr(name, '\0', size) != name + size - 1)
                return fault_set(fault, offset, "member's name of %u bytes: expected one NUL, at its end",
                                 size);
        *ret = (const char *)name;
        return 0;
}

int cpio_next(struct cursor *c, struct cpio_member *ret, struct fault *fault)
{
        struct cpio_member member = { .header = cursor_offset(c), .name = "" };
        uint32_t fields[FIELD_MAX_] = { 0 };
        const uint8_t *header;
        int r;

        if (!cursor_take(c, CPIO_HEADER_SIZE, &header))
                return fault_set(fault, member.header,
                                 "archive ends without " CPIO_TRAILER
                                 ": %zu bytes left, expected a CPIO header",
                                 cursor_remaining(c));
        if (!cpio_is_magic(header, CPIO_HEADER_SIZE))
                return fault_set(fault, member.header, "no CPIO header: expected 070701 or 070702");
        r = parse_fields(header, member.header, fields, fault);
        if (r == 0)
                r = take_name(c, fields[FIELD_NAMESIZE], &member.name, fault);
        if (r != 0)
                return r;
        member.is_trailer = streq(member.name, CPIO_TRAILER);
        member.has_checksum = header[CPIO_MAGIC_SIZE - 1] == '2';
        member.checksum = fields[FIELD_CHECK];
        member.mode = fields[FIELD_MODE];
        member.size = fields[FIELD_FILESIZE];
        if (!cursor_align(c, ALIGNMENT) || member.size > cursor_remaining(c))
                return fault_set(fault, cursor_offset(c),
                                 "archive ends in member %s: %zu bytes left, expected %zu", member.name,
                                 cursor_remaining(c), member.size);
        member.offset = cursor_offset(c);
        cursor_take(c, member.size, &member.data);
        if (!cursor_align(c, ALIGNMENT))
                return fault_set(fault, cursor_offset(c),
                                 "archive ends behind member %s: expected " CPIO_TRAILER, member.name);
        *ret = member;
        return 0;
}

uint32_t cpio_checksum(const uint8_t *data, size_t len)
{
        uint32_t sum = 0;

        for (size_t i = 0; i < len; i++)
                sum += data[i];
        return sum;
}

static int append_entry(struct bytes *archive, const char *name, uint32_t mode, uint32_t nlink,
                        const uint8_t *data, size_t len)
{
        uint32_t fields[FIELD_MAX_] = {
                [FIELD_MODE] = mode,
                [FIELD_NLINK] = nlink,
                [FIELD_FILESIZE] = (uint32_t)len,
                [FIELD_NAMESIZE] = (uint32_t)strlen(name) + 1,
        };
        char digits[9];
        int r = bytes_append(archive, "070701", CPIO_MAGIC_SIZE);

        for (size_t i = 0; r == 0 && i < FIELD_MAX_; i++) {
                snprintf(digits, sizeof(digits), "%08x", fields[i]);
                r = bytes_append(archive, digits, 8);
        }
        if (r == 0)
                r = bytes_append(archive, name, strlen(name) + 1);
        if (r == 0)
                r = bytes_pad(archive, ALIGNMENT);
        if (r == 0)
                r = bytes_append(archive, data, len);
        return r == 0 ? bytes_pad(archive, ALIGNMENT) : r;
}

int cpio_append(struct bytes *archive, const char *name, const uint8_t *data, size_t len)
{
        if (len > UINT32_MAX)
                return -EFBIG;
        return append_entry(archive, name, 0100644, 0, data, len);
}

int cpio_append_trailer(struct bytes *archive)
{
        return append_entry(archive, CPIO_TRAILER, 0, 1, NULL, 0);
}
