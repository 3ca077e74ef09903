/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host side of DFU, sans I/O and without a clock: says which request comes next, is told how each ended, and comes
 * to a verdict. One machine, two profiles that differ in what may be in flight:
 *
 *   rom    the mask ROM: once the first block is taken they stand in the bus's queue one behind the other, a GETSTATUS
 *          queued among them now and then like a block; bwPollTimeout (always 256 ms) is not waited for.
 *   dfu11  any other DFU 1.1 device, to the letter: one request at a time, GETSTATUS after each block, bwPollTimeout
 *          obeyed.
 *
 *          meet ──(not dfuIDLE, OK)── clear ── meet again
 *           │                                      │
 *           └────────────── send ──────────────────┘   blocks, and GETSTATUS that must say dfuDNLOAD-IDLE, OK
 *                            │                         the last one before the next line
 *                         manifest                     the empty DNLOAD
 *                            │
 *                          result                      GETSTATUS: dfuIDLE, OK is `flashed`; nothing else is
 *
 * On a failure, a cancel or a time-out everything in flight is cancelled and reaped first (drain). Only then may ABORT
 * or CLRSTATUS follow: a DNLOAD that stands behind one begins a raw write at flash address 0. So does the second block
 * where the device did not get the first: nothing is queued behind that.
 *
 * The driver: dfu_start() or dfu_start_detach(); then, until DFU_DO_END: carry out what dfu_next() says until it says
 * DFU_DO_WAIT; report each completion by dfu_completed(); call dfu_expired() when dfu_deadline() has passed.
 * Source: docs/rom-dfu.md; DFU 1.1, sections 6 and 7 and appendix A.
 */
#pragma once

#include "core/dfu-protocol.h"
#include "core/verdict.h"

#define DFU_DEPTH_MAX        64  /* transfers in flight */
#define DFU_MESSAGE_MAX      160 /* bytes of a verdict's text, with its NUL */
#define DFU_REQUEST_LIMIT    (5 * USEC_PER_SEC)
#define DFU_DRAIN_LIMIT      (2 * USEC_PER_SEC)
#define DFU_VERIFY_LIMIT     (30 * USEC_PER_SEC)   /* and … */
#define DFU_VERIFY_PER_MIB   (6 * USEC_PER_SEC)    /* … so much for each MiB to be read back */
#define DFU_ERASE_PER_SECTOR (250 * USEC_PER_MSEC) /* worn parts; 9.4 ms are usual */
/*
 * And all blocks together, or a board that answers each within its limit would hold its place for a day: so long they may take, and
 * so much longer for what is taken at this pace and for the sectors that are erased. 120 boards on one full-speed bus have
 * 6.9 kB/s each (docs/performance.md), three times the pace; what has no plan is a dfu11 device, which erases in its blocks.
 */
#define DFU_SEND_LIMIT     (60 * USEC_PER_SEC)
#define DFU_PACE_MIN       2048                /* bytes/s */
#define DFU_PACE_MIN_DFU11 512                 /* bytes/s; 64 in a block, and bwPollTimeout 125 ms */
#define DFU_POLL_MIN       USEC_PER_MSEC       /* a frame: one that is busy is not asked without a pause */
#define DFU_POLL_LIMIT     (60 * USEC_PER_SEC) /* neither a bwPollTimeout nor being busy may take longer */

enum dfu_profile { DFU_PROFILE_ROM, DFU_PROFILE_DFU11, DFU_PROFILE_MAX_ };
DECLARE_WORDS(dfu_profile)

struct dfu_params {
        enum dfu_profile profile;
        size_t size;            /* bytes to send, at least 1 */
        uint16_t transfer_size; /* bytes a block, at least 1 */
        bool manifestation_tolerant;
        unsigned depth;        /* transfers in flight, 1 to DFU_DEPTH_MAX; the dfu11 profile takes 1 */
        unsigned status_every; /* blocks from one GETSTATUS to the next; the dfu11 profile takes 1 */
        size_t verify_bytes;   /* what the device reads back at the end: its time limit grows with it */
        /* Bytes that the device erases when it takes [offset, offset + len) of what is sent; NULL: unknown. */
        size_t (*erase_bytes)(const void *userdata, size_t offset, size_t len);
        const void *userdata;
};

