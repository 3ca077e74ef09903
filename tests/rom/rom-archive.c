/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ROM's updater, which eats the archive: docs/rom-dfu.md, "The archive that the chip is fed". */
#include "tests/rom/rom-internal.h"

#include <openssl/evp.h>

void archive_begin(struct rom *rom)
{
        memset(&rom->archive, 0, sizeof(rom->archive));
        rom->archive.place_size = CPIO_HEADER_SIZE;
        rom->counters.archives++;
}

static void erase_sector(struct rom *rom, uint32_t address)
{
        flash_erase_sector(&rom->flash, address);
        rom->counters.erased_sectors++;
        rom->work_usec += rom->config.timing.erase_sector_usec;
}

/* The ROM refuses what goes beyond the size that it believes, and looks at no result. */
static void write_page(struct rom *rom, uint32_t address, const uint8_t *data, size_t len)
{
        if (len == 0 || (uint64_t)address + len > rom->chip_size)
                return;
        flash_program(&rom->flash, address, data, len);
        rom->counters.written_pages++;
        rom->work_usec += rom->config.timing.write_page_usec;
}

/* A range is rounded to whole sectors, at both ends. */
static void erase_range(struct rom *rom, uint32_t address, uint32_t len)
{
        uint64_t end = (uint64_t)address + len;

        if (end > rom->chip_size)
                return;
        for (uint64_t at = address - address % ROM_SECTOR_SIZE; at < end; at += ROM_SECTOR_SIZE)
                erase_sector(rom, (uint32_t)at);
}

static void flush_page(struct rom *rom)
{
        struct archive *a = &rom->archive;

        write_page(rom, a->member->address + a->place_len - (uint32_t)a->page_len, a->page, a->page_len);
        a->page_len = 0;
}

/* Bytes of a member that a record lists. place_len still counts what came before them. */
static void take_file_bytes(struct rom *rom, const uint8_t *data, size_t len)
{
        struct archive *a = &rom->archive;
        uint32_t before = a->place_len;

        if (a->member->flags & RECORD_FLASH_PARAMS) {
                for (size_t i = 0; i < len && before + i < sizeof(a->params); i++)
                        a->params[before + i] = data[i];
                return;
        }
        if (a->member->flags & (RECORD_TO_RAM | RECORD_CALL))
                return;
        if (before == 0 && !(a->member->flags & RECORD_NO_ERASE))
                erase_range(rom, a->member->address, a->member_size);
        for (size_t i = 0; i < len; i++) {
                a->page[a->page_len++] = data[i];
                a->place_len++;
                if (a->page_len == sizeof(a->page))
                        flush_page(rom);
        }
        a->place_len = before;
}

static void take_records(struct archive *a)
{
        a->n_records = a->member_size / RECORD_SIZE;
        for (size_t i = 0; i < a->n_records; i++) {
                const uint8_t *from = a->info + i * RECORD_SIZE;
                struct record *r = &a->records[i];

                *r = (struct record){ .address = read_le32(from), .flags = read_le32(from + 4) };
                memcpy(r->name, from + 8, RECORD_NAME_SIZE);
                memcpy(r->md5, from + 8 + RECORD_NAME_SIZE, sizeof(r->md5));
        }
}

/* The present member's last byte has come. */
static void end_member(struct rom *rom)
{
        struct archive *a = &rom->archive;

        if (a->member_is_info)
                take_records(a);
        if (!a->member)
                return;
        if (a->page_len > 0)
                flush_page(rom);
        if (a->member->flags & RECORD_FLASH_PARAMS)
                rom->chip_size = read_le32(a->params + 12);
        if (a->member->flags & RECORD_CALL)
                rom->counters.violations++;
        a->member->size = a->member_size;
        a->member->came = true;
}

static struct record *record_of(struct archive *a, const char *name)
{
        for (size_t i = 0; i < a->n_records; i++)
                if (!a->records[i].came && streq(a->records[i].name, name))
                        return &a->records[i];
        return NULL;
}

