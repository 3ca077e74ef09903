/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small vocabulary that every file uses: ownership, bounds, little-endian integers. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b)                                                                                            \
        ({                                                                                                   \
                __typeof__(a) min_a_ = (a);                                                                  \
                __typeof__(b) min_b_ = (b);                                                                  \
                min_a_ < min_b_ ? min_a_ : min_b_;                                                           \
        })
#define MAX(a, b)                                                                                            \
        ({                                                                                                   \
                __typeof__(a) max_a_ = (a);                                                                  \
                __typeof__(b) max_b_ = (b);                                                                  \
                max_a_ > max_b_ ? max_a_ : max_b_;                                                           \
        })

/* A variable that is released when it goes out of scope; take_ptr() and take_fd() move it out. */
#define _cleanup_(f)         __attribute__((cleanup(f)))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))

#define take_ptr(p)                                                                                          \
        ({                                                                                                   \
                __typeof__(p) taken_ = (p);                                                                  \
                (p) = NULL;                                                                                  \
                taken_;                                                                                      \
        })

static inline int take_fd(int *fd)
{
        int taken = *fd;

        *fd = -EBADF;
        return taken;
}

/* struct foo *foo_free(struct foo *) -> foo_freep(), for _cleanup_(). */
#define DEFINE_CLEANUP(type, free_function)                                                                  \
        static inline void free_function##p(type **p)                                                        \
        {                                                                                                    \
                if (*p)                                                                                      \
                        free_function(*p);                                                                   \
        }

static inline void freep(void *p)
{
        free(*(void **)p);
}

static inline bool streq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

/* As streq(), where either may be NULL; NULL equals NULL alone. */
static inline bool streq_ptr(const char *a, const char *b)
{
        return a && b ? streq(a, b) : a == b;
}

static inline bool str_has_prefix(const char *s, const char *prefix)
{
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Replaces *p, which owns its string, by a copy of s (NULL clears it). Returns 0 or -ENOMEM; *p stays on failure. */
static inline int free_and_strdup(char **p, const char *s)
{
        char *copy = NULL;

        if (s && !(copy = strdup(s)))
                return -ENOMEM;
        free(*p);
        *p = copy;
        return 0;
}

static inline uint16_t read_le16(const void *p)
{
        const uint8_t *b = p;

        return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t read_le32(const void *p)
{
        const uint8_t *b = p;

        return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline void write_le16(void *p, uint16_t v)
{
        uint8_t *b = p;

        b[0] = (uint8_t)v;
        b[1] = (uint8_t)(v >> 8);
}

static inline void write_le32(void *p, uint32_t v)
{
        write_le16(p, (uint16_t)v);
        write_le16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_INFINITY UINT64_MAX
#define KIB           UINT64_C(1024)
#define MIB           (KIB * KIB)
