/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who made an image: a detached Ed25519 signature over all bytes of its file, 64 raw bytes as
 * `openssl pkeyutl -sign -rawin` writes them, and the public keys that are believed. Pure: bytes in, a verdict out.
 * Source: RFC 8032 (Ed25519, without prehash and context); RFC 8410 (SubjectPublicKeyInfo and PKCS #8, in PEM).
 */
#pragma once

#include "core/digest.h"

#define SIGNATURE_SIZE     64
#define SIGNATURE_KEY_SIZE 32
#define SIGNATURE_PEM_MAX  (16 * KIB) /* bytes of a file with a key; an Ed25519 key has about 120 */
/* To try them all on an image of 64 MiB takes some seconds, in which espdfud does nothing else. */
#define TRUSTED_KEYS_MAX 16

struct trusted_key {
        char *name; /* its file's */
        uint8_t bytes[SIGNATURE_KEY_SIZE];
};

/* All zero is none. */
struct trusted_keys {
        char *dir; /* where they belong, for messages; may be NULL */
        struct trusted_key items[TRUSTED_KEYS_MAX];
        size_t n;
};

void trusted_keys_done(struct trusted_keys *keys);
/* Copies name. Returns 0, -ENOSPC when there are TRUSTED_KEYS_MAX, or -ENOMEM. */
int trusted_keys_add(struct trusted_keys *keys, const char *name,
                     const uint8_t key[static SIGNATURE_KEY_SIZE]);
/* The same keys, whatever their files are called, have the same digest. Returns as digest_sha256(). */
int trusted_keys_digest(const struct trusted_keys *keys, uint8_t ret[static SHA256_SIZE]);

/*
 * Text that is one Ed25519 key in PEM, and nothing else that is one. Returns 0 and the key; 1 with *ret_why, one line to
 * be freed that says what it is and what was expected; -ENOMEM; or -EOPNOTSUPP where libcrypto has no Ed25519.
 */
int signature_public_key(const void *pem, size_t len, uint8_t ret[static SIGNATURE_KEY_SIZE], char **ret_why);

/* Signs with a private key, PKCS #8 in PEM without a passphrase. Results as signature_public_key(). */
int signature_make(const void *pem, size_t pem_len, const void *data, size_t len,
                   uint8_t ret[static SIGNATURE_SIZE], char **ret_why);

/* As text without line breaks, NUL and all; and back: false if it is anything else than a signature in base64. */
#define SIGNATURE_BASE64_SIZE 89
void signature_to_base64(const uint8_t signature[static SIGNATURE_SIZE],
                         char ret[static SIGNATURE_BASE64_SIZE]);
bool signature_from_base64(const char *text, uint8_t ret[static SIGNATURE_SIZE]);

/*
 * Whether one of the keys made the signature over data: 0 and *ret, that key, borrowed from keys (ret may be NULL); 1:
 * none did; -ENOMEM or -EOPNOTSUPP.
 */
int signature_verify(const struct trusted_keys *keys, const uint8_t signature[static SIGNATURE_SIZE],
                     const void *data, size_t len, const struct trusted_key **ret);
