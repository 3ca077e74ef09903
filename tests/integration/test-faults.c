/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fault matrix, played and compared with docs/faults.md: as a part of `make check` one cell of each fault, and all of what
 * strikes the whole station.
 *
 * ESPDFU_FAULTS=all plays every cell; ESPDFU_FAULTS_PAGE=FILE writes the document instead of comparing with it, as `make
 * faults` does; ESPDFU_FAULTS_ONLY=TEXT plays the faults that have this in their name, or their moment.
 */
#include "tests/integration/faults.h"

#include <stdio.h>

#define SOON 12 /* seconds, as documented: what takes longer is for `make nightly` */

static struct faults f;
static unsigned *sample; /* by row; FAULT_MOMENTS: none of it */

static bool ends_soon(size_t row, unsigned moment)
{
        unsigned limit = faults_documented_limit(&f, &fault_rows[row], (enum fault_moment)moment);

        return !fault_rows[row].at[moment].none && limit <= SOON;
}

/* Of each row one moment that ends soon, if there is one: one that no row before has, else any. */
static void choose_sample(void)
{
        unsigned taken = 0;

        for (size_t row = 0; row < n_fault_rows; row++) {
                unsigned chosen = FAULT_MOMENTS;

                for (unsigned i = 0; i < FAULT_MOMENTS; i++) {
                        unsigned moment = (unsigned)(row + i) % FAULT_MOMENTS;

                        if (ends_soon(row, moment) && (chosen == FAULT_MOMENTS || taken & AT(chosen)))
                                chosen = moment;
                }
                sample[row] = chosen;
                taken |= chosen < FAULT_MOMENTS ? AT(chosen) : 0;
        }
}

static bool is_wanted(size_t row, unsigned moment)
{
        const char *only = getenv("ESPDFU_FAULTS_ONLY");

        if (fault_rows[row].at[moment].none)
                return false;
        if (only && !strstr(fault_rows[row].name, only) &&
            !strstr(fault_moment_to_string((enum fault_moment)moment), only))
                return false;
        return getenv("ESPDFU_FAULTS") || fault_is_for_station(&fault_rows[row]) || sample[row] == moment;
}

static void cell_free(gpointer data)
{
        struct fault_cell *cell = data;

        g_free(cell->attempts);
        g_free(cell->end);
        g_free(cell->wrong);
        g_free(cell);
}

static int begin(void **state)
{
        (void)state;
        faults_read_page(&f, TOP_SRCDIR "/docs/faults.md");
        sample = g_new0(unsigned, n_fault_rows);
        choose_sample();
        f.cells = g_ptr_array_new_with_free_func(cell_free);
        for (size_t i = 0; i < n_fault_rows; i++)
                for (unsigned m = 0; m < FAULT_MOMENTS; m++) {
                        struct fault_cell *cell;

                        if (!is_wanted(i, m))
                                continue;
                        cell = g_new0(struct fault_cell, 1);
                        cell->row = &fault_rows[i];
                        cell->moment = (enum fault_moment)m;
                        g_ptr_array_add(f.cells, cell);
                }
        return 0;
}

static int end(void **state)
{
        (void)state;
        g_ptr_array_unref(f.cells);
        g_hash_table_unref(f.page);
        g_free(f.text);
        g_free(sample);
        return 0;
}

/* ---- who is played together ---- */

/* Those that wait for time limits stand beside each other, many at once; the others, which work, are few. */
#define WAITS   100 /* seconds, of the plan */
#define WORKING 8

static gint by_limit(gconstpointer a, gconstpointer b)
{
        const struct fault_cell *x = *(struct fault_cell *const *)a, *y = *(struct fault_cell *const *)b;

        return (gint)x->row->limit_sec - (gint)y->row->limit_sec;
}

static void play_side_by_side(void)
{
        g_autoptr(GPtrArray) together = g_ptr_array_new();
        size_t n;

        for (size_t i = 0; i < f.cells->len; i++) {
                struct fault_cell *cell = g_ptr_array_index(f.cells, i);

                if (!fault_is_for_station(cell->row))
                        g_ptr_array_add(together, cell);
        }
        g_ptr_array_sort(together, by_limit);
        for (size_t i = 0; i < together->len; i += n) {
                const struct fault_cell *first = together->pdata[i];

                n = MIN((size_t)(first->row->limit_sec > WAITS ? FAULT_SIDE_BY_SIDE : WORKING),
                        together->len - i);
                faults_play(&f, (struct fault_cell **)&together->pdata[i], n);
        }
}

static void play_for_station(void)
{
        for (size_t i = 0; i < n_fault_rows; i++) {
                g_autoptr(GPtrArray) together = g_ptr_array_new();

                for (size_t k = 0; k < f.cells->len; k++) {
                        struct fault_cell *cell = g_ptr_array_index(f.cells, k);

                        if (cell->row == &fault_rows[i] && fault_is_for_station(cell->row))
                                g_ptr_array_add(together, cell);
                }
                if (together->len > 0)
                        faults_play_station(&f, (struct fault_cell **)together->pdata, together->len);
        }
}

static void test_sample_has_every_moment_and_every_fault_that_ends_soon(void **state)
{
        unsigned moments = 0, n_rows = 0;

        (void)state;
        if (getenv("ESPDFU_FAULTS_PAGE"))
                skip(); /* it is being written */
        for (size_t i = 0; i < n_fault_rows; i++) {
                n_rows += sample[i] < FAULT_MOMENTS;
                moments |= sample[i] < FAULT_MOMENTS ? AT(sample[i]) : 0;
        }
        assert_int_equal(moments, AT_ALL);
        assert_true(n_rows + 3 >= n_fault_rows); /* a silent board takes longer, whenever it falls silent */
}

static void test_document_is_about_all_that_is_planned_and_nothing_else(void **state)
{
        (void)state;
        if (getenv("ESPDFU_FAULTS_PAGE"))
                skip();
        faults_expect_page_of_plan(&f);
}

static void test_each_fault_at_each_moment_ends_as_documented(void **state)
{
        const char *page = getenv("ESPDFU_FAULTS_PAGE");
        unsigned n_different;

        (void)state;
        play_side_by_side();
        play_for_station();
        n_different = page ? 0 : faults_compare(&f);
        print_message("%u cells, %u wrong, %u not as docs/faults.md has them\n", f.cells->len, f.n_wrong,
                      n_different);
        assert_true(f.cells->len > 0);
        assert_int_equal(f.n_wrong, 0);
        assert_int_equal(n_different, 0);
        if (page)
                faults_write_page(&f, page);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sample_has_every_moment_and_every_fault_that_ends_soon),
                cmocka_unit_test(test_document_is_about_all_that_is_planned_and_nothing_else),
                cmocka_unit_test(test_each_fault_at_each_moment_ends_as_documented),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
