/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/job-walk.h"

void job_walk_check(const struct job_walk *w, bool rule, const char *what)
{
        if (!rule)
                fail_msg("%s, step %u, state %d, phase %s: %s", dice_name(w->dice), w->step,
                         (int)w->job.state, phase_to_string(w->job.phase), what);
}

void job_walk_begin(struct job_walk *w)
{
        w->params = (struct job_params){
                .attempts_max = 1 + roll(w->dice, 4),
                .retry_delay_usec = roll(w->dice, 3) * USEC_PER_SEC,
                .reattach_usec = 10 * USEC_PER_SEC,
                .return_usec = roll(w->dice, 2) ? 10 * USEC_PER_SEC : 0,
        };
        w->present = true;
        w->foreign = w->cancelled = w->stopped = w->row_open = w->opening = w->closing = w->engine = false;
        w->rows_opened = w->rows_closed = w->engines = w->job_steps = 0;
        w->closed_final = w->unrecorded = false;
        w->jobs++;
        job_init(&w->job, &w->params, roll(w->dice, 2));
}

/* ---- what may be ordered ---- */

static void start_engine(struct job_walk *w)
{
        job_walk_check(w, w->row_open && !w->closing, "starts an engine without an open row");
        job_walk_check(w, !w->engine, "starts a second engine");
        job_walk_check(w, w->present, "starts an engine where no board is");
        job_walk_check(w, !w->foreign, "starts an engine on another board");
        job_walk_check(w, !w->cancelled, "starts an engine after a cancel");
        w->terminated = w->killed = w->judged = false;
        w->not_started = !w->settling && roll(w->dice, 8) == 0; /* the machine has no process for it */
        w->engine = !w->not_started;
        w->engines += w->engine;
}

static void close_row(struct job_walk *w)
{
        job_walk_check(w, w->row_open && !w->closing, "closes a row that is not open, or twice");
        job_walk_check(w, !w->engine, "closes a row while its engine runs");
        job_walk_check(w, w->job.verdict != VERDICT_NONE && w->job.verdict != VERDICT_DETACHED,
                       "closes a row without a verdict");
        job_walk_check(w, w->job.message[0], "closes a row without a message");
        w->closing = true;
}

static void job_ends(struct job_walk *w)
{
        job_walk_check(w, w->job.state == JOB_ENDED, "ends in another state");
        job_walk_check(w, !w->row_open && !w->opening && !w->engine, "ends with an open row, or an engine");
        job_walk_check(w, w->rows_opened == w->rows_closed, "ends with rows that were never closed");
        job_walk_check(w, w->rows_opened <= w->params.attempts_max, "more attempts than allowed");
        job_walk_check(w, w->job.verdict != VERDICT_NONE && w->job.message[0], "ends without a verdict");
        job_walk_check(w, (w->job.phase == PHASE_FLASHED) == (w->job.verdict == VERDICT_FLASHED),
                       "shows another end");
        if (w->rows_closed > 0 && w->job.verdict == w->closed_with)
                job_walk_check(w, w->closed_final || w->stopped || w->job.replaced || w->unrecorded,
                               "ends, but would begin again");
        w->ends[w->job.verdict]++;
}

static void carry_out(struct job_walk *w, enum job_do action)
{
        switch (action) {
        case JOB_DO_NOTHING:
                break;
        case JOB_DO_OPEN_ROW:
                job_walk_check(w, !w->row_open && !w->opening && !w->engine, "opens a row too many");
                job_walk_check(w, w->job.attempt <= w->params.attempts_max, "an attempt too many");
                w->opening = true;
                break;
        case JOB_DO_START_ENGINE:
                start_engine(w);
                break;
        case JOB_DO_TERMINATE_ENGINE:
                job_walk_check(w, w->engine && !w->terminated && !w->killed,
                               "terminates what is no engine, or twice");
                w->terminated = true;
                break;
        case JOB_DO_KILL_ENGINE:
                job_walk_check(w, w->engine && !w->killed, "kills what is no engine, or twice");
                w->killed = true;
                break;
        case JOB_DO_CLOSE_ROW:
                close_row(w);
                break;
        case JOB_DO_CHECK_POLICY:
                job_walk_check(w, w->job.state == JOB_RETURNING && w->present && !w->foreign,
                               "asks for a policy of nobody");
                job_walk_check(w, w->params.return_usec > 0, "takes a board for one that it cannot know");
                w->asks = true;
                break;
        case JOB_DO_END:
                job_ends(w);
                break;
        }
}

