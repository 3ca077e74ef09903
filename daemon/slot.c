/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/slot-internal.h"

#include <stdio.h>
#include <systemd/sd-id128.h>

#include "core/place.h"
#include "core/places.h"
#include "daemon/log.h"
#include "daemon/message-ids.h"

/* ---- its making ---- */

int slot_new(struct slot_world *world, const char *name, const char *path, const char *port,
             struct slot **ret)
{
        _cleanup_(slot_freep) struct slot *slot = calloc(1, sizeof(*slot));
        int r;

        if (!slot)
                return -ENOMEM;
        slot->world = world;
        slot->phase = PHASE_EMPTY;
        r = free_and_strdup(&slot->name, name);
        if (r == 0)
                r = free_and_strdup(&slot->path, path);
        if (r == 0)
                r = free_and_strdup(&slot->port, port);
        if (r == 0)
                r = slot_timer_init(slot);
        if (r < 0)
                return r;
        slot_find_hubs(slot);
        *ret = take_ptr(slot);
        return 0;
}

struct slot *slot_free(struct slot *slot)
{
        if (slot->world->ledger)
                ledger_forget(slot->world->ledger, slot);
        if (slot->order.number)
                slot->world->begun(slot->world->userdata, slot, slot->order.number, -ENXIO);
        slot_order_done(slot);
        if (slot->runner)
                runner_free(slot->runner);
        if (slot->board)
                board_free(slot->board);
        slot_data_done(slot);
        image_copy_unref(slot->image);
        sd_event_source_disable_unref(slot->timer);
        free(slot->policy);
        free(slot->message);
        free(slot->waits);
        free(slot->name);
        free(slot->path);
        free(slot->port);
        free(slot);
        return NULL;
}

/* ---- who it is ---- */

const char *slot_name(const struct slot *slot)
{
        return slot->name;
}

int slot_rename(struct slot *slot, const char *name)
{
        return free_and_strdup(&slot->name, name);
}

bool slot_is_at(const struct slot *slot, const char *path, const char *port)
{
        return is_same_place(slot->path, slot->port, path, port);
}

const char *slot_path(const struct slot *slot)
{
        return slot->path;
}

const char *slot_port(const struct slot *slot)
{
        return slot->port;
}

bool slot_is_occupied(const struct slot *slot)
{
        return slot->present;
}

bool slot_is_running(const struct slot *slot)
{
        return slot->has_job && job_is_running(&slot->job);
}

bool slot_is_stuck(const struct slot *slot)
{
        return slot->has_job && slot->job.phase == PHASE_STUCK;
}

bool slot_has_job(const struct slot *slot)
{
        return slot->has_job && slot->job.state != JOB_ENDED;
}

enum phase slot_phase(const struct slot *slot)
{
        return slot->has_job ? slot->job.phase : slot->phase;
}

bool slot_is_spare(const struct slot *slot, bool with_failure)
{
        return !slot->present && !slot_has_job(slot) && !slot->runner && slot->order.number == 0 &&
               (with_failure || !slot->has_job);
}

uint64_t slot_left_usec(const struct slot *slot)
{
        return slot->left_usec;
}

/* ---- without a job ---- */

void slot_drop_job(struct slot *slot)
{
        (void)free_and_strdup(&slot->waits, NULL);
        slot->has_job = false;
        slot->settled = slot->released = slot->ordered = slot->awaits = false;
        slot_data_done(slot);
        slot->image = image_copy_unref(slot->image);
        given_prune(&slot->world->given);
        free(slot->policy);
        slot->policy = NULL;
}

/* What slot_drop_job() left is set by now, for it is told at once. Without memory for a text the phase stands alone. */
static void rest(struct slot *slot, const struct config_policy *policy, enum phase phase, const char *message)
{
        slot->phase = phase;
        (void)free_and_strdup(&slot->policy, policy ? policy->name : NULL);
        (void)free_and_strdup(&slot->message, message);
        slot->world->changed(slot->world->userdata, slot, true);
}

