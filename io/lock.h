/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lock of a file that a daemon has as long as it lives. */
#pragma once

#include "core/util.h"

/*
 * How long to wait for a lock before its holder is one that lives: a process that a daemon had started, and that was not an
 * engine yet when the daemon was killed, is killed with it, and has its locks until it has died. On a machine with more to do
 * than it can, that has taken over a second.
 */
#define LOCK_WAIT (5 * USEC_PER_SEC)

/*
 * Locks the open file (flock) for whoever has this descriptor. Returns 0, -EBUSY when somebody else has it all the time, or
 * what flock(2) says.
 */
int lock_take(int fd, uint64_t wait_usec);
