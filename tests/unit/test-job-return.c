/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Boards that leave in the middle of it, and come back, or do not, or come back as another: known by their MAC. */
#include "tests/unit/job-life.h"

#define RETURN (10 * USEC_PER_SEC)

static void board_with_mac_waits(bool dfu_mode)
{
        board_waits(dfu_mode);
        job.params.return_usec = RETURN;
}

static enum job_do policy_has_changed(const char *text)
{
        return job_step(&job, &(struct job_event){ .type = JOB_EV_GIVE_UP, .text = text }, now);
}

static enum job_do joe_cancels(void)
{
        return job_step(&job, &(struct job_event){ .type = JOB_EV_CANCEL, .text = "user joe" }, now);
}

/* The attempt that is under way ends with it, and its return is waited for. */
static void board_is_pulled(void)
{
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        engine_judges(VERDICT_BOARD_LEFT, "board left at byte 500 of 1000");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        assert_false(job.final);
        assert_int_equal(job.verdict, VERDICT_BOARD_LEFT);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
        assert_int_equal(job.state, JOB_RETURNING);
}

/* The job's end is recorded as an attempt that is over before its first byte. */
static void expect_last_word(enum job_do action, unsigned attempt, enum verdict verdict, const char *message)
{
        assert_int_equal(action, JOB_DO_OPEN_ROW);
        assert_int_equal(job.attempt, attempt);
        assert_int_equal(job.phase, PHASE_QUEUED);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_FAILED, verdict, message, true);
}

static void test_board_that_is_back_in_time_is_the_next_attempt_of_its_job(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        now += USEC_PER_SEC;
        board_is_pulled();
        assert_int_equal(job.phase, PHASE_QUEUED);
        assert_false(job_is_running(&job)); /* others may have its place meanwhile */
        assert_false(job_wants_place(&job, now));
        assert_int_equal(job_deadline(&job), now + RETURN);

        now += 9 * USEC_PER_SEC;
        assert_int_equal(board_comes_back(false), JOB_DO_CHECK_POLICY);
        assert_false(job_wants_place(&job, now));
        assert_int_equal(event(JOB_EV_RESUME), JOB_DO_NOTHING);
        assert_true(job_wants_place(&job, now)); /* at once */
        engine_starts();
        assert_int_equal(job.attempt, 2);
        assert_int_equal(job.phase, PHASE_DETACHING); /* it came back in run-time mode */
}

static void test_board_that_is_not_back_in_time_is_failed(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        board_is_pulled();
        expect_last_word(time_passes(RETURN), 2, VERDICT_BOARD_LEFT,
                         "board left, and was not back within 10 s");
        assert_false(job.replaced);
}

static void test_time_to_return_runs_from_its_leaving(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        event(JOB_EV_LEFT);
        now += 4 * USEC_PER_SEC; /* so long the engine takes to notice */
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        engine_ends("exit status 1");
        event(JOB_EV_ROW_CLOSED);
        assert_int_equal(job_deadline(&job), now + 6 * USEC_PER_SEC);
}

static void test_engine_may_notice_before_udev_tells(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        engine_judges(VERDICT_BOARD_LEFT, "board left at byte 500 of 1000");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
        now += USEC_PER_SEC;
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(job_deadline(&job), now + RETURN);
        assert_int_equal(board_comes_back(true), JOB_DO_CHECK_POLICY);
        event(JOB_EV_RESUME);
        engine_starts();
}

static void test_board_may_be_back_before_its_attempt_is_over(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        event(JOB_EV_LEFT);
        assert_int_equal(board_comes_back(true), JOB_DO_NOTHING);
        engine_judges(VERDICT_USB_ERROR, "DNLOAD failed");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        assert_false(job.final);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_CHECK_POLICY);
        event(JOB_EV_RESUME);
        engine_starts();
        assert_int_equal(job.attempt, 2);
}

/* Where it is to be detached its leaving is expected; that it was not for DETACH is known when the engine says so. */
static void test_board_that_loses_its_contact_before_its_detach_goes_on(void **state)
{
        (void)state;
        board_with_mac_waits(false);
        engine_starts();
        event(JOB_EV_LEFT);
        assert_int_equal(board_comes_back(false), JOB_DO_NOTHING);
        engine_judges(VERDICT_BOARD_LEFT, "cannot take the device node into libusb");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        assert_false(job.final);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_CHECK_POLICY);
        event(JOB_EV_RESUME);
        engine_starts();
        assert_int_equal(job.attempt, 2);
}

