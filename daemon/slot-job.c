/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Carries out what core/job says, and tells it what came of it. */
#include "daemon/slot-internal.h"

#include <stdio.h>

#include "daemon/log.h"
#include "daemon/message-ids.h"
#include "daemon/station-name.h"

#define SHORTAGE_TELL_AGAIN (60 * USEC_PER_SEC)

struct presence_key slot_presence(const struct slot *slot)
{
        return (struct presence_key){
                .boot_id = slot->world->boot_id,
                .path = slot->path ? slot->path : slot->port,
                .devnum = slot->job_devnum,
                .initialized_usec = slot->job_initialized_usec,
        };
}

/* ---- the ledger ---- */

/* In the words of the ledger, which names the file and says what to do. */
static const char *ledger_words(const struct slot *slot, int r)
{
        const char *trouble = ledger_trouble(slot->world->ledger);

        return trouble ? trouble : strerror(-r);
}

/* Once for each trouble: the next try is some seconds away, and there may be many. */
static void log_ledger_trouble(const struct slot *slot, const char *why)
{
        if (!strstr(slot->job.message, why))
                log_slot(LOG_ERR, slot->name, slot->job_id, MESSAGE_LEDGER_TROUBLE,
                         "not flashed while it cannot be recorded: %s", why);
}

static void on_row_opened(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct slot *slot = userdata;
        const char *about_data = slot_data_row_opened(slot, r);
        const char *why = about_data ? about_data : r < 0 ? ledger_words(slot, r) : NULL;

        (void)sequence;
        slot->row = id;
        if (why)
                log_ledger_trouble(slot, why);
        slot_job_event(slot, &(struct job_event){ .type = why ? JOB_EV_ROW_FAILED : JOB_EV_ROW_OPENED,
                                                  .text = why });
}

static void open_row(struct slot *slot)
{
        const struct board *board = slot->board;
        char host[STATION_NAME_SIZE];
        struct attempt_record record = {
                .job = slot->job_id,
                .attempt = slot->job.attempt,
                .slot = slot->name,
                .port = board->port,
                .path = board->path,
                /* The job's board: another one may be there when its end is recorded. */
                .chip = slot->job_chip ? (char *)slot->job_chip->name : NULL,
                .mac = slot->job_mac[0] ? slot->job_mac : NULL,
                .policy = slot->policy,
                .image_path = slot->image->path,
                .image_name = slot->image->name,
                .image_version = slot->image->version,
                .image_sha256 = slot->image->sha256,
                .boot_id = slot->world->boot_id,
                .clock_synchronized = clock_is_synchronized(),
                .start_realtime_usec = clock_realtime_usec(),
                .data_file = slot->data.composed ? slot->data.file : NULL,
                .station = (char *)station_name(slot->world->config, host),
        };
        int r = slot_data_open_row(slot, &record, on_row_opened);

        if (r < 0)
                on_row_opened(slot, r, 0, 0);
}

static void on_row_closed(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct slot *slot = userdata;

        (void)id, (void)sequence;
        if (r < 0)
                log_slot(LOG_ERR, slot->name, slot->job_id, NULL,
                         "the attempt's verdict cannot be recorded: %s; tried again", ledger_words(slot, r));
        slot_job_event(slot, &(struct job_event){ .type = r < 0 && r != -EALREADY && r != -ENOENT
                                                                  ? JOB_EV_ROW_FAILED
                                                                  : JOB_EV_ROW_CLOSED });
}

static void close_row(struct slot *slot)
{
        struct job *job = &slot->job;
        struct presence_key presence;
        struct attempt_record record = {
                .mac = (char *)slot->board->mac,
                .end_realtime_usec = clock_realtime_usec(),
                .duration_usec = clock_boottime_usec() - job->attempt_start_usec,
                .bytes = job->bytes_done,
                .transfers = job->transfers,
                .verdict = job->verdict,
                .message = job->message,
                .engine_message = job->engine_text[0] ? job->engine_text : NULL,
                .detaching_usec = job->detaching_usec,
                .away_usec = job->away_usec,
                .downloading_usec = job->downloading_usec,
                .verifying_usec = job->verifying_usec,
        };
        int r;

        if (job->has_status && job->verdict != VERDICT_FLASHED) {
                record.dfu_status = (char *)dfu_code_to_string(job->status.code);
                record.dfu_state = (char *)dfu_state_to_string(job->status.state);
        }
        if (job->replaced)
                record.mac = NULL; /* what is on the port now is not who it was about */
        else if (slot->present) {
                slot_note_job_presence(slot); /* it may be back from DETACH, with no engine started for it */
                slot_data_note_presence(slot);
        }
        presence = slot_presence(slot);
        if (job->verdict == VERDICT_FLASHED && slot->comes_back) {
                presence.reset_usec = clock_monotonic_usec();
                presence.board = slot->job_board;
        }
        r = ledger_attempt_close(slot->world->ledger, slot->row, &record, job->final ? &presence : NULL,
                                 on_row_closed, slot);
        if (r < 0)
                on_row_closed(slot, r, slot->row, 0);
}

