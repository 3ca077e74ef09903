/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last failures of a station, for who watches it: what the ledger had, and what came since. */
#pragma once

#include "core/status.h"

#define FAILURES_MAX 20

struct failure {
        char *slot;
        uint64_t realtime_usec; /* when the attempt ended */
        char *cause;            /* what it said in the end, else the verdict's word */
};

/* The newest first. All zero is an empty one. */
struct failures {
        struct failure list[FAILURES_MAX];
        size_t n;
};

void failures_done(struct failures *failures);
/* Notes how the slot's last attempt ended, if that was a failure that is not noted yet. 0 or -ENOMEM. */
int failures_note_slot(struct failures *failures, const struct slot_status *slot);
/* The same of a row of the ledger. */
int failures_note_attempt(struct failures *failures, const struct attempt_record *attempt);
