/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/job-internal.h"

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
        return job->state != JOB_QUEUED && job->state != JOB_RETURNING && job->state != JOB_ENDED;
}

uint64_t job_deadline(const struct job *job)
{
        return job->state == JOB_QUEUED ? job->not_before_usec : job->deadline_usec;
}

void job_set_verdict(struct job *job, enum verdict verdict, const char *fmt, ...)
{
        va_list ap;

        job->verdict = verdict;
        va_start(ap, fmt);
        vsnprintf(job->message, sizeof(job->message), fmt, ap);
        va_end(ap);
}

bool job_is_cancelled_by_person(const struct job *job)
{
        return job->cancelled_by[0] != '\0';
}

void job_set_cancelled(struct job *job, const char *text)
{
        job_set_verdict(job, VERDICT_CANCELLED, "cancelled%s%s%s",
                        job_is_cancelled_by_person(job) ? " by " : "", job->cancelled_by, text);
}

static void set_cancelled_before(struct job *job, unsigned attempt)
{
        char text[32] = " before it began";

        if (attempt > 1)
                snprintf(text, sizeof(text), " before attempt %u", attempt);
        job_set_cancelled(job, text);
}

bool job_board_is_there(const struct job *job)
{
        return job->present && !job->replaced && !job->lost;
}

uint64_t job_retry_delay(const struct job *job)
{
        uint64_t delay = job->params.retry_delay_usec, max = MAX(delay, JOB_RETRY_DELAY_MAX);

        for (unsigned i = 1; i < job->attempt && delay < max; i++)
                delay *= 2;
        return MIN(delay, max);
}

bool job_expects_leave(const struct job *job)
{
        return job->state == JOB_AWAY || (job->state == JOB_RUNNING &&
                                          (job->phase == PHASE_DETACHING || job->phase == PHASE_RESETTING));
}

/* Whether another attempt follows the one that ends now. */
static bool may_retry(const struct job *job)
{
        return verdict_is_transient(job->verdict) && job->attempt < job->params.attempts_max &&
               job_board_is_there(job) && !job->cancelled;
}

/* The job's end and its verdict are about the stay that is over: the board's new one is another job's. */
static void let_go_of_returned(struct job *job)
{
        if (job->lost && job->present)
                job->replaced = true;
}

enum job_do job_close_row(struct job *job)
{
        job->state = JOB_CLOSING;
        job->deadline_usec = USEC_INFINITY;
        job->final = job->verdict == VERDICT_FLASHED ||
                     (!may_retry(job) && !job_may_return(job) &&
                      (!job->cancelled || job_is_cancelled_by_person(job)));
        /* The ledger has the last word: who comes from now on is another job's, even where it was to come back from DETACH. */
        job->lost |= job->final && !job->present;
        if (job->final)
                let_go_of_returned(job);
        return JOB_DO_CLOSE_ROW;
}

static enum job_do end(struct job *job)
{
        let_go_of_returned(job);
        job->state = JOB_ENDED;
        job->deadline_usec = USEC_INFINITY;
        job->phase = job->verdict == VERDICT_FLASHED     ? PHASE_FLASHED
                     : job->verdict == VERDICT_CANCELLED ? PHASE_CANCELLED
                                                         : PHASE_FAILED;
        return JOB_DO_END;
}

enum job_do job_start_engine(struct job *job, uint64_t now_usec)
{
        job->state = JOB_RUNNING;
        job->phase = job->dfu_mode ? PHASE_DOWNLOADING : PHASE_DETACHING;
        job->verdict = VERDICT_NONE;
        job->message[0] = '\0';
        job->killed = job->start_waits = false;
        job->engine_judged = false;
        job->left_since_detach = false;
        job->lost = job->elsewhere = false;
        job->quiet_since_usec = now_usec;
        job->deadline_usec = now_usec + JOB_ENGINE_START_LIMIT;
        return JOB_DO_START_ENGINE;
}

/* ---- state by state ---- */

enum job_do job_begin_attempt(struct job *job, uint64_t now_usec)
{
        job->state = JOB_OPENING;
        job->attempt++;
        job->deadline_usec = USEC_INFINITY;
        job->attempt_start_usec = now_usec;
        job->download_start_usec = 0;
        job->bytes_done = job->bytes_total = job->transfers = 0;
        job->detaches = 0;
        job->detaching_usec = job->away_usec = job->downloading_usec = job->verifying_usec = 0;
        job->engine_text[0] = '\0';
        job->has_status = false;
        job->phase = job->dfu_mode ? PHASE_DOWNLOADING : PHASE_DETACHING;
        return JOB_DO_OPEN_ROW;
}

/* What a person cancelled is in the ledger, so that the next daemon knows: as an attempt that ends before it begins. */
enum job_do job_record_cancel(struct job *job, uint64_t now_usec)
{
        enum job_do action = job_begin_attempt(job, now_usec);

