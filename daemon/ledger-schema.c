/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-schema.h"

#include <stdio.h>

#include "daemon/ledger-row.h"

/* Step n brings a database of user_version n to n + 1. A step that was released is never changed. */
static const char *const migrations[] = {
        "CREATE TABLE attempt ("
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  sequence INTEGER UNIQUE,"
        "  job TEXT NOT NULL,"
        "  attempt INTEGER NOT NULL,"
        "  slot TEXT NOT NULL,"
        "  port TEXT,"
        "  path TEXT,"
        "  chip TEXT,"
        "  mac TEXT,"
        "  policy TEXT,"
        "  image_path TEXT,"
        "  image_name TEXT,"
        "  image_version TEXT,"
        "  image_sha256 TEXT,"
        "  boot_id TEXT NOT NULL,"
        "  clock_synchronized INTEGER NOT NULL,"
        "  start_realtime_usec INTEGER NOT NULL,"
        "  end_realtime_usec INTEGER,"
        "  duration_usec INTEGER,"
        "  bytes INTEGER,"
        "  transfers INTEGER,"
        "  verdict TEXT NOT NULL DEFAULT 'none',"
        "  final INTEGER NOT NULL DEFAULT 0,"
        "  message TEXT,"
        "  CHECK ((sequence IS NULL) = (end_realtime_usec IS NULL)),"
        "  CHECK ((sequence IS NULL) = (verdict = 'none'))"
        ") STRICT;"
        "CREATE INDEX attempt_left_open ON attempt (id) WHERE sequence IS NULL;"
        "CREATE INDEX attempt_by_slot ON attempt (slot, id);"
        "CREATE INDEX attempt_by_mac ON attempt (mac, id) WHERE mac IS NOT NULL;"
        "CREATE INDEX attempt_by_end ON attempt (end_realtime_usec, sequence, verdict, final, attempt)"
        "  WHERE sequence IS NOT NULL;"
        /* One row for a port: a board that arrives there ends the presence before it. */
        "CREATE TABLE presence ("
        "  path TEXT PRIMARY KEY NOT NULL,"
        "  boot_id TEXT NOT NULL,"
        "  devnum INTEGER NOT NULL,"
        "  initialized_usec INTEGER NOT NULL,"
        "  verdict TEXT NOT NULL,"
        "  message TEXT"
        ") STRICT, WITHOUT ROWID;",

        "ALTER TABLE attempt ADD COLUMN engine_message TEXT;"
        "ALTER TABLE attempt ADD COLUMN detaching_usec INTEGER;"
        "ALTER TABLE attempt ADD COLUMN away_usec INTEGER;"
        "ALTER TABLE attempt ADD COLUMN downloading_usec INTEGER;"
        "ALTER TABLE attempt ADD COLUMN verifying_usec INTEGER;"
        "ALTER TABLE attempt ADD COLUMN dfu_status TEXT;"
        "ALTER TABLE attempt ADD COLUMN dfu_state TEXT;"
        "ALTER TABLE attempt ADD COLUMN station TEXT;"
        "ALTER TABLE attempt ADD COLUMN data_file TEXT;"
        "CREATE INDEX attempt_by_start ON attempt (start_realtime_usec);"
        "CREATE INDEX attempt_by_verdict ON attempt (verdict, id);"
        /* Who copies the ledger elsewhere, and how far each is. */
        "CREATE TABLE consumer ("
        "  name TEXT PRIMARY KEY NOT NULL,"
        "  sequence INTEGER NOT NULL,"
        "  seen_realtime_usec INTEGER NOT NULL"
        ") STRICT, WITHOUT ROWID;"
        /* One row: what retention has removed so far. */
        "CREATE TABLE retention ("
        "  one INTEGER PRIMARY KEY CHECK (one = 1),"
        "  removed INTEGER NOT NULL,"
        "  removed_realtime_usec INTEGER"
        ") STRICT;"
        "INSERT INTO retention VALUES (1, 0, NULL);",

        /* The board was reset when it was flashed: when, and who comes back after it. */
        "ALTER TABLE presence ADD COLUMN reset_usec INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE presence ADD COLUMN board TEXT;",

        /* What a file of a board-data folder is used for; a row stays for ever. */
        "CREATE TABLE board_data ("
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  file TEXT NOT NULL UNIQUE,"
        "  folder TEXT NOT NULL,"
        "  sha256 TEXT NOT NULL UNIQUE,"
        "  job TEXT NOT NULL,"
        "  mac TEXT,"
        "  slot TEXT NOT NULL,"
        "  policy TEXT,"
        "  boot_id TEXT NOT NULL,"
        "  path TEXT NOT NULL,"
        "  devnum INTEGER NOT NULL,"
        "  initialized_usec INTEGER NOT NULL,"
        "  assigned_realtime_usec INTEGER NOT NULL"
        ") STRICT;"
        "CREATE INDEX board_data_by_folder ON board_data (folder, file);"
        "CREATE UNIQUE INDEX board_data_by_mac ON board_data (mac, folder) WHERE mac IS NOT NULL;"
        "CREATE INDEX board_data_by_presence ON board_data (path, initialized_usec) WHERE mac IS NULL;",

        /* A port keeps its attempts when its slot gets another name. */
        "CREATE INDEX attempt_by_place ON attempt (coalesce(path, port, slot), id);"
        /* The oldest dates that can be believed, whatever stands before them. */
        "CREATE INDEX attempt_dated ON attempt (sequence, end_realtime_usec)"
        "  WHERE sequence IS NOT NULL AND clock_synchronized = 1;",

        /* One row: which ledger this is, wherever its rows are copied to. */
        "CREATE TABLE ledger ("
        "  one INTEGER PRIMARY KEY CHECK (one = 1),"
        "  id TEXT NOT NULL,"
        "  since INTEGER NOT NULL"
        ") STRICT;"
        "INSERT INTO ledger VALUES (1, lower(hex(randomblob(16))), 0);"
        /* Who may acknowledge in its name. */
        "ALTER TABLE consumer ADD COLUMN uid INTEGER;",
};

