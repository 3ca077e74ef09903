/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The archive as the ROM reads it: which members there are, and whether dfuinfo0.dat tells the truth about them. */
#include "core/cpio.h"
#include "core/dfuinfo.h"
#include "core/image-reader.h"
#include "core/printable.h"

#define FLAGS_KNOWN        (IMAGE_TO_RAM | IMAGE_CALL | IMAGE_FLASH_PARAMS | IMAGE_NO_ERASE | IMAGE_NO_MD5)
#define FLAGS_REFUSED      (IMAGE_TO_RAM | IMAGE_CALL)
#define FLAGS_FLASH_PARAMS (uint32_t)(IMAGE_FLASH_PARAMS | IMAGE_NO_ERASE | IMAGE_NO_MD5)

/* Both lists end at the ROM's limit; one further member is kept room for, so that too many is told from many. */
struct archive {
        struct cpio_member info; /* dfuinfo0.dat */
        struct cpio_member members[IMAGE_RECORDS_MAX];
        size_t n_members;
        struct dfuinfo_record records[IMAGE_RECORDS_MAX];
        size_t n_records;
};

/* What the ROM would take for something else than an archive it writes raw to flash address 0. */
static bool is_archive(struct image_reader *reader)
{
        size_t size = reader->image->payload_size;

        if (size <= IMAGE_RAW_MAX)
                image_error(reader, NULL, 0,
                            "payload of %zu bytes: the chip would write it raw to flash address 0; expected "
                            "an archive of "
                            "more than %d bytes",
                            size, IMAGE_RAW_MAX);
        else if (!cpio_is_magic(reader->data, size))
                image_error(reader, NULL, 0,
                            "payload is no CPIO archive: the chip would write it raw to flash address 0; "
                            "expected 070701 "
                            "or 070702");
        else
                return true;
        return false;
}

static void check_tail(struct image_reader *reader, struct cursor c)
{
        size_t offset = cursor_offset(&c), size = reader->image->payload_size;
        const uint8_t *p;

        if (size % IMAGE_BLOCK_SIZE != 0)
                image_warning(reader, NULL, offset, "payload of %zu bytes: expected a multiple of %d", size,
                              IMAGE_BLOCK_SIZE);
        while (cursor_take(&c, 1, &p)) {
                if (*p == 0)
                        continue;
                offset = (size_t)(p - reader->data);
                if (cpio_is_magic(p, size - offset))
                        image_error(reader, NULL, offset,
                                    "a second archive behind " CPIO_TRAILER
                                    ": the chip would never flash it; expected zeros");
                else
                        image_warning(reader, NULL, offset,
                                      "data behind " CPIO_TRAILER ": the chip ignores it; expected zeros");
                return;
        }
}

static void check_member(struct image_reader *reader, const struct cpio_member *m)
{
        if (!is_printable(m->name))
                image_error(reader, m->name, m->header + CPIO_HEADER_SIZE,
                            "name with control characters or invalid UTF-8: expected printable text");
        else if (strchr(m->name, '/'))
                image_warning(reader, m->name, m->header + CPIO_HEADER_SIZE,
                              "name with '/': expected a file's bare name");
        if (strlen(m->name) >= DFUINFO_NAME_SIZE)
                image_error(reader, m->name, m->header + CPIO_HEADER_SIZE,
                            "name of %zu bytes: expected at most %d", strlen(m->name), DFUINFO_NAME_SIZE - 1);
        if (m->size == 0)
                image_error(reader, m->name, m->offset, "empty: nothing would be flashed; expected data");
        if (m->has_checksum && m->checksum != cpio_checksum(m->data, m->size))
                image_error(reader, m->name, m->header, "checksum 0x%08x in the CPIO header: expected 0x%08x",
                            m->checksum, cpio_checksum(m->data, m->size));
}

