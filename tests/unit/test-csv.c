/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cells of CSV, and what a spreadsheet must not take for a formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/csv.h"

static void expect_cell(const char *text, const char *cell)
{
        struct bytes out = { 0 };

        assert_int_equal(csv_text(&out, text), 0);
        assert_int_equal(bytes_append(&out, "", 1), 0);
        assert_string_equal((char *)out.data, cell);
        bytes_done(&out);
}

static void test_plain_text_stays_as_it_is(void **state)
{
        (void)state;
        expect_cell("", "");
        expect_cell("gizmo 1.4.2", "gizmo 1.4.2");
        expect_cell("7c:df:a1:0b:00:12", "7c:df:a1:0b:00:12");
        expect_cell("a=b+c-d@e", "a=b+c-d@e");
        expect_cell("gr\u00fcn", "gr\u00fcn");
}

static void test_commas_quotes_and_line_ends_are_quoted(void **state)
{
        (void)state;
        expect_cell("a,b", "\"a,b\"");
        expect_cell("say \"no\"", "\"say \"\"no\"\"\"");
        expect_cell("a\r\nb", "\"a\r\nb\"");
        expect_cell("\"", "\"\"\"\"");
        expect_cell(" a", "\" a\"");
}

static void test_no_text_becomes_a_formula(void **state)
{
        (void)state;
        expect_cell("=1+1", "'=1+1");
        expect_cell("+1", "'+1");
        expect_cell("-1", "'-1");
        expect_cell("@SUM(A1)", "'@SUM(A1)");
        expect_cell("=HYPERLINK(\"http://a/\",\"b\")", "\"'=HYPERLINK(\"\"http://a/\"\",\"\"b\"\")\"");
        expect_cell("\t=1", "'\t=1");
        expect_cell("\r=1", "\"'\r=1\"");
        expect_cell("\x1b[2J", "'\x1b[2J");
        expect_cell("\x7f", "'\x7f");
        expect_cell("\uff1d1", "'\uff1d1"); /* full-width = */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain_text_stays_as_it_is),
                cmocka_unit_test(test_commas_quotes_and_line_ends_are_quoted),
                cmocka_unit_test(test_no_text_becomes_a_formula),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
