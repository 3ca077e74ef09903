/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/dfu-suffix.h"
#include "core/image-reader.h"

#define BCD_DFU_1_0   0x0100 /* what mkdfu.py writes; also of files for DFU 1.1 */
#define BCD_DFU_1_1   0x0110
#define BCD_DFUSE     0x011a
#define PID_OFFSET    14 /* bytes before the end, as are the others */
#define VID_OFFSET    12
#define DFU_OFFSET    10
#define LENGTH_OFFSET 5

static const char *const image_file_kind_words[IMAGE_FILE_KIND_MAX_] = {
        [IMAGE_FILE_DATA] = "data",
        [IMAGE_FILE_BOOTLOADER] = "bootloader",
        [IMAGE_FILE_APPLICATION] = "application",
        [IMAGE_FILE_PARTITION_TABLE] = "partition table",
};
DEFINE_WORDS(image_file_kind, image_file_kind_words)

struct image *image_free(struct image *image)
{
        if (!image)
                return NULL;
        free(image->members);
        free(image->files);
        free(image);
        return NULL;
}

/* Returns false when there is no suffix, so that nothing is known of the payload. */
static bool read_suffix(struct image_reader *reader, struct dfu_suffix *ret)
{
        struct fault fault;
        int r;

        if (reader->len > IMAGE_SIZE_MAX) {
                image_error(reader, NULL, 0, "%zu bytes: expected at most %zu", reader->len,
                            (size_t)IMAGE_SIZE_MAX);
                return false;
        }
        r = dfu_suffix_read(reader->data, reader->len, ret, &fault);
        if (r != 0)
                image_error(reader, NULL, fault.offset, "%s", fault.text);
        if (r == DFU_SUFFIX_MISSING)
                return false;
        if (ret->bcd_dfu == BCD_DFUSE)
                image_error(reader, NULL, reader->len - DFU_OFFSET,
                            "DfuSe file: expected DFU 1.0 or 1.1 (0x0100)");
        else if (ret->bcd_dfu != BCD_DFU_1_0 && ret->bcd_dfu != BCD_DFU_1_1)
                image_warning(reader, NULL, reader->len - DFU_OFFSET,
                              "bcdDFU 0x%04x in the suffix: expected 0x0100", (unsigned)ret->bcd_dfu);
        reader->image->vid = ret->vid;
        reader->image->pid = ret->pid;
        reader->image->payload_size = reader->len - ret->length;
        if (ret->vid == ESP_VENDOR_ID || ret->vid == DFU_ID_ANY)
                reader->image->chip = chip_by_pid(ret->pid);
        return true;
}

static void check_ids(struct image_reader *reader, const struct dfu_suffix *suffix)
{
        if (suffix->length != IMAGE_SUFFIX_SIZE)
                image_error(reader, NULL, reader->len - LENGTH_OFFSET, "DFU suffix of %u bytes: expected %d",
                            (unsigned)suffix->length, IMAGE_SUFFIX_SIZE);
        if (suffix->vid == DFU_ID_ANY)
                image_warning(reader, NULL, reader->len - VID_OFFSET,
                              "VID 0xffff (any) in the suffix: expected 0x%04x", (unsigned)ESP_VENDOR_ID);
        else if (suffix->vid != ESP_VENDOR_ID)
                image_error(reader, NULL, reader->len - VID_OFFSET,
                            "VID 0x%04x in the suffix: expected 0x%04x", (unsigned)suffix->vid,
                            (unsigned)ESP_VENDOR_ID);
        if (suffix->pid == DFU_ID_ANY)
                image_warning(
                        reader, NULL, reader->len - PID_OFFSET,
                        "PID 0xffff (any) in the suffix: expected a chip's, so that no other chip gets it");
        else if (!chip_by_pid(suffix->pid))
                image_error(reader, NULL, reader->len - PID_OFFSET,
                            "PID 0x%04x in the suffix: expected a chip's, such as 0x0002 (esp32s2) or 0x0009 "
                            "(esp32s3)",
                            (unsigned)suffix->pid);
}

static int read_whole(struct image_reader *reader)
{
        struct dfu_suffix suffix;
        int r;

        if (!read_suffix(reader, &suffix))
                return 0;
        check_ids(reader, &suffix);
        r = image_read_archive(reader);
        if (r == 0 && reader->complete)
                r = image_check_layout(reader);
        if (r == 0 && reader->complete)
                r = image_check_content(reader);
        return r;
}

static int read_suffix_alone(struct image_reader *reader)
{
        struct dfu_suffix suffix;

        if (read_suffix(reader, &suffix) && reader->image->payload_size == 0)
                image_error(reader, NULL, 0, "nothing before the DFU suffix: expected a payload");
        return 0;
}

static int image_read(const uint8_t *data, size_t len, struct findings *findings,
                      int (*read)(struct image_reader *reader), struct image **ret)
{
        _cleanup_(image_freep) struct image *image = calloc(1, sizeof(*image));
        struct image_reader reader = { .data = data, .len = len, .findings = findings, .image = image };
        int r;

        if (!image)
                return -ENOMEM;
        r = read(&reader);
        if (r < 0)
                return r;
        *ret = take_ptr(image);
        return 0;
}

/* Keeps the image only if nothing was found that forbids to send it. */
static int image_accept(const uint8_t *data, size_t len, struct findings *findings,
                        int (*read)(struct image_reader *reader), struct image **ret)
{
        _cleanup_(image_freep) struct image *image = NULL;
        size_t n_errors = findings->n_errors;
        int r = image_read(data, len, findings, read, &image);

        if (r < 0)
                return r;
        if (findings->n_errors > n_errors)
                return 1;
        *ret = take_ptr(image);
        return 0;
}

int image_inspect(const uint8_t *data, size_t len, struct findings *findings, struct image **ret)
{
        return image_read(data, len, findings, read_whole, ret);
}

int image_parse(const uint8_t *data, size_t len, struct findings *findings, struct image **ret)
{
        return image_accept(data, len, findings, read_whole, ret);
}

int image_parse_suffix_only(const uint8_t *data, size_t len, struct findings *findings, struct image **ret)
{
        return image_accept(data, len, findings, read_suffix_alone, ret);
}
