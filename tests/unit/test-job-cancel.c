/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job that is cancelled, at each moment of its life. */
#include "tests/unit/job-life.h"

/* ---- by the daemon, which stops ---- */

static void test_cancel_while_queued_ends_without_a_row(void **state)
{
        (void)state;
        board_waits(true);
        assert_int_equal(event(JOB_EV_CANCEL), JOB_DO_END);
        assert_int_equal(job.phase, PHASE_CANCELLED);
        assert_string_equal(job.message, "cancelled before it began");
}

static void test_cancel_between_attempts(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        attempt_ends(VERDICT_STALLED, "refused DNLOAD");
        assert_int_equal(event(JOB_EV_CANCEL), JOB_DO_END);
        assert_int_equal(job.phase, PHASE_CANCELLED);
        assert_string_equal(job.message, "cancelled before attempt 2");
}

static void test_cancel_before_the_row_is_open_starts_no_engine(void **state)
{
        (void)state;
        board_waits(true);
        event(JOB_EV_PLACE);
        assert_int_equal(event(JOB_EV_CANCEL), JOB_DO_NOTHING);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_CANCELLED, VERDICT_CANCELLED, "cancelled before it began",
                   false);
}

static void test_cancelled_engine_is_asked_once_and_ends_by_itself(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        assert_int_equal(event(JOB_EV_CANCEL), JOB_DO_TERMINATE_ENGINE);
        assert_int_equal(event(JOB_EV_CANCEL), JOB_DO_NOTHING);
        engine_is_at(PHASE_DOWNLOADING, 20, 60 * USEC_PER_SEC);
        assert_int_equal(job_deadline(&job), now + JOB_ENGINE_STOP_LIMIT);
        engine_judges(VERDICT_CANCELLED, "cancelled at byte 20 of 1000");
        expect_end(engine_ends("exit status 1"), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled at byte 20 of 1000", false);
}

static void test_cancelled_engine_that_does_not_end_is_killed(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        event(JOB_EV_CANCEL);
        assert_int_equal(time_passes(JOB_ENGINE_STOP_LIMIT), JOB_DO_KILL_ENGINE);
        expect_end(engine_ends("killed by SIGKILL"), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled; the engine did not end by itself", false);
}

static void test_cancel_that_comes_too_late_does_not_undo_a_flashed_board(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        event(JOB_EV_CANCEL);
        engine_judges(VERDICT_FLASHED, "1000 bytes");
        /* Final: it is not flashed again after a restart. */
        expect_end(engine_ends("exit status 0"), PHASE_FLASHED, VERDICT_FLASHED, "1000 bytes", true);
}

static void test_cancel_while_the_engine_is_being_killed_allows_no_other_attempt(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        assert_int_equal(time_passes(JOB_ENGINE_START_LIMIT), JOB_DO_KILL_ENGINE);
        assert_int_equal(event(JOB_EV_CANCEL), JOB_DO_NOTHING);
        assert_int_equal(engine_ends("killed by SIGKILL"), JOB_DO_CLOSE_ROW);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_END);
}

static void test_cancel_of_a_detached_board(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        event(JOB_EV_CANCEL);
        expect_end(engine_ends("exit status 0"), PHASE_CANCELLED, VERDICT_CANCELLED, "cancelled after DETACH",
                   false);

        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        engine_ends("exit status 0");
        expect_end(event(JOB_EV_CANCEL), PHASE_CANCELLED, VERDICT_CANCELLED, "cancelled after DETACH", false);
}

static void test_cancel_while_the_row_is_being_closed_allows_no_other_attempt(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_judges(VERDICT_STALLED, "refused DNLOAD");
        engine_ends("exit status 1");
        assert_int_equal(event(JOB_EV_CANCEL), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_END);
        assert_int_equal(job.verdict, VERDICT_STALLED);
}

/* ---- by a person: final, and recorded ---- */

static enum job_do joe_cancels(void)
{
        return job_step(&job, &(struct job_event){ .type = JOB_EV_CANCEL, .text = "user joe" }, now);
}

static void test_person_cancels_a_queued_job_and_it_is_recorded(void **state)
{
        (void)state;
        board_waits(true);
        assert_int_equal(joe_cancels(), JOB_DO_OPEN_ROW);
        assert_int_equal(job.phase, PHASE_QUEUED); /* nothing else is to be seen of it */
        assert_false(job_wants_place(&job, now));
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe before it began", true);
}

static void test_person_cancels_between_attempts(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        attempt_ends(VERDICT_STALLED, "refused DNLOAD");
        assert_int_equal(joe_cancels(), JOB_DO_OPEN_ROW);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe before attempt 2", true);
}

static void test_person_cancels_a_download_for_good(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_is_at(PHASE_DOWNLOADING, 20, 60 * USEC_PER_SEC);
        assert_int_equal(joe_cancels(), JOB_DO_TERMINATE_ENGINE);
        engine_judges(VERDICT_CANCELLED, "cancelled at byte 20 of 1000");
        expect_end(engine_ends("exit status 1"), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe at byte 20 of 1000", true);
}

static void test_person_cancels_an_engine_that_had_not_begun_to_listen(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        joe_cancels();
        expect_end(engine_ends("killed by SIGTERM"), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe; the engine ended without a verdict", true);
}

static void test_person_cancels_and_the_engine_crashes_in_mid_download(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_is_at(PHASE_DOWNLOADING, 20, 60 * USEC_PER_SEC);
        joe_cancels();
        expect_end(engine_ends("killed by SIGSEGV"), PHASE_FAILED, VERDICT_ENGINE_FAILED,
                   "the engine ended without a verdict: killed by SIGSEGV", true);
}

static void test_person_cancels_while_a_failed_attempt_is_being_recorded(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_judges(VERDICT_STALLED, "refused DNLOAD");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        assert_false(job.final); /* another one would have followed */
        joe_cancels();
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_OPEN_ROW);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe before attempt 2", true);
}

static void test_person_cancels_a_detached_board_and_its_return_is_what_is_recorded(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        engine_ends("exit status 0");
        event(JOB_EV_LEFT);
        assert_int_equal(joe_cancels(), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_CANCEL), JOB_DO_NOTHING); /* nor does the daemon's stop end it sooner */
        expect_end(board_arrives(true, true), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe after DETACH", true);
}

static void test_person_cancels_a_board_that_leaves_behind_the_engines_back(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        joe_cancels();
        engine_judges(VERDICT_CANCELLED, "cancelled at byte 0 of 0");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_NOTHING); /* DETACH may have reached it */
        now += JOB_ENGINE_BACK_LIMIT / 2;
        event(JOB_EV_LEFT);
        now += JOB_ENGINE_BACK_LIMIT;
        assert_int_equal(event(JOB_EV_TIME), JOB_DO_NOTHING);
        expect_end(board_arrives(true, true), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe after DETACH", true);
}

static void test_person_cancels_a_board_that_stays_or_does_not_come_back(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        joe_cancels();
        engine_judges(VERDICT_CANCELLED, "cancelled at byte 0 of 0");
        engine_ends("exit status 1");
        expect_end(time_passes(JOB_ENGINE_BACK_LIMIT), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe before DETACH", true);

        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        event(JOB_EV_LEFT);
        joe_cancels();
        engine_ends("exit status 0");
        expect_end(time_passes(10 * USEC_PER_SEC), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe after DETACH; the board did not come back", true);
}

static void test_person_cancels_what_the_daemons_stop_cancelled_already(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        event(JOB_EV_CANCEL);
        assert_int_equal(joe_cancels(), JOB_DO_NOTHING); /* the engine was asked already */
        engine_judges(VERDICT_CANCELLED, "cancelled at byte 20 of 1000");
        expect_end(engine_ends("exit status 1"), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe at byte 20 of 1000", true);
}

#define t(name) cmocka_unit_test(name)

int main(void)
{
        const struct CMUnitTest tests[] = {
                t(test_cancel_while_queued_ends_without_a_row),
                t(test_cancel_between_attempts),
                t(test_cancel_before_the_row_is_open_starts_no_engine),
                t(test_cancelled_engine_is_asked_once_and_ends_by_itself),
                t(test_cancelled_engine_that_does_not_end_is_killed),
                t(test_cancel_that_comes_too_late_does_not_undo_a_flashed_board),
                t(test_cancel_while_the_engine_is_being_killed_allows_no_other_attempt),
                t(test_cancel_of_a_detached_board),
                t(test_cancel_while_the_row_is_being_closed_allows_no_other_attempt),
                t(test_person_cancels_a_queued_job_and_it_is_recorded),
                t(test_person_cancels_between_attempts),
                t(test_person_cancels_a_download_for_good),
                t(test_person_cancels_an_engine_that_had_not_begun_to_listen),
                t(test_person_cancels_and_the_engine_crashes_in_mid_download),
                t(test_person_cancels_while_a_failed_attempt_is_being_recorded),
                t(test_person_cancels_a_detached_board_and_its_return_is_what_is_recorded),
                t(test_person_cancels_a_board_that_leaves_behind_the_engines_back),
                t(test_person_cancels_a_board_that_stays_or_does_not_come_back),
                t(test_person_cancels_what_the_daemons_stop_cancelled_already),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
