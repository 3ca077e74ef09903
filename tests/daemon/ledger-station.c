/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/daemon/ledger-station.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

int station_setup(void **state)
{
        struct station *s = calloc(1, sizeof(*s));

        assert_non_null(s);
        snprintf(s->dir, sizeof(s->dir), "%s/espdfu-ledger-XXXXXX", P_tmpdir);
        assert_non_null(mkdtemp(s->dir));
        snprintf(s->path, sizeof(s->path), "%s/ledger.db", s->dir);
        setenv("TZ", "UTC", 1);
        *state = s;
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

int station_teardown(void **state)
{
        struct station *s = *state;

        ledger_free(s->ledger);
        sd_event_unref(s->event);
        nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        free(s);
        return 0;
}

void station_start(struct station *s, const char *boot_id, uint64_t now)
{
        _cleanup_(freep) char *error = NULL;
        int r;

        assert_int_equal(sd_event_new(&s->event), 0);
        r = ledger_open(s->path, s->event, boot_id, now, &s->ledger, &error);
        if (r < 0)
                fail_msg("%s", error);
}

void station_stop(struct station *s)
{
        s->ledger = ledger_free(s->ledger);
        s->event = sd_event_unref(s->event);
}

void station_restart(struct station *s)
{
        station_stop(s);
        station_start(s, BOOT, NOON);
}

char slot_a1[] = "A1", slot_a2[] = "A2";
const struct presence_key presence_a = { BOOT, "pci-0000:00:14.0-usb-0:4.1", 7, 1111 };
unsigned answers_taken;

void take_answer(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct answer *answer = userdata;

        assert_false(answer->came);
        *answer = (struct answer){
                .came = true, .r = r, .id = id, .sequence = sequence, .turn = ++answers_taken
        };
}

void wait_for(struct station *s, const struct answer *answer)
{
        while (!answer->came)
                assert_true(sd_event_run(s->event, 30 * USEC_PER_SEC) > 0);
}

struct attempt_record board_on(char *slot)
{
        static char job[] = "job-1", port_1[] = "1-4.1", path_1[] = "pci-0000:00:14.0-usb-0:4.1",
                    port_2[] = "1-4.2", path_2[] = "pci-0000:00:14.0-usb-0:4.2", chip[] = "esp32s3",
                    mac[] = "7c:df:a1:0b:00:12", policy[] = "gizmo", image[] = "/srv/dfu.bin",
                    name[] = "gizmo", version[] = "1.4.2", sha256[] = "6192", boot_id[] = BOOT;

        return (struct attempt_record){
                .job = job,
                .attempt = 1,
                .slot = slot,
                .port = slot == slot_a2 ? port_2 : port_1,
                .path = slot == slot_a2 ? path_2 : path_1,
                .chip = chip,
                .mac = mac,
                .policy = policy,
                .image_path = image,
                .image_name = name,
                .image_version = version,
                .image_sha256 = sha256,
                .boot_id = boot_id,
                .clock_synchronized = true,
                .start_realtime_usec = NOON - 5 * USEC_PER_SEC,
        };
}

struct attempt_record ended(enum verdict verdict, uint64_t now)
{
        static char message[] = "board left at 24 kB";

        return (struct attempt_record){
                .end_realtime_usec = now,
                .duration_usec = 5 * USEC_PER_SEC,
                .bytes = 24576,
                .transfers = 384,
                .verdict = verdict,
                .message = verdict == VERDICT_BOARD_LEFT ? message : NULL,
        };
}

int64_t open_attempt(struct station *s, const struct attempt_record *record)
{
        struct answer answer = { 0 };

        assert_int_equal(ledger_attempt_open(s->ledger, record, take_answer, &answer), 0);
        wait_for(s, &answer);
        assert_int_equal(answer.r, 0);
        assert_int_equal(answer.sequence, 0);
        return answer.id;
}

struct answer try_close(struct station *s, int64_t id, const struct attempt_record *record,
                        const struct presence_key *presence)
{
        struct answer answer = { 0 };

        assert_int_equal(ledger_attempt_close(s->ledger, id, record, presence, take_answer, &answer), 0);
        wait_for(s, &answer);
        return answer;
}

int64_t attempt(struct station *s, char *slot, unsigned n, enum verdict verdict, uint64_t end,
                const struct presence_key *presence)
{
        struct attempt_record record = board_on(slot), end_record = ended(verdict, end);
        struct answer answer;

        record.attempt = n;
        answer = try_close(s, open_attempt(s, &record), &end_record, presence);
        assert_int_equal(answer.r, 0);
        return answer.id;
}

struct page_answer {
        bool came;
        int r;
        struct history_page page;
};

static void take_page(void *userdata, int r, struct history_page *page)
{
        struct page_answer *answer = userdata;

        *answer = (struct page_answer){ .came = true, .r = r };
        if (r < 0)
                return;
        answer->page = *page;
        page->attempts = NULL;
        page->n = 0;
}

int read_history(struct station *s, const struct history_filter *filter, struct history_at *at,
                 unsigned limit, struct attempt_record **ret, size_t *ret_n)
{
        struct history_at from = at ? *at : (struct history_at){ 0 };
        struct page_answer answer = { 0 };
        int r = ledger_history(s->ledger, filter, &from, limit, take_page, &answer);

        if (r < 0)
                return r;
        while (!answer.came)
                assert_true(sd_event_run(s->event, 30 * USEC_PER_SEC) > 0);
        if (answer.r < 0)
                return answer.r;
        if (at)
                *at = answer.page.at;
        *ret = answer.page.attempts;
        *ret_n = answer.page.n;
        return 0;
}

int64_t on_disk(struct station *s, const char *sql)
{
        sqlite3_stmt *stmt = NULL;
        sqlite3 *db = NULL;
        int64_t value = -1;

        assert_int_equal(sqlite3_open_v2(s->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
                value = sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
        sqlite3_close(db);
        return value;
}

sqlite3 *hold_disk(struct station *s)
{
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open_v2(s->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        sqlite3_busy_timeout(db, 10000);
        assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        return db;
}

void release_disk(sqlite3 *db)
{
        assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

const struct attempt_record *last_at(struct station *s, const char *chain)
{
        char path[64], port[16];

        snprintf(path, sizeof(path), "pci-0000:00:14.0-usb-0:%s", chain);
        snprintf(port, sizeof(port), "1-%s", chain);
        return ledger_last_of_port(s->ledger, path, port);
}
