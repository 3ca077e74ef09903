/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for descriptors, until a time, open for signals. */
#pragma once

#include <poll.h>
#include <signal.h>

#include "core/util.h"

/* How many of pfds have something, 0 once deadline_usec (of monotonic_usec(); USEC_INFINITY: never) has come, or -errno.
 * mask (NULL: as it is) is the signal mask while it waits: a signal that comes through it, or waits for it already, ends the
 * wait with -EINTR. Other than with ppoll(2) alone that holds too where a descriptor has something at each call. */
int poll_until(struct pollfd *pfds, size_t n, uint64_t deadline_usec, const sigset_t *mask);

/* From here on these signals are handled by handler, and come only while poll_until() waits with *ret for its mask. */
void poll_signals(const int *signals, size_t n, void (*handler)(int), sigset_t *ret);