void slot_rest_by(struct slot *slot, const struct config_policy *policy, enum phase phase,
                  const char *message)
{
        slot_drop_job(slot);
        rest(slot, policy, phase, message);
}

/* The ledger's last attempt here is about this board: its policy and its image are shown. */
static void rest_settled(struct slot *slot, enum phase phase, const char *message)
{
        slot_drop_job(slot);
        slot->settled = true;
        rest(slot, NULL, phase, message);
}

void slot_rest_in(struct slot *slot, enum phase phase, const char *message)
{
        slot_rest_by(slot, NULL, phase, message);
}

static void rest_without_policy(struct slot *slot)
{
        const struct board *board = slot->board;
        bool is_application = board->chip && !board->is_rom && !board->contradicts;
        char text[160], what[96];

        snprintf(text, sizeof(text), "no policy for %s%s", board_describe(board, what, sizeof(what)),
                 is_application ? ": an application, left alone" : "");
        log_slot(LOG_NOTICE, slot->name, NULL, MESSAGE_NO_POLICY, "%s", text);
        slot_rest_in(slot, PHASE_NO_POLICY, text);
}

static void rest_unusable(struct slot *slot, const struct config_policy *policy, const char *why)
{
        _cleanup_(freep) char *text = NULL;

        if (asprintf(&text, "policy %s: %s", policy->name, why) < 0)
                text = NULL;
        log_slot(LOG_ERR, slot->name, NULL, MESSAGE_POLICY_UNUSABLE, "%s", text ? text : why);
        slot_rest_by(slot, policy, PHASE_UNUSABLE, text);
}

/* ---- which policy, and what then ---- */

/* Whether the ledger says that nothing more is to be done about this stay of the board. */
static bool is_settled(struct slot *slot)
{
        struct presence_key presence = slot_presence(slot);
        const char *message = NULL;
        enum verdict verdict = ledger_presence(slot->world->ledger, &presence, &message);

        if (verdict == VERDICT_NONE && slot_flash_lost(slot)) {
                verdict = VERDICT_INTERRUPTED;
                message = slot_flash_lost(slot);
        }
        if (verdict == VERDICT_NONE)
                return false;
        rest_settled(slot,
                     verdict == VERDICT_FLASHED     ? PHASE_FLASHED
                     : verdict == VERDICT_CANCELLED ? PHASE_CANCELLED
                                                    : PHASE_FAILED,
                     verdict == VERDICT_FLASHED ? "flashed already, and not unplugged since" : message);
        return true;
}

static bool has_image_already(struct slot *slot, const struct config_policy *policy,
                              const struct image_copy *image)
{
        int r;

        if (policy->reflash != POLICY_REFLASH_NEVER || !slot->board->mac)
                return false;
        r = ledger_board_has_image(slot->world->ledger, slot->board->mac, image->sha256);
        if (r < 0)
                log_slot(LOG_WARNING, slot->name, NULL, NULL, "ledger cannot say what %s has: %s",
                         slot->board->mac, strerror(-r));
        return r > 0;
}

void slot_queue_job(struct slot *slot, const struct config_policy *policy, struct image_copy *image)
{
        struct job_params params = {
                .attempts_max = policy->attempts,
                .retry_delay_usec = policy->retry_delay_usec,
                .reattach_usec = slot->world->config->reattach_time_usec,
                .return_usec = slot->board->mac ? slot->world->config->return_time_usec : 0,
        };
        sd_id128_t id;

        slot_drop_job(slot);
        slot->image = image;
        if (sd_id128_randomize(&id) < 0 || free_and_strdup(&slot->policy, policy->name) < 0 ||
            slot_data_begin(slot, policy) < 0) {
                slot_rest_in(slot, PHASE_FAILED, "out of memory");
                return;
        }
        sd_id128_to_string(id, slot->job_id);
        (void)free_and_strdup(&slot->message, NULL);
        slot->any = policy->mode == POLICY_MODE_ANY;
        slot->reset = policy->after == POLICY_RESET;
        slot->comes_back = slot->reset || !slot->board->is_rom;
        snprintf(slot->job_mac, sizeof(slot->job_mac), "%s", slot->board->mac ? slot->board->mac : "");
        board_id(slot->board, slot->job_board);
        slot->job_chip = slot->board->chip;
        slot->shown_phase = PHASE_MAX_;
        job_init(&slot->job, &params, slot->board->dfu.dfu_mode);
        slot->has_job = true;
        slot_job_changed(slot);
}

