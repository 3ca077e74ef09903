/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A random walk through the lives of many jobs. A slot that carries out every order, an engine, a ledger and a board that
 * do whatever they can, in any order, at any time; a checker that knows what may be ordered when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/job.h"

#define STEPS     300000
#define JOB_STEPS 2000 /* no job may need more of its own steps */

struct walk {
        uint64_t random;
        unsigned step;
        uint64_t now;
        struct job job;
        struct job_params params;
        unsigned job_steps;

        bool row_open, opening, closing; /* in the ledger; an order is under way */
        bool engine, terminated, killed;
        bool not_started; /* the engine, as is to be told */
        bool judged;      /* the engine gave its verdict */
        bool asks;        /* whether the policy is the same */
        bool unrecorded;  /* the job's last word: the ledger did not take it */
        bool present;
        bool foreign;            /* a board has come that is not the job's */
        bool cancelled, stopped; /* by anybody; by the daemon's stop */
        unsigned rows_opened, rows_closed, engines;
        enum verdict closed_with;
        bool closed_final;
        /* over all jobs */
        unsigned jobs, ends[VERDICT_MAX_], retries, stuck, returns;
};

static uint32_t roll(struct walk *w, uint32_t sides)
{
        w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(w->random >> 33) % sides;
}

static void check(const struct walk *w, bool rule, const char *what)
{
        if (!rule)
                fail_msg("step %u, state %d, phase %s: %s", w->step, (int)w->job.state,
                         phase_to_string(w->job.phase), what);
}

static void new_job(struct walk *w)
{
        w->params = (struct job_params){
                .attempts_max = 1 + roll(w, 4),
                .retry_delay_usec = roll(w, 3) * USEC_PER_SEC,
                .reattach_usec = 10 * USEC_PER_SEC,
                .return_usec = roll(w, 2) ? 10 * USEC_PER_SEC : 0,
        };
        w->present = true;
        w->foreign = w->cancelled = w->stopped = w->row_open = w->opening = w->closing = w->engine = false;
        w->rows_opened = w->rows_closed = w->engines = w->job_steps = 0;
        w->closed_final = w->unrecorded = false;
        w->jobs++;
        job_init(&w->job, &w->params, roll(w, 2));
}

/* ---- what may be ordered ---- */

static void start_engine(struct walk *w)
{
        check(w, w->row_open && !w->closing, "starts an engine without an open row");
        check(w, !w->engine, "starts a second engine");
        check(w, w->present, "starts an engine where no board is");
        check(w, !w->foreign, "starts an engine on another board");
        check(w, !w->cancelled, "starts an engine after a cancel");
        w->terminated = w->killed = w->judged = false;
        w->not_started = roll(w, 8) == 0; /* the machine has no process for it */
        w->engine = !w->not_started;
        w->engines += w->engine;
}

static void close_row(struct walk *w)
{
        check(w, w->row_open && !w->closing, "closes a row that is not open, or twice");
        check(w, !w->engine, "closes a row while its engine runs");
        check(w, w->job.verdict != VERDICT_NONE && w->job.verdict != VERDICT_DETACHED,
              "closes a row without a verdict");
        check(w, w->job.message[0], "closes a row without a message");
        w->closing = true;
}

static void job_ends(struct walk *w)
{
        check(w, w->job.state == JOB_ENDED, "ends in another state");
        check(w, !w->row_open && !w->opening && !w->engine, "ends with an open row, or an engine");
        check(w, w->rows_opened == w->rows_closed, "ends with rows that were never closed");
        check(w, w->rows_opened <= w->params.attempts_max, "more attempts than allowed");
        check(w, w->job.verdict != VERDICT_NONE && w->job.message[0], "ends without a verdict");
        check(w, (w->job.phase == PHASE_FLASHED) == (w->job.verdict == VERDICT_FLASHED), "shows another end");
        if (w->rows_closed > 0 && w->job.verdict == w->closed_with)
                check(w, w->closed_final || w->stopped || w->job.replaced || w->unrecorded,
                      "ends, but would begin again");
        w->ends[w->job.verdict]++;
}

