/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-query.h"

#include "daemon/clock.h"
#include "daemon/ledger-row.h"

#define READ_BUDGET_USEC (200 * USEC_PER_MSEC)
#define HOUR_USEC        (3600 * USEC_PER_SEC)

static int prepare(struct ledger_db *db, enum ledger_stmt id, sqlite3_stmt **ret)
{
        db->deadline_usec = clock_boottime_usec() + READ_BUDGET_USEC;
        return ledger_db_stmt(db, id, ret);
}

/* ---- at start ---- */

static int read_presence(sqlite3_stmt *stmt, struct ledger_presence **ret)
{
        _cleanup_(ledger_presence_freep) struct ledger_presence *presence = calloc(1, sizeof(*presence));

        if (!presence || ledger_column_text(stmt, 0, &presence->path) < 0 ||
            ledger_column_text(stmt, 1, &presence->boot_id) < 0 ||
            ledger_column_text(stmt, 5, &presence->message) < 0 ||
            ledger_column_text(stmt, 7, &presence->board) < 0)
                return -ENOMEM;
        presence->devnum = (unsigned)sqlite3_column_int64(stmt, 2);
        presence->initialized_usec = (uint64_t)sqlite3_column_int64(stmt, 3);
        presence->verdict = ledger_column_verdict(stmt, 4);
        presence->reset_usec = (uint64_t)sqlite3_column_int64(stmt, 6);
        *ret = take_ptr(presence);
        return 0;
}

static int load_presences(struct ledger_db *db, struct ledger_index *index)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_PRESENCES, &stmt);
        if (r < 0)
                return r;
        sqlite3_bind_int64(stmt, 1, LEDGER_PRESENCES_MAX);
        while ((r = ledger_db_step(db, stmt)) > 0) {
                struct ledger_presence *presence;

                r = read_presence(stmt, &presence);
                if (r < 0)
                        return r;
                ledger_index_put_presence(index, presence);
        }
        return r;
}

static int load_lasts(struct ledger_db *db, struct ledger_index *index)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_LAST_OF_PLACES, &stmt);
        if (r < 0)
                return r;
        sqlite3_bind_int64(stmt, 1, LEDGER_PORTS_MAX);
        while ((r = ledger_db_step(db, stmt)) > 0) {
                _cleanup_(ledger_last_freep) struct ledger_last *last = calloc(1, sizeof(*last));

                if (!last || ledger_read_attempt(stmt, &last->record) < 0)
                        return -ENOMEM;
                ledger_index_put_last(index, take_ptr(last));
        }
        return r;
}

static int load_sequence(struct ledger_db *db, int64_t *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_LAST_SEQUENCE, &stmt);
        if (r < 0)
                return r;
        r = ledger_db_step(db, stmt);
        if (r > 0)
                *ret = sqlite3_column_int64(stmt, 0);
        return r < 0 ? r : 0;
}

int ledger_query_index(struct ledger_db *db, struct ledger_index *index, int64_t *ret_sequence)
{
        int r;

        r = load_presences(db, index);
        if (r < 0)
                return r;
        r = load_lasts(db, index);
        if (r < 0)
                return r;
        return load_sequence(db, ret_sequence);
}

/* ---- the header's figures ---- */

static int count_today(struct ledger_db *db, int64_t sequence, struct ledger_tally *tally)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = prepare(db, STMT_TODAY, &stmt);
        if (r < 0)
                return r;
        ledger_bind_u64(stmt, 1, tally->day_begin_usec);
        ledger_bind_u64(stmt, 2, tally->day_end_usec);
        sqlite3_bind_int64(stmt, 3, sequence);
        while ((r = ledger_db_step(db, stmt)) > 0)
                ledger_tally_add_today(tally, ledger_column_verdict(stmt, 0),
                                       sqlite3_column_int(stmt, 1) != 0, sqlite3_column_int(stmt, 2) != 0,
                                       (uint64_t)sqlite3_column_int64(stmt, 3));
        return r;
}

static int count_hour(struct ledger_db *db, int64_t sequence, uint64_t now_usec, struct ledger_tally *tally)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = prepare(db, STMT_HOUR, &stmt);
        if (r < 0)
                return r;
        ledger_bind_u64(stmt, 1, now_usec > HOUR_USEC ? now_usec - HOUR_USEC : 0);
        ledger_bind_u64(stmt, 2, now_usec);
        sqlite3_bind_int64(stmt, 3, sequence);
        r = ledger_db_step(db, stmt);
        if (r < 0)
                return r;
        tally->counts.flashed_last_hour = (uint64_t)sqlite3_column_int64(stmt, 0);
        tally->hour_read_usec = now_usec;
        return 0;
}

int ledger_query_tally(struct ledger_db *db, int64_t sequence, uint64_t now_usec, struct ledger_tally *tally)
{
        int r;

        if (ledger_tally_day_is_over(tally, now_usec)) {
                struct ledger_tally fresh = *tally;

                ledger_tally_begin_day(&fresh, now_usec);
                r = count_today(db, sequence, &fresh);
                if (r < 0)
                        return r;
                *tally = fresh;
        }
        return ledger_tally_hour_is_over(tally, now_usec) ? count_hour(db, sequence, now_usec, tally) : 0;
}

int ledger_query_board_has_image(struct ledger_db *db, const char *mac, const char *sha256)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        const char *found;
        int r;

        r = prepare(db, STMT_BOARD_IMAGE, &stmt);
        if (r < 0)
                return r;
        ledger_bind_text(stmt, 1, mac, LEDGER_NAME_MAX);
        r = ledger_db_step(db, stmt);
        if (r <= 0)
                return r;
        found = (const char *)sqlite3_column_text(stmt, 1);
        return ledger_column_verdict(stmt, 0) == VERDICT_FLASHED && streq_ptr(found, sha256);
}
