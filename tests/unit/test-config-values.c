/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/config-values.h"

#define HOUR (3600 * USEC_PER_SEC)

static void expect_time(const char *text, uint64_t usec)
{
        uint64_t value = 0;

        assert_int_equal(value_time(text, HOUR, &value), 0);
        assert_int_equal(value, usec);
}

static void test_times_have_units_and_a_plain_number_is_seconds(void **state)
{
        (void)state;
        expect_time("500ms", 500 * USEC_PER_MSEC);
        expect_time("2s", 2 * USEC_PER_SEC);
        expect_time("2 s", 2 * USEC_PER_SEC);
        expect_time("1min", 60 * USEC_PER_SEC);
        expect_time("1h", HOUR);
        expect_time("3", 3 * USEC_PER_SEC);
        expect_time("0", 0);
        expect_time("3600000ms", HOUR);
}

static void test_bad_times_are_refused_and_leave_the_value(void **state)
{
        static const char *const bad[] = { "",    "s",        "1.5s",           "-1s",
                                           "1m",  "1min 30s", "61min",          "2h",
                                           "1e3", " 1s",      "5124095576030h", "18446744073709551617" };
        uint64_t value = 42;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(value_time(bad[i], HOUR, &value), -EINVAL);
        assert_int_equal(value, 42);
}

static void test_days_say_that_they_are_days(void **state)
{
        static const char *const bad[] = { "", "d", "365", "0d", "101d", "1 d", "1.5d", "1h", "-1d", "1dd" };
        uint64_t value = 42;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(value_days(bad[i], 1, 100, &value), -EINVAL);
        assert_int_equal(value, 42);
        assert_int_equal(value_days("100d", 1, 100, &value), 0);
        assert_int_equal(value, 100);
}

static void test_numbers_are_digits_within_their_bounds(void **state)
{
        static const char *const bad[] = { "", "0", "21", "+3", "0x3", "3 ", "3.0", "99999999999999999999" };
        uint64_t value = 42;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(value_number(bad[i], 1, 20, &value), -EINVAL);
        assert_int_equal(value, 42);
        assert_int_equal(value_number("1", 1, 20, &value), 0);
        assert_int_equal(value, 1);
        assert_int_equal(value_number("0020", 1, 20, &value), 0);
        assert_int_equal(value, 20);
        assert_int_equal(value_number("18446744073709551615", 0, UINT64_MAX, &value), 0);
        assert_true(value == UINT64_MAX);
        assert_int_equal(value_number("18446744073709551616", 0, UINT64_MAX, &value), -EINVAL);
        assert_int_equal(value_number("9", 0, 8, &value), -EINVAL);
}

static void test_names_begin_with_a_letter_or_a_digit(void **state)
{
        (void)state;
        assert_true(value_is_name("A1", 4));
        assert_true(value_is_name("0.-_", 4));
        assert_false(value_is_name("", 4));
        assert_false(value_is_name("-A1", 4));
        assert_false(value_is_name("A1234", 4));
        assert_false(value_is_name("A;1", 4));
}

static void test_ports_are_a_bus_and_a_chain(void **state)
{
        static const char *const good[] = { "1-4", "1-4.1", "12-2.1.3.1.1.16", "1-255" };
        static const char *const bad[] = { "",
                                           "1",
                                           "1-",
                                           "-1",
                                           "0-1",
                                           "1-0",
                                           "1-04",
                                           "1-4.",
                                           "1-4..1",
                                           "1-4.1:1.0",
                                           "1-256",
                                           "usb1",
                                           "1-1.1.1.1.1.1.1" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_true(value_is_port(good[i]));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(value_is_port(bad[i]));
}

static void test_id_paths_are_those_of_devices(void **state)
{
        static const char *const good[] = { "pci-0000:00:14.0-usb-0:4.1", "platform-vhci_hcd.0-usb-0:1",
                                            "anything" };
        static const char *const bad[] = {
                "", "a b", "a*", "pci-0000:00:14.0-usb-0:4.1:1.0", "x-usb-0:", "é"
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_true(value_is_id_path(good[i]));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(value_is_id_path(bad[i]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_times_have_units_and_a_plain_number_is_seconds),
                cmocka_unit_test(test_bad_times_are_refused_and_leave_the_value),
                cmocka_unit_test(test_days_say_that_they_are_days),
                cmocka_unit_test(test_numbers_are_digits_within_their_bounds),
                cmocka_unit_test(test_names_begin_with_a_letter_or_a_digit),
                cmocka_unit_test(test_ports_are_a_bus_and_a_chain),
                cmocka_unit_test(test_id_paths_are_those_of_devices),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
