/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a build of ESP-IDF leaves behind, made of nothing: a bootloader, a partition table and an application. */
#pragma once

#include "core/util.h"

struct firmware {
        const char *name, *version; /* of the application */
        uint16_t chip_id;           /* as ESP images have it: 0x0002, 0x0009 */
        size_t app_size;            /* bytes of its code */
};

/*
 * Writes NAME-bootloader.bin, NAME-partitions.bin and NAME-app.bin into dir. Returns 0 or a negative errno.
 * They go to 0x1000 (ESP32-S2) or 0x0, 0x8000 and 0x10000.
 */
int firmware_write(const struct firmware *firmware, const char *dir);
