/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a job, as a list of what happens and what it does about it. */
#include "tests/unit/job-life.h"

/* ---- a machine that has no process for an engine ---- */

static enum job_do engine_cannot_start(const char *why)
{
        const struct job_event event = { .type = JOB_EV_ENGINE_NOT_STARTED, .text = why };

        return job_step(&job, &event, now);
}

static void test_board_waits_for_an_engine_as_long_as_none_can_be_started(void **state)
{
        (void)state;
        board_waits(true);
        assert_int_equal(event(JOB_EV_PLACE), JOB_DO_OPEN_ROW);
        assert_int_equal(event(JOB_EV_ROW_OPENED), JOB_DO_START_ENGINE);
        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(engine_cannot_start("Too many open files"), JOB_DO_NOTHING);
                assert_int_equal(job.phase, PHASE_QUEUED);
                assert_string_equal(job.message, "waits: Too many open files");
                assert_true(job_is_running(&job));
                assert_int_equal(job.attempt, 1);
                assert_int_equal(time_passes(JOB_START_RETRY), JOB_DO_START_ENGINE);
        }
        assert_int_equal(job.phase, PHASE_DOWNLOADING);
        assert_int_equal(attempt_ends(VERDICT_FLASHED, "1000 bytes"), JOB_DO_END);
        assert_int_equal(job.attempt, 1);
        assert_int_equal(job.downloading_usec, 0); /* it waited, and no more */
}

static void test_board_that_leaves_while_it_waits_for_an_engine_is_accounted_for(void **state)
{
        (void)state;
        board_waits(true);
        assert_int_equal(event(JOB_EV_PLACE), JOB_DO_OPEN_ROW);
        assert_int_equal(event(JOB_EV_ROW_OPENED), JOB_DO_START_ENGINE);
        assert_int_equal(engine_cannot_start("Cannot allocate memory"), JOB_DO_NOTHING);
        expect_end(event(JOB_EV_LEFT), PHASE_FAILED, VERDICT_BOARD_LEFT, "board left before the first byte",
                   true);
}

