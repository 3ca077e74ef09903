/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a job, where whoever can do something does what the bytes say; then all that it waits for happens, and it ends. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/job-walk.h"

#define STEPS_MAX 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct dice dice = dice_of_bytes(data, size);
        struct job_walk w = { .dice = &dice, .now = USEC_PER_SEC };

        job_walk_begin(&w);
        while (!dice_are_used_up(&dice) && w.step < STEPS_MAX && w.job.state != JOB_ENDED)
                job_walk_step(&w);
        job_walk_settle(&w);
        must(!job_is_running(&w.job) && job_deadline(&w.job) == USEC_INFINITY);
        return 0;
}
