/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/usb-descriptors.h"

#include "core/cursor.h"

enum {
        TYPE_DEVICE = 0x01,
        TYPE_CONFIGURATION = 0x02,
        TYPE_INTERFACE = 0x04,
        TYPE_DFU_FUNCTIONAL = 0x21,

        CLASS_APPLICATION = 0xfe,
        SUBCLASS_DFU = 0x01,
        PROTOCOL_RUNTIME = 0x01,
        PROTOCOL_DFU_MODE = 0x02,

        PID_OFFSET = 10,
        BCD_DEVICE_OFFSET = 12,
};

/* With PID, bcdDevice left at zero: they differ from chip to chip. */
static const uint8_t rom_device[USB_DEVICE_DESCRIPTOR_SIZE] = {
        0x12, 0x01, 0x00, 0x02, 0xef, 0x02, 0x01, 0x40, 0x3a, 0x30, 0, 0, 0, 0, 0x01, 0x02, 0x03, 0x01,
};

/* clang-format off */
static const uint8_t rom_configuration[USB_ROM_CONFIGURATION_SIZE] = {
        0x09, 0x02, 0x5d, 0x00, 0x03, 0x01, 0x00, 0xc0, 0xfa, /* 3 interfaces, self-powered, 500 mA */
        0x08, 0x0b, 0x00, 0x02, 0x02, 0x02, 0x00, 0x00,       /* association of interfaces 0 and 1 */
        0x09, 0x04, 0x00, 0x00, 0x01, 0x02, 0x02, 0x00, 0x00, /* CDC-ACM control */
        0x05, 0x24, 0x00, 0x10, 0x01,
        0x04, 0x24, 0x02, 0x02,
        0x05, 0x24, 0x06, 0x00, 0x01,
        0x05, 0x24, 0x01, 0x03, 0x01,
        0x07, 0x05, 0x85, 0x03, 0x40, 0x00, 0x01,
        0x09, 0x04, 0x01, 0x00, 0x02, 0x0a, 0x02, 0x00, 0x00, /* CDC data */
        0x07, 0x05, 0x03, 0x02, 0x40, 0x00, 0x01,
        0x07, 0x05, 0x84, 0x02, 0x40, 0x00, 0x01,
        0x09, 0x04, 0x02, 0x00, 0x00, 0xfe, 0x01, 0x00, 0x00, /* DFU; its protocol tells the mode */
        0x09, 0x21, 0x0f, 0xbc, 0x02, 0x40, 0x00, 0x10, 0x01,
};
/* clang-format on */
#define ROM_PROTOCOL_OFFSET (sizeof(rom_configuration) - 9 - 2)

int usb_device_ids_parse(const uint8_t *descriptors, size_t len, struct usb_device_ids *ret)
{
        if (len < USB_DEVICE_DESCRIPTOR_SIZE || descriptors[0] < USB_DEVICE_DESCRIPTOR_SIZE ||
            descriptors[1] != TYPE_DEVICE)
                return -EBADMSG;
        *ret = (struct usb_device_ids){
                .vid = read_le16(descriptors + 8),
                .pid = read_le16(descriptors + PID_OFFSET),
                .bcd_device = read_le16(descriptors + BCD_DEVICE_OFFSET),
        };
        return 0;
}

/* One descriptor: its length byte, its type byte, the rest. Returns 0, 1 at the end, or -EBADMSG. */
static int next_descriptor(struct cursor *c, const uint8_t **ret, size_t *ret_len)
{
        struct cursor look = *c;
        uint8_t length;

        if (cursor_remaining(c) == 0)
                return 1;
        if (!cursor_take_u8(&look, &length) || length < 2 || !cursor_take(c, length, ret))
                return -EBADMSG;
        *ret_len = length;
        return 0;
}

static bool is_dfu_interface(const uint8_t *d, size_t len)
{
        return len >= 9 && d[5] == CLASS_APPLICATION && d[6] == SUBCLASS_DFU &&
               (d[7] == PROTOCOL_RUNTIME || d[7] == PROTOCOL_DFU_MODE);
}

