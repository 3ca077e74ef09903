/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/integration/witness.h"

#include <inttypes.h>

#define LATE_USEC (2 * USEC_PER_SEC)

/* ---- what it sees ---- */

static void board_free(gpointer data)
{
        struct witness_board *board = data;

        g_array_free(board->stays, TRUE);
        g_array_free(board->downloads, TRUE);
        g_array_free(board->rows, TRUE);
        g_free(board->file);
        g_free(board);
}

void witness_init(struct witness *witness)
{
        witness->boards = g_ptr_array_new_with_free_func(board_free);
        witness->macs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        witness->slots = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                               (GDestroyNotify)g_ptr_array_unref);
}

void witness_done(struct witness *witness)
{
        g_ptr_array_unref(witness->boards);
        g_hash_table_unref(witness->macs);
        g_hash_table_unref(witness->slots);
}

static char *mac_text(const struct witness_board *board)
{
        const uint8_t *m = board->mac;

        return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

const char *witness_name(const struct witness_board *board)
{
        static char text[64];
        g_autofree char *mac = mac_text(board);

        g_snprintf(text, sizeof(text), "board %u (%s)", board->number,
                   board->chip == ROM_S2 ? "esp32s2" : mac);
        return text;
}

struct witness_board *witness_meet(struct witness *witness, enum rom_chip chip)
{
        struct witness_board *board = g_new0(struct witness_board, 1);

        board->number = witness->boards->len;
        board->chip = chip;
        memcpy(board->mac,
               (uint8_t[]){ 0x7c, 0xdf, 0xa1, (uint8_t)(board->number >> 16), (uint8_t)(board->number >> 8),
                            (uint8_t)board->number },
               sizeof(board->mac));
        board->stays = g_array_new(FALSE, FALSE, sizeof(struct witness_stay));
        board->downloads = g_array_new(FALSE, FALSE, sizeof(struct bed_download));
        board->rows = g_array_new(FALSE, FALSE, sizeof(struct witness_row));
        g_ptr_array_add(witness->boards, board);
        if (chip != ROM_S2)
                g_hash_table_insert(witness->macs, mac_text(board), board);
        return board;
}

void witness_plugged(struct witness *witness, struct witness_board *board, const char *slot)
{
        struct witness_stay stay = { .slot = slot, .from_usec = (uint64_t)g_get_real_time() };
        GPtrArray *visitors = g_hash_table_lookup(witness->slots, slot);

        if (!visitors) {
                visitors = g_ptr_array_new();
                g_hash_table_insert(witness->slots, (gpointer)slot, visitors);
        }
        g_array_append_val(board->stays, stay);
        g_ptr_array_add(visitors, board);
}

void witness_pulled(struct witness_board *board)
{
        g_array_index(board->stays, struct witness_stay, board->stays->len - 1).to_usec = (uint64_t)
                g_get_real_time();
}

void witness_look(struct witness_board *board, struct bed_board *bed)
{
        size_t n;
        const struct bed_download *downloads = bed_downloads(bed, &n);

        g_array_set_size(board->downloads, 0);
        if (n > 0)
                g_array_append_vals(board->downloads, downloads, (guint)n);
}

/* ---- whose row it is ---- */

static const char *text_of(const json_t *row, const char *key)
{
        return json_string_value(json_object_get(row, key));
}

static uint64_t usec_of(const json_t *row, const char *key)
{
        return (uint64_t)json_integer_value(json_object_get(row, key));
}

/* When it came to this slot last before then; 0: it never did. */
static uint64_t came_to(const struct witness_board *board, const char *slot, uint64_t before_usec)
{
        uint64_t last = 0;

        for (unsigned i = 0; i < board->stays->len; i++) {
                const struct witness_stay *stay = &g_array_index(board->stays, struct witness_stay, i);

                if (streq(stay->slot, slot) && stay->from_usec <= before_usec)
                        last = stay->from_usec;
        }
        return last;
}

/* The ESP32-S2 that came to the slot last before then. */
static struct witness_board *last_without_mac(const GPtrArray *visitors, const char *slot,
                                              uint64_t before_usec)
{
        struct witness_board *last = NULL;
        uint64_t last_usec = 0;

        for (unsigned i = 0; visitors && i < visitors->len; i++) {
                struct witness_board *board = g_ptr_array_index(visitors, i);
                uint64_t from = board->chip == ROM_S2 ? came_to(board, slot, before_usec) : 0;

                if (from > last_usec) {
                        last = board;
                        last_usec = from;
                }
        }
        return last;
}

/* Where it stood then; NULL: nowhere yet. */
static const char *slot_at(const struct witness_board *board, uint64_t usec)
{
        const char *slot = NULL;

        for (unsigned i = 0; i < board->stays->len; i++) {
                const struct witness_stay *stay = &g_array_index(board->stays, struct witness_stay, i);

                if (stay->from_usec <= usec)
                        slot = stay->slot;
        }
        return slot;
}

static bool has_download_between(const struct witness_board *board, const char *slot, uint64_t start,
                                 uint64_t end)
{
        for (unsigned i = 0; i < board->downloads->len; i++) {
                uint64_t begin = g_array_index(board->downloads, struct bed_download, i).begin_usec;

                if (start <= begin && begin <= end && streq_ptr(slot_at(board, begin), slot))
                        return true;
        }
        return false;
}

/*
 * An ESP32-S2 that is exchanged for another one while it is off the bus for DETACH cannot be told from it: the attempt goes
 * on with the other. So a row is about the one that began a download then; where none did, about the one that left, or the
 * one that it ended with.
 */
static struct witness_board *board_without_mac(const struct witness *witness, const char *slot,
                                               uint64_t start, uint64_t end, enum verdict verdict)
{
        const GPtrArray *visitors = g_hash_table_lookup(witness->slots, slot);
        bool left = verdict == VERDICT_BOARD_LEFT || verdict == VERDICT_NOT_RETURNED ||
                    verdict == VERDICT_REPLACED;

        for (unsigned i = 0; visitors && i < visitors->len; i++) {
                struct witness_board *board = g_ptr_array_index(visitors, i);

                if (board->chip == ROM_S2 && has_download_between(board, slot, start, end))
                        return board;
        }
        return last_without_mac(visitors, slot, left ? start : end);
}

static struct witness_board *board_of(const struct witness *witness, const json_t *row)
{
        const char *mac = text_of(row, "mac"), *slot = text_of(row, "slot");
        uint64_t start = usec_of(row, "start_realtime_usec"), end = usec_of(row, "end_realtime_usec");
        enum verdict verdict = (enum verdict)verdict_from_string(text_of(row, "verdict"));
        struct witness_board *board = mac ? g_hash_table_lookup(witness->macs, mac)
                                          : board_without_mac(witness, slot, start, end, verdict);

        if (!board || came_to(board, slot, mac ? start : end) == 0) {
                g_autofree char *text = json_dumps(row, 0);

                fail_msg("a row about a board that was not there: %s", text);
        }
        return board;
}

static void tell(const struct witness_board *board)
{
        print_message("%s:\n", witness_name(board));
        for (unsigned i = 0; i < board->stays->len; i++) {
                const struct witness_stay *s = &g_array_index(board->stays, struct witness_stay, i);

                print_message("  in %s from %" PRIu64 " to %" PRIu64 "\n", s->slot, s->from_usec, s->to_usec);
        }
        for (unsigned i = 0; i < board->downloads->len; i++) {
                const struct bed_download *d = &g_array_index(board->downloads, struct bed_download, i);

                print_message("  a download began at %" PRIu64 ", was whole at %" PRIu64 "\n", d->begin_usec,
                              d->end_usec);
        }
        for (unsigned i = 0; i < board->rows->len; i++) {
                const struct witness_row *r = &g_array_index(board->rows, struct witness_row, i);

                print_message("  row %" PRIi64 " in %s from %" PRIu64 " to %" PRIu64 ": %s%s\n", r->id,
                              r->slot, r->start_usec, r->end_usec, verdict_to_string(r->verdict),
                              r->final ? ", final" : "");
        }
}

static void take_row(struct witness_board *board, const json_t *row)
{
        struct witness_row own = {
                .id = json_integer_value(json_object_get(row, "id")),
                .slot = g_intern_string(text_of(row, "slot")),
                .start_usec = usec_of(row, "start_realtime_usec"),
                .end_usec = usec_of(row, "end_realtime_usec"),
                .verdict = (enum verdict)verdict_from_string(text_of(row, "verdict")),
                .final = json_is_true(json_object_get(row, "final")),
        };
        const char *file = text_of(row, "data_file");

        g_array_append_val(board->rows, own);
        if (file && board->file && !streq(file, board->file)) {
                tell(board);
                fail_msg("%s got %s, and %s too", witness_name(board), board->file, file);
        }
        if (file && !board->file)
                board->file = g_strdup(file);
}

/* ---- rows and downloads ---- */

/* The row in which it began; NULL: none. */
static struct witness_row *row_around(struct witness_board *board, const struct bed_download *download)
{
        const char *slot = slot_at(board, download->begin_usec);

        for (unsigned i = 0; i < board->rows->len; i++) {
                struct witness_row *row = &g_array_index(board->rows, struct witness_row, i);

                if (streq_ptr(slot, row->slot) && row->start_usec <= download->begin_usec &&
                    download->begin_usec <= row->end_usec)
                        return row;
        }
        return NULL;
}

/*
 * What an engine had ordered when its daemon was killed, the bed or the board may carry out when the next daemon has found the
 * row, and closed it as interrupted, but not much later.
 */
static struct witness_row *interrupted_before(struct witness_board *board,
                                              const struct bed_download *download)
{
        const char *slot = slot_at(board, download->begin_usec);
        struct witness_row *last = NULL;

        for (unsigned i = 0; i < board->rows->len; i++) {
                struct witness_row *row = &g_array_index(board->rows, struct witness_row, i);

                if (streq_ptr(slot, row->slot) && row->verdict == VERDICT_INTERRUPTED && !row->download &&
                    row->end_usec < download->begin_usec && download->begin_usec - row->end_usec < LATE_USEC)
                        last = row;
        }
        return last;
}

/* Downloads come in their order, so of two in one row it is the first that may have been late. */
static void expect_own_row(struct witness_board *board, const struct bed_download *download)
{
        struct witness_row *row = row_around(board, download), *before;
        const struct bed_download *late = row && row->download ? row->download : row ? NULL : download;

        if (row)
                row->download = download;
        if (!late)
                return;
        before = interrupted_before(board, late);
        if (before) {
                before->download = late;
                return;
        }
        tell(board);
        fail_msg("%s: the download that began at %" PRIu64 " has %s", witness_name(board), late->begin_usec,
                 row ? "a row that another one has too" : "no row");
}

static void expect_flashed_as_told(const struct witness_board *board)
{
        for (unsigned i = 0; i < board->rows->len; i++) {
                const struct witness_row *row = &g_array_index(board->rows, struct witness_row, i);

                if (row->verdict == VERDICT_FLASHED && (!row->download || row->download->end_usec == 0)) {
                        tell(board);
                        fail_msg("%s: row %" PRIi64 " says flashed, the board says no", witness_name(board),
                                 row->id);
                }
        }
}

static void expect_no_file_twice(const struct witness *witness)
{
        g_autoptr(GHashTable) owners = g_hash_table_new(g_str_hash, g_str_equal);

        for (unsigned i = 0; i < witness->boards->len; i++) {
                struct witness_board *board = g_ptr_array_index(witness->boards, i);

                if (board->file && !g_hash_table_add(owners, board->file))
                        fail_msg("%s got %s, which another board has", witness_name(board), board->file);
        }
}

void witness_compare(struct witness *witness, const json_t *rows)
{
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) take_row(board_of(witness, row), row);
        for (unsigned n = 0; n < witness->boards->len; n++) {
                struct witness_board *board = g_ptr_array_index(witness->boards, n);

                for (unsigned k = 0; k < board->downloads->len; k++)
                        expect_own_row(board, &g_array_index(board->downloads, struct bed_download, k));
                expect_flashed_as_told(board);
        }
        expect_no_file_twice(witness);
}

unsigned witness_count(const struct witness_board *board, enum verdict verdict)
{
        unsigned n = 0;

        for (unsigned i = 0; i < board->rows->len; i++)
                n += verdict == VERDICT_MAX_ ||
                     g_array_index(board->rows, struct witness_row, i).verdict == verdict;
        return n;
}
