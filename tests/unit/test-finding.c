/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/finding.h"
#include "core/printable.h"

static void expect_line(const struct finding *finding, const char *expected)
{
        _cleanup_(freep) char *line = finding_to_string(finding);

        assert_string_equal(line, expected);
}

static void test_a_finding_says_what_and_where(void **state)
{
        _cleanup_(findings_done) struct findings findings = { 0 };

        (void)state;
        findings_add(&findings, FINDING_ERROR, "app.bin", 8192, "%d bytes: expected %d", 5, 6);
        findings_add(&findings, FINDING_WARNING, NULL, 0, "odd");
        findings_add(&findings, FINDING_WARNING, NULL, FINDING_NO_OFFSET, "odd");
        findings_add(&findings, FINDING_ERROR, "a", FINDING_NO_OFFSET, "odd");
        assert_int_equal(findings.n_errors, 2);
        assert_int_equal(findings.n_warnings, 2);
        expect_line(&findings.items[0], "error: app.bin at offset 8192: 5 bytes: expected 6");
        expect_line(&findings.items[1], "warning: at offset 0: odd");
        expect_line(&findings.items[2], "warning: odd");
        expect_line(&findings.items[3], "error: a: odd");
}

static void test_what_is_over_the_bound_is_counted(void **state)
{
        _cleanup_(findings_done) struct findings findings = { 0 };

        (void)state;
        for (unsigned i = 0; i < FINDINGS_MAX + 5; i++)
                findings_add(&findings, FINDING_ERROR, "a", i, "wrong");
        assert_int_equal(findings.n_items, FINDINGS_MAX);
        assert_int_equal(findings.n_errors, FINDINGS_MAX + 5);
}

static void test_no_finding_moves_the_terminals_cursor(void **state)
{
        _cleanup_(findings_done) struct findings findings = { 0 };

        (void)state;
        findings_add(&findings, FINDING_ERROR, "a\033[2J\xff", 1, "of %s", "b\nc\xc2\x85");
        assert_string_equal(findings.items[0].member, "a?[2J?");
        assert_string_equal(findings.items[0].text, "of b?c??");
}

static void test_printable_is_utf8_without_control_characters(void **state)
{
        static const char *const good[] = { "", "app.bin", "Größe", "прошивка.bin", "\xf0\x9f\x94\xa5" };
        static const char *const bad[] = { "\t",       "\x7f",         "a\xc3",        "\xc2\x9b",
                                           "\xc0\xaf", "\xed\xa0\x80", "\xf0\x9f\x94", "\xf8\x88\x80\x80" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_true(is_printable(good[i]));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(is_printable(bad[i]));
}

static void test_a_fault_is_cut_where_it_is_too_long(void **state)
{
        char name[400];
        struct fault fault;

        (void)state;
        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(fault_set(&fault, 7, "%s", name), 1);
        assert_int_equal(fault.offset, 7);
        assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_finding_says_what_and_where),
                cmocka_unit_test(test_what_is_over_the_bound_is_counted),
                cmocka_unit_test(test_no_finding_moves_the_terminals_cursor),
                cmocka_unit_test(test_printable_is_utf8_without_control_characters),
                cmocka_unit_test(test_a_fault_is_cut_where_it_is_too_long),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
