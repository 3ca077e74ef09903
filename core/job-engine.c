/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of a job in which an engine runs: what it says, how it ends, and the board that leaves and returns meanwhile. */
#include "core/job-internal.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_back_from_detach(const struct job *job)
{
        return job->phase == PHASE_DETACHING && job->left_since_detach && job_board_is_there(job);
}

/* The engine says "cancelled at byte …" and does not know by whom. */
static void take_verdict(struct job *job, const struct engine_message *message)
{
        if (job->cancelled && message->verdict == VERDICT_CANCELLED &&
            str_has_prefix(message->text, "cancelled"))
                job_set_cancelled(job, message->text + strlen("cancelled"));
        else
                job_set_verdict(job, message->verdict, "%s", message->text);
        memcpy(job->engine_text, message->text, sizeof(job->engine_text));
        job->has_status = message->has_status;
        job->status = message->status;
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
        if (!job->cancelled && job_board_is_there(job))
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
                job_set_verdict(job, VERDICT_DETACHED, "back after DETACH");
                job->engine_judged = true;
        }
        if (job->verdict == VERDICT_NONE && job->cancelled)
                job_set_cancelled(job, "; the engine did not end by itself");
        else if (job->verdict == VERDICT_NONE && !job_board_is_there(job) && job->phase != PHASE_DETACHING)
                job_set_verdict(job, VERDICT_BOARD_LEFT,
                                "board left while %s; the engine did not end by itself",
                                phase_to_string(job->phase));
        else if (job->verdict == VERDICT_NONE)
                job_set_verdict(job, VERDICT_TIMED_OUT, "the engine said nothing for %" PRIu64 " s while %s",
                                (now_usec - job->quiet_since_usec) / USEC_PER_SEC,
                                phase_to_string(job->phase));
        job->killed = true;
        job->deadline_usec = now_usec + JOB_ENGINE_KILL_LIMIT;
        return JOB_DO_KILL_ENGINE;
}

enum job_do job_came_back(struct job *job, uint64_t now_usec)
{
        if (job->cancelled) {
                job_set_cancelled(job, " after DETACH");
                return job_close_row(job);
        }
        if (job->dfu_mode || job->detaches < JOB_DETACHES_MAX)
                return job_start_engine(job, now_usec);
        job_set_verdict(job, VERDICT_NOT_RETURNED, "came back in run-time mode after each of %d DETACHes",
                        JOB_DETACHES_MAX);
        return job_close_row(job);
}

/* The board was sent to DFU mode: it may be back already, or is still to come. */
static enum job_do detached(struct job *job, uint64_t now_usec)
{
        job->detaches++;
        job->state = JOB_AWAY;
        job->phase = PHASE_DETACHING;
        job->deadline_usec = now_usec + job->params.reattach_usec;
        if (job->left_since_detach && job_board_is_there(job))
                return job_came_back(job, now_usec);
        if (job->elsewhere)
                return job_went_elsewhere(job, now_usec);
        return JOB_DO_NOTHING;
}

/*
 * Nobody knows whether DETACH was sent: a person cancelled meanwhile, or the engine was killed there. A board that has it
 * leaves in a moment and comes back as a new presence, and one without a MAC as another, which would get another one's file.
 * So its leaving is waited for, and then its return.
 */
static enum job_do perhaps_detached(struct job *job, uint64_t now_usec)
{
        enum job_do action = detached(job, now_usec);

        if (job->state == JOB_AWAY && !job->left_since_detach)
                job->deadline_usec = MIN(job->deadline_usec, now_usec + JOB_ENGINE_BACK_LIMIT);
        return action;
}

static bool engine_was_lost_in_detach(const struct job *job)
{
        return job->verdict == VERDICT_ENGINE_FAILED && job->phase == PHASE_DETACHING && !job->cancelled &&
               !job->replaced;
}

