/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written to the ledger's database, within a transaction of the writer's connection. */
#pragma once

#include "daemon/ledger-db.h"
#include "daemon/ledger-index.h"

int ledger_db_begin(struct ledger_db *db);
int ledger_db_commit(struct ledger_db *db);
void ledger_db_rollback(struct ledger_db *db);

int ledger_db_attempt_open(struct ledger_db *db, const struct attempt_record *record, int64_t *ret_id);
/* *ret: the closed row, whole, with its sequence number. ENOENT: no such row; EALREADY: closed before. */
int ledger_db_attempt_close(struct ledger_db *db, int64_t id, const struct attempt_record *record, bool final,
                            struct attempt_record *ret);
int ledger_db_presence_put(struct ledger_db *db, const struct ledger_presence *presence);
/* Takes this very presence out, if it is there. */
int ledger_db_presence_forget(struct ledger_db *db, const struct ledger_presence *presence);

/* What must be done once when a station starts, in a transaction of its own: see ledger_open(). */
int ledger_db_recover(struct ledger_db *db, const char *boot_id, uint64_t now_realtime_usec);
