/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-update.h"

#include "daemon/ledger-row.h"

static int run(struct ledger_db *db, enum ledger_stmt id)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, id, &stmt);
        if (r < 0)
                return r;
        return ledger_db_step(db, stmt);
}

int ledger_db_begin(struct ledger_db *db)
{
        return run(db, STMT_BEGIN);
}

int ledger_db_commit(struct ledger_db *db)
{
        return run(db, STMT_COMMIT);
}

void ledger_db_rollback(struct ledger_db *db)
{
        /* After some failures SQLite has rolled back by itself. */
        if (!sqlite3_get_autocommit(db->sqlite))
                sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

int ledger_db_attempt_open(struct ledger_db *db, const struct attempt_record *record, int64_t *ret_id)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_ATTEMPT_OPEN, &stmt);
        if (r < 0)
                return r;
        ledger_bind_opened(stmt, record);
        r = ledger_db_step(db, stmt);
        if (r < 0)
                return r;
        *ret_id = sqlite3_last_insert_rowid(db->sqlite);
        return 0;
}

/* Why no open row had this id. */
static int why_not_closed(struct ledger_db *db, int64_t id)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_ATTEMPT_EXISTS, &stmt);
        if (r < 0)
                return r;
        sqlite3_bind_int64(stmt, 1, id);
        r = ledger_db_step(db, stmt);
        return r < 0 ? r : r > 0 ? EALREADY : ENOENT;
}

int ledger_db_attempt_close(struct ledger_db *db, int64_t id, const struct attempt_record *record, bool final,
                            struct attempt_record *ret)
{
        _cleanup_(attempt_record_done) struct attempt_record row = { 0 };
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_ATTEMPT_CLOSE, &stmt);
        if (r < 0)
                return r;
        sqlite3_bind_int64(stmt, 1, id);
        ledger_bind_u64(stmt, 2, record->end_realtime_usec);
        ledger_bind_u64(stmt, 3, record->duration_usec);
        ledger_bind_u64(stmt, 4, record->bytes);
        ledger_bind_u64(stmt, 5, record->transfers);
        ledger_bind_text(stmt, 6, verdict_to_string(record->verdict), LEDGER_NAME_MAX);
        sqlite3_bind_int(stmt, 7, final);
        ledger_bind_text(stmt, 8, record->message, LEDGER_MESSAGE_MAX);
        ledger_bind_text(stmt, 9, record->mac, LEDGER_NAME_MAX);
        ledger_bind_details(stmt, record);
        r = ledger_db_step(db, stmt);
        if (r == 0)
                return why_not_closed(db, id);
        if (r < 0)
                return r;
        r = ledger_read_attempt(stmt, &row);
        if (r < 0)
                return r;
        /* RETURNING: the statement is over only when it says so. */
        r = ledger_db_step(db, stmt);
        if (r < 0)
                return r;
        *ret = row;
        row = (struct attempt_record){ 0 };
        return 0;
}

static void bind_presence(sqlite3_stmt *stmt, const struct ledger_presence *presence)
{
        ledger_bind_text(stmt, 1, presence->path, LEDGER_NAME_MAX);
        ledger_bind_text(stmt, 2, presence->boot_id, LEDGER_NAME_MAX);
        sqlite3_bind_int64(stmt, 3, presence->devnum);
        ledger_bind_u64(stmt, 4, presence->initialized_usec);
}

int ledger_db_presence_forget(struct ledger_db *db, const struct ledger_presence *presence)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_PRESENCE_FORGET, &stmt);
        if (r < 0)
                return r;
        bind_presence(stmt, presence);
        return ledger_db_step(db, stmt);
}

int ledger_db_presence_put(struct ledger_db *db, const struct ledger_presence *presence)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_PRESENCE_PUT, &stmt);
        if (r < 0)
                return r;
        bind_presence(stmt, presence);
        ledger_bind_text(stmt, 5, verdict_to_string(presence->verdict), LEDGER_NAME_MAX);
        ledger_bind_text(stmt, 6, presence->message, LEDGER_MESSAGE_MAX);
        ledger_bind_u64(stmt, 7, presence->reset_usec);
        ledger_bind_text(stmt, 8, presence->board, LEDGER_NAME_MAX);
        return ledger_db_step(db, stmt);
}

/* 1: *ret is the oldest row that is open; 0: none is. */
static int next_left_open(struct ledger_db *db, int64_t *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_ATTEMPTS_LEFT_OPEN, &stmt);
        if (r < 0)
                return r;
        r = ledger_db_step(db, stmt);
        if (r > 0)
                *ret = sqlite3_column_int64(stmt, 0);
        return r;
}

static int close_left_open(struct ledger_db *db, uint64_t now_realtime_usec)
{
        static char message[] = "the daemon ended in the middle of it";
        const struct attempt_record ended = {
                .end_realtime_usec = now_realtime_usec,
                .verdict = VERDICT_INTERRUPTED,
                .message = message,
        };
        int64_t id;
        int r;

        while ((r = next_left_open(db, &id)) > 0) {
                _cleanup_(attempt_record_done) struct attempt_record row = { 0 };

                r = ledger_db_attempt_close(db, id, &ended, false, &row);
                if (r != 0)
                        return r < 0 ? r : -EUCLEAN; /* it was there a moment ago */
        }
        return r;
}

static int prune_presences(struct ledger_db *db, const char *boot_id)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_PRESENCE_PRUNE, &stmt);
        if (r < 0)
                return r;
        ledger_bind_text(stmt, 1, boot_id, LEDGER_NAME_MAX);
        return ledger_db_step(db, stmt);
}

int ledger_db_recover(struct ledger_db *db, const char *boot_id, uint64_t now_realtime_usec)
{
        int r;

        r = ledger_db_begin(db);
        if (r >= 0)
                r = close_left_open(db, now_realtime_usec);
        if (r >= 0)
                r = prune_presences(db, boot_id);
        if (r >= 0)
                r = ledger_db_commit(db);
        if (r < 0)
                ledger_db_rollback(db);
        return r;
}
