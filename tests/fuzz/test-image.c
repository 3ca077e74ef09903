/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A DFU image, as it lies in a file: taken as it is, and once more as the payload of an image whose sums are right, since no
 * luck makes an MD5. What is accepted is what the chip takes: the model of the ROM flashes it, verifies it and holds it.
 */
#include "core/cpio.h"
#include "core/dfu-suffix.h"
#include "core/dfuinfo.h"
#include "core/erase-plan.h"
#include "core/image-compose.h"
#include "core/printable.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rom/loopback.h"

#define SIZE_MAX_FLASHED (64 * KIB)

static void check_findings(const struct findings *findings, int r, size_t len)
{
        must(r == 0 || r == 1);
        must((r == 1) == (findings->n_errors > 0));
        must(findings->n_items == MIN(findings->n_errors + findings->n_warnings, (size_t)FINDINGS_MAX));
        for (size_t i = 0; i < findings->n_items; i++) {
                const struct finding *f = &findings->items[i];
                _cleanup_(freep) char *line = finding_to_string(f);

                must(line && is_printable(line) && f->text[0]);
                must(f->offset == FINDING_NO_OFFSET || f->offset <= len);
        }
}

/* What others rely on without a look of their own. */
static void check_image(const struct image *image, size_t len)
{
        size_t next = 0;

        must(image->payload_size < len && image->n_members <= IMAGE_RECORDS_MAX);
        must(image->flash_size >= FLASH_SIZE_MIN && image->flash_size <= FLASH_SIZE_MAX);
        for (size_t i = 0; i < image->n_members; i++) {
                const struct image_member *m = &image->members[i];

                must(m->md5_ok && m->name[0] && strlen(m->name) < IMAGE_NAME_SIZE && is_printable(m->name));
                must(m->size > 0 && m->offset + m->size <= image->payload_size);
                must(!(m->flags & (IMAGE_TO_RAM | IMAGE_CALL)));
                must(m->flags & IMAGE_FLASH_PARAMS || (uint64_t)m->address + m->size <= image->flash_size);
                next += m->flags & IMAGE_FLASH_PARAMS ? 1 : 0;
        }
        for (size_t i = 0; i < image->n_files; i++) {
                const struct image_file *file = &image->files[i];

                must(file->first_member == next && file->n_members > 0);
                must((uint64_t)file->address + file->size <= image->flash_size);
                must(is_printable(file->name) && is_printable(file->partition) &&
                     is_printable(file->app_name) && is_printable(file->app_version));
                next += file->n_members;
        }
        must(next == image->n_members);
}

static void check_erase_plan(const uint8_t *data, const struct image *image)
{
        struct erase_plan plan;
        struct fault fault;

        must(erase_plan_make(data, image->payload_size, &plan, &fault) == 0);
        must(plan.n_items == image->n_members && plan.flash_bytes >= image->flash_bytes);
        for (size_t i = 0; i < plan.n_items; i++)
                must(plan.items[i].offset == image->members[i].offset);
}

static void check_chip_takes_it(const uint8_t *data, const struct image *image)
{
        const struct rom_config config = { .flash_size = image->flash_size, .starts_in_dfu_mode = true };
        _cleanup_(rom_freep) struct rom *rom = rom_new(&config);

        must(rom);
        rom_set_configured(rom);
        must(host_flash(rom, data, image->payload_size) == (ROM_OK << 8 | ROM_DFU_IDLE));
        must(rom_counters(rom)->completed == 1 && rom_counters(rom)->raw_downloads == 0);
        must(rom_counters(rom)->violations == 0);
        must(rom_flash_has_image(rom, data, image->payload_size));
}

/* One board's data in it: composed or refused, and then good again. */
static void compose(const uint8_t *data, size_t len, const struct image *image, uint32_t address, size_t size)
{
        _cleanup_(freep) uint8_t *piece_data = calloc(1, size), *composed = NULL;
        const struct board_data_piece piece = { address, piece_data, size };
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(image_freep) struct image *again = NULL;
        struct fault fault = { 0 };
        size_t composed_len = 0;
        int r;

        must(piece_data);
        r = image_compose(data, len, image, &piece, &composed, &composed_len, &fault);
        must(r == 0 || (r == 1 && fault.text[0] && is_printable(fault.text)));
        if (r == 1)
                return;
        must(image_parse(composed, composed_len, &findings, &again) == 0);
        must(again->pid == image->pid && again->flash_size == image->flash_size);
        check_image(again, composed_len);
}

