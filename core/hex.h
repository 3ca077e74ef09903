/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as hexadecimal digits. */
#pragma once

#include "core/util.h"

/* Lower case; ret has room for 2 * len + 1 characters. */
void hex_encode(const uint8_t *data, size_t len, char *ret);
/* Exactly 2 * len digits of either case, then the end; else -EINVAL, and what is in ret is undefined. */
int hex_decode(const char *hex, uint8_t *ret, size_t len);
/* The value of one digit, or -EINVAL. */
int hex_digit(char c);
