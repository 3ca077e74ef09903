/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the engine waits for: libusb's transfers, the daemon's going away, a signal, a deadline. All by one poll(): what
 * libusb wants watched is asked for when it changes and not at each waking, since a waking is all that a block costs.
 */
#pragma once

#include <poll.h>

#include "engine/board.h"

#define WAIT_FDS_MAX 16

struct waiter {
        struct libusb_context *usb;      /* borrowed */
        struct pollfd fds[WAIT_FDS_MAX]; /* the signal's, the channel's, libusb's */
        size_t n_fds;                    /* 0: libusb's have changed */
};

/* signal_fd is readable when the engine was told to stop, channel_fd when the daemon has gone; both are borrowed. */
void waiter_init(struct waiter *waiter, struct libusb_context *usb, int signal_fd, int channel_fd);
/* Before the context goes. */
void waiter_done(struct waiter *waiter);

/*
 * Until something is there or it is until_usec (CLOCK_MONOTONIC; USEC_INFINITY: for ever); then the completions that
 * libusb has are delivered, by its callbacks. Returns 0; WAITER_STOPPED, once, when the engine was told to stop;
 * WAITER_ALONE, once, when the daemon has gone; or a negative errno.
 */
enum { WAITER_STOPPED = 1, WAITER_ALONE };

int waiter_wait(struct waiter *waiter, uint64_t now_usec, uint64_t until_usec);
