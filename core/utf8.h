/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text from outside, before it is shown to anybody: well-formed UTF-8 without control characters. */
#pragma once

#include "core/util.h"

/* The length in bytes of the well-formed UTF-8 sequence at the start of text, and its code point; 0 if there is none. */
size_t utf8_decode(const char *text, size_t len, uint32_t *ret);

/* Whether c moves a cursor instead of showing something: C0 (the tab too), DEL, C1. */
bool utf8_is_control(uint32_t c);

/* Whether c changes the direction of writing, separates lines, or is there and not seen. */
bool utf8_is_unseen(uint32_t c);
