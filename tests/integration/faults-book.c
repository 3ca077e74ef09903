/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the ledger, the slots and the flash arrays say of the cells on the line, and what must hold of every one. */
#include "tests/integration/faults.h"
#include "tests/integration/rows.h"

void fault_is_wrong(struct fault_cell *cell, const char *fmt, ...)
{
        va_list ap;

        if (cell->wrong)
                return; /* the first is the cause */
        va_start(ap, fmt);
        cell->wrong = g_strdup_vprintf(fmt, ap);
        va_end(ap);
}

void faults_wrong(struct faults *f, const char *fmt, ...)
{
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        text = g_strdup_vprintf(fmt, ap);
        va_end(ap);
        print_message("%s\n", text);
        f->n_wrong++;
}

static const char *text_of(const json_t *row, const char *key)
{
        return json_string_value(json_object_get(row, key));
}

static bool is_at(const json_t *row, const char *port)
{
        return streq_ptr(text_of(row, "slot"), port);
}

/* ---- what there is ---- */

/* In a set of CAUSE(). */
static bool is_in(unsigned set, const char *verdict)
{
        int v = verdict_from_string(verdict);

        return v >= 0 && (set & 1u << v);
}

/* "stalled × 2, flashed"; verdicts of all attempts on the port, in the order in which they ended. To be freed. */
static char *tell_attempts(const json_t *rows, const char *port, unsigned unsaid)
{
        g_autoptr(GString) words = g_string_new(NULL);
        const char *last = "";
        unsigned n = 0;
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                const char *verdict = text_of(row, "verdict");

                if (!is_at(row, port) || (*last && is_in(unsaid, verdict)))
                        continue;
                if (streq_ptr(verdict, last)) {
                        n++;
                        continue;
                }
                if (n > 1)
                        g_string_append_printf(words, " × %u", n);
                g_string_append_printf(words, "%s%s", *last ? ", " : "", verdict);
                last = verdict;
                n = 1;
        }
        if (n > 1)
                g_string_append_printf(words, " × %u", n);
        return g_strdup(*last ? words->str : "none");
}

static struct bed_board *board_in_the_end(const struct fault_cell *cell)
{
        return cell->second ? cell->second : cell->board;
}

static char *tell_end(struct faults *f, const struct fault_cell *cell)
{
        const struct slot_status *slot = slot_of(&f->line, cell->port);

        if (!slot)
                return g_strdup("not seen");
        if (slot->phase == PHASE_FLASHED)
                return g_strdup(flash_is_right(&f->line, board_in_the_end(cell)) ? "flashed, and right"
                                                                                 : "flashed, and wrong");
        return g_strdup(phase_to_string(slot->phase));
}

/* ---- what must hold ---- */

static void expect_true_causes(struct fault_cell *cell, const json_t *rows)
{
        unsigned causes = cell->row->causes | cell->row->unsaid | (fault_is_good(cell) ? CAUSE(FLASHED) : 0);
        json_t *row;
        size_t i;

        if (cell->moment == AFTER_VERDICT)
                causes |= CAUSE(FLASHED);
        json_array_foreach(rows, i, row)
        {
                if (is_at(row, cell->port) && !is_in(causes, text_of(row, "verdict")))
                        fault_is_wrong(cell, "%s is not the cause: %s", text_of(row, "verdict"),
                                       text_of(row, "message"));
        }
}

/* 1, 2, … in each job of the port; the last one of all is its end, and no other is. */
static void expect_attempts_in_order(struct fault_cell *cell, const json_t *rows)
{
        const char *job = NULL;
        json_int_t expected = 1;
        bool ended = true;
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                if (!is_at(row, cell->port))
                        continue;
                if (!streq_ptr(job, text_of(row, "job"))) {
                        if (!ended)
                                fault_is_wrong(cell, "job %s has no end", job);
                        expected = 1;
                }
                job = text_of(row, "job");
                if (json_integer_value(json_object_get(row, "attempt")) != expected++)
                        fault_is_wrong(cell, "job %s has not its attempts in order, or twice", job);
                ended = json_is_true(json_object_get(row, "final")) ||
                        streq_ptr(text_of(row, "verdict"),
                                  "interrupted"); /* the next daemon begins a new one */
        }
        if (!ended)
                fault_is_wrong(cell, "job %s has no end", job);
}