/* ---- the engine ---- */

static void on_engine_said(void *userdata, const struct engine_message *message)
{
        slot_job_event(userdata, &(struct job_event){ .type = JOB_EV_ENGINE_SAID, .message = message });
}

static void on_engine_wrote(void *userdata, const char *line)
{
        struct slot *slot = userdata;

        log_slot(LOG_WARNING, slot->name, slot->job_id, NULL, "its engine wrote: %s", line);
}

static void on_engine_ended(void *userdata, const char *how)
{
        struct slot *slot = userdata;

        slot->runner = runner_free(slot->runner);
        slot_job_event(slot, &(struct job_event){ .type = JOB_EV_ENGINE_ENDED, .text = how });
}

/* What there is too little of, for now: nothing is wrong with the engine or the board. */
static bool is_shortage(int r)
{
        return r == -EAGAIN || r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOSPC;
}

/* Once a minute for the whole station: every board that waits tries again each second. */
static void log_shortage(struct slot_world *world, const char *how)
{
        uint64_t now = clock_boottime_usec();

        if (now < world->shortage_quiet_until_usec)
                return;
        log_slot(LOG_ERR, NULL, NULL, MESSAGE_ENGINE_SHORTAGE, "%s: boards wait until it can", how);
        world->shortage_quiet_until_usec = now + SHORTAGE_TELL_AGAIN;
}

static void start_engine(struct slot *slot)
{
        static const struct runner_ops ops = { .said = on_engine_said,
                                               .wrote = on_engine_wrote,
                                               .ended = on_engine_ended };
        struct runner_order order = {
                .program = &slot->world->engine,
                .node = slot->board->node,
                .vid = slot->board->ids.vid,
                .pid = slot->board->ids.pid,
                .image_fd = slot_data_image_fd(slot),
                .any = slot->any,
                .reset = slot->reset,
        };
        char how[128];
        int r;

        slot_note_job_presence(slot); /* after DETACH it is a new one */
        slot_data_note_presence(slot);
        r = order.image_fd < 0 ? order.image_fd
                               : runner_start(slot->world->event, &order, &ops, slot, &slot->runner);
        if (r == 0)
                return;
        snprintf(how, sizeof(how), "%s cannot be started: %s", order.program->path, strerror(-r));
        if (is_shortage(r))
                log_shortage(slot->world, how);
        slot_job_event(slot, &(struct job_event){ .type = is_shortage(r) ? JOB_EV_ENGINE_NOT_STARTED
                                                                         : JOB_EV_ENGINE_ENDED,
                                                  .text = how });
}

/* ---- the journal ---- */

static void log_attempt(const struct slot *slot)
{
        const struct job *job = &slot->job;
        double seconds = (double)(clock_boottime_usec() - job->attempt_start_usec) / (double)USEC_PER_SEC;
        bool again = job->state == JOB_QUEUED || job->state == JOB_RETURNING;

        if (job->verdict == VERDICT_FLASHED)
                log_slot(LOG_INFO, slot->name, slot->job_id, MESSAGE_BOARD_FLASHED,
                         "flashed %s%s%s in %.1f s (attempt %u)", slot->image->name,
                         slot->image->version ? " " : "", slot->image->version ? slot->image->version : "",
                         seconds, job->attempt);
        else if (job->verdict == VERDICT_CANCELLED)
                log_slot(LOG_NOTICE, slot->name, slot->job_id, MESSAGE_JOB_CANCELLED, "%s", job->message);
        else
                log_slot(again ? LOG_WARNING : LOG_ERR, slot->name, slot->job_id,
                         again ? MESSAGE_ATTEMPT_FAILED : MESSAGE_BOARD_FAILED, "attempt %u of %u: %s: %s%s",
                         job->attempt, job->params.attempts_max, verdict_to_string(job->verdict),
                         job->message,
                         job->state == JOB_QUEUED      ? "; tried again"
                         : job->state == JOB_RETURNING ? "; its return is waited for"
                                                       : "");
}