static void test_job_that_waits_for_an_engine_can_be_cancelled(void **state)
{
        (void)state;
        board_waits(true);
        assert_int_equal(event(JOB_EV_PLACE), JOB_DO_OPEN_ROW);
        assert_int_equal(event(JOB_EV_ROW_OPENED), JOB_DO_START_ENGINE);
        assert_int_equal(engine_cannot_start("Cannot allocate memory"), JOB_DO_NOTHING);
        expect_end(event(JOB_EV_CANCEL), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled before its engine was started", false);
}

/* The walk (test-job-walk) found it: the row said that it was the last. */
static void test_board_that_is_back_after_a_final_verdict_is_another_jobs(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(engine_judges(VERDICT_USB_ERROR, "no device"), JOB_DO_NOTHING);
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        assert_true(job.final);
        assert_int_equal(board_arrives(true, true), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_END);
        assert_true(job.replaced);
}

/* ---- the straight way ---- */

static void test_row_is_open_before_the_engine_starts_and_closed_before_the_verdict_shows(void **state)
{
        (void)state;
        board_waits(true);
        assert_int_equal(job.phase, PHASE_QUEUED);
        assert_true(job_wants_place(&job, now));
        assert_false(job_is_running(&job));

        assert_int_equal(event(JOB_EV_PLACE), JOB_DO_OPEN_ROW);
        assert_true(job_is_running(&job));
        assert_false(job_wants_place(&job, now));
        assert_int_equal(job.attempt, 1);
        assert_int_equal(event(JOB_EV_ROW_OPENED), JOB_DO_START_ENGINE);
        assert_int_equal(job.phase, PHASE_DOWNLOADING);

        now += USEC_PER_SEC;
        assert_int_equal(engine_is_at(PHASE_DOWNLOADING, 0, 5 * USEC_PER_SEC), JOB_DO_NOTHING);
        assert_int_equal(job.download_start_usec, now);
        assert_int_equal(job_deadline(&job), now + 5 * USEC_PER_SEC);
        assert_int_equal(engine_is_at(PHASE_VERIFYING, 1000, 30 * USEC_PER_SEC), JOB_DO_NOTHING);
        assert_int_equal(job.phase, PHASE_VERIFYING);
        assert_int_equal(engine_judges(VERDICT_FLASHED, "1000 bytes"), JOB_DO_NOTHING);
        assert_int_equal(job.phase, PHASE_VERIFYING);
        expect_end(engine_ends("exit status 0"), PHASE_FLASHED, VERDICT_FLASHED, "1000 bytes", true);
}

static void test_board_in_run_time_mode_is_detached_and_goes_on_in_the_same_attempt(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        assert_int_equal(job.phase, PHASE_DETACHING);
        assert_int_equal(engine_judges(VERDICT_DETACHED, "sent to DFU mode"), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(engine_ends("exit status 0"), JOB_DO_NOTHING);
        assert_int_equal(job.state, JOB_AWAY);
        assert_int_equal(board_arrives(true, true), JOB_DO_START_ENGINE);
        assert_int_equal(job.attempt, 1);
        assert_int_equal(job.phase, PHASE_DOWNLOADING);
        assert_int_equal(attempt_ends(VERDICT_FLASHED, "1000 bytes"), JOB_DO_END);
}

static void test_each_phase_is_timed_and_the_next_attempt_begins_anew(void **state)
{
        const struct engine_message judged = { .phase = PHASE_VERIFYING,
                                               .verdict = VERDICT_VERIFY_FAILED,
                                               .has_status = true,
                                               .status = { .code = DFU_ERR_FIRMWARE, .state = DFU_ERROR },
                                               .text = "board reports errFIRMWARE" };

        (void)state;
        board_waits(false);
        now += 100; /* in the queue */
        engine_starts();
        now += 1;
        assert_int_equal(engine_judges(VERDICT_DETACHED, "sent to DFU mode"), JOB_DO_NOTHING);
        now += 2; /* until the engine is reaped */
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(engine_ends("exit status 0"), JOB_DO_NOTHING);
        now += 40;
        assert_int_equal(board_arrives(true, true), JOB_DO_START_ENGINE);
        now += 500;
        assert_int_equal(engine_is_at(PHASE_DOWNLOADING, 10, USEC_PER_SEC), JOB_DO_NOTHING);
        now += 600;
        assert_int_equal(engine_is_at(PHASE_VERIFYING, 1000, USEC_PER_SEC), JOB_DO_NOTHING);
        now += 7000;
        assert_int_equal(
                job_step(&job, &(struct job_event){ .type = JOB_EV_ENGINE_SAID, .message = &judged }, now),
                JOB_DO_NOTHING);
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        now += 80000; /* the disk */
        assert_int_equal(job.detaching_usec, 3);
        assert_int_equal(job.away_usec, 40);
        assert_int_equal(job.downloading_usec, 1100);
        assert_int_equal(job.verifying_usec, 7000);
        assert_true(job.has_status);
        assert_int_equal(job.status.code, DFU_ERR_FIRMWARE);
        assert_string_equal(job.engine_text, "board reports errFIRMWARE");

        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
        now = job_deadline(&job);
        engine_starts();
        assert_int_equal(job.detaching_usec + job.away_usec + job.downloading_usec + job.verifying_usec, 0);
        assert_false(job.has_status);
        assert_string_equal(job.engine_text, "");
}

static void test_board_may_be_back_before_the_engine_is_reaped(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        assert_int_equal(engine_judges(VERDICT_DETACHED, "sent to DFU mode"), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(board_arrives(true, true), JOB_DO_NOTHING);
        assert_int_equal(engine_ends("exit status 0"), JOB_DO_START_ENGINE);
        assert_int_equal(job.phase, PHASE_DOWNLOADING);
}

static void test_board_may_leave_after_the_engine_is_reaped(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        assert_int_equal(engine_ends("exit status 0"), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(board_arrives(true, true), JOB_DO_START_ENGINE);
}

/* ---- DETACH goes wrong ---- */

static void detach_once(bool comes_back_in_dfu_mode, enum job_do expected)
{
        assert_int_equal(engine_judges(VERDICT_DETACHED, "sent to DFU mode"), JOB_DO_NOTHING);
        assert_int_equal(engine_ends("exit status 0"), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(board_arrives(true, comes_back_in_dfu_mode), expected);
}

static void test_board_that_comes_back_in_run_time_mode_is_detached_again(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        detach_once(false, JOB_DO_START_ENGINE);
        assert_int_equal(job.phase, PHASE_DETACHING);
        detach_once(false, JOB_DO_START_ENGINE);
        detach_once(true, JOB_DO_START_ENGINE);
        assert_int_equal(job.phase, PHASE_DOWNLOADING);
}

static void test_board_that_always_comes_back_in_run_time_mode_is_given_up(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        for (unsigned i = 1; i < JOB_DETACHES_MAX; i++)
                detach_once(false, JOB_DO_START_ENGINE);
        detach_once(false, JOB_DO_CLOSE_ROW);
        expect_end(JOB_DO_CLOSE_ROW, PHASE_FAILED, VERDICT_NOT_RETURNED,
                   "came back in run-time mode after each of 3 DETACHes", true);
}

static void test_board_that_is_back_in_run_time_mode_before_the_engine_is_reaped_is_given_up_too(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        for (unsigned i = 1; i <= JOB_DETACHES_MAX; i++) {
                engine_judges(VERDICT_DETACHED, "sent to DFU mode");
                event(JOB_EV_LEFT);
                board_arrives(true, false);
                assert_int_equal(engine_ends("exit status 0"),
                                 i < JOB_DETACHES_MAX ? JOB_DO_START_ENGINE : JOB_DO_CLOSE_ROW);
        }
        assert_int_equal(job.verdict, VERDICT_NOT_RETURNED);
}

static void test_board_that_does_not_come_back_is_given_up(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        engine_ends("exit status 0");
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(time_passes(10 * USEC_PER_SEC), JOB_DO_CLOSE_ROW);
        expect_end(JOB_DO_CLOSE_ROW, PHASE_FAILED, VERDICT_NOT_RETURNED,
                   "did not come back within 10 s after DETACH", true);
}

static void test_board_that_does_not_leave_after_detach_is_given_up(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        engine_ends("exit status 0");
        assert_int_equal(time_passes(10 * USEC_PER_SEC), JOB_DO_CLOSE_ROW);
        assert_string_equal(job.message, "did not leave run-time mode within 10 s after DETACH");
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_END);
}

static void test_board_that_leaves_late_without_having_answered_detach_is_flashed(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_TIMED_OUT, "no answer to DETACH within 5 s");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_NOTHING);
        now += 9 * USEC_PER_SEC;
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(board_arrives(true, true), JOB_DO_START_ENGINE);
        assert_int_equal(job.attempt, 1);
        engine_judges(VERDICT_FLASHED, "flashed");
        expect_end(engine_ends("exit status 0"), PHASE_FLASHED, VERDICT_FLASHED, "flashed", true);
}

static void test_board_that_left_when_its_engine_was_killed_in_detach_is_the_same_when_it_returns(
        void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(engine_ends("killed by signal 9"), JOB_DO_NOTHING);
        assert_int_equal(job.state, JOB_AWAY);
        assert_int_equal(board_arrives(true, true), JOB_DO_START_ENGINE);
        assert_int_equal(job.attempt, 1);
        engine_judges(VERDICT_FLASHED, "flashed");
        expect_end(engine_ends("exit status 0"), PHASE_FLASHED, VERDICT_FLASHED, "flashed", true);
}

static void test_board_that_leaves_after_its_engine_was_killed_in_detach_is_the_same_when_it_returns(
        void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        assert_int_equal(engine_ends("killed by signal 9"), JOB_DO_NOTHING);
        assert_int_equal(job.state, JOB_AWAY);
        now += USEC_PER_SEC;
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(job_deadline(&job), now + 10 * USEC_PER_SEC);
        assert_int_equal(board_arrives(true, true), JOB_DO_START_ENGINE);
        assert_int_equal(job.attempt, 1);
        engine_judges(VERDICT_FLASHED, "flashed");
        expect_end(engine_ends("exit status 0"), PHASE_FLASHED, VERDICT_FLASHED, "flashed", true);
}

static void test_engine_that_was_killed_before_it_sent_detach_has_failed_as_soon_as_that_shows(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        assert_int_equal(engine_ends("killed by signal 9"), JOB_DO_NOTHING);
        assert_int_equal(time_passes(JOB_ENGINE_BACK_LIMIT), JOB_DO_CLOSE_ROW);
        assert_int_equal(job.verdict, VERDICT_ENGINE_FAILED);
        assert_string_equal(job.message, "the engine ended without a verdict: killed by signal 9");
        assert_false(job.final);
}

static void test_board_that_neither_answers_detach_nor_leaves_is_tried_again(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_TIMED_OUT, "no answer to DETACH within 5 s");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_NOTHING);
        assert_int_equal(time_passes(10 * USEC_PER_SEC), JOB_DO_CLOSE_ROW);
        assert_false(job.final);
        assert_int_equal(job.verdict, VERDICT_TIMED_OUT);
        assert_string_equal(job.message, "no answer to DETACH, and did not leave run-time mode within 10 s");
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
        assert_int_equal(job.phase, PHASE_QUEUED);
}

