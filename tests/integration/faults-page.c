/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * docs/faults.md: one table for each fault, a line for each moment. Seconds are limits out of a few: a run that is a little
 * quicker or slower writes the same page, and what the page has already stays while it is near enough.
 */
#include "tests/integration/faults.h"

#include <stdio.h>

static const char introduction[] =
        "# What becomes of a board with a fault\n"
        "\n"
        "<!-- Written by `make faults` from its runs. Not to be edited: tests/integration/faults-*.c has the "
        "tables. -->\n"
        "\n"
        "Each fault that a board, its cable, its port or the station itself can have, at each moment of a "
        "job: what the ledger\n"
        "has then, how it ends, and how long that takes. Nothing here is written by hand. `make faults` "
        "plays every cell with the\n"
        "real `espdfud` and `espdfu-engine` and boards of the ROM's model (`tests/rom/`), many side by side, "
        "with the\n"
        "configuration's own defaults: three attempts, `retry-delay` 1 s, `return-time` 10 s. `make check` "
        "plays a\n"
        "sample, `make nightly` all of them, and both fail where what they see is not what is written here.\n"
        "\n"
        "In every run, whatever the cell:\n"
        "\n"
        "- A good board ends flashed, and its flash array is compared with the image. Good is a board whose "
        "fault is over, or\n"
        "  that stands there in the place of another.\n"
        "- A bad one ends failed, with a verdict that names the cause, within the limit; or it is left alone "
        "(`no-policy`).\n"
        "- Good neighbours, one for three cells, whose downloads go on meanwhile, are flashed by their first "
        "attempt.\n"
        "- Every attempt is in the ledger once: sequence numbers without gaps, the attempts of a job in "
        "order, one end.\n"
        "\n"
        "A moment is struck to the request: the fault is in the answer to it, or what is done is done while "
        "it waits for its\n"
        "answer. *Before DETACH* is the engine's first request to the board, GET_CONFIGURATION; *after "
        "re-attach* the first\n"
        "GETSTATUS in DFU mode; *at an erase* a block with which the chip erases a sector; *verification* "
        "the GETSTATUS behind\n"
        "the empty DNLOAD. *Attempts* are the verdicts in the ledger, in their order, [explained "
        "there](ledger.md#verdicts):\n"
        "\n"
        "- `board-left` twice is one attempt, and a row of its own for the end of the job, which waited "
        "`return-time` for the\n"
        "  board in vain.\n"
        "- `none`, and `no-policy` in the end, is a board that is left alone: as it came it is none that a "
        "policy is for. It is not\n"
        "  failed; nothing was sent to it, and nothing is in the ledger.\n"
        "- An ESP32-S2 tells no MAC: one that is pulled in DETACH and another that comes in its place are "
        "the same board for espdfu,\n"
        "  which waited for one to come back. So the attempt goes on with it, and there is no `replaced`.\n"
        "\n"
        "*Within* is a limit of the test, from the fault until the slot rests, and no promise: what was "
        "measured, a fifth more and a\n"
        "second, rounded up to 5, 12, 25, 45, 90, 180 or 300 s. Most end sooner.\n"
        "\n"
        "A board that falls silent before DETACH or in it takes longest: each of the three attempts waits "
        "`reattach-time`, 60 s,\n"
        "for a board that never comes back, beside the limits of its requests, so it is three to four "
        "minutes until the slot is\n"
        "`failed`. `espdfuctl status` has it as `detaching` until then, between two attempts as `queued`, "
        "and each attempt is in\n"
        "`espdfuctl history` as it ends. With a shorter `reattach-time` it is sooner. What is to be done "
        "about a board that was\n"
        "given up, and about what else ends so, says "
        "[troubleshooting.md](troubleshooting.md#a-board-was-given-up).\n";

/* A board's, in one line: for the map. To be freed. */
static char *key_of(const struct fault_row *row, enum fault_moment moment)
{
        return g_strdup_printf("%s|%s", row->name, fault_moment_to_string(moment));
}

/* ---- seconds ---- */

#define NEAR_ENOUGH 4 /* times: what a busy machine makes of it, too */

static const unsigned ladder[] = { 5, 12, 25, 45, 90, 180, 300 };

static unsigned rung_over(unsigned seconds)
{
        for (size_t i = 0; i < ARRAY_SIZE(ladder); i++)
                if (ladder[i] >= seconds)
                        return ladder[i];
        return ladder[ARRAY_SIZE(ladder) - 1];
}

/* A fifth more than it took, and a second. */
static unsigned limit_of(unsigned seconds, unsigned documented)
{
        unsigned limit = rung_over(seconds + seconds / 5 + 1);

        return documented >= seconds && documented <= NEAR_ENOUGH * limit && documented > 0 ? documented
                                                                                            : limit;
}

/* ---- reading ---- */

/* "| moment | attempts | end | within |" under "## name" */
static void take_line(struct faults *f, const char *name, const char *line)
{
        g_auto(GStrv) cells = NULL;

        if (!name || !g_str_has_prefix(line, "| "))
                return;
        cells = g_strsplit(line, "|", -1);
        if (g_strv_length(cells) < 5)
                return;
        g_hash_table_replace(f->page, g_strdup_printf("%s|%s", name, g_strstrip(cells[1])), g_strdup(line));
}

void faults_read_page(struct faults *f, const char *path)
{
        g_auto(GStrv) lines = NULL;
        const char *name = NULL;

        f->page = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        if (!g_file_get_contents(path, &f->text, NULL, NULL))
                f->text = g_strdup("");
        lines = g_strsplit(f->text, "\n", -1);
        for (char **line = lines; *line; line++) {
                if (g_str_has_prefix(*line, "## "))
                        name = *line + strlen("## ");
                take_line(f, name, *line);
        }
}