static int read_integer(struct ledger_db *db, const char *sql, int64_t *ret)
{
        sqlite3_stmt *stmt = NULL;
        int rc, r;

        rc = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);
        if (rc != SQLITE_OK)
                return ledger_db_errno(db, rc);
        r = ledger_db_step(db, stmt);
        if (r > 0)
                *ret = sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
        return r < 0 ? r : r == 0 ? -ENODATA : 0;
}

static int migrate(struct ledger_db *db, int64_t version)
{
        char pragmas[128];
        int rc;

        snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %lld;",
                 LEDGER_APPLICATION_ID, (long long)version + 1);
        rc = sqlite3_exec(db->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db->sqlite, migrations[version], NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db->sqlite, pragmas, NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db->sqlite, "COMMIT", NULL, NULL, NULL);
        return rc == SQLITE_OK ? 0 : ledger_db_errno(db, rc);
}

/* Reads only: a database that is not ours stays as it is. */
static int check_owner(struct ledger_db *db, int64_t *ret_version, char **ret_error)
{
        int64_t application_id = 0, version = 0, objects = 0;
        int r;

        r = read_integer(db, "SELECT count(*) FROM sqlite_schema", &objects);
        if (r >= 0)
                r = read_integer(db, "PRAGMA application_id", &application_id);
        if (r >= 0)
                r = read_integer(db, "PRAGMA user_version", &version);
        if (r < 0)
                return ledger_db_refuse(db, r, "cannot be read", ret_error);
        if (application_id != LEDGER_APPLICATION_ID && (application_id != 0 || version != 0 || objects > 0))
                return ledger_error(
                        ret_error, -EMEDIUMTYPE,
                        "%s: another program's SQLite database (application id 0x%08llx): expected a "
                        "ledger (0x%08x): move the file away",
                        db->path, (unsigned long long)application_id, (unsigned)LEDGER_APPLICATION_ID);
        if (version < 0 || version > (int64_t)ARRAY_SIZE(migrations))
                return ledger_error(
                        ret_error, -EPROTONOSUPPORT,
                        "%s: ledger schema %lld: expected at most %zu: install the espdfu that wrote it, "
                        "or move the file away",
                        db->path, (long long)version, ARRAY_SIZE(migrations));
        *ret_version = version;
        return 0;
}

/* A row of a PRAGMA's answer: journal_mode says what it is now, whatever was asked. */
static int check_wal(void *userdata, int n, char **values, char **names)
{
        bool *wal = userdata;

        (void)names;
        if (n > 0 && streq_ptr(values[0], "wal"))
                *wal = true;
        return 0;
}

int ledger_schema_prepare(struct ledger_db *db, char **ret_error)
{
        int64_t version = 0;
        bool wal = false;
        int rc, r;

        r = check_owner(db, &version, ret_error);
        if (r < 0)
                return r;

        /* WAL: readers never wait. FULL: a commit is on the disk when it returns. */
        rc = sqlite3_exec(
                db->sqlite,
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304;",
                check_wal, &wal, NULL);
        if (rc != SQLITE_OK)
                return ledger_db_refuse(db, ledger_db_errno(db, rc), "cannot be written", ret_error);
        if (!wal)
                return ledger_error(
                        ret_error, -EOPNOTSUPP,
                        "%s: no write-ahead log here: expected a local file system with shared memory",
                        db->path);
        for (; version < (int64_t)ARRAY_SIZE(migrations); version++) {
                r = migrate(db, version);
                if (r < 0)
                        return ledger_db_refuse(db, r, "tables cannot be made", ret_error);
        }
        return 0;
}