/* Whatever it waits for can still happen. */
static void check_no_dead_end(struct job_walk *w)
{
        const struct job *job = &w->job;

        switch (job->state) {
        case JOB_QUEUED:
                job_walk_check(w, job_deadline(job) != USEC_INFINITY && !w->engine && !w->row_open,
                               "queued, but for what");
                break;
        case JOB_OPENING:
                job_walk_check(w, w->opening || job_deadline(job) != USEC_INFINITY,
                               "waits for a row that nobody opens");
                break;
        case JOB_RUNNING:
                job_walk_check(w, w->engine || job->start_waits, "waits for an engine that is not there");
                job_walk_check(w, !job->start_waits || (!w->cancelled && w->present),
                               "waits for an engine for nothing");
                job_walk_check(w, job->phase == PHASE_STUCK ? w->killed : job_deadline(job) != USEC_INFINITY,
                               "waits for an engine without a limit");
                break;
        case JOB_AWAY:
                job_walk_check(w, job_deadline(job) != USEC_INFINITY && !w->engine && w->row_open,
                               "away without a limit");
                break;
        case JOB_RETURNING:
                job_walk_check(w, job_deadline(job) != USEC_INFINITY && !w->engine && !w->row_open,
                               "waits for a board without a limit");
                break;
        case JOB_CLOSING:
                job_walk_check(w, w->closing || job_deadline(job) != USEC_INFINITY,
                               "waits for a row that nobody closes");
                break;
        case JOB_ENDED:
                break;
        }
        w->stuck += job->phase == PHASE_STUCK;
}

static void tell(struct job_walk *w, struct job_event event)
{
        enum job_state before = w->job.state;
        enum job_do action = job_step(&w->job, &event, w->now);

        if (before == JOB_CLOSING && w->job.state == JOB_QUEUED) {
                job_walk_check(w, !w->cancelled && !w->closed_final,
                               "tries again after a cancel, or a final verdict");
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
                tell(w, (struct job_event){ .type = roll(w->dice, 4) ? JOB_EV_RESUME : JOB_EV_GIVE_UP });
        }
}

/* ---- what can happen ---- */

