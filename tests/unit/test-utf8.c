/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/utf8.h"

static void expect_decoded(const char *text, size_t n, uint32_t c)
{
        uint32_t found = 0;

        assert_int_equal(utf8_decode(text, strlen(text), &found), n);
        assert_int_equal(found, c);
}

static void test_well_formed_sequences_are_decoded(void **state)
{
        (void)state;
        expect_decoded("A", 1, 'A');
        expect_decoded("é", 2, 0xe9);
        expect_decoded("█", 3, 0x2588);
        expect_decoded("\xf0\x9f\x94\x8c", 4, 0x1f50c);
        expect_decoded("\xf4\x8f\xbf\xbf", 4, 0x10ffff);
}

static void test_what_is_not_utf8_is_refused(void **state)
{
        static const char *const bad[] = {
                "\x80",             /* continuation without a start */
                "\xfcx",            /* Latin-1 */
                "\xff",             /* never in UTF-8 */
                "\xc0\x80",         /* overlong NUL */
                "\xe0\x80\xaf",     /* overlong slash */
                "\xed\xa0\x80",     /* surrogate */
                "\xf4\x90\x80\x80", /* beyond U+10FFFF */
                "\xe2\x96",         /* cut */
                "\xe2\x96X",
        };
        uint32_t found = 42;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(utf8_decode(bad[i], strlen(bad[i]), &found), 0);
        assert_int_equal(utf8_decode("", 0, &found), 0);
        assert_int_equal(utf8_decode("é", 1, &found), 0);
        assert_int_equal(found, 42);
}

static void test_controls_are_c0_del_and_c1(void **state)
{
        (void)state;
        assert_true(utf8_is_control(0));
        assert_true(utf8_is_control(0x1b));
        assert_true(utf8_is_control(0x7f));
        assert_true(utf8_is_control(0x9b));
        assert_false(utf8_is_control(' '));
        assert_false(utf8_is_control('~'));
        assert_false(utf8_is_control(0xa0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_well_formed_sequences_are_decoded),
                cmocka_unit_test(test_what_is_not_utf8_is_refused),
                cmocka_unit_test(test_controls_are_c0_del_and_c1),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