static void carry_out(struct walk *w, enum job_do action)
{
        switch (action) {
        case JOB_DO_NOTHING:
                break;
        case JOB_DO_OPEN_ROW:
                check(w, !w->row_open && !w->opening && !w->engine, "opens a row too many");
                check(w, w->job.attempt <= w->params.attempts_max, "an attempt too many");
                w->opening = true;
                break;
        case JOB_DO_START_ENGINE:
                start_engine(w);
                break;
        case JOB_DO_TERMINATE_ENGINE:
                check(w, w->engine && !w->terminated && !w->killed, "terminates what is no engine, or twice");
                w->terminated = true;
                break;
        case JOB_DO_KILL_ENGINE:
                check(w, w->engine && !w->killed, "kills what is no engine, or twice");
                w->killed = true;
                break;
        case JOB_DO_CLOSE_ROW:
                close_row(w);
                break;
        case JOB_DO_CHECK_POLICY:
                check(w, w->job.state == JOB_RETURNING && w->present && !w->foreign,
                      "asks for a policy of nobody");
                check(w, w->params.return_usec > 0, "takes a board for one that it cannot know");
                w->asks = true;
                break;
        case JOB_DO_END:
                job_ends(w);
                break;
        }
}

/* Whatever it waits for can still happen. */
static void check_no_dead_end(struct walk *w)
{
        const struct job *job = &w->job;

        switch (job->state) {
        case JOB_QUEUED:
                check(w, job_deadline(job) != USEC_INFINITY && !w->engine && !w->row_open,
                      "queued, but for what");
                break;
        case JOB_OPENING:
                check(w, w->opening || job_deadline(job) != USEC_INFINITY,
                      "waits for a row that nobody opens");
                break;
        case JOB_RUNNING:
                check(w, w->engine || job->start_waits, "waits for an engine that is not there");
                check(w, !job->start_waits || (!w->cancelled && w->present),
                      "waits for an engine for nothing");
                check(w, job->phase == PHASE_STUCK ? w->killed : job_deadline(job) != USEC_INFINITY,
                      "waits for an engine without a limit");
                break;
        case JOB_AWAY:
                check(w, job_deadline(job) != USEC_INFINITY && !w->engine && w->row_open,
                      "away without a limit");
                break;
        case JOB_RETURNING:
                check(w, job_deadline(job) != USEC_INFINITY && !w->engine && !w->row_open,
                      "waits for a board without a limit");
                break;
        case JOB_CLOSING:
                check(w, w->closing || job_deadline(job) != USEC_INFINITY,
                      "waits for a row that nobody closes");
                break;
        case JOB_ENDED:
                break;
        }
        w->stuck += job->phase == PHASE_STUCK;
}

static void tell(struct walk *w, struct job_event event)
{
        enum job_state before = w->job.state;
        enum job_do action = job_step(&w->job, &event, w->now);

        if (before == JOB_CLOSING && w->job.state == JOB_QUEUED) {
                check(w, !w->cancelled && !w->closed_final, "tries again after a cancel, or a final verdict");
                w->retries++;
        }
        carry_out(w, action);
        if (w->not_started) {
                w->not_started = false;
                tell(w, (struct job_event){ .type = JOB_EV_ENGINE_NOT_STARTED, .text = "no process" });
        }
        check_no_dead_end(w);
        if (w->asks) {
                w->asks = false;
                w->returns++;
                tell(w, (struct job_event){ .type = roll(w, 4) ? JOB_EV_RESUME : JOB_EV_GIVE_UP });
        }
}

/* ---- what can happen ---- */

static void ledger_answers(struct walk *w)
{
        bool fails = roll(w, 8) == 0;

        if (w->opening) {
                w->opening = false;
                w->unrecorded = fails;
                w->row_open = !fails;
                w->rows_opened += !fails;
        } else if (w->closing) {
                w->closing = false;
                w->row_open = fails;
                w->rows_closed += !fails;
                w->closed_with = w->job.verdict;
                w->closed_final = w->job.final;
                if (!fails) {
                        tell(w, (struct job_event){ .type = JOB_EV_ROW_CLOSED });
                        return;
                }
        } else {
                return;
        }
        tell(w, (struct job_event){ .type = fails ? JOB_EV_ROW_FAILED : JOB_EV_ROW_OPENED,
                                    .text = "disk full" });
}

