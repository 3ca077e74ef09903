/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-db.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/ledger-schema.h"

#define WRITER_BUSY_MSEC 5000 /* somebody's sqlite3 holds the write lock; the writer thread may wait */
#define READER_BUSY_MSEC 200  /* the event loop may not */

/* What a text may have at most, in bytes: boards, files and clients have no other bound here. */
#define NAME_MAX_BYTES    255
#define PATH_MAX_BYTES    4095
#define MESSAGE_MAX_BYTES 1023

/* An attempt's columns, in the order of the table below. */
#define COLUMNS                                                                                              \
        "id, sequence, job, attempt, slot, port, path, chip, mac, policy, image_path, image_name, "          \
        "image_version, image_sha256, boot_id, clock_synchronized, start_realtime_usec, end_realtime_usec, " \
        "duration_usec, bytes, transfers, verdict, final, message"

/* The columns that are written when a row is opened: 2 to 16 of COLUMNS. */
#define FIRST_OPENED 2
#define LAST_OPENED  16

enum column_type {
        COLUMN_I64,
        COLUMN_U64,
        COLUMN_UNSIGNED,
        COLUMN_BOOL,
        COLUMN_TEXT,
        COLUMN_VERDICT,
};

#define COLUMN(kind, field, bound)                                                                           \
        {                                                                                                    \
                .type = (kind), .offset = offsetof(struct attempt_record, field), .max = (bound)             \
        }
static const struct {
        enum column_type type;
        size_t offset;
        size_t max; /* of a text, in bytes */
} columns[] = {
        COLUMN(COLUMN_I64, id, 0),
        COLUMN(COLUMN_I64, sequence, 0),
        COLUMN(COLUMN_TEXT, job, NAME_MAX_BYTES),
        COLUMN(COLUMN_UNSIGNED, attempt, 0),
        COLUMN(COLUMN_TEXT, slot, NAME_MAX_BYTES),
        COLUMN(COLUMN_TEXT, port, NAME_MAX_BYTES),
        COLUMN(COLUMN_TEXT, path, NAME_MAX_BYTES),
        COLUMN(COLUMN_TEXT, chip, NAME_MAX_BYTES),
        COLUMN(COLUMN_TEXT, mac, NAME_MAX_BYTES),
        COLUMN(COLUMN_TEXT, policy, NAME_MAX_BYTES),
        COLUMN(COLUMN_TEXT, image_path, PATH_MAX_BYTES),
        COLUMN(COLUMN_TEXT, image_name, NAME_MAX_BYTES),
        COLUMN(COLUMN_TEXT, image_version, NAME_MAX_BYTES),
        COLUMN(COLUMN_TEXT, image_sha256, NAME_MAX_BYTES),
        COLUMN(COLUMN_TEXT, boot_id, NAME_MAX_BYTES),
        COLUMN(COLUMN_BOOL, clock_synchronized, 0),
        COLUMN(COLUMN_U64, start_realtime_usec, 0),
        COLUMN(COLUMN_U64, end_realtime_usec, 0),
        COLUMN(COLUMN_U64, duration_usec, 0),
        COLUMN(COLUMN_U64, bytes, 0),
        COLUMN(COLUMN_U64, transfers, 0),
        COLUMN(COLUMN_VERDICT, verdict, 0),
        COLUMN(COLUMN_BOOL, final, 0),
        COLUMN(COLUMN_TEXT, message, MESSAGE_MAX_BYTES),
};

