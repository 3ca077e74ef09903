/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures of attempts by a filter; in the thread that reads, in turns. Not for use outside daemon/ledger*. */
#pragma once

#include "core/history.h"
#include "core/stats.h"
#include "daemon/ledger-db.h"

struct ledger_stats_work {
        struct stats *stats; /* made when it begins */
        struct history_at at;
};
void ledger_stats_done(struct ledger_stats_work *work);

/* About LEDGER_PAGE_USEC of it. 1: goes on; 0: *ret is filled, to be released; or a negative errno. */
int ledger_stats_turn(struct ledger_db *db, const struct history_filter *filter,
                      struct ledger_stats_work *work, struct station_stats *ret);
