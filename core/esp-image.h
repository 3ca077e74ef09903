/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An ESP image (bootloader or application): a 24-byte header that begins with 0xE9, segments, a checksum byte, and
 * usually a SHA-256 of it all.
 * Source: Espressif's "Firmware Image Format"; ESP-IDF's "App Image Format".
 */
#pragma once

#include "core/finding.h"

#define ESP_IMAGE_MAGIC        0xe9
#define ESP_IMAGE_HEADER_SIZE  24
#define ESP_IMAGE_SEGMENTS_MAX 16

struct esp_image {
        uint16_t chip_id;
        uint8_t n_segments;
        bool has_hash; /* a SHA-256 follows the checksum */
        size_t size;   /* bytes, checksum and hash included; 0 where a segment runs over the end */
        bool is_app;   /* the first segment begins with an application description */
        char app_name[33], app_version[33]; /* printable; "" when it is no application */
};

/* Whether data claims to be one. */
bool esp_image_is_magic(const uint8_t *data, size_t len);

/* Reads and checks all but the chip id. Returns 0, 1 with *fault (and *ret filled as far as that goes), or a negative
 * errno from the digest. */
int esp_image_read(const uint8_t *data, size_t len, struct esp_image *ret, struct fault *fault);
