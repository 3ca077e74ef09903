/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/job-life.h"

struct job job;
uint64_t now;

/* ---- what happens ---- */

void board_waits(bool dfu_mode)
{
        const struct job_params params = {
                .attempts_max = 3,
                .retry_delay_usec = 2 * USEC_PER_SEC,
                .reattach_usec = 10 * USEC_PER_SEC,
        };

        now = 1000 * USEC_PER_SEC;
        job_init(&job, &params, dfu_mode);
}

enum job_do event(enum job_event_type type)
{
        return job_step(&job, &(struct job_event){ .type = type }, now);
}

enum job_do board_comes_back(bool dfu_mode)
{
        return job_step(
                &job,
                &(struct job_event){
                        .type = JOB_EV_ARRIVED, .same_board = true, .same_mac = true, .dfu_mode = dfu_mode },
                now);
}

enum job_do engine_ends(const char *how)
{
        return job_step(&job, &(struct job_event){ .type = JOB_EV_ENGINE_ENDED, .text = how }, now);
}

enum job_do board_arrives(bool same, bool dfu_mode)
{
        return job_step(
                &job, &(struct job_event){ .type = JOB_EV_ARRIVED, .same_board = same, .dfu_mode = dfu_mode },
                now);
}

enum job_do engine_is_at(enum phase phase, uint64_t bytes, uint64_t quiet_usec)
{
        const struct engine_message m = {
                .phase = phase, .bytes_done = bytes, .bytes_total = 1000, .quiet_usec = quiet_usec
        };

        return job_step(&job, &(struct job_event){ .type = JOB_EV_ENGINE_SAID, .message = &m }, now);
}

enum job_do engine_judges(enum verdict verdict, const char *text)
{
        struct engine_message m = {
                .phase = PHASE_DOWNLOADING, .verdict = verdict, .bytes_done = 500, .bytes_total = 1000
        };

        memcpy(m.text, text, strlen(text));
        return job_step(&job, &(struct job_event){ .type = JOB_EV_ENGINE_SAID, .message = &m }, now);
}

/* To the deadline, and no earlier. */
enum job_do time_passes(uint64_t usec)
{
        uint64_t deadline = job_deadline(&job);

        now += usec;
        assert_int_equal(now, deadline);
        return event(JOB_EV_TIME);
}

void engine_starts(void)
{
        assert_int_equal(event(JOB_EV_PLACE), JOB_DO_OPEN_ROW);
        assert_int_equal(event(JOB_EV_ROW_OPENED), JOB_DO_START_ENGINE);
}

/* The engine's verdict, its end, and the row that is closed. */
enum job_do attempt_ends(enum verdict verdict, const char *text)
{
        assert_int_equal(engine_judges(verdict, text), JOB_DO_NOTHING);
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        assert_int_equal(job.verdict, verdict);
        return event(JOB_EV_ROW_CLOSED);
}

/* A row that was ordered to be closed is closed, and the job is over. */
void expect_end(enum job_do action, enum phase phase, enum verdict verdict, const char *message, bool final)
{
        assert_int_equal(action, JOB_DO_CLOSE_ROW);
        assert_int_equal(job.final, final);
        assert_int_not_equal(job.phase, phase); /* not shown before it is on disk */
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_END);
        assert_string_equal(phase_to_string(job.phase), phase_to_string(phase));
        assert_string_equal(verdict_to_string(job.verdict), verdict_to_string(verdict));
        assert_string_equal(job.message, message);
        assert_false(job_is_running(&job));
        assert_int_equal(job_deadline(&job), USEC_INFINITY);
}