/* Returns whether the archive could be read to its trailer. */
static bool read_members(struct image_reader *reader, struct archive *a)
{
        struct cursor c = cursor_over(reader->data, reader->image->payload_size);
        struct cpio_member member;
        struct fault fault;

        for (size_t i = 0;; i++) {
                if (cpio_next(&c, &member, &fault) != 0) {
                        image_error(reader, NULL, fault.offset, "%s", fault.text);
                        return false;
                }
                if (member.is_trailer)
                        break;
                check_member(reader, &member);
                if (i == 0) {
                        a->info = member;
                        continue;
                }
                if (a->n_members == IMAGE_RECORDS_MAX) {
                        image_error(reader, member.name, member.header,
                                    "more members than the chip takes: expected at most %d",
                                    IMAGE_RECORDS_MAX);
                        return false;
                }
                a->members[a->n_members++] = member;
        }
        if (member.size != 0)
                image_warning(reader, CPIO_TRAILER, member.offset, "%zu bytes of data: expected none",
                              member.size);
        check_tail(reader, c);
        return true;
}

static bool read_records(struct image_reader *reader, struct archive *a)
{
        struct cursor c = cursor_over(a->info.data, a->info.size);

        if (!a->info.name || !streq(a->info.name, DFUINFO_NAME)) {
                image_error(reader, a->info.name, a->info.header,
                            "the archive's first member: expected " DFUINFO_NAME
                            "; the chip would write nothing and report success");
                return false;
        }
        if (a->info.size % DFUINFO_RECORD_SIZE != 0)
                image_error(reader, DFUINFO_NAME, a->info.offset, "%zu bytes: expected a multiple of %d",
                            a->info.size, DFUINFO_RECORD_SIZE);
        if (a->info.size / DFUINFO_RECORD_SIZE > IMAGE_RECORDS_MAX) {
                image_error(reader, DFUINFO_NAME, a->info.offset, "%zu records: expected at most %d",
                            a->info.size / DFUINFO_RECORD_SIZE, IMAGE_RECORDS_MAX);
                return false;
        }
        while (dfuinfo_take(&c, &a->records[a->n_records]))
                if (++a->n_records == IMAGE_RECORDS_MAX)
                        break;
        return true;
}

static size_t record_offset(const struct archive *a, size_t index)
{
        return a->info.offset + index * DFUINFO_RECORD_SIZE;
}

static void check_record(struct image_reader *reader, const struct archive *a, size_t index)
{
        const struct dfuinfo_record *record = &a->records[index];
        size_t flags_offset = record_offset(a, index) + 4;
        bool is_params = streq(record->name, FLASH_PARAMS_NAME);

        if (!record->name_is_terminated)
                image_error(reader, record->name, record_offset(a, index) + 8,
                            "name in record %zu of " DFUINFO_NAME ": expected at most %d bytes, then NULs",
                            index, DFUINFO_NAME_SIZE - 1);
        if (record->flags & FLAGS_REFUSED)
                image_error(reader, record->name, flags_offset,
                            "flags 0x%x: the chip would %s; expected 0 for a file", record->flags,
                            record->flags & IMAGE_CALL ? "call code from the image" : "write to its RAM");
        if (record->flags & ~(uint32_t)FLAGS_KNOWN)
                image_error(reader, record->name, flags_offset, "unknown flags 0x%x: expected 0 for a file",
                            record->flags);
        if (is_params && record->flags != FLAGS_FLASH_PARAMS)
                image_error(reader, record->name, flags_offset, "flags 0x%x: expected 0x%x", record->flags,
                            FLAGS_FLASH_PARAMS);
        if (is_params)
                return;
        if (record->flags & IMAGE_FLASH_PARAMS)
                image_error(reader, record->name, flags_offset,
                            "flags 0x%x: the chip would take it for flash parameters; expected 0 for a file",
                            record->flags);
        if (record->flags & IMAGE_NO_ERASE)
                image_warning(reader, record->name, flags_offset,
                              "flags 0x%x: the chip would not erase before it writes; expected 0 for a file",
                              record->flags);
        if (record->flags & IMAGE_NO_MD5)
                image_warning(reader, record->name, flags_offset,
                              "flags 0x%x: the chip would not verify it; expected 0 for a file",
                              record->flags);
}

static bool name_is_repeated(const char *name, const struct archive *a, size_t before)
{
        for (size_t i = 0; i < before; i++)
                if (streq(a->members[i].name, name))
                        return true;
        return false;
}

