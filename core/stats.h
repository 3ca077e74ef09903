/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `espdfuctl stats` shows: figures of closed attempts, taken in one after the other. Pure, and bounded in memory
 * whatever is taken in. The definitions are in docs/ledger.md, "Figures".
 */
#pragma once

#include "core/verdict.h"

#define STATS_PAUSE_USEC (15 * 60 * USEC_PER_SEC) /* longer without an end is no work */
#define STATS_GROUPS_MAX 1024                     /* policies, slots; what comes later is STATS_OTHERS */
#define STATS_OTHERS     "(others)"
#define STATS_ERRORS_MAX 20

/* The figures of a policy, of a slot, or of all. */
struct stats_line {
        char *name;          /* NULL: of all */
        uint64_t attempts;   /* that ended */
        uint64_t flashed;    /* boards */
        uint64_t first_pass; /* of these: with the first attempt */
        uint64_t failed;     /* boards whose last attempt failed */
        uint64_t cancelled;  /* boards that a person gave up */
        uint64_t worked_usec;
        /* USEC_INFINITY where nothing is there to be divided by. ppm: parts per million. */
        uint64_t yield_ppm, first_pass_ppm, boards_per_hour;
        uint64_t mean_usec, p95_usec; /* of the attempts that flashed; p95 within 1 % */
};

struct stats_error {
        enum verdict verdict;
        char *dfu_status; /* or NULL */
        uint64_t attempts;
        char *message; /* of the last one, or NULL */
};

struct station_stats {
        uint64_t first_start_realtime_usec, last_end_realtime_usec; /* 0: no attempt */
        struct stats_line total;
        struct stats_line *policies, *slots; /* by name */
        size_t n_policies, n_slots;
        struct stats_error *errors; /* the most frequent first */
        size_t n_errors;
        /* Of the whole ledger, without the filter. */
        uint64_t rows;                         /* closed ones */
        int64_t first_sequence, last_sequence; /* 0: none */
        uint64_t removed,
                removed_realtime_usec; /* by retention: how many rows so far, the last time; 0: never */
};
void station_stats_done(struct station_stats *stats);

/* One closed attempt; borrowed. */
struct stats_attempt {
        const char *policy, *slot; /* or NULL */
        unsigned attempt;
        enum verdict verdict;
        bool final;
        const char *dfu_status, *message; /* or NULL */
        uint64_t start_realtime_usec, end_realtime_usec, duration_usec;
};

struct stats;

struct stats *stats_new(void); /* NULL: out of memory */
struct stats *stats_free(struct stats *stats);
DEFINE_CLEANUP(struct stats, stats_free)
/* In the order in which they began. 0 or -ENOMEM. */
int stats_add(struct stats *stats, const struct stats_attempt *attempt);
/* 0 or -ENOMEM; *ret, to be released, has nothing of the whole ledger. */
int stats_result(const struct stats *stats, struct station_stats *ret);
