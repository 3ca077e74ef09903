/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The chips whose mask ROM speaks DFU: one table, asked by everybody.
 * Source: docs/rom-dfu.md, "Chips".
 */
#pragma once

#include "core/util.h"

#define ESP_VENDOR_ID 0x303a

struct chip {
        const char *name;       /* as ESP-IDF's targets: "esp32s2"; in configuration and on the socket */
        const char *short_name; /* "S2": in tables */
        const char *product;    /* the ROM's iProduct */
        uint16_t pid;           /* USB product id; equals the chip id of an ESP image */
        uint16_t bcd_device;    /* the ROM's bcdDevice */
        bool has_mac;           /* the ROM's iSerial is the MAC; else it is "0" on every chip */
};

/* NULL where no such chip is known. The answers are static. */
const struct chip *chip_by_pid(uint16_t pid);
const struct chip *chip_by_name(const char *name);
/* Walks the table: index 0, 1, … until NULL. */
const struct chip *chip_at(size_t index);

/* Whether serial has the ROM's form of a MAC: "7c:df:a1:0b:00:12", lower case. */
bool chip_serial_is_mac(const char *serial);