static void interface_from_descriptor(const uint8_t *d, struct dfu_interface *ret)
{
        *ret = (struct dfu_interface){
                .interface = d[2],
                .alternate = d[3],
                .dfu_mode = d[7] == PROTOCOL_DFU_MODE,
        };
}

static void functional_from_descriptor(const uint8_t *d, struct dfu_interface *ret)
{
        ret->attributes = d[2];
        ret->detach_timeout_ms = read_le16(d + 3);
        ret->transfer_size = read_le16(d + 5);
        ret->dfu_version = read_le16(d + 7);
}

int usb_find_dfu_interface(const uint8_t *descriptors, size_t len, struct dfu_interface *ret)
{
        struct cursor c = cursor_over(descriptors, MIN(len, (size_t)USB_DESCRIPTORS_MAX));
        struct dfu_interface found = { 0 };
        bool in_dfu = false;

        for (;;) {
                const uint8_t *d;
                size_t d_len;
                int r = next_descriptor(&c, &d, &d_len);

                if (r != 0)
                        return r;
                if (d[1] == TYPE_INTERFACE) {
                        bool is_dfu = is_dfu_interface(d, d_len);

                        /* The first of its alternate settings; the functional descriptor may stand behind the last. */
                        if (is_dfu && !(in_dfu && found.interface == d[2]))
                                interface_from_descriptor(d, &found);
                        in_dfu = is_dfu; /* behind a HID interface the same type is a HID descriptor */
                } else if (in_dfu && d[1] == TYPE_DFU_FUNCTIONAL && d_len >= 9) {
                        functional_from_descriptor(d, &found);
                        *ret = found;
                        return 0;
                } else if (d[1] == TYPE_CONFIGURATION) {
                        in_dfu = false; /* a functional descriptor belongs to its own configuration */
                }
        }
}

void usb_rom_device_descriptor(const struct chip *chip, uint8_t ret[static USB_DEVICE_DESCRIPTOR_SIZE])
{
        memcpy(ret, rom_device, sizeof(rom_device));
        write_le16(ret + PID_OFFSET, chip->pid);
        write_le16(ret + BCD_DEVICE_OFFSET, chip->bcd_device);
}

void usb_rom_configuration(bool dfu_mode, uint8_t ret[static USB_ROM_CONFIGURATION_SIZE])
{
        memcpy(ret, rom_configuration, sizeof(rom_configuration));
        ret[ROM_PROTOCOL_OFFSET] = dfu_mode ? PROTOCOL_DFU_MODE : PROTOCOL_RUNTIME;
}

bool usb_descriptors_are_rom(const uint8_t *descriptors, size_t len, const struct chip *chip)
{
        const uint8_t *device, *configuration;
        uint8_t rom[USB_DEVICE_DESCRIPTOR_SIZE], expected[USB_ROM_CONFIGURATION_SIZE];
        struct cursor c = cursor_over(descriptors, len);

        if (!cursor_take(&c, sizeof(rom), &device) || !cursor_take(&c, sizeof(expected), &configuration) ||
            cursor_remaining(&c) > 0)
                return false;
        usb_rom_device_descriptor(chip, rom);
        usb_rom_configuration(configuration[ROM_PROTOCOL_OFFSET] == PROTOCOL_DFU_MODE, expected);
        return memcmp(device, rom, sizeof(rom)) == 0 &&
               memcmp(configuration, expected, sizeof(expected)) == 0;
}

bool usb_strings_are_rom(const struct chip *chip, const char *manufacturer, const char *product,
                         const char *serial)
{
        if (!manufacturer || !product || !serial)
                return false;
        return streq(manufacturer, "Espressif") && streq(product, chip->product) &&
               (chip->has_mac ? chip_serial_is_mac(serial) : streq(serial, "0"));
}
