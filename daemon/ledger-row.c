/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-row.h"

/* The columns that are written when a row is opened: 2 to 16 of COLUMNS. */
#define FIRST_OPENED 2
#define LAST_OPENED  16
/* Those that a newer schema added: 24 on when it is closed, the last two when it is opened. */
#define FIRST_DETAIL 24
#define LAST_DETAIL  30

enum column_type {
        COLUMN_I64,
        COLUMN_U64,
        COLUMN_U64_OR_NULL, /* 0 is NULL */
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
        COLUMN(COLUMN_TEXT, job, LEDGER_NAME_MAX),
        COLUMN(COLUMN_UNSIGNED, attempt, 0),
        COLUMN(COLUMN_TEXT, slot, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, port, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, path, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, chip, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, mac, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, policy, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, image_path, LEDGER_PATH_MAX),
        COLUMN(COLUMN_TEXT, image_name, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, image_version, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, image_sha256, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, boot_id, LEDGER_NAME_MAX),
        COLUMN(COLUMN_BOOL, clock_synchronized, 0),
        COLUMN(COLUMN_U64, start_realtime_usec, 0),
        COLUMN(COLUMN_U64, end_realtime_usec, 0),
        COLUMN(COLUMN_U64, duration_usec, 0),
        COLUMN(COLUMN_U64, bytes, 0),
        COLUMN(COLUMN_U64, transfers, 0),
        COLUMN(COLUMN_VERDICT, verdict, 0),
        COLUMN(COLUMN_BOOL, final, 0),
        COLUMN(COLUMN_TEXT, message, LEDGER_MESSAGE_MAX),
        COLUMN(COLUMN_TEXT, engine_message, LEDGER_MESSAGE_MAX),
        COLUMN(COLUMN_U64_OR_NULL, detaching_usec, 0),
        COLUMN(COLUMN_U64_OR_NULL, away_usec, 0),
        COLUMN(COLUMN_U64_OR_NULL, downloading_usec, 0),
        COLUMN(COLUMN_U64_OR_NULL, verifying_usec, 0),
        COLUMN(COLUMN_TEXT, dfu_status, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, dfu_state, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, station, LEDGER_NAME_MAX),
        COLUMN(COLUMN_TEXT, data_file, LEDGER_PATH_MAX),
};

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

/* A word that this version does not know (a newer one wrote it) is shown as interrupted: closed, and not
 * flashed. */
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
        case COLUMN_U64_OR_NULL:
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
        case COLUMN_U64_OR_NULL:
                if (*(const uint64_t *)field > 0)
                        ledger_bind_u64(stmt, index, *(const uint64_t *)field);
                else
                        sqlite3_bind_null(stmt, index);
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
                                 LEDGER_NAME_MAX);
                break;
        }
}

/* Columns first to last become the parameters from index on. */
static void bind_columns(sqlite3_stmt *stmt, int index, size_t first, size_t last,
                         const struct attempt_record *record)
{
        for (size_t i = first; i <= last; i++)
                bind_column(stmt, index++, i, (const char *)record + columns[i].offset);
}

void ledger_bind_opened(sqlite3_stmt *stmt, const struct attempt_record *record)
{
        bind_columns(stmt, 1, FIRST_OPENED, LAST_OPENED, record);
        bind_columns(stmt, 16, LAST_DETAIL + 1, ARRAY_SIZE(columns) - 1, record);
}

void ledger_bind_details(sqlite3_stmt *stmt, const struct attempt_record *record)
{
        bind_columns(stmt, 10, FIRST_DETAIL, LAST_DETAIL, record);
}
