/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of a slot share: slot.c (boards, policies), slot-job.c (the job's actions), slot-return.c (boards that
 * leave and return), slot-retry.c and slot-flash.c (a person wants another job), slot-status.c (what shows).
 */
#pragma once

#include <systemd/sd-id128.h>

#include "core/flapping.h"
#include "daemon/slot.h"

/* A flashed board that is back within this time came back by itself; whoever comes later is to be flashed. */
#define SLOT_BACK_LIMIT (10 * USEC_PER_SEC)
#define SLOT_MAC_SIZE   sizeof("7c:df:a1:0b:00:12")
/* What the job's board gets beside the image, where the policy says board-data; daemon/slot-data.c. */
struct slot_data {
        char *folder; /* NULL: nothing */
        uint32_t address;
        char *file; /* that the job got, or NULL */
        size_t len; /* its size */
        char sha256[SHA256_HEX];
        bool committed;  /* it is the board's in the ledger … */
        unsigned devnum; /* … that stands there for this stay, as struct presence_key */
        uint64_t initialized_usec;
        bool waits;                /* until slot_data_changed() */
        int r;                     /* negative: why the attempt cannot be opened */
        struct composed *composed; /* of this attempt */
};

/* slot_retry() or slot_flash(), until the ledger has it. */
struct slot_order {
        uint64_t number;          /* 0: there is none */
        bool flash;               /* … of which: slot_flash(), … */
        struct image_copy *image; /* … with this image (owned); NULL: the policy's */
        unsigned devnum;          /* the stay that it is about */
        uint64_t initialized_usec;
};

struct slot {
        struct slot_world *world;
        char *name;
        char *path, *port; /* as configured, or as last seen */

        struct board *board; /* what stands there, or stood there last */
        bool present;
        bool seen;     /* since slot_before_scan() */
        bool same_mac; /* it and the one before it here */
        bool awaits;   /* its board's job is in another slot, and not to be had yet */
        uint64_t arrived_usec, left_usec;
        uint64_t ticket; /* in the order in which boards came: it keeps its turn through reloads and holds */
        uint64_t hubs;   /* as hubs_above() */

        enum phase phase; /* without a job */
        char *message;
        bool settled; /* without a job of now: the ledger's last attempt here is this board's */
        char *policy; /* by name: the configuration may be another meanwhile */
        struct image_copy *image;
        struct slot_data data;

        bool has_job; /* also one that has ended, while its board stays, or its failure is to be seen */
        struct job job;
        char job_id[SD_ID128_STRING_MAX];
        char job_mac[SLOT_MAC_SIZE]; /* of the job's board; empty: it has none */
        char job_board[BOARD_ID_SIZE];
        const struct chip *job_chip; /* or NULL */
        char *waits;                 /* queued: what for, or NULL */
        bool any, reset;             /* the policy's mode and after */
        bool comes_back;     /* once flashed, the board is reset: by us, or by itself if it is no mask ROM */
        bool released;       /* the policy would hold this board, a person had it flashed */
        bool ordered;        /* the job is a person's order: espdfuctl flash */
        bool adopted;        /* what stands there is what the ledger's order was about before DETACH */
        unsigned job_devnum; /* the presence that the job is about */
        uint64_t job_initialized_usec;
        int64_t row; /* of the attempt, while it is open */
        struct runner *runner;
        struct slot_order order;            /* of a person, which waits for the ledger */
        uint64_t reset_expected_until_usec; /* until then the same board's arrival follows our own reset */
        uint64_t
                flashed_back_until_usec; /* until then the same MAC's arrival is the flashed board, back by itself */
        struct flapping flapping;
        bool flaps; /* it is held for it; to be shown when the job is over */

        enum phase shown_phase; /* what was told last */
        uint64_t shown_bytes;
        sd_event_source *timer;
};

int slot_timer_init(struct slot *slot);
struct presence_key slot_presence(const struct slot *slot);
void slot_job_event(struct slot *slot, const struct job_event *event);
/* Whose stay the job's verdict will be about: a board that comes after the job's own had left is another. */
void slot_note_job_presence(struct slot *slot);
/* Asks the policies about its board, which the ledger has forgotten; a board that a person had released stays released. */
void slot_begin_again(struct slot *slot);
/* Why nothing begins here, or NULL: what people hold, be it the slot or the station. */
const char *slot_held(const struct slot *slot);
/* Tells what shows, and sets the timer. */
void slot_job_changed(struct slot *slot);
void slot_job_ended(struct slot *slot);
void slot_set_timer(struct slot *slot);

