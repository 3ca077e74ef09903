/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-db.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/ledger-row.h"
#include "daemon/ledger-schema.h"

#define WRITER_BUSY_MSEC 5000 /* somebody's sqlite3 holds the write lock; the writer thread may wait */
#define READER_BUSY_MSEC 200  /* the event loop may not */

#define SHARED_MEMORY_SIZE 32768 /* SQLite's smallest -shm file: without space for it nothing can be read */

/* In the order of ledger-data.c. */
#define DATA_COLUMNS                                                                                         \
        "file, folder, sha256, job, mac, slot, policy, boot_id, path, devnum, initialized_usec, "            \
        "assigned_realtime_usec"

static const char *const stmt_texts[STMT_MAX_] = {
        [STMT_BEGIN] = "BEGIN IMMEDIATE",
        [STMT_COMMIT] = "COMMIT",
        [STMT_ATTEMPT_OPEN] =
                "INSERT INTO attempt (job, attempt, slot, port, path, chip, mac, policy, image_path, "
                "image_name,"
                " image_version, image_sha256, boot_id, clock_synchronized, start_realtime_usec, station,"
                " data_file)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        [STMT_ATTEMPT_CLOSE] =
                "UPDATE attempt SET sequence = (SELECT coalesce(max(sequence), 0) + 1 FROM attempt),"
                " end_realtime_usec = ?2, duration_usec = ?3, bytes = ?4, transfers = ?5, verdict = ?6, "
                "final = ?7,"
                " message = ?8, mac = coalesce(?9, mac), engine_message = ?10, detaching_usec = ?11,"
                " away_usec = ?12, downloading_usec = ?13, verifying_usec = ?14, dfu_status = ?15, dfu_state "
                "= ?16"
                " WHERE id = ?1 AND sequence IS NULL RETURNING " LEDGER_COLUMNS,
        [STMT_ATTEMPT_EXISTS] = "SELECT 1 FROM attempt WHERE id = ?1",
        [STMT_ATTEMPTS_LEFT_OPEN] = "SELECT id FROM attempt WHERE sequence IS NULL ORDER BY id LIMIT 1",
        /* A late verdict of a board that is gone does not cover the board that came after it. */
        [STMT_PRESENCE_PUT] =
                "INSERT INTO presence (path, boot_id, devnum, initialized_usec, verdict, message,"
                " reset_usec, board) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                " ON CONFLICT (path) DO UPDATE SET boot_id = excluded.boot_id, devnum = excluded.devnum,"
                " initialized_usec = excluded.initialized_usec, verdict = excluded.verdict, message = "
                "excluded.message, reset_usec = excluded.reset_usec, board = excluded.board"
                " WHERE excluded.boot_id <> boot_id OR excluded.initialized_usec >= initialized_usec",
        [STMT_PRESENCE_FORGET] = "DELETE FROM presence WHERE path = ?1 AND boot_id = ?2 AND devnum = ?3"
                                 " AND initialized_usec = ?4",
        [STMT_PRESENCE_PRUNE] = "DELETE FROM presence WHERE boot_id <> ?1",
        [STMT_PRESENCES] = "SELECT path, boot_id, devnum, initialized_usec, verdict, message,"
                           " reset_usec, board FROM presence"
                           " ORDER BY initialized_usec DESC LIMIT ?1",
        [STMT_LAST_SEQUENCE] = "SELECT coalesce(max(sequence), 0) FROM attempt",
        /* Jumps from place to place in the index instead of reading it all. */
        [STMT_LAST_OF_PLACES] = "WITH RECURSIVE places (place) AS (SELECT min(" LEDGER_PLACE
                                ") FROM attempt UNION ALL"
                                " SELECT (SELECT min(" LEDGER_PLACE ") FROM attempt WHERE " LEDGER_PLACE
                                " > place)"
                                " FROM places WHERE place IS NOT NULL)"
                                " SELECT " LEDGER_COLUMNS
                                " FROM attempt WHERE id IN (SELECT (SELECT max(id) FROM attempt"
                                " WHERE " LEDGER_PLACE " = place AND sequence IS NOT NULL) FROM places)"
                                " ORDER BY sequence DESC LIMIT ?1",
        [STMT_BOARD_IMAGE] = "SELECT verdict, image_sha256 FROM attempt WHERE mac = ?1"
                             " AND (sequence IS NULL OR bytes > 0 OR verdict IN ('flashed', 'interrupted', "
                             "'engine-failed'))"
                             " ORDER BY id DESC LIMIT 1",
        [STMT_TODAY] = "SELECT verdict, final, attempt = 1, count(*) FROM attempt"
                       " WHERE end_realtime_usec >= ?1 AND end_realtime_usec < ?2 AND sequence <= ?3"
                       " GROUP BY 1, 2, 3",
        [STMT_HOUR] = "SELECT count(*) FROM attempt WHERE end_realtime_usec > ?1 AND end_realtime_usec <= ?2"
                      " AND sequence <= ?3 AND +verdict = 'flashed'",
        [STMT_CONSUMER] = "SELECT sequence FROM consumer WHERE name = ?9",
        [STMT_CONSUMER_PUT] = "INSERT INTO consumer (name, sequence, seen_realtime_usec) VALUES (?9, ?1, ?2)"
                              " ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence,"
                              " seen_realtime_usec = excluded.seen_realtime_usec",
        [STMT_CONSUMER_USER] = "UPDATE consumer SET uid = ?1 WHERE name = ?9",
        [STMT_CONSUMER_DELETE] = "DELETE FROM consumer WHERE name = ?9",
        [STMT_CONSUMER_COUNT] = "SELECT count(*) FROM consumer",
        [STMT_CONSUMER_LEAST] = "SELECT min(sequence) FROM consumer",
        [STMT_CONSUMERS] =
                "SELECT name, sequence, (SELECT coalesce(max(sequence), 0) FROM attempt) - sequence,"
                " seen_realtime_usec, uid, (SELECT end_realtime_usec FROM attempt"
                " WHERE attempt.sequence = consumer.sequence + 1) FROM consumer ORDER BY name",
        [STMT_LEDGER_ID] = "SELECT id, since FROM ledger",
        [STMT_LEDGER_NEW_ID] = "UPDATE ledger SET id = lower(hex(randomblob(16))), since = ?1",
        [STMT_FIRST_SEQUENCE] = "SELECT min(sequence) FROM attempt",
        [STMT_OLDEST] = "SELECT sequence, end_realtime_usec FROM attempt"
                        " WHERE sequence IS NOT NULL AND clock_synchronized = 1 ORDER BY sequence",
        [STMT_REMOVE] = "DELETE FROM attempt WHERE sequence >= ?1 AND sequence <= ?2",
        [STMT_REMOVED] = "UPDATE retention SET removed = removed + ?1, removed_realtime_usec = ?2",
        [STMT_DATA_ASSIGN] =
                "INSERT INTO board_data (file, folder, sha256, job, mac, boot_id, path, devnum,"
                " initialized_usec, slot, policy, assigned_realtime_usec)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
        /* The same board once more: by its MAC, else within its job or its stay on the port. */
        [STMT_DATA_AGAIN] =
                "UPDATE board_data SET job = ?4, boot_id = ?6, path = ?7, devnum = ?8, initialized_usec = ?9"
                " WHERE file = ?1 AND folder = ?2 AND sha256 = ?3 AND mac IS ?5 AND (mac IS NOT NULL OR job "
                "= ?4"
                " OR (boot_id = ?6 AND path = ?7 AND devnum = ?8 AND initialized_usec = ?9))",
        [STMT_DATA_MOVED] =
                "UPDATE board_data SET boot_id = ?6, path = ?7, devnum = ?8, initialized_usec = ?9"
                " WHERE file = ?1 AND job = ?4",
        [STMT_DATA_OF_MAC] = "SELECT " DATA_COLUMNS " FROM board_data WHERE folder = ?1 AND mac = ?2",
        /* The latest: nobody else was there since. */
        [STMT_DATA_OF_PRESENCE] =
                "SELECT " DATA_COLUMNS " FROM board_data WHERE folder = ?1 AND mac IS NULL AND boot_id = ?2"
                " AND path = ?3 AND devnum = ?4 AND initialized_usec = ?5 ORDER BY id DESC LIMIT 1",
        /* The job of the last attempt on this port ended with its daemon: in that attempt, or while it had another to come. */
        [STMT_DATA_INTERRUPTED] =
                "SELECT " DATA_COLUMNS " FROM board_data WHERE folder = ?1 AND mac IS NULL AND boot_id = ?2"
                " AND path = ?3 AND initialized_usec < ?4 AND job = (SELECT iif(final = 0, job, "
                "NULL) FROM attempt WHERE " LEDGER_PLACE " = ?3 ORDER BY id DESC LIMIT 1) "
                "ORDER BY id DESC LIMIT 1",
        [STMT_DATA_BY_CONTENT] = "SELECT " DATA_COLUMNS " FROM board_data WHERE sha256 = ?1",
        [STMT_DATA_IS_USED] = "SELECT 1 FROM board_data WHERE file = ?1",
        [STMT_DATA_COUNT] = "SELECT count(*) FROM board_data WHERE folder = ?1",
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
        /* ENOENT means "no such row" to those who ask. */
        return system_errno > 0 && system_errno != ENOENT ? -system_errno : -EIO;
}

