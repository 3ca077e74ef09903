/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys and signatures, as they lie in files and come over the socket. What one key signed is believed by that key alone, and
 * with one bit less by none.
 */
#include "core/printable.h"
#include "core/signature.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/keys.h"

static void check_why(int r, char *why)
{
        must(r == 0 || (r == 1 && why && is_printable(why)));
        free(why);
}

static void check_base64(const char *text)
{
        uint8_t signature[SIGNATURE_SIZE];
        char again[SIGNATURE_BASE64_SIZE];

        if (!signature_from_base64(text, signature))
                return;
        signature_to_base64(signature, again);
        must(streq(again, text));
}

/* A key that was read is one of those that are believed; what it did not sign it did not sign. */
static void check_key(const uint8_t *data, size_t size)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = { 0 };
        uint8_t key[SIGNATURE_KEY_SIZE], signature[SIGNATURE_SIZE] = { 0 }, digest[SHA256_SIZE];
        char *why = NULL;
        int r = signature_public_key(data, size, key, &why);

        check_why(r, why);
        if (r != 0)
                return;
        must(trusted_keys_add(&keys, "key.pem", key) == 0);
        must(trusted_keys_digest(&keys, digest) == 0);
        if (size >= SIGNATURE_SIZE)
                memcpy(signature, data, SIGNATURE_SIZE);
        must(signature_verify(&keys, signature, data, size, NULL) == 1);
}

static void check_signing(const uint8_t *data, size_t size)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = { 0 }, others = { 0 };
        uint8_t key[SIGNATURE_KEY_SIZE], signature[SIGNATURE_SIZE];
        const struct trusted_key *by = NULL;

        must(signature_public_key(PUBLIC_1, strlen(PUBLIC_1), key, NULL) == 0);
        must(trusted_keys_add(&keys, "one.pem", key) == 0);
        must(signature_public_key(PUBLIC_3, strlen(PUBLIC_3), key, NULL) == 0);
        must(trusted_keys_add(&others, "three.pem", key) == 0);
        must(signature_make(PRIVATE_1, strlen(PRIVATE_1), data, size, signature, NULL) == 0);
        must(signature_verify(&keys, signature, data, size, &by) == 0 && by == &keys.items[0]);
        must(signature_verify(&others, signature, data, size, NULL) == 1);
        signature[size % SIGNATURE_SIZE] ^= (uint8_t)(1 << size % 8);
        must(signature_verify(&keys, signature, data, size, NULL) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *text = strndup(size > 0 ? (const char *)data : "", size);
        uint8_t signature[SIGNATURE_SIZE];
        char *why = NULL;
        int r;

        must(text);
        check_base64(text);
        check_key(data, size);
        r = signature_make(data, size, "gizmo", 5, signature, &why);
        check_why(r, why);
        if (size % 16 == 0)
                check_signing(data, size);
        return 0;
}
