/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A person has a board flashed, whatever was before: with its policy's image, or with one that the person gave.
 *
 * The order stands in the ledger before anything else, as a note about the board's stay in the place of a verdict; the first
 * verdict that stands takes its place. So a daemon after this one knows what was to be done. With the policy's image it is
 * done. An image that a person gave is gone with the daemon that had it, and the board may be half written: it is left alone,
 * and says so, until a person orders something or it is plugged in anew. Never is it flashed with something else.
 *
 * The note is about one stay on the bus, and DETACH begins another one. So each attempt notes its own with the row that it
 * opens; and a daemon that finds a board in DFU mode, where a note is about this very port and no other board by its MAC,
 * takes it for the one that was sent there. Whoever is plugged in anew is in run-time mode.
 */
#include "daemon/slot-internal.h"

#include <stdio.h>

#include "core/config-keys.h"
#include "core/refusal.h"
#include "daemon/log.h"

static char lost_text[] =
        "interrupted: espdfud ended before the board was flashed with an image that a person "
        "gave: expected espdfuctl flash or retry";

/* The policy that counts for the board; or none: *buf, with the defaults of a policy, and without a name. */
static const struct config_policy *policy_or_none(const struct slot *slot, struct config_policy *buf)
{
        struct board_facts facts = board_facts(slot->board, slot->name);
        const struct config_policy *policy = policy_for(slot->world->config, &facts);

        if (policy)
                return policy;
        *buf = (struct config_policy){ 0 };
        /* All of them are numbers and words: nothing is owned, and nothing can fail. */
        (void)config_set_defaults(CONFIG_POLICY, buf);
        return buf;
}

static const struct config_policy *named(const struct config_policy *policy)
{
        return policy->name ? policy : NULL;
}

void slot_order_done(struct slot *slot)
{
        image_copy_unref(slot->order.image);
        slot->order = (struct slot_order){ 0 };
}

/* ---- notes in the ledger ---- */

/* Of the board as it stands there now. board: who it is, borrowed. */
static struct presence_note note_of(const struct slot *slot, bool given, const char *board)
{
        return (struct presence_note){
                .key = { .boot_id = slot->world->boot_id,
                         .path = slot->path ? slot->path : slot->port,
                         .devnum = slot->board->devnum,
                         .initialized_usec = slot->board->initialized_usec,
                         .board = board },
                .verdict = given ? VERDICT_INTERRUPTED : VERDICT_NONE,
                .message = given ? lost_text : NULL,
        };
}

bool slot_flash_note(const struct slot *slot, struct presence_note *ret)
{
        /* The row that records the end of a job is about no board that stands there now. */
        if (!slot->ordered || slot->job.given_up)
                return false;
        *ret = note_of(slot, slot->image->given, slot->job_board);
        return true;
}

static void on_forgotten(void *userdata, int r, int64_t id, int64_t sequence)
{
        const struct slot *slot = userdata;

        (void)id, (void)sequence;
        if (r < 0)
                log_slot(LOG_WARNING, slot->name, NULL, NULL, "ledger cannot forget a person's order: %s",
                         strerror(-r));
}

static void forget(struct slot *slot, const struct presence_key *key)
{
        int r = ledger_presence_forget(slot->world->ledger, key, on_forgotten, slot);

        if (r < 0)
                on_forgotten(slot, r, 0, 0);
}

void slot_flash_moved(struct slot *slot)
{
        struct presence_key key = slot_presence(slot);
        struct presence_note note;

        /* Since its DETACH it may be about a stay before that of the job. */
        if (slot->ordered && ledger_presence_noted(slot->world->ledger, &key, &note))
                forget(slot, &note.key);
}

/* ---- what a daemon before this one was ordered ---- */

static bool is_same_stay(const struct presence_key *a, const struct presence_key *b)
{
        return a->devnum == b->devnum && a->initialized_usec == b->initialized_usec;
}

/* The MAC stands behind the ids, where there is one. */
static bool has_mac(const char *board, const char *mac)
{
        const char *blank = board ? strchr(board, ' ') : NULL;

        return streq_ptr(blank ? blank + 1 : NULL, mac);
}

