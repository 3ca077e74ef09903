/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who copies the ledger elsewhere (consumers), and what may be removed; within a transaction of the writer's connection.
 * Not for use outside daemon/ledger*.
 */
#pragma once

#include "daemon/ledger-db.h"
#include "daemon/ledger.h"

/* sequence: where it begins, or up to which it has had the rows. *ret: up to which it has had them now. Positive: ENOENT no
 * such consumer (acknowledge, unregister); ERANGE a number that was not given yet, or is below what it had; EUSERS too many. */
int ledger_db_consumer(struct ledger_db *db, enum consumer_action action, const char *name, int64_t sequence,
                       uint64_t user, uint64_t now_realtime_usec, int64_t *ret);

/* Removes the oldest rows that limits let go, one group. */
int ledger_db_retain(struct ledger_db *db, const struct ledger_limits *limits, struct ledger_removed *ret);
/* In a reader's thread. *ret is to be freed. */
int ledger_db_consumers(struct ledger_db *db, struct consumer_status **ret, size_t *ret_n);
