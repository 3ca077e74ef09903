/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/glob.h"

static void expect_bad(const char *glob, const char *fault)
{
        assert_non_null(glob_fault(glob));
        assert_string_equal(glob_fault(glob), fault);
}

static void test_bad_globs_are_told_apart(void **state)
{
        static const char open[] = "a [ without its ]", class[] = "a [: without a known class and :]";

        (void)state;
        expect_bad("", "empty");
        expect_bad("[", open);
        expect_bad("A[1-4", open);
        expect_bad("A[]", open);
        expect_bad("A[!]", open);
        expect_bad("A[1-", open);
        expect_bad("[a]b[c", open);
        expect_bad("[a\\]", open);
        expect_bad("[\\", open);
        expect_bad("[a-\\", open);
        expect_bad("A\\", "a \\ at its end");
        expect_bad("A[4-1]", "a range that runs backwards");
        expect_bad("[[:hex:]]", class);
        expect_bad("[[:digit]", class);
        expect_bad("[[:digit:]", open);
        expect_bad("[[.a.]]", "a collating symbol");
}

/* Each of these matches the text beside it: what is called good is good for something. */
static void test_good_globs_match(void **state)
{
        static const struct {
                const char *glob, *text;
        } good[] = {
                { "*", "" },        { "A*", "A12" },        { "A?", "A1" },
                { "A[1-4]", "A3" }, { "A[!1-4]", "A5" },    { "A[]]", "A]" },
                { "A[!]]", "A1" },  { "A[1-]", "A-" },      { "A[-1]", "A-" },
                { "A]", "A]" },     { "A\\*", "A*" },       { "A[\\]]", "A]" },
                { "\\[", "[" },     { "[[:digit:]]", "7" }, { "[[:digit:]a-f]", "c" },
                { "[[]", "[" },     { "1-4.*", "1-4.1.2" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_null(glob_fault(good[i].glob));
                assert_true(glob_matches(good[i].glob, good[i].text));
        }
}

static void test_case_counts_unless_it_is_not_to(void **state)
{
        (void)state;
        assert_false(glob_matches("7C:DF:*", "7c:df:a1:0b:00:12"));
        assert_true(glob_matches_any_case("7C:DF:*", "7c:df:a1:0b:00:12"));
        assert_false(glob_matches_any_case("7C:D0:*", "7c:df:a1:0b:00:12"));
}

static void test_plain_names_are_no_globs(void **state)
{
        (void)state;
        assert_false(glob_is_glob("1-4.1"));
        assert_true(glob_is_glob("1-4.*"));
        assert_true(glob_is_glob("1-4.[1]"));
        assert_true(glob_is_glob("1-4.?"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bad_globs_are_told_apart),
                cmocka_unit_test(test_good_globs_match),
                cmocka_unit_test(test_case_counts_unless_it_is_not_to),
                cmocka_unit_test(test_plain_names_are_no_globs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
