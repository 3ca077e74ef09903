/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/integration/ledger-copy.h"

#include <glib/gstdio.h>
#include <sqlite3.h>

/* Not its -shm: SQLite makes that from the log, as after a loss of power. Returns the bytes; -1: there is none. */
static int64_t copy_file(struct line *line, const char *name)
{
        g_autofree char *from_name = g_strdup_printf("state/%s", name), *from = line_path(line, from_name);
        g_autofree char *to_name = g_strdup_printf("copy/%s", name), *to = line_path(line, to_name);
        g_autofree char *content = NULL;
        gsize size;
        FILE *f;

        g_unlink(to);
        if (!g_file_get_contents(from, &content, &size, NULL))
                return -1;
        f = fopen(to, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(content, 1, size, f), size);
        assert_int_equal(fclose(f), 0);
        return (int64_t)size;
}

static void refuse(sqlite3 *db, const char *what)
{
        fail_msg("the ledger that the daemon left: %s: %s", what, sqlite3_errmsg(db));
}

static int64_t number(sqlite3 *db, const char *query)
{
        sqlite3_stmt *statement;
        int64_t n;

        if (sqlite3_prepare_v2(db, query, -1, &statement, NULL) != SQLITE_OK ||
            sqlite3_step(statement) != SQLITE_ROW)
                refuse(db, query);
        n = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        return n;
}

static void expect_integrity(sqlite3 *db)
{
        sqlite3_stmt *statement;

        if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) != SQLITE_OK ||
            sqlite3_step(statement) != SQLITE_ROW)
                refuse(db, "integrity_check");
        assert_string_equal((const char *)sqlite3_column_text(statement, 0), "ok");
        sqlite3_finalize(statement);
}

/* A daemon that was killed in its first moments has not made the table yet. */
static bool has_rows(sqlite3 *db)
{
        return number(db, "SELECT count(*) FROM sqlite_master WHERE name = 'attempt'") > 0;
}

bool ledger_copy_expect_sound(struct line *line, struct ledger_figures *ret)
{
        g_autofree char *dir = line_path(line, "copy"), *path = line_path(line, "copy/ledger.sqlite");
        sqlite3 *db;
        bool there;

        g_mkdir(dir, 0700);
        ret->size = copy_file(line, "ledger.sqlite");
        ret->wal_size = copy_file(line, "ledger.sqlite-wal");
        if (ret->size < 0)
                return false;
        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
                refuse(db, "open");
        expect_integrity(db);
        there = has_rows(db);
        if (there) {
                ret->rows = number(db, "SELECT count(*) FROM attempt");
                ret->closed = number(db, "SELECT count(sequence) FROM attempt");
                ret->open = number(db, "SELECT count(*) FROM attempt WHERE sequence IS NULL AND"
                                       " verdict = 'none' AND end_realtime_usec IS NULL");
                assert_int_equal(ret->rows, ret->closed + ret->open);
                assert_int_equal(number(db, "SELECT ifnull(max(sequence), 0) FROM attempt"), ret->closed);
                assert_int_equal(number(db, "SELECT count(DISTINCT sequence) FROM attempt"), ret->closed);
        }
        sqlite3_close(db);
        return there;
}