static void go_to(struct archive *a, enum cpio_place place, uint32_t size)
{
        a->place = place;
        a->place_len = 0;
        a->place_size = size;
}

static uint32_t padding(uint32_t len)
{
        return (4 - len % 4) % 4;
}

/* One of the thirteen numbers, of eight hexadecimal digits; those before are magic, then ino, mode, … */
static bool header_number(const struct archive *a, unsigned index, uint32_t *ret)
{
        uint32_t value = 0;

        for (size_t i = 0; i < 8; i++) {
                uint8_t c = a->header[6 + index * 8 + i];

                if (c >= '0' && c <= '9')
                        value = value << 4 | (uint32_t)(c - '0');
                else if (c >= 'a' && c <= 'f')
                        value = value << 4 | (uint32_t)(c - 'a' + 10);
                else if (c >= 'A' && c <= 'F')
                        value = value << 4 | (uint32_t)(c - 'A' + 10);
                else
                        return false;
        }
        *ret = value;
        return true;
}

static bool is_cpio_magic(const uint8_t *p)
{
        return memcmp(p, "070701", 6) == 0 || memcmp(p, "070702", 6) == 0;
}

static void header_came(struct archive *a)
{
        uint32_t name_size;

        if (!is_cpio_magic(a->header) || !header_number(a, 6, &a->member_size) ||
            !header_number(a, 11, &name_size) || name_size == 0 || name_size > CPIO_NAME_MAX) {
                a->error = ROM_ERR_TARGET;
                return;
        }
        memset(a->name, 0, sizeof(a->name));
        go_to(a, CPIO_IN_NAME, name_size + padding(CPIO_HEADER_SIZE + name_size));
}

static void name_came(struct archive *a)
{
        if (streq(a->name, CPIO_TRAILER_NAME)) {
                go_to(a, CPIO_AFTER_TRAILER, UINT32_MAX);
                return;
        }
        a->member_is_info = streq(a->name, DFU_INFO_NAME);
        if (a->member_is_info && a->member_size > sizeof(a->info)) {
                a->error = ROM_ERR_FILE;
                return;
        }
        a->member = a->member_is_info ? NULL : record_of(a, a->name);
        a->page_len = 0;
        go_to(a, CPIO_IN_DATA, a->member_size);
}

/* The present place has all its bytes. Places without a byte (no padding, an empty file) are passed by here. */
static void end_place(struct rom *rom)
{
        struct archive *a = &rom->archive;

        while (a->error == ROM_OK && a->place != CPIO_AFTER_TRAILER && a->place_len == a->place_size)
                switch (a->place) {
                case CPIO_IN_HEADER:
                        header_came(a);
                        break;
                case CPIO_IN_NAME:
                        name_came(a);
                        break;
                case CPIO_IN_DATA:
                        end_member(rom);
                        go_to(a, CPIO_IN_PADDING, padding(a->member_size));
                        break;
                case CPIO_IN_PADDING:
                        go_to(a, CPIO_IN_HEADER, CPIO_HEADER_SIZE);
                        break;
                case CPIO_AFTER_TRAILER:
                        break;
                }
}

static void take_place_bytes(struct rom *rom, const uint8_t *data, size_t len)
{
        struct archive *a = &rom->archive;

        switch (a->place) {
        case CPIO_IN_HEADER:
                memcpy(a->header + a->place_len, data, len);
                break;
        case CPIO_IN_NAME:
                for (size_t i = 0; i < len && a->place_len + i < CPIO_NAME_MAX; i++)
                        a->name[a->place_len + i] = (char)data[i];
                break;
        case CPIO_IN_DATA:
                if (a->member_is_info)
                        memcpy(a->info + a->place_len, data, len);
                else if (a->member)
                        take_file_bytes(rom, data, len);
                break;
        case CPIO_IN_PADDING:
        case CPIO_AFTER_TRAILER:
                break;
        }
}

