/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a board says of itself: the mask ROM to the byte, what only looks like it, and bytes that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/usb-descriptors.h"
#include "tests/rom/rom.h"

#define ALL (USB_DEVICE_DESCRIPTOR_SIZE + ROM_CONFIGURATION_SIZE)

static const uint16_t pids[ROM_N_CHIPS] = { 0x0002, 0x0009, 0x0012, 0x0020 };

/* As the device node gives them. */
static void descriptors_of(const struct rom_config *config, uint8_t ret[static ALL])
{
        _cleanup_(rom_freep) struct rom *rom = rom_new(config);

        assert_non_null(rom);
        rom_device_descriptor(rom, ret);
        rom_configuration_descriptor(rom, ret + USB_DEVICE_DESCRIPTOR_SIZE);
}

static void test_each_chip_is_the_rom_in_both_modes(void **state)
{
        (void)state;
        for (enum rom_chip c = ROM_S2; c < ROM_N_CHIPS; c++)
                for (int dfu_mode = 0; dfu_mode < 2; dfu_mode++) {
                        const struct rom_config config = { .chip = c, .starts_in_dfu_mode = dfu_mode };
                        const struct chip *chip = chip_by_pid(pids[c]);
                        struct dfu_interface dfu;
                        struct usb_device_ids ids;
                        uint8_t bytes[ALL];

                        descriptors_of(&config, bytes);
                        assert_true(usb_descriptors_are_rom(bytes, sizeof(bytes), chip));
                        assert_int_equal(usb_device_ids_parse(bytes, sizeof(bytes), &ids), 0);
                        assert_int_equal(ids.vid, ESP_VENDOR_ID);
                        assert_int_equal(ids.pid, chip->pid);
                        assert_int_equal(ids.bcd_device, chip->bcd_device);
                        assert_int_equal(usb_find_dfu_interface(bytes, sizeof(bytes), &dfu), 0);
                        assert_int_equal(dfu.interface, 2);
                        assert_int_equal(dfu.alternate, 0);
                        assert_int_equal(dfu.dfu_mode, dfu_mode);
                        assert_int_equal(dfu.attributes, DFU_CAN_DNLOAD | DFU_CAN_UPLOAD |
                                                                 DFU_MANIFESTATION_TOLERANT |
                                                                 DFU_WILL_DETACH);
                        assert_int_equal(dfu.detach_timeout_ms, 700);
                        assert_int_equal(dfu.transfer_size, DFU_ROM_TRANSFER_SIZE);
                        assert_int_equal(dfu.dfu_version, 0x0110);
                }
}

static void test_one_chips_rom_is_not_anothers(void **state)
{
        uint8_t bytes[ALL];

        (void)state;
        for (enum rom_chip c = ROM_S2; c < ROM_N_CHIPS; c++) {
                descriptors_of(&(struct rom_config){ .chip = c }, bytes);
                for (enum rom_chip other = ROM_S2; other < ROM_N_CHIPS; other++)
                        assert_int_equal(usb_descriptors_are_rom(bytes, ALL, chip_by_pid(pids[other])),
                                         c == other);
        }
}

static void test_one_bit_changed_anywhere_is_not_the_rom(void **state)
{
        const size_t protocol = ALL - 9 - 2;
        uint8_t bytes[ALL];

        (void)state;
        descriptors_of(&(struct rom_config){ .chip = ROM_S3 }, bytes);
        for (size_t i = 0; i < ALL; i++)
                for (unsigned bit = 0; bit < 8; bit++) {
                        bytes[i] ^= (uint8_t)(1 << bit);
                        /* bInterfaceProtocol is 1 or 2: two bits away from each other. */
                        assert_false(usb_descriptors_are_rom(bytes, ALL, chip_by_pid(0x0009)));
                        bytes[i] ^= (uint8_t)(1 << bit);
                }
        bytes[protocol] = 2;
        assert_true(usb_descriptors_are_rom(bytes, ALL, chip_by_pid(0x0009)));
}

static void test_more_or_fewer_bytes_are_not_the_rom(void **state)
{
        uint8_t bytes[ALL + 1] = { 0 };

        (void)state;
        descriptors_of(&(struct rom_config){ .chip = ROM_S2 }, bytes);
        for (size_t len = 0; len <= sizeof(bytes); len++)
                assert_int_equal(usb_descriptors_are_rom(bytes, len, chip_by_pid(0x0002)), len == ALL);
}

static void test_other_bcd_device_is_not_the_rom(void **state)
{
        uint8_t bytes[ALL];

        (void)state;
        descriptors_of(&(struct rom_config){ .chip = ROM_S2, .bcd_device = 0x0100 }, bytes);
        assert_false(usb_descriptors_are_rom(bytes, ALL, chip_by_pid(0x0002)));
}

/* ---- strings ---- */

