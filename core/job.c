/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/job.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void job_init(struct job *job, const struct job_params *params, bool dfu_mode)
{
        *job = (struct job){
                .params = *params,
                .state = JOB_QUEUED,
                .phase = PHASE_QUEUED,
                .present = true,
                .dfu_mode = dfu_mode,
                .deadline_usec = USEC_INFINITY,
        };
}

bool job_wants_place(const struct job *job, uint64_t now_usec)
{
        return job->state == JOB_QUEUED && now_usec >= job->not_before_usec;
}

bool job_is_running(const struct job *job)
{
        return job->state != JOB_QUEUED && job->state != JOB_ENDED;
}

uint64_t job_deadline(const struct job *job)
{
        return job->state == JOB_QUEUED ? job->not_before_usec : job->deadline_usec;
}

static void __attribute__((format(printf, 3, 4)))
set_verdict(struct job *job, enum verdict verdict, const char *fmt, ...)
{
        va_list ap;

        job->verdict = verdict;
        va_start(ap, fmt);
        vsnprintf(job->message, sizeof(job->message), fmt, ap);
        va_end(ap);
}

static bool is_cancelled_by_person(const struct job *job)
{
        return job->cancelled_by[0] != '\0';
}

/* Where it was cancelled, or how: text follows the word. */
static void set_cancelled(struct job *job, const char *text)
{
        set_verdict(job, VERDICT_CANCELLED, "cancelled%s%s%s", is_cancelled_by_person(job) ? " by " : "",
                    job->cancelled_by, text);
}

static void set_cancelled_before(struct job *job, unsigned attempt)
{
        char text[32] = " before it began";

        if (attempt > 1)
                snprintf(text, sizeof(text), " before attempt %u", attempt);
        set_cancelled(job, text);
}

/* The job's own board. */
static bool board_is_there(const struct job *job)
{
        return job->present && !job->replaced;
}

static bool is_back_from_detach(const struct job *job)
{
        return job->phase == PHASE_DETACHING && job->left_since_detach && board_is_there(job);
}

/* Whether another attempt follows the one that ends now. */
static bool may_retry(const struct job *job)
{
        return verdict_is_transient(job->verdict) && job->attempt < job->params.attempts_max &&
               board_is_there(job) && !job->cancelled;
}

static enum job_do close_row(struct job *job)
{
        job->state = JOB_CLOSING;
        job->deadline_usec = USEC_INFINITY;
        job->final = job->verdict == VERDICT_FLASHED ||
                     (!may_retry(job) && (!job->cancelled || is_cancelled_by_person(job)));
        return JOB_DO_CLOSE_ROW;
}

static enum job_do end(struct job *job)
{
        job->state = JOB_ENDED;
        job->deadline_usec = USEC_INFINITY;
        job->phase = job->verdict == VERDICT_FLASHED     ? PHASE_FLASHED
                     : job->verdict == VERDICT_CANCELLED ? PHASE_CANCELLED
                                                         : PHASE_FAILED;
        return JOB_DO_END;
}

static enum job_do start_engine(struct job *job, uint64_t now_usec)
{
        job->state = JOB_RUNNING;
        job->phase = job->dfu_mode ? PHASE_DOWNLOADING : PHASE_DETACHING;
        job->verdict = VERDICT_NONE;
        job->message[0] = '\0';
        job->killed = false;
        job->engine_judged = false;
        job->left_since_detach = false;
        job->quiet_since_usec = now_usec;
        job->deadline_usec = now_usec + JOB_ENGINE_START_LIMIT;
        return JOB_DO_START_ENGINE;
}

/* ---- state by state ---- */

static enum job_do begin_attempt(struct job *job, uint64_t now_usec)
{
        job->state = JOB_OPENING;
        job->attempt++;
        job->attempt_start_usec = now_usec;
        job->download_start_usec = 0;
        job->bytes_done = job->bytes_total = job->transfers = 0;
        job->detaches = 0;
        job->phase = job->dfu_mode ? PHASE_DOWNLOADING : PHASE_DETACHING;
        return JOB_DO_OPEN_ROW;
}