int slot_check_image(const struct slot *slot, const struct image_copy *image, char **ret_why)
{
        const struct usb_device_ids *ids = &slot->board->ids;

        if (image_is_for(image->image, ids->vid, ids->pid))
                return 0;
        return asprintf(ret_why, "image %s: made for %04x:%04x: board is %04x:%04x",
                        image->given ? image->given->told : image->path, image->image->vid, image->image->pid,
                        ids->vid, ids->pid) < 0
                       ? -ENOMEM
                       : 1;
}

/* ordered: by a person, so that it does not matter whether the board has the image. */
static void flash_by(struct slot *slot, const struct config_policy *policy, bool ordered)
{
        _cleanup_(freep) char *why = NULL;
        struct image_copy *image = NULL;
        int r = images_get(slot->world->images, policy, &slot->world->config->keys, &image, &why);

        if (r >= 0)
                slot->world->image_seen(slot->world->userdata, policy, image, why);
        if (r == 0)
                r = slot_check_image(slot, image, &why);
        if (r != 0) {
                image_copy_unref(image);
                rest_unusable(slot, policy, why ? why : strerror(-r));
        } else if (!ordered && has_image_already(slot, policy, image)) {
                slot_drop_job(slot);
                slot->image = image; /* to be shown */
                rest(slot, policy, PHASE_FLASHED, "has this image already (reflash = never)");
        } else {
                slot_queue_job(slot, policy, image);
        }
}

/* Only what a person holds is in its way. */
static void flash_by_order(struct slot *slot, const struct config_policy *policy)
{
        if (slot_held(slot)) {
                slot_rest_by(slot, policy, PHASE_HELD, slot_held(slot));
                return;
        }
        flash_by(slot, policy, true);
        slot->ordered = slot->has_job;
}

const char *slot_held(const struct slot *slot)
{
        const struct holds *holds = slot->world->holds;
        const char *text = holds_of_port(holds, slot->path, slot->port);

        return text ? text : holds->station;
}

void slot_consider(struct slot *slot)
{
        struct board_facts facts = board_facts(slot->board, slot->name);
        const struct config_policy *policy;

        if (is_settled(slot))
                return;
        policy = policy_for(slot->world->config, &facts);
        if (!policy) {
                rest_without_policy(slot);
                return;
        }
        if (policy->image && slot_flash_is_ordered(slot)) {
                flash_by_order(slot, policy);
                return;
        }
        switch (policy->action) {
        case POLICY_FLASH:
                if (slot_held(slot))
                        slot_rest_by(slot, policy, PHASE_HELD, slot_held(slot));
                else
                        flash_by(slot, policy, false);
                break;
        case POLICY_IGNORE:
                slot_rest_by(slot, policy, PHASE_IGNORED, "its policy says action = ignore");
                break;
        case POLICY_HOLD:
                slot_rest_by(slot, policy, PHASE_HELD, "its policy says action = hold");
                break;
        case POLICY_ACTION_MAX_:
                break;
        }
}

void slot_begin_again(struct slot *slot)
{
        struct board_facts facts = board_facts(slot->board, slot->name);
        const struct config_policy *policy = slot->released ? policy_for(slot->world->config, &facts) : NULL;

        if (!policy || policy->action != POLICY_HOLD || !policy->image) {
                slot_consider(slot);
                return;
        }
        flash_by(slot, policy, false);
        slot->released = slot->has_job;
}