static void test_strings_of_the_rom(void **state)
{
        const struct chip *s2 = chip_by_pid(0x0002), *s3 = chip_by_pid(0x0009);

        (void)state;
        assert_true(usb_strings_are_rom(s2, "Espressif", "ESP32-S2", "0"));
        assert_true(usb_strings_are_rom(s3, "Espressif", "ESP32-S3", "7c:df:a1:0b:00:12"));

        assert_false(usb_strings_are_rom(s2, "Espressif", "ESP32-S2",
                                         "7c:df:a1:0b:00:12")); /* an application on an S2 */
        assert_false(usb_strings_are_rom(s2, "Espressif Systems", "ESP32-S2", "0")); /* Arduino's */
        assert_false(usb_strings_are_rom(s2, "Espressif", "ESP32-S3", "0"));
        assert_false(usb_strings_are_rom(s2, "Espressif", "ESP32-S2", ""));
        assert_false(usb_strings_are_rom(s3, "Espressif", "ESP32-S3", "0"));
        assert_false(usb_strings_are_rom(s3, "Espressif", "ESP32-S3", "7C:DF:A1:0B:00:12"));
        assert_false(usb_strings_are_rom(s3, "Espressif", "ESP32-S3", "7cdfa10b0012"));
        assert_false(usb_strings_are_rom(s3, NULL, "ESP32-S3", "7c:df:a1:0b:00:12"));
        assert_false(usb_strings_are_rom(s3, "Espressif", NULL, "7c:df:a1:0b:00:12"));
        assert_false(usb_strings_are_rom(s3, "Espressif", "ESP32-S3", NULL));
}

/* ---- other devices ---- */

#define DEVICE                          18, 1, 0, 2, 0, 0, 0, 64, 0x34, 0x12, 0x78, 0x56, 0x01, 0x02, 0, 0, 0, 1
#define CONFIGURATION                   9, 2, 0, 0, 1, 1, 0, 0x80, 50
#define DFU_INTERFACE(n, alt, protocol) 9, 4, n, alt, 0, 0xfe, 1, protocol, 0
#define HID_INTERFACE(n)                9, 4, n, 0, 1, 3, 0, 0, 0
#define FUNCTIONAL(attributes, size)    9, 0x21, attributes, 0xe8, 0x03, (size)&0xff, (size) >> 8, 0x1a, 0x01

#define find(ret, ...)                                                                                       \
        ({                                                                                                   \
                const uint8_t bytes_[] = { __VA_ARGS__ };                                                    \
                usb_find_dfu_interface(bytes_, sizeof(bytes_), (ret));                                       \
        })

static void test_dfu_interface_of_another_device_is_found(void **state)
{
        struct dfu_interface dfu;

        (void)state;
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, HID_INTERFACE(0), FUNCTIONAL(0, 7),
                              DFU_INTERFACE(1, 0, 2), FUNCTIONAL(0x0b, 2048)),
                         0);
        assert_int_equal(dfu.interface, 1);
        assert_true(dfu.dfu_mode);
        assert_int_equal(dfu.attributes, 0x0b);
        assert_int_equal(dfu.detach_timeout_ms, 1000);
        assert_int_equal(dfu.transfer_size, 2048);
        assert_int_equal(dfu.dfu_version, 0x011a);
}

static void test_first_of_many_alternate_settings_is_taken(void **state)
{
        struct dfu_interface dfu;

        (void)state;
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, DFU_INTERFACE(0, 0, 2), DFU_INTERFACE(0, 1, 2),
                              DFU_INTERFACE(0, 2, 2), FUNCTIONAL(0x0b, 1024)),
                         0);
        assert_int_equal(dfu.alternate, 0);
        assert_int_equal(dfu.transfer_size, 1024);
}

/* A HID descriptor has the functional descriptor's type: 0x21. */
static void test_functional_descriptor_is_not_taken_from_another_interface(void **state)
{
        struct dfu_interface dfu;

        (void)state;
        assert_int_equal(
                find(&dfu, DEVICE, CONFIGURATION, DFU_INTERFACE(0, 0, 1), HID_INTERFACE(1), FUNCTIONAL(1, 9)),
                1);
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, DFU_INTERFACE(0, 0, 1), HID_INTERFACE(1),
                              FUNCTIONAL(1, 9), DFU_INTERFACE(2, 0, 1), FUNCTIONAL(0x0b, 512)),
                         0);
        assert_int_equal(dfu.interface, 2);
        assert_int_equal(dfu.transfer_size, 512);
}

static void test_functional_descriptor_belongs_to_the_interface_before_it(void **state)
{
        struct dfu_interface dfu;

        (void)state;
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, DFU_INTERFACE(0, 0, 1), DFU_INTERFACE(3, 0, 2),
                              FUNCTIONAL(0x0b, 512)),
                         0);
        assert_int_equal(dfu.interface, 3);
        assert_true(dfu.dfu_mode);
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, DFU_INTERFACE(0, 0, 1), CONFIGURATION,
                              FUNCTIONAL(0x0b, 512)),
                         1);
}

