/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device that speaks DFU 1.1 to the letter, in DFU mode: appendix A of the specification as a table of states, with
 * work that takes time. Counts what a host does against the specification.
 */
#pragma once

#include "tests/unit/host-bus.h"

#define DFU11_FIRMWARE_MAX 65536 /* bytes */

struct dfu11_config {
        uint16_t transfer_size;
        bool tolerant;                  /* bitManifestationTolerant */
        uint32_t block_work_msec;       /* to write a block */
        uint32_t first_block_work_msec; /* … the first; 0: as any other */
        uint32_t manifest_msec;         /* to make use of the whole */
        uint32_t asks_for_msec;         /* bwPollTimeout while it is busy; 0: as long as the work will take */
        bool asks_for_no_time;          /* bwPollTimeout is 0 though it is busy */
        bool says_sync;                 /* while it works it says dfuDNLOAD-SYNC, as some do, not dfuDNBUSY */
        unsigned never_done_block;      /* this block, 1, 2, …, is never written; 0: none */
        bool never_manifests;
        enum dfu_code fails_with; /* when it manifests; DFU_OK: does not */
        unsigned failing_block;   /* is errWRITE; 0: none */
        uint64_t transfer_usec;   /* a control transfer takes so long */
};

struct dfu11_device {
        struct dfu11_config config;
        enum dfu_state state;
        enum dfu_code code;
        bool manifested;
        uint64_t done_usec;    /* of the work under way */
        uint64_t silent_until; /* bwPollTimeout: not to be asked before */
        unsigned blocks;
        uint16_t next_block;
        bool short_block; /* the last one was not full: no other may follow */
        uint8_t firmware[DFU11_FIRMWARE_MAX];
        size_t len;

        unsigned too_early; /* requests before bwPollTimeout had passed */
        unsigned
                violations; /* requests that the state does not allow, wrong block numbers, blocks after a short one */
};

/* A host_control. */
void dfu11_control(void *device, const struct rom_setup *setup, const uint8_t *out, uint64_t now_usec,
                   struct rom_reply *ret);
