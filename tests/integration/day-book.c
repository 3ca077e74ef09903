/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The book of the day, and its comparison with what there is in the end: the ledger as `espdfuctl export` writes it, the
 * figures of `espdfuctl stats`, each board's flash array, and the files that boards got.
 *
 * A board with a MAC is found in the ledger by it, an ESP32-S2 by its slot and its turn there.
 */
#include "tests/integration/day.h"
#include "tests/integration/rows.h"

void day_expect_job(struct day *day, struct day_board *board, unsigned slot, enum verdict verdict)
{
        struct day_entry entry = { .verdict = verdict, .board = board, .slot = slot, .stay = board->n_stays };

        g_array_append_val(day->entries, entry);
        /* Who leaves in mid-file and is back stays for the second time. */
        board->n_stays += board->chip == ROM_S2 && verdict == VERDICT_BOARD_LEFT;
}

static struct day_entry *entry_at(struct day *day, unsigned i)
{
        return &g_array_index(day->entries, struct day_entry, i);
}

/* ---- the ledger ---- */

struct rows {
        json_t *rows; /* an array: all attempts, the oldest first */
        unsigned n_jobs, n_verdicts[VERDICT_MAX_];
};

static const char *text_of(const json_t *row, const char *key)
{
        return json_string_value(json_object_get(row, key));
}

/* ---- entries and jobs ---- */

static bool is_about(const struct day *day, const struct day_entry *entry, const json_t *row)
{
        const uint8_t *mac = entry->board->mac;
        char text[18];

        if (entry->board->chip == ROM_S2)
                return !text_of(row, "mac") && streq_ptr(text_of(row, "slot"), day->slots[entry->slot].name);
        g_snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                   mac[4], mac[5]);
        return streq_ptr(text_of(row, "mac"), text);
}

static const char *describe(const struct day *day, const struct day_entry *entry)
{
        static char text[256];

        g_snprintf(text, sizeof(text), "board %u (%s, chip %u) in %s", entry->board->number,
                   entry->board->kind->name, entry->board->chip, day->slots[entry->slot].name);
        return text;
}

/* The last row of each job that came to its end, in the order in which they did; used ones are null. */
static json_t *ends_of_jobs(const json_t *rows)
{
        json_t *ends = json_array(), *row;
        size_t i;

        json_array_foreach(rows, i, row) if (json_is_true(json_object_get(row, "final")))
                json_array_append(ends, row);
        return ends;
}

/* Takes the first that is about this board. */
static json_t *take_end(const struct day *day, const struct day_entry *entry, json_t *ends)
{
        json_t *row;
        size_t i;

        json_array_foreach(ends, i, row) if (is_about(day, entry, row))
        {
                json_incref(row);
                json_array_remove(ends, i);
                return row;
        }
        fail_msg("the ledger has no end of a job of %s: expected %s", describe(day, entry),
                 verdict_to_string(entry->verdict));
        return NULL;
}

/* Where another board is in its place before the attempt is over, its job ends with that attempt. */
static bool is_as_expected(enum verdict expected, const char *verdict)
{
        return streq_ptr(verdict, verdict_to_string(expected)) ||
               (expected == VERDICT_REPLACED && streq_ptr(verdict, verdict_to_string(VERDICT_BOARD_LEFT)));
}

static void expect_jobs_of_the_book(struct day *day, const json_t *rows)
{
        json_t *ends = ends_of_jobs(rows);

        for (unsigned i = 0; i < day->entries->len; i++) {
                struct day_entry *entry = entry_at(day, i);
                json_t *end = take_end(day, entry, ends);

                if (!is_as_expected(entry->verdict, text_of(end, "verdict")))
                        fail_msg("%s: expected %s, the ledger says %s: %s", describe(day, entry),
                                 verdict_to_string(entry->verdict), text_of(end, "verdict"),
                                 text_of(end, "message"));
                entry->file = g_strdup(text_of(end, "data_file"));
                json_decref(end);
        }
        if (json_array_size(ends) > 0) {
                g_autofree char *text = json_dumps(json_array_get(ends, 0), 0);

                fail_msg("%zu jobs that nobody knows of, the first: %s", json_array_size(ends), text);
        }
        json_decref(ends);
}

