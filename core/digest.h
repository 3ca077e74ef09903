/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests. MD5 is what the chips' ROM checks, not a proof of origin. */
#pragma once

#include "core/hex.h"

#define MD5_SIZE    16
#define SHA256_SIZE 32
#define SHA256_HEX  (2 * SHA256_SIZE + 1) /* with the NUL */

/* 0, -ENOMEM, or -EOPNOTSUPP where the system's libcrypto does not offer the digest (MD5 in FIPS mode). */
int digest_md5(const void *data, size_t len, uint8_t ret[MD5_SIZE]);
int digest_sha256(const void *data, size_t len, uint8_t ret[SHA256_SIZE]);
