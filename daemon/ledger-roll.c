/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-roll.h"

#include <stdio.h>

static int load_lines(struct ledger_db *db, struct ledger_roll *roll)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = ledger_db_stmt(db, STMT_CONSUMERS, &stmt);

        while (r >= 0 && roll->n < LEDGER_CONSUMERS_MAX && (r = ledger_db_step(db, stmt)) > 0) {
                struct ledger_roll_line *line = &roll->lines[roll->n++];

                snprintf(line->name, sizeof(line->name), "%s", (const char *)sqlite3_column_text(stmt, 0));
                line->sequence = sqlite3_column_int64(stmt, 1);
                line->seen_usec = (uint64_t)sqlite3_column_int64(stmt, 3);
                line->user = sqlite3_column_type(stmt, 4) == SQLITE_NULL
                                     ? USEC_INFINITY
                                     : (uint64_t)sqlite3_column_int64(stmt, 4);
                line->next_usec = (uint64_t)sqlite3_column_int64(stmt, 5);
        }
        return MIN(r, 0);
}

static int load_identity(struct ledger_db *db, struct ledger_identity *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = ledger_db_stmt(db, STMT_LEDGER_ID, &stmt);

        if (r >= 0)
                r = ledger_db_step(db, stmt);
        if (r <= 0)
                return r < 0 ? r : -EUCLEAN;
        snprintf(ret->id, sizeof(ret->id), "%s", (const char *)sqlite3_column_text(stmt, 0));
        ret->since = sqlite3_column_int64(stmt, 1);
        return 0;
}

static int last_sequence(struct ledger_db *db, int64_t *ret)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = ledger_db_stmt(db, STMT_LAST_SEQUENCE, &stmt);

        if (r >= 0)
                r = ledger_db_step(db, stmt);
        if (r > 0)
                *ret = sqlite3_column_int64(stmt, 0);
        return MIN(r, 0);
}

static int set_identity(struct ledger_db *db, int64_t since)
{
        _cleanup_(ledger_stmt_donep) sqlite3_stmt *stmt = NULL;
        int r = ledger_db_stmt(db, STMT_LEDGER_NEW_ID, &stmt);

        if (r < 0)
                return r;
        sqlite3_bind_int64(stmt, 1, since);
        r = ledger_db_step(db, stmt);
        return MIN(r, 0);
}

int ledger_roll_new_identity(struct ledger_db *db, int64_t since, struct ledger_identity *ret)
{
        int64_t last = 0;
        int r = last_sequence(db, &last);

        if (r == 0 && since > last)
                r = -ERANGE;
        if (r == 0)
                r = set_identity(db, since < 0 ? last : since);
        return r == 0 ? load_identity(db, ret) : r;
}

int ledger_roll_load(struct ledger_db *db, struct ledger_roll *ret, struct ledger_identity *ret_identity)
{
        int r;

        *ret = (struct ledger_roll){ 0 };
        r = load_lines(db, ret);
        return r < 0 ? r : load_identity(db, ret_identity);
}

static struct ledger_roll_line *find(struct ledger_roll *roll, const char *name)
{
        for (size_t i = 0; i < roll->n; i++)
                if (streq(roll->lines[i].name, name))
                        return &roll->lines[i];
        return NULL;
}

const struct ledger_roll_line *ledger_roll_find(const struct ledger_roll *roll, const char *name)
{
        return find((struct ledger_roll *)(uintptr_t)roll, name);
}

static void enroll(struct ledger_roll *roll, const char *name, int64_t sequence, uint64_t user,
                   uint64_t now_usec)
{
        struct ledger_roll_line *line = find(roll, name);

        if (line) {
                if (user != USEC_INFINITY)
                        line->user = user;
                return;
        }
        if (roll->n == LEDGER_CONSUMERS_MAX)
                return;
        line = &roll->lines[roll->n++];
        *line = (struct ledger_roll_line){ .sequence = sequence, .user = user, .seen_usec = now_usec };
        snprintf(line->name, sizeof(line->name), "%s", name);
}

void ledger_roll_ordered(struct ledger_roll *roll, enum consumer_action action, const char *name,
                         int64_t sequence, uint64_t user, uint64_t now_usec)
{
        struct ledger_roll_line *line = find(roll, name);

        switch (action) {
        case CONSUMER_REGISTER:
                enroll(roll, name, sequence, user, now_usec);
                return;
        case CONSUMER_ACKNOWLEDGE:
                if (line) {
                        line->sequence = sequence;
                        line->seen_usec = now_usec;
                        line->next_usec = 0;
                }
                return;
        case CONSUMER_UNREGISTER:
                if (line)
                        *line = roll->lines[--roll->n];
                return;
        }
}

void ledger_roll_closed(struct ledger_roll *roll, int64_t sequence, uint64_t end_usec)
{
        for (size_t i = 0; i < roll->n; i++)
                if (roll->lines[i].sequence == sequence - 1)
                        roll->lines[i].next_usec = end_usec;
}

bool ledger_roll_lagging(const struct ledger_roll *roll, int64_t last, uint64_t now_usec,
                         char ret[static CONSUMER_LAG_TEXT])
{
        const struct ledger_roll_line *worst = NULL;

        for (size_t i = 0; i < roll->n; i++) {
                const struct ledger_roll_line *line = &roll->lines[i];
                uint64_t behind = (uint64_t)MAX(last - line->sequence, INT64_C(0));

                if (consumer_lags(behind, MAX(line->seen_usec, line->next_usec), now_usec) &&
                    (!worst || line->sequence < worst->sequence))
                        worst = line;
        }
        if (!worst)
                return false;
        consumer_lag_print(worst->name, (uint64_t)(last - worst->sequence),
                           MAX(worst->seen_usec, worst->next_usec), now_usec, ret);
        return true;
}