/* Takes image. policy may be one without a name: none counts for the board. */
void slot_queue_job(struct slot *slot, const struct config_policy *policy, struct image_copy *image);
/* Of the board: whether the image is made for it. 0, 1 with *ret_why, or -ENOMEM. */
int slot_check_image(const struct slot *slot, const struct image_copy *image, char **ret_why);
/* Asks the policies what to do with the board; not while a job is under way. */
void slot_consider(struct slot *slot);
void slot_drop_job(struct slot *slot);
void slot_rest_in(struct slot *slot, enum phase phase, const char *message);
/* The same with the policy that says so, or NULL. */
void slot_rest_by(struct slot *slot, const struct config_policy *policy, enum phase phase,
                  const char *message);

/* A board has come: what the ledger has of a person's order about this port is about it, or about nobody any more. */
void slot_flash_arrived(struct slot *slot, bool first);
/* Of the board that stands there the ledger says that a person ordered it to be flashed by its policy. */
bool slot_flash_is_ordered(const struct slot *slot);
/* The same with an image that is gone with the daemon before this one: why nothing is done, or NULL. Borrowed. */
const char *slot_flash_lost(const struct slot *slot);
/* The job has an image that a person gave, and nothing of it has begun: the policies are others now. */
void slot_flash_again(struct slot *slot);
/* The same where the board of the job is back, in slot perhaps. Why it does not go on (in text), or NULL. */
const char *slot_flash_why_not(const struct slot *slot, const struct slot *job, char *text, size_t size);
/* What the ledger is to say of the job's board from its attempt on; false: nothing, it is no person's order. */
bool slot_flash_note(const struct slot *slot, struct presence_note *ret);
/* The job goes on elsewhere: the ledger has nothing of it about this port any more. */
void slot_flash_moved(struct slot *slot);
/* No order waits any more. */
void slot_order_done(struct slot *slot);

/* The job's board is back in its slot: says to the job whether it is flashed as before. */
void slot_check_policy(struct slot *slot);
/* Goes on with what another slot began with this board. False: there is nothing to go on with. */
bool slot_join_its_job(struct slot *slot);
/* The slot's board leaves: whether it was once too often, and the slot is held. */
bool slot_note_leave(struct slot *slot);
/* After a job: shows that it is held for that, if it is and no board is there. */
bool slot_rest_if_flapping(struct slot *slot);
void slot_note_flashed_leave(struct slot *slot);
/* Why the board that has just come is not to be flashed again, or NULL. same: it may be the one before it here; first: none
 * was here before, since the daemon's start. */
const char *slot_why_back(struct slot *slot, bool same, bool first);

/* A job begins by this policy; forgets what was before. 0 or -ENOMEM. */
int slot_data_begin(struct slot *slot, const struct config_policy *policy);
void slot_data_done(struct slot *slot);
/* Why the board of the job, which is back, does not go on by its policy as it is now (in text), or NULL. */
const char *slot_data_why_not(const struct slot *job, const struct config_policy *policy, char *text,
                              size_t size);
/* The job goes on in another slot. */
void slot_data_move(struct slot *from, struct slot *to);
/* Before an attempt: the board's file is chosen and put into the image. False: it has to wait, and says for what. */
bool slot_data_prepare(struct slot *slot);
/* As ledger_attempt_open(). */
int slot_data_open_row(struct slot *slot, const struct attempt_record *record, ledger_done_t done);
/* What came of it. Returns why it failed where that is about the data, or NULL. */
const char *slot_data_row_opened(struct slot *slot, int r);
/* What the engine gets, or -EBADF: never the image without the data that belongs into it. */
int slot_data_image_fd(const struct slot *slot);
/* The board may be on its port for another stay than before. */
void slot_data_note_presence(struct slot *slot);
/* The job has taken a step: what it does not need any more is free again. */
void slot_data_stepped(struct slot *slot);
/* Which file the next board of this policy gets here, as a sentence behind *message. */
int slot_data_explain(const struct slot *slot, const char *name, char **message);