/* SQLite keeps no errno of a write to its shared memory that found no space. */
static bool is_disk_full(const char *path)
{
        struct statvfs disk;
        uint64_t blocks;

        if (statvfs(path, &disk) < 0)
                return false;
        blocks = geteuid() == 0 ? disk.f_bfree : disk.f_bavail;
        return blocks * disk.f_frsize < SHARED_MEMORY_SIZE || (disk.f_files > 0 && disk.f_favail == 0);
}

int ledger_db_refuse(struct ledger_db *db, int r, const char *what, char **ret_error)
{
        bool said = sqlite3_errcode(db->sqlite) != SQLITE_OK; /* else a row of it is not what it should be */

        if (r == -EUCLEAN)
                return ledger_error(ret_error, r,
                                    "%s: %s: expected a ledger: move the file away and a new one is made "
                                    "(sqlite3 FILE .recover shows what can be saved)",
                                    db->path, said ? ledger_db_error(db) : "damaged");
        if (r == -ENOSPC || (r == -EIO && is_disk_full(db->path)))
                return ledger_error(ret_error, -ENOSPC,
                                    "%s: %s: no space left on its disk: free some: espdfud tries again with "
                                    "its next start",
                                    db->path, what);
        return ledger_error(ret_error, r, "%s: %s: %s", db->path, what,
                            said ? ledger_db_error(db) : strerror(-r));
}

