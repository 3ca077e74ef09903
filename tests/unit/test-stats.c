/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures of a line, by their definitions in docs/ledger.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "core/stats.h"

#define SECOND USEC_PER_SEC
#define MINUTE (60 * SECOND)
#define BEGIN  (UINT64_C(1700000000) * SECOND)

/* An attempt that took 10 s and ended so many seconds after the beginning. */
static struct stats_attempt at(uint64_t seconds, enum verdict verdict, unsigned attempt, bool final)
{
        return (struct stats_attempt){
                .policy = "gizmo",
                .slot = "A1",
                .attempt = attempt,
                .verdict = verdict,
                .final = final,
                .start_realtime_usec = BEGIN + (seconds - 10) * SECOND,
                .end_realtime_usec = BEGIN + seconds * SECOND,
                .duration_usec = 10 * SECOND,
        };
}

static void add(struct stats *stats, struct stats_attempt attempt)
{
        assert_int_equal(stats_add(stats, &attempt), 0);
}

static struct station_stats result(struct stats *stats)
{
        struct station_stats s;

        assert_int_equal(stats_result(stats, &s), 0);
        return s;
}

static void test_nothing_has_no_figures(void **state)
{
        _cleanup_(stats_freep) struct stats *stats = stats_new();
        _cleanup_(station_stats_done) struct station_stats s = result(stats);

        (void)state;
        assert_int_equal(s.total.attempts, 0);
        assert_true(s.total.yield_ppm == USEC_INFINITY && s.total.first_pass_ppm == USEC_INFINITY);
        assert_true(s.total.boards_per_hour == USEC_INFINITY && s.total.p95_usec == USEC_INFINITY);
        assert_int_equal(s.n_policies + s.n_slots + s.n_errors, 0);
}

static void test_yield_counts_boards_and_first_pass_their_first_attempt(void **state)
{
        _cleanup_(stats_freep) struct stats *stats = stats_new();
        _cleanup_(station_stats_done) struct station_stats s = { 0 };

        (void)state;
        add(stats, at(10, VERDICT_FLASHED, 1, true));
        add(stats, at(20, VERDICT_STALLED, 1, false)); /* tried again, … */
        add(stats, at(30, VERDICT_FLASHED, 2, true));  /* … and done */
        add(stats, at(40, VERDICT_FLASHED, 1, true));
        add(stats, at(50, VERDICT_BOARD_LEFT, 1, true)); /* given up */
        add(stats, at(60, VERDICT_CANCELLED, 1, true));  /* neither good nor bad */
        add(stats, at(70, VERDICT_INTERRUPTED, 1, false));
        s = result(stats);
        assert_int_equal(s.total.attempts, 7);
        assert_int_equal(s.total.flashed, 3);
        assert_int_equal(s.total.first_pass, 2);
        assert_int_equal(s.total.failed, 1);
        assert_int_equal(s.total.cancelled, 1);
        assert_int_equal(s.total.yield_ppm, 750000);
        assert_int_equal(s.total.first_pass_ppm, 500000);
        assert_int_equal(s.total.mean_usec, 10 * SECOND);
        assert_int_equal(s.first_start_realtime_usec, BEGIN);
        assert_int_equal(s.last_end_realtime_usec, BEGIN + 70 * SECOND);
}

static void test_boards_per_hour_leaves_the_pauses_out(void **state)
{
        _cleanup_(stats_freep) struct stats *stats = stats_new();
        _cleanup_(station_stats_done) struct station_stats s = { 0 };

        (void)state;
        for (uint64_t i = 1; i <= 10; i++) /* one board in ten seconds, … */
                add(stats, at(i * 10, VERDICT_FLASHED, 1, true));
        for (uint64_t i = 1; i <= 10; i++) /* … and again after an hour */
                add(stats, at(3600 + i * 10, VERDICT_FLASHED, 1, true));
        s = result(stats);
        assert_int_equal(s.total.worked_usec, 200 * SECOND);
        assert_int_equal(s.total.boards_per_hour, 360);
}

static void test_boards_at_the_same_time_share_the_hour(void **state)
{
        _cleanup_(stats_freep) struct stats *stats = stats_new();
        _cleanup_(station_stats_done) struct station_stats s = { 0 };
        struct stats_attempt long_one = at(600, VERDICT_FLASHED, 1, true);

        (void)state;
        long_one.duration_usec = 600 * SECOND;
        add(stats, long_one);
        for (uint64_t i = 1; i <= 59; i++)
                add(stats, at(i * 10, VERDICT_FLASHED, 1, true));
        s = result(stats);
        assert_int_equal(s.total.worked_usec, 600 * SECOND);
        assert_int_equal(s.total.boards_per_hour, 360);
}

