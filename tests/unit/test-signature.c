/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures against RFC 8032's own examples, and what is said of a file that is no key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "core/signature.h"
#include "tests/unit/keys.h"

#define PUBLIC(body)  PEM_OF("PUBLIC KEY", body)
#define PRIVATE(body) PEM_OF("PRIVATE KEY", body)

#define EXPECTED_PUBLIC  ": expected one Ed25519 public key in PEM (BEGIN PUBLIC KEY)"
#define EXPECTED_PRIVATE ": expected one Ed25519 private key in PEM (BEGIN PRIVATE KEY)"

/* RFC 8032, section 7.1, tests 1 and 3. */
static const struct vector {
        const char *private, *public, *key, *message, *signature;
        size_t len;
} vectors[] = {
        { PRIVATE_1, PUBLIC_1, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd2"
          "5bf"
          "5f0595bbe24655141438e7a100b",
          0 },
        { PRIVATE_3, PUBLIC_3, "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "\xaf\x82",
          "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a"
          "7c1"
          "5e9716ed28dc027beceea1ec40a",
          2 },
};

static void add_key(struct trusted_keys *keys, const char *name, const char *pem)
{
        uint8_t key[SIGNATURE_KEY_SIZE];

        assert_int_equal(signature_public_key(pem, strlen(pem), key, NULL), 0);
        assert_int_equal(trusted_keys_add(keys, name, key), 0);
}

static void test_keys_and_signatures_are_those_of_rfc_8032(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
                const struct vector *v = &vectors[i];
                uint8_t key[SIGNATURE_KEY_SIZE], expected_key[SIGNATURE_KEY_SIZE];
                uint8_t made[SIGNATURE_SIZE], expected[SIGNATURE_SIZE];

                assert_int_equal(hex_decode(v->key, expected_key, sizeof(expected_key)), 0);
                assert_int_equal(hex_decode(v->signature, expected, sizeof(expected)), 0);
                assert_int_equal(signature_public_key(v->public, strlen(v->public), key, NULL), 0);
                assert_memory_equal(key, expected_key, sizeof(key));
                assert_int_equal(
                        signature_make(v->private, strlen(v->private), v->message, v->len, made, NULL), 0);
                assert_memory_equal(made, expected, sizeof(made));
        }
}

static void test_signature_is_believed_by_the_key_that_made_it_and_says_which(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};
        const struct trusted_key *by = NULL;
        uint8_t signature[SIGNATURE_SIZE];

        (void)state;
        assert_int_equal(hex_decode(vectors[1].signature, signature, sizeof(signature)), 0);
        assert_int_equal(signature_verify(&keys, signature, "\xaf\x82", 2, &by), 1);
        add_key(&keys, "other.pem", PUBLIC_1);
        assert_int_equal(signature_verify(&keys, signature, "\xaf\x82", 2, &by), 1);
        assert_null(by);
        add_key(&keys, "vendor.pem", PUBLIC_3);
        assert_int_equal(signature_verify(&keys, signature, "\xaf\x82", 2, &by), 0);
        assert_string_equal(by->name, "vendor.pem");
}

static void test_one_bit_of_data_or_signature_is_enough_to_be_refused(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};
        uint8_t signature[SIGNATURE_SIZE], data[] = { 0xaf, 0x82 };

        (void)state;
        add_key(&keys, "vendor.pem", PUBLIC_3);
        assert_int_equal(hex_decode(vectors[1].signature, signature, sizeof(signature)), 0);
        for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
                signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_equal(signature_verify(&keys, signature, data, sizeof(data), NULL), 1);
                signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t bit = 0; bit < 8 * sizeof(data); bit++) {
                data[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_equal(signature_verify(&keys, signature, data, sizeof(data), NULL), 1);
                data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(signature_verify(&keys, signature, data, 1, NULL), 1);
        assert_int_equal(signature_verify(&keys, signature, data, sizeof(data), NULL), 0);
}

/* RFC 8032, section 5.1.7: S is less than the group's order, so that nobody makes a second signature out of one. */
static void test_signature_whose_s_has_the_order_added_is_refused(void **state)
{
        static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                           0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};
        uint8_t signature[SIGNATURE_SIZE];
        unsigned carry = 0;

        (void)state;
        add_key(&keys, "vendor.pem", PUBLIC_3);
        assert_int_equal(hex_decode(vectors[1].signature, signature, sizeof(signature)), 0);
        for (size_t i = 0; i < sizeof(order); i++) {
                carry += signature[32 + i] + order[i];
                signature[32 + i] = (uint8_t)carry;
                carry >>= 8;
        }
        assert_int_equal(signature_verify(&keys, signature, "\xaf\x82", 2, NULL), 1);
}

