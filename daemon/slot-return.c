/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Boards that leave in the middle of it and return: on this port or on another one their job goes on, if the policy there
 * still says the same; contacts that flap; flashed boards that come back by themselves, as applications that may look
 * like the mask ROM to the byte.
 */
#include "daemon/slot-internal.h"

#include <stdio.h>

#include "daemon/log.h"

/* ---- a job that goes on ---- */

bool slot_has_job_of(const struct slot *slot, const char *mac)
{
        /* What the kernel holds may be held for ever. */
        return slot_has_job(slot) && !slot_is_stuck(slot) && slot->job.params.return_usec > 0 &&
               !slot->job.replaced && streq(slot->job_mac, mac);
}

/* Why the board that stands in slot is not to be flashed as the job says, or NULL. */
static const char *why_not_the_same(const struct slot *slot, const struct slot *job, char *text, size_t size)
{
        struct board_facts facts = board_facts(slot->board, slot->name);
        const struct config_policy *policy = policy_for(slot->world->config, &facts);
        _cleanup_(image_copy_unrefp) struct image_copy *image = NULL;
        _cleanup_(freep) char *why = NULL;

        if (job->ordered && job->image->given)
                return slot_flash_why_not(slot, job, text, size);
        if (!policy)
                snprintf(text, size, "came back on %s, where no policy counts for it", slot->board->port);
        else if (!streq(policy->name, job->policy))
                snprintf(text, size, "came back on %s, where policy %s counts", slot->board->port,
                         policy->name);
        else if (!policy->image || (!job->ordered && (policy->action == POLICY_IGNORE ||
                                                      (policy->action == POLICY_HOLD && !job->released))))
                snprintf(text, size, "came back, and policy %s says action = %s now", policy->name,
                         policy_action_to_string(policy->action));
        else if (images_get(slot->world->images, policy, &slot->world->config->keys, &image, &why) != 0 ||
                 !streq(image->sha256, job->image->sha256))
                snprintf(text, size, "came back, and policy %s has another image now", policy->name);
        else
                return slot_data_why_not(job, policy, text, size);
        return text;
}

void slot_check_policy(struct slot *slot)
{
        char text[160];
        const char *why = why_not_the_same(slot, slot, text, sizeof(text));

        if (!why)
                log_slot(LOG_NOTICE, slot->name, slot->job_id, NULL, "%s is back on %s: attempt %u follows",
                         slot->job_mac, slot->board->port, slot->job.attempt + 1);
        slot_job_event(slot,
                       &(struct job_event){ .type = why ? JOB_EV_GIVE_UP : JOB_EV_RESUME, .text = why });
}

/* from's job goes on where its board is now; from keeps what it has to say about it. */
static void move_job(struct slot *from, struct slot *to)
{
        char text[160];

        slot_flash_moved(from);
        slot_drop_job(to);
        (void)free_and_strdup(&to->message, NULL);
        to->job = from->job;
        to->image = take_ptr(from->image);
        to->policy = take_ptr(from->policy);
        memcpy(to->job_id, from->job_id, sizeof(to->job_id));
        memcpy(to->job_mac, from->job_mac, sizeof(to->job_mac));
        memcpy(to->job_board, from->job_board, sizeof(to->job_board));
        to->job_chip = from->job_chip;
        to->any = from->any;
        to->reset = from->reset;
        to->comes_back = from->comes_back;
        to->released = from->released;
        to->ordered = from->ordered;
        to->ticket = from->ticket;
        slot_data_move(from, to);
        to->shown_phase = PHASE_MAX_;
        to->has_job = true;
        snprintf(text, sizeof(text), "%s left in the middle of it and goes on in %s", from->job_mac,
                 to->name);
        log_slot(LOG_NOTICE, from->name, from->job_id, NULL, "%s", text);
        slot_rest_in(from, PHASE_EMPTY, text);
        slot_set_timer(from);
        slot_job_event(to, &(struct job_event){ .type = JOB_EV_ARRIVED,
                                                .same_board = true,
                                                .same_mac = true,
                                                .dfu_mode = to->board->dfu.dfu_mode });
}

