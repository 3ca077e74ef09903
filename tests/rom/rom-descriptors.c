/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the chips say of themselves: docs/rom-dfu.md, "Chips" and "Descriptors". */
#include "tests/rom/rom-internal.h"

#include <stdio.h>

enum {
        DESCRIPTOR_DEVICE = 1,
        DESCRIPTOR_CONFIGURATION = 2,
        DESCRIPTOR_STRING = 3,
};

static const struct {
        const char *product;
        uint16_t pid, bcd_device;
        bool has_mac;
} chips[ROM_N_CHIPS] = {
        [ROM_S2] = { "ESP32-S2", 0x0002, 0x0723, false },
        [ROM_S3] = { "ESP32-S3", 0x0009, 0x0728, true },
        [ROM_P4] = { "ESP32-P4", 0x0012, 0x0912, true },
        [ROM_S31] = { "ESP32-S31", 0x0020, 0x0764, true },
};

/* clang-format off */
static const uint8_t configuration[ROM_CONFIGURATION_SIZE] = {
        0x09, 0x02, 0x5d, 0x00, 0x03, 0x01, 0x00, 0xc0, 0xfa, /* self-powered, 500 mA */
        0x08, 0x0b, 0x00, 0x02, 0x02, 0x02, 0x00, 0x00,       /* interfaces 0 and 1 belong together */
        0x09, 0x04, 0x00, 0x00, 0x01, 0x02, 0x02, 0x00, 0x00, /* CDC-ACM control */
        0x05, 0x24, 0x00, 0x10, 0x01,
        0x04, 0x24, 0x02, 0x02,
        0x05, 0x24, 0x06, 0x00, 0x01,
        0x05, 0x24, 0x01, 0x03, 0x01,
        0x07, 0x05, 0x85, 0x03, 0x40, 0x00, 0x01,
        0x09, 0x04, 0x01, 0x00, 0x02, 0x0a, 0x02, 0x00, 0x00, /* CDC data */
        0x07, 0x05, 0x03, 0x02, 0x40, 0x00, 0x01,
        0x07, 0x05, 0x84, 0x02, 0x40, 0x00, 0x01,
        0x09, 0x04, 0x02, 0x00, 0x00, 0xfe, 0x01, 0x01, 0x00, /* DFU; the protocol is patched in DFU mode */
        0x09, 0x21, 0x0f, 0xbc, 0x02, 0x40, 0x00, 0x10, 0x01, /* DFU functional descriptor */
};
/* clang-format on */
#define ROM_DEVICE_SIZE 18
#define PROTOCOL_OFFSET (ROM_CONFIGURATION_SIZE - 9 - 2)

uint16_t rom_pid(const struct rom *rom)
{
        return rom->config.pid ? rom->config.pid : chips[rom->config.chip].pid;
}

uint16_t rom_bcd_device(const struct rom *rom)
{
        return rom->config.bcd_device ? rom->config.bcd_device : chips[rom->config.chip].bcd_device;
}

const char *rom_manufacturer(const struct rom *rom)
{
        return rom->config.manufacturer ? rom->config.manufacturer : "Espressif";
}

const char *rom_product(const struct rom *rom)
{
        return rom->config.product ? rom->config.product : chips[rom->config.chip].product;
}

const char *rom_serial(const struct rom *rom)
{
        if (rom->config.serial)
                return rom->config.serial;
        return chips[rom->config.chip].has_mac ? rom->serial : "0";
}

/* In the descriptor that begins at this byte of them all. */
static void lie(const struct rom *rom, uint8_t *descriptor, size_t at, size_t len)
{
        if (rom->config.lies_in_dfu_mode_alone && !rom_in_dfu_mode(rom))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(rom->config.lies); i++) {
                const struct rom_lie *l = &rom->config.lies[i];

                if (l->offset > 0 && l->offset >= at && l->offset < at + len)
                        descriptor[l->offset - at] = l->to;
        }
}

void rom_device_descriptor(const struct rom *rom, uint8_t ret[static 18])
{
        static const uint8_t device[18] = { 0x12, 0x01, 0x00, 0x02, 0xef, 0x02, 0x01, 0x40, 0x3a,
                                            0x30, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x01 };

        memcpy(ret, device, sizeof(device));
        write_le16(ret + 10, rom_pid(rom));
        write_le16(ret + 12, rom_bcd_device(rom));
        lie(rom, ret, 0, sizeof(device));
}

void rom_configuration_descriptor(const struct rom *rom, uint8_t ret[static ROM_CONFIGURATION_SIZE])
{
        memcpy(ret, configuration, sizeof(configuration));
        if (rom_in_dfu_mode(rom))
                ret[PROTOCOL_OFFSET] = 2;
        if (rom->config.patch_offset)
                ret[rom->config.patch_offset] = rom->config.patch_to;
        lie(rom, ret, ROM_DEVICE_SIZE, sizeof(configuration));
}

/* UTF-16LE, of ASCII. */
static int string_descriptor(const char *s, uint8_t ret[static ROM_REPLY_MAX])
{
        size_t len = MIN(strlen(s), (size_t)126);

        for (size_t i = 0; i < len; i++)
                write_le16(ret + 2 + 2 * i, (uint8_t)s[i]);
        ret[0] = (uint8_t)(2 + 2 * len);
        ret[1] = DESCRIPTOR_STRING;
        return ret[0];
}

static int get_string(const struct rom *rom, uint8_t index, uint8_t ret[static ROM_REPLY_MAX])
{
        static const uint8_t languages[] = { 4, DESCRIPTOR_STRING, 0x09, 0x04 }; /* US English */

        switch (index) {
        case 0:
                memcpy(ret, languages, sizeof(languages));
                return sizeof(languages);
        case 1:
                return string_descriptor(rom_manufacturer(rom), ret);
        case 2:
                return string_descriptor(rom_product(rom), ret);
        case 3:
                return string_descriptor(rom_serial(rom), ret);
        }
        return -ENOENT;
}

int rom_get_descriptor(const struct rom *rom, uint16_t value, uint8_t ret[static ROM_REPLY_MAX])
{
        uint8_t index = (uint8_t)value;

        switch (value >> 8) {
        case DESCRIPTOR_DEVICE:
                rom_device_descriptor(rom, ret);
                return index == 0 ? 18 : -ENOENT;
        case DESCRIPTOR_CONFIGURATION:
                rom_configuration_descriptor(rom, ret);
                return index == 0 ? ROM_CONFIGURATION_SIZE : -ENOENT;
        case DESCRIPTOR_STRING:
                return get_string(rom, index, ret);
        }
        return -ENOENT; /* device qualifier, BOS */
}