static void log_began(const struct slot *slot)
{
        char what[96];

        log_slot(LOG_INFO, slot->name, slot->job_id, MESSAGE_JOB_BEGAN,
                 "%s on %s: policy %s, image %s%s%s (attempt %u)",
                 board_describe(slot->board, what, sizeof(what)), slot->board->port,
                 slot->policy ? slot->policy : "none", slot->image->name,
                 slot->data.file ? ", board data " : "", slot->data.file ? slot->data.file : "",
                 slot->job.attempt);
}

/* ---- events in, actions out ---- */

static void carry_out(struct slot *slot, enum job_do action)
{
        switch (action) {
        case JOB_DO_NOTHING:
                break;
        case JOB_DO_OPEN_ROW:
                open_row(slot);
                break;
        case JOB_DO_START_ENGINE:
                if (slot->job.detaches == 0)
                        log_began(slot);
                start_engine(slot);
                break;
        case JOB_DO_TERMINATE_ENGINE:
                runner_terminate(slot->runner);
                break;
        case JOB_DO_KILL_ENGINE:
                runner_kill(slot->runner);
                break;
        case JOB_DO_CLOSE_ROW:
                close_row(slot);
                break;
        case JOB_DO_CHECK_POLICY:
                slot_check_policy(slot);
                break;
        case JOB_DO_END:
                slot_job_ended(slot);
                break;
        }
}

void slot_set_timer(struct slot *slot)
{
        uint64_t deadline = slot->has_job ? job_deadline(&slot->job) : USEC_INFINITY;

        /* A queued job whose time has come waits for a place, not for time. */
        if (deadline == USEC_INFINITY ||
            (slot->job.state == JOB_QUEUED && deadline <= clock_boottime_usec())) {
                sd_event_source_set_enabled(slot->timer, SD_EVENT_OFF);
                return;
        }
        sd_event_source_set_time(slot->timer, deadline);
        sd_event_source_set_enabled(slot->timer, SD_EVENT_ONESHOT);
}

void slot_job_changed(struct slot *slot)
{
        struct slot_world *world = slot->world;
        enum phase phase = slot_phase(slot);
        bool phase_changed = phase != slot->shown_phase;

        slot_set_timer(slot);
        if (!phase_changed && slot->job.bytes_done == slot->shown_bytes)
                return;
        if (phase_changed && phase == PHASE_STUCK)
                log_slot(LOG_ERR, slot->name, slot->job_id, MESSAGE_ENGINE_STUCK,
                         "the kernel holds the engine: the slot is stuck until it lets go");
        slot->shown_phase = phase;
        slot->shown_bytes = slot->job.bytes_done;
        world->changed(world->userdata, slot, phase_changed);
        if (phase_changed)
                world->places_changed(world->userdata);
}

/* Its return is waited for from now on, or no longer. */
static void tell_return(struct slot *slot)
{
        char *text = NULL;

        if (slot->job.state == JOB_RETURNING &&
            asprintf(&text, "%s; waits %g s for its return", slot->job.message,
                     (double)slot->job.params.return_usec / (double)USEC_PER_SEC) < 0)
                text = NULL;
        free(slot->waits);
        slot->waits = text;
        slot->data.waits = false; /* what its data waited for is asked again */
        slot->world->changed(slot->world->userdata, slot, true);
}

void slot_job_event(struct slot *slot, const struct job_event *event)
{
        enum job_state before = slot->job.state;
        enum job_do action;

        if (!slot->has_job)
                return;
        action = job_step(&slot->job, event, clock_boottime_usec());
        if (before == JOB_CLOSING && slot->job.state != JOB_CLOSING)
                log_attempt(slot);
        if (before != slot->job.state && (before == JOB_RETURNING || slot->job.state == JOB_RETURNING))
                tell_return(slot);
        slot_data_stepped(slot);
        slot_job_changed(slot);
        carry_out(slot, action);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct slot *slot = userdata;

        (void)source, (void)usec;
        if (slot->job.state == JOB_QUEUED)
                slot->world->places_changed(slot->world->userdata);
        else
                slot_job_event(slot, &(struct job_event){ .type = JOB_EV_TIME });
        return 0;
}

int slot_timer_init(struct slot *slot)
{
        int r = sd_event_add_time(slot->world->event, &slot->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_time,
                                  slot);

        if (r >= 0)
                r = sd_event_source_set_enabled(slot->timer, SD_EVENT_OFF);
        return MIN(r, 0);
}
