/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A random walk through the lives of many jobs: job-walk.h. tests/fuzz/test-job.c goes where a fuzzer wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/job-walk.h"

#define STEPS     300000
#define JOB_STEPS 2000 /* no job may need more of its own steps */

static void test_no_order_is_ever_nonsense_and_no_job_ever_hangs(void **state)
{
        struct dice dice = dice_of_seed(1);
        struct job_walk w = { .dice = &dice, .now = USEC_PER_SEC };

        (void)state;
        job_walk_begin(&w);
        while (w.step < STEPS) {
                job_walk_step(&w);
                job_walk_check(&w, w.job_steps < JOB_STEPS, "does not end");
                if (w.job.state == JOB_ENDED)
                        job_walk_begin(&w);
        }
        /* It has been everywhere. */
        assert_true(w.jobs > 1000 && w.retries > 100 && w.stuck > 100 && w.returns > 100);
        for (enum verdict v = VERDICT_FLASHED; v < VERDICT_MAX_; v++)
                if (v != VERDICT_DETACHED)
                        job_walk_check(&w, w.ends[v] > 0, verdict_to_string(v));
}

/* Events that no well-behaved slot would send where they are: they order nothing that makes no sense. */
static void test_stray_events_order_nothing(void **state)
{
        static const struct {
                enum job_state state;
                enum job_event_type strays[6];
                size_t n;
        } table[] = {
                { JOB_QUEUED,
                  { JOB_EV_ROW_OPENED, JOB_EV_ROW_FAILED, JOB_EV_ENGINE_SAID, JOB_EV_ENGINE_ENDED,
                    JOB_EV_ROW_CLOSED, JOB_EV_TIME },
                  6 },
                { JOB_OPENING,
                  { JOB_EV_PLACE, JOB_EV_ENGINE_SAID, JOB_EV_ENGINE_ENDED, JOB_EV_ROW_CLOSED, JOB_EV_TIME },
                  5 },
                { JOB_RUNNING,
                  { JOB_EV_PLACE, JOB_EV_ROW_OPENED, JOB_EV_ROW_FAILED, JOB_EV_ROW_CLOSED, JOB_EV_TIME },
                  5 },
                { JOB_AWAY,
                  { JOB_EV_PLACE, JOB_EV_ROW_OPENED, JOB_EV_ROW_FAILED, JOB_EV_ENGINE_SAID,
                    JOB_EV_ENGINE_ENDED, JOB_EV_ROW_CLOSED },
                  6 },
                { JOB_RETURNING,
                  { JOB_EV_PLACE, JOB_EV_ROW_OPENED, JOB_EV_ENGINE_SAID, JOB_EV_ENGINE_ENDED,
                    JOB_EV_ROW_CLOSED, JOB_EV_TIME },
                  6 },
                { JOB_CLOSING,
                  { JOB_EV_PLACE, JOB_EV_ROW_OPENED, JOB_EV_ENGINE_SAID, JOB_EV_ENGINE_ENDED, JOB_EV_TIME },
                  5 },
                { JOB_ENDED,
                  { JOB_EV_PLACE, JOB_EV_CANCEL, JOB_EV_LEFT, JOB_EV_ARRIVED, JOB_EV_TIME,
                    JOB_EV_ROW_CLOSED },
                  6 },
        };
        static const struct engine_message flashed = { .phase = PHASE_DOWNLOADING,
                                                       .verdict = VERDICT_FLASHED };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                for (size_t j = 0; j < table[i].n; j++) {
                        const struct job_params params = { .attempts_max = 2 };
                        struct job_event event = { .type = table[i].strays[j], .message = &flashed };
                        struct job job;

                        job_init(&job, &params, true);
                        job.state = table[i].state;
                        job.deadline_usec = 2000;
                        assert_int_equal(job_step(&job, &event, 1000), JOB_DO_NOTHING);
                        assert_int_equal(job.state, table[i].state);
                        assert_int_equal(job.verdict, VERDICT_NONE);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_order_is_ever_nonsense_and_no_job_ever_hangs),
                cmocka_unit_test(test_stray_events_order_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
