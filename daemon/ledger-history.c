/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-history.h"

#include <ctype.h>
#include <stdio.h>

#include "daemon/clock.h"
#include "daemon/ledger-row.h"

#define SLICE          16384 /* ids that are looked at in one go where no index knows the filter: some milliseconds */
#define COUNTED        100000              /* attempts in a span of time: more are not worth the counting */
#define STATEMENT_USEC (10 * USEC_PER_SEC) /* a disk that takes longer for a slice is not waited for */

/* ---- the filter ---- */

/* An index leads to its rows, whatever else it asks. */
static bool has_index(const struct history_filter *f)
{
        return f->slot || f->place || f->mac;
}

/* Conditions are put together from these alone; what somebody asked for is bound. The + keeps an index out of it. */
void ledger_filter_where(const struct history_filter *f, char ret[static LEDGER_WHERE_SIZE])
{
        snprintf(ret, LEDGER_WHERE_SIZE, "%s%s%s%s%s%s%s%s%s", f->mac ? " AND mac = ?11" : "",
                 !f->slot ? ""
                 : f->mac ? " AND +slot = ?10" /* a board has few attempts, a slot has many */
                          : " AND slot = ?10",
                 !f->place ? ""
                 : f->mac  ? " AND +" LEDGER_PLACE " = ?17"
                           : " AND " LEDGER_PLACE " = ?17",
                 f->port ? " AND port = ?18" : "",
                 f->since_usec > 0 ? " AND +start_realtime_usec >= ?12" : "",
                 f->until_usec > 0 ? " AND +start_realtime_usec < ?13" : "",
                 !f->has_verdict ? ""
                 : has_index(f)  ? " AND +verdict = ?14"
                                 : " AND verdict = ?14",
                 f->image ? " AND (image_name = ?15 OR image_path = ?15"
                            " OR substr(image_sha256, 1, length(?16)) = ?16)"
                          : "",
                 f->by_sequence ? " AND sequence IS NOT NULL" : "");
}

static void bind_digest(sqlite3_stmt *stmt, int index, const char *image)
{
        char digest[65];
        size_t n = 0;

        if (!history_image_is_digest(image))
                return;
        for (; image[n]; n++)
                digest[n] = (char)tolower((unsigned char)image[n]);
        sqlite3_bind_text(stmt, index, digest, (int)n, SQLITE_TRANSIENT);
}

void ledger_filter_bind(sqlite3_stmt *stmt, const struct history_filter *f)
{
        if (f->slot)
                ledger_bind_text(stmt, 10, f->slot, LEDGER_NAME_MAX);
        if (f->place)
                ledger_bind_text(stmt, 17, f->place, LEDGER_NAME_MAX);
        if (f->port)
                ledger_bind_text(stmt, 18, f->port, LEDGER_NAME_MAX);
        if (f->mac)
                ledger_bind_text(stmt, 11, f->mac, LEDGER_NAME_MAX);
        if (f->since_usec > 0)
                ledger_bind_u64(stmt, 12, f->since_usec);
        if (f->until_usec > 0)
                ledger_bind_u64(stmt, 13, f->until_usec);
        if (f->has_verdict)
                ledger_bind_text(stmt, 14, verdict_to_string(f->verdict), LEDGER_NAME_MAX);
        if (f->image) {
                ledger_bind_text(stmt, 15, f->image, LEDGER_PATH_MAX);
                bind_digest(stmt, 16, f->image);
        }
}

static int prepare(struct ledger_db *db, const char *sql, sqlite3_stmt **ret)
{
        int rc = sqlite3_prepare_v2(db->sqlite, sql, -1, ret, NULL);

        db->deadline_usec = clock_boottime_usec() + STATEMENT_USEC;
        return rc == SQLITE_OK ? 0 : ledger_db_errno(db, rc);
}

static bool is_timed(const struct history_filter *filter)
{
        return filter->since_usec > 0 || filter->until_usec > 0;
}

static int read_bounds(struct ledger_db *db, const char *sql, const struct history_filter *filter,
                       struct history_at *ret, int64_t *ret_n)
{
        _cleanup_(ledger_stmt_finalizep) sqlite3_stmt *stmt = NULL;
        int r = prepare(db, sql, &stmt);

        if (r < 0)
                return r;
        if (sqlite3_bind_parameter_count(stmt) > 0) {
                ledger_bind_u64(stmt, 12, filter->since_usec);
                ledger_bind_u64(stmt, 13, filter->until_usec > 0 ? filter->until_usec : UINT64_MAX);
                sqlite3_bind_int64(stmt, 14, COUNTED);
        }
        r = ledger_db_step(db, stmt);
        if (r < 0)
                return r;
        *ret = (struct history_at){ .begun = true };
        if (r > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
                ret->low = sqlite3_column_int64(stmt, 0);
                ret->high = sqlite3_column_int64(stmt, 1) + 1;
        }
        if (ret_n)
                *ret_n = sqlite3_column_int64(stmt, 2);
        return 0;
}

