/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only ever grows while a daemon runs: attempts, boards, bytes and durations, by policy, of the attempts that were
 * closed since it was started. In memory alone, bounded, and never short of it: what there is no room for is counted with
 * COUNTERS_OTHERS. Pure.
 */
#pragma once

#include "core/status.h"

#define COUNTERS_POLICIES_MAX 256
#define COUNTERS_OTHERS       "(others)"
#define COUNTERS_SPANS_MAX    32

/* How many of the attempts that flashed took no longer than this, and longer than the span before. */
struct counters_span {
        uint64_t up_to_usec; /* USEC_INFINITY: the last, longer ones */
        uint64_t attempts;
};

struct policy_counters {
        char *policy;                                   /* "" where there was none */
        uint64_t attempts[VERDICT_MAX_];                /* how they ended */
        uint64_t flashed, first_pass;                   /* boards; of these: with the first attempt */
        uint64_t failed, cancelled;                     /* boards: given up; by a person */
        uint64_t bytes;                                 /* downloaded, by all attempts */
        uint64_t flashed_usec;                          /* of the attempts that flashed, together */
        struct counters_span spans[COUNTERS_SPANS_MAX]; /* ascending */
        size_t n_spans;
};

struct counters {
        struct policy_counters **policies; /* in the order of their first attempt */
        size_t n;
        struct policy_counters others;
};

/* With nothing counted yet, in all spans that there are. */
void policy_counters_init(struct policy_counters *p);
void counters_init(struct counters *counters);
void counters_done(struct counters *counters);
/* A closed attempt. */
void counters_add(struct counters *counters, const struct attempt_record *attempt);

/* As the socket tells them. */
struct station_counters {
        uint64_t since_realtime_usec; /* counted since then: the daemon's start */
        uint64_t attempts_recorded;   /* number of the last attempt of the ledger, over all daemons */
        struct policy_counters *policies;
        size_t n_policies;
};
void station_counters_done(struct station_counters *counters);
/* A copy, with the others behind if there are any. 0 or -ENOMEM. */
int counters_copy(const struct counters *counters, struct station_counters *ret);