static const char *const stmt_texts[STMT_MAX_] = {
        [STMT_BEGIN] = "BEGIN IMMEDIATE",
        [STMT_COMMIT] = "COMMIT",
        [STMT_ATTEMPT_OPEN] =
                "INSERT INTO attempt (job, attempt, slot, port, path, chip, mac, policy, image_path, "
                "image_name,"
                " image_version, image_sha256, boot_id, clock_synchronized, start_realtime_usec)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        [STMT_ATTEMPT_CLOSE] =
                "UPDATE attempt SET sequence = (SELECT coalesce(max(sequence), 0) + 1 FROM attempt),"
                " end_realtime_usec = ?2, duration_usec = ?3, bytes = ?4, transfers = ?5, verdict = ?6, "
                "final = ?7,"
                " message = ?8, mac = coalesce(?9, mac)"
                " WHERE id = ?1 AND sequence IS NULL RETURNING " COLUMNS,
        [STMT_ATTEMPT_EXISTS] = "SELECT 1 FROM attempt WHERE id = ?1",
        [STMT_ATTEMPTS_LEFT_OPEN] = "SELECT id FROM attempt WHERE sequence IS NULL ORDER BY id LIMIT 1",
        /* A late verdict of a board that is gone does not cover the board that came after it. */
        [STMT_PRESENCE_PUT] =
                "INSERT INTO presence (path, boot_id, devnum, initialized_usec, verdict, message)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                " ON CONFLICT (path) DO UPDATE SET boot_id = excluded.boot_id, devnum = excluded.devnum,"
                " initialized_usec = excluded.initialized_usec, verdict = excluded.verdict, message = "
                "excluded.message"
                " WHERE excluded.boot_id <> boot_id OR excluded.initialized_usec >= initialized_usec",
        [STMT_PRESENCE_PRUNE] = "DELETE FROM presence WHERE boot_id <> ?1",
        [STMT_PRESENCES] = "SELECT path, boot_id, devnum, initialized_usec, verdict, message FROM presence"
                           " ORDER BY initialized_usec DESC LIMIT ?1",
        [STMT_LAST_SEQUENCE] = "SELECT coalesce(max(sequence), 0) FROM attempt",
        /* Jumps from slot to slot in the index instead of reading it all. */
        [STMT_LAST_OF_SLOTS] =
                "WITH RECURSIVE names (name) AS (SELECT min(slot) FROM attempt UNION ALL"
                " SELECT (SELECT min(slot) FROM attempt WHERE slot > name) FROM names WHERE name IS NOT NULL)"
                " SELECT " COLUMNS " FROM attempt WHERE id IN (SELECT (SELECT max(id) FROM attempt"
                " WHERE slot = name AND sequence IS NOT NULL) FROM names) ORDER BY sequence DESC LIMIT ?1",
        [STMT_HISTORY] = "SELECT " COLUMNS " FROM attempt WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        [STMT_HISTORY_SLOT] = "SELECT " COLUMNS
                              " FROM attempt WHERE id < ?1 AND slot = ?3 ORDER BY id DESC LIMIT ?2",
        [STMT_HISTORY_MAC] = "SELECT " COLUMNS
                             " FROM attempt WHERE id < ?1 AND mac = ?4 ORDER BY id DESC LIMIT ?2",
        /* By MAC first: a board has few attempts, a slot has many. */
        [STMT_HISTORY_SLOT_MAC] =
                "SELECT " COLUMNS
                " FROM attempt WHERE id < ?1 AND +slot = ?3 AND mac = ?4 ORDER BY id DESC LIMIT ?2",
        [STMT_BOARD_IMAGE] = "SELECT verdict, image_sha256 FROM attempt WHERE mac = ?1"
                             " AND (sequence IS NULL OR bytes > 0 OR verdict IN ('flashed', 'interrupted', "
                             "'engine-failed'))"
                             " ORDER BY id DESC LIMIT 1",
        [STMT_TODAY] = "SELECT verdict, final, attempt = 1, count(*) FROM attempt"
                       " WHERE end_realtime_usec >= ?1 AND end_realtime_usec < ?2 AND sequence <= ?3"
                       " GROUP BY 1, 2, 3",
        [STMT_HOUR] = "SELECT count(*) FROM attempt WHERE end_realtime_usec > ?1 AND end_realtime_usec <= ?2"
                      " AND sequence <= ?3 AND verdict = 'flashed'",
};

int ledger_error(char **ret, int r, const char *format, ...)
{
        va_list args;
        char *text;

        if (!ret)
                return r;
        va_start(args, format);
        if (vasprintf(&text, format, args) < 0)
                text = NULL;
        va_end(args);
        free(*ret);
        *ret = text;
        return r;
}

struct ledger_presence *ledger_presence_free(struct ledger_presence *presence)
{
        if (!presence)
                return NULL;
        free(presence->boot_id);
        free(presence->path);
        free(presence->message);
        free(presence);
        return NULL;
}

/* ---- results ---- */

const char *ledger_db_error(struct ledger_db *db)
{
        return sqlite3_errmsg(db->sqlite);
}

int ledger_db_errno(struct ledger_db *db, int rc)
{
        int system_errno = errno; /* SQLite keeps no errno of a failed COMMIT */

        switch (rc & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_READONLY:
                return -EROFS;
        case SQLITE_PERM:
        case SQLITE_AUTH:
                return -EACCES;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return -EUCLEAN;
        case SQLITE_CONSTRAINT:
                return -EINVAL;
        case SQLITE_TOOBIG:
                return -EMSGSIZE;
        case SQLITE_INTERRUPT:
                return -ETIME;
        }
        if (system_errno == 0)
                system_errno = sqlite3_system_errno(db->sqlite);
        return system_errno > 0 ? -system_errno : -EIO;
}

