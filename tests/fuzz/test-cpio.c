/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A CPIO archive, member by member; the records of dfuinfo0.dat; and where the engine thinks that the chip erases. */
#include "core/cpio.h"
#include "core/dfuinfo.h"
#include "core/erase-plan.h"
#include "tests/fuzz/fuzz.h"

static void check_member(const struct cpio_member *m, size_t before, size_t after, size_t len)
{
        must(m->header >= before && after > before && after <= len);
        must(m->offset <= len && m->size <= len - m->offset && m->offset + m->size <= after);
        must(strlen(m->name) >= 1 && strlen(m->name) <= CPIO_NAME_MAX);
        must(m->is_trailer == streq(m->name, CPIO_TRAILER));
}

/* Reads to the trailer or the first fault; what is read is appended to again. Returns whether there was a trailer. */
static bool read_members(const uint8_t *data, size_t len, struct bytes *again, size_t *ret_n)
{
        struct cursor c = cursor_over(data, len);
        struct cpio_member m;
        struct fault fault;

        for (*ret_n = 0;; (*ret_n)++) {
                size_t before = cursor_offset(&c);

                if (cpio_next(&c, &m, &fault) != 0) {
                        must(fault.text[0] && fault.offset <= len);
                        return false;
                }
                check_member(&m, before, cursor_offset(&c), len);
                if (m.is_trailer)
                        return true;
                (void)cpio_checksum(m.data, m.size);
                must(cpio_append(again, m.name, m.data, m.size) == 0);
        }
}

/* What the builder writes the reader reads. */
static void check_round_trip(const struct bytes *archive, size_t n)
{
        _cleanup_(bytes_done) struct bytes again = { 0 };
        size_t n_again;

        must(read_members(archive->data, archive->len, &again, &n_again));
        must(n_again == n);
        must(cpio_append_trailer(&again) == 0);
        must(again.len == archive->len && memcmp(again.data, archive->data, again.len) == 0);
}

static void check_erase_plan(const uint8_t *data, size_t len, bool complete, size_t n)
{
        struct erase_plan plan = { 0 };
        struct fault fault;
        size_t all = 0;

        if (erase_plan_make(data, len, &plan, &fault) != 0) {
                must(fault.text[0]);
                return;
        }
        must(complete && plan.n_items == n - 1);
        for (size_t i = 0; i < plan.n_items; i++) {
                must(plan.items[i].bytes % FLASH_SECTOR_SIZE == 0);
                all += plan.items[i].bytes;
        }
        must(erase_plan_bytes(&plan, 0, len + 1) == all);
        must(plan.flash_bytes <= len);
}

static void check_records(const uint8_t *data, size_t len)
{
        struct cursor c = cursor_over(data, len);
        struct dfuinfo_record record;
        uint8_t params[FLASH_PARAMS_SIZE];
        struct flash_params read;
        size_t n = 0;

        for (; dfuinfo_take(&c, &record); n++) {
                _cleanup_(bytes_done) struct bytes bytes = { 0 };

                must(strlen(record.name) <= DFUINFO_NAME_SIZE);
                must(dfuinfo_append(&bytes, &record) == 0 && bytes.len == DFUINFO_RECORD_SIZE);
                must(!record.name_is_terminated ||
                     memcmp(bytes.data, data + n * DFUINFO_RECORD_SIZE, DFUINFO_RECORD_SIZE) == 0);
        }
        must(n == len / DFUINFO_RECORD_SIZE);
        if (len < FLASH_PARAMS_SIZE)
                return;
        flash_params_read(data, &read);
        flash_params_write(read.flash_size, params);
        flash_params_read(params, &read);
        must(read.flash_size == read_le32(data + 12) && read.sector_size == FLASH_PARAMS_SECTOR_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(bytes_done) struct bytes archive = { 0 };
        bool complete;
        size_t n;

        complete = read_members(data, size, &archive, &n);
        check_erase_plan(data, size, complete, n);
        must(cpio_append_trailer(&archive) == 0);
        check_round_trip(&archive, n);
        check_records(data, size);
        return 0;
}