/* What has no end was interrupted with its daemon, and nothing else. */
static void expect_others_interrupted(const json_t *rows)
{
        g_autoptr(GHashTable) ended = g_hash_table_new(g_str_hash, g_str_equal);
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) if (json_is_true(json_object_get(row, "final")))
                g_hash_table_add(ended, (gpointer)text_of(row, "job"));
        json_array_foreach(rows, i, row)
        {
                const char *verdict = text_of(row, "verdict");

                if (!g_hash_table_contains(ended, text_of(row, "job")) &&
                    !streq_ptr(verdict, "interrupted") && !streq_ptr(verdict, "cancelled") &&
                    !verdict_is_transient((enum verdict)verdict_from_string(verdict)))
                        fail_msg("a job without an end: %s: %s", verdict, text_of(row, "message"));
        }
}

/* ---- figures ---- */

static const char *policy_of(const struct day *day, const struct day_entry *entry)
{
        switch (entry->board->chip) {
        case ROM_S2:
                return "gizmo";
        case ROM_P4:
                return "meter";
        case ROM_S3:
                return day->slots[entry->slot].name[0] == 'C' ? "bench" : "probe";
        case ROM_S31:
        case ROM_N_CHIPS:
                break;
        }
        fail_msg("%s: no policy flashes it", describe(day, entry));
        return NULL;
}

/* What the book has of a policy, or with NULL of all, stands in this line of the figures. */
static void expect_figures_of(struct day *day, const char *policy, const json_t *line)
{
        json_int_t flashed = 0, failed = 0, cancelled = 0;

        for (unsigned i = 0; i < day->entries->len; i++) {
                const struct day_entry *entry = entry_at(day, i);

                if (policy && !streq(policy_of(day, entry), policy))
                        continue;
                flashed += entry->verdict == VERDICT_FLASHED;
                failed += verdict_is_failure(entry->verdict);
                cancelled += entry->verdict == VERDICT_CANCELLED;
        }
        assert_int_equal(json_integer_value(json_object_get(line, "flashed")), flashed);
        assert_int_equal(json_integer_value(json_object_get(line, "failed")), failed);
        assert_int_equal(json_integer_value(json_object_get(line, "cancelled")), cancelled);
        print_message("%s: %lld flashed, %lld failed, %lld cancelled\n", policy ? policy : "all",
                      (long long)flashed, (long long)failed, (long long)cancelled);
}

static void expect_figures(struct day *day, const json_t *rows)
{
        g_autofree char *text = NULL;
        json_int_t n_first = 0;
        json_t *stats, *total, *line, *row;
        size_t i;

        assert_int_equal(ctl(&day->line, &text, (const char *[]){ "stats", "--json", NULL }), 0);
        stats = json_loads(text, 0, NULL);
        assert_non_null(stats);
        total = json_object_get(stats, "total");
        expect_figures_of(day, NULL, total);
        json_array_foreach(json_object_get(stats, "policies"), i, line)
                expect_figures_of(day, text_of(line, "name"), line);
        assert_int_equal(i, 4);
        json_array_foreach(rows, i, row) n_first += streq_ptr(text_of(row, "verdict"), "flashed") &&
                                                    json_integer_value(json_object_get(row, "attempt")) == 1;
        assert_int_equal(json_integer_value(json_object_get(total, "first_pass")), n_first);
        assert_int_equal(json_integer_value(json_object_get(total, "attempts")), json_array_size(rows));
        json_decref(stats);
}

/* ---- flash arrays ---- */

static bool gets_a_file(const struct day *day, const struct day_entry *entry)
{
        return entry->board->chip == ROM_S2 ||
               (entry->board->chip == ROM_S3 && day->slots[entry->slot].name[0] == 'C');
}

static const struct sample_image *image_of(const struct day *day, enum rom_chip chip)
{
        return chip == ROM_S2 ? &day->line.s2 : chip == ROM_S3 ? &day->line.s3 : &day->p4;
}

static void expect_file_in_flash(struct day *day, const struct day_entry *entry)
{
        g_autofree char *content = NULL;
        gsize size;

        assert_true(g_file_get_contents(entry->file, &content, &size, NULL));
        assert_int_equal(size, STOCK_DATA_SIZE);
        assert_string_equal(entry->file + strlen(day->line.dir) + 1, content); /* as it was put there */
        if (!rom_flash_equals(bed_rom(entry->board->bed), STOCK_DATA_ADDRESS, content, size))
                fail_msg("%s: its flash has not %s, which the ledger says it got", describe(day, entry),
                         entry->file);
}