static void test_another_board_after_detach_is_not_flashed_as_this_one(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        engine_ends("exit status 0");
        event(JOB_EV_LEFT);
        expect_end(board_arrives(false, true), PHASE_FAILED, VERDICT_REPLACED,
                   "another board came after DETACH", true);

        board_waits(false);
        engine_starts();
        event(JOB_EV_LEFT);
        board_arrives(false, true);
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        expect_end(engine_ends("exit status 0"), PHASE_FAILED, VERDICT_REPLACED,
                   "another board came after DETACH", true);
}

/* ---- the board leaves ---- */

static void test_board_that_leaves_while_queued_ends_without_a_row(void **state)
{
        (void)state;
        board_waits(true);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_END);
        assert_int_equal(job.verdict, VERDICT_BOARD_LEFT);
        assert_int_equal(job.attempt, 0);
}

static void test_board_that_leaves_before_its_row_is_open_is_accounted_for(void **state)
{
        (void)state;
        board_waits(true);
        event(JOB_EV_PLACE);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_FAILED, VERDICT_BOARD_LEFT,
                   "board left before the first byte", true);
}

static void test_board_that_was_exchanged_before_its_row_is_open_is_not_flashed(void **state)
{
        (void)state;
        board_waits(true);
        event(JOB_EV_PLACE);
        event(JOB_EV_LEFT);
        board_arrives(true, true);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_FAILED, VERDICT_BOARD_LEFT,
                   "board left before the first byte", true);
        assert_true(job.replaced);
}

