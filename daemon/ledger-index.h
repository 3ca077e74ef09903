/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the ledger answers from memory: the verdict of a presence, the last attempt on a port, the header's
 * figures. Bounded by what a station can have of ports and slots; no I/O, time is an argument. What is put in
 * was allocated before, so that putting cannot fail after a commit.
 */
#pragma once

#include "daemon/ledger.h"

#define LEDGER_PRESENCES_MAX 4096u /* ports; the oldest presence goes first */
#define LEDGER_PORTS_MAX     1024u /* the port whose last attempt is the oldest goes first */

/* A presence with its verdict, owned; the node of a list. */
struct ledger_presence {
        struct ledger_presence *next;
        char *boot_id, *path;
        unsigned devnum;
        uint64_t initialized_usec;
        enum verdict verdict;
        char *message;
        uint64_t reset_usec; /* CLOCK_MONOTONIC; 0: it was not reset */
        char *board;         /* who it is, where it was reset; or NULL */
};
struct ledger_presence *ledger_presence_free(struct ledger_presence *presence);
DEFINE_CLEANUP(struct ledger_presence, ledger_presence_free)

/* The last closed attempt on a port, owned; the node of a list. */
struct ledger_last {
        struct ledger_last *next;
        struct attempt_record record;
};
struct ledger_last *ledger_last_free(struct ledger_last *last);
DEFINE_CLEANUP(struct ledger_last, ledger_last_free)

struct ledger_index {
        struct ledger_presence *presences;
        size_t n_presences;
        struct ledger_last *lasts;
        size_t n_lasts;
};
void ledger_index_done(struct ledger_index *index);

/* Takes ownership. One presence for a path: the latest. */
void ledger_index_put_presence(struct ledger_index *index, struct ledger_presence *presence);
void ledger_index_forget_presence(struct ledger_index *index, const struct ledger_presence *presence);
const struct ledger_presence *ledger_index_presence(const struct ledger_index *index,
                                                    const struct presence_key *key);

/* As ledger_presence_noted(), or NULL. */
const struct ledger_presence *ledger_index_noted(const struct ledger_index *index,
                                                 const struct presence_key *key);

/* As ledger_presence_was_reset(). */
bool ledger_index_was_reset(const struct ledger_index *index, const struct presence_key *key,
                            uint64_t limit_usec);

/* Takes ownership. One record for a port: the one that was closed last. */
void ledger_index_put_last(struct ledger_index *index, struct ledger_last *last);
/* As ledger_last_of_port(). */
const struct attempt_record *ledger_index_last(const struct ledger_index *index, const char *path,
                                               const char *port);

/* The header's figures, and until when they hold. All zero: nothing is known yet. */
struct ledger_tally {
        struct ledger_counts counts;
        uint64_t day_begin_usec,
                day_end_usec;    /* CLOCK_REALTIME: the local day that is counted, end exclusive */
        uint64_t hour_read_usec; /* CLOCK_REALTIME when the last hour was counted */
};

/* Which figures must be counted anew at this time. */
bool ledger_tally_day_is_over(const struct ledger_tally *tally, uint64_t now_usec);
bool ledger_tally_hour_is_over(const struct ledger_tally *tally, uint64_t now_usec);
/* Starts the local day that now is in, with nothing counted. */
void ledger_tally_begin_day(struct ledger_tally *tally, uint64_t now_usec);
/* Adds n closed attempts of one kind to today's figures. */
void ledger_tally_add_today(struct ledger_tally *tally, enum verdict verdict, bool final, bool first_attempt,
                            uint64_t n);
/* Adds an attempt that was closed just now. */
void ledger_tally_add(struct ledger_tally *tally, const struct attempt_record *record);
