/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/bytes.h"

static int bytes_reserve(struct bytes *bytes, size_t more)
{
        size_t wanted, size;
        uint8_t *data;

        if (__builtin_add_overflow(bytes->len, more, &wanted))
                return -ENOMEM;
        if (wanted <= bytes->allocated)
                return 0;
        if (__builtin_mul_overflow(wanted, (size_t)2, &size))
                return -ENOMEM;
        data = realloc(bytes->data, size);
        if (!data)
                return -ENOMEM;
        bytes->data = data;
        bytes->allocated = size;
        return 0;
}

int bytes_append(struct bytes *bytes, const void *data, size_t len)
{
        int r = bytes_reserve(bytes, len);

        if (r < 0)
                return r;
        if (len > 0)
                memcpy(bytes->data + bytes->len, data, len);
        bytes->len += len;
        return 0;
}

int bytes_append_zeros(struct bytes *bytes, size_t len)
{
        int r = bytes_reserve(bytes, len);

        if (r < 0)
                return r;
        if (len > 0)
                memset(bytes->data + bytes->len, 0, len);
        bytes->len += len;
        return 0;
}

int bytes_pad(struct bytes *bytes, size_t multiple)
{
        size_t over = bytes->len % multiple;

        return over ? bytes_append_zeros(bytes, multiple - over) : 0;
}

void bytes_done(struct bytes *bytes)
{
        free(bytes->data);
        *bytes = (struct bytes){ 0 };
}