static void test_device_without_dfu(void **state)
{
        struct dfu_interface dfu;

        (void)state;
        assert_int_equal(usb_find_dfu_interface(NULL, 0, &dfu), 1);
        assert_int_equal(find(&dfu, DEVICE), 1);
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, HID_INTERFACE(0)), 1);
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, DFU_INTERFACE(0, 0, 2)), 1);
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, DFU_INTERFACE(0, 0, 3), FUNCTIONAL(0x0b, 64)), 1);
}

static void test_lengths_that_lie_are_refused(void **state)
{
        struct dfu_interface dfu;

        (void)state;
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, 0, 4, 0, 0), -EBADMSG); /* would loop */
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, 1, 4), -EBADMSG);
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, 255, 4, 0, 0), -EBADMSG);
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, 9), -EBADMSG);
        /* Too short for what they are: not that. */
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, 2, 4, 2, 0x21), 1);
        assert_int_equal(find(&dfu, DEVICE, CONFIGURATION, 8, 4, 0, 0, 0, 0xfe, 1, 2, FUNCTIONAL(0x0b, 64)),
                         1);
        assert_int_equal(
                find(&dfu, DEVICE, CONFIGURATION, DFU_INTERFACE(0, 0, 2), 7, 0x21, 0x0b, 0, 0, 0x40, 0), 1);
}

/* Under the address sanitizer: nothing is read behind the end, at whatever length the bytes are cut. */
static void test_truncated_descriptors(void **state)
{
        uint8_t bytes[ALL];

        (void)state;
        descriptors_of(&(struct rom_config){ .chip = ROM_S2 }, bytes);
        for (size_t len = 0; len < ALL; len++) {
                _cleanup_(freep) uint8_t *cut = malloc(len ? len : 1);
                struct dfu_interface dfu;
                struct usb_device_ids ids;

                assert_non_null(cut);
                memcpy(cut, bytes, len);
                assert_int_not_equal(usb_find_dfu_interface(cut, len, &dfu), 0);
                assert_int_equal(usb_device_ids_parse(cut, len, &ids),
                                 len < USB_DEVICE_DESCRIPTOR_SIZE ? -EBADMSG : 0);
        }
}

static void test_every_byte_replaced_by_every_value_ends(void **state)
{
        uint8_t bytes[ALL];

        (void)state;
        descriptors_of(&(struct rom_config){ .chip = ROM_S2 }, bytes);
        for (size_t i = 0; i < ALL; i++) {
                uint8_t good = bytes[i];

                for (unsigned v = 0; v < 256; v++) {
                        struct dfu_interface dfu = { .interface = 77 };
                        int r;

                        bytes[i] = (uint8_t)v;
                        r = usb_find_dfu_interface(bytes, ALL, &dfu);
                        assert_true(r == 0 || r == 1 || r == -EBADMSG);
                        assert_true(r == 0 || dfu.interface == 77);
                }
                bytes[i] = good;
        }
}

static void test_what_is_no_device_descriptor_has_no_ids(void **state)
{
        uint8_t bytes[ALL];
        struct usb_device_ids ids = { .vid = 7 };

        (void)state;
        descriptors_of(&(struct rom_config){ .chip = ROM_S2 }, bytes);
        bytes[1] = 2;
        assert_int_equal(usb_device_ids_parse(bytes, ALL, &ids), -EBADMSG);
        bytes[1] = 1;
        bytes[0] = 17;
        assert_int_equal(usb_device_ids_parse(bytes, ALL, &ids), -EBADMSG);
        assert_int_equal(ids.vid, 7);
}

static void test_more_bytes_than_are_looked_at(void **state)
{
        size_t len = 4 * USB_DESCRIPTORS_MAX;
        _cleanup_(freep) uint8_t *many = malloc(len);
        struct dfu_interface dfu;

        (void)state;
        assert_non_null(many);
        for (size_t i = 0; i < len; i += 2) {
                many[i] = 2;
                many[i + 1] = 0xff;
        }
        assert_int_equal(usb_find_dfu_interface(many, len, &dfu), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_chip_is_the_rom_in_both_modes),
                cmocka_unit_test(test_one_chips_rom_is_not_anothers),
                cmocka_unit_test(test_one_bit_changed_anywhere_is_not_the_rom),
                cmocka_unit_test(test_more_or_fewer_bytes_are_not_the_rom),
                cmocka_unit_test(test_other_bcd_device_is_not_the_rom),
                cmocka_unit_test(test_strings_of_the_rom),
                cmocka_unit_test(test_dfu_interface_of_another_device_is_found),
                cmocka_unit_test(test_first_of_many_alternate_settings_is_taken),
                cmocka_unit_test(test_functional_descriptor_is_not_taken_from_another_interface),
                cmocka_unit_test(test_functional_descriptor_belongs_to_the_interface_before_it),
                cmocka_unit_test(test_device_without_dfu),
                cmocka_unit_test(test_lengths_that_lie_are_refused),
                cmocka_unit_test(test_truncated_descriptors),
                cmocka_unit_test(test_every_byte_replaced_by_every_value_ends),
                cmocka_unit_test(test_what_is_no_device_descriptor_has_no_ids),
                cmocka_unit_test(test_more_bytes_than_are_looked_at),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