static void take_cpio(struct rom *rom, const uint8_t *data, size_t len)
{
        struct archive *a = &rom->archive;

        while (len > 0 && a->error == ROM_OK && a->place != CPIO_AFTER_TRAILER) {
                size_t n = MIN(len, (size_t)(a->place_size - a->place_len));

                take_place_bytes(rom, data, n);
                a->place_len += (uint32_t)n;
                data += n;
                len -= n;
                end_place(rom);
        }
}

/* Raw mode: no record says how much there will be, so each sector is erased when its first byte is written. */
static void take_raw(struct rom *rom, const uint8_t *data, size_t len)
{
        struct archive *a = &rom->archive;

        if (a->raw_address % ROM_SECTOR_SIZE == 0)
                erase_range(rom, a->raw_address, (uint32_t)len);
        write_page(rom, a->raw_address, data, len);
        a->raw_address += (uint32_t)len;
}

static void take_chunk(struct rom *rom)
{
        struct archive *a = &rom->archive;
        size_t len = a->chunk_len;

        if (len == 0)
                return;
        if (!a->decided) {
                a->decided = true;
                a->raw = a->received <= RAW_DOWNLOAD_MAX || !is_cpio_magic(a->chunk);
                if (a->raw)
                        rom->counters.raw_downloads++;
        }
        a->chunk_len = 0;
        if (a->raw)
                take_raw(rom, a->chunk, len);
        else
                take_cpio(rom, a->chunk, len);
}

void archive_feed(struct rom *rom, const uint8_t *data, size_t len)
{
        struct archive *a = &rom->archive;

        if (a->error != ROM_OK) {
                rom->counters.dropped++;
                return;
        }
        for (size_t i = 0; i < len; i++) {
                a->chunk[a->chunk_len++] = data[i];
                a->received++;
                if (a->chunk_len == sizeof(a->chunk))
                        take_chunk(rom);
        }
}

/* Reads back what was written. Beyond the size that the ROM believes nothing is read, so no sum is right there. */
static bool file_is_in_flash(struct rom *rom, const struct record *r)
{
        uint64_t per_mib = rom->config.timing.verify_usec_per_mib;
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        uint8_t page[ROM_PAGE_SIZE], sum[16];
        bool ok = (uint64_t)r->address + r->size <= rom->chip_size;

        if (!md || EVP_DigestInit_ex(md, EVP_md5(), NULL) != 1)
                abort();
        for (uint32_t done = 0; ok && done < r->size; done += sizeof(page)) {
                size_t n = MIN(sizeof(page), (size_t)(r->size - done));

                flash_read(&rom->flash, r->address + done, page, n);
                EVP_DigestUpdate(md, page, n);
        }
        EVP_DigestFinal_ex(md, sum, NULL);
        EVP_MD_CTX_free(md);
        rom->counters.verified_files++;
        rom->work_usec += r->size * per_mib / MIB;
        return ok && memcmp(sum, r->md5, sizeof(sum)) == 0;
}

static enum rom_status verify(struct rom *rom)
{
        struct archive *a = &rom->archive;

        if (a->place != CPIO_AFTER_TRAILER)
                return ROM_ERR_TARGET;
        for (size_t i = 0; i < a->n_records; i++)
                if (!a->records[i].came)
                        return ROM_ERR_TARGET;
        for (size_t i = 0; i < a->n_records; i++) {
                const struct record *r = &a->records[i];

                if (r->flags & (RECORD_NO_MD5 | RECORD_FLASH_PARAMS | RECORD_TO_RAM | RECORD_CALL))
                        continue;
                if (!file_is_in_flash(rom, r))
                        return ROM_ERR_FIRMWARE;
        }
        if (a->n_records > 0)
                rom->counters.completed++;
        return ROM_OK;
}

void archive_finish(struct rom *rom)
{
        struct archive *a = &rom->archive;

        take_chunk(rom);
        if (a->error == ROM_OK && a->decided && !a->raw)
                a->error = verify(rom);
}