void slot_reconsider(struct slot *slot)
{
        bool begun = slot->has_job && (slot->job.state != JOB_QUEUED || slot->job.attempt > 0);
        enum phase phase = slot_phase(slot);

        /* An order that is on its way to the ledger asks them when it is there. */
        if (!slot->present || begun || slot->awaits || slot->order.flash || phase == PHASE_FLASHED ||
            phase == PHASE_FAILED)
                return;
        /* A person's release stands, but the image, its pin and its signature are looked at anew. */
        if (slot->ordered && slot->image->given)
                slot_flash_again(slot);
        else if (slot->released)
                slot_begin_again(slot);
        else
                slot_consider(slot);
}

void slot_holds_changed(struct slot *slot)
{
        if (slot->has_job || slot->phase != PHASE_HELD)
                return;
        if (slot->present)
                slot_consider(slot);
        else
                slot_rest_in(slot, PHASE_EMPTY, NULL);
}

/* The policy that holds its board, or NULL. */
static const struct config_policy *holding_policy(const struct slot *slot)
{
        const struct config_policy *policy;
        struct board_facts facts;

        if (!slot->present || slot->has_job || slot->order.flash ||
            (slot->phase != PHASE_HELD && slot->phase != PHASE_UNUSABLE))
                return NULL;
        facts = board_facts(slot->board, slot->name);
        policy = policy_for(slot->world->config, &facts);
        return policy && policy->action == POLICY_HOLD ? policy : NULL;
}

bool slot_is_held_by_policy(const struct slot *slot)
{
        return holding_policy(slot);
}

int slot_release(struct slot *slot, char **ret_why)
{
        const struct config_policy *policy = holding_policy(slot);
        int r = 0;

        if (!policy)
                return 1;
        if (!policy->image)
                return asprintf(ret_why, "policy %s says action = hold and names no image to flash",
                                policy->name) < 0
                               ? -ENOMEM
                               : 2;
        flash_by(slot, policy, false);
        slot->released = slot->has_job;
        if (slot->phase == PHASE_UNUSABLE && !slot->has_job)
                r = asprintf(ret_why, "%s", slot->message ? slot->message : "out of memory") < 0 ? -ENOMEM
                                                                                                 : 2;
        return r;
}

/* ---- boards come and go ---- */

void slot_note_job_presence(struct slot *slot)
{
        slot->job_devnum = slot->board->devnum;
        slot->job_initialized_usec = slot->board->initialized_usec;
}

static void take_board(struct slot *slot, struct board *board)
{
        if (slot->board)
                board_free(slot->board);
        slot->board = board;
        slot->present = true;
        slot->arrived_usec = clock_boottime_usec();
        (void)free_and_strdup(&slot->port, board->port);
        if (board->path)
                (void)free_and_strdup(&slot->path, board->path);
        slot_find_hubs(slot);
}

/* A board that nothing is under way with. */
static void receive(struct slot *slot, bool same, bool first)
{
        static uint64_t tickets;
        const char *why;

        slot->ticket = ++tickets;
        slot_note_job_presence(slot);
        slot_flash_arrived(slot, first);
        why = slot_why_back(slot, same, first);
        if (why)
                rest_settled(slot, PHASE_FLASHED, why);
        else if (!slot_join_its_job(slot))
                slot_consider(slot);
}

/* Device numbers come again after a while: events that were lost may have told that this one did. */
static bool is_same_stay(const struct board *a, const struct board *b)
{
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a slot that is present has a board */
        return a->devnum == b->devnum && (a->initialized_usec == 0 || b->initialized_usec == 0 ||
                                          a->initialized_usec == b->initialized_usec);
}

