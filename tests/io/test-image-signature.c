/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signature beside an image: whose it is, and what is said when it is not there or of no use. */
#include "io/image-signature.h"
#include "tests/io/temp-dir.h"
#include "tests/unit/keys.h"

#define SAYS "; policy says signature = required"

static const uint8_t image[] = "the bytes of an image";

static struct config_policy gizmo = { .image = (char *)"dfu.bin", .signature = POLICY_SIGNATURE_REQUIRED };

static void add_key(struct trusted_keys *keys, const char *name, const char *pem)
{
        uint8_t key[SIGNATURE_KEY_SIZE];

        assert_int_equal(signature_public_key(pem, strlen(pem), key, NULL), 0);
        assert_int_equal(trusted_keys_add(keys, name, key), 0);
        assert_int_equal(free_and_strdup(&keys->dir, "etc/keys.d"), 0);
}

static void write_signature(const char *private_key)
{
        uint8_t signature[SIGNATURE_SIZE];

        assert_int_equal(
                signature_make(private_key, strlen(private_key), image, sizeof(image), signature, NULL), 0);
        write_bytes("dfu.bin.sig", signature, sizeof(signature));
}

static void expect_refused(const struct trusted_keys *keys, const char *expected)
{
        _cleanup_(freep) char *why = NULL;
        const struct trusted_key *by = NULL;

        assert_int_equal(policy_check_signature(&gizmo, keys, image, sizeof(image), &by, &why), 1);
        assert_string_equal(why, expected);
        assert_null(by);
}

static void test_policy_that_asks_for_none_needs_none(void **state)
{
        const struct config_policy policy = { .image = (char *)"dfu.bin" };
        struct trusted_keys keys = {};
        const struct trusted_key *by;

        (void)state;
        assert_int_equal(policy_check_signature(&policy, &keys, image, sizeof(image), &by, NULL), 0);
        assert_null(by);
}

static void test_signature_of_a_key_is_taken_and_says_whose_it_is(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};
        const struct trusted_key *by = NULL;

        (void)state;
        add_key(&keys, "a.pem", PUBLIC_1);
        add_key(&keys, "b.pem", PUBLIC_3);
        write_signature(PRIVATE_3);
        assert_int_equal(policy_check_signature(&gizmo, &keys, image, sizeof(image), &by, NULL), 0);
        assert_string_equal(by->name, "b.pem");
}

static void test_image_without_a_signature_is_refused(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};

        (void)state;
        add_key(&keys, "a.pem", PUBLIC_1);
        expect_refused(&keys, "no signature beside it (dfu.bin.sig)" SAYS);
}

static void test_signature_of_another_key_is_refused(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};

        (void)state;
        write_signature(PRIVATE_3);
        add_key(&keys, "a.pem", PUBLIC_1);
        expect_refused(&keys,
                       "its signature (dfu.bin.sig) is not by the key a.pem: the image was altered, or "
                       "another key signed it" SAYS);
        add_key(&keys, "b.pem", PUBLIC_1);
        expect_refused(&keys,
                       "its signature (dfu.bin.sig) is by none of the 2 keys in etc/keys.d: the image was "
                       "altered, or another key signed it" SAYS);
}

static void test_signature_is_worth_nothing_without_a_key(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};

        (void)state;
        write_signature(PRIVATE_3);
        assert_int_equal(free_and_strdup(&keys.dir, "etc/keys.d"), 0);
        expect_refused(&keys,
                       "no key to check its signature by: expected a public key (*.pem) in etc/keys.d" SAYS);
}

static void test_signature_has_64_bytes_and_is_a_regular_file(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};
        static const uint8_t large[16 * KIB + 1];

        (void)state;
        add_key(&keys, "a.pem", PUBLIC_1);
        write_bytes("dfu.bin.sig", large, 63);
        expect_refused(&keys,
                       "its signature (dfu.bin.sig) has 63 bytes: expected the 64 raw ones of an Ed25519 "
                       "signature" SAYS);
        write_bytes("dfu.bin.sig", large, 65);
        expect_refused(&keys,
                       "its signature (dfu.bin.sig) has 65 bytes: expected the 64 raw ones of an Ed25519 "
                       "signature" SAYS);
        write_bytes("dfu.bin.sig", large, 0);
        expect_refused(&keys,
                       "its signature (dfu.bin.sig) has 0 bytes: expected the 64 raw ones of an Ed25519 "
                       "signature" SAYS);
        write_bytes("dfu.bin.sig", large, sizeof(large));
        expect_refused(&keys,
                       "its signature (dfu.bin.sig) is larger than 16 KiB: expected 64 raw bytes" SAYS);
        assert_return_code(unlink("dfu.bin.sig"), errno);
        assert_return_code(mkfifo("dfu.bin.sig", 0644), errno);
        expect_refused(&keys,
                       "its signature (dfu.bin.sig): Invalid argument: expected a regular file that can be "
                       "read" SAYS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                in_temp_dir(test_policy_that_asks_for_none_needs_none),
                in_temp_dir(test_signature_of_a_key_is_taken_and_says_whose_it_is),
                in_temp_dir(test_image_without_a_signature_is_refused),
                in_temp_dir(test_signature_of_another_key_is_refused),
                in_temp_dir(test_signature_is_worth_nothing_without_a_key),
                in_temp_dir(test_signature_has_64_bytes_and_is_a_regular_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
