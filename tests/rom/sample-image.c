/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/rom/sample-image.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <zlib.h>

#define RECORD_SIZE   88
#define HEADER_SIZE   110
#define ARCHIVE_BLOCK 10240 /* an archive is filled up to a multiple of it */
#define PARTS_MAX     128
#define INFO_NAME     "dfuinfo0.dat"
#define TRAILER_NAME  "TRAILER!!!"

/* Grows by itself. */
struct buffer {
        uint8_t *data;
        size_t len;
};

static void append(struct buffer *b, const void *data, size_t len)
{
        b->data = realloc(b->data, b->len + len + 1);
        if (!b->data)
                abort();
        if (len > 0)
                memcpy(b->data + b->len, data, len);
        b->len += len;
}

static void pad(struct buffer *b, size_t multiple)
{
        while (b->len % multiple != 0)
                append(b, "", 1);
}

void sample_fill(uint8_t *ret, size_t len, unsigned seed)
{
        for (size_t i = 0; i < len; i++)
                ret[i] = (uint8_t)(i * i * seed + i * 7 + seed);
}

static void append_member(struct buffer *b, const char *name, const uint8_t *data, size_t size, bool trailer)
{
        char header[HEADER_SIZE + 1];
        unsigned mode = trailer ? 0 : 0100644, links = trailer;

        snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0U,
                 mode, 0U, 0U, links, 0U, (unsigned)size, 0U, 0U, 0U, 0U, (unsigned)strlen(name) + 1, 0U);
        append(b, header, HEADER_SIZE);
        append(b, name, strlen(name) + 1);
        pad(b, 4);
        append(b, data, size);
        pad(b, 4);
}

static void append_record(struct buffer *b, const struct sample_part *part)
{
        uint8_t record[RECORD_SIZE] = { 0 };

        write_le32(record, part->address);
        write_le32(record + 4, part->flags);
        memcpy(record + 8, part->name, sizeof(part->name));
        if (EVP_Digest(part->data, part->size, record + 72, NULL, EVP_md5(), NULL) != 1)
                abort();
        record[72] ^= part->wrong_md5;
        append(b, record, sizeof(record));
}

static void append_suffix(struct buffer *b, uint16_t pid)
{
        uint8_t suffix[SAMPLE_SUFFIX_SIZE] = { 0xff, 0xff, 0, 0, 0x3a, 0x30, 0x00, 0x01, 'U', 'F', 'D', 16 };

        write_le16(suffix + 2, pid);
        append(b, suffix, 12);
        write_le32(suffix + 12, (uint32_t)~crc32(0, b->data, (unsigned)b->len));
        append(b, suffix + 12, 4);
}

void sample_image_from_parts(const struct sample_part *parts, size_t n, uint16_t pid,
                             struct sample_image *ret)
{
        struct buffer info = { 0 }, b = { 0 };

        for (size_t i = 0; i < n; i++)
                if (!parts[i].unlisted)
                        append_record(&info, &parts[i]);
        append_member(&b, INFO_NAME, info.data, info.len, false);
        for (size_t i = 0; i < n; i++)
                if (!parts[i].missing)
                        append_member(&b, parts[i].name, parts[i].data, parts[i].size, false);
        append_member(&b, TRAILER_NAME, NULL, 0, true);
        pad(&b, ARCHIVE_BLOCK);
        free(info.data);
        ret->payload_size = b.len;
        append_suffix(&b, pid);
        ret->data = b.data;
        ret->size = b.len;
}

/* Adds a file's parts, with names like app.bin, app.bin.1, … Returns how many there are then. */
static size_t cut(const struct sample_file *file, const uint8_t *data, uint32_t part_size,
                  struct sample_part *parts, size_t n)
{
        for (size_t done = 0, i = 0; done < file->size; done += part_size, i++, n++) {
                if (n == PARTS_MAX)
                        abort();
                parts[n].address = file->address + (uint32_t)done;
                parts[n].data = data + done;
                parts[n].size = MIN((size_t)part_size, file->size - done);
                if (i == 0)
                        snprintf(parts[n].name, sizeof(parts[n].name), "%s", file->name);
                else
                        snprintf(parts[n].name, sizeof(parts[n].name), "%s.%zu", file->name, i);
        }
        return n;
}

/* Parameters of the flash as the ROM keeps them: ids, size, block, sector and page size, mask of the status. */
static size_t flash_params(uint32_t flash_size, uint8_t *ret, struct sample_part *part)
{
        const uint32_t words[8] = { 0, 0, 0, flash_size, 0x10000, 0x1000, 0x100, 0xffff };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                write_le32(ret + 4 * i, words[i]);
        *part = (struct sample_part){
                .name = "flash_params.dat", .flags = 4 | 8 | 16, .data = ret, .size = 32
        };
        return 1;
}