void slot_flash_arrived(struct slot *slot, bool first)
{
        struct presence_key now = slot_presence(slot);
        struct presence_note note;
        int r;

        slot->adopted = false;
        if (!ledger_presence_noted(slot->world->ledger, &now, &note) || is_same_stay(&note.key, &now))
                return;
        slot->adopted = first && slot->board->dfu.dfu_mode && has_mac(note.key.board, slot->board->mac);
        if (!slot->adopted) {
                forget(slot, &note.key);
                return;
        }
        note.key.devnum = now.devnum;
        note.key.initialized_usec = now.initialized_usec;
        r = ledger_presence_put(slot->world->ledger, &note, NULL, NULL);
        if (r < 0)
                log_slot(LOG_WARNING, slot->name, NULL, NULL, "ledger cannot note that the board is back: %s",
                         strerror(-r));
}

/* Whether there is an order about the board that stands there. */
static bool find_note(const struct slot *slot, struct presence_note *ret)
{
        struct presence_key now = slot_presence(slot);

        return ledger_presence_noted(slot->world->ledger, &now, ret) &&
               (slot->adopted || is_same_stay(&ret->key, &now));
}

bool slot_flash_is_ordered(const struct slot *slot)
{
        struct presence_note note;

        return find_note(slot, &note) && note.verdict == VERDICT_NONE;
}

const char *slot_flash_lost(const struct slot *slot)
{
        struct presence_note note;

        if (!find_note(slot, &note) || note.verdict == VERDICT_NONE)
                return NULL;
        return note.message ? note.message : lost_text;
}

/* ---- an image that a person gave ---- */

/* Whether the board's policy, as it is now, has it flashed with this image. Results as images_get(). */
static int check_given(const struct slot *slot, const struct config_policy *policy,
                       const struct image_copy *image, char **ret_why)
{
        int r = given_check(image, named(policy), &slot->world->config->keys, ret_why);

        return r == 0 ? slot_check_image(slot, image, ret_why) : r;
}

/* The policies are others since it was ordered. The image is not kept for a better day, and the board gets no other one. */
static void give_up(struct slot *slot, const char *why)
{
        char board[BOARD_ID_SIZE];
        struct presence_note note = note_of(slot, true, board_id(slot->board, board));

        note.verdict = VERDICT_IMAGE_REFUSED;
        note.message = why;
        log_slot(LOG_ERR, slot->name, NULL, NULL, "%s", why);
        slot_rest_in(slot, PHASE_FAILED, why);
        if (ledger_presence_put(slot->world->ledger, &note, NULL, NULL) < 0)
                log_slot(LOG_WARNING, slot->name, NULL, NULL, "ledger cannot note that: out of memory");
}

static void flash_given(struct slot *slot, struct image_copy *image)
{
        _cleanup_(freep) char *why = NULL;
        struct config_policy none;
        const struct config_policy *policy = policy_or_none(slot, &none);
        int r = check_given(slot, policy, image, &why);

        if (r != 0) {
                give_up(slot, why ? why : strerror(-r));
                return;
        }
        slot_queue_job(slot, policy, image_copy_ref(image));
        slot->ordered = slot->has_job;
}

void slot_flash_again(struct slot *slot)
{
        _cleanup_(image_copy_unrefp) struct image_copy *image = image_copy_ref(slot->image);

        flash_given(slot, image);
}

const char *slot_flash_why_not(const struct slot *slot, const struct slot *job, char *text, size_t size)
{
        _cleanup_(freep) char *why = NULL;
        struct config_policy none;
        const struct config_policy *policy = policy_or_none(slot, &none);

        if (!streq_ptr(policy->name, job->policy))
                snprintf(text, size, "came back on %s, where %s%s counts for it", slot->board->port,
                         policy->name ? "policy " : "no policy", policy->name ? policy->name : "");
        else if (check_given(slot, policy, job->image, &why) != 0)
                snprintf(text, size, "came back, and: %s", why ? why : "out of memory");
        else
                return slot_data_why_not(job, policy, text, size);
        return text;
}

/* ---- the order ---- */

/* What stands in the way, or NULL. */
static const char *obstacle(const struct slot *slot)
{
        if (slot_has_job(slot) && slot_is_stuck(slot))
                return "is stuck: the kernel holds its engine";
        if (slot_is_running(slot))
                return "is running: expected espdfuctl cancel first";
        if (slot_has_job(slot) || (slot->present && slot->awaits))
                return "is queued: expected espdfuctl cancel first";
        if (!slot->present)
                return "is empty; nothing to flash";
        if (slot->order.number)
                return slot->order.flash ? "is being flashed for somebody else" : "is being tried again";
        return NULL;
}

