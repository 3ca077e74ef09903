/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "core/cpio.h"
#include "core/dfuinfo.h"
#include "core/image-build.h"
#include "core/printable.h"

#define BCD_DFU 0x0100

/* The archive while it grows. dfuinfo0.dat comes first in it but is known last, so the rest is kept apart. */
struct builder {
        const struct image_build *build;
        struct findings *findings;
        struct bytes info;    /* records */
        struct bytes members; /* archive from flash_params.dat on */
};

static void builder_done(struct builder *b)
{
        bytes_done(&b->info);
        bytes_done(&b->members);
}

#define build_error(builder, member, ...)                                                                    \
        findings_add((builder)->findings, FINDING_ERROR, member, FINDING_NO_OFFSET, __VA_ARGS__)
#define build_warning(builder, member, ...)                                                                  \
        findings_add((builder)->findings, FINDING_WARNING, member, FINDING_NO_OFFSET, __VA_ARGS__)

int flash_address_parse(const char *s, uint32_t *ret)
{
        bool hex = str_has_prefix(s, "0x") || str_has_prefix(s, "0X");
        const char *digits = hex ? s + 2 : s;
        uint64_t value = 0;

        if (!*digits || (!hex && digits[0] == '0' && digits[1]))
                return -EINVAL;
        for (; *digits; digits++) {
                int digit = hex_digit(*digits);

                if (digit < 0 || (!hex && digit > 9))
                        return -EINVAL;
                value = value * (hex ? 16 : 10) + (uint64_t)digit;
                if (value > UINT32_MAX)
                        return -EINVAL;
        }
        *ret = (uint32_t)value;
        return 0;
}

int flash_size_parse(const char *s, uint32_t *ret)
{
        char name[16];

        for (unsigned mib = 1; mib <= 128; mib *= 2) {
                snprintf(name, sizeof(name), "%uMB", mib);
                if (streq(name, s)) {
                        *ret = mib * (uint32_t)MIB;
                        return 0;
                }
        }
        return -EINVAL;
}

static bool name_is_taken(const struct builder *b, const char *name)
{
        struct cursor c = cursor_over(b->info.data, b->info.len);
        struct dfuinfo_record record;

        if (streq(name, DFUINFO_NAME) || streq(name, CPIO_TRAILER))
                return true;
        while (dfuinfo_take(&c, &record))
                if (streq(record.name, name))
                        return true;
        return false;
}

static int add_member(struct builder *b, const char *name, uint32_t address, uint32_t flags,
                      const uint8_t *data, size_t len)
{
        struct dfuinfo_record record = { .address = address, .flags = flags };
        int r;

        if (name_is_taken(b, name)) {
                build_error(b, name,
                            "second member of this name: expected each name once; rename one of the files");
                return 0;
        }
        memcpy(record.name, name, strlen(name));
        r = digest_md5(data, len, record.md5);
        if (r == 0)
                r = dfuinfo_append(&b->info, &record);
        return r == 0 ? cpio_append(&b->members, name, data, len) : r;
}

static int add_flash_params(struct builder *b)
{
        uint8_t params[FLASH_PARAMS_SIZE];

        flash_params_write(b->build->flash_size, params);
        return add_member(b, FLASH_PARAMS_NAME, 0, IMAGE_FLASH_PARAMS | IMAGE_NO_ERASE | IMAGE_NO_MD5, params,
                          sizeof(params));
}

static int add_file(struct builder *b, const struct image_build_file *file)
{
        char name[DFUINFO_NAME_SIZE + 32];
        size_t part_size = b->build->part_size;

        for (size_t part = 0, pos = 0; pos < file->size; part++, pos += part_size) {
                size_t size = MIN(part_size, file->size - pos);
                int r;

                if (part == 0)
                        snprintf(name, sizeof(name), "%s", file->name);
                else
                        snprintf(name, sizeof(name), "%s.%zu", file->name, part);
                if (strlen(name) >= DFUINFO_NAME_SIZE) {
                        build_error(b, name,
                                    "name of %zu bytes: expected at most %d, the part's number included",
                                    strlen(name), DFUINFO_NAME_SIZE - 1);
                        return 0;
                }
                r = add_member(b, name, file->address + (uint32_t)pos, 0, file->data + pos, size);
                if (r < 0)
                        return r;
                if (size < part_size)
                        break;
        }
        return 0;
}

