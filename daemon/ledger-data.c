/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-data.h"

#include "daemon/clock.h"
#include "daemon/ledger-row.h"

#define READ_BUDGET_USEC (200 * USEC_PER_MSEC)

void board_data_row_done(struct board_data_row *row)
{
        free(row->file);
        free(row->folder);
        free(row->sha256);
        free(row->job);
        free(row->mac);
        free(row->slot);
        free(row->policy);
        free(row->boot_id);
        free(row->path);
        *row = (struct board_data_row){ 0 };
}

int board_data_row_copy(const struct board_data_row *row, struct board_data_row *ret)
{
        _cleanup_(board_data_row_done) struct board_data_row copy = *row;
        char **const texts[] = { &copy.file, &copy.folder, &copy.sha256,  &copy.job, &copy.mac,
                                 &copy.slot, &copy.policy, &copy.boot_id, &copy.path };
        int r = 0;

        /* Every text is replaced, even after a failure: what is left in copy is released. */
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (*texts[i] && !(*texts[i] = strdup(*texts[i])))
                        r = -ENOMEM;
        if (r < 0)
                return r;
        *ret = copy;
        copy = (struct board_data_row){ 0 };
        return 0;
}

/* ---- written by the thread ---- */

/* ?1 to ?11 of STMT_DATA_ASSIGN; the others use some of them. */
static void bind_row(sqlite3_stmt *stmt, const struct board_data_row *row)
{
        ledger_bind_text(stmt, 1, row->file, LEDGER_PATH_MAX);
        ledger_bind_text(stmt, 2, row->folder, LEDGER_PATH_MAX);
        ledger_bind_text(stmt, 3, row->sha256, LEDGER_NAME_MAX);
        ledger_bind_text(stmt, 4, row->job, LEDGER_NAME_MAX);
        ledger_bind_text(stmt, 5, row->mac, LEDGER_NAME_MAX);
        ledger_bind_text(stmt, 6, row->boot_id, LEDGER_NAME_MAX);
        ledger_bind_text(stmt, 7, row->path, LEDGER_NAME_MAX);
        sqlite3_bind_int64(stmt, 8, row->devnum);
        ledger_bind_u64(stmt, 9, row->initialized_usec);
}

/* How many rows it changed, or a negative errno. */
static int change(struct ledger_db *db, enum ledger_stmt id, const struct board_data_row *row)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = ledger_db_stmt(db, id, &stmt);

        if (r < 0)
                return r;
        bind_row(stmt, row);
        if (id == STMT_DATA_ASSIGN) {
                ledger_bind_text(stmt, 10, row->slot, LEDGER_NAME_MAX);
                ledger_bind_text(stmt, 11, row->policy, LEDGER_NAME_MAX);
                ledger_bind_u64(stmt, 12, row->assigned_realtime_usec);
        }
        r = ledger_db_step(db, stmt);
        return r < 0 ? r : sqlite3_changes(db->sqlite);
}

int ledger_db_data_assign(struct ledger_db *db, const struct board_data_row *row)
{
        int r = change(db, STMT_DATA_ASSIGN, row);

        if (r == 0) /* taken: by this very board, or not */
                r = change(db, STMT_DATA_AGAIN, row);
        return r < 0 ? r : r == 0 ? EEXIST : 0;
}

int ledger_db_data_moved(struct ledger_db *db, const struct board_data_row *row)
{
        int r = change(db, STMT_DATA_MOVED, row);

        return MIN(r, 0);
}

/* ---- read in the event loop ---- */

static int prepare(struct ledger_db *db, enum ledger_stmt id, sqlite3_stmt **ret)
{
        db->deadline_usec = clock_boottime_usec() + READ_BUDGET_USEC;
        return ledger_db_stmt(db, id, ret);
}

static int read_row(sqlite3_stmt *stmt, struct board_data_row *ret)
{
        _cleanup_(board_data_row_done) struct board_data_row row = { 0 };
        char **const texts[] = { &row.file, &row.folder, &row.sha256,  &row.job, &row.mac,
                                 &row.slot, &row.policy, &row.boot_id, &row.path };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (ledger_column_text(stmt, (int)i, texts[i]) < 0)
                        return -ENOMEM;
        row.devnum = (unsigned)sqlite3_column_int64(stmt, 9);
        row.initialized_usec = (uint64_t)sqlite3_column_int64(stmt, 10);
        row.assigned_realtime_usec = (uint64_t)sqlite3_column_int64(stmt, 11);
        *ret = row;
        row = (struct board_data_row){ 0 };
        return 0;
}

static int find(struct ledger_db *db, sqlite3_stmt *stmt, struct board_data_row *ret)
{
        int r = ledger_db_step(db, stmt);

        if (r <= 0)
                return r;
        r = read_row(stmt, ret);
        return r < 0 ? r : 1;
}

int ledger_query_data_of_board(struct ledger_db *db, const char *folder, const char *mac,
                               const struct presence_key *presence, struct board_data_row *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = prepare(db, mac ? STMT_DATA_OF_MAC : STMT_DATA_OF_PRESENCE, &stmt);

        if (r < 0)
                return r;
        ledger_bind_text(stmt, 1, folder, LEDGER_PATH_MAX);
        if (mac) {
                ledger_bind_text(stmt, 2, mac, LEDGER_NAME_MAX);
        } else {
                ledger_bind_text(stmt, 2, presence->boot_id, LEDGER_NAME_MAX);
                ledger_bind_text(stmt, 3, presence->path, LEDGER_NAME_MAX);
                sqlite3_bind_int64(stmt, 4, presence->devnum);
                ledger_bind_u64(stmt, 5, presence->initialized_usec);
        }
        return find(db, stmt, ret);
}

int ledger_query_data_interrupted(struct ledger_db *db, const char *folder,
                                  const struct presence_key *presence, struct board_data_row *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = prepare(db, STMT_DATA_INTERRUPTED, &stmt);

        if (r < 0)
                return r;
        ledger_bind_text(stmt, 1, folder, LEDGER_PATH_MAX);
        ledger_bind_text(stmt, 2, presence->boot_id, LEDGER_NAME_MAX);
        ledger_bind_text(stmt, 3, presence->path, LEDGER_NAME_MAX);
        ledger_bind_u64(stmt, 4, presence->initialized_usec);
        return find(db, stmt, ret);
}

int ledger_query_data_by_content(struct ledger_db *db, const char *sha256, struct board_data_row *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = prepare(db, STMT_DATA_BY_CONTENT, &stmt);

        if (r < 0)
                return r;
        ledger_bind_text(stmt, 1, sha256, LEDGER_NAME_MAX);
        return find(db, stmt, ret);
}

int ledger_query_data_is_used(struct ledger_db *db, const char *file)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = prepare(db, STMT_DATA_IS_USED, &stmt);

        if (r < 0)
                return r;
        ledger_bind_text(stmt, 1, file, LEDGER_PATH_MAX);
        return ledger_db_step(db, stmt);
}

int ledger_query_data_count(struct ledger_db *db, const char *folder, uint64_t *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = prepare(db, STMT_DATA_COUNT, &stmt);

        if (r < 0)
                return r;
        ledger_bind_text(stmt, 1, folder, LEDGER_PATH_MAX);
        r = ledger_db_step(db, stmt);
        if (r < 0)
                return r;
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
        return 0;
}
