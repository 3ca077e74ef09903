/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carries out what core/dfu says, over libusb's asynchronous transfers: submit, reap, tell. One loop, which waits for
 * the bus, the daemon, a signal and the machine's deadline at once.
 */
#pragma once

#include "core/dfu.h"
#include "engine/board.h"
#include "engine/channel.h"
#include "engine/payload.h"

struct download;

/* board, payload and channel are borrowed; signal_fd: readable when the engine was told to stop. payload may be NULL
 * for a board in run-time mode, which is only detached. Returns 0 or -ENOMEM. */
int download_new(struct board *board, const struct payload *payload, struct channel *channel, int signal_fd,
                 struct download **ret);
/* Only after download_run(). What the bus never gave back is left to the closing of the device node. */
struct download *download_free(struct download *download);
DEFINE_CLEANUP(struct download, download_free)

/* Until the machine has a verdict: that is in the result, borrowed. A negative errno where waiting itself failed. */
int download_run(struct download *download, const struct dfu **ret);
