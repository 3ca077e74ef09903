/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine's line to its daemon: progress, at most ten times a second, phases at once, and in the end one verdict.
 * Its closing tells the engine that nobody waits for the board any more.
 */
#pragma once

#include "core/engine-message.h"

#define CHANNEL_INTERVAL (100 * USEC_PER_MSEC)
/* What may follow a deadline before the verdict is out: the drain, the cause or an ABORT. */
#define CHANNEL_QUIET_MARGIN (15 * USEC_PER_SEC)

struct channel {
        int fd; /* SOCK_SEQPACKET; borrowed */
        struct engine_message last;
        uint64_t last_usec; /* when it was sent; 0: nothing was */
        bool dirty;         /* what was told last is out of date */
};

/* Whether fd is such a socket; else -ENOTSOCK or what the kernel says. */
int channel_init(struct channel *channel, int fd);

/* Tells how far the board is; at once if the phase is another, else when the interval allows. text is not used. */
int channel_progress(struct channel *channel, const struct engine_message *message, uint64_t now_usec);

/* When channel_progress() should be called again for what it held back; USEC_INFINITY: never. */
uint64_t channel_deadline(const struct channel *channel);

/* The last word. Waits until the daemon has room for it. */
int channel_verdict(struct channel *channel, const struct engine_message *message);