static void expect_flash(struct faults *f, struct fault_cell *cell)
{
        struct rom_counters counters;
        bool right;

        bed_lock(f->line.bed);
        counters = *rom_counters(bed_rom(board_in_the_end(cell)));
        bed_unlock(f->line.bed);
        if (counters.raw_downloads > 0 || counters.violations > 0)
                fault_is_wrong(cell, "its flash was written past the archive, or its ROM overrun");
        if (!fault_is_good(cell))
                return;
        right = flash_is_right(&f->line, board_in_the_end(cell));
        if (!right || counters.completed == 0)
                fault_is_wrong(cell, "it is good, and its flash does not hold the image");
}

static void tell_messages(const json_t *rows, const char *port)
{
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) if (is_at(row, port))
                print_message("  %s: %s\n", text_of(row, "verdict"), text_of(row, "message"));
}

/* A neighbour never notices. */
static void expect_good_board(struct faults *f, size_t n, const json_t *rows)
{
        g_autofree char *attempts = tell_attempts(rows, f->good_port[n], 0);

        if (streq(attempts, "flashed") && flash_is_right(&f->line, f->good[n]))
                return;
        faults_wrong(f, "a good neighbour, %s: %s", f->good_port[n], attempts);
        tell_messages(rows, f->good_port[n]);
}

static unsigned seconds_of(const struct fault_cell *cell)
{
        uint64_t usec = cell->rest_usec > cell->struck_usec ? cell->rest_usec - cell->struck_usec : 0;

        return (unsigned)((usec + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

static void close_cell(struct faults *f, struct fault_cell *cell, const json_t *rows)
{
        const struct slot_status *slot = slot_of(&f->line, cell->port);

        cell->attempts = tell_attempts(rows, cell->port, cell->row->unsaid);
        cell->end = tell_end(f, cell);
        cell->seconds = seconds_of(cell);
        expect_true_causes(cell, rows);
        expect_attempts_in_order(cell, rows);
        expect_flash(f, cell);
        if (cell->wrong || getenv("FAULTS_SHOW"))
                print_message("%s, %s: %s; %s; %u s; says: %s%s%s\n", cell->row->name,
                              fault_moment_to_string(cell->moment), cell->attempts, cell->end, cell->seconds,
                              slot && slot->message ? slot->message : "nothing",
                              cell->wrong ? "; WRONG: " : "", cell->wrong ? cell->wrong : "");
}

static void expect_known_ports(struct faults *f, const json_t *rows)
{
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                bool known = false;

                for (size_t k = 0; k < f->n_now; k++)
                        known |= is_at(row, f->now[k]->port);
                for (size_t k = 0; k < f->n_good; k++)
                        known |= is_at(row, f->good_port[k]);
                if (!known)
                        faults_wrong(f, "an attempt that nobody made, in %s", text_of(row, "slot"));
        }
}

void faults_close_book(struct faults *f)
{
        json_t *rows = rows_export(&f->line);
        unsigned before = f->n_wrong;

        for (size_t i = 0; i < f->n_now; i++) {
                close_cell(f, f->now[i], rows);
                f->n_wrong += f->now[i]->wrong != NULL;
        }
        for (size_t i = 0; i < f->n_good; i++)
                expect_good_board(f, i, rows);
        expect_known_ports(f, rows);
        if (f->n_wrong == before) /* else something may still go on */
                rows_expect_sequence_without_gaps(rows);
        json_decref(rows);
}
