/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The consumers as memory has them, beside what is on disk: who may acknowledge, and who lags. Bounded by
 * LEDGER_CONSUMERS_MAX. Not for use outside daemon/ledger*.
 */
#pragma once

#include "daemon/ledger-db.h"
#include "daemon/ledger.h"

struct ledger_roll {
        struct ledger_roll_line {
                char name[CONSUMER_NAME_MAX + 1];
                int64_t sequence;
                uint64_t user;      /* uid; USEC_INFINITY: none */
                uint64_t seen_usec; /* CLOCK_REALTIME of its last acknowledgement */
                uint64_t
                        next_usec; /* when the row after its last one ended; 0: there is none, or it came before that */
        } lines[LEDGER_CONSUMERS_MAX];
        size_t n;
};

/* What is on disk, and which ledger this is. */
int ledger_roll_load(struct ledger_db *db, struct ledger_roll *ret, struct ledger_identity *ret_identity);
/* As ledger_give_new_id(). */
int ledger_roll_new_identity(struct ledger_db *db, int64_t since, struct ledger_identity *ret);
/* As it is on disk since this order was carried out; sequence: of the result, user: USEC_INFINITY leaves who it was. */
void ledger_roll_ordered(struct ledger_roll *roll, enum consumer_action action, const char *name,
                         int64_t sequence, uint64_t user, uint64_t now_usec);
/* A row was closed. */
void ledger_roll_closed(struct ledger_roll *roll, int64_t sequence, uint64_t end_usec);
/* NULL: not registered. */
const struct ledger_roll_line *ledger_roll_find(const struct ledger_roll *roll, const char *name);
/* Of those that lag the one that is furthest behind; last: the last row's number. */
bool ledger_roll_lagging(const struct ledger_roll *roll, int64_t last, uint64_t now_usec,
                         char ret[static CONSUMER_LAG_TEXT]);