void sample_image_make(const struct sample_spec *spec, struct sample_image *ret)
{
        struct sample_part *parts = calloc(PARTS_MAX, sizeof(*parts));
        uint8_t *contents[SAMPLE_FILES_MAX] = { NULL }, params[32];
        uint32_t part_size = spec->part_size ? spec->part_size : SAMPLE_PART_SIZE;
        size_t n;

        if (!parts)
                abort();
        n = spec->flash_size ? flash_params(spec->flash_size, params, parts) : 0;
        for (size_t i = 0; i < spec->n_files; i++) {
                contents[i] = malloc(spec->files[i].size + 1);
                if (!contents[i])
                        abort();
                sample_fill(contents[i], spec->files[i].size, spec->files[i].seed);
                n = cut(&spec->files[i], contents[i], part_size, parts, n);
        }
        sample_image_from_parts(parts, n, spec->pid, ret);
        for (size_t i = 0; i < spec->n_files; i++)
                free(contents[i]);
        free(parts);
}

void sample_image_make_s2(struct sample_image *ret)
{
        static const struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 4 * MIB,
                .files = { { "boot.bin", 0x1000, 22400, 3 },
                           { "pt.bin", 0x8000, 3072, 5 },
                           { "app.bin", 0x10000, 180000, 11 } },
                .n_files = 3,
        };

        sample_image_make(&spec, ret);
}

void sample_image_make_s3(struct sample_image *ret)
{
        static const struct sample_spec spec = {
                .pid = 0x0009,
                .flash_size = 8 * MIB,
                .files = { { "boot.bin", 0x0, 22400, 3 },
                           { "pt.bin", 0x8000, 3072, 5 },
                           { "ota.bin", 0xd000, 8192, 19 },
                           { "big.bin", 0x10000, 1300001, 13 } },
                .n_files = 4,
        };

        sample_image_make(&spec, ret);
}

void sample_image_done(struct sample_image *image)
{
        free(image->data);
        *image = (struct sample_image){ 0 };
}

int sample_image_write(const struct sample_image *image, const char *path)
{
        FILE *f = fopen(path, "we");

        if (!f)
                return -errno;
        if (fwrite(image->data, 1, image->size, f) != image->size) {
                fclose(f);
                return -EIO;
        }
        return fclose(f) == 0 ? 0 : -errno;
}

/* ---- an image against a flash ------------------------------------------------- */

struct member {
        char name[128];
        const uint8_t *data;
        size_t size, next; /* next: offset of the member behind it */
};

/* The member whose header is at offset. False at the trailer, and where there is none. */
static bool member_at(const uint8_t *image, size_t len, size_t offset, struct member *ret)
{
        char number[9] = "";
        size_t name_size, data;

        if (offset + HEADER_SIZE > len || memcmp(image + offset, "070701", 6) != 0)
                return false;
        memcpy(number, image + offset + 54, 8);
        ret->size = strtoul(number, NULL, 16);
        memcpy(number, image + offset + 94, 8);
        name_size = strtoul(number, NULL, 16);
        data = (offset + HEADER_SIZE + name_size + 3) / 4 * 4;
        if (name_size == 0 || name_size > sizeof(ret->name) || data + ret->size > len)
                return false;
        memcpy(ret->name, image + offset + HEADER_SIZE, name_size);
        ret->name[name_size - 1] = '\0';
        ret->data = image + data;
        ret->next = (data + ret->size + 3) / 4 * 4;
        return !streq(ret->name, TRAILER_NAME);
}

static bool member_is_in_flash(const struct rom *rom, const struct member *m, uint32_t address)
{
        uint8_t byte;

        if (rom_flash_equals(rom, address, m->data, m->size))
                return true;
        for (size_t i = 0; i < m->size; i++) {
                rom_flash_read(rom, address + (uint32_t)i, &byte, 1);
                if (byte == m->data[i])
                        continue;
                fprintf(stderr, "flash at %#zx is %#x, expected %#x (byte %zu of %s)\n", address + i, byte,
                        m->data[i], i, m->name);
                return false;
        }
        return false;
}

bool rom_flash_has_image(const struct rom *rom, const uint8_t *image, size_t len)
{
        struct member info, m;
        size_t compared = 0;

        if (!member_at(image, len, 0, &info) || !streq(info.name, INFO_NAME))
                return false;
        m.next = info.next;
        for (size_t i = 0; i + RECORD_SIZE <= info.size; i += RECORD_SIZE) {
                if (!member_at(image, len, m.next, &m))
                        return false;
                if (read_le32(info.data + i + 4) & 4) /* flash parameters are not in the flash */
                        continue;
                if (!member_is_in_flash(rom, &m, read_le32(info.data + i)))
                        return false;
                compared++;
        }
        return compared > 0;
}
