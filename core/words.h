/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Enumerations that are shown have one table of words each. The table is the only place that spells them:
 * configuration, socket, ledger, journal, screen and documentation use the same word.
 *
 * DECLARE_WORDS(verdict) gives   const char *verdict_to_string(enum verdict v);   never NULL
 *                                int verdict_from_string(const char *s);          the value, or -EINVAL
 */
#pragma once

#include "core/util.h"

#define DECLARE_WORDS(name)                                                                                  \
        const char *name##_to_string(enum name v);                                                           \
        int name##_from_string(const char *s);

#define DEFINE_WORDS(name, table)                                                                            \
        const char *name##_to_string(enum name v)                                                            \
        {                                                                                                    \
                size_t i = (size_t)v;                                                                        \
                                                                                                             \
                return i < ARRAY_SIZE(table) && table[i] ? table[i] : "unknown";                             \
        }                                                                                                    \
        int name##_from_string(const char *s)                                                                \
        {                                                                                                    \
                for (size_t i = 0; s && i < ARRAY_SIZE(table); i++)                                          \
                        if (table[i] && streq(table[i], s))                                                  \
                                return (int)i;                                                               \
                return -EINVAL;                                                                              \
        }
