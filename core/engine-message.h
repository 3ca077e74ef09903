/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an engine tells its daemon: one small packet of fixed size over a SOCK_SEQPACKET pair, little-endian. The last
 * one carries a verdict. The daemon trusts none of it: every field is bounded when it is taken off the wire.
 */
#pragma once

#include "core/dfu-protocol.h"
#include "core/verdict.h"

#define ENGINE_MESSAGE_TEXT_MAX 160 /* bytes, with the NUL */
#define ENGINE_MESSAGE_SIZE     208 /* bytes on the wire */
#define ENGINE_QUIET_MAX        (30 * 60 * USEC_PER_SEC)

struct engine_message {
        enum phase phase;     /* detaching, downloading, verifying or resetting */
        enum verdict verdict; /* VERDICT_NONE: goes on */
        uint64_t bytes_done, bytes_total;
        uint64_t transfers;
        uint64_t quiet_usec; /* the next message comes within this time, else the engine hangs */
        bool has_status;     /* a GETSTATUS was answered; status is the last answer, without its poll time */
        struct dfu_status status;
        char text[ENGINE_MESSAGE_TEXT_MAX];
};

void engine_message_encode(const struct engine_message *message, uint8_t ret[static ENGINE_MESSAGE_SIZE]);

/* Returns 0, or -EBADMSG if it is not what an engine says; *ret is untouched then. */
int engine_message_decode(const uint8_t *data, size_t len, struct engine_message *ret);
