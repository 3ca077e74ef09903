/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slot: a physical port, named by the configuration or by its port path. It outlives the boards that stand on it. It
 * asks which policy a board gets, has a job for one that is to be flashed, and carries out what core/job says: the
 * ledger's rows, the engine's runs, the time limits.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/holds.h"
#include "core/job.h"
#include "core/status.h"
#include "daemon/board-data.h"
#include "daemon/board.h"
#include "daemon/clock.h"
#include "daemon/composed.h"
#include "daemon/given.h"
#include "daemon/images.h"
#include "daemon/ledger.h"
#include "daemon/runner.h"

struct slot;

/* What all slots share; borrowed, and longer-lived than any slot. */
struct slot_world {
        sd_event *event;
        const struct config *config; /* the station puts another here on a reload */
        struct ledger *ledger;
        struct images *images;
        struct board_data *board_data;
        struct composed_store composed;
        struct given_store given;
        struct engine_program engine;
        char boot_id[BOOT_ID_SIZE];
        const struct holds *holds;
        bool stopping;                      /* no job begins any more */
        uint64_t shortage_quiet_until_usec; /* the journal has it that no engine can be started */

        void *userdata;
        /* Something that status shows is different; phase_changed: more than progress. */
        void (*changed)(void *userdata, struct slot *slot, bool phase_changed);
        /* A place may be free, or one may be wanted: look at slot_wants_place() of all. Called from the loop alone. */
        void (*places_changed)(void *userdata);
        /* What came of slot_retry() or slot_flash(): 0, or a negative errno, and the board is left as it was; -ECANCELED: it left
         * meanwhile. */
        void (*begun)(void *userdata, struct slot *slot, uint64_t order, int r);
        /* The other slot that has a job of the board with this MAC, as slot_has_job_of(), or NULL. */
        struct slot *(*find_job)(void *userdata, const struct slot *asks, const char *mac);
        /* Boards leave it again and again: it is to be held. */
        void (*flapping)(void *userdata, struct slot *slot);
        /* What came of looking at a policy's image; copy or why is NULL. */
        void (*image_seen)(void *userdata, const struct config_policy *policy, const struct image_copy *copy,
                           const char *why);
};

/* name: the configured one, or the port path. path, port: where the configuration says that it is; either may be NULL. */
int slot_new(struct slot_world *world, const char *name, const char *path, const char *port,
             struct slot **ret);
/* Its job, if it has one, is forgotten: only for a slot without a running job, or at the daemon's end. */
struct slot *slot_free(struct slot *slot);
DEFINE_CLEANUP(struct slot, slot_free)

const char *slot_name(const struct slot *slot);
int slot_rename(struct slot *slot, const char *name);
/* The port that it is; either may be NULL. Borrowed. */
const char *slot_path(const struct slot *slot);
const char *slot_port(const struct slot *slot);
/* Whether it is the port with this ID_PATH or, where either does not know that, this port path. */
bool slot_is_at(const struct slot *slot, const char *path, const char *port);
bool slot_is_occupied(const struct slot *slot); /* a board is on it */
bool slot_is_running(const struct slot *slot);  /* it has a job under way: counts against every jobs-max */
bool slot_is_stuck(const struct slot *slot);
bool slot_has_job(const struct slot *slot); /* one that has not ended: it runs, or waits */
enum phase slot_phase(const struct slot *slot);
/* Nobody misses it, but for the configuration and the holds: no board, no job, nobody's order. with_failure: a failure that is
 * still shown does not count. */
bool slot_is_spare(const struct slot *slot, bool with_failure);
uint64_t slot_left_usec(const struct slot *slot); /* CLOCK_BOOTTIME, of the last board; 0: none has left */

/* The board is handed over. One that is there already (the same devnum) changes nothing. */
void slot_board_arrived(struct slot *slot, struct board *board);
/* devnum 0: whatever is there. Returns whether it was this slot's board. */
bool slot_board_left(struct slot *slot, const char *port, unsigned devnum);
/* It has a job that has not ended, of the board with this MAC, which may be another port's by now. */
bool slot_has_job_of(const struct slot *slot, const char *mac);
/* Where the board's job was not to be had from its other slot: looks again. */
void slot_reunite(struct slot *slot);
/* How often boards left it does not count any more. */
void slot_forgive(struct slot *slot);
/* Around a scan of all that is there: forgets that its board was seen; takes one that was not seen since for gone. */
void slot_before_scan(struct slot *slot);
void slot_after_scan(struct slot *slot);
/* Where nothing has begun: asks the policies again (they are others now). */
void slot_reconsider(struct slot *slot);

/* The hubs of the configuration that it is below, as hubs_above(). */
uint64_t slot_hubs(const struct slot *slot);
/* The configuration is another: finds them anew. */
void slot_find_hubs(struct slot *slot);
/* Its job waits for a place and its time has come; the lowest ticket is that of the board that came first. */
bool slot_wants_place(const struct slot *slot, uint64_t *ret_ticket);
/* It has to wait: text says for what. */
void slot_keep_waiting(struct slot *slot, const char *text);
void slot_give_place(struct slot *slot);
/* The running attempt is aborted. by: the person who wants it ("user joe"), and then the board is left alone as long as it
 * stands there; NULL: the daemon stops, and the next one flashes the board. */
void slot_cancel(struct slot *slot, const char *by);

/* The station's holds are others now: a held board is considered again. What shows may be different without another word. */
void slot_holds_changed(struct slot *slot);
/* A board whose policy says action = hold is flashed, once, with the image that this policy names. Returns 0; 1: no such
 * board is here; 2: it cannot be, *ret_why (owned) says for what reason; -ENOMEM. */
int slot_release(struct slot *slot, char **ret_why);
/* There is something for slot_release() to do. */
bool slot_is_held_by_policy(const struct slot *slot);

/*
 * A board whose job failed or was cancelled, or whose policy could not be used, is begun with as if it had just come: a new
 * job with all attempts. world->begun says in the loop when that is certain, also after a crash, and has begun; order
 * is handed to it. Returns 0; 1: there is nothing to retry, and *ret_why (owned) says what there is; a negative errno.
 */
int slot_retry(struct slot *slot, uint64_t order, char **ret_why);
/*
 * The board is flashed, whatever was before: with the image that a person gave (borrowed), or NULL: with its policy's. Its job
 * stands in the ledger first: after a crash the policy's image is flashed all the same, and a given one, which is gone, is
 * said to be missing. Results as slot_retry().
 */
int slot_flash(struct slot *slot, const struct given_image *given, uint64_t order, char **ret_why);
/* Files for boards came or went, or there is room for one more image with a file in it. */
void slot_data_changed(struct slot *slot);

int slot_status(const struct slot *slot, struct slot_status *ret);
/* in_full: with the answer of each policy, and which board data it would get; else with the policy that was chosen alone. */
int slot_explain(const struct slot *slot, bool in_full, struct explanation *ret);