static void ledger_says(struct job_walk *w, bool fails)
{

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

static void ledger_answers(struct job_walk *w)
{
        if (w->opening || w->closing)
                ledger_says(w, roll(w->dice, 8) == 0);
}

static void engine_speaks(struct job_walk *w)
{
        static const enum phase phases[] = { PHASE_DETACHING, PHASE_DOWNLOADING, PHASE_VERIFYING,
                                             PHASE_RESETTING };
        struct engine_message m = {
                .phase = w->job.dfu_mode ? phases[1 + roll(w->dice, 3)] : PHASE_DETACHING,
                .bytes_done = roll(w->dice, 100),
                .bytes_total = 100,
                .quiet_usec = roll(w->dice, 20) * USEC_PER_SEC,
                .text = "so it ended",
        };

        if (!w->engine)
                return;
        if (roll(w->dice, 3) == 0)
                m.verdict = w->job.dfu_mode ? (enum verdict)roll(w->dice, VERDICT_MAX_) : VERDICT_DETACHED;
        w->judged |= m.verdict != VERDICT_NONE;
        tell(w, (struct job_event){ .type = JOB_EV_ENGINE_SAID, .message = &m });
}

static void engine_ends(struct job_walk *w)
{
        if (!w->engine || (!w->judged && !w->killed && !w->terminated && roll(w->dice, 10) > 0))
                return;
        w->engine = false;
        tell(w, (struct job_event){ .type = JOB_EV_ENGINE_ENDED,
                                    .text = roll(w->dice, 2) ? "exit status 1" : NULL });
}

static void board_moves(struct job_walk *w)
{
        struct job_event event = { .same_board = roll(w->dice, 5) > 0, .dfu_mode = roll(w->dice, 4) > 0 };
        bool may_leave = w->job.state == JOB_AWAY || w->job.phase == PHASE_DETACHING ||
                         roll(w->dice, 10) == 0;

        if (w->present && !may_leave)
                return;
        w->present = !w->present;
        event.type = w->present ? JOB_EV_ARRIVED : JOB_EV_LEFT;
        event.same_mac = w->params.return_usec > 0 && event.same_board;
        event.for_good = roll(w->dice, 20) == 0;
        w->foreign |= w->present && !event.same_board;
        tell(w, event);
}

static void board_turns_up_elsewhere(struct job_walk *w)
{
        if (!w->present && roll(w->dice, 4) == 0)
                tell(w, (struct job_event){ .type = JOB_EV_ELSEWHERE });
}

static void time_passes(struct job_walk *w)
{
        uint64_t deadline = job_deadline(&w->job);

        if (roll(w->dice, 3) == 0 && deadline != USEC_INFINITY)
                w->now = MAX(w->now, deadline);
        else
                w->now += roll(w->dice, 2000) * USEC_PER_MSEC;
        if (w->job.state == JOB_QUEUED) {
                if (job_wants_place(&w->job, w->now))
                        tell(w, (struct job_event){ .type = JOB_EV_PLACE });
        } else if (w->now >= deadline || roll(w->dice, 10) == 0) {
                tell(w, (struct job_event){ .type = JOB_EV_TIME });
        }
}

static void somebody_cancels(struct job_walk *w)
{
        if (roll(w->dice, 20) > 0)
                return;
        w->cancelled = true;
        if (roll(w->dice, 2) == 0) {
                tell(w, (struct job_event){ .type = JOB_EV_CANCEL, .text = "user joe" });
                return;
        }
        w->stopped = true;
        tell(w, (struct job_event){ .type = JOB_EV_CANCEL });
}

/* What no well-behaved slot would send where it is: it orders nothing, and nothing changes. */
static void something_strays(struct job_walk *w)
{
        static const struct engine_message flashed = { .phase = PHASE_DOWNLOADING,
                                                       .verdict = VERDICT_FLASHED };
        enum job_state state = w->job.state;
        enum verdict verdict = w->job.verdict;
        const struct {
                enum job_event_type type;
                bool possible;
        } strays[] = {
                { JOB_EV_PLACE, state == JOB_QUEUED },
                { JOB_EV_ROW_OPENED, state == JOB_OPENING },
                { JOB_EV_ROW_FAILED, state == JOB_OPENING || state == JOB_CLOSING },
                { JOB_EV_ROW_CLOSED, state == JOB_CLOSING },
                { JOB_EV_ENGINE_SAID, w->engine },
                { JOB_EV_ENGINE_ENDED, w->engine },
                { JOB_EV_TIME, w->now >= job_deadline(&w->job) },
        };
        uint32_t which = roll(w->dice, ARRAY_SIZE(strays));

        if (strays[which].possible)
                return;
        job_walk_check(w,
                       job_step(&w->job,
                                &(struct job_event){ .type = strays[which].type, .message = &flashed },
                                w->now) == JOB_DO_NOTHING,
                       "a stray event orders something");
        job_walk_check(w, w->job.state == state && w->job.verdict == verdict,
                       "a stray event changes something");
}

void job_walk_step(struct job_walk *w)
{
        static void (*const happenings[])(struct job_walk *) = {
                ledger_answers,   ledger_answers, engine_speaks,    engine_ends,
                board_moves,      time_passes,    somebody_cancels, board_turns_up_elsewhere,
                something_strays,
        };

        happenings[roll(w->dice, ARRAY_SIZE(happenings))](w);
        w->step++;
        w->job_steps++;
}

void job_walk_settle(struct job_walk *w)
{
        w->settling = true;
        for (unsigned i = 0; w->job.state != JOB_ENDED; i++) {
                job_walk_check(w, i < 1000, "does not end, though all that it waits for happens");
                if (w->opening || w->closing) {
                        ledger_says(w, false);
                } else if (w->engine && (w->terminated || w->killed || w->judged)) {
                        w->engine = false;
                        tell(w, (struct job_event){ .type = JOB_EV_ENGINE_ENDED });
                } else if (job_wants_place(&w->job, w->now)) {
                        tell(w, (struct job_event){ .type = JOB_EV_PLACE });
                } else {
                        job_walk_check(w, job_deadline(&w->job) != USEC_INFINITY, "waits for nothing");
                        w->now = MAX(w->now, job_deadline(&w->job));
                        if (w->job.state != JOB_QUEUED)
                                tell(w, (struct job_event){ .type = JOB_EV_TIME });
                }
        }
}