void slot_board_arrived(struct slot *slot, struct board *board)
{
        bool same = slot->board && board_may_be(slot->board, board), first = !slot->board;
        bool in_job;

        slot->seen = true;
        if (slot->present && is_same_stay(slot->board, board)) {
                board_free(board);
                return;
        }
        /* Its leaving was not told, or is told later: one port has one board. */
        if (slot->present)
                slot_board_left(slot, slot->board->port, 0);
        in_job = slot_has_job(slot);
        slot->same_mac = slot->board && slot->board->mac && streq_ptr(slot->board->mac, board->mac);
        take_board(slot, board);
        if (!in_job) {
                receive(slot, same, first);
                return;
        }
        slot_job_event(slot, &(struct job_event){ .type = JOB_EV_ARRIVED,
                                                  .same_board = same,
                                                  .same_mac = streq_ptr(board->mac, slot->job_mac),
                                                  .dfu_mode = board->dfu.dfu_mode });
}

static void left_without_job(struct slot *slot)
{
        if (slot_note_leave(slot) && slot_rest_if_flapping(slot))
                return;
        slot_note_flashed_leave(slot);
        if (slot->has_job && slot->job.verdict == VERDICT_BOARD_LEFT)
                slot->world->changed(slot->world->userdata, slot, true); /* its failure stays to be seen */
        else
                slot_rest_in(slot, PHASE_EMPTY, NULL);
}

bool slot_board_left(struct slot *slot, const char *port, unsigned devnum)
{
        bool in_job = slot_has_job(slot);

        if (!slot->present || !streq(slot->board->port, port) ||
            (devnum != 0 && slot->board->devnum != devnum))
                return false;
        slot->present = false;
        slot->left_usec = clock_boottime_usec();
        if (in_job)
                slot_job_event(slot,
                               &(struct job_event){ .type = JOB_EV_LEFT, .for_good = slot_note_leave(slot) });
        else
                left_without_job(slot);
        return true;
}

void slot_before_scan(struct slot *slot)
{
        slot->seen = false;
}

void slot_after_scan(struct slot *slot)
{
        if (slot->present && !slot->seen)
                slot_board_left(slot, slot->board->port, 0);
}

/* The job is over; what is on the port now may be another board than its own. */
void slot_job_ended(struct slot *slot)
{
        bool flashed = slot->job.verdict == VERDICT_FLASHED;

        if (flashed && slot->comes_back)
                slot->reset_expected_until_usec = clock_boottime_usec() + SLOT_BACK_LIMIT;
        if (flashed && slot->job.lost)
                slot_note_flashed_leave(slot);
        if (slot->present && slot->job.replaced) {
                receive(slot, slot->job.same_board, false);
        } else if (slot_rest_if_flapping(slot)) {
                return;
        } else if (!slot->present && (slot->job.verdict == VERDICT_FLASHED || slot->job.attempt == 0)) {
                slot_rest_in(slot, PHASE_EMPTY,
                             NULL); /* nothing is to be seen of a board that nothing was begun with */
        }
}

/* ---- places ---- */

uint64_t slot_hubs(const struct slot *slot)
{
        return slot->hubs;
}

void slot_find_hubs(struct slot *slot)
{
        slot->hubs = hubs_above(slot->world->config, slot->path, slot->port);
}

bool slot_wants_place(const struct slot *slot, uint64_t *ret_ticket)
{
        if (!slot->has_job || slot->data.waits || slot_held(slot) ||
            !job_wants_place(&slot->job, clock_boottime_usec()))
                return false;
        *ret_ticket = slot->ticket;
        return true;
}

/* Told with what is gathered, not at once: after a reload it may be another text for a thousand slots. */
void slot_keep_waiting(struct slot *slot, const char *text)
{
        if (streq_ptr(slot->waits, text))
                return;
        /* Without memory for it the phase stands alone. */
        if (free_and_strdup(&slot->waits, text) == 0)
                slot->world->changed(slot->world->userdata, slot, false);
}

void slot_give_place(struct slot *slot)
{
        if (!slot_data_prepare(slot))
                return; /* the place stays free, for the next round */
        (void)free_and_strdup(&slot->waits, NULL);
        slot_job_event(slot, &(struct job_event){ .type = JOB_EV_PLACE });
}

void slot_cancel(struct slot *slot, const char *by)
{
        if (slot->has_job)
                slot_job_event(slot, &(struct job_event){ .type = JOB_EV_CANCEL, .text = by });
}