static bool check_numbers(const struct image_build *build, struct findings *findings)
{
        size_t n_errors = findings->n_errors;

        if (build->flash_size < FLASH_SIZE_MIN || build->flash_size > FLASH_SIZE_MAX)
                findings_add(findings, FINDING_ERROR, NULL, FINDING_NO_OFFSET,
                             "flash size of %u bytes: expected %zu to %zu", build->flash_size,
                             (size_t)FLASH_SIZE_MIN, (size_t)FLASH_SIZE_MAX);
        if (build->n_files == 0)
                findings_add(findings, FINDING_ERROR, NULL, FINDING_NO_OFFSET,
                             "no files: expected at least one");
        if (build->part_size == 0)
                findings_add(findings, FINDING_ERROR, NULL, FINDING_NO_OFFSET,
                             "part size 0: expected a multiple of %d", FLASH_SECTOR_SIZE);
        else if (build->part_size % FLASH_SECTOR_SIZE != 0)
                findings_add(findings, FINDING_WARNING, NULL, FINDING_NO_OFFSET,
                             "part size %zu: expected a multiple of %d, since a part's erase wipes the end "
                             "of the part "
                             "before it",
                             build->part_size, FLASH_SECTOR_SIZE);
        return findings->n_errors == n_errors;
}

static void check_file(struct builder *b, const struct image_build_file *file)
{
        uint64_t end = (uint64_t)file->address + file->size;

        if (!file->name[0] || !is_printable(file->name) || strchr(file->name, '/'))
                build_error(b, file->name, "name of a file: expected printable UTF-8 without '/'");
        if (file->size == 0)
                build_warning(b, file->name, "empty: left out");
        else if (end > b->build->flash_size)
                build_error(b, file->name,
                            "flash 0x%x to 0x%" PRIx64
                            " is beyond the flash: expected an end of at most 0x%x",
                            file->address, end, b->build->flash_size);
}

/* files is sorted by address. */
static bool check_files(struct builder *b, const struct image_build_file *files, size_t n)
{
        size_t n_errors = b->findings->n_errors;
        uint64_t total = 0;

        for (size_t i = 0; i < n; i++) {
                check_file(b, &files[i]);
                total += files[i].size;
                if (i > 0 && (uint64_t)files[i - 1].address + files[i - 1].size > files[i].address)
                        build_error(b, files[i].name,
                                    "overlaps %s at flash 0x%x: expected files side by side",
                                    files[i - 1].name, files[i].address);
        }
        if (total > IMAGE_SIZE_MAX)
                build_error(b, NULL, "files of %" PRIu64 " bytes: expected at most %" PRIu64, total,
                            IMAGE_SIZE_MAX);
        return b->findings->n_errors == n_errors;
}

static int compare_files(const void *a, const void *b)
{
        uint32_t x = ((const struct image_build_file *)a)->address,
                 y = ((const struct image_build_file *)b)->address;

        return (x > y) - (x < y);
}

/* A sorted copy, in which each address is once. */
static int sort_files(const struct image_build *build, struct image_build_file **ret, size_t *ret_n)
{
        struct image_build_file *files = calloc(MAX(build->n_files, (size_t)1), sizeof(*files));
        size_t n = 0;

        if (!files)
                return -ENOMEM;
        for (size_t i = 0; i < build->n_files; i++) {
                size_t j = 0;

                while (j < n && files[j].address != build->files[i].address)
                        j++;
                files[j] = build->files[i];
                n = MAX(n, j + 1);
        }
        qsort(files, n, sizeof(*files), compare_files);
        *ret = files;
        *ret_n = n;
        return 0;
}