/* Whether there was one that waits for the board. */
static bool take_over(struct slot *from, struct slot *to)
{
        char text[160];
        const char *why = why_not_the_same(to, from, text, sizeof(text));

        if (!why)
                move_job(from, to);
        else
                slot_job_event(from, &(struct job_event){ .type = JOB_EV_GIVE_UP, .text = why });
        return !why;
}

bool slot_join_its_job(struct slot *slot)
{
        struct slot *other = NULL;
        char text[160];

        if (slot->board->mac)
                other = slot->world->find_job(slot->world->userdata, slot, slot->board->mac);
        if (!other)
                return false;
        if (other->job.state == JOB_RETURNING && !other->present)
                return take_over(other, slot);
        snprintf(text, sizeof(text), "waits: its attempt in %s is not over yet", other->name);
        slot_rest_in(slot, PHASE_QUEUED, text);
        slot->awaits = true;
        slot_job_event(other, &(struct job_event){ .type = JOB_EV_ELSEWHERE });
        return true;
}

void slot_reunite(struct slot *slot)
{
        const struct slot *other;

        if (!slot->awaits || !slot->present)
                return;
        other = slot->world->find_job(slot->world->userdata, slot, slot->board->mac);
        if (other && (other->job.state != JOB_RETURNING || other->present))
                return;
        slot->awaits = false;
        if (!slot_join_its_job(slot))
                slot_consider(slot);
}

/* ---- contacts that flap ---- */

/* A stay that is shorter is none that a person meant. */
#define SHORT_STAY (5 * USEC_PER_SEC)

/*
 * A leave counts in the middle of a job: while an attempt is under way, or another one is to follow. Not the re-enumeration
 * after DETACH and after our own reset; not once there is a verdict that stands, a success above all; and while the board
 * waits for its first attempt only if it had come just before.
 */
static bool leave_counts(const struct slot *slot)
{
        const struct job *job = &slot->job;
        bool short_stay = clock_boottime_usec() - slot->arrived_usec < SHORT_STAY;

        if (!slot->has_job || job->cancelled || job_expects_leave(job))
                return false;
        if (job->replaced || (job->state == JOB_QUEUED && job->attempt == 0))
                return short_stay;
        if (job->state == JOB_ENDED)
                return job->verdict == VERDICT_BOARD_LEFT; /* the engine told before udev */
        return job->verdict == VERDICT_NONE || job->verdict == VERDICT_BOARD_LEFT ||
               verdict_is_transient(job->verdict);
}

bool slot_note_leave(struct slot *slot)
{
        if (!leave_counts(slot) || !flapping_left(&slot->flapping, clock_boottime_usec()))
                return false;
        slot->flaps = true;
        slot->world->flapping(slot->world->userdata, slot);
        return true;
}

bool slot_rest_if_flapping(struct slot *slot)
{
        const char *held = slot_held(slot);

        if (!slot->flaps || slot->present)
                return false;
        slot->flaps = false;
        if (!held)
                return false;
        slot_rest_in(slot, PHASE_HELD, held);
        return true;
}

void slot_forgive(struct slot *slot)
{
        slot->flapping = (struct flapping){ 0 };
        slot->flaps = false;
}

/* ---- flashed boards that come back by themselves ---- */

void slot_note_flashed_leave(struct slot *slot)
{
        if (slot_phase(slot) == PHASE_FLASHED && slot->board->mac)
                slot->flashed_back_until_usec = clock_boottime_usec() + SLOT_BACK_LIMIT;
}

const char *slot_why_back(struct slot *slot, bool same, bool first)
{
        uint64_t now = clock_boottime_usec();
        bool flashed = slot->same_mac && now < slot->flashed_back_until_usec;
        bool reset = same && now < slot->reset_expected_until_usec;

        /* What the daemon before this one did is in the ledger. */
        if (first) {
                struct presence_key presence = slot_presence(slot);
                char who[BOARD_ID_SIZE];

                presence.board = board_id(slot->board, who);
                reset = ledger_presence_was_reset(slot->world->ledger, &presence, SLOT_BACK_LIMIT);
        }
        slot->reset_expected_until_usec = slot->flashed_back_until_usec = 0;
        return reset     ? "came back after the reset that followed its flashing"
               : flashed ? "flashed, and back within 10 s: taken for its application"
                         : NULL;
}