static const struct wrong {
        const char *pem, *why;
} not_public[] = {
        { "", "no PEM" EXPECTED_PUBLIC },
        { "MCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\n", "no PEM" EXPECTED_PUBLIC },
        { PUBLIC_1 PUBLIC_3, "more than one PEM block" EXPECTED_PUBLIC },
        { PRIVATE_1, "a private key" EXPECTED_PUBLIC },
        { PEM_OF("ENCRYPTED PRIVATE KEY", "MIGb"), "a private key" EXPECTED_PUBLIC },
        { PEM_OF("CERTIFICATE", "MIIB"), "PEM of another kind" EXPECTED_PUBLIC },
        { PUBLIC("MCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUi"), "damaged" EXPECTED_PUBLIC },
        { "-----BEGIN PUBLIC KEY-----\n", "damaged" EXPECTED_PUBLIC },
        { PUBLIC("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnW/OoDNf2qbfnZlqRoUkHwvVc743\n"
                 "lsnq7aJIvfp0jRy9hamO5U2tZ6s96nG/MRCvg3FWlgC59KVk0BPPA51aIg=="),
          "an elliptic curve key (ECDSA)" EXPECTED_PUBLIC },
        { PUBLIC("MCowBQYDK2VuAyEAtXoKElyN8QtY+EJixinBAeI/tguZoj34w6nJBAbj8nQ="),
          "an X25519 key, which cannot sign" EXPECTED_PUBLIC },
        { PUBLIC("MEMwBQYDK2VxAzoAot1cQ1wm7ioS2kZjdS3dFepO61mKle6jv+QMWplp1eYMdkc/\n"
                 "W2+T3+f6BDtp2mgVx7PSHFu9fkSA"),
          "an Ed448 key" EXPECTED_PUBLIC },
}, not_private[] = {
        { "", "no PEM" EXPECTED_PRIVATE },
        { PUBLIC_1, "a public key" EXPECTED_PRIVATE },
        { PRIVATE_1 PUBLIC_1, "more than one PEM block" EXPECTED_PRIVATE },
        { PEM_OF("ENCRYPTED PRIVATE KEY", "MIGb"), "encrypted with a passphrase" EXPECTED_PRIVATE },
        { "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", "encrypted with a passphrase" EXPECTED_PRIVATE },
        { PRIVATE("MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v"), "damaged" EXPECTED_PRIVATE },
        { PEM_OF("CERTIFICATE", "MIIB"), "PEM of another kind" EXPECTED_PRIVATE },
};

static void test_what_is_no_public_key_is_told_by_what_it_is(void **state)
{
        uint8_t key[SIGNATURE_KEY_SIZE];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(not_public); i++) {
                _cleanup_(freep) char *why = NULL;

                assert_int_equal(
                        signature_public_key(not_public[i].pem, strlen(not_public[i].pem), key, &why), 1);
                assert_string_equal(why, not_public[i].why);
        }
}

static void test_what_is_no_private_key_signs_nothing(void **state)
{
        uint8_t signature[SIGNATURE_SIZE];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(not_private); i++) {
                _cleanup_(freep) char *why = NULL;

                assert_int_equal(signature_make(not_private[i].pem, strlen(not_private[i].pem), "x", 1,
                                                signature, &why),
                                 1);
                assert_string_equal(why, not_private[i].why);
        }
}