int ledger_db_check_place(struct ledger_db *db)
{
        int moved = 0;

        sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
        return moved ? -ESTALE : 0;
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

/* ---- opening and closing ---- */

/* Who may read them may lock them: a lock for reading at the right place, and SQLite here can write no more; a reader that does
 * not end, and the log grows without one. Who may look asks the socket. */
#define FILE_MODE 0600

/* Creates the file with its mode; SQLite gives the files beside it the same one. */
static int create_file(const char *path)
{
        int fd, r = 0;

        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
        if (fd < 0)
                return errno == EEXIST ? 0 : -errno;
        if (fchmod(fd, FILE_MODE) < 0)
                r = -errno;
        close(fd);
        return r;
}

/* An older espdfu let the group read. By name: to close a descriptor of it would drop the locks that this process has there. */
static int close_file_to_others(const char *file)
{
        struct stat st;

        if (stat(file, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
            (st.st_mode & 07777) == FILE_MODE)
                return 0;
        return chmod(file, FILE_MODE) < 0 ? -errno : 0;
}

static int close_to_others(const char *path)
{
        static const char *const suffixes[] = { "", "-wal", "-shm" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(suffixes); i++) {
                char *file = NULL;

                if (asprintf(&file, "%s%s", path, suffixes[i]) < 0)
                        return -ENOMEM;
                r = close_file_to_others(file);
                free(file);
        }
        return r;
}

static const char *kind_of_file(mode_t mode)
{
        return S_ISDIR(mode)    ? "a directory"
               : S_ISFIFO(mode) ? "a pipe"
               : S_ISSOCK(mode) ? "a socket"
                                : "a device";
}

/* SQLite would say "unable to open database file" of all of them. */
static int check_file(const char *path, char **ret_error)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return ledger_error(ret_error, -errno, "%s: cannot be opened: %s%s", path,
                                    errno == ENOENT ? "a symbolic link to a file that is not there"
                                                    : strerror(errno),
                                    errno == EACCES ? "" : ": expected a regular file");
        if (!S_ISREG(st.st_mode))
                return ledger_error(ret_error, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
                                    "%s: %s: expected a regular file", path, kind_of_file(st.st_mode));
        return 0;
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
                return ledger_db_refuse(db, ledger_db_errno(db, rc), "cannot be opened", ret_error);
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
        r = check_file(path, ret_error);
        if (r == 0)
                r = close_to_others(path);
        if (r < 0 && ret_error && !*ret_error)
                return ledger_error(ret_error, r,
                                    "%s: cannot be closed to others: %s: expected to set mode 0600", path,
                                    strerror(-r));
        if (r == 0)
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
        if (r != 0)
                return r;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what could not be opened has returned */
        rc = sqlite3_exec(db->sqlite, "PRAGMA query_only = 1", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
                return ledger_db_refuse(db, ledger_db_errno(db, rc), "cannot be read", ret_error);
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