enum dfu_do {
        DFU_DO_WAIT,    /* for a completion or the deadline */
        DFU_DO_REQUEST, /* submit the request, behind what is in flight */
        DFU_DO_CANCEL,  /* cancel everything in flight; each still completes */
        DFU_DO_END,     /* nothing is in flight, dfu->verdict is final */
};

struct dfu_action {
        enum dfu_do type;
        unsigned tag; /* names this request in its completion, 0 to DFU_DEPTH_MAX - 1 */
        enum dfu_request request;
        uint16_t value;  /* wValue */
        uint16_t length; /* wLength; for DNLOAD the bytes from offset, for GETSTATUS what is asked for */
        size_t offset;   /* DNLOAD: where in what is sent */
};

enum dfu_result {
        DFU_DONE,
        DFU_STALL,
        DFU_GONE,      /* the device has left */
        DFU_CANCELLED, /* by DFU_DO_CANCEL */
        DFU_BUS_ERROR,
};

struct dfu_completion {
        unsigned tag;
        enum dfu_result result;
        size_t length;       /* bytes moved */
        const uint8_t *data; /* GETSTATUS: the answer; borrowed for the call */
};

enum dfu_stage {
        DFU_STAGE_DETACH,
        DFU_STAGE_MEET,
        DFU_STAGE_CLEAR,
        DFU_STAGE_MEET_AGAIN,
        DFU_STAGE_SEND,
        DFU_STAGE_MANIFEST,
        DFU_STAGE_RESULT,
        DFU_STAGE_CAUSE, /* after a stall or a bus error: GETSTATUS tells more, or that the device is gone */
        DFU_STAGE_ABORT, /* after a cancel */
        DFU_STAGE_END,
};

struct dfu_flight {
        enum dfu_request request;
        bool done;
        size_t offset;
        uint16_t length;
};

/* The owner looks at stage, bytes_done, transfers, verdict, message and the last status; the rest is the machine's own. */
struct dfu {
        struct dfu_params params;
        enum dfu_stage stage;
        size_t bytes_done;  /* taken by the device */
        uint64_t transfers; /* requests submitted */
        enum verdict verdict;
        char message[DFU_MESSAGE_MAX];

        struct dfu_flight flights[DFU_DEPTH_MAX]; /* a ring: head to tail - 1, modulo DFU_DEPTH_MAX */
        uint64_t head, tail;
        size_t next_offset;    /* of the next block */
        size_t checked_offset; /* up to here a GETSTATUS has said OK */
        unsigned since_status; /* blocks submitted since the last GETSTATUS */
        uint16_t block_number; /* wValue of the next DNLOAD */
        bool asked;            /* this stage's one request was submitted */
        bool manifest_sent;    /* the empty DNLOAD is under way, or through */
        bool draining;         /* nothing is submitted until all in flight is reaped */
        bool cancel_wanted;    /* DFU_DO_CANCEL is due */
        bool abort_wanted;     /* ABORT is due after the drain */
        bool detach_repeated;
        enum dfu_request clear_with; /* CLRSTATUS or ABORT */
        bool has_status;             /* one came */
        struct dfu_status status;    /* the last one */
        uint64_t busy_since_usec;    /* USEC_INFINITY: not busy */
        uint64_t poll_usec;          /* dfu11: not before that; 0: at once */
        uint64_t send_since_usec;    /* the first block was submitted; USEC_INFINITY: none was */
        uint64_t deadline_usec;      /* of the request at the ring's head, of a poll, of the drain */
};

void dfu_start(struct dfu *dfu, const struct dfu_params *params);
/* A device in run-time mode: one DETACH; verdict `detached`. timeout_ms is DETACH's wValue. */
void dfu_start_detach(struct dfu *dfu, uint16_t timeout_ms);

void dfu_next(struct dfu *dfu, uint64_t now_usec, struct dfu_action *ret);
void dfu_completed(struct dfu *dfu, const struct dfu_completion *completion, uint64_t now_usec);

/* When dfu_expired() is due, USEC_INFINITY for never. */
uint64_t dfu_deadline(const struct dfu *dfu);
void dfu_expired(struct dfu *dfu, uint64_t now_usec);

/* Ends with DFU_ABORT and the verdict `cancelled`; nothing if an end is already under way. */
void dfu_cancel(struct dfu *dfu);

/* How long the device may stay silent after all of size bytes was sent. */
uint64_t dfu_verify_limit(size_t verify_bytes);