int image_put_together(const struct bytes *records, const struct bytes *members,
                       const struct dfu_suffix *suffix, struct bytes *image)
{
        int r = cpio_append(image, DFUINFO_NAME, records->data, records->len);

        if (r == 0)
                r = bytes_append(image, members->data, members->len);
        if (r == 0)
                r = cpio_append_trailer(image);
        if (r == 0)
                r = bytes_pad(image, IMAGE_BLOCK_SIZE);
        return r == 0 ? dfu_suffix_append(image, suffix) : r;
}

static int finish(struct builder *b, struct bytes *image)
{
        const struct dfu_suffix suffix = {
                .bcd_device = DFU_ID_ANY,
                .pid = b->build->chip->pid,
                .vid = ESP_VENDOR_ID,
                .bcd_dfu = BCD_DFU,
        };
        int r = image_put_together(&b->info, &b->members, &suffix, image);

        if (r == 0 && image->len > IMAGE_SIZE_MAX)
                build_error(b, NULL, "image of %zu bytes: expected at most %" PRIu64, image->len,
                            IMAGE_SIZE_MAX);
        return r;
}

/* What image_parse() would say of it. Parts off the sector grid are built as they were asked for: there, and only
 * there, an image comes out that is not to be flashed, and its errors are warnings here. */
static int check_result(struct builder *b, const struct bytes *bytes)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;
        bool off_grid = b->build->part_size % FLASH_SECTOR_SIZE != 0;
        int r = image_inspect(bytes->data, bytes->len, &findings, &image);

        for (size_t i = 0; i < findings.n_items; i++)
                findings_add(b->findings, off_grid ? FINDING_WARNING : findings.items[i].severity,
                             findings.items[i].member, FINDING_NO_OFFSET, "%s%s",
                             off_grid && findings.items[i].severity == FINDING_ERROR ? "not to be flashed: "
                                                                                     : "",
                             findings.items[i].text);
        return r;
}

/* Before any is made: a small part size makes millions of large files. */
static bool check_records(struct builder *b, const struct image_build_file *files, size_t n)
{
        size_t part_size = b->build->part_size;
        uint64_t n_records = 1; /* flash_params.dat */

        for (size_t i = 0; i < n; i++)
                n_records += files[i].size / part_size + (files[i].size % part_size > 0);
        if (n_records > IMAGE_RECORDS_MAX)
                build_error(b, NULL,
                            "%" PRIu64 " records: the chip takes at most %d; expected larger parts "
                            "(--part-size) or fewer files",
                            n_records, IMAGE_RECORDS_MAX);
        else if (n_records < 2)
                build_error(b, NULL, "nothing to flash: expected a file that is not empty");
        return n_records >= 2 && n_records <= IMAGE_RECORDS_MAX;
}

static int add_all(struct builder *b)
{
        _cleanup_(freep) struct image_build_file *files = NULL;
        size_t n;
        int r = sort_files(b->build, &files, &n);

        if (r < 0 || !check_files(b, files, n) || !check_records(b, files, n))
                return r;
        r = add_flash_params(b);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = add_file(b, &files[i]);
        return r;
}

int image_build(const struct image_build *build, struct findings *findings, uint8_t **ret, size_t *ret_len)
{
        _cleanup_(builder_done) struct builder b = { .build = build, .findings = findings };
        _cleanup_(bytes_done) struct bytes image = { 0 };
        size_t n_errors = findings->n_errors;
        int r;

        if (!check_numbers(build, findings))
                return 1;
        r = add_all(&b);
        if (r == 0 && findings->n_errors == n_errors)
                r = finish(&b, &image);
        if (r == 0 && findings->n_errors == n_errors)
                r = check_result(&b, &image);
        if (r < 0)
                return r;
        if (findings->n_errors > n_errors)
                return 1;
        *ret_len = image.len;
        *ret = take_ptr(image.data);
        return 0;
}