static void test_board_that_leaves_while_it_waits_for_its_next_attempt_is_accounted_for(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        assert_int_equal(attempt_ends(VERDICT_STALLED, "refused DNLOAD"), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_OPEN_ROW);
        assert_int_equal(job.attempt, 2);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_FAILED, VERDICT_BOARD_LEFT,
                   "board left before the first byte", true);
}

static void test_engine_that_says_the_board_left_is_believed(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_judges(VERDICT_BOARD_LEFT, "board left at byte 500 of 1000");
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        expect_end(engine_ends("exit status 1"), PHASE_FAILED, VERDICT_BOARD_LEFT,
                   "board left at byte 500 of 1000", true);
}

/* The transfers that were under way fail in as many ways as there are host controllers. */
static void test_bus_error_of_a_board_that_has_left_is_its_leaving(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_is_at(PHASE_DOWNLOADING, 64, USEC_PER_SEC);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        engine_judges(VERDICT_USB_ERROR, "the bus failed in DNLOAD at byte 64");
        expect_end(engine_ends("exit status 1"), PHASE_FAILED, VERDICT_BOARD_LEFT,
                   "board left: the bus failed in DNLOAD at byte 64", true);
}

static void test_board_that_leaves_after_its_verdict_was_flashed(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_judges(VERDICT_FLASHED, "1000 bytes");
        event(JOB_EV_LEFT);
        expect_end(engine_ends("exit status 0"), PHASE_FLASHED, VERDICT_FLASHED, "1000 bytes", true);
}