static void engine_speaks(struct walk *w)
{
        static const enum phase phases[] = { PHASE_DETACHING, PHASE_DOWNLOADING, PHASE_VERIFYING,
                                             PHASE_RESETTING };
        struct engine_message m = {
                .phase = w->job.dfu_mode ? phases[1 + roll(w, 3)] : PHASE_DETACHING,
                .bytes_done = roll(w, 100),
                .bytes_total = 100,
                .quiet_usec = roll(w, 20) * USEC_PER_SEC,
                .text = "so it ended",
        };

        if (!w->engine)
                return;
        if (roll(w, 3) == 0)
                m.verdict = w->job.dfu_mode ? (enum verdict)roll(w, VERDICT_MAX_) : VERDICT_DETACHED;
        w->judged |= m.verdict != VERDICT_NONE;
        tell(w, (struct job_event){ .type = JOB_EV_ENGINE_SAID, .message = &m });
}

static void engine_ends(struct walk *w)
{
        if (!w->engine || (!w->judged && !w->killed && !w->terminated && roll(w, 10) > 0))
                return;
        w->engine = false;
        tell(w,
             (struct job_event){ .type = JOB_EV_ENGINE_ENDED, .text = roll(w, 2) ? "exit status 1" : NULL });
}

static void board_moves(struct walk *w)
{
        struct job_event event = { .same_board = roll(w, 5) > 0, .dfu_mode = roll(w, 4) > 0 };
        bool may_leave = w->job.state == JOB_AWAY || w->job.phase == PHASE_DETACHING || roll(w, 10) == 0;

        if (w->present && !may_leave)
                return;
        w->present = !w->present;
        event.type = w->present ? JOB_EV_ARRIVED : JOB_EV_LEFT;
        event.same_mac = w->params.return_usec > 0 && event.same_board;
        event.for_good = roll(w, 20) == 0;
        w->foreign |= w->present && !event.same_board;
        tell(w, event);
}

static void board_turns_up_elsewhere(struct walk *w)
{
        if (!w->present && roll(w, 4) == 0)
                tell(w, (struct job_event){ .type = JOB_EV_ELSEWHERE });
}

static void time_passes(struct walk *w)
{
        uint64_t deadline = job_deadline(&w->job);

        if (roll(w, 3) == 0 && deadline != USEC_INFINITY)
                w->now = MAX(w->now, deadline);
        else
                w->now += roll(w, 2000) * USEC_PER_MSEC;
        if (w->job.state == JOB_QUEUED) {
                if (job_wants_place(&w->job, w->now))
                        tell(w, (struct job_event){ .type = JOB_EV_PLACE });
        } else if (w->now >= deadline || roll(w, 10) == 0) {
                tell(w, (struct job_event){ .type = JOB_EV_TIME });
        }
}

static void somebody_cancels(struct walk *w)
{
        if (roll(w, 20) > 0)
                return;
        w->cancelled = true;
        if (roll(w, 2) == 0) {
                tell(w, (struct job_event){ .type = JOB_EV_CANCEL, .text = "user joe" });
                return;
        }
        w->stopped = true;
        tell(w, (struct job_event){ .type = JOB_EV_CANCEL });
}

static void test_no_order_is_ever_nonsense_and_no_job_ever_hangs(void **state)
{
        static void (*const happenings[])(struct walk *) = {
                ledger_answers, ledger_answers, engine_speaks,    engine_ends,
                board_moves,    time_passes,    somebody_cancels, board_turns_up_elsewhere,
        };
        struct walk w = { .random = 1, .now = USEC_PER_SEC };

        (void)state;
        new_job(&w);
        for (w.step = 0; w.step < STEPS; w.step++) {
                happenings[roll(&w, ARRAY_SIZE(happenings))](&w);
                check(&w, ++w.job_steps < JOB_STEPS, "does not end");
                if (w.job.state == JOB_ENDED)
                        new_job(&w);
        }
        /* It has been everywhere. */
        assert_true(w.jobs > 1000 && w.retries > 100 && w.stuck > 100 && w.returns > 100);
        for (enum verdict v = VERDICT_FLASHED; v < VERDICT_MAX_; v++)
                if (v != VERDICT_DETACHED)
                        check(&w, w.ends[v] > 0, verdict_to_string(v));
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
