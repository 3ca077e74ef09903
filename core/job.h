/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of one job: a board is to be flashed. It outlives the board's re-enumeration after DETACH, and makes as many
 * attempts as its policy allows. Pure: events in, one action out, time passed in; daemon/slot.c carries the actions out.
 *
 *      queued ──place── opening ──row open── running ──verdict── closing ──row closed── ended
 *        ▲                                   ▲     │ detached        │
 *        │                                   └─── away               │ transient, attempts left,
 *        └─────────────────────── after retry-delay ─────────────────┘ board still there
 *
 * An attempt's row in the ledger is open before the engine starts, and closed before the attempt's verdict shows.
 */
#pragma once

#include "core/engine-message.h"

#define JOB_ENGINE_START_LIMIT (15 * USEC_PER_SEC) /* to the engine's first word */
#define JOB_ENGINE_END_LIMIT                                                                                 \
        (5 * USEC_PER_SEC) /* from its verdict to its end, and from the board's leaving */
#define JOB_ENGINE_STOP_LIMIT (10 * USEC_PER_SEC) /* from SIGTERM to its end */
#define JOB_ENGINE_KILL_LIMIT (5 * USEC_PER_SEC)  /* from SIGKILL until the slot is called stuck */
#define JOB_ENGINE_BACK_LIMIT (2 * USEC_PER_SEC)  /* to its end, once the board is back from DETACH */
#define JOB_LEDGER_RETRY      (5 * USEC_PER_SEC)  /* a row that could not be written is tried again */
#define JOB_MESSAGE_MAX       512                 /* bytes, with the NUL: what an engine or the ledger says */
#define JOB_DETACHES_MAX      3                   /* in one attempt */
#define JOB_PERSON_MAX        64                  /* bytes, with the NUL: who cancelled */

enum job_state {
        JOB_QUEUED,
        JOB_OPENING,
        JOB_RUNNING,
        JOB_AWAY, /* detached: the board is to come back on its port in DFU mode */
        JOB_CLOSING,
        JOB_ENDED,
};

enum job_event_type {
        JOB_EV_PLACE,        /* the station lets it go on, now that job_wants_place() */
        JOB_EV_ROW_OPENED,   /* the attempt is in the ledger */
        JOB_EV_ROW_FAILED,   /* it could not be written */
        JOB_EV_ENGINE_SAID,  /* message */
        JOB_EV_ENGINE_ENDED, /* the process was reaped; text says how, if it was not by itself */
        JOB_EV_LEFT,         /* the board is off the bus */
        JOB_EV_ARRIVED,      /* a board is on the port */
        JOB_EV_ROW_CLOSED,
        JOB_EV_TIME, /* job_deadline() has passed */
        /* By a person, whom text names ("user joe"): the attempt is the last, also after a restart. Or by the daemon's stop
         * (text is NULL): the next daemon starts again. */
        JOB_EV_CANCEL,
};

struct job_event {
        enum job_event_type type;
        const struct engine_message *message;
        const char *text; /* or NULL */
        /* JOB_EV_ARRIVED */
        bool same_board; /* as far as its identity shows: chip and, where it has one, MAC */
        bool dfu_mode;
};

enum job_do {
        JOB_DO_NOTHING,
        JOB_DO_OPEN_ROW,
        JOB_DO_START_ENGINE,
        JOB_DO_TERMINATE_ENGINE, /* SIGTERM: abort, then out */
        JOB_DO_KILL_ENGINE,
        JOB_DO_CLOSE_ROW, /* with verdict, message and final */
        JOB_DO_END,       /* the job is over; verdict and message are its last attempt's */
};

struct job_params {
        unsigned attempts_max; /* at least 1 */
        uint64_t retry_delay_usec;
        uint64_t reattach_usec; /* how long a detached board may take to come back */
};

/* Read by its owner, written by job_step() alone. */
struct job {
        struct job_params params;
        enum job_state state;
        unsigned attempt; /* 1, 2, …; 0 before the first */
        enum phase phase; /* to be shown */
        enum verdict verdict;
        char message[JOB_MESSAGE_MAX];
        bool final; /* of an attempt that is being closed: none follows, not after a restart either */
        char engine_text
                [ENGINE_MESSAGE_TEXT_MAX]; /* what the engine itself said with its verdict, or empty */
        bool has_status;                   /* the engine told the board's last DFU status … */
        struct dfu_status status;          /* … with its verdict */
        uint64_t bytes_done, bytes_total, transfers;
        /* How long this attempt was in a phase, and away: from DETACH until the board was back. 0: never. */
        uint64_t detaching_usec, away_usec, downloading_usec, verifying_usec;
        uint64_t counted_until_usec;
        uint64_t attempt_start_usec;  /* when its row was ordered */
        uint64_t download_start_usec; /* when the first block was under way; 0: not yet */
        bool present;                 /* a board is on the port */
        bool dfu_mode;                /* it is in DFU mode already: no DETACH is to come */
        bool replaced;                /* what is on the port now came after the job's board had left … */
        bool same_board;              /* … but looks like it */
        bool cancelled;
        char cancelled_by[JOB_PERSON_MAX]; /* the person, or empty */
        bool killed;
        bool engine_judged; /* it gave its verdict: nothing more is heard from it */
        bool left_since_detach;
        bool detach_unanswered; /* the last one: whether the board does it, shows when it leaves */
        unsigned detaches;
        uint64_t not_before_usec; /* queued: until then */
        uint64_t quiet_since_usec;
        uint64_t deadline_usec;
};

/* dfu_mode: whether the board that is on the port is in DFU mode. */
void job_init(struct job *job, const struct job_params *params, bool dfu_mode);
enum job_do job_step(struct job *job, const struct job_event *event, uint64_t now_usec);

/* Queued, and its time has come. */
bool job_wants_place(const struct job *job, uint64_t now_usec);
/* An attempt is under way; counts against jobs-max. */
bool job_is_running(const struct job *job);
/* When JOB_EV_TIME is due (queued: when it wants a place), USEC_INFINITY for never. */
uint64_t job_deadline(const struct job *job);
