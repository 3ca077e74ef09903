/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The drop-in that slot learn writes: what was there stays, byte for byte, but for what is replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/slot-file.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

static char a1[] = "A1", b2[] = "B2", path[] = "pci-0-usb-0:4.1", port[] = "1-4.2";
static const struct named_port by_path = { a1, path, port }, by_port = { b2, NULL, port };

static void expect_put(const char *text, const struct named_port *slots, size_t n, const char *expected)
{
        char *got = NULL;

        assert_int_equal(slot_file_put(text, slots, n, &got), 0);
        assert_string_equal(got, expected);
        free(got);
}

static void test_slots_are_put_at_the_end_by_path_where_there_is_one(void **state)
{
        const struct named_port both[] = { by_path, by_port };

        (void)state;
        expect_put("# mine\n\n[station]\nname = a", both, 2,
                   "# mine\n\n[station]\nname = a\n[slot A1]\npath = pci-0-usb-0:4.1\n[slot B2]\nport = "
                   "1-4.2\n");
        expect_put("", &by_port, 1, "[slot B2]\nport = 1-4.2\n");
}

static void test_a_slot_that_is_replaced_goes_up_to_the_next_section(void **state)
{
        (void)state;
        expect_put("; 1\n[slot A1]\nport = 1-1\n; of A1\n[slot A10]\nport = 1-2\n[slot \t A1] ; twice\nport "
                   "= 1-3\n",
                   &by_path, 1, "; 1\n[slot A10]\nport = 1-2\n[slot A1]\npath = pci-0-usb-0:4.1\n");
}

static void test_what_only_looks_like_the_slot_stays(void **state)
{
        static const char text[] =
                "[policy A1]\nimage = /a\n[slotA1]\n# [slot A1]\n[slot A1\n[hub A1]\nport = 1-1\n";

        (void)state;
        assert_int_equal(slot_file_line(text, "A1"), 0);
        expect_put(text, &by_port, 1,
                   "[policy A1]\nimage = /a\n[slotA1]\n# [slot A1]\n[slot A1\n[hub A1]\nport = 1-1\n[slot "
                   "B2]\nport = "
                   "1-4.2\n");
}

static void test_a_slot_is_found_by_line(void **state)
{
        static const char text[] = "# a\n\n[slot B*]\nport = 1-2.*\n[slot A1]\nport = 1-1\n";

        (void)state;
        assert_int_equal(slot_file_line(text, "A1"), 5);
        assert_int_equal(slot_file_line(text, "B1"), 0);
        assert_int_equal(slot_file_line("", "A1"), 0);
}

static void test_what_a_daemon_says_cannot_become_a_section_or_a_key(void **state)
{
        static const struct named_port bad[] = {
                { TEXT("A1"), TEXT("pci-0\n[policy aaa]\nimage = /var/lib/espdfu/evil.dfu"), TEXT("1-1") },
                { TEXT("A1"), NULL, TEXT("1-1\n[policy aaa]") },
                { TEXT("A1"), TEXT("pci-0-usb-0:1"), TEXT("1-1\r") },
                { TEXT("A1]\n[policy aaa"), NULL, TEXT("1-1") },
                { TEXT("A1"), TEXT("pci-0\x1b[2J"), TEXT("1-1") },
                { TEXT("A1"), TEXT("pci-0 ; more"), TEXT("1-1") },
                { TEXT("A1"), TEXT("pci-0#1"), TEXT("1-1") },
                { TEXT("A1"), TEXT("pci-*"), TEXT("1-1") },
                { TEXT("A1"), NULL, TEXT("1-*") },
                { TEXT("A1"), TEXT(""), TEXT("1-1") },
                { TEXT("A1"), NULL, NULL },
        };
        char *got = NULL;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                assert_false(named_port_is_sound(&bad[i]));
                assert_int_equal(slot_file_put("", &bad[i], 1, &got), -EINVAL);
                assert_null(got);
        }
        assert_true(named_port_is_sound(&by_path));
        assert_true(named_port_is_sound(&by_port));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slots_are_put_at_the_end_by_path_where_there_is_one),
                cmocka_unit_test(test_a_slot_that_is_replaced_goes_up_to_the_next_section),
                cmocka_unit_test(test_what_only_looks_like_the_slot_stays),
                cmocka_unit_test(test_a_slot_is_found_by_line),
                cmocka_unit_test(test_what_a_daemon_says_cannot_become_a_section_or_a_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
