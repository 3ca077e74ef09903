/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of a job in which its board is gone, unplanned, and may come back: the next attempt is made with it, wherever it
 * comes. It is known by its MAC; for a board without one nothing of this happens. A job that waits in vain ends with one
 * more attempt, which is over before its first byte, so that the ledger has the end of the job.
 */
#include "core/job-internal.h"

#include <stdio.h>

bool job_may_return(const struct job *job)
{
        bool helps = job->verdict == VERDICT_BOARD_LEFT ||
                     (verdict_is_transient(job->verdict) && !job_board_is_there(job));

        return helps && job->params.return_usec > 0 && job->attempt < job->params.attempts_max &&
               !job->replaced && !job->for_good && !job->given_up && !job->cancelled;
}

static enum job_do give_up(struct job *job, enum verdict verdict, const char *text, uint64_t now_usec)
{
        enum job_do action = job_begin_attempt(job, now_usec);

        job->given_up = true;
        job->phase = PHASE_QUEUED; /* nothing else is to be seen of it */
        job_set_verdict(job, verdict, "%s", text);
        return action;
}

static enum job_do not_back(struct job *job, uint64_t now_usec)
{
        char text[80];

        snprintf(text, sizeof(text), "board left, and was not back within %g s",
                 (double)job->params.return_usec / (double)USEC_PER_SEC);
        return give_up(job, VERDICT_BOARD_LEFT, text, now_usec);
}

enum job_do job_wait_for_return(struct job *job, uint64_t now_usec)
{
        job->state = JOB_RETURNING;
        job->phase = PHASE_QUEUED;
        /* The engine may have noticed before udev tells. */
        job->deadline_usec = MAX(now_usec, (job->lost ? job->left_usec : now_usec) + job->params.return_usec);
        if (job->replaced)
                return give_up(job, VERDICT_REPLACED, "another board came when it had left", now_usec);
        if (job->for_good)
                return give_up(job, VERDICT_BOARD_LEFT, "board left", now_usec);
        return job->present && job->lost ? JOB_DO_CHECK_POLICY : JOB_DO_NOTHING;
}

/* Straight to its turn: the time that it was away for was delay enough. */
static enum job_do resume(struct job *job)
{
        if (!job->present)
                return JOB_DO_NOTHING;
        job->lost = job->elsewhere = false;
        job->state = JOB_QUEUED;
        job->deadline_usec = USEC_INFINITY;
        return JOB_DO_NOTHING;
}

enum job_do job_step_returning(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        switch (event->type) {
        case JOB_EV_LEFT:
        case JOB_EV_ARRIVED:
                return job_wait_for_return(job, now_usec);
        case JOB_EV_RESUME:
                return resume(job);
        case JOB_EV_GIVE_UP:
                return give_up(job, VERDICT_BOARD_LEFT, event->text ? event->text : "board left", now_usec);
        case JOB_EV_CANCEL:
                return job_is_cancelled_by_person(job) ? job_record_cancel(job, now_usec)
                                                       : job_end_cancelled(job);
        case JOB_EV_TIME:
                return now_usec >= job->deadline_usec ? not_back(job, now_usec) : JOB_DO_NOTHING;
        case JOB_EV_PLACE:
        case JOB_EV_ROW_OPENED:
        case JOB_EV_ROW_FAILED:
        case JOB_EV_ENGINE_NOT_STARTED:
        case JOB_EV_ENGINE_SAID:
        case JOB_EV_ENGINE_ENDED:
        case JOB_EV_ROW_CLOSED:
        case JOB_EV_ELSEWHERE:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}

enum job_do job_went_elsewhere(struct job *job, uint64_t now_usec)
{
        if (job->present)
                return JOB_DO_NOTHING;
        if (job->cancelled) {
                job_set_cancelled(job, " after DETACH; the board went to another port");
                return job_close_row(job);
        }
        job->lost = true;
        job->left_usec = now_usec;
        job_set_verdict(job, VERDICT_BOARD_LEFT, "went to another port after DETACH");
        return job_close_row(job);
}