int ledger_db_stmt(struct ledger_db *db, enum ledger_stmt stmt, sqlite3_stmt **ret)
{
        if (!db->stmts[stmt]) {
                int rc = sqlite3_prepare_v3(db->sqlite, stmt_texts[stmt], -1, SQLITE_PREPARE_PERSISTENT,
                                            &db->stmts[stmt], NULL);

                if (rc != SQLITE_OK)
                        return ledger_db_errno(db, rc);
        }
        *ret = db->stmts[stmt];
        return 0;
}

void ledger_stmt_donep(sqlite3_stmt **stmt)
{
        if (!*stmt)
                return;
        sqlite3_reset(*stmt);
        sqlite3_clear_bindings(*stmt);
}

int ledger_db_step(struct ledger_db *db, sqlite3_stmt *stmt)
{
        int rc;

        errno = 0;
        rc = sqlite3_step(stmt);
        return rc == SQLITE_ROW ? 1 : ledger_db_errno(db, rc);
}

static int run(struct ledger_db *db, enum ledger_stmt id)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, id, &stmt);
        if (r < 0)
                return r;
        return ledger_db_step(db, stmt);
}

/* ---- values ---- */

void ledger_bind_u64(sqlite3_stmt *stmt, int index, uint64_t value)
{
        sqlite3_bind_int64(stmt, index, (int64_t)MIN(value, (uint64_t)INT64_MAX));
}

static size_t bounded_length(const char *text, size_t max)
{
        size_t n = strnlen(text, max + 1);

        if (n <= max)
                return n;
        for (n = max; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
                n--;
        return n;
}

void ledger_bind_text(sqlite3_stmt *stmt, int index, const char *text, size_t max)
{
        if (text)
                sqlite3_bind_text(stmt, index, text, (int)bounded_length(text, max), SQLITE_STATIC);
        else
                sqlite3_bind_null(stmt, index);
}

int ledger_column_text(sqlite3_stmt *stmt, int column, char **ret)
{
        const char *text;

        if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
                *ret = NULL;
                return 0;
        }
        text = (const char *)sqlite3_column_text(stmt, column);
        return text && (*ret = strdup(text)) ? 0 : -ENOMEM;
}

/* A word that this version does not know (a newer one wrote it) is shown as interrupted: closed, and not flashed. */
enum verdict ledger_column_verdict(sqlite3_stmt *stmt, int column)
{
        int verdict = verdict_from_string((const char *)sqlite3_column_text(stmt, column));

        return verdict < 0 ? VERDICT_INTERRUPTED : (enum verdict)verdict;
}

static int read_column(sqlite3_stmt *stmt, int i, void *field)
{
        int64_t value = sqlite3_column_int64(stmt, i);

        switch (columns[i].type) {
        case COLUMN_I64:
                *(int64_t *)field = value;
                return 0;
        case COLUMN_U64:
                *(uint64_t *)field = value > 0 ? (uint64_t)value : 0;
                return 0;
        case COLUMN_UNSIGNED:
                *(unsigned *)field = (unsigned)value;
                return 0;
        case COLUMN_BOOL:
                *(bool *)field = value != 0;
                return 0;
        case COLUMN_TEXT:
                return ledger_column_text(stmt, i, field);
        case COLUMN_VERDICT:
                *(enum verdict *)field = ledger_column_verdict(stmt, i);
                return 0;
        }
        return -EINVAL;
}

int ledger_read_attempt(sqlite3_stmt *stmt, struct attempt_record *ret)
{
        _cleanup_(attempt_record_done) struct attempt_record record = { 0 };

        for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
                int r = read_column(stmt, (int)i, (char *)&record + columns[i].offset);

                if (r < 0)
                        return r;
        }
        *ret = record;
        record = (struct attempt_record){ 0 };
        return 0;
}

static void bind_column(sqlite3_stmt *stmt, int index, size_t column, const void *field)
{
        switch (columns[column].type) {
        case COLUMN_I64:
                sqlite3_bind_int64(stmt, index, *(const int64_t *)field);
                break;
        case COLUMN_U64:
                ledger_bind_u64(stmt, index, *(const uint64_t *)field);
                break;
        case COLUMN_UNSIGNED:
                sqlite3_bind_int64(stmt, index, *(const unsigned *)field);
                break;
        case COLUMN_BOOL:
                sqlite3_bind_int(stmt, index, *(const bool *)field);
                break;
        case COLUMN_TEXT:
                ledger_bind_text(stmt, index, *(char *const *)field, columns[column].max);
                break;
        case COLUMN_VERDICT:
                ledger_bind_text(stmt, index, verdict_to_string(*(const enum verdict *)field),
                                 NAME_MAX_BYTES);
                break;
        }
}