/* Where, the length says: each costs as much as all the rest. */
static void compose_somewhere(const uint8_t *data, size_t len, const struct image *image)
{
        const struct image_file *files = image->files;
        const struct {
                uint32_t address;
                size_t size;
        } places[] = {
                { files[0].address, 100 },
                { files[image->n_files - 1].address, 5000 },
                { 0x9000, 0x1000 },
                { image->flash_size - 0x1000, 0x1001 },
        };
        size_t i = len % ARRAY_SIZE(places);

        compose(data, len, image, places[i].address, places[i].size);
}

static void check_file(const uint8_t *data, size_t len)
{
        _cleanup_(findings_done) struct findings findings = { 0 }, looked = { 0 }, suffix_alone = { 0 };
        _cleanup_(image_freep) struct image *image = NULL, *inspected = NULL, *any = NULL;
        int r = image_parse(data, len, &findings, &image);

        check_findings(&findings, r, len);
        must((image != NULL) == (r == 0));
        must(image_inspect(data, len, &looked, &inspected) == 0 && inspected);
        must(looked.n_errors == findings.n_errors && looked.n_warnings == findings.n_warnings);
        check_findings(&suffix_alone, image_parse_suffix_only(data, len, &suffix_alone, &any), len);
        if (r != 0)
                return;
        check_image(image, len);
        check_erase_plan(data, image);
        if (image->payload_size <= SIZE_MAX_FLASHED)
                check_chip_takes_it(data, image);
        if (image->n_files > 0)
                compose_somewhere(data, len, image);
}

/* ---- the same with sums that are right ---- */

static void mend_md5(struct bytes *payload, const struct cpio_member *info, const struct cpio_member *member)
{
        struct cursor records = cursor_over(info->data, info->size);
        size_t at = info->offset;
        struct dfuinfo_record record;

        for (; dfuinfo_take(&records, &record); at += DFUINFO_RECORD_SIZE)
                if (streq(record.name, member->name))
                        must(digest_md5(member->data, member->size,
                                        payload->data + at + DFUINFO_RECORD_SIZE - MD5_SIZE) == 0);
}

/* What stands behind the trailer says what of the records is another: no luck hits the right byte of some thousand. Four bytes
 * each: which record, address or flags, and the number. */
static void edit_records(struct bytes *payload, const struct cpio_member *info, struct cursor edits)
{
        size_t n = info->size / DFUINFO_RECORD_SIZE;
        uint8_t which, what;
        uint16_t value;

        while (n > 0 && cursor_take_u8(&edits, &which) && cursor_take_u8(&edits, &what) &&
               cursor_take_le16(&edits, &value)) {
                uint8_t *record = payload->data + info->offset + which % n * DFUINFO_RECORD_SIZE;

                if (what % 4 == 0)
                        write_le32(record, (uint32_t)value << 8);
                else if (what % 4 == 1)
                        write_le32(record + 4, value % 64);
        }
}

static void mend(struct bytes *payload)
{
        struct cursor c = cursor_over(payload->data, payload->len), edits = c;
        struct cpio_member info, member;
        struct fault fault;

        if (cpio_next(&c, &info, &fault) != 0)
                return;
        while (cpio_next(&edits, &member, &fault) == 0)
                if (member.is_trailer) {
                        edit_records(payload, &info, edits);
                        break;
                }
        while (cpio_next(&c, &member, &fault) == 0 && !member.is_trailer)
                mend_md5(payload, &info, &member);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct dfu_suffix suffix = { DFU_ID_ANY, DFU_ID_ANY, 0x303a, 0x0100, 0, 0 };
        _cleanup_(bytes_done) struct bytes file = { 0 };

        check_file(data, size);
        must(bytes_append(&file, data, size) == 0);
        if (size > 0 && data[size - 1] % 4 != 0)
                suffix.pid = data[size - 1] % 4 == 1 ? 0x0002 : 0x0009;
        mend(&file);
        must(dfu_suffix_append(&file, &suffix) == 0);
        check_file(file.data, file.len);
        return 0;
}
