/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-retain.h"

#include "daemon/ledger-row.h"

#define GROUP 256 /* rows that are removed in one go: some milliseconds */

/* ---- statements ---- */

/* Runs text with these integers as ?1, ?2, … and name as ?9. 1 with *ret, the first column; 0 without a row, or for NULL. */
static int ask(struct ledger_db *db, enum ledger_stmt id, const char *name, const int64_t *values, size_t n,
               int64_t *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r;

        r = ledger_db_stmt(db, id, &stmt);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                sqlite3_bind_int64(stmt, (int)i + 1, values[i]);
        if (name)
                ledger_bind_text(stmt, 9, name, LEDGER_NAME_MAX);
        r = ledger_db_step(db, stmt);
        if (r <= 0 || !ret || sqlite3_column_type(stmt, 0) == SQLITE_NULL)
                return r < 0 ? r : 0;
        *ret = sqlite3_column_int64(stmt, 0);
        return 1;
}

static int last_sequence(struct ledger_db *db, int64_t *ret)
{
        int r = ask(db, STMT_LAST_SEQUENCE, NULL, NULL, 0, ret);

        return MIN(r, 0);
}

/* ---- consumers ---- */

static int put(struct ledger_db *db, const char *name, int64_t sequence, uint64_t now_usec)
{
        const int64_t values[] = { sequence, (int64_t)now_usec };

        return ask(db, STMT_CONSUMER_PUT, name, values, ARRAY_SIZE(values), NULL);
}

static int enroll(struct ledger_db *db, const char *name, int64_t sequence, uint64_t now_usec)
{
        int64_t n = 0, last = 0;
        int r = last_sequence(db, &last);

        if (r == 0)
                r = ask(db, STMT_CONSUMER_COUNT, NULL, NULL, 0, &n);
        if (r < 0)
                return r;
        if (n >= LEDGER_CONSUMERS_MAX)
                return EUSERS; /* ENOSPC is the disk's */
        if (sequence > last)
                return ERANGE;
        return put(db, name, sequence, now_usec);
}

static int set_user(struct ledger_db *db, const char *name, uint64_t user)
{
        const int64_t values[] = { (int64_t)user };

        return ask(db, STMT_CONSUMER_USER, name, values, ARRAY_SIZE(values), NULL);
}

static int acknowledge(struct ledger_db *db, const char *name, int64_t had, int64_t sequence,
                       uint64_t now_usec)
{
        int64_t last = 0;
        int r = last_sequence(db, &last);

        if (r < 0)
                return r;
        if (sequence > last || sequence < had)
                return ERANGE;
        return put(db, name, sequence, now_usec);
}

int ledger_db_consumer(struct ledger_db *db, enum consumer_action action, const char *name, int64_t sequence,
                       uint64_t user, uint64_t now_realtime_usec, int64_t *ret)
{
        int64_t had = 0;
        int r = ask(db, STMT_CONSUMER, name, NULL, 0, &had);
        bool known = r > 0;

        if (r < 0)
                return r;
        r = 0;
        *ret = sequence;
        switch (action) {
        case CONSUMER_REGISTER:
                if (known)
                        *ret = had; /* it is again who it was, and goes on where it was */
                else
                        r = enroll(db, name, sequence, now_realtime_usec);
                return r == 0 && user != USEC_INFINITY ? set_user(db, name, user) : r;
        case CONSUMER_ACKNOWLEDGE:
                return known ? acknowledge(db, name, had, sequence, now_realtime_usec) : ENOENT;
        case CONSUMER_UNREGISTER:
                *ret = had;
                return known ? ask(db, STMT_CONSUMER_DELETE, name, NULL, 0, NULL) : ENOENT;
        }
        return -EINVAL;
}

int ledger_db_consumers(struct ledger_db *db, struct consumer_status **ret, size_t *ret_n)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        struct consumer_status *list = calloc(LEDGER_CONSUMERS_MAX, sizeof(*list));
        size_t n = 0;
        int r = list ? ledger_db_stmt(db, STMT_CONSUMERS, &stmt) : -ENOMEM;

        while (r >= 0 && n < LEDGER_CONSUMERS_MAX && (r = ledger_db_step(db, stmt)) > 0) {
                r = ledger_column_text(stmt, 0, &list[n].consumer);
                list[n].sequence = sqlite3_column_int64(stmt, 1);
                list[n].behind = (uint64_t)MAX(sqlite3_column_int64(stmt, 2), INT64_C(0));
                list[n].seen_realtime_usec = (uint64_t)sqlite3_column_int64(stmt, 3);
                list[n].user = sqlite3_column_type(stmt, 4) == SQLITE_NULL
                                       ? USEC_INFINITY
                                       : (uint64_t)sqlite3_column_int64(stmt, 4);
                n++;
        }
        if (r < 0) {
                consumers_free(list, n);
                return r;
        }
        *ret = list;
        *ret_n = n;
        return 0;
}

/* ---- retention ---- */

/*
 * Up to which number rows are too old, as far as one group goes: 0 for none. A date that was written while nobody knew the
 * time says nothing, so such rows are as old as the next one that has a date, for which an index is asked.
 */
static int too_old(struct ledger_db *db, uint64_t before_usec, int64_t *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r, n = 0;

        *ret = 0;
        if (before_usec == 0)
                return 0;
        r = ledger_db_stmt(db, STMT_OLDEST, &stmt);
        while (r >= 0 && n < GROUP && (r = ledger_db_step(db, stmt)) > 0) {
                if ((uint64_t)sqlite3_column_int64(stmt, 1) >= before_usec)
                        break;
                *ret = sqlite3_column_int64(stmt, 0);
                n++;
        }
        return MIN(r, 0);
}

static int remove_rows(struct ledger_db *db, int64_t first, int64_t upto, uint64_t now_usec,
                       struct ledger_removed *ret)
{
        const int64_t range[] = { first, upto };
        int64_t values[2];
        int r = ask(db, STMT_REMOVE, NULL, range, ARRAY_SIZE(range), NULL);

        if (r < 0)
                return r;
        ret->n = (uint64_t)sqlite3_changes64(db->sqlite);
        ret->first = first;
        ret->last = upto;
        values[0] = (int64_t)ret->n;
        values[1] = (int64_t)now_usec;
        return ask(db, STMT_REMOVED, NULL, values, ARRAY_SIZE(values), NULL);
}

int ledger_db_retain(struct ledger_db *db, const struct ledger_limits *limits, struct ledger_removed *ret)
{
        int64_t first = 0, last = 0, had = INT64_MAX, old = 0, wanted;
        int r = ask(db, STMT_FIRST_SEQUENCE, NULL, NULL, 0, &first);

        if (r >= 0)
                r = last_sequence(db, &last);
        if (r >= 0)
                r = ask(db, STMT_CONSUMER_LEAST, NULL, NULL, 0, &had);
        if (r >= 0)
                r = too_old(db, limits->before_realtime_usec, &old);
        if (r < 0 || last == 0)
                return MIN(r, 0);
        if (limits->rows_max > 0 && last - (int64_t)limits->rows_max > old)
                old = last - (int64_t)limits->rows_max;
        /* The last row stays: the next number is one more than its own. */
        wanted = MIN(old, last - 1);
        old = MIN(wanted, had);
        ret->kept_for_consumers = wanted >= first && had < wanted ? (uint64_t)(wanted - MAX(had, first - 1))
                                                                  : 0;
        if (old < first)
                return 0;
        ret->more = old - first >= GROUP;
        return remove_rows(db, first, MIN(old, first + GROUP - 1), limits->now_realtime_usec, ret);
}
