/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a board says of itself: its device descriptor and configuration, as sysfs's `descriptors` and the device node
 * give them. Tells the mask ROM from whatever only looks like it, and finds the DFU interface.
 * Source: docs/rom-dfu.md, "Descriptors"; DFU 1.1, section 4.
 */
#pragma once

#include "core/chip.h"

#define USB_DEVICE_DESCRIPTOR_SIZE 18
#define USB_ROM_CONFIGURATION_SIZE 93
#define USB_DESCRIPTORS_MAX        8192 /* bytes that are looked at at all */
#define DFU_ROM_TRANSFER_SIZE      64
#define DFU_TRANSFER_SIZE_MAX      4096 /* what usbfs moves in one control transfer */

/* bmAttributes of the functional descriptor. */
enum {
        DFU_CAN_DNLOAD = 1,
        DFU_CAN_UPLOAD = 2,
        DFU_MANIFESTATION_TOLERANT = 4,
        DFU_WILL_DETACH = 8,
};

struct usb_device_ids {
        uint16_t vid, pid, bcd_device;
};

struct dfu_interface {
        uint8_t interface, alternate;
        bool dfu_mode; /* bInterfaceProtocol 2; else run-time mode, 1 */
        uint8_t attributes;
        uint16_t detach_timeout_ms;
        uint16_t transfer_size; /* bytes, as the device says; not checked */
        uint16_t dfu_version;   /* BCD */
};

/* descriptors: the device descriptor, then configurations. Returns 0, or -EBADMSG. */
int usb_device_ids_parse(const uint8_t *descriptors, size_t len, struct usb_device_ids *ret);

/* The first DFU interface with its functional descriptor. Returns 0; 1 where there is none; -EBADMSG where the bytes
 * contradict themselves. */
int usb_find_dfu_interface(const uint8_t *descriptors, size_t len, struct dfu_interface *ret);

/* Whether the descriptors are those of chip's mask ROM to the byte, in either mode. */
bool usb_descriptors_are_rom(const uint8_t *descriptors, size_t len, const struct chip *chip);

/* What the mask ROM says, to the byte. */
void usb_rom_device_descriptor(const struct chip *chip, uint8_t ret[static USB_DEVICE_DESCRIPTOR_SIZE]);
void usb_rom_configuration(bool dfu_mode, uint8_t ret[static USB_ROM_CONFIGURATION_SIZE]);

/* Whether the strings are those of chip's mask ROM. Any may be NULL: not read, so not the ROM's. */
bool usb_strings_are_rom(const struct chip *chip, const char *manufacturer, const char *product,
                         const char *serial);