/* What a person cancelled is in the ledger, so that the next daemon knows: as an attempt that ends before it begins. */
static enum job_do record_cancel(struct job *job, uint64_t now_usec)
{
        enum job_do action = begin_attempt(job, now_usec);

        job->cancelled = true;
        job->phase = PHASE_QUEUED;
        return action;
}

static enum job_do step_queued(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        switch (event->type) {
        case JOB_EV_PLACE:
                return begin_attempt(job, now_usec);
        case JOB_EV_LEFT:
                /* One that an attempt was made at is accounted for: its next attempt ends before the first byte. */
                if (job->attempt > 0)
                        return begin_attempt(job, now_usec);
                set_verdict(job, VERDICT_BOARD_LEFT, "board left before its turn came");
                return end(job);
        case JOB_EV_CANCEL:
                if (is_cancelled_by_person(job))
                        return record_cancel(job, now_usec);
                set_cancelled_before(job, job->attempt + 1);
                return end(job);
        case JOB_EV_ROW_OPENED:
        case JOB_EV_ROW_FAILED:
        case JOB_EV_ENGINE_SAID:
        case JOB_EV_ENGINE_ENDED:
        case JOB_EV_ARRIVED:
        case JOB_EV_ROW_CLOSED:
        case JOB_EV_TIME:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}

static enum job_do row_opened(struct job *job, uint64_t now_usec)
{
        if (job->cancelled)
                set_cancelled_before(job, job->attempt);
        else if (!board_is_there(job))
                set_verdict(job, VERDICT_BOARD_LEFT, "board left before the first byte");
        else
                return start_engine(job, now_usec);
        return close_row(job);
}

/* The attempt was none. */
static enum job_do row_not_opened(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        job->attempt--;
        if (job->cancelled)
                set_cancelled_before(job, job->attempt + 1);
        else if (!board_is_there(job))
                set_verdict(job, VERDICT_BOARD_LEFT, "board left before its turn came");
        if (job->cancelled || !board_is_there(job))
                return end(job);
        job->state = JOB_QUEUED;
        job->phase = PHASE_QUEUED;
        job->not_before_usec = now_usec + JOB_LEDGER_RETRY;
        snprintf(job->message, sizeof(job->message), "waits: %s",
                 event->text ? event->text : "the ledger cannot be written");
        return JOB_DO_NOTHING;
}

static enum job_do step_opening(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        switch (event->type) {
        case JOB_EV_ROW_OPENED:
                return row_opened(job, now_usec);
        case JOB_EV_ROW_FAILED:
                return row_not_opened(job, event, now_usec);
        case JOB_EV_CANCEL:
                job->cancelled = true;
                return JOB_DO_NOTHING;
        case JOB_EV_PLACE:
        case JOB_EV_ENGINE_SAID:
        case JOB_EV_ENGINE_ENDED:
        case JOB_EV_LEFT:
        case JOB_EV_ARRIVED:
        case JOB_EV_ROW_CLOSED:
        case JOB_EV_TIME:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}

/* The engine says "cancelled at byte …" and does not know by whom. */
static void take_verdict(struct job *job, const struct engine_message *message)
{
        if (job->cancelled && message->verdict == VERDICT_CANCELLED &&
            str_has_prefix(message->text, "cancelled"))
                set_cancelled(job, message->text + strlen("cancelled"));
        else
                set_verdict(job, message->verdict, "%s", message->text);
        job->engine_judged = true;
}

/* An engine that goes on talking without getting anywhere does not live longer for it. */
static bool moves_on(const struct job *job, const struct engine_message *message)
{
        return message->verdict != VERDICT_NONE || message->phase != job->phase ||
               message->bytes_done > job->bytes_done || message->bytes_total != job->bytes_total;
}

static enum job_do engine_said(struct job *job, const struct engine_message *message, uint64_t now_usec)
{
        if (job->engine_judged)
                return JOB_DO_NOTHING; /* its first verdict is its last word */
        if (!moves_on(job, message))
                return JOB_DO_NOTHING;
        job->bytes_done = message->bytes_done;
        job->bytes_total = message->bytes_total;
        job->transfers = message->transfers;
        job->quiet_since_usec = now_usec;
        if (message->verdict != VERDICT_NONE) {
                take_verdict(job, message);
                if (!job->killed)
                        job->deadline_usec = now_usec + JOB_ENGINE_END_LIMIT;
                return JOB_DO_NOTHING;
        }
        if (job->killed)
                return JOB_DO_NOTHING;
        job->phase = message->phase;
        if (message->phase == PHASE_DOWNLOADING && job->download_start_usec == 0)
                job->download_start_usec = now_usec;
        if (!job->cancelled && board_is_there(job))
                job->deadline_usec = now_usec + message->quiet_usec;
        return JOB_DO_NOTHING;
}

/* The engine's time is over: kill it, and if the kernel holds it even then, say so and wait. */
static enum job_do engine_overdue(struct job *job, uint64_t now_usec)
{
        if (job->killed) {
                job->phase = PHASE_STUCK;
                job->deadline_usec = USEC_INFINITY;
                return JOB_DO_NOTHING;
        }
        if (job->verdict == VERDICT_NONE && !job->cancelled && is_back_from_detach(job)) {
                set_verdict(job, VERDICT_DETACHED, "back after DETACH");
                job->engine_judged = true;
        }
        if (job->verdict == VERDICT_NONE && job->cancelled)
                set_cancelled(job, "; the engine did not end by itself");
        else if (job->verdict == VERDICT_NONE && !board_is_there(job) && job->phase != PHASE_DETACHING)
                set_verdict(job, VERDICT_BOARD_LEFT, "board left while %s; the engine did not end by itself",
                            phase_to_string(job->phase));
        else if (job->verdict == VERDICT_NONE)
                set_verdict(job, VERDICT_TIMED_OUT, "the engine said nothing for %" PRIu64 " s while %s",
                            (now_usec - job->quiet_since_usec) / USEC_PER_SEC, phase_to_string(job->phase));
        job->killed = true;
        job->deadline_usec = now_usec + JOB_ENGINE_KILL_LIMIT;
        return JOB_DO_KILL_ENGINE;
}

/* The detached board is back: in DFU mode, or to be detached again. */
static enum job_do came_back(struct job *job, uint64_t now_usec)
{
        if (job->cancelled) {
                set_cancelled(job, " after DETACH");
                return close_row(job);
        }
        if (job->dfu_mode || job->detaches < JOB_DETACHES_MAX)
                return start_engine(job, now_usec);
        set_verdict(job, VERDICT_NOT_RETURNED, "came back in run-time mode after each of %d DETACHes",
                    JOB_DETACHES_MAX);
        return close_row(job);
}

/* The board was sent to DFU mode: it may be back already, or is still to come. */
static enum job_do detached(struct job *job, uint64_t now_usec)
{
        job->detaches++;
        job->state = JOB_AWAY;
        job->phase = PHASE_DETACHING;
        job->deadline_usec = now_usec + job->params.reattach_usec;
        if (job->left_since_detach && board_is_there(job))
                return came_back(job, now_usec);
        return JOB_DO_NOTHING;
}

/*
 * A person cancelled while the board was to be detached. Once it is in DFU mode it stands there as a new presence, and it is
 * that one which must not be started again: so its return is waited for, or that it does not leave.
 */
static enum job_do cancelled_while_detaching(struct job *job, uint64_t now_usec)
{
        enum job_do action = detached(job, now_usec);

        if (job->state == JOB_AWAY && !job->left_since_detach)
                job->deadline_usec = MIN(job->deadline_usec, now_usec + JOB_ENGINE_BACK_LIMIT);
        return action;
}

/*
 * DETACH was not answered, which is how a chip that does it looks while the kernel is busy with a hub full of boards: it
 * ends the transfer when it notices that the device is gone, and with it comes udev's event. So those are waited for.
 */
static bool detach_may_be_under_way(const struct job *job)
{
        return job->verdict == VERDICT_TIMED_OUT && job->phase == PHASE_DETACHING && !job->cancelled &&
               !job->replaced;
}

static bool was_to_be_detached(const struct job *job)
{
        return !job->dfu_mode || job->phase == PHASE_DETACHING;
}

static enum job_do engine_ended(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        /* It may not have begun to listen; one that had, and sent something, has left nobody knows what on the board. */
        if (job->verdict == VERDICT_NONE && job->cancelled && job->bytes_total == 0)
                set_cancelled(job, "; the engine ended without a verdict");
        if (job->verdict == VERDICT_NONE)
                set_verdict(job, VERDICT_ENGINE_FAILED, "the engine ended without a verdict: %s",
                            event->text ? event->text : "unknown cause");
        if (job->verdict == VERDICT_DETACHED && job->cancelled && !is_cancelled_by_person(job))
                set_cancelled(job, " after DETACH");
        if (job->verdict == VERDICT_DETACHED && job->replaced)
                set_verdict(job, VERDICT_REPLACED, "another board came after DETACH");
        if (job->verdict == VERDICT_CANCELLED && is_cancelled_by_person(job) && !job->replaced &&
            was_to_be_detached(job))
                return cancelled_while_detaching(job, now_usec);
        job->detach_unanswered = detach_may_be_under_way(job);
        if (job->verdict == VERDICT_DETACHED || job->detach_unanswered)
                return detached(job, now_usec);
        return close_row(job);
}

static enum job_do cancel_engine(struct job *job, uint64_t now_usec)
{
        bool ends_already = job->cancelled || job->killed;

        job->cancelled = true;
        if (ends_already)
                return JOB_DO_NOTHING;
        job->deadline_usec = now_usec + JOB_ENGINE_STOP_LIMIT;
        return JOB_DO_TERMINATE_ENGINE;
}

/* Its engine ends by itself, unless it waits for the answer that left with the old device. */
static enum job_do back_before_the_engine_ended(struct job *job, uint64_t now_usec)
{
        if (is_back_from_detach(job) && !job->engine_judged && !job->killed && !job->cancelled)
                job->deadline_usec = MIN(job->deadline_usec, now_usec + JOB_ENGINE_BACK_LIMIT);
        return JOB_DO_NOTHING;
}

static enum job_do step_running(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        switch (event->type) {
        case JOB_EV_ENGINE_SAID:
                return engine_said(job, event->message, now_usec);
        case JOB_EV_ENGINE_ENDED:
                return engine_ended(job, event, now_usec);
        case JOB_EV_LEFT:
                /* It will notice by itself, if the kernel lets it. */
                if (job->phase != PHASE_DETACHING && !job->killed)
                        job->deadline_usec = MIN(job->deadline_usec, now_usec + JOB_ENGINE_END_LIMIT);
                return JOB_DO_NOTHING;
        case JOB_EV_CANCEL:
                return cancel_engine(job, now_usec);
        case JOB_EV_TIME:
                return now_usec >= job->deadline_usec ? engine_overdue(job, now_usec) : JOB_DO_NOTHING;
        case JOB_EV_ARRIVED:
                return back_before_the_engine_ended(job, now_usec);
        case JOB_EV_PLACE:
        case JOB_EV_ROW_OPENED:
        case JOB_EV_ROW_FAILED:
        case JOB_EV_ROW_CLOSED:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}

static enum job_do not_returned(struct job *job)
{
        if (job->cancelled)
                set_cancelled(job, job->left_since_detach ? " after DETACH; the board did not come back"
                                                          : " before DETACH");
        else if (job->detach_unanswered && !job->left_since_detach)
                set_verdict(job, VERDICT_TIMED_OUT,
                            "no answer to DETACH, and did not leave run-time mode within %" PRIu64 " s",
                            job->params.reattach_usec / USEC_PER_SEC);
        else
                set_verdict(job, VERDICT_NOT_RETURNED, "%s within %" PRIu64 " s after DETACH",
                            job->left_since_detach ? "did not come back" : "did not leave run-time mode",
                            job->params.reattach_usec / USEC_PER_SEC);
        return close_row(job);
}

static enum job_do step_away(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        switch (event->type) {
        case JOB_EV_ARRIVED:
                if (!job->replaced)
                        return came_back(job, now_usec);
                set_verdict(job, VERDICT_REPLACED, "another board came after DETACH");
                return close_row(job);
        case JOB_EV_CANCEL:
                job->cancelled = true;
                if (is_cancelled_by_person(job))
                        return JOB_DO_NOTHING; /* see cancelled_while_detaching() */
                set_cancelled(job, " after DETACH");
                return close_row(job);
        case JOB_EV_TIME:
                return now_usec >= job->deadline_usec ? not_returned(job) : JOB_DO_NOTHING;
        case JOB_EV_LEFT:
                if (job->cancelled)
                        job->deadline_usec = now_usec + job->params.reattach_usec;
                return JOB_DO_NOTHING;
        case JOB_EV_PLACE:
        case JOB_EV_ROW_OPENED:
        case JOB_EV_ROW_FAILED:
        case JOB_EV_ENGINE_SAID:
        case JOB_EV_ENGINE_ENDED:
        case JOB_EV_ROW_CLOSED:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}

static enum job_do step_closing(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        if (event->type == JOB_EV_CANCEL)
                job->cancelled = true;
        if (event->type == JOB_EV_ROW_FAILED)
                job->deadline_usec = now_usec + JOB_LEDGER_RETRY; /* nobody is told before it is on disk */
        if (event->type == JOB_EV_TIME && now_usec >= job->deadline_usec) {
                job->deadline_usec = USEC_INFINITY;
                return JOB_DO_CLOSE_ROW;
        }
        if (event->type != JOB_EV_ROW_CLOSED)
                return JOB_DO_NOTHING;
        if (is_cancelled_by_person(job) && !job->final && board_is_there(job) &&
            job->attempt < job->params.attempts_max)
                return record_cancel(job, now_usec); /* the row that says so came too early */
        if (!may_retry(job))
                return end(job);
        job->state = JOB_QUEUED;
        job->phase = PHASE_QUEUED;
        job->not_before_usec = now_usec + job->params.retry_delay_usec;
        return JOB_DO_NOTHING;
}

/* Who is on the port, whatever the state. A board that comes after DETACH is the job's own, if its identity allows. */
static void note_presence(struct job *job, const struct job_event *event)
{
        bool detaching = job->state == JOB_AWAY ||
                         (job->state == JOB_RUNNING && job->phase == PHASE_DETACHING);

        if (event->type == JOB_EV_LEFT) {
                job->present = false;
                job->left_since_detach = true;
        } else if (event->type == JOB_EV_ARRIVED) {
                job->present = true;
                job->dfu_mode = event->dfu_mode;
                job->same_board = event->same_board;
                if (!detaching || !event->same_board)
                        job->replaced = true;
        }
}

enum job_do job_step(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        note_presence(job, event);
        if (event->type == JOB_EV_CANCEL && event->text && !is_cancelled_by_person(job))
                snprintf(job->cancelled_by, sizeof(job->cancelled_by), "%s", event->text);
        switch (job->state) {
        case JOB_QUEUED:
                return step_queued(job, event, now_usec);
        case JOB_OPENING:
                return step_opening(job, event, now_usec);
        case JOB_RUNNING:
                return step_running(job, event, now_usec);
        case JOB_AWAY:
                return step_away(job, event, now_usec);
        case JOB_CLOSING:
                return step_closing(job, event, now_usec);
        case JOB_ENDED:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}
