/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Closing what came from a client: its socket, and what it passed. Whoever closes a file for the last time waits for it, and
 * how long is up to who made it: a TCP socket with SO_LINGER, say, passed by a client or unread in its socket, for minutes. So
 * threads close, a few, that one does not keep the others, and each is disturbed from time to time, which ends what lingers.
 * What hangs all the same keeps its thread, what waits behind it is bounded by the callers (closer_is_full()), and the
 * end of the process waits for none. All but the threads is called by one thread. There is one such set in a process.
 */
#pragma once

#include <sys/types.h>

#include "core/admission.h"

#define CLOSER_THREADS      8
#define CLOSER_FULL         256 /* descriptors that wait to be closed: then no client is taken */
#define CLOSER_DISTURB_USEC (100 * USEC_PER_MSEC)

/* fd is taken over. */
void closer_close(int fd);
/* As that; until it is closed it is counted as a connection of this user, in this rank. */
void closer_close_for(int fd, uid_t uid, enum admission_rank rank);

/* How many are not closed yet. */
size_t closer_pending(void);
/* Adds those that are counted as connections. */
void closer_count(uid_t uid, struct admission_counts *counts);
/* Whether at least so many are not closed yet; then closer_event() is readable when there are fewer. */
bool closer_is_full(size_t n);
/* An eventfd, which stays closer's: whoever waits reads it. Or a negative errno. */
int closer_event(void);
