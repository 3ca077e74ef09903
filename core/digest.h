/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests and their hexadecimal form. MD5 is what the chips' ROM checks, not a proof of origin. */
#pragma once

#include "core/util.h"

#define MD5_SIZE    16
#define SHA256_SIZE 32
#define SHA256_HEX  (2 * SHA256_SIZE + 1) /* with the NUL */

/* 0, -ENOMEM, or -EOPNOTSUPP where the system's libcrypto does not offer the digest (MD5 in FIPS mode). */
int digest_md5(const void *data, size_t len, uint8_t ret[MD5_SIZE]);
int digest_sha256(const void *data, size_t len, uint8_t ret[SHA256_SIZE]);

/* CRC-32 as DFU 1.1, appendix B has it: without the final inversion. */
uint32_t digest_dfu_crc(const void *data, size_t len);

/* Lower case; ret has room for 2 * len + 1 characters. */
void hex_encode(const uint8_t *data, size_t len, char *ret);
/* Exactly 2 * len digits of either case, then the end; else -EINVAL, and what is in ret is undefined. */
int hex_decode(const char *hex, uint8_t *ret, size_t len);
/* The value of one digit, or -EINVAL. */
int hex_digit(char c);