/* ---- writing ---- */

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
        for (size_t i = FIRST_OPENED; i <= LAST_OPENED; i++)
                bind_column(stmt, (int)(i - FIRST_OPENED) + 1, i, (const char *)record + columns[i].offset);
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
        return r < 0 ? r : r > 0 ? -EALREADY : -ENOENT;
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
        ledger_bind_text(stmt, 6, verdict_to_string(record->verdict), NAME_MAX_BYTES);
        sqlite3_bind_int(stmt, 7, final);
        ledger_bind_text(stmt, 8, record->message, MESSAGE_MAX_BYTES);
        ledger_bind_text(stmt, 9, record->mac, NAME_MAX_BYTES);
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

int ledger_db_presence_put(struct ledger_db *db, const struct ledger_presence *presence)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, STMT_PRESENCE_PUT, &stmt);
        if (r < 0)
                return r;
        ledger_bind_text(stmt, 1, presence->path, NAME_MAX_BYTES);
        ledger_bind_text(stmt, 2, presence->boot_id, NAME_MAX_BYTES);
        sqlite3_bind_int64(stmt, 3, presence->devnum);
        ledger_bind_u64(stmt, 4, presence->initialized_usec);
        ledger_bind_text(stmt, 5, verdict_to_string(presence->verdict), NAME_MAX_BYTES);
        ledger_bind_text(stmt, 6, presence->message, MESSAGE_MAX_BYTES);
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
                if (r < 0)
                        return r;
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
        ledger_bind_text(stmt, 1, boot_id, NAME_MAX_BYTES);
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

/* ---- opening and closing ---- */

/* Creates the file with its mode; SQLite gives the files beside it the same one. */
static int create_file(const char *path)
{
        int fd, r = 0;

        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (fd < 0)
                return errno == EEXIST ? 0 : -errno;
        if (fchmod(fd, 0640) < 0)
                r = -errno;
        close(fd);
        return r;
}

static int past_deadline(void *userdata)
{
        const struct ledger_db *db = userdata;

        return db->deadline_usec > 0 && clock_boottime_usec() > db->deadline_usec;
}

static int connect_to(const char *path, int busy_msec, struct ledger_db **ret, char **ret_error)
{
        _cleanup_(ledger_db_freep) struct ledger_db *db = calloc(1, sizeof(*db));
        int rc;

        if (!db || !(db->path = strdup(path)))
                return -ENOMEM;
        errno = 0;
        rc = sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        if (!db->sqlite)
                return -ENOMEM;
        if (rc != SQLITE_OK)
                return ledger_error(ret_error, ledger_db_errno(db, rc), "%s: cannot be opened: %s", path,
                                    ledger_db_error(db));
        sqlite3_extended_result_codes(db->sqlite, 1);
        sqlite3_busy_timeout(db->sqlite, busy_msec);
        /* A file that somebody prepared runs nothing of its own. */
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        *ret = take_ptr(db);
        return 0;
}

int ledger_db_open_writer(const char *path, struct ledger_db **ret, char **ret_error)
{
        _cleanup_(ledger_db_freep) struct ledger_db *db = NULL;
        int r;

        r = create_file(path);
        if (r < 0)
                return ledger_error(ret_error, r, "%s: cannot be created: %s", path, strerror(-r));
        r = connect_to(path, WRITER_BUSY_MSEC, &db, ret_error);
        if (r < 0)
                return r;
        r = ledger_schema_prepare(db, ret_error);
        if (r < 0)
                return r;
        *ret = take_ptr(db);
        return 0;
}

int ledger_db_open_reader(const char *path, struct ledger_db **ret, char **ret_error)
{
        _cleanup_(ledger_db_freep) struct ledger_db *db = NULL;
        int rc, r;

        r = connect_to(path, READER_BUSY_MSEC, &db, ret_error);
        if (r < 0)
                return r;
        rc = sqlite3_exec(db->sqlite, "PRAGMA query_only = 1", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
                return ledger_error(ret_error, ledger_db_errno(db, rc), "%s: cannot be read: %s", path,
                                    ledger_db_error(db));
        sqlite3_progress_handler(db->sqlite, 1000, past_deadline, db);
        *ret = take_ptr(db);
        return 0;
}

struct ledger_db *ledger_db_free(struct ledger_db *db)
{
        if (!db)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(db->stmts); i++)
                sqlite3_finalize(db->stmts[i]);
        sqlite3_close(db->sqlite);
        free(db->path);
        free(db);
        return NULL;
}