static void test_board_that_leaves_before_its_detach_is_waited_for_from_its_leaving(void **state)
{
        (void)state;
        board_with_mac_waits(false);
        engine_starts();
        event(JOB_EV_LEFT);
        now += 4 * USEC_PER_SEC;
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        engine_ends("exit status 1");
        event(JOB_EV_ROW_CLOSED);
        assert_int_equal(job_deadline(&job), now + 6 * USEC_PER_SEC);
        assert_int_equal(board_comes_back(false), JOB_DO_CHECK_POLICY);
}

static void test_board_without_a_mac_that_loses_its_contact_before_its_detach_is_a_new_board(void **state)
{
        (void)state;
        board_waits(false);
        engine_starts();
        event(JOB_EV_LEFT);
        board_arrives(true, false);
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        expect_end(engine_ends("exit status 1"), PHASE_FAILED, VERDICT_BOARD_LEFT, "board left", true);
        assert_true(job.replaced); /* what stands there is another job's */
}

static void test_board_may_leave_and_return_several_times_before_its_attempt_is_over(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        event(JOB_EV_LEFT);
        board_comes_back(true);
        event(JOB_EV_LEFT);
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        engine_ends("exit status 1");
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
        assert_int_equal(board_comes_back(true), JOB_DO_CHECK_POLICY);
}

static void test_attempts_count_whoever_ended_them(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        for (unsigned attempt = 1; attempt < 3; attempt++) {
                engine_starts();
                assert_int_equal(job.attempt, attempt);
                board_is_pulled();
                board_comes_back(true);
                event(JOB_EV_RESUME);
        }
        engine_starts();
        event(JOB_EV_LEFT);
        engine_judges(VERDICT_BOARD_LEFT, "board left at byte 500 of 1000");
        expect_end(engine_ends("exit status 1"), PHASE_FAILED, VERDICT_BOARD_LEFT,
                   "board left at byte 500 of 1000", true);
}

static void test_board_that_is_back_after_its_last_attempt_is_another_job(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        job.params.attempts_max = 1;
        engine_starts();
        event(JOB_EV_LEFT);
        board_comes_back(true);
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        expect_end(engine_ends("exit status 1"), PHASE_FAILED, VERDICT_BOARD_LEFT, "board left", true);
        assert_true(job.replaced); /* its new stay is not what the verdict is about */
        assert_true(job.same_board);
}

static void test_another_board_on_the_port_ends_the_job_as_replaced(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        board_is_pulled();
        expect_last_word(board_arrives(true, true), 2, VERDICT_REPLACED,
                         "another board came when it had left");
        assert_true(job.replaced);

        board_with_mac_waits(true);
        engine_starts();
        event(JOB_EV_LEFT);
        board_arrives(false, true); /* before the engine has noticed */
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        expect_end(engine_ends("exit status 1"), PHASE_FAILED, VERDICT_BOARD_LEFT, "board left", true);
        assert_true(job.replaced);

        board_with_mac_waits(true);
        engine_starts();
        event(JOB_EV_LEFT);
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        engine_ends("exit status 1");
        board_arrives(false,
                      true); /* while the row is being closed, which says that another attempt follows */
        expect_last_word(event(JOB_EV_ROW_CLOSED), 2, VERDICT_REPLACED,
                         "another board came when it had left");
}

static void test_board_that_comes_back_where_another_policy_counts_ends_the_job(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        board_is_pulled();
        assert_int_equal(board_comes_back(true), JOB_DO_CHECK_POLICY);
        expect_last_word(policy_has_changed("came back on 1-4.2, where policy probe counts"), 2,
                         VERDICT_BOARD_LEFT, "came back on 1-4.2, where policy probe counts");
        assert_true(job.replaced); /* it is there, and begins anew */
}

static void test_board_that_leaves_between_two_attempts_keeps_its_delay(void **state)
{
        uint64_t due;

        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        attempt_ends(VERDICT_STALLED, "refused DNLOAD");
        due = job_deadline(&job);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_NOTHING);
        assert_int_equal(job.state, JOB_RETURNING);
        now += USEC_PER_SEC;
        assert_int_equal(board_comes_back(true), JOB_DO_CHECK_POLICY);
        event(JOB_EV_RESUME);
        assert_false(job_wants_place(&job, now));
        now = due;
        assert_true(job_wants_place(&job, now));
        engine_starts();
        assert_int_equal(job.attempt, 2);
}

