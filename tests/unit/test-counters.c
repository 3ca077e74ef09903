/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only ever grows, and what it is counted with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "core/counters.h"

static struct counters counters;
static struct station_counters seen;

static int begin(void **state)
{
        (void)state;
        counters_init(&counters);
        return 0;
}

static int end(void **state)
{
        (void)state;
        counters_done(&counters);
        station_counters_done(&seen);
        return 0;
}

static void attempt(const char *policy, enum verdict verdict, unsigned number, bool final, uint64_t seconds)
{
        counters_add(&counters, &(struct attempt_record){ .policy = (char *)(uintptr_t)policy,
                                                          .verdict = verdict,
                                                          .attempt = number,
                                                          .final = final,
                                                          .bytes = 1000,
                                                          .duration_usec = seconds * USEC_PER_SEC });
}

static void look(void)
{
        station_counters_done(&seen);
        assert_int_equal(counters_copy(&counters, &seen), 0);
}

static void test_boards_are_counted_once_and_attempts_each(void **state)
{
        const struct policy_counters *p;

        (void)state;
        attempt("gizmo", VERDICT_STALLED, 1, false, 3);
        attempt("gizmo", VERDICT_FLASHED, 2, true, 4);
        attempt("gizmo", VERDICT_FLASHED, 1, true, 6);
        attempt("gizmo", VERDICT_TIMED_OUT, 3, true, 9);
        attempt("gizmo", VERDICT_CANCELLED, 1, true, 1);
        attempt("gizmo", VERDICT_DETACHED, 1, false, 1);
        look();
        assert_int_equal(seen.n_policies, 1);
        p = &seen.policies[0];
        assert_int_equal(p->flashed, 2);
        assert_int_equal(p->first_pass, 1);
        assert_int_equal(p->failed, 1);
        assert_int_equal(p->cancelled, 1);
        assert_int_equal(p->attempts[VERDICT_STALLED], 1);
        assert_int_equal(p->attempts[VERDICT_DETACHED], 1);
        assert_int_equal(p->bytes, 6000);
        assert_int_equal(p->flashed_usec, 10 * USEC_PER_SEC);
}

static void test_durations_are_of_those_that_flashed_up_to_and_with_their_bound(void **state)
{
        const struct policy_counters *p;
        uint64_t sum = 0;

        (void)state;
        attempt("gizmo", VERDICT_FLASHED, 1, true, 5);
        attempt("gizmo", VERDICT_FLASHED, 1, true, 6);
        attempt("gizmo", VERDICT_FLASHED, 1, true, 100000);
        attempt("gizmo", VERDICT_STALLED, 1, true, 5);
        look();
        p = &seen.policies[0];
        assert_true(p->spans[p->n_spans - 1].up_to_usec == USEC_INFINITY);
        assert_int_equal(p->spans[p->n_spans - 1].attempts, 1);
        for (size_t i = 0; i < p->n_spans; i++) {
                assert_int_equal(p->spans[i].attempts, p->spans[i].up_to_usec == 5 * USEC_PER_SEC ||
                                                               p->spans[i].up_to_usec == 10 * USEC_PER_SEC ||
                                                               p->spans[i].up_to_usec == USEC_INFINITY);
                sum += p->spans[i].attempts;
        }
        assert_int_equal(sum, p->flashed);
}

static void test_more_policies_than_there_is_room_for_are_the_others(void **state)
{
        (void)state;
        for (unsigned i = 0; i < COUNTERS_POLICIES_MAX + 10; i++) {
                char name[16];

                snprintf(name, sizeof(name), "p%u", i);
                attempt(name, VERDICT_FLASHED, 1, true, 1);
        }
        attempt("p0", VERDICT_FLASHED, 1, true, 1);
        look();
        assert_int_equal(seen.n_policies, COUNTERS_POLICIES_MAX + 1);
        assert_int_equal(seen.policies[0].flashed, 2);
        assert_string_equal(seen.policies[COUNTERS_POLICIES_MAX].policy, COUNTERS_OTHERS);
        assert_int_equal(seen.policies[COUNTERS_POLICIES_MAX].flashed, 10);
}

static void test_an_attempt_without_a_policy_counts(void **state)
{
        (void)state;
        attempt(NULL, VERDICT_CANCELLED, 1, true, 1);
        look();
        assert_string_equal(seen.policies[0].policy, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_boards_are_counted_once_and_attempts_each, begin, end),
                cmocka_unit_test_setup_teardown(
                        test_durations_are_of_those_that_flashed_up_to_and_with_their_bound, begin, end),
                cmocka_unit_test_setup_teardown(test_more_policies_than_there_is_room_for_are_the_others,
                                                begin, end),
                cmocka_unit_test_setup_teardown(test_an_attempt_without_a_policy_counts, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
