/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of chips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/chip.h"

static void test_chips_are_found_by_pid_and_by_name(void **state)
{
        static const struct {
                const char *name, *product;
                uint16_t pid, bcd_device;
                bool has_mac;
        } known[] = {
                { "esp32s2", "ESP32-S2", 0x0002, 0x0723, false },
                { "esp32s3", "ESP32-S3", 0x0009, 0x0728, true },
                { "esp32p4", "ESP32-P4", 0x0012, 0x0912, true },
                { "esp32s31", "ESP32-S31", 0x0020, 0x0764, true },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
                const struct chip *chip = chip_by_pid(known[i].pid);

                assert_non_null(chip);
                assert_ptr_equal(chip_by_name(known[i].name), chip);
                assert_ptr_equal(chip_at(i), chip);
                assert_string_equal(chip->name, known[i].name);
                assert_string_equal(chip->product, known[i].product);
                assert_int_equal(chip->bcd_device, known[i].bcd_device);
                assert_int_equal(chip->has_mac, known[i].has_mac);
        }
        assert_null(chip_at(ARRAY_SIZE(known)));
        assert_null(chip_at(SIZE_MAX));
}

static void test_no_other_chip_is_found(void **state)
{
        (void)state;
        assert_null(chip_by_pid(0));
        assert_null(chip_by_pid(0x1001)); /* USB-Serial-JTAG: an S3 that runs */
        assert_null(chip_by_name(""));
        assert_null(chip_by_name("ESP32S2"));
        assert_null(chip_by_name("esp32s"));
        assert_null(chip_by_name("esp32s22"));
}

static void test_mac_has_the_roms_form(void **state)
{
        static const char *const none[] = {
                "",
                "0",
                "7c:df:a1:0b:00:1",
                "7c:df:a1:0b:00:123",
                "7C:df:a1:0b:00:12",
                "7c-df-a1-0b-00-12",
                "7c:df:a1:0b:00:1g",
                ":c:df:a1:0b:00:12",
                "7c:df:a1:0b:00 12",
        };

        (void)state;
        assert_true(chip_serial_is_mac("7c:df:a1:0b:00:12"));
        assert_true(chip_serial_is_mac("00:00:00:00:00:00"));
        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
                assert_false(chip_serial_is_mac(none[i]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_chips_are_found_by_pid_and_by_name),
                cmocka_unit_test(test_no_other_chip_is_found),
                cmocka_unit_test(test_mac_has_the_roms_form),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
