/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one way in which bytes from outside are read: a position in a buffer that never passes its end.
 * The buffer is borrowed. A call that returns false has moved nothing.
 */
#pragma once

#include "core/util.h"

struct cursor {
        const uint8_t *data;
        size_t len;
        size_t pos; /* always <= len */
};

static inline struct cursor cursor_over(const void *data, size_t len)
{
        return (struct cursor){ .data = data, .len = len };
}

/* Bytes from the buffer's start. */
static inline size_t cursor_offset(const struct cursor *c)
{
        return c->pos;
}

static inline size_t cursor_remaining(const struct cursor *c)
{
        return c->len - c->pos;
}

/* Takes the next n bytes; *ret points into the buffer. */
bool cursor_take(struct cursor *c, size_t n, const uint8_t **ret);
bool cursor_skip(struct cursor *c, size_t n);
/* Moves on to the next multiple of alignment (a power of two) from the buffer's start. */
bool cursor_align(struct cursor *c, size_t alignment);
bool cursor_take_u8(struct cursor *c, uint8_t *ret);
bool cursor_take_le16(struct cursor *c, uint16_t *ret);
bool cursor_take_le32(struct cursor *c, uint32_t *ret);