static bool name_is_listed(const char *name, const struct archive *a)
{
        for (size_t i = 0; i < a->n_records; i++)
                if (streq(a->records[i].name, name))
                        return true;
        return false;
}

/* The ROM wants each record's file, drops a file without a record, and takes both in one order. A second dfuinfo0.dat
 * is records again, for which it forgets the first ones and what it was to verify. */
static bool match_names(struct image_reader *reader, const struct archive *a)
{
        size_t n_errors = reader->findings->n_errors;

        for (size_t i = 0; i < a->n_members; i++) {
                const struct cpio_member *m = &a->members[i];

                if (streq(m->name, DFUINFO_NAME) || name_is_repeated(m->name, a, i))
                        image_error(reader, m->name, m->header,
                                    "second member of this name: expected each name once");
                else if (!name_is_listed(m->name, a))
                        image_error(reader, m->name, m->header,
                                    "no record in " DFUINFO_NAME
                                    " lists it: the chip would drop it silently");
        }
        for (size_t i = 0; i < a->n_records; i++)
                if (!name_is_repeated(a->records[i].name, a, a->n_members))
                        image_error(reader, a->records[i].name, record_offset(a, i),
                                    "listed in " DFUINFO_NAME " but not in the archive");
        if (reader->findings->n_errors > n_errors)
                return false;
        for (size_t i = 0; i < a->n_records; i++) {
                if (i < a->n_members && streq(a->records[i].name, a->members[i].name))
                        continue;
                image_error(reader, a->records[i].name, record_offset(a, i),
                            "record %zu of " DFUINFO_NAME ": expected %s, in the order of the members", i,
                            i < a->n_members ? a->members[i].name : "no further record");
                return false;
        }
        return true;
}

static int check_md5(struct image_reader *reader, const struct archive *a, size_t index,
                     struct image_member *member)
{
        char found_hex[2 * MD5_SIZE + 1], expected_hex[2 * MD5_SIZE + 1];
        uint8_t md5[MD5_SIZE];
        int r = digest_md5(reader->data + member->offset, member->size, md5);

        if (r < 0)
                return r;
        member->md5_ok = memcmp(md5, member->md5, MD5_SIZE) == 0;
        if (member->md5_ok)
                return 0;
        hex_encode(md5, MD5_SIZE, expected_hex);
        hex_encode(member->md5, MD5_SIZE, found_hex);
        image_error(reader, member->name, record_offset(a, index) + 8 + DFUINFO_NAME_SIZE,
                    "MD5 %s in " DFUINFO_NAME ": expected %s, that of its data", found_hex, expected_hex);
        return 0;
}

static int move_members(struct image_reader *reader, const struct archive *a)
{
        struct image *image = reader->image;

        image->members = calloc(MAX(a->n_members, (size_t)1), sizeof(*image->members));
        if (!image->members)
                return -ENOMEM;
        for (size_t i = 0; i < a->n_members; i++) {
                struct image_member *member = &image->members[i];
                int r;

                memcpy(member->name, a->records[i].name, sizeof(member->name));
                memcpy(member->md5, a->records[i].md5, sizeof(member->md5));
                member->address = a->records[i].address;
                member->flags = a->records[i].flags;
                member->offset = a->members[i].offset;
                member->size = a->members[i].size;
                image->n_members++;
                r = check_md5(reader, a, i, member);
                if (r < 0)
                        return r;
        }
        return 0;
}

int image_read_archive(struct image_reader *reader)
{
        _cleanup_(freep) struct archive *a = calloc(1, sizeof(*a));
        bool readable;

        if (!a)
                return -ENOMEM;
        if (!is_archive(reader))
                return 0;
        readable = read_members(reader, a);
        if (!a->info.name || !read_records(reader, a))
                return 0;
        for (size_t i = 0; i < a->n_records; i++)
                check_record(reader, a, i);
        if (!readable || !match_names(reader, a))
                return 0;
        if (a->n_members == 0) {
                image_error(reader, NULL, 0,
                            "archive holds no file: expected " FLASH_PARAMS_NAME " and files");
                return 0;
        }
        reader->complete = true;
        return move_members(reader, a);
}
