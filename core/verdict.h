/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words for how far a board is (phase) and how an attempt ended (verdict).
 * The same words stand on the socket, in the ledger, in the journal and on the screen.
 */
#pragma once

#include "core/words.h"

enum phase {
        PHASE_EMPTY,       /* no board in the slot */
        PHASE_NO_POLICY,   /* a board for which no policy is */
        PHASE_UNUSABLE,    /* its policy cannot be used: no image, or one that is refused */
        PHASE_IGNORED,     /* its policy says action = ignore */
        PHASE_HELD,        /* its policy says action = hold, or the slot is: by a person, for flapping */
        PHASE_QUEUED,      /* waits: for a free place (jobs-max), the next attempt, or its board's return */
        PHASE_DETACHING,   /* from run-time mode to DFU mode: DETACH, until the board is back on the port */
        PHASE_DOWNLOADING, /* from the first request in DFU mode to the last block */
        PHASE_VERIFYING,   /* the empty DNLOAD: the ROM reads back what it wrote */
        PHASE_RESETTING,   /* after = reset */
        PHASE_FLASHED,     /* succeeded; the board is still plugged in */
        PHASE_FAILED,      /* no attempt is left; the board is still plugged in */
        PHASE_CANCELLED,   /* a person or a stop of the daemon ended it */
        PHASE_STUCK,       /* the kernel holds the engine; waits until it is reaped */
        PHASE_MAX_,
};
DECLARE_WORDS(phase)

/* Whether a job is under way in this phase. */
bool phase_is_running(enum phase phase);

enum verdict {
        VERDICT_NONE,          /* not ended */
        VERDICT_FLASHED,       /* the ROM verified every file: dfuIDLE, OK after the empty DNLOAD */
        VERDICT_DETACHED,      /* the board was sent to DFU mode; the job goes on when it is back */
        VERDICT_CANCELLED,     /* by a person or a stop of the daemon */
        VERDICT_BOARD_LEFT,    /* unplugged, or lost its power */
        VERDICT_NOT_RETURNED,  /* did not come back after DETACH */
        VERDICT_REPLACED,      /* another board came in its place */
        VERDICT_TIMED_OUT,     /* no answer within the phase's limit, or too slow in all */
        VERDICT_STALLED,       /* refused a request without a DFU error */
        VERDICT_BOARD_ERROR,   /* DFU error status while downloading */
        VERDICT_VERIFY_FAILED, /* DFU error status after the empty DNLOAD */
        VERDICT_BAD_ANSWER,    /* short, or a state that makes no sense */
        VERDICT_NOT_DFU, /* descriptors that cannot be used, or not the ROM's where only the ROM is wanted */
        VERDICT_IMAGE_REFUSED, /* the image is not for this board */
        VERDICT_BUSY,          /* somebody else has claimed the interface */
        VERDICT_NO_ACCESS,     /* the device node could not be opened */
        VERDICT_USB_ERROR,     /* the transfer failed on the bus */
        VERDICT_ENGINE_FAILED, /* the engine crashed, was killed, or spoke nonsense */
        VERDICT_INTERRUPTED,   /* the daemon ended in the middle of it */
        VERDICT_MAX_,
};
DECLARE_WORDS(verdict)

/* Whether another attempt can help: chance on the bus, not a property of the board, the image or the rules. The same as a
 * table: docs/ledger.md, "Verdicts". */
bool verdict_is_transient(enum verdict verdict);
/* Whether a job that ends with this verdict has failed: neither done, nor given up on purpose. */
bool verdict_is_failure(enum verdict verdict);
