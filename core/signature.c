/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/signature.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <stdio.h>

#define EXPECTED_PUBLIC  "expected one Ed25519 public key in PEM (BEGIN PUBLIC KEY)"
#define EXPECTED_PRIVATE "expected one Ed25519 private key in PEM (BEGIN PRIVATE KEY)"

static void pkey_freep(EVP_PKEY **key)
{
        EVP_PKEY_free(*key);
}

static void context_freep(EVP_MD_CTX **context)
{
        EVP_MD_CTX_free(*context);
}

static void bio_freep(BIO **bio)
{
        BIO_free(*bio);
}

/* ---- keys that are believed ---- */

void trusted_keys_done(struct trusted_keys *keys)
{
        for (size_t i = 0; i < keys->n; i++)
                free(keys->items[i].name);
        free(keys->dir);
        *keys = (struct trusted_keys){};
}

int trusted_keys_add(struct trusted_keys *keys, const char *name,
                     const uint8_t key[static SIGNATURE_KEY_SIZE])
{
        struct trusted_key *item = &keys->items[keys->n];

        if (keys->n == TRUSTED_KEYS_MAX)
                return -ENOSPC;
        item->name = strdup(name);
        if (!item->name)
                return -ENOMEM;
        memcpy(item->bytes, key, SIGNATURE_KEY_SIZE);
        keys->n++;
        return 0;
}

int trusted_keys_digest(const struct trusted_keys *keys, uint8_t ret[static SHA256_SIZE])
{
        uint8_t all[TRUSTED_KEYS_MAX][SIGNATURE_KEY_SIZE];

        for (size_t i = 0; i < keys->n; i++)
                memcpy(all[i], keys->items[i].bytes, SIGNATURE_KEY_SIZE);
        return digest_sha256(all, keys->n * SIGNATURE_KEY_SIZE, ret);
}

/* ---- PEM ---- */

static int refuse(char **ret_why, const char *what, const char *expected)
{
        return asprintf(ret_why, "%s: %s", what, expected) < 0 ? -ENOMEM : 1;
}

/* How often needle stands in text that is not NUL-terminated. */
static size_t count(const void *text, size_t len, const char *needle)
{
        const uint8_t *at = text, *end = at + len;
        size_t n = 0;

        while ((at = memmem(at, (size_t)(end - at), needle, strlen(needle)))) {
                at += strlen(needle);
                n++;
        }
        return n;
}

static bool has(const void *text, size_t len, const char *needle)
{
        return count(text, len, needle) > 0;
}

/* What can be told of a key's file without reading the key; NULL: it is to be read. libcrypto would take the first key
 * of several, and say nothing of the others. */
static const char *fault_of_pem(const void *pem, size_t len, bool private)
{
        size_t n = count(pem, len, "-----BEGIN ");

        if (n == 0)
                return "no PEM";
        if (n > 1)
                return "more than one PEM block";
        if (has(pem, len, "ENCRYPTED"))
                return private ? "encrypted with a passphrase" : "a private key";
        if (!private && has(pem, len, "PRIVATE KEY-----"))
                return "a private key";
        if (private && has(pem, len, "-----BEGIN PUBLIC KEY-----"))
                return "a public key";
        if (!has(pem, len, private ? "PRIVATE KEY-----" : "-----BEGIN PUBLIC KEY-----"))
                return "PEM of another kind";
        return NULL;
}

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *userdata)
{
        (void)buffer, (void)size, (void)writing, (void)userdata;
        return -1;
}

static EVP_PKEY *read_pem(const void *pem, size_t len, bool private)
{
        _cleanup_(bio_freep) BIO *bio = BIO_new_mem_buf(pem, (int)MIN(len, SIGNATURE_PEM_MAX));
        EVP_PKEY *key;

        if (!bio)
                return NULL;
        key = private ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
                      : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
        ERR_clear_error();
        return key;
}

static const char *kind_of_key(const EVP_PKEY *key)
{
        switch (EVP_PKEY_base_id(key)) {
        case EVP_PKEY_RSA:
                return "an RSA key";
        case EVP_PKEY_EC:
                return "an elliptic curve key (ECDSA)";
        case EVP_PKEY_ED448:
                return "an Ed448 key";
        case EVP_PKEY_X25519:
                return "an X25519 key, which cannot sign";
        default: /* numbers of libcrypto's, no enum */
                return "a key of another kind";
        }
}