/*
 * DETACH was not answered, which is how a chip that does it looks while the kernel is busy with a hub full of boards: it
 * ends the transfer when it notices that the device is gone, and with it comes udev's event. So those are waited for.
 */
static bool detach_is_unanswered(const struct job *job)
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
                job_set_cancelled(job, "; the engine ended without a verdict");
        if (job->verdict == VERDICT_NONE)
                job_set_verdict(job, VERDICT_ENGINE_FAILED, "the engine ended without a verdict: %s",
                                event->text ? event->text : "unknown cause");
        /* What fails on the bus while a board is pulled is its leaving, which the kernel tells a moment later. */
        if (job->verdict == VERDICT_USB_ERROR && job->phase != PHASE_DETACHING && !job_board_is_there(job))
                job_set_verdict(job, VERDICT_BOARD_LEFT, "board left: %s", job->engine_text);
        if (job->verdict == VERDICT_DETACHED && job->cancelled && !job_is_cancelled_by_person(job))
                job_set_cancelled(job, " after DETACH");
        if (job->verdict == VERDICT_DETACHED && job->replaced)
                job_set_verdict(job, VERDICT_REPLACED, "another board came after DETACH");
        if (job->verdict == VERDICT_CANCELLED && job_is_cancelled_by_person(job) && !job->replaced &&
            was_to_be_detached(job))
                return perhaps_detached(job, now_usec);
        if (engine_was_lost_in_detach(job))
                return perhaps_detached(job, now_usec);
        job->detach_unanswered = detach_is_unanswered(job);
        if (job->verdict == VERDICT_DETACHED || job->detach_unanswered)
                return detached(job, now_usec);
        /* It left, and not for DETACH: that it is there again, if it is, is no return from it. */
        if (job->phase == PHASE_DETACHING && job->left_since_detach)
                job->lost = true;
        return job_close_row(job);
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

/* The attempt goes on waiting, with its row open: nothing was done to the board, so nothing counts against it. */
static enum job_do not_started(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        if (job->cancelled || !job_board_is_there(job)) /* meanwhile; the engine would have found out */
                return engine_ended(job, event, now_usec);
        job->start_waits = true;
        job->phase = PHASE_QUEUED;
        job->deadline_usec = now_usec + JOB_START_RETRY;
        snprintf(job->message, sizeof(job->message), "waits: %s",
                 event->text ? event->text : "the engine cannot be started");
        return JOB_DO_NOTHING;
}

static enum job_do step_start_waits(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        switch (event->type) {
        case JOB_EV_TIME:
                return now_usec >= job->deadline_usec ? job_start_engine(job, now_usec) : JOB_DO_NOTHING;
        case JOB_EV_CANCEL:
                job->cancelled = true;
                job_set_cancelled(job, " before its engine was started");
                break;
        case JOB_EV_LEFT:
        case JOB_EV_ELSEWHERE:
                job_set_verdict(job, VERDICT_BOARD_LEFT, "board left before the first byte");
                break;
        case JOB_EV_ARRIVED:
        case JOB_EV_PLACE:
        case JOB_EV_ROW_OPENED:
        case JOB_EV_ROW_FAILED:
        case JOB_EV_ENGINE_NOT_STARTED:
        case JOB_EV_ENGINE_SAID:
        case JOB_EV_ENGINE_ENDED:
        case JOB_EV_ROW_CLOSED:
        case JOB_EV_RESUME:
        case JOB_EV_GIVE_UP:
                return JOB_DO_NOTHING;
        }
        job->start_waits = false;
        return job_close_row(job);
}

enum job_do job_step_running(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        if (job->start_waits)
                return step_start_waits(job, event, now_usec);
        switch (event->type) {
        case JOB_EV_ENGINE_NOT_STARTED:
                return not_started(job, event, now_usec);
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
        case JOB_EV_ELSEWHERE:
        case JOB_EV_RESUME:
        case JOB_EV_GIVE_UP:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}