static void test_board_that_leaves_after_a_transient_verdict_is_not_tried_again(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_judges(VERDICT_TIMED_OUT, "no answer");
        event(JOB_EV_LEFT);
        expect_end(engine_ends("exit status 1"), PHASE_FAILED, VERDICT_TIMED_OUT, "no answer", true);
}

static void test_board_that_leaves_while_its_row_is_being_closed_is_not_tried_again(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_judges(VERDICT_TIMED_OUT, "no answer");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        assert_false(job.final);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(board_arrives(true, true), JOB_DO_NOTHING);
        /* The row says that another attempt follows; so one does, and is over before its first byte. */
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_OPEN_ROW);
        assert_int_equal(event(JOB_EV_ROW_OPENED), JOB_DO_CLOSE_ROW);
        assert_true(job.final);
        assert_int_equal(job.verdict, VERDICT_BOARD_LEFT);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_END);
        assert_true(job.replaced);
}

static void test_engine_that_does_not_notice_that_the_board_left_is_killed_soon(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_is_at(PHASE_VERIFYING, 1000, 60 * USEC_PER_SEC);
        event(JOB_EV_LEFT);
        /* What it said before it could know is still on its way. */
        engine_is_at(PHASE_VERIFYING, 1000, 60 * USEC_PER_SEC);
        assert_int_equal(time_passes(JOB_ENGINE_END_LIMIT), JOB_DO_KILL_ENGINE);
        expect_end(engine_ends("killed by SIGKILL"), PHASE_FAILED, VERDICT_BOARD_LEFT,
                   "board left while verifying; the engine did not end by itself", true);
}

/* ---- attempts ---- */

static void test_transient_verdict_is_tried_again_after_the_delay(void **state)
{
        (void)state;
        board_waits(true);
        for (unsigned attempt = 1; attempt < 3; attempt++) {
                engine_starts();
                assert_int_equal(job.attempt, attempt);
                assert_int_equal(attempt_ends(VERDICT_STALLED, "refused DNLOAD"), JOB_DO_NOTHING);
                assert_int_equal(job.phase, PHASE_QUEUED);
                assert_false(job_wants_place(&job, now));
                assert_int_equal(job_deadline(&job), now + 2 * attempt * USEC_PER_SEC);
                now += 2 * attempt * USEC_PER_SEC;
                assert_true(job_wants_place(&job, now));
        }
        engine_starts();
        assert_int_equal(job.bytes_done, 0);
        engine_judges(VERDICT_STALLED, "refused DNLOAD");
        expect_end(engine_ends("exit status 1"), PHASE_FAILED, VERDICT_STALLED, "refused DNLOAD", true);
}

