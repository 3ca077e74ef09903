/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of one job: a board is to be flashed. It outlives the board's re-enumeration after DETACH, and makes as many
 * attempts as its policy allows. Pure: events in, one action out, time passed in; daemon/slot.c carries the actions out.
 *
 *      queued ──place── opening ──row open── running ──verdict── closing ──row closed── ended
 *        ▲                                   ▲     │ detached        │
 *        │                                   └─── away               │ transient, attempts left,
 *        ├─────────────────────── after retry-delay ─────────────────┤ board still there
 *        └──────── it is back, its policy stands ──── returning ─────┘ board left, attempts left: for return-time
 *
 * An attempt's row in the ledger is open before the engine starts, and closed before the attempt's verdict shows. Where the
 * machine has no process, descriptor or memory for an engine, the attempt waits for one, as long as that takes.
 */
#pragma once

#include "core/engine-message.h"

#define JOB_ENGINE_START_LIMIT (15 * USEC_PER_SEC) /* to the engine's first word */
#define JOB_ENGINE_END_LIMIT                                                                                 \
        (5 * USEC_PER_SEC) /* from its verdict to its end, and from the board's leaving */
#define JOB_ENGINE_STOP_LIMIT (10 * USEC_PER_SEC) /* from SIGTERM to its end */
#define JOB_ENGINE_KILL_LIMIT (5 * USEC_PER_SEC)  /* from SIGKILL until the slot is called stuck */
#define JOB_ENGINE_BACK_LIMIT (2 * USEC_PER_SEC)  /* to its end, once the board is back from DETACH */
#define JOB_START_RETRY       (1 * USEC_PER_SEC)  /* an engine that could not be started is tried again */
#define JOB_LEDGER_RETRY      (5 * USEC_PER_SEC)  /* a row that could not be written is tried again */
#define JOB_MESSAGE_MAX       512                 /* bytes, with the NUL: what an engine or the ledger says */
#define JOB_DETACHES_MAX      3                   /* in one attempt */
#define JOB_RETRY_DELAY_MAX   (60 * USEC_PER_SEC) /* it doubles up to this; a longer one stays as it is */
#define JOB_PERSON_MAX        64                  /* bytes, with the NUL: who cancelled */

enum job_state {
        JOB_QUEUED,
        JOB_OPENING,
        JOB_RUNNING,
        JOB_AWAY, /* detached: the board is to come back on its port in DFU mode */
        JOB_CLOSING,
        JOB_RETURNING, /* the board left in the middle of it, and may be back: on this port, or on another */
        JOB_ENDED,
};

enum job_event_type {
        JOB_EV_PLACE,              /* the station lets it go on, now that job_wants_place() */
        JOB_EV_ROW_OPENED,         /* the attempt is in the ledger */
        JOB_EV_ROW_FAILED,         /* it could not be written */
        JOB_EV_ENGINE_NOT_STARTED, /* the machine has nothing to start it with, for now; text says what */
        JOB_EV_ENGINE_SAID,        /* message */
        JOB_EV_ENGINE_ENDED,       /* the process was reaped; text says how, if it was not by itself */
        JOB_EV_LEFT,               /* the board is off the bus */
        JOB_EV_ARRIVED,            /* a board is on the port */
        JOB_EV_ROW_CLOSED,
        JOB_EV_TIME, /* job_deadline() has passed */
        /* By a person, whom text names ("user joe"): the attempt is the last, also after a restart. Or by the daemon's stop
         * (text is NULL): the next daemon starts again. */
        JOB_EV_CANCEL,
        JOB_EV_ELSEWHERE, /* the board is on another port: this one's attempt is to be over soon */
        /* What JOB_DO_CHECK_POLICY asked for: it is flashed as before; or not, and text says why. */
        JOB_EV_RESUME,
        JOB_EV_GIVE_UP,
};

struct job_event {
        enum job_event_type type;
        const struct engine_message *message;
        const char *text; /* or NULL */
        /* JOB_EV_ARRIVED */
        bool same_board; /* as far as its identity shows: chip and, where it has one, MAC */
        bool same_mac;   /* it is the job's own board: it tells its MAC */
        bool dfu_mode;
        /* JOB_EV_LEFT */
        bool for_good; /* its return is not waited for */
};

enum job_do {
        JOB_DO_NOTHING,
        JOB_DO_OPEN_ROW,
        JOB_DO_START_ENGINE,
        JOB_DO_TERMINATE_ENGINE, /* SIGTERM: abort, then out */
        JOB_DO_KILL_ENGINE,
        JOB_DO_CLOSE_ROW,    /* with verdict, message and final */
        JOB_DO_CHECK_POLICY, /* the board is back: JOB_EV_RESUME or JOB_EV_GIVE_UP */
        JOB_DO_END,          /* the job is over; verdict and message are its last attempt's */
};

struct job_params {
        unsigned attempts_max;     /* at least 1 */
        uint64_t retry_delay_usec; /* before the second attempt; it doubles from one to the next */
        uint64_t reattach_usec;    /* how long a detached board may take to come back */
        /* How long one that left in the middle of it may; 0: it cannot be known again (no MAC), so what comes is another. */
        uint64_t return_usec;
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
        bool lost;          /* the board left unplanned since the attempt began; it may be present again */
        uint64_t left_usec; /* when it left last */
        bool for_good;      /* its return is not waited for */
        bool elsewhere;     /* it is on another port */
        bool given_up;      /* the attempt that is opened is there to record the job's end */
        bool cancelled;
        char cancelled_by[JOB_PERSON_MAX]; /* the person, or empty */
        bool killed;
        bool start_waits;   /* running, but for its engine: message says why it could not be started */
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
/* It has to leave the bus now: DETACH sent it to DFU mode, or it was reset after its download. */
bool job_expects_leave(const struct job *job);
/* How long the next attempt is delayed after the one that is over. */
uint64_t job_retry_delay(const struct job *job);
/* When JOB_EV_TIME is due (queued: when it wants a place), USEC_INFINITY for never. */
uint64_t job_deadline(const struct job *job);
