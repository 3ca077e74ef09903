/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/cursor.h"

bool cursor_take(struct cursor *c, size_t n, const uint8_t **ret)
{
        if (n > cursor_remaining(c))
                return false;
        *ret = c->data + c->pos;
        c->pos += n;
        return true;
}

bool cursor_skip(struct cursor *c, size_t n)
{
        const uint8_t *skipped;

        return cursor_take(c, n, &skipped);
}

bool cursor_align(struct cursor *c, size_t alignment)
{
        return cursor_skip(c, -c->pos & (alignment - 1));
}

bool cursor_take_u8(struct cursor *c, uint8_t *ret)
{
        const uint8_t *p;

        if (!cursor_take(c, 1, &p))
                return false;
        *ret = *p;
        return true;
}

bool cursor_take_le16(struct cursor *c, uint16_t *ret)
{
        const uint8_t *p;

        if (!cursor_take(c, 2, &p))
                return false;
        *ret = read_le16(p);
        return true;
}

bool cursor_take_le32(struct cursor *c, uint32_t *ret)
{
        const uint8_t *p;

        if (!cursor_take(c, 4, &p))
                return false;
        *ret = read_le32(p);
        return true;
}