static void test_delay_doubles_up_to_a_minute_and_a_longer_one_stays(void **state)
{
        static const uint64_t seconds[] = { 2, 4, 8, 16, 32, 60, 60 };

        (void)state;
        board_waits(true);
        for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
                job.attempt = (unsigned)i + 1;
                assert_int_equal(job_retry_delay(&job), seconds[i] * USEC_PER_SEC);
        }
        job.attempt = 20;
        job.params.retry_delay_usec = 600 * USEC_PER_SEC;
        assert_int_equal(job_retry_delay(&job), 600 * USEC_PER_SEC);
        job.params.retry_delay_usec = 0;
        assert_int_equal(job_retry_delay(&job), 0);
}

static void test_only_transient_verdicts_are_tried_again(void **state)
{
        (void)state;
        for (enum verdict v = VERDICT_FLASHED; v < VERDICT_MAX_; v++) {
                if (v == VERDICT_DETACHED)
                        continue;
                board_waits(true);
                engine_starts();
                assert_int_equal(attempt_ends(v, "so it ended"),
                                 verdict_is_transient(v) ? JOB_DO_NOTHING : JOB_DO_END);
                assert_int_equal(job.final, !verdict_is_transient(v));
        }
}

/* ---- the engine goes wrong ---- */

static void test_engine_that_ends_without_a_verdict_failed(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        assert_int_equal(engine_ends("killed by SIGSEGV"), JOB_DO_CLOSE_ROW);
        assert_string_equal(job.message, "the engine ended without a verdict: killed by SIGSEGV");
        assert_int_equal(job.verdict, VERDICT_ENGINE_FAILED);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
}

static void test_silent_engine_is_killed_and_the_slot_is_stuck_until_it_is_reaped(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_is_at(PHASE_DOWNLOADING, 10, 7 * USEC_PER_SEC);
        assert_int_equal(time_passes(7 * USEC_PER_SEC), JOB_DO_KILL_ENGINE);
        assert_string_equal(job.message, "the engine said nothing for 7 s while downloading");
        assert_int_equal(time_passes(JOB_ENGINE_KILL_LIMIT), JOB_DO_NOTHING);
        assert_int_equal(job.phase, PHASE_STUCK);
        assert_int_equal(job_deadline(&job), USEC_INFINITY);
        assert_true(job_is_running(&job));
        engine_is_at(PHASE_DOWNLOADING, 20, 7 * USEC_PER_SEC); /* it stood in the socket */
        assert_int_equal(job.phase, PHASE_STUCK);
        assert_int_equal(job_deadline(&job), USEC_INFINITY);
        assert_int_equal(engine_ends("killed by SIGKILL"), JOB_DO_CLOSE_ROW);
        assert_int_equal(job.verdict, VERDICT_TIMED_OUT);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
}

static void test_engine_that_says_nothing_at_all_is_killed(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        assert_int_equal(time_passes(JOB_ENGINE_START_LIMIT), JOB_DO_KILL_ENGINE);
        assert_int_equal(engine_ends("killed by SIGKILL"), JOB_DO_CLOSE_ROW);
        assert_int_equal(job.verdict, VERDICT_TIMED_OUT);
}

static void test_engine_that_talks_without_getting_anywhere_is_killed(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_is_at(PHASE_DOWNLOADING, 500, 20 * USEC_PER_SEC);
        for (unsigned i = 0; i < 19; i++) {
                now += USEC_PER_SEC;
                assert_int_equal(engine_is_at(PHASE_DOWNLOADING, 500, 20 * USEC_PER_SEC), JOB_DO_NOTHING);
        }
        assert_int_equal(time_passes(USEC_PER_SEC), JOB_DO_KILL_ENGINE);
        assert_int_equal(job.verdict, VERDICT_TIMED_OUT);
}

static void test_engine_that_waits_for_detachs_answer_is_done_with_when_the_board_is_back(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(board_arrives(true, true), JOB_DO_NOTHING);
        assert_int_equal(time_passes(JOB_ENGINE_BACK_LIMIT), JOB_DO_KILL_ENGINE);
        assert_int_equal(engine_ends("killed by SIGKILL"), JOB_DO_START_ENGINE);
        assert_int_equal(job.phase, PHASE_DOWNLOADING);
        assert_int_equal(job.attempt, 1);
}