static void test_95th_percentile_is_right_to_one_percent(void **state)
{
        static const uint64_t units[] = { 1, 1000, 1000003, 60 * SECOND };

        (void)state;
        for (size_t u = 0; u < ARRAY_SIZE(units); u++) {
                _cleanup_(stats_freep) struct stats *stats = stats_new();
                _cleanup_(station_stats_done) struct station_stats s = { 0 };
                uint64_t right = 950 * units[u];

                for (uint64_t i = 1; i <= 1000; i++) {
                        struct stats_attempt a = at(10, VERDICT_FLASHED, 1, true);

                        a.duration_usec = (i * 7919 % 1000 + 1) * units[u]; /* 1 to 1000, shuffled */
                        add(stats, a);
                }
                s = result(stats);
                assert_in_range(s.total.p95_usec, right - right / 100, right + right / 100);
        }
}

static void test_policies_and_slots_are_in_the_order_of_their_names(void **state)
{
        static const char *const slots[] = { "A10", "A2", "A1", "A2" };
        _cleanup_(stats_freep) struct stats *stats = stats_new();
        _cleanup_(station_stats_done) struct station_stats s = { 0 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
                struct stats_attempt a = at(10 + i, VERDICT_FLASHED, 1, true);

                a.slot = slots[i];
                a.policy = i == 0 ? "probe" : NULL;
                add(stats, a);
        }
        s = result(stats);
        assert_int_equal(s.n_slots, 3);
        assert_string_equal(s.slots[0].name, "A1");
        assert_string_equal(s.slots[1].name, "A2");
        assert_int_equal(s.slots[1].flashed, 2);
        assert_string_equal(s.slots[2].name, "A10");
        assert_int_equal(s.n_policies, 2);
        assert_string_equal(s.policies[0].name, "");
        assert_int_equal(s.policies[0].flashed, 3);
}

static void test_most_frequent_errors_come_first_with_their_last_words(void **state)
{
        _cleanup_(stats_freep) struct stats *stats = stats_new();
        _cleanup_(station_stats_done) struct station_stats s = { 0 };

        (void)state;
        for (unsigned i = 0; i < 6; i++) {
                struct stats_attempt a = at(10 + i, i % 3 ? VERDICT_BOARD_ERROR : VERDICT_STALLED, 1, false);

                a.dfu_status = i % 3 == 2 ? "errFIRMWARE"
                               : i == 4   ? "errPROG"
                               : i == 1   ? "no such status"
                                          : NULL;
                a.message = i == 5 ? "the fifth" : "another";
                add(stats, a);
        }
        add(stats, at(30, VERDICT_CANCELLED, 1, true));
        s = result(stats);
        assert_int_equal(s.n_errors, 4);
        assert_int_equal(s.errors[0].verdict,
                         VERDICT_STALLED); /* of two equals the first in the table of verdicts */
        assert_null(s.errors[0].dfu_status);
        assert_int_equal(s.errors[0].attempts, 2);
        assert_int_equal(s.errors[1].verdict, VERDICT_BOARD_ERROR);
        assert_string_equal(s.errors[1].dfu_status, "errFIRMWARE");
        assert_string_equal(s.errors[1].message, "the fifth");
        assert_int_equal(s.errors[1].attempts, 2);
        assert_int_equal(s.errors[2].attempts + s.errors[3].attempts, 2);
}

static void test_groups_without_bound_become_one(void **state)
{
        _cleanup_(stats_freep) struct stats *stats = stats_new();
        _cleanup_(station_stats_done) struct station_stats s = { 0 };

        (void)state;
        for (unsigned i = 0; i < STATS_GROUPS_MAX + 100; i++) {
                struct stats_attempt a = at(10 + i, VERDICT_FLASHED, 1, true);
                char slot[16];

                snprintf(slot, sizeof(slot), "S%u", i);
                a.slot = slot;
                add(stats, a);
        }
        s = result(stats);
        assert_int_equal(s.n_slots, STATS_GROUPS_MAX + 1);
        assert_string_equal(s.slots[0].name, STATS_OTHERS);
        assert_int_equal(s.slots[0].flashed, 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_has_no_figures),
                cmocka_unit_test(test_yield_counts_boards_and_first_pass_their_first_attempt),
                cmocka_unit_test(test_boards_per_hour_leaves_the_pauses_out),
                cmocka_unit_test(test_boards_at_the_same_time_share_the_hour),
                cmocka_unit_test(test_95th_percentile_is_right_to_one_percent),
                cmocka_unit_test(test_policies_and_slots_are_in_the_order_of_their_names),
                cmocka_unit_test(test_most_frequent_errors_come_first_with_their_last_words),
                cmocka_unit_test(test_groups_without_bound_become_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
