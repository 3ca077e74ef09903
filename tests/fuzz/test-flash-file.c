/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lies in flash: an ESP image, or a partition table; as it is, and with the sum that no luck makes put right. */
#include "core/digest.h"
#include "core/esp-image.h"
#include "core/partition-table.h"
#include "core/printable.h"
#include "tests/fuzz/fuzz.h"

#define ENTRY_SIZE 32

static void check_image(const uint8_t *data, size_t len)
{
        struct esp_image image, again;
        struct fault fault = { 0 };
        int r = esp_image_read(data, len, &image, &fault);

        must(r == 0 || (r == 1 && fault.text[0] && fault.offset <= len));
        must(is_printable(image.app_name) && is_printable(image.app_version));
        must(image.is_app || (!image.app_name[0] && !image.app_version[0]));
        if (r != 0)
                return;
        must(image.size <= len && image.size % 16 == 0);
        must(image.n_segments >= 1 && image.n_segments <= ESP_IMAGE_SEGMENTS_MAX);
        must(esp_image_read(data, image.size, &again, &fault) == 0 && again.size == image.size);
        must(esp_image_read(data, image.size - 1, &again, &fault) == 1);
}

static void check_table(const uint8_t *data, size_t len)
{
        struct partition_table table;
        struct fault fault = { 0 };
        int r = partition_table_read(data, len, &table, &fault);

        must(r == 0 || (r == 1 && fault.text[0] && fault.offset <= len));
        must(table.n_partitions <= PARTITIONS_MAX);
        for (size_t i = 0; i < table.n_partitions; i++) {
                const struct partition *p = &table.partitions[i], *found;

                must(is_printable(p->label) && p->offset + ENTRY_SIZE <= len);
                found = partition_table_find(&table, p->address);
                must(p->size == 0 || (found && found->address <= p->address));
        }
}

/* The last 32 bytes become the SHA-256 of what is before. */
static void mend_image(uint8_t *data, size_t len)
{
        struct esp_image image;
        struct fault fault;

        (void)esp_image_read(data, len, &image, &fault);
        if (image.has_hash && image.size > SHA256_SIZE && image.size <= len)
                must(digest_sha256(data, image.size - SHA256_SIZE, data + image.size - SHA256_SIZE) == 0);
}

/* So does the MD5 in an entry of that kind. */
static void mend_table(uint8_t *data, size_t len)
{
        for (size_t at = 0; at + ENTRY_SIZE <= len; at += ENTRY_SIZE)
                if (read_le16(data + at) == 0xebeb) {
                        must(digest_md5(data, at, data + at + 16) == 0);
                        return;
                }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) uint8_t *mended = malloc(MAX(size, (size_t)1));

        must(mended);
        if (size > 0)
                memcpy(mended, data, size);
        if (partition_table_is_magic(data, size)) {
                check_table(data, size);
                mend_table(mended, size);
                check_table(mended, size);
        }
        check_image(data, size);
        mend_image(mended, size);
        check_image(mended, size);
        return 0;
}
