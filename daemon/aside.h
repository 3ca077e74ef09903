/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may block though nobody waits for it, done by a thread of its own, in order: lines for the journal or for whoever reads
 * stderr, and what systemd is told. A journal that is stopped, a pipe that nobody reads and a systemd that is busy would keep
 * the event loop otherwise, and with it every board. There is one such thread in a process. As long as it does not run
 * (before aside_begin(), after aside_end()) everything is done at once. All is called by one thread.
 */
#pragma once

#include "core/util.h"

#define ASIDE_WAITING_MAX 1000               /* what comes while so much waits is left undone */
#define ASIDE_END_USEC    (2 * USEC_PER_SEC) /* how long the end waits for what is not done */

/* lost: is told by the thread how much was left undone, once it goes on. 0 or a negative errno: then all is done at once. */
int aside_begin(void (*lost)(unsigned n));
void aside_end(void);

/* run(data), with data taken over, which is released by release(), in any case. */
void aside_do(void (*run)(void *data), void (*release)(void *data), void *data);
