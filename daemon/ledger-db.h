/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger's database: one connection, its statements, its errors. Blocking; a connection belongs to one
 * thread at a time: the writer's to the writer thread, the reader's to the event loop. Not for use outside
 * daemon/ledger*.
 */
#pragma once

#include <sqlite3.h>

#include "core/util.h"

/* Every statement; its text is in ledger-db.c. */
enum ledger_stmt {
        STMT_BEGIN,
        STMT_COMMIT,
        STMT_ATTEMPT_OPEN,
        STMT_ATTEMPT_CLOSE,
        STMT_ATTEMPT_EXISTS,
        STMT_ATTEMPTS_LEFT_OPEN,
        STMT_PRESENCE_PUT,
        STMT_PRESENCE_FORGET,
        STMT_PRESENCE_PRUNE,
        STMT_PRESENCES,
        STMT_LAST_SEQUENCE,
        STMT_LAST_OF_PLACES,
        STMT_BOARD_IMAGE,
        STMT_TODAY,
        STMT_HOUR,
        STMT_CONSUMER,
        STMT_CONSUMER_PUT,
        STMT_CONSUMER_DELETE,
        STMT_CONSUMER_COUNT,
        STMT_CONSUMER_LEAST,
        STMT_CONSUMER_USER,
        STMT_CONSUMERS,
        STMT_LEDGER_ID,
        STMT_LEDGER_NEW_ID,
        STMT_FIRST_SEQUENCE,
        STMT_OLDEST,
        STMT_REMOVE,
        STMT_REMOVED,
        STMT_DATA_ASSIGN,
        STMT_DATA_AGAIN,
        STMT_DATA_MOVED,
        STMT_DATA_OF_MAC,
        STMT_DATA_OF_PRESENCE,
        STMT_DATA_INTERRUPTED,
        STMT_DATA_BY_CONTENT,
        STMT_DATA_IS_USED,
        STMT_DATA_COUNT,
        STMT_MAX_,
};

struct ledger_db {
        char *path;
        sqlite3 *sqlite;
        sqlite3_stmt *stmts[STMT_MAX_]; /* prepared when first used */
        uint64_t deadline_usec; /* CLOCK_BOOTTIME; a reader's statement is interrupted then, 0: never */
};

/* The writing connection: creates the file and the tables, checks whose it is, brings an older schema up.
 * Errors as ledger_open() says them, with *ret_error. */
int ledger_db_open_writer(const char *path, struct ledger_db **ret, char **ret_error);
/* A connection that only reads; the writing one must be there first. */
int ledger_db_open_reader(const char *path, struct ledger_db **ret, char **ret_error);
struct ledger_db *ledger_db_free(struct ledger_db *db);
DEFINE_CLEANUP(struct ledger_db, ledger_db_free)

/* One statement, ready to be bound; for _cleanup_(ledger_stmt_donep). Returns 0 or -errno. */
int ledger_db_stmt(struct ledger_db *db, enum ledger_stmt stmt, sqlite3_stmt **ret);
void ledger_stmt_donep(sqlite3_stmt **stmt);
/* For one that was prepared for a single use. */
static inline void ledger_stmt_finalizep(sqlite3_stmt **stmt)
{
        sqlite3_finalize(*stmt);
}
/* One step: 1 a row, 0 done, or -errno. */
int ledger_db_step(struct ledger_db *db, sqlite3_stmt *stmt);
/* The connection's last result as -errno; rc is what SQLite returned. */
int ledger_db_errno(struct ledger_db *db, int rc);
const char *ledger_db_error(struct ledger_db *db);
/* At the start: what r means for the person who is to mend it. what: "cannot be read". Returns r, or -ENOSPC where SQLite's
 * I/O error is a full disk. */
int ledger_db_refuse(struct ledger_db *db, int r, const char *what, char **ret_error);
/* 0, or -ESTALE when the file is no longer at its path: what is written would be lost. */
int ledger_db_check_place(struct ledger_db *db);

/* printf into *ret (released before; NULL when out of memory or ret is NULL); returns r. */
int ledger_error(char **ret, int r, const char *format, ...) _printf_(3, 4);
