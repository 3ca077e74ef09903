/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What runs on a device, as its descriptors and strings tell; and the order of ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/device.h"

#define ROM_SIZE (USB_DEVICE_DESCRIPTOR_SIZE + USB_ROM_CONFIGURATION_SIZE)

/* What the ROM of an ESP32-S3 says. */
static void rom_says(uint8_t descriptors[static ROM_SIZE], bool dfu_mode)
{
        usb_rom_device_descriptor(chip_by_name("esp32s3"), descriptors);
        usb_rom_configuration(dfu_mode, descriptors + USB_DEVICE_DESCRIPTOR_SIZE);
}

static void expect_mode_of(const uint8_t *descriptors, size_t len, const char *product, enum device_mode mode,
                           bool for_station)
{
        struct device device = {
                .port = strdup("1-4.1"),
                .manufacturer = strdup("Espressif"),
                .product = strdup(product),
                .serial = strdup("7c:df:a1:0b:00:12"),
        };

        device_identify(&device, descriptors, len);
        assert_string_equal(device_mode_to_string(device.mode), device_mode_to_string(mode));
        assert_int_equal(device_is_rom(&device), mode == DEVICE_ROM || mode == DEVICE_ROM_DFU);
        assert_int_equal(device_is_for_station(&device), for_station);
        device_done(&device);
}

static void test_rom_is_known_to_the_byte_and_in_which_mode_it_is(void **state)
{
        uint8_t descriptors[ROM_SIZE];
        const char *product = chip_by_name("esp32s3")->product;

        (void)state;
        rom_says(descriptors, false);
        expect_mode_of(descriptors, ROM_SIZE, product, DEVICE_ROM, true);
        rom_says(descriptors, true);
        expect_mode_of(descriptors, ROM_SIZE, product, DEVICE_ROM_DFU, true);
        expect_mode_of(descriptors, ROM_SIZE, "Gizmo", DEVICE_APPLICATION_DFU, true);
        descriptors[USB_DEVICE_DESCRIPTOR_SIZE + 8]++; /* bMaxPower */
        expect_mode_of(descriptors, ROM_SIZE, product, DEVICE_APPLICATION_DFU, true);
}

static void test_what_is_not_the_rom_is_told_apart(void **state)
{
        uint8_t descriptors[ROM_SIZE];

        (void)state;
        rom_says(descriptors, false);
        expect_mode_of(descriptors, USB_DEVICE_DESCRIPTOR_SIZE, "Gizmo", DEVICE_APPLICATION, true);
        expect_mode_of(descriptors, ROM_SIZE - 1, "Gizmo", DEVICE_UNREADABLE, true);
        expect_mode_of(descriptors, USB_DEVICE_DESCRIPTOR_SIZE - 1, "Gizmo", DEVICE_UNREADABLE, false);
        expect_mode_of(NULL, 0, "Gizmo", DEVICE_UNREADABLE, false);
        write_le16(descriptors + 10, ESP_SERIAL_JTAG_PID);
        expect_mode_of(descriptors, ROM_SIZE, "Gizmo", DEVICE_SERIAL_JTAG, false);
}

static void test_ports_are_in_the_order_of_their_numbers(void **state)
{
        static const char *const ports[] = { "1-10", "2-1", "1-2.10", "1-2", "1-2.9" };
        static const char *const ordered[] = { "1-2", "1-2.9", "1-2.10", "1-10", "2-1" };
        struct device *devices = calloc(ARRAY_SIZE(ports), sizeof(*devices));

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
                devices[i].port = strdup(ports[i]);
        qsort(devices, ARRAY_SIZE(ports), sizeof(*devices), device_compare);
        for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
                assert_string_equal(devices[i].port, ordered[i]);
        devices_free(devices, ARRAY_SIZE(ports));
}

static void test_device_is_found_by_port_and_by_path(void **state)
{
        struct device device = { .port = strdup("1-4.1"), .path = strdup("pci-0000:00:14.0-usb-0:4.1") };

        (void)state;
        assert_true(device_is_at(&device, "1-4.1"));
        assert_true(device_is_at(&device, "pci-0000:00:14.0-usb-0:4.1"));
        assert_false(device_is_at(&device, "1-4"));
        device_done(&device);
        device.port = strdup("1-4.1"); /* udev has no path for it */
        assert_false(device_is_at(&device, "pci-0000:00:14.0-usb-0:4.1"));
        device_done(&device);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rom_is_known_to_the_byte_and_in_which_mode_it_is),
                cmocka_unit_test(test_what_is_not_the_rom_is_told_apart),
                cmocka_unit_test(test_ports_are_in_the_order_of_their_numbers),
                cmocka_unit_test(test_device_is_found_by_port_and_by_path),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