        job->cancelled = true;
        job->phase = PHASE_QUEUED;
        return action;
}

enum job_do job_end_cancelled(struct job *job)
{
        set_cancelled_before(job, job->attempt + 1);
        return end(job);
}

static enum job_do step_queued(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        switch (event->type) {
        case JOB_EV_PLACE:
                return job_begin_attempt(job, now_usec);
        case JOB_EV_LEFT:
                if (job->attempt > 0 && job->params.return_usec > 0 && !job->for_good)
                        return job_wait_for_return(job, now_usec);
                /* One that an attempt was made at is accounted for: its next attempt ends before the first byte. */
                if (job->attempt > 0)
                        return job_begin_attempt(job, now_usec);
                job_set_verdict(job, VERDICT_BOARD_LEFT, "board left before its turn came");
                return end(job);
        case JOB_EV_CANCEL:
                if (job_is_cancelled_by_person(job))
                        return job_record_cancel(job, now_usec);
                return job_end_cancelled(job);
        case JOB_EV_ROW_OPENED:
        case JOB_EV_ROW_FAILED:
        case JOB_EV_ENGINE_NOT_STARTED:
        case JOB_EV_ENGINE_SAID:
        case JOB_EV_ENGINE_ENDED:
        case JOB_EV_ARRIVED:
        case JOB_EV_ROW_CLOSED:
        case JOB_EV_TIME:
        case JOB_EV_ELSEWHERE:
        case JOB_EV_RESUME:
        case JOB_EV_GIVE_UP:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}

static enum job_do row_opened(struct job *job, uint64_t now_usec)
{
        if (job->cancelled)
                set_cancelled_before(job, job->attempt);
        else if (!job->given_up && !job_board_is_there(job))
                job_set_verdict(job, VERDICT_BOARD_LEFT, "board left before the first byte");
        else if (!job->given_up)
                return job_start_engine(job, now_usec);
        return job_close_row(job);
}

/* The row is there to record how the job ended, and must be: of one that attempts were made at, or that a person gave up. */
static bool owes_its_end(const struct job *job)
{
        if (job->cancelled)
                return job_is_cancelled_by_person(job);
        return job->attempt > 1 && (job->given_up || !job_board_is_there(job));
}

/* The attempt was none. */
static enum job_do row_not_opened(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        if (owes_its_end(job)) {
                job->deadline_usec = now_usec + JOB_LEDGER_RETRY; /* nobody is told before it is on disk */
                return JOB_DO_NOTHING;
        }
        job->attempt--;
        if (job->cancelled)
                set_cancelled_before(job, job->attempt + 1);
        else if (!job->given_up && !job_board_is_there(job))
                job_set_verdict(job, VERDICT_BOARD_LEFT, "board left before its turn came");
        if (job->cancelled || job->given_up || !job_board_is_there(job))
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
        case JOB_EV_TIME:
                if (now_usec < job->deadline_usec)
                        return JOB_DO_NOTHING;
                job->deadline_usec = USEC_INFINITY;
                return JOB_DO_OPEN_ROW;
        case JOB_EV_CANCEL:
                job->cancelled = true;
                return JOB_DO_NOTHING;
        case JOB_EV_PLACE:
        case JOB_EV_ENGINE_NOT_STARTED:
        case JOB_EV_ENGINE_SAID:
        case JOB_EV_ENGINE_ENDED:
        case JOB_EV_LEFT:
        case JOB_EV_ARRIVED:
        case JOB_EV_ROW_CLOSED:
        case JOB_EV_ELSEWHERE:
        case JOB_EV_RESUME:
        case JOB_EV_GIVE_UP:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}

static enum job_do not_returned(struct job *job)
{
        if (job->cancelled)
                job_set_cancelled(job, job->left_since_detach ? " after DETACH; the board did not come back"
                                                              : " before DETACH");
        else if (job->verdict == VERDICT_ENGINE_FAILED && !job->left_since_detach)
                return job_close_row(job); /* it was killed before it sent DETACH: see perhaps_detached() */
        else if (job->detach_unanswered && !job->left_since_detach)
                job_set_verdict(job, VERDICT_TIMED_OUT,
                                "no answer to DETACH, and did not leave run-time mode within %" PRIu64 " s",
                                job->params.reattach_usec / USEC_PER_SEC);
        else
                job_set_verdict(job, VERDICT_NOT_RETURNED, "%s within %" PRIu64 " s after DETACH",
                                job->left_since_detach ? "did not come back" : "did not leave run-time mode",
                                job->params.reattach_usec / USEC_PER_SEC);
        return job_close_row(job);
}

static enum job_do step_away(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        switch (event->type) {
        case JOB_EV_ARRIVED:
                if (!job->replaced)
                        return job_came_back(job, now_usec);
                job_set_verdict(job, VERDICT_REPLACED, "another board came after DETACH");
                return job_close_row(job);
        case JOB_EV_CANCEL:
                job->cancelled = true;
                if (job_is_cancelled_by_person(job))
                        return JOB_DO_NOTHING; /* see perhaps_detached() */
                job_set_cancelled(job, " after DETACH");
                return job_close_row(job);
        case JOB_EV_TIME:
                return now_usec >= job->deadline_usec ? not_returned(job) : JOB_DO_NOTHING;
        case JOB_EV_LEFT:
                if (job->elsewhere)
                        return job_went_elsewhere(job, now_usec);
                if (job->cancelled || job->verdict == VERDICT_ENGINE_FAILED)
                        job->deadline_usec = now_usec + job->params.reattach_usec;
                return JOB_DO_NOTHING;
        case JOB_EV_ELSEWHERE:
                return job_went_elsewhere(job, now_usec);
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
        if (job_is_cancelled_by_person(job) && !job->final && job->attempt < job->params.attempts_max)
                return job_record_cancel(job, now_usec); /* the row that says so came too early */
        if (!job->final && may_retry(job)) {
                job->state = JOB_QUEUED;
                job->phase = PHASE_QUEUED;
                job->not_before_usec = now_usec + job_retry_delay(job);
                return JOB_DO_NOTHING;
        }
        if (job->final || job->cancelled)
                return end(job);
        /* It left while the row was being closed, which says that another attempt follows: the ledger gets the last word. */
        return job->params.return_usec > 0 ? job_wait_for_return(job, now_usec)
                                           : job_begin_attempt(job, now_usec);
}

/* Who is on the port, whatever the state. A board that comes after DETACH is the job's own, if its identity allows. */
static void note_presence(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        bool detaching = job->state == JOB_AWAY ||
                         (job->state == JOB_RUNNING && job->phase == PHASE_DETACHING);

        if (event->type == JOB_EV_LEFT) {
                job->present = false;
                job->left_since_detach = true;
                job->left_usec = now_usec;
                job->for_good |= event->for_good;
                job->lost |= !detaching;
        } else if (event->type == JOB_EV_ELSEWHERE) {
                job->elsewhere = true;
        } else if (event->type == JOB_EV_ARRIVED) {
                job->present = true;
                job->dfu_mode = event->dfu_mode;
                job->same_board = event->same_board;
                if (!(detaching && event->same_board) && !(job->params.return_usec > 0 && event->same_mac))
                        job->replaced = true;
        }
}

/* What the time counts for that has passed since the event before, or NULL. */
static uint64_t *phase_clock(struct job *job)
{
        if (job->state == JOB_AWAY)
                return &job->away_usec;
        if (job->state != JOB_RUNNING)
                return NULL;
        switch (job->phase) {
        case PHASE_DETACHING:
                return &job->detaching_usec;
        case PHASE_DOWNLOADING:
                return &job->downloading_usec;
        case PHASE_VERIFYING:
                return &job->verifying_usec;
        case PHASE_RESETTING:
        case PHASE_STUCK:
        case PHASE_EMPTY:
        case PHASE_NO_POLICY:
        case PHASE_UNUSABLE:
        case PHASE_IGNORED:
        case PHASE_HELD:
        case PHASE_QUEUED:
        case PHASE_FLASHED:
        case PHASE_FAILED:
        case PHASE_CANCELLED:
        case PHASE_MAX_:
                return NULL;
        }
        return NULL;
}

static void count_phase(struct job *job, uint64_t now_usec)
{
        uint64_t *clock = phase_clock(job);

        if (clock)
                *clock += now_usec - job->counted_until_usec;
        job->counted_until_usec = now_usec;
}

enum job_do job_step(struct job *job, const struct job_event *event, uint64_t now_usec)
{
        count_phase(job, now_usec);
        note_presence(job, event, now_usec);
        if (event->type == JOB_EV_CANCEL && event->text && !job_is_cancelled_by_person(job))
                snprintf(job->cancelled_by, sizeof(job->cancelled_by), "%s", event->text);
        switch (job->state) {
        case JOB_QUEUED:
                return step_queued(job, event, now_usec);
        case JOB_OPENING:
                return step_opening(job, event, now_usec);
        case JOB_RUNNING:
                return job_step_running(job, event, now_usec);
        case JOB_AWAY:
                return step_away(job, event, now_usec);
        case JOB_CLOSING:
                return step_closing(job, event, now_usec);
        case JOB_RETURNING:
                return job_step_returning(job, event, now_usec);
        case JOB_ENDED:
                return JOB_DO_NOTHING;
        }
        return JOB_DO_NOTHING;
}