static void test_engine_that_stays_after_its_verdict_is_killed_and_its_verdict_stands(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_judges(VERDICT_FLASHED, "1000 bytes");
        assert_int_equal(time_passes(JOB_ENGINE_END_LIMIT), JOB_DO_KILL_ENGINE);
        expect_end(engine_ends("killed by SIGKILL"), PHASE_FLASHED, VERDICT_FLASHED, "1000 bytes", true);
}

static void test_engine_is_not_heard_after_its_verdict(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_judges(VERDICT_VERIFY_FAILED, "flash does not hold the image");
        engine_judges(VERDICT_FLASHED, "or does it");
        engine_is_at(PHASE_DOWNLOADING, 1, 600 * USEC_PER_SEC);
        assert_int_equal(time_passes(JOB_ENGINE_END_LIMIT), JOB_DO_KILL_ENGINE);
        assert_int_equal(engine_ends("killed by SIGKILL"), JOB_DO_CLOSE_ROW);
        assert_int_equal(job.verdict, VERDICT_VERIFY_FAILED);
        assert_string_equal(job.message, "flash does not hold the image");
}

/* The verdict stood in the socket when its time ran out. */
static void test_verdict_of_a_killed_engine_is_worth_more_than_that_it_was_killed(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        assert_int_equal(time_passes(JOB_ENGINE_START_LIMIT), JOB_DO_KILL_ENGINE);
        engine_judges(VERDICT_FLASHED, "1000 bytes");
        expect_end(engine_ends("killed by SIGKILL"), PHASE_FLASHED, VERDICT_FLASHED, "1000 bytes", true);
}

/* ---- the ledger ---- */

static enum job_do row_fails(void)
{
        return job_step(&job, &(struct job_event){ .type = JOB_EV_ROW_FAILED, .text = "disk full" }, now);
}

static void test_no_byte_leaves_while_the_ledger_cannot_be_written(void **state)
{
        (void)state;
        board_waits(true);
        for (unsigned i = 0; i < 10; i++) {
                assert_int_equal(event(JOB_EV_PLACE), JOB_DO_OPEN_ROW);
                assert_int_equal(job.attempt, 1); /* none is used up */
                assert_int_equal(row_fails(), JOB_DO_NOTHING);
                assert_int_equal(job.phase, PHASE_QUEUED);
                assert_string_equal(job.message, "waits: disk full");
                assert_false(job_wants_place(&job, now));
                now += JOB_LEDGER_RETRY;
                assert_true(job_wants_place(&job, now));
        }
        engine_starts();
        assert_string_equal(job.message, "");
}

static void test_board_that_leaves_or_is_cancelled_while_the_ledger_fails(void **state)
{
        (void)state;
        board_waits(true);
        event(JOB_EV_PLACE);
        event(JOB_EV_LEFT);
        assert_int_equal(row_fails(), JOB_DO_END);
        assert_int_equal(job.verdict, VERDICT_BOARD_LEFT);
        assert_string_equal(job.message, "board left before its turn came");

        board_waits(true);
        event(JOB_EV_PLACE);
        event(JOB_EV_CANCEL);
        assert_int_equal(row_fails(), JOB_DO_END);
        assert_int_equal(job.phase, PHASE_CANCELLED);
        assert_string_equal(job.message, "cancelled before it began");
}

static void test_verdict_does_not_show_before_its_row_could_be_closed(void **state)
{
        (void)state;
        board_waits(true);
        engine_starts();
        engine_judges(VERDICT_FLASHED, "1000 bytes");
        assert_int_equal(engine_ends("exit status 0"), JOB_DO_CLOSE_ROW);
        for (unsigned i = 0; i < 10; i++) {
                assert_int_equal(row_fails(), JOB_DO_NOTHING);
                assert_int_not_equal(job.phase, PHASE_FLASHED);
                assert_int_equal(time_passes(JOB_LEDGER_RETRY), JOB_DO_CLOSE_ROW);
        }
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_END);
        assert_int_equal(job.phase, PHASE_FLASHED);
}

