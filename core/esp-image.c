/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/esp-image.h"
#include "core/cursor.h"
#include "core/digest.h"
#include "core/printable.h"

#define CHIP_ID_OFFSET       12
#define HASH_APPENDED_OFFSET 23
#define CHECKSUM_SEED        0xef
#define CHECKSUM_ALIGNMENT   16 /* the checksum is the last byte of such a group */

/* esp_app_desc_t, at the start of the first segment. */
#define APP_DESCRIPTION_MAGIC     0xabcd5432
#define APP_DESCRIPTION_SIZE      256
#define APP_VERSION_OFFSET        16
#define APP_PROJECT_NAME_OFFSET   48
#define APP_DESCRIPTION_TEXT_SIZE 32

bool esp_image_is_magic(const uint8_t *data, size_t len)
{
        return len > 0 && data[0] == ESP_IMAGE_MAGIC;
}

static void copy_text(char ret[APP_DESCRIPTION_TEXT_SIZE + 1], const uint8_t *text)
{
        memcpy(ret, text, APP_DESCRIPTION_TEXT_SIZE);
        ret[APP_DESCRIPTION_TEXT_SIZE] = '\0';
        make_printable(ret);
}

static void read_app_description(const uint8_t *segment, uint32_t len, struct esp_image *image)
{
        if (len < APP_DESCRIPTION_SIZE || read_le32(segment) != APP_DESCRIPTION_MAGIC)
                return;
        image->is_app = true;
        copy_text(image->app_version, segment + APP_VERSION_OFFSET);
        copy_text(image->app_name, segment + APP_PROJECT_NAME_OFFSET);
}

static int walk_segments(struct cursor *c, struct esp_image *image, uint8_t *checksum, struct fault *fault)
{
        for (unsigned i = 0; i < image->n_segments; i++) {
                size_t offset = cursor_offset(c);
                uint32_t load, len;
                const uint8_t *data;

                if (!cursor_take_le32(c, &load) || !cursor_take_le32(c, &len))
                        return fault_set(fault, offset,
                                         "ESP image ends before segment %u of %u: %zu bytes left, expected 8",
                                         i + 1, image->n_segments, c->len - offset);
                if (!cursor_take(c, len, &data))
                        return fault_set(fault, offset,
                                         "ESP image ends in segment %u of %u: %zu bytes left, expected %u",
                                         i + 1, image->n_segments, cursor_remaining(c), len);
                for (uint32_t j = 0; j < len; j++)
                        *checksum ^= data[j];
                if (i == 0)
                        read_app_description(data, len, image);
        }
        return 0;
}

static int check_hash(const uint8_t *data, size_t covered, struct cursor *c, struct fault *fault)
{
        uint8_t expected[SHA256_SIZE];
        char found_hex[SHA256_HEX], expected_hex[SHA256_HEX];
        const uint8_t *found;
        int r;

        if (!cursor_take(c, SHA256_SIZE, &found))
                return fault_set(fault, covered,
                                 "ESP image ends before its SHA-256: %zu bytes left, expected %d",
                                 cursor_remaining(c), SHA256_SIZE);
        r = digest_sha256(data, covered, expected);
        if (r < 0 || memcmp(found, expected, SHA256_SIZE) == 0)
                return r;
        hex_encode(found, SHA256_SIZE, found_hex);
        hex_encode(expected, SHA256_SIZE, expected_hex);
        return fault_set(fault, covered, "SHA-256 of the ESP image is %.16s…: expected %.16s…", found_hex,
                         expected_hex);
}

int esp_image_read(const uint8_t *data, size_t len, struct esp_image *ret, struct fault *fault)
{
        struct cursor c = cursor_over(data, len);
        uint8_t checksum = CHECKSUM_SEED, found;
        const uint8_t *header;
        int r;

        *ret = (struct esp_image){ 0 };
        if (!esp_image_is_magic(data, len))
                return fault_set(fault, 0, "no ESP image: expected it to begin with 0xe9");
        if (!cursor_take(&c, ESP_IMAGE_HEADER_SIZE, &header))
                return fault_set(fault, 0, "ESP image of %zu bytes: too short for its header, expected %d",
                                 len, ESP_IMAGE_HEADER_SIZE);
        ret->n_segments = header[1];
        ret->chip_id = read_le16(header + CHIP_ID_OFFSET);
        ret->has_hash = header[HASH_APPENDED_OFFSET] != 0;
        if (ret->n_segments < 1 || ret->n_segments > ESP_IMAGE_SEGMENTS_MAX)
                return fault_set(fault, 1, "%u segments in an ESP image: expected 1 to %d", ret->n_segments,
                                 ESP_IMAGE_SEGMENTS_MAX);
        r = walk_segments(&c, ret, &checksum, fault);
        if (r != 0)
                return r;
        if (!cursor_skip(&c, CHECKSUM_ALIGNMENT - 1 - cursor_offset(&c) % CHECKSUM_ALIGNMENT) ||
            !cursor_take_u8(&c, &found))
                return fault_set(fault, cursor_offset(&c), "ESP image ends before its checksum");
        ret->size = cursor_offset(&c) + (ret->has_hash ? SHA256_SIZE : 0);
        if (found != checksum)
                return fault_set(fault, cursor_offset(&c) - 1,
                                 "checksum 0x%02x of the ESP image: expected 0x%02x", (unsigned)found,
                                 (unsigned)checksum);
        return ret->has_hash ? check_hash(data, cursor_offset(&c), &c, fault) : 0;
}