/* Returns 0 and *ret, an Ed25519 key; 1 with *ret_why; or -ENOMEM. */
static int parse_key(const void *pem, size_t len, bool private, EVP_PKEY **ret, char **ret_why)
{
        const char *expected = private ? EXPECTED_PRIVATE : EXPECTED_PUBLIC;
        const char *fault = len > SIGNATURE_PEM_MAX ? "larger than 16 KiB" : fault_of_pem(pem, len, private);
        _cleanup_(pkey_freep) EVP_PKEY *key = NULL;

        if (fault)
                return refuse(ret_why, fault, expected);
        key = read_pem(pem, len, private);
        if (!key)
                return refuse(ret_why, "damaged", expected);
        if (EVP_PKEY_base_id(key) != EVP_PKEY_ED25519)
                return refuse(ret_why, kind_of_key(key), expected);
        *ret = take_ptr(key);
        return 0;
}

int signature_public_key(const void *pem, size_t len, uint8_t ret[static SIGNATURE_KEY_SIZE], char **ret_why)
{
        _cleanup_(pkey_freep) EVP_PKEY *key = NULL;
        uint8_t bytes[SIGNATURE_KEY_SIZE];
        size_t size = sizeof(bytes);
        int r = parse_key(pem, len, false, &key, ret_why);

        if (r != 0)
                return r;
        if (EVP_PKEY_get_raw_public_key(key, bytes, &size) != 1 || size != sizeof(bytes))
                return -EOPNOTSUPP;
        memcpy(ret, bytes, sizeof(bytes));
        return 0;
}

/* ---- signatures ---- */

int signature_make(const void *pem, size_t pem_len, const void *data, size_t len,
                   uint8_t ret[static SIGNATURE_SIZE], char **ret_why)
{
        _cleanup_(context_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
        _cleanup_(pkey_freep) EVP_PKEY *key = NULL;
        uint8_t made[SIGNATURE_SIZE];
        size_t size = sizeof(made);
        int r;

        if (!context)
                return -ENOMEM;
        r = parse_key(pem, pem_len, true, &key, ret_why);
        if (r != 0)
                return r;
        if (EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
            EVP_DigestSign(context, made, &size, data, len) != 1 || size != sizeof(made))
                return -EOPNOTSUPP;
        memcpy(ret, made, sizeof(made));
        return 0;
}

/* 0: this key made it, 1: it did not. A key that cannot be one (no point of the curve) made nothing. */
static int verify_one(const struct trusted_key *trusted, const uint8_t *signature, const void *data,
                      size_t len)
{
        _cleanup_(context_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
        _cleanup_(pkey_freep) EVP_PKEY *key = NULL;
        bool made;

        if (!context)
                return -ENOMEM;
        key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, trusted->bytes, sizeof(trusted->bytes));
        if (!key || EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) != 1)
                return -EOPNOTSUPP;
        made = EVP_DigestVerify(context, signature, SIGNATURE_SIZE, data, len) == 1;
        ERR_clear_error();
        return made ? 0 : 1;
}

int signature_verify(const struct trusted_keys *keys, const uint8_t signature[static SIGNATURE_SIZE],
                     const void *data, size_t len, const struct trusted_key **ret)
{
        for (size_t i = 0; i < keys->n; i++) {
                int r = verify_one(&keys->items[i], signature, data, len);

                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (ret)
                        *ret = &keys->items[i];
                return 0;
        }
        return 1;
}

/* ---- as text ---- */

void signature_to_base64(const uint8_t signature[static SIGNATURE_SIZE],
                         char ret[static SIGNATURE_BASE64_SIZE])
{
        EVP_EncodeBlock((unsigned char *)ret, signature, SIGNATURE_SIZE);
}

bool signature_from_base64(const char *text, uint8_t ret[static SIGNATURE_SIZE])
{
        uint8_t decoded[SIGNATURE_BASE64_SIZE];
        char again[SIGNATURE_BASE64_SIZE];

        if (strlen(text) != SIGNATURE_BASE64_SIZE - 1 ||
            EVP_DecodeBlock(decoded, (const unsigned char *)text, SIGNATURE_BASE64_SIZE - 1) < 0)
                return false;
        /* libcrypto takes blanks, and padding where none belongs. */
        signature_to_base64(decoded, again);
        if (!streq(text, again))
                return false;
        memcpy(ret, decoded, SIGNATURE_SIZE);
        return true;
}