#define t(name) cmocka_unit_test(name)

int main(void)
{
        const struct CMUnitTest tests[] = {
                t(test_board_waits_for_an_engine_as_long_as_none_can_be_started),
                t(test_board_that_leaves_while_it_waits_for_an_engine_is_accounted_for),
                t(test_job_that_waits_for_an_engine_can_be_cancelled),
                t(test_board_that_is_back_after_a_final_verdict_is_another_jobs),
                t(test_row_is_open_before_the_engine_starts_and_closed_before_the_verdict_shows),
                t(test_board_in_run_time_mode_is_detached_and_goes_on_in_the_same_attempt),
                t(test_each_phase_is_timed_and_the_next_attempt_begins_anew),
                t(test_board_may_be_back_before_the_engine_is_reaped),
                t(test_board_may_leave_after_the_engine_is_reaped),
                t(test_board_that_comes_back_in_run_time_mode_is_detached_again),
                t(test_board_that_always_comes_back_in_run_time_mode_is_given_up),
                t(test_board_that_is_back_in_run_time_mode_before_the_engine_is_reaped_is_given_up_too),
                t(test_board_that_does_not_come_back_is_given_up),
                t(test_board_that_does_not_leave_after_detach_is_given_up),
                t(test_board_that_left_when_its_engine_was_killed_in_detach_is_the_same_when_it_returns),
                t(test_board_that_leaves_after_its_engine_was_killed_in_detach_is_the_same_when_it_returns),
                t(test_engine_that_was_killed_before_it_sent_detach_has_failed_as_soon_as_that_shows),
                t(test_board_that_leaves_late_without_having_answered_detach_is_flashed),
                t(test_board_that_neither_answers_detach_nor_leaves_is_tried_again),
                t(test_another_board_after_detach_is_not_flashed_as_this_one),
                t(test_board_that_leaves_while_queued_ends_without_a_row),
                t(test_board_that_leaves_before_its_row_is_open_is_accounted_for),
                t(test_board_that_was_exchanged_before_its_row_is_open_is_not_flashed),
                t(test_board_that_leaves_while_it_waits_for_its_next_attempt_is_accounted_for),
                t(test_engine_that_says_the_board_left_is_believed),
                t(test_bus_error_of_a_board_that_has_left_is_its_leaving),
                t(test_board_that_leaves_after_its_verdict_was_flashed),
                t(test_board_that_leaves_after_a_transient_verdict_is_not_tried_again),
                t(test_board_that_leaves_while_its_row_is_being_closed_is_not_tried_again),
                t(test_engine_that_does_not_notice_that_the_board_left_is_killed_soon),
                t(test_transient_verdict_is_tried_again_after_the_delay),
                t(test_delay_doubles_up_to_a_minute_and_a_longer_one_stays),
                t(test_only_transient_verdicts_are_tried_again),
                t(test_engine_that_ends_without_a_verdict_failed),
                t(test_silent_engine_is_killed_and_the_slot_is_stuck_until_it_is_reaped),
                t(test_engine_that_says_nothing_at_all_is_killed),
                t(test_engine_that_talks_without_getting_anywhere_is_killed),
                t(test_engine_that_waits_for_detachs_answer_is_done_with_when_the_board_is_back),
                t(test_engine_that_stays_after_its_verdict_is_killed_and_its_verdict_stands),
                t(test_engine_is_not_heard_after_its_verdict),
                t(test_verdict_of_a_killed_engine_is_worth_more_than_that_it_was_killed),
                t(test_no_byte_leaves_while_the_ledger_cannot_be_written),
                t(test_board_that_leaves_or_is_cancelled_while_the_ledger_fails),
                t(test_verdict_does_not_show_before_its_row_could_be_closed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