int ledger_filter_bounds(struct ledger_db *db, const struct history_filter *filter, struct history_at *ret)
{
        int64_t n = COUNTED;
        int r = 0;

        if (filter->by_sequence) {
                r = read_bounds(
                        db, "SELECT (SELECT min(sequence) FROM attempt), (SELECT max(sequence) FROM attempt)",
                        filter, ret, NULL);
                if (r == 0 && filter->after >= ret->low)
                        ret->low = MIN(filter->after, ret->high) + 1;
                return r;
        }
        /* Times of day may go back, so ids are not in their order; but an index has both, and a span of time that has few
         * attempts of many says where to look. */
        if (is_timed(filter))
                r = read_bounds(db,
                                "SELECT min(id), max(id), count(*) FROM (SELECT id FROM attempt"
                                " WHERE start_realtime_usec >= ?12 AND start_realtime_usec < ?13 LIMIT ?14)",
                                filter, ret, &n);
        if (r == 0 && n >= COUNTED)
                r = read_bounds(db, "SELECT (SELECT min(id) FROM attempt), (SELECT max(id) FROM attempt)",
                                filter, ret, NULL);
        return r;
}

/* ---- pages ---- */

static int prepare_page(struct ledger_db *db, const struct history_filter *filter, sqlite3_stmt **ret)
{
        const char *key = filter->by_sequence ? "sequence" : "id";
        char where[LEDGER_WHERE_SIZE], sql[LEDGER_WHERE_SIZE + 1024];
        int r;

        ledger_filter_where(filter, where);
        snprintf(sql, sizeof(sql),
                 "SELECT " LEDGER_COLUMNS " FROM attempt WHERE %s >= ?1 AND %s < ?2%s ORDER BY %s%s LIMIT ?3",
                 key, key, where, key, filter->oldest_first || filter->by_sequence ? "" : " DESC");
        r = prepare(db, sql, ret);
        if (r == 0)
                ledger_filter_bind(*ret, filter);
        return r;
}

/* The rows with low <= id < high, up to limit. */
static int read_slice(struct ledger_db *db, sqlite3_stmt *stmt, int64_t low, int64_t high, size_t limit,
                      struct history_page *page)
{
        int r;

        sqlite3_bind_int64(stmt, 1, low);
        sqlite3_bind_int64(stmt, 2, high);
        sqlite3_bind_int64(stmt, 3, (int64_t)(limit - page->n));
        db->deadline_usec = clock_boottime_usec() + STATEMENT_USEC;
        while ((r = ledger_db_step(db, stmt)) > 0) {
                r = ledger_read_attempt(stmt, &page->attempts[page->n]);
                if (r < 0)
                        break;
                page->n++;
        }
        sqlite3_reset(stmt);
        return r;
}

/* One slice, and page->at goes on behind it, or behind the last row if there was no room for more. */
static int next_slice(struct ledger_db *db, const struct history_filter *filter, sqlite3_stmt *stmt,
                      size_t limit, struct history_page *page)
{
        bool up = filter->oldest_first || filter->by_sequence;
        bool sparse = filter->image || filter->port || is_timed(filter) ||
                      (filter->has_verdict && (filter->slot || filter->place));
        int64_t low = page->at.low, high = page->at.high;
        const struct attempt_record *last;
        int r;

        if (sparse && up)
                high = MIN(high, low + SLICE);
        else if (sparse)
                low = MAX(low, high - SLICE);
        r = read_slice(db, stmt, low, high, limit, page);
        if (r < 0)
                return r;
        last = page->n == limit ? &page->attempts[page->n - 1] : NULL;
        if (up)
                page->at.low = !last ? high : filter->by_sequence ? last->sequence + 1 : last->id + 1;
        else
                page->at.high = last ? last->id : low;
        return 0;
}

int ledger_history_page(struct ledger_db *db, const struct history_filter *filter, size_t limit,
                        struct history_page *page)
{
        _cleanup_(ledger_stmt_finalizep) sqlite3_stmt *stmt = NULL;
        uint64_t enough_usec = clock_boottime_usec() + LEDGER_PAGE_USEC;
        int r = 0;

        if (!page->at.begun)
                r = ledger_filter_bounds(db, filter, &page->at);
        if (r == 0)
                r = prepare_page(db, filter, &stmt);
        while (r == 0 && page->n < limit && page->at.low < page->at.high) {
                r = next_slice(db, filter, stmt, limit, page);
                if (clock_boottime_usec() >= enough_usec)
                        break;
        }
        page->ended = page->at.low >= page->at.high;
        return r;
}
