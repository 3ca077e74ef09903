/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long to wait before something that failed is tried again: twice as long each time, and never exactly as long as the
 * others, so that a hundred stations do not come back to a restarted broker in the same moment. Pure.
 */
#pragma once

#include "core/util.h"

struct backoff {
        uint64_t first_usec, max_usec;
        uint64_t next_usec; /* 0: first_usec */
};

/* The wait of this time, at least half and at most all of the step; random is any number, a new one each time. */
uint64_t backoff_next(struct backoff *backoff, uint64_t random);
/* It went well: the next wait is the first. */
void backoff_reset(struct backoff *backoff);
