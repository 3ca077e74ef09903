/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where chance comes from: a seed, the same on every machine; or bytes, which a fuzzer chose. */
#pragma once

#include <stdio.h>

#include "core/bytes.h"

struct dice {
        uint64_t seed, random;
        const uint8_t *bytes; /* or NULL; borrowed */
        size_t len, pos;
        struct bytes *record; /* or NULL: gets the bytes that would have fallen as the seed did; borrowed */
        char name[40];
};

static inline struct dice dice_of_seed(uint64_t seed)
{
        return (struct dice){ .seed = seed, .random = seed * 0x9e3779b97f4a7c15 + 1 };
}

static inline struct dice dice_of_bytes(const uint8_t *bytes, size_t len)
{
        return (struct dice){ .bytes = bytes, .len = len };
}

/* Whether all bytes are used up: from now on it is always 0. Never with a seed. */
static inline bool dice_are_used_up(const struct dice *d)
{
        return d->bytes && d->pos >= d->len;
}

/* Which throw it is, for a failure's text. */
static inline const char *dice_name(struct dice *d)
{
        if (d->bytes)
                snprintf(d->name, sizeof(d->name), "byte %zu of %zu", d->pos, d->len);
        else
                snprintf(d->name, sizeof(d->name), "seed %llu", (unsigned long long)d->seed);
        return d->name;
}

static inline uint32_t roll_seed(struct dice *d)
{
        d->random ^= d->random >> 12;
        d->random ^= d->random << 25;
        d->random ^= d->random >> 27;
        return (uint32_t)((d->random * UINT64_C(2685821657736338717)) >> 33); /* xorshift64* */
}

/* 0 to sides - 1. Of bytes as many are taken as that needs. */
static inline uint32_t roll(struct dice *d, uint32_t sides)
{
        uint32_t value = d->bytes ? 0 : roll_seed(d) % sides;
        unsigned n = sides > 0x10000 ? 3 : sides > 0x100 ? 2 : sides > 1 ? 1 : 0;

        while (n-- > 0) {
                uint8_t byte = (uint8_t)(value >> 8 * n);

                if (d->bytes)
                        value = value << 8 | (d->pos < d->len ? d->bytes[d->pos++] : 0);
                else if (d->record && bytes_append(d->record, &byte, 1) < 0)
                        abort();
        }
        return value % sides;
}
