/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests against their specifications' own examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/dfu-suffix.h"
#include "core/digest.h"

static void test_md5_of_rfc_1321(void **state)
{
        uint8_t md5[MD5_SIZE];
        char hex[2 * MD5_SIZE + 1];

        (void)state;
        assert_int_equal(digest_md5("message digest", 14, md5), 0);
        hex_encode(md5, sizeof(md5), hex);
        assert_string_equal(hex, "f96b697d7cb7938d525a2f31aaf161d0");
        assert_int_equal(digest_md5(NULL, 0, md5), 0);
        hex_encode(md5, sizeof(md5), hex);
        assert_string_equal(hex, "d41d8cd98f00b204e9800998ecf8427e");
}

static void test_sha256_of_fips_180(void **state)
{
        uint8_t sha[SHA256_SIZE];
        char hex[SHA256_HEX];

        (void)state;
        assert_int_equal(digest_sha256("abc", 3, sha), 0);
        hex_encode(sha, sizeof(sha), hex);
        assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_dfu_crc_is_the_common_one_not_inverted(void **state)
{
        (void)state;
        assert_int_equal(dfu_suffix_crc("123456789", 9), 0xffffffff ^ 0xcbf43926);
}

static void test_hexadecimal_is_read_to_the_letter(void **state)
{
        static const char *const wrong[] = { "", "00", "00112", "001122334", "001g", "00 1", "-001", "0x01" };
        uint8_t bytes[2];

        (void)state;
        assert_int_equal(hex_decode("aF09", bytes, 2), 0);
        assert_int_equal(bytes[0], 0xaf);
        assert_int_equal(bytes[1], 0x09);
        assert_int_equal(hex_decode("", bytes, 0), 0);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                assert_int_equal(hex_decode(wrong[i], bytes, 2), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_md5_of_rfc_1321),
                cmocka_unit_test(test_sha256_of_fips_180),
                cmocka_unit_test(test_dfu_crc_is_the_common_one_not_inverted),
                cmocka_unit_test(test_hexadecimal_is_read_to_the_letter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