static int check_order(const struct slot *slot, const struct config_policy *policy, bool given,
                       char **ret_why)
{
        const char *what = obstacle(slot), *held = slot_held(slot);
        char board[96];

        if (what)
                return refuse(ret_why, "%s", what);
        if (held)
                return refuse(ret_why, "%s: expected espdfuctl release first", held);
        board_describe(slot->board, board, sizeof(board));
        if (!given && !named(policy))
                return refuse(ret_why, "no policy for %s: expected one, or --image FILE", board);
        if (!given && !policy->image)
                return refuse(ret_why, "policy %s says action = %s and names no image: expected --image FILE",
                              policy->name, policy_action_to_string(policy->action));
        if (!named(policy) && !slot->board->is_rom)
                return refuse(ret_why, "no policy for %s: expected one with mode = any", board);
        return 0;
}

/* What a board of this policy gets alone has to have its place in the image. */
static int check_board_data(const struct config_policy *policy, const struct image_copy *image,
                            char **ret_why)
{
        _cleanup_(freep) char *why = NULL;
        int r = policy->board_data ? composed_check(image, policy->board_data_address, 1, &why) : 0;

        return r == 1 ? refuse(ret_why, "image %s: %s; policy %s says board-data", image->given->told, why,
                               policy->name)
                      : r;
}

/* Now, so that who orders is told. Results as images_get(). */
static int find_image(const struct slot *slot, const struct config_policy *policy,
                      const struct given_image *given, struct image_copy **ret, char **ret_why)
{
        _cleanup_(image_copy_unrefp) struct image_copy *image = NULL;
        const struct trusted_keys *keys = &slot->world->config->keys;
        int r = given ? given_take(&slot->world->given, named(policy), keys, given, &image, ret_why)
                      : images_get(slot->world->images, policy, keys, &image, ret_why);

        if (r == 0)
                r = slot_check_image(slot, image, ret_why);
        if (r == 0 && given)
                r = check_board_data(policy, image, ret_why);
        if (r == 0)
                *ret = take_ptr(image);
        return r;
}

/* The ledger has it, or says why not. The board may have left meanwhile, and another have come. */
static void on_noted(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct slot *slot = userdata;
        struct slot_order order = slot->order;
        struct presence_key key = slot_presence(slot), about = key;

        (void)id, (void)sequence;
        about.devnum = order.devnum;
        about.initialized_usec = order.initialized_usec;
        slot->order = (struct slot_order){ 0 };
        if (r < 0) {
                log_slot(LOG_ERR, slot->name, NULL, NULL, "not flashed: %s", strerror(-r));
                slot_reconsider(slot); /* a reload may have been kept waiting */
        } else if (obstacle(slot) || !is_same_stay(&key, &about)) {
                r = -ECANCELED;
                forget(slot, &about);
        } else if (order.image) {
                flash_given(slot, order.image);
        } else {
                slot_consider(slot);
        }
        image_copy_unref(order.image);
        slot->world->begun(slot->world->userdata, slot, order.number, r);
}

int slot_flash(struct slot *slot, const struct given_image *given, uint64_t order, char **ret_why)
{
        _cleanup_(image_copy_unrefp) struct image_copy *image = NULL;
        struct config_policy none = { 0 };
        const struct config_policy *policy = slot->present ? policy_or_none(slot, &none) : &none;
        char board[BOARD_ID_SIZE];
        struct presence_note note;
        int r = check_order(slot, policy, given, ret_why);

        if (r == 0)
                r = find_image(slot, policy, given, &image, ret_why);
        if (r != 0)
                return r;
        slot_note_job_presence(slot);
        note = note_of(slot, given, board_id(slot->board, board));
        r = ledger_presence_put(slot->world->ledger, &note, on_noted, slot);
        if (r < 0)
                return r;
        slot->order = (struct slot_order){
                .number = order,
                .flash = true,
                .image = given ? take_ptr(image) : NULL,
                .devnum = note.key.devnum,
                .initialized_usec = note.key.initialized_usec,
        };
        return 0;
}
