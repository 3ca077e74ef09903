/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is read from the ledger's database: bounded in rows, and on a reader's connection in time. */
#pragma once

#include "daemon/ledger-db.h"
#include "daemon/ledger-index.h"

/* Fills index with what is on disk, and *ret_sequence with the last sequence number. */
int ledger_query_index(struct ledger_db *db, struct ledger_index *index, int64_t *ret_sequence);
/* Counts today and the last hour anew where tally says so, from rows up to this sequence number. */
int ledger_query_tally(struct ledger_db *db, int64_t sequence, uint64_t now_usec, struct ledger_tally *tally);
/* As ledger_board_has_image(). */
int ledger_query_board_has_image(struct ledger_db *db, const char *mac, const char *sha256);