static void test_board_that_leaves_before_its_first_attempt_has_no_job_to_return_to(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        assert_int_equal(event(JOB_EV_LEFT), JOB_DO_END);
        assert_int_equal(job.attempt, 0);
}

static void test_board_that_leaves_before_its_row_is_open_may_return(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        event(JOB_EV_PLACE);
        event(JOB_EV_LEFT);
        assert_int_equal(event(JOB_EV_ROW_OPENED), JOB_DO_CLOSE_ROW);
        assert_false(job.final);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
        assert_int_equal(board_comes_back(true), JOB_DO_CHECK_POLICY);
}

static void test_board_that_left_after_a_verdict_that_stands_is_not_waited_for(void **state)
{
        static const enum verdict verdicts[] = { VERDICT_FLASHED, VERDICT_NOT_DFU, VERDICT_IMAGE_REFUSED };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
                board_with_mac_waits(true);
                engine_starts();
                engine_judges(verdicts[i], "so it ended");
                event(JOB_EV_LEFT);
                assert_int_equal(engine_ends("exit status 0"), JOB_DO_CLOSE_ROW);
                assert_true(job.final);
                assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_END);
        }
}

static void test_board_that_is_not_to_be_waited_for_ends_at_once(void **state)
{
        const struct job_event for_good = { .type = JOB_EV_LEFT, .for_good = true };

        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        job_step(&job, &for_good, now);
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        expect_end(engine_ends("exit status 1"), PHASE_FAILED, VERDICT_BOARD_LEFT, "board left", true);

        board_with_mac_waits(true);
        engine_starts();
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        engine_ends("exit status 1");
        event(JOB_EV_ROW_CLOSED);
        expect_last_word(job_step(&job, &for_good, now), 2, VERDICT_BOARD_LEFT, "board left");

        board_with_mac_waits(true);
        engine_starts();
        attempt_ends(VERDICT_STALLED, "refused DNLOAD");
        assert_int_equal(job_step(&job, &for_good, now), JOB_DO_OPEN_ROW);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_FAILED, VERDICT_BOARD_LEFT,
                   "board left before the first byte", true);
}

/* Its row says that none follows: the record is not made a lie by a board that is back before the row is closed. */
static void test_final_attempt_stays_the_last_though_its_board_is_back_before_it_is_closed(void **state)
{
        const struct job_event for_good = { .type = JOB_EV_LEFT, .for_good = true };

        (void)state;
        board_with_mac_waits(false);
        engine_starts();
        job_step(&job, &for_good, now);
        engine_judges(VERDICT_USB_ERROR, "the bus failed in DETACH");
        assert_int_equal(engine_ends("exit status 1"), JOB_DO_CLOSE_ROW);
        assert_true(job.final);
        assert_int_equal(board_comes_back(true), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_END);
        assert_int_equal(job.verdict, VERDICT_USB_ERROR);
}

static void test_detached_board_that_comes_on_another_port_goes_on_there(void **state)
{
        (void)state;
        board_with_mac_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        event(JOB_EV_LEFT);
        engine_ends("exit status 0");
        assert_int_equal(job.state, JOB_AWAY);
        assert_int_equal(event(JOB_EV_ELSEWHERE), JOB_DO_CLOSE_ROW);
        assert_false(job.final);
        assert_string_equal(job.message, "went to another port after DETACH");
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
        assert_int_equal(job.state, JOB_RETURNING);

        /* It is there before the engine is reaped. */
        board_with_mac_waits(false);
        engine_starts();
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        event(JOB_EV_LEFT);
        assert_int_equal(event(JOB_EV_ELSEWHERE), JOB_DO_NOTHING);
        assert_int_equal(engine_ends("exit status 0"), JOB_DO_CLOSE_ROW);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_NOTHING);
        assert_int_equal(job.state, JOB_RETURNING);
}

static void test_person_cancels_while_its_return_is_waited_for(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        board_is_pulled();
        assert_int_equal(joe_cancels(), JOB_DO_OPEN_ROW);
        board_comes_back(true);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe before attempt 2", true);
        assert_true(job.replaced); /* a new stay is considered anew */
}