static void expect_right_flash(struct day *day, const struct day_board *board, const struct day_entry *last,
                               unsigned times)
{
        const struct rom_counters *counters = rom_counters(bed_rom(board->bed));
        const struct sample_image *image = image_of(day, board->chip);

        assert_int_equal(counters->raw_downloads, 0);
        assert_int_equal(counters->violations, 0);
        if (!last) {
                assert_int_equal(counters->requests[ROM_DETACH], 0);
                assert_int_equal(counters->requests[ROM_DNLOAD], 0);
                stock_expect_untouched(bed_rom(board->bed));
                return;
        }
        if (board->interrupted ? counters->completed < times : counters->completed != times)
                fail_msg("%s: flashed %u times, expected %u", describe(day, last), counters->completed,
                         times);
        if (last->verdict != VERDICT_FLASHED)
                return;
        if (!rom_flash_has_image(bed_rom(board->bed), image->data, image->payload_size))
                fail_msg("%s: its flash is not the image", describe(day, last));
        stock_expect_blank_ends(bed_rom(board->bed));
        if (last->file)
                expect_file_in_flash(day, last);
}

static void expect_right_flashes(struct day *day)
{
        bed_lock(day->line.bed);
        for (unsigned i = 0; i < day->n_boards; i++) {
                const struct day_entry *last = NULL;
                bool has_data = false;
                unsigned times = 0;

                for (unsigned j = 0; j < day->entries->len; j++)
                        if (entry_at(day, j)->board == &day->boards[i]) {
                                last = entry_at(day, j);
                                times += last->verdict == VERDICT_FLASHED;
                                has_data = has_data || gets_a_file(day, last);
                        }
                expect_right_flash(day, &day->boards[i], last, times);
                stock_expect_nothing_beside(bed_rom(day->boards[i].bed), has_data);
        }
        bed_unlock(day->line.bed);
}

/* ---- a file for each board ---- */

/* Who a file is for: an ESP32-S2 is another board each time that it is plugged in. To be freed. */
static char *owner_of(const struct day_entry *entry)
{
        unsigned stay = entry->board->chip == ROM_S2 ? entry->stay : 0;

        return g_strdup_printf("board %u, stay %u", entry->board->number, stay);
}

static void expect_pair(GHashTable *pairs, const char *key, const char *value)
{
        const char *before = g_hash_table_lookup(pairs, key);

        if (before && !streq(before, value))
                fail_msg("%s: %s, and %s too", key, before, value);
        g_hash_table_insert(pairs, g_strdup(key), g_strdup(value));
}

static void expect_no_file_twice(struct day *day)
{
        g_autoptr(GHashTable) owners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autoptr(GHashTable) files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

        for (unsigned i = 0; i < day->entries->len; i++) {
                const struct day_entry *entry = entry_at(day, i);
                g_autofree char *owner = owner_of(entry);

                if (!gets_a_file(day, entry)) {
                        assert_null(entry->file);
                        continue;
                }
                /* One that was over before its first byte has none. */
                if (!entry->file && entry->verdict != VERDICT_FLASHED)
                        continue;
                assert_non_null(entry->file);
                expect_pair(owners, entry->file, owner);
                expect_pair(files, owner, entry->file);
        }
}

void day_close_book(struct day *day)
{
        json_t *rows = rows_export(&day->line);

        rows_expect_csv_agrees(&day->line, rows);
        rows_expect_whole_jobs(rows);
        rows_expect_sequence_without_gaps(rows);
        expect_jobs_of_the_book(day, rows);
        expect_others_interrupted(rows);
        expect_figures(day, rows);
        expect_right_flashes(day);
        expect_no_file_twice(day);
        json_decref(rows);
}

void day_end(struct day *day)
{
        line_end(&day->line);
        for (unsigned i = 0; i < day->entries->len; i++)
                g_free(entry_at(day, i)->file);
        g_array_free(day->entries, TRUE);
        g_queue_clear(&day->again);
        g_rand_free(day->chance);
        g_free(day->boards);
        sample_image_done(&day->p4);
}
