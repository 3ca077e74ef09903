/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host without a cable and without a clock on the wall: drives core/dfu against a model of a device, in virtual time.
 *
 * The bus is what Linux makes of control transfers: those in flight stand in a queue, the device gets one at a time, in
 * order, and the next only when the last is over. A transfer whose turn has not come when it is cancelled never reaches
 * the device; what the one at its turn does to the device has happened, however it ends for the host. A board that
 * leaves takes the whole queue with it.
 *
 * At each submission and at the end the driver checks what must hold whatever the device does: never more in flight
 * than the depth, nothing behind the first block, blocks in order and within the image, nothing submitted while cancelled transfers are out, ABORT and
 * CLRSTATUS alone on the bus, an end with a verdict, one line of text and nothing in flight.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/dfu.h"
#include "core/erase-plan.h"
#include "tests/rom/sample-image.h"

#define HOST_DEPTH        32  /* as the engine has it */
#define HOST_STATUS_EVERY 256 /* too */

/* Takes one control transfer when its turn has come, as rom_control(). */
typedef void (*host_control)(void *device, const struct rom_setup *setup, const uint8_t *out,
                             uint64_t now_usec, struct rom_reply *ret);

struct host_transfer {
        struct dfu_action action;
        bool at_device;     /* its turn has come: the device has it */
        uint64_t done_usec; /* then: when it is over; USEC_INFINITY: never */
        struct rom_reply reply;
};

struct host {
        struct dfu dfu;
        struct dfu_params params; /* a test may change them before download() */
        uint64_t now_usec;
        const uint8_t *payload; /* params.size bytes; borrowed */
        host_control control;
        void *device;

        /* The board, where it is the ROM; owned. */
        struct rom *rom;
        struct sample_image image;
        struct erase_plan plan;

        /* What the test wants of the bus. */
        unsigned cancel_at;          /* SIGTERM comes when the nth transfer has its turn; 0: never */
        bool cancel_at_once;         /* … before the first */
        unsigned late;               /* so many of the queue's first run on after they were cancelled */
        bool reversed;               /* cancelled transfers come back from the last to the first */
        bool gives_nothing_back;     /* cancelled transfers never come back */
        bool leaves_with_bus_error;  /* the transfer at its turn ends so, and only those behind say `gone` */
        uint64_t busy_until_usec;    /* the device takes its first transfer then */
        unsigned slow_from;          /* from the nth transfer on each takes longer; 0: none does */
        uint64_t slow_usec;          /* … by so much */
        enum dfu_result broken_with; /* the nth transfer fails on the bus, unseen by the device */
        unsigned broken_at;          /* 0: none */

        /* What happened. */
        struct host_transfer queue[DFU_DEPTH_MAX + 1];
        size_t n; /* in the queue */
        bool gone;
        bool draining; /* cancelled transfers are out */
        unsigned handed_in;
        size_t deepest;
        /* Times that the bus could have had one more block behind the first, and was given none. */
        unsigned starved;
        unsigned lonely_status; /* GETSTATUS among the blocks that went to an empty queue */
        unsigned dnloads;
        char requests[256]; /* S B E C A D for GETSTATUS, block(s), empty DNLOAD, CLRSTATUS, ABORT, DETACH */
};

/* ---- a board with the mask ROM ---- */

/* In DFU mode and dfuIDLE, with a small image for it: 160 blocks. Virtual time begins at an hour. */
void host_meets(struct host *host, const struct rom_config *config);
/* That image. */
void host_small_image(struct sample_image *ret);
/* The same with an image of the caller's, which is moved. */
void host_meets_with(struct host *host, const struct rom_config *config, struct sample_image *image);
void host_done(struct host *host);
/* One request that another program sends before ours begins. */
void host_somebody_sends(struct host *host, enum rom_request request, const void *data, uint16_t length);
void host_fault(struct host *host, enum rom_fault_when when, enum rom_request request, unsigned nth,
                enum rom_fault_what what, uint64_t value);

/* ---- what it does ---- */

/* To the verdict. Time passes by itself. */
void download(struct host *host);
/* Again, for the same board: a second attempt. */
void download_again(struct host *host);
void detach(struct host *host);
/* Any other machine or device: until DFU_DO_END. host->dfu is started already. */
void host_drive(struct host *host);

/* ---- what is expected ---- */

/* text: a part of the message. */
#define expect_verdict(host, verdict, text) expect_verdict_((host), (verdict), (text), __FILE__, __LINE__)
void expect_verdict_(const struct host *host, enum verdict verdict, const char *text, const char *file,
                     int line);
/* "S B S E S": a run of blocks is one B. */
void expect_requests(const struct host *host, const char *requests);
/* The ROM holds the image, and says that it does. */
void expect_flashed(const struct host *host);
/* No DNLOAD ever stood behind an ABORT or CLRSTATUS, and the ROM's buffer was never overrun. */
void expect_no_harm(const struct host *host);
/* Of virtual time since download(), at most. */
void expect_within(const struct host *host, uint64_t usec);
bool host_board_is_flashed(const struct host *host);