static void test_key_in_a_file_over_the_bound_is_refused(void **state)
{
        _cleanup_(freep) char *text = malloc(SIGNATURE_PEM_MAX + 1), *why = NULL;
        uint8_t key[SIGNATURE_KEY_SIZE];

        (void)state;
        assert_non_null(text);
        memset(text, '\n', SIGNATURE_PEM_MAX + 1);
        memcpy(text, PUBLIC_1, strlen(PUBLIC_1));
        assert_int_equal(signature_public_key(text, SIGNATURE_PEM_MAX, key, NULL), 0);
        assert_int_equal(signature_public_key(text, SIGNATURE_PEM_MAX + 1, key, &why), 1);
        assert_string_equal(why, "larger than 16 KiB" EXPECTED_PUBLIC);
}

static void test_keys_are_bounded_and_their_digest_tells_another_set(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {}, others = {};
        uint8_t key[SIGNATURE_KEY_SIZE] = {}, one[SHA256_SIZE], two[SHA256_SIZE];

        (void)state;
        add_key(&keys, "a.pem", PUBLIC_1);
        add_key(&others, "b.pem", PUBLIC_1);
        assert_int_equal(trusted_keys_digest(&keys, one), 0);
        assert_int_equal(trusted_keys_digest(&others, two), 0);
        assert_memory_equal(one, two, sizeof(one));
        add_key(&others, "c.pem", PUBLIC_3);
        assert_int_equal(trusted_keys_digest(&others, two), 0);
        assert_memory_not_equal(one, two, sizeof(one));
        while (keys.n < TRUSTED_KEYS_MAX)
                assert_int_equal(trusted_keys_add(&keys, "more.pem", key), 0);
        assert_int_equal(trusted_keys_add(&keys, "one too many.pem", key), -ENOSPC);
}

static void test_signature_as_text_comes_back_and_nothing_else_is_one(void **state)
{
        uint8_t signature[SIGNATURE_SIZE], back[SIGNATURE_SIZE] = {};
        char text[SIGNATURE_BASE64_SIZE], wrong[SIGNATURE_BASE64_SIZE + 1];

        (void)state;
        for (size_t i = 0; i < SIGNATURE_SIZE; i++)
                signature[i] = (uint8_t)(251 * i + 7);
        signature_to_base64(signature, text);
        assert_int_equal(strlen(text), SIGNATURE_BASE64_SIZE - 1);
        assert_true(signature_from_base64(text, back));
        assert_memory_equal(signature, back, SIGNATURE_SIZE);
        assert_false(signature_from_base64("", back));
        snprintf(wrong, sizeof(wrong), "%s=", text);
        assert_false(signature_from_base64(wrong, back)); /* too long */
        assert_false(signature_from_base64(text + 4, back));
        for (const char *c = " \n-_=\x80"; *c; c++) { /* at the beginning and within */
                memcpy(wrong, text, sizeof(text));
                wrong[0] = *c;
                assert_false(signature_from_base64(wrong, back));
                memcpy(wrong, text, sizeof(text));
                wrong[40] = *c;
                assert_false(signature_from_base64(wrong, back));
        }
        memcpy(wrong, text, sizeof(text));
        wrong[85]++; /* bits that are of no byte */
        assert_false(signature_from_base64(wrong, back));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys_and_signatures_are_those_of_rfc_8032),
                cmocka_unit_test(test_signature_is_believed_by_the_key_that_made_it_and_says_which),
                cmocka_unit_test(test_one_bit_of_data_or_signature_is_enough_to_be_refused),
                cmocka_unit_test(test_signature_whose_s_has_the_order_added_is_refused),
                cmocka_unit_test(test_what_is_no_public_key_is_told_by_what_it_is),
                cmocka_unit_test(test_what_is_no_private_key_signs_nothing),
                cmocka_unit_test(test_key_in_a_file_over_the_bound_is_refused),
                cmocka_unit_test(test_keys_are_bounded_and_their_digest_tells_another_set),
                cmocka_unit_test(test_signature_as_text_comes_back_and_nothing_else_is_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
