/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-stats.h"

#include <stdio.h>

#include "daemon/clock.h"
#include "daemon/ledger-history.h"
#include "daemon/ledger-row.h"

#define SLICE 8192 /* ids */

void ledger_stats_done(struct ledger_stats_work *work)
{
        stats_free(work->stats);
        *work = (struct ledger_stats_work){ 0 };
}

static int add_row(sqlite3_stmt *stmt, struct stats *stats)
{
        return stats_add(stats, &(struct stats_attempt){
                                        .policy = (const char *)sqlite3_column_text(stmt, 0),
                                        .slot = (const char *)sqlite3_column_text(stmt, 1),
                                        .attempt = (unsigned)sqlite3_column_int64(stmt, 2),
                                        .verdict = ledger_column_verdict(stmt, 3),
                                        .final = sqlite3_column_int(stmt, 4) != 0,
                                        .dfu_status = (const char *)sqlite3_column_text(stmt, 5),
                                        .message = (const char *)sqlite3_column_text(stmt, 6),
                                        .start_realtime_usec = (uint64_t)sqlite3_column_int64(stmt, 7),
                                        .end_realtime_usec = (uint64_t)sqlite3_column_int64(stmt, 8),
                                        .duration_usec = (uint64_t)sqlite3_column_int64(stmt, 9),
                                });
}

static int prepare(struct ledger_db *db, const struct history_filter *filter, sqlite3_stmt **ret)
{
        char where[LEDGER_WHERE_SIZE], sql[LEDGER_WHERE_SIZE + 256];
        int rc;

        ledger_filter_where(filter, where);
        snprintf(sql, sizeof(sql),
                 "SELECT policy, slot, attempt, verdict, final, dfu_status, message, start_realtime_usec,"
                 " end_realtime_usec, duration_usec FROM attempt WHERE id >= ?1 AND id < ?2"
                 " AND sequence IS NOT NULL%s ORDER BY id",
                 where);
        rc = sqlite3_prepare_v2(db->sqlite, sql, -1, ret, NULL);
        if (rc != SQLITE_OK)
                return ledger_db_errno(db, rc);
        ledger_filter_bind(*ret, filter);
        return 0;
}

static int add_slice(struct ledger_db *db, sqlite3_stmt *stmt, int64_t low, int64_t high, struct stats *stats)
{
        int r;

        db->deadline_usec = 0; /* bounded in rows; a slow disk is waited for, in this thread */
        sqlite3_bind_int64(stmt, 1, low);
        sqlite3_bind_int64(stmt, 2, high);
        while ((r = ledger_db_step(db, stmt)) > 0) {
                r = add_row(stmt, stats);
                if (r < 0)
                        break;
        }
        sqlite3_reset(stmt);
        return r;
}

/* Of the whole ledger. Closed rows are counted by their numbers, which have no gaps. */
static int read_extent(struct ledger_db *db, struct station_stats *ret)
{
        _cleanup_(ledger_stmt_finalizep) sqlite3_stmt *stmt = NULL;
        int rc, r;

        rc = sqlite3_prepare_v2(
                db->sqlite,
                "SELECT (SELECT min(sequence) FROM attempt), (SELECT max(sequence) FROM attempt),"
                " removed, removed_realtime_usec FROM retention",
                -1, &stmt, NULL);
        if (rc != SQLITE_OK)
                return ledger_db_errno(db, rc);
        r = ledger_db_step(db, stmt);
        if (r <= 0)
                return r;
        ret->first_sequence = sqlite3_column_int64(stmt, 0);
        ret->last_sequence = sqlite3_column_int64(stmt, 1);
        ret->rows = ret->last_sequence > 0 ? (uint64_t)(ret->last_sequence - ret->first_sequence + 1) : 0;
        ret->removed = (uint64_t)sqlite3_column_int64(stmt, 2);
        ret->removed_realtime_usec = (uint64_t)sqlite3_column_int64(stmt, 3);
        return 0;
}

static int finish(struct ledger_db *db, const struct ledger_stats_work *work, struct station_stats *ret)
{
        struct station_stats result;
        int r = stats_result(work->stats, &result);

        if (r < 0)
                return r;
        r = read_extent(db, &result);
        if (r < 0)
                station_stats_done(&result);
        else
                *ret = result;
        return r;
}

int ledger_stats_turn(struct ledger_db *db, const struct history_filter *filter,
                      struct ledger_stats_work *work, struct station_stats *ret)
{
        _cleanup_(ledger_stmt_finalizep) sqlite3_stmt *stmt = NULL;
        uint64_t enough_usec = clock_boottime_usec() + LEDGER_PAGE_USEC;
        int r = 0;

        if (!work->stats && !(work->stats = stats_new()))
                return -ENOMEM;
        if (!work->at.begun)
                r = ledger_filter_bounds(db, filter, &work->at);
        if (r == 0)
                r = prepare(db, filter, &stmt);
        while (r == 0 && work->at.low < work->at.high) {
                int64_t high = MIN(work->at.high, work->at.low + SLICE);

                r = add_slice(db, stmt, work->at.low, high, work->stats);
                work->at.low = high;
                if (r == 0 && work->at.low < work->at.high && clock_boottime_usec() >= enough_usec)
                        return 1;
        }
        return r < 0 ? r : finish(db, work, ret);
}
