/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/printable.h"
#include "core/text.h"
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

static void expect_escaped(const char *text, const char *expected)
{
        _cleanup_(freep) char *escaped = text_escape(text);

        assert_string_equal(escaped, expected);
}

static void test_what_turns_the_writing_or_is_not_seen_is_shown(void **state)
{
        static const char seen[] = "\u00ac\u00ae \u061b \u180a \u2010 \u2027 \u2070 \ufffc \U000e1000 é 漢";
        char name[] = "A\u061cB\u2067C\u00adD";

        (void)state;
        expect_escaped("a\xc2\xad", "a<c2><ad>");                 /* U+00AD */
        expect_escaped("a\xd8\x9c", "a<d8><9c>");                 /* U+061C */
        expect_escaped("a\xe1\xa0\x8e", "a<e1><a0><8e>");         /* U+180E */
        expect_escaped("a\xe2\x80\xae", "a<e2><80><ae>");         /* U+202E */
        expect_escaped("a\xe2\x81\xa0", "a<e2><81><a0>");         /* U+2060 */
        expect_escaped("a\xe2\x81\xa4", "a<e2><81><a4>");         /* U+2064 */
        expect_escaped("a\xef\xbb\xbf", "a<ef><bb><bf>");         /* U+FEFF */
        expect_escaped("a\xf3\xa0\x80\x80", "a<f3><a0><80><80>"); /* U+E0000 */
        expect_escaped("a\xf3\xa0\x81\xbf", "a<f3><a0><81><bf>"); /* U+E007F */
        expect_escaped(seen, seen);
        assert_true(is_printable(seen));
        assert_true(is_printable(name));
        make_printable(name);
        assert_string_equal(name, "A??B???C??D");
}

#define PLANE 0x10000

/* One character for each code point of a plane: D where Unicode, as perl has it, says default ignorable; F for a format
 * character, a separator of lines, or one that is not assigned; "." for any other. */
static void what_unicode_says(unsigned plane, char ret[static PLANE])
{
        char command[400];
        FILE *perl;

        snprintf(command, sizeof(command),
                 "perl -e 'for my $i (0 .. 0xffff) { my $c = $i + %u * 0x10000; my $s = $c >= 0xd800 && $c < "
                 "0xe000 ? q() : chr $c; print $s =~ /\\p{Default_Ignorable_Code_Point}/ ? q(D) : "
                 "$s =~ /[\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cn}]/ ? q(F) : q(.) }'",
                 plane);
        perl = popen(command, "r");
        assert_non_null(perl);
        assert_int_equal(fread(ret, 1, PLANE, perl), PLANE);
        assert_int_equal(pclose(perl), 0);
}

static void test_what_unicode_does_not_show_is_known(void **state)
{
        static const unsigned planes[] = { 0, 1, 14 };
        static char says[PLANE];
        unsigned n = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(planes); i++) {
                what_unicode_says(planes[i], says);
                for (uint32_t c = 0; c < PLANE; c++) {
                        bool unseen = utf8_is_unseen(planes[i] * PLANE + c);

                        if (says[c] == 'D' ? !unseen : unseen && says[c] != 'F')
                                fail_msg("U+%04X is %s", planes[i] * PLANE + c, unseen ? "seen" : "not seen");
                        n += says[c] == 'D';
                }
        }
        assert_true(n > 4000); /* perl was asked, and has said something */
}

static void expect_quoted(const char *text, const char *expected)
{
        _cleanup_(freep) char *quoted = text_quote_for_shell(text);

        assert_string_equal(quoted, expected);
}

static void test_a_text_is_one_word_for_a_shell(void **state)
{
        (void)state;
        expect_quoted("A1", "A1");
        expect_quoted("/dev/bus/usb/001/007", "/dev/bus/usb/001/007");
        expect_quoted("a.b_c:d@e+f-1", "a.b_c:d@e+f-1");
        expect_quoted("", "''");
        expect_quoted("1-1; touch x #", "'1-1; touch x #'");
        expect_quoted("$(x)`y`\\!*~", "'$(x)`y`\\!*~'");
        expect_quoted("'", "''\\'''");
        expect_quoted("é", "'é'");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_well_formed_sequences_are_decoded),
                cmocka_unit_test(test_what_is_not_utf8_is_refused),
                cmocka_unit_test(test_controls_are_c0_del_and_c1),
                cmocka_unit_test(test_what_turns_the_writing_or_is_not_seen_is_shown),
                cmocka_unit_test(test_what_unicode_does_not_show_is_known),
                cmocka_unit_test(test_a_text_is_one_word_for_a_shell),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