static void test_person_cancels_while_the_lost_attempt_is_being_recorded(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        event(JOB_EV_LEFT);
        engine_judges(VERDICT_BOARD_LEFT, "board left");
        engine_ends("exit status 1");
        assert_int_equal(joe_cancels(), JOB_DO_NOTHING);
        assert_int_equal(event(JOB_EV_ROW_CLOSED), JOB_DO_OPEN_ROW);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_CANCELLED, VERDICT_CANCELLED,
                   "cancelled by user joe before attempt 2", true);
}

static void test_stop_of_the_daemon_waits_for_no_board(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        board_is_pulled();
        assert_false(job_is_running(&job));
        assert_int_equal(event(JOB_EV_CANCEL), JOB_DO_END);
        assert_string_equal(job.message, "cancelled before attempt 2");
}

static void test_end_of_the_job_that_cannot_be_recorded_is_told_when_it_can(void **state)
{
        (void)state;
        board_with_mac_waits(true);
        engine_starts();
        board_is_pulled();
        assert_int_equal(time_passes(RETURN), JOB_DO_OPEN_ROW);
        assert_int_equal(event(JOB_EV_ROW_FAILED), JOB_DO_NOTHING);
        assert_int_not_equal(job.phase, PHASE_FAILED);
        assert_int_equal(time_passes(JOB_LEDGER_RETRY), JOB_DO_OPEN_ROW);
        expect_end(event(JOB_EV_ROW_OPENED), PHASE_FAILED, VERDICT_BOARD_LEFT,
                   "board left, and was not back within 10 s", true);
        assert_int_equal(job.attempt, 2);
}

static void test_leaving_that_belongs_to_the_job_is_expected(void **state)
{
        (void)state;
        board_with_mac_waits(false);
        assert_false(job_expects_leave(&job));
        engine_starts();
        assert_true(job_expects_leave(&job)); /* DETACH */
        engine_judges(VERDICT_DETACHED, "sent to DFU mode");
        engine_ends("exit status 0");
        assert_true(job_expects_leave(&job));
        event(JOB_EV_LEFT);
        board_arrives(true, true);
        assert_false(job_expects_leave(&job));
        engine_is_at(PHASE_RESETTING, 1000, USEC_PER_SEC);
        assert_true(job_expects_leave(&job));
}

#define t(name) cmocka_unit_test(name)

int main(void)
{
        const struct CMUnitTest tests[] = {
                t(test_board_that_is_back_in_time_is_the_next_attempt_of_its_job),
                t(test_board_that_is_not_back_in_time_is_failed),
                t(test_time_to_return_runs_from_its_leaving),
                t(test_engine_may_notice_before_udev_tells),
                t(test_board_may_be_back_before_its_attempt_is_over),
                t(test_board_that_loses_its_contact_before_its_detach_goes_on),
                t(test_board_that_leaves_before_its_detach_is_waited_for_from_its_leaving),
                t(test_board_without_a_mac_that_loses_its_contact_before_its_detach_is_a_new_board),
                t(test_board_may_leave_and_return_several_times_before_its_attempt_is_over),
                t(test_attempts_count_whoever_ended_them),
                t(test_board_that_is_back_after_its_last_attempt_is_another_job),
                t(test_another_board_on_the_port_ends_the_job_as_replaced),
                t(test_board_that_comes_back_where_another_policy_counts_ends_the_job),
                t(test_board_that_leaves_between_two_attempts_keeps_its_delay),
                t(test_board_that_leaves_before_its_first_attempt_has_no_job_to_return_to),
                t(test_board_that_leaves_before_its_row_is_open_may_return),
                t(test_board_that_left_after_a_verdict_that_stands_is_not_waited_for),
                t(test_board_that_is_not_to_be_waited_for_ends_at_once),
                t(test_final_attempt_stays_the_last_though_its_board_is_back_before_it_is_closed),
                t(test_detached_board_that_comes_on_another_port_goes_on_there),
                t(test_person_cancels_while_its_return_is_waited_for),
                t(test_person_cancels_while_the_lost_attempt_is_being_recorded),
                t(test_stop_of_the_daemon_waits_for_no_board),
                t(test_end_of_the_job_that_cannot_be_recorded_is_told_when_it_can),
                t(test_leaving_that_belongs_to_the_job_is_expected),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
