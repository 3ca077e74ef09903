/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attempts by a filter, in pages; in the thread that reads. Not for use outside daemon/ledger*. */
#pragma once

#include "core/history.h"
#include "daemon/ledger-db.h"

/* The filter's conditions, each with " AND " before it, and their parameters, from ?10 on. */
#define LEDGER_WHERE_SIZE 512
void ledger_filter_where(const struct history_filter *filter, char ret[static LEDGER_WHERE_SIZE]);
void ledger_filter_bind(sqlite3_stmt *stmt, const struct history_filter *filter);
/* The first and the last id (or sequence number) that can be in it: ret->low <= id < ret->high. 0 or a negative errno. */
int ledger_filter_bounds(struct ledger_db *db, const struct history_filter *filter, struct history_at *ret);

/*
 * Goes on from page->at, for at most limit rows and about LEDGER_PAGE_USEC; page->attempts has room for limit and n of them
 * are there already. 0 or a negative errno.
 */
#define LEDGER_PAGE_USEC (100 * USEC_PER_MSEC)
int ledger_history_page(struct ledger_db *db, const struct history_filter *filter, size_t limit,
                        struct history_page *page);