unsigned faults_documented_limit(struct faults *f, const struct fault_row *row, enum fault_moment moment)
{
        g_autofree char *key = key_of(row, moment);
        const char *line = g_hash_table_lookup(f->page, key);
        g_auto(GStrv) cells = line ? g_strsplit(line, "|", -1) : NULL;

        return line && g_strv_length(cells) > 5 ? (unsigned)strtoul(cells[4], NULL, 10) : 0;
}

/* ---- writing ---- */

/* To be freed. */
static char *line_of(struct faults *f, const struct fault_cell *cell)
{
        unsigned documented = faults_documented_limit(f, cell->row, cell->moment);

        return g_strdup_printf("| %s | %s | %s | %u s |", fault_moment_to_string(cell->moment),
                               cell->attempts, cell->end, limit_of(cell->seconds, documented));
}

static const struct fault_cell *find_cell(const struct faults *f, const struct fault_row *row,
                                          enum fault_moment moment)
{
        for (size_t i = 0; i < f->cells->len; i++) {
                const struct fault_cell *cell = g_ptr_array_index(f->cells, i);

                if (cell->row == row && cell->moment == moment)
                        return cell;
        }
        return NULL;
}

/* To be freed. */
static char *heading_of(const struct fault_row *row)
{
        return g_strdup_printf(
                "\n## %s\n%s\n\n| moment | attempts | in the end | within |\n|---|---|---|---|\n", row->name,
                row->text);
}

/* Of one that cannot be. To be freed. */
static char *line_of_none(const struct fault_row *row, enum fault_moment moment)
{
        return g_strdup_printf("| %s | – | %s | |", fault_moment_to_string(moment), row->at[moment].none);
}

static void write_row(struct faults *f, const struct fault_row *row, GString *page)
{
        g_autofree char *heading = heading_of(row);

        g_string_append(page, heading);
        for (unsigned m = 0; m < FAULT_MOMENTS; m++) {
                enum fault_moment moment = (enum fault_moment)m;
                const struct fault_cell *cell = find_cell(f, row, moment);
                g_autofree char *key = key_of(row, moment);
                const char *documented = g_hash_table_lookup(f->page,
                                                             key); /* of those that are not played now */
                g_autofree char *line = cell                                  ? line_of(f, cell)
                                        : !row->at[moment].none && documented ? g_strdup(documented)
                                                                              : line_of_none(row, moment);

                g_string_append_printf(page, "%s\n", line);
        }
}

void faults_write_page(struct faults *f, const char *path)
{
        g_autoptr(GString) page = g_string_new(introduction);

        for (size_t i = 0; i < n_fault_rows; i++)
                write_row(f, &fault_rows[i], page);
        assert_true(g_file_set_contents(path, page->str, -1, NULL));
}

/* ---- comparing ---- */

/* A machine that is busy with something else, or with sanitizers, is no change in what becomes of a board. */
#define BUSY_TIMES   3
#define BUSY_SECONDS 10

/* Without the seconds. */
static bool says_the_same(const char *documented, const char *line)
{
        const char *a = documented ? strrchr(documented, '|') : NULL, *b = strrchr(line, '|');

        if (!a)
                return false;
        for (a--; a > documented && *a != '|'; a--)
                ;
        for (b--; b > line && *b != '|'; b--)
                ;
        return a - documented == b - line && memcmp(documented, line, (size_t)(b - line)) == 0;
}

static void expect_in_page(const struct faults *f, const char *text)
{
        if (!strstr(f->text, text))
                fail_msg("docs/faults.md has not: %s", text);
}

void faults_expect_page_of_plan(struct faults *f)
{
        assert_true(g_str_has_prefix(f->text, introduction));
        for (size_t i = 0; i < n_fault_rows; i++) {
                g_autofree char *heading = heading_of(&fault_rows[i]);

                expect_in_page(f, heading);
                for (unsigned m = 0; m < FAULT_MOMENTS; m++) {
                        g_autofree char *key = key_of(&fault_rows[i], (enum fault_moment)m);
                        const char *line = g_hash_table_lookup(f->page, key);
                        g_autofree char *none = line_of_none(&fault_rows[i], (enum fault_moment)m);

                        if (!line || (fault_rows[i].at[m].none != NULL) != streq(line, none))
                                fail_msg("docs/faults.md has of \"%s\": %s", key, line ? line : "nothing");
                }
        }
        /* Nothing that the plan no longer has; the tables' heads are counted, too. */
        assert_int_equal(g_hash_table_size(f->page), n_fault_rows * (FAULT_MOMENTS + 1));
}

unsigned faults_compare(struct faults *f)
{
        unsigned n = 0;

        for (size_t i = 0; i < f->cells->len; i++) {
                const struct fault_cell *cell = g_ptr_array_index(f->cells, i);
                g_autofree char *key = key_of(cell->row, cell->moment), *line = line_of(f, cell);
                const char *documented = g_hash_table_lookup(f->page, key);
                unsigned limit = faults_documented_limit(f, cell->row, cell->moment);

                if (says_the_same(documented, line) && cell->seconds <= limit * BUSY_TIMES + BUSY_SECONDS)
                        continue;
                n++;
                print_message("%s:\n  docs/faults.md: %s\n  this run:       %s (%u s)\n", cell->row->name,
                              documented ? documented : "nothing", line, cell->seconds);
        }
        return n;
}
