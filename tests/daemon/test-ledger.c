/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger with a real file, its real thread and a real event loop. What must be on disk is read by a connection of
 * the test's own; the loop is run until a callback came, never for a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/ledger.h"

#define BOOT      "0123456789abcdef0123456789abcdef"
#define NEXT_BOOT "fedcba9876543210fedcba9876543210"
#define HOUR_USEC (3600 * USEC_PER_SEC)
#define NOON      (UINT64_C(1700049600) * USEC_PER_SEC) /* 2023-11-15 12:00 UTC */

/* ---- vocabulary ---- */

struct station {
        char dir[64], path[96];
        sd_event *event;
        struct ledger *ledger;
};

static int setup(void **state)
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

static int teardown(void **state)
{
        struct station *s = *state;

        ledger_free(s->ledger);
        sd_event_unref(s->event);
        nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        free(s);
        return 0;
}

static void start(struct station *s, const char *boot_id, uint64_t now)
{
        _cleanup_(freep) char *error = NULL;
        int r;

        assert_int_equal(sd_event_new(&s->event), 0);
        r = ledger_open(s->path, s->event, boot_id, now, &s->ledger, &error);
        if (r < 0)
                fail_msg("%s", error);
}

static void stop(struct station *s)
{
        s->ledger = ledger_free(s->ledger);
        s->event = sd_event_unref(s->event);
}

static void restart(struct station *s)
{
        stop(s);
        start(s, BOOT, NOON);
}

/* What a callback said. */
struct answer {
        bool came;
        int r;
        int64_t id, sequence;
        unsigned turn; /* 1: the first callback of all */
};
static unsigned turns;

static void take_answer(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct answer *answer = userdata;

        assert_false(answer->came);
        *answer = (struct answer){ .came = true, .r = r, .id = id, .sequence = sequence, .turn = ++turns };
}

static void wait_for(struct station *s, const struct answer *answer)
{
        while (!answer->came)
                assert_int_not_equal(sd_event_run(s->event, 30 * USEC_PER_SEC), 0);
}

static struct attempt_record board_on(char *slot)
{
        static char job[] = "job-1", port[] = "1-4.1", path[] = "pci-0000:00:14.0-usb-0:4.1",
                    chip[] = "esp32s3", mac[] = "7c:df:a1:0b:00:12", policy[] = "gizmo",
                    image[] = "/srv/dfu.bin", name[] = "gizmo", version[] = "1.4.2", sha256[] = "6192",
                    boot_id[] = BOOT;

        return (struct attempt_record){
                .job = job,
                .attempt = 1,
                .slot = slot,
                .port = port,
                .path = path,
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

static struct attempt_record ended(enum verdict verdict, uint64_t now)
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

static int64_t open_attempt(struct station *s, const struct attempt_record *record)
{
        struct answer answer = { 0 };

        assert_int_equal(ledger_attempt_open(s->ledger, record, take_answer, &answer), 0);
        wait_for(s, &answer);
        assert_int_equal(answer.r, 0);
        assert_int_equal(answer.sequence, 0);
        return answer.id;
}

static struct answer try_close(struct station *s, int64_t id, const struct attempt_record *record,
                               const struct presence_key *presence)
{
        struct answer answer = { 0 };

        assert_int_equal(ledger_attempt_close(s->ledger, id, record, presence, take_answer, &answer), 0);
        wait_for(s, &answer);
        return answer;
}

static const struct presence_key presence_a = { BOOT, "pci-0000:00:14.0-usb-0:4.1", 7, 1111 };

/* A whole attempt; final when presence is given. */
static int64_t attempt(struct station *s, char *slot, unsigned n, enum verdict verdict, uint64_t end,
                       const struct presence_key *presence)
{
        struct attempt_record record = board_on(slot), end_record = ended(verdict, end);
        struct answer answer;

        record.attempt = n;
        answer = try_close(s, open_attempt(s, &record), &end_record, presence);
        assert_int_equal(answer.r, 0);
        return answer.id;
}

/* The test's own look at the disk: the first column of the first row; -1 for NULL or none. */
static int64_t on_disk(struct station *s, const char *sql)
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

/* Somebody else holds the write lock: the thread waits, as for a slow disk. */
static sqlite3 *hold_disk(struct station *s)
{
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open_v2(s->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        sqlite3_busy_timeout(db, 10000);
        assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        return db;
}

static void release_disk(sqlite3 *db)
{
        assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

static char slot_a1[] = "A1", slot_a2[] = "A2";

/* ---- rows ---- */

static void test_row_is_on_disk_and_open_when_the_callback_runs(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        struct answer answer = { 0 };

        start(s, BOOT, NOON);
        assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &answer), 0);
        assert_false(answer.came);
        wait_for(s, &answer);
        assert_int_equal(answer.r, 0);
        assert_int_equal(on_disk(s, "SELECT id FROM attempt WHERE sequence IS NULL AND verdict = 'none'"),
                         answer.id);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt"), 1);
}

static void test_closed_row_has_its_verdict_and_number_when_the_callback_runs(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_BOARD_LEFT, NOON);
        struct answer answer;
        int64_t id;

        start(s, BOOT, NOON);
        id = open_attempt(s, &record);
        answer = try_close(s, id, &end, NULL);
        assert_int_equal(answer.r, 0);
        assert_int_equal(answer.id, id);
        assert_int_equal(answer.sequence, 1);
        assert_int_equal(on_disk(s,
                                 "SELECT sequence FROM attempt WHERE verdict = 'board-left' AND bytes = 24576"
                                 " AND transfers = 384 AND duration_usec = 5000000 AND NOT final"
                                 " AND message = 'board left at 24 kB' AND mac = '7c:df:a1:0b:00:12'"),
                         1);
}

static void test_mac_that_is_learnt_late_is_added_by_the_close(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_FLASHED, NOON);

        start(s, BOOT, NOON);
        end.mac = record.mac;
        record.mac = NULL;
        try_close(s, open_attempt(s, &record), &end, NULL);
        assert_string_equal(ledger_last_of_slot(s->ledger, "A1")->mac, "7c:df:a1:0b:00:12");
}

static void test_row_is_closed_once(void **state)
{
        struct station *s = *state;
        struct attempt_record again = ended(VERDICT_CANCELLED, NOON);
        int64_t id;

        start(s, BOOT, NOON);
        id = attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        assert_int_equal(try_close(s, id, &again, NULL).r, -EALREADY);
        assert_int_equal(try_close(s, id + 1, &again, NULL).r, -ENOENT);
        assert_null(ledger_trouble(s->ledger));
        assert_int_equal(
                on_disk(s, "SELECT count(*) FROM attempt WHERE verdict = 'flashed' AND sequence = 1"), 1);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        assert_int_equal(on_disk(s, "SELECT max(sequence) FROM attempt"), 2);
}

static void test_orders_without_what_they_need_are_refused_at_once(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), none = ended(VERDICT_NONE, NOON);
        struct answer answer = { 0 };

        start(s, BOOT, NOON);
        assert_int_equal(ledger_attempt_open(s->ledger, &record, NULL, NULL), -EINVAL);
        record.job = NULL;
        assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &answer), -EINVAL);
        assert_int_equal(ledger_attempt_close(s->ledger, 1, &none, NULL, take_answer, &answer), -EINVAL);
}

static void test_endless_text_from_a_board_is_cut_between_characters(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        char mac[3001];

        /* One byte, then characters of three: 255 bytes would end within one. */
        mac[0] = 'x';
        for (size_t i = 1; i + 3 < sizeof(mac); i += 3)
                memcpy(mac + i, "\xe2\x82\xac", 3);
        mac[sizeof(mac) - 3] = '\0';
        record.mac = mac;
        start(s, BOOT, NOON);
        open_attempt(s, &record);
        assert_int_equal(on_disk(s, "SELECT length(CAST(mac AS BLOB)) FROM attempt"), 253);
        assert_int_equal(on_disk(s, "SELECT length(mac) FROM attempt"), 85);
}

static void test_text_from_a_board_is_never_sql(void **state)
{
        static char mac[] = "'); DROP TABLE attempt; --";
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), *rows;
        size_t n;

        start(s, BOOT, NOON);
        record.mac = mac;
        open_attempt(s, &record);
        assert_int_equal(ledger_history(s->ledger, NULL, mac, 0, 10, &rows, &n), 0);
        assert_int_equal(n, 1);
        assert_string_equal(rows[0].mac, mac);
        attempt_records_free(rows, n);
}

/* ---- order, groups, and a loop that does not wait ---- */

static void test_two_hundred_orders_keep_their_order_in_few_commits(void **state)
{
        enum { N = 100 };
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_FLASHED, NOON);
        struct answer opened[N] = { 0 }, closed[N] = { 0 };
        uint64_t commits;
        sqlite3 *disk;

        start(s, BOOT, NOON);
        turns = 0;
        disk = hold_disk(s);
        for (int i = 0; i < N; i++)
                assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &opened[i]), 0);
        /* Ids are given in order, so the closes can be ordered behind the opens. */
        for (int i = 0; i < N; i++)
                assert_int_equal(ledger_attempt_close(s->ledger, i + 1, &end, NULL, take_answer, &closed[i]),
                                 0);
        assert_int_equal(turns, 0);
        release_disk(disk);
        wait_for(s, &closed[N - 1]);

        for (int i = 0; i < N; i++) {
                assert_int_equal(opened[i].r, 0);
                assert_int_equal(opened[i].id, i + 1);
                assert_int_equal(opened[i].turn, (unsigned)i + 1);
                assert_int_equal(closed[i].r, 0);
                assert_int_equal(closed[i].sequence, i + 1);
                assert_int_equal(closed[i].turn, (unsigned)(N + i) + 1);
        }
        commits = ledger_commits(s->ledger);
        assert_in_range(commits, 1, 2); /* the first order may have gone alone */
        assert_int_equal(on_disk(s, "SELECT count(*) = max(sequence) AND count(*) = 100 FROM attempt"), 1);
}

static int mark(sd_event_source *source, void *userdata)
{
        (void)source;
        *(bool *)userdata = true;
        return 0;
}

static void test_loop_goes_on_while_the_disk_is_slow_and_nobody_is_told_early(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        struct answer answer = { 0 };
        bool ran = false;
        sqlite3 *disk;

        start(s, BOOT, NOON);
        disk = hold_disk(s);
        assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &answer), 0);
        assert_int_equal(sd_event_add_defer(s->event, NULL, mark, &ran), 0);
        while (!ran)
                assert_true(sd_event_run(s->event, USEC_PER_SEC) >= 0);
        assert_false(answer.came);
        release_disk(disk);
        wait_for(s, &answer);
        assert_int_equal(answer.r, 0);
}

static void test_forgotten_order_is_not_told_and_its_row_is_not_left_open(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        struct answer forgotten = { 0 }, kept = { 0 };
        sqlite3 *disk;

        start(s, BOOT, NOON);
        disk = hold_disk(s);
        assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &forgotten), 0);
        assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &kept), 0);
        ledger_forget(s->ledger, &forgotten);
        release_disk(disk);
        wait_for(s, &kept);
        assert_false(forgotten.came);
        /* Behind the order that the ledger gave itself. */
        open_attempt(s, &record);
        assert_int_equal(on_disk(s, "SELECT id FROM attempt WHERE verdict = 'cancelled' AND sequence = 1"),
                         1);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt WHERE sequence IS NULL"), 2);
}

struct chain {
        struct station *s;
        struct answer closed;
};

static void close_from_callback(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct chain *chain = userdata;
        struct attempt_record end = ended(VERDICT_FLASHED, NOON);

        (void)sequence;
        assert_int_equal(r, 0);
        assert_int_equal(ledger_attempt_close(chain->s->ledger, id, &end, NULL, take_answer, &chain->closed),
                         0);
}

static void test_callback_may_order_the_next_step(void **state)
{
        struct station *s = *state;
        struct chain chain = { .s = s };
        struct attempt_record record = board_on(slot_a1);

        start(s, BOOT, NOON);
        assert_int_equal(ledger_attempt_open(s->ledger, &record, close_from_callback, &chain), 0);
        wait_for(s, &chain.closed);
        assert_int_equal(chain.closed.sequence, 1);
}

static void test_stop_waits_for_the_disk_and_tells_nobody(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        struct answer answers[50] = { 0 };

        start(s, BOOT, NOON);
        for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
                assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &answers[i]), 0);
        stop(s);
        for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
                assert_false(answers[i].came);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt"), 50);
}

static void test_orders_without_bound_are_refused(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        struct answer *answers = calloc(LEDGER_ORDERS_MAX + 1, sizeof(*answers));
        sqlite3 *disk;

        assert_non_null(answers);
        start(s, BOOT, NOON);
        disk = hold_disk(s);
        for (size_t i = 0; i < LEDGER_ORDERS_MAX; i++)
                assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &answers[i]), 0);
        assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &answers[LEDGER_ORDERS_MAX]),
                         -ENOBUFS);
        release_disk(disk);
        wait_for(s, &answers[LEDGER_ORDERS_MAX - 1]);
        assert_false(answers[LEDGER_ORDERS_MAX].came);
        open_attempt(s, &record);
        free(answers);
}

/* ---- a daemon that dies ---- */

/* One line on the pipe for each thing that the daemon was told: a write of this size is atomic. */
struct fact {
        char what; /* 'o' opened, 'c' closed */
        int64_t id, sequence;
};

struct worker {
        struct station *s;
        int fd;
        struct attempt_record record;
        char slot[8];
        uint64_t n;
};

static void worker_closed(void *userdata, int r, int64_t id, int64_t sequence);

static void worker_opened(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct worker *w = userdata;
        struct fact fact = { 'o', id, sequence };
        struct attempt_record end = ended(id % 3 ? VERDICT_FLASHED : VERDICT_STALLED, NOON);

        if (r < 0 || write(w->fd, &fact, sizeof(fact)) < 0)
                _exit(1);
        if (id % 7 == 0) {
                /* One row in seven stays open while others go on. */
                worker_closed(w, 0, 0, 0);
                return;
        }
        if (ledger_attempt_close(w->s->ledger, id, &end, NULL, worker_closed, w) < 0)
                _exit(1);
}

static void worker_closed(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct worker *w = userdata;
        struct fact fact = { 'c', id, sequence };

        if (r < 0 || (id > 0 && write(w->fd, &fact, sizeof(fact)) < 0))
                _exit(1);
        w->n++;
        if (ledger_attempt_open(w->s->ledger, &w->record, worker_opened, w) < 0)
                _exit(1);
}

/* The child: eight boards at once, for ever. */
static _Noreturn void work_until_killed(struct station *s, int fd)
{
        struct worker workers[8] = { 0 };

        start(s, BOOT, NOON);
        for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
                struct worker *w = &workers[i];

                *w = (struct worker){ .s = s, .fd = fd };
                snprintf(w->slot, sizeof(w->slot), "A%zu", i);
                w->record = board_on(w->slot);
                worker_closed(w, 0, 0, 0);
        }
        for (;;)
                if (sd_event_run(s->event, UINT64_MAX) < 0)
                        _exit(1);
}

static void assert_fact(struct station *s, const struct fact *fact)
{
        char sql[160];

        if (fact->what == 'o')
                snprintf(sql, sizeof(sql), "SELECT count(*) FROM attempt WHERE id = %lld",
                         (long long)fact->id);
        else
                snprintf(
                        sql, sizeof(sql),
                        "SELECT count(*) FROM attempt WHERE id = %lld AND sequence = %lld AND verdict = '%s'",
                        (long long)fact->id, (long long)fact->sequence, fact->id % 3 ? "flashed" : "stalled");
        assert_int_equal(on_disk(s, sql), 1);
}

static void kill_after(struct station *s, unsigned n_facts)
{
        struct fact facts[512];
        size_t n = 0;
        int pipe_fds[2], status;
        pid_t child;

        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
                work_until_killed(s, pipe_fds[1]);
        close(pipe_fds[1]);
        while (n < n_facts && read(pipe_fds[0], &facts[n], sizeof(facts[n])) == sizeof(facts[n]))
                n++;
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (n < ARRAY_SIZE(facts) && read(pipe_fds[0], &facts[n], sizeof(facts[n])) == sizeof(facts[n]))
                n++;
        close(pipe_fds[0]);
        assert_true(n >= n_facts);

        start(s, BOOT, NOON);
        for (size_t i = 0; i < n; i++)
                assert_fact(s, &facts[i]);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt WHERE sequence IS NULL"), 0);
        assert_int_equal(on_disk(s, "SELECT count(*) = max(sequence) AND min(sequence) = 1 FROM attempt"), 1);
        assert_int_equal(on_disk(s, "SELECT count(*) = count(DISTINCT sequence) FROM attempt"), 1);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt WHERE verdict = 'interrupted' AND (final OR"
                                    " message <> 'the daemon ended in the middle of it')"),
                         0);
        stop(s);
}

static void test_killed_daemon_leaves_nothing_missing_doubled_or_open(void **state)
{
        struct station *s = *state;

        for (unsigned round = 0; round < 12; round++)
                kill_after(s, 1 + (round * 37) % 120);
        assert_true(on_disk(s, "SELECT count(*) FROM attempt WHERE verdict = 'interrupted'") > 0);
        assert_true(on_disk(s, "SELECT count(*) FROM attempt WHERE verdict = 'flashed'") > 0);
}

static void test_interrupted_row_ends_when_it_was_found(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);

        start(s, BOOT, NOON);
        open_attempt(s, &record);
        open_attempt(s, &record);
        stop(s);
        start(s, BOOT, NOON + HOUR_USEC);
        assert_int_equal(ledger_last_of_slot(s->ledger, "A1")->verdict, VERDICT_INTERRUPTED);
        assert_int_equal(ledger_last_of_slot(s->ledger, "A1")->end_realtime_usec, NOON + HOUR_USEC);
        assert_int_equal(ledger_last_of_slot(s->ledger, "A1")->id, 2);
        assert_int_equal(on_disk(s, "SELECT sequence FROM attempt WHERE id = 1"), 1);
        assert_int_equal(on_disk(s, "SELECT sequence FROM attempt WHERE id = 2"), 2);
}

/* ---- files that cannot be used ---- */

static void assert_refused(struct station *s, int expected, const char *text)
{
        _cleanup_(freep) char *error = NULL;
        struct ledger *ledger = NULL;
        sd_event *event = NULL;

        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(ledger_open(s->path, event, BOOT, NOON, &ledger, &error), expected);
        assert_null(ledger);
        assert_non_null(error);
        assert_non_null(strstr(error, s->path));
        if (!strstr(error, text))
                fail_msg("\"%s\" does not say \"%s\"", error, text);
        assert_null(strchr(error, '\n'));
        sd_event_unref(event);
}

static void write_file(struct station *s, const char *bytes, size_t n)
{
        FILE *f = fopen(s->path, "w");

        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
}

static void run_sql(struct station *s, const char *sql)
{
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

static void test_second_opener_is_refused_and_leaves_the_first_ones_rows(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_FLASHED, NOON);
        int64_t id;

        start(s, BOOT, NOON);
        id = open_attempt(s, &record);
        assert_refused(s, -EBUSY, "in use by another espdfud");
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt WHERE sequence IS NULL"), 1);
        assert_int_equal(try_close(s, id, &end, NULL).r, 0);
}

static void test_file_that_is_no_database_is_refused_and_kept(void **state)
{
        static const char text[] =
                "This is somebody's diary, and it is long enough to be taken for a header, but it "
                "is none. It must still be here when espdfud has refused it.";
        struct station *s = *state;
        struct stat st;

        write_file(s, text, sizeof(text));
        assert_refused(s, -EUCLEAN, "move the file away");
        assert_int_equal(stat(s->path, &st), 0);
        assert_int_equal(st.st_size, sizeof(text));
}

static void test_another_programs_database_is_refused_and_kept(void **state)
{
        struct station *s = *state;

        run_sql(s, "CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup')");
        assert_refused(s, -EMEDIUMTYPE, "another program's SQLite database");
        assert_int_equal(on_disk(s, "SELECT count(*) FROM recipes"), 1);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM sqlite_schema"), 1);
}

static void test_ledger_of_a_newer_espdfu_is_refused(void **state)
{
        struct station *s = *state;

        start(s, BOOT, NOON);
        stop(s);
        run_sql(s, "PRAGMA user_version = 99");
        assert_refused(s, -EPROTONOSUPPORT, "ledger schema 99");
}

static void test_damaged_schema_is_refused(void **state)
{
        struct station *s = *state;
        int fd;

        start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        stop(s);
        fd = open(s->path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, "garbage garbage garbage", 23, 100), 23);
        close(fd);
        assert_refused(s, -EUCLEAN, "move the file away");
}

static void test_missing_directory_is_named(void **state)
{
        struct station *s = *state;

        snprintf(s->path, sizeof(s->path), "%s/nowhere/ledger.db", s->dir);
        assert_refused(s, -ENOENT, "No such file or directory");
}

static void test_files_are_for_the_owner_and_readable_for_the_group(void **state)
{
        static const char *const suffixes[] = { "", "-wal", "-shm" };
        struct station *s = *state;
        mode_t mask = umask(077);

        start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        umask(mask);
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                char path[128];
                struct stat st;

                snprintf(path, sizeof(path), "%s%s", s->path, suffixes[i]);
                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0640);
        }
}

/* ---- a disk that is full ---- */

static off_t size_of(struct station *s, const char *suffix)
{
        char path[128];
        struct stat st;

        snprintf(path, sizeof(path), "%s%s", s->path, suffix);
        assert_int_equal(stat(path, &st), 0);
        return st.st_size;
}

static void test_disk_that_takes_no_more_is_told_and_later_orders_try_again(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_FLASHED, NOON);
        struct rlimit before, full;
        struct answer refused = { 0 }, closed;
        int64_t id;

        start(s, BOOT, NOON);
        id = open_attempt(s, &record);
        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        full = (struct rlimit){ (rlim_t)size_of(s, "-wal"), before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);

        assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &refused), 0);
        wait_for(s, &refused);
        closed = try_close(s, id, &end, &presence_a);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

        assert_int_equal(refused.r, -EFBIG);
        assert_int_equal(refused.id, 0);
        assert_int_equal(closed.r, -EFBIG);
        assert_int_equal(closed.sequence, 0);
        assert_non_null(ledger_trouble(s->ledger));
        assert_non_null(strstr(ledger_trouble(s->ledger), s->path));
        assert_non_null(strstr(ledger_trouble(s->ledger), "File too large"));
        assert_null(ledger_last_of_slot(s->ledger, "A1"));
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_NONE);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt WHERE sequence IS NULL"), 1);

        closed = try_close(s, id, &end, &presence_a);
        assert_int_equal(closed.r, 0);
        assert_int_equal(closed.sequence, 1);
        assert_null(ledger_trouble(s->ledger));
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_FLASHED);
}

static void test_full_file_system_is_told_until_there_is_space(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        char filler[96], chunk[4096] = { 0 };
        struct answer last = { 0 };
        int fd;

        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", s->dir, "tmpfs", 0, "size=1m") < 0)
                skip();
        start(s, BOOT, NOON);
        open_attempt(s, &record);
        snprintf(filler, sizeof(filler), "%s/filler", s->dir);
        fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(fd, chunk, sizeof(chunk)) > 0)
                ;
        assert_int_equal(errno, ENOSPC);

        assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &last), 0);
        wait_for(s, &last);
        assert_int_equal(last.r, -ENOSPC);
        assert_non_null(strstr(ledger_trouble(s->ledger), "No space left on device"));

        assert_int_equal(ftruncate(fd, 0), 0);
        close(fd);
        open_attempt(s, &record);
        assert_null(ledger_trouble(s->ledger));
        stop(s);
        assert_int_equal(umount(s->dir), 0);
}

/* ---- presences ---- */

static void test_presence_survives_a_restart_of_the_daemon(void **state)
{
        struct station *s = *state;
        const char *message;

        start(s, BOOT, NOON);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_NONE);
        attempt(s, slot_a1, 3, VERDICT_BOARD_LEFT, NOON, &presence_a);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_BOARD_LEFT);
        restart(s);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, &message), VERDICT_BOARD_LEFT);
        assert_string_equal(message, "board left at 24 kB");
        assert_true(ledger_last_of_slot(s->ledger, "A1")->final);
}

static void test_presence_ends_with_a_replug_another_port_or_another_boot(void **state)
{
        struct station *s = *state;
        struct presence_key other;

        start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a);
        other = presence_a;
        other.devnum++;
        assert_int_equal(ledger_presence(s->ledger, &other, NULL), VERDICT_NONE);
        other = presence_a;
        other.initialized_usec++;
        assert_int_equal(ledger_presence(s->ledger, &other, NULL), VERDICT_NONE);
        other = presence_a;
        other.path = "pci-0000:00:14.0-usb-0:4.2";
        assert_int_equal(ledger_presence(s->ledger, &other, NULL), VERDICT_NONE);
        other = presence_a;
        other.boot_id = NEXT_BOOT;
        assert_int_equal(ledger_presence(s->ledger, &other, NULL), VERDICT_NONE);
}

static void test_presences_of_older_boots_are_dropped(void **state)
{
        struct station *s = *state;

        start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a);
        stop(s);
        start(s, NEXT_BOOT, NOON);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_NONE);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM presence"), 0);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt"), 1);
}

static void test_late_verdict_of_a_gone_board_does_not_cover_the_next(void **state)
{
        struct station *s = *state;
        struct presence_key next = presence_a;

        start(s, BOOT, NOON);
        next.devnum++;
        next.initialized_usec += 1000;
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &next);
        attempt(s, slot_a1, 1, VERDICT_ENGINE_FAILED, NOON, &presence_a);
        assert_int_equal(ledger_presence(s->ledger, &next, NULL), VERDICT_FLASHED);
        restart(s);
        assert_int_equal(ledger_presence(s->ledger, &next, NULL), VERDICT_FLASHED);
}

/* ---- what is read ---- */

static void test_last_attempt_of_each_slot_survives_a_restart(void **state)
{
        struct station *s = *state;

        start(s, BOOT, NOON);
        assert_null(ledger_last_of_slot(s->ledger, "A1"));
        attempt(s, slot_a1, 1, VERDICT_STALLED, NOON, NULL);
        attempt(s, slot_a2, 1, VERDICT_VERIFY_FAILED, NOON, NULL);
        attempt(s, slot_a1, 2, VERDICT_FLASHED, NOON, NULL);
        for (int i = 0; i < 2; i++) {
                const struct attempt_record *last = ledger_last_of_slot(s->ledger, "A1");

                assert_int_equal(last->verdict, VERDICT_FLASHED);
                assert_int_equal(last->attempt, 2);
                assert_int_equal(last->sequence, 3);
                assert_string_equal(last->image_version, "1.4.2");
                assert_int_equal(ledger_last_of_slot(s->ledger, "A2")->verdict, VERDICT_VERIFY_FAILED);
                restart(s);
        }
}

static void test_history_comes_in_pages_newest_first(void **state)
{
        struct station *s = *state;
        struct attempt_record *rows;
        int64_t before = 0, expected = 25;
        size_t n;

        start(s, BOOT, NOON);
        for (int i = 0; i < 25; i++)
                attempt(s, i % 5 ? slot_a1 : slot_a2, 1, VERDICT_FLASHED, NOON, NULL);
        do {
                assert_int_equal(ledger_history(s->ledger, NULL, NULL, before, 10, &rows, &n), 0);
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(rows[i].id, expected--);
                before = n > 0 ? rows[n - 1].id : before;
                attempt_records_free(rows, n);
        } while (n > 0);
        assert_int_equal(expected, 0);

        assert_int_equal(ledger_history(s->ledger, "A2", NULL, 0, 1000, &rows, &n), 0);
        assert_int_equal(n, 5);
        assert_string_equal(rows[0].slot, "A2");
        assert_int_equal(rows[0].id, 21);
        attempt_records_free(rows, n);
}

static void test_history_filters_by_slot_and_mac(void **state)
{
        static char mac[] = "7c:df:a1:0b:00:40";
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), *rows;
        size_t n;

        start(s, BOOT, NOON);
        open_attempt(s, &record);
        record.mac = mac;
        open_attempt(s, &record);
        record.slot = slot_a2;
        open_attempt(s, &record);
        assert_int_equal(ledger_history(s->ledger, NULL, mac, 0, 10, &rows, &n), 0);
        assert_int_equal(n, 2);
        attempt_records_free(rows, n);
        assert_int_equal(ledger_history(s->ledger, "A2", mac, 0, 10, &rows, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(rows[0].id, 3);
        assert_int_equal(rows[0].sequence, 0);
        assert_int_equal(rows[0].verdict, VERDICT_NONE);
        assert_int_equal(rows[0].end_realtime_usec, 0);
        attempt_records_free(rows, n);
        assert_int_equal(ledger_history(s->ledger, "A3", NULL, 0, 10, &rows, &n), 0);
        assert_int_equal(n, 0);
        attempt_records_free(rows, n);
        assert_int_equal(ledger_history(s->ledger, NULL, NULL, 0, 0, &rows, &n), -EINVAL);
        assert_int_equal(ledger_history(s->ledger, NULL, NULL, 0, LEDGER_HISTORY_MAX + 1, &rows, &n),
                         -EINVAL);
}

static void test_board_has_the_image_until_something_else_was_written(void **state)
{
        static const char mac[] = "7c:df:a1:0b:00:12";
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), untouched = ended(VERDICT_NO_ACCESS, NOON);

        start(s, BOOT, NOON);
        assert_int_equal(ledger_board_has_image(s->ledger, mac, "6192"), 0);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        assert_int_equal(ledger_board_has_image(s->ledger, mac, "6192"), 1);
        assert_int_equal(ledger_board_has_image(s->ledger, mac, "7777"), 0);
        untouched.bytes = 0;
        try_close(s, open_attempt(s, &record), &untouched, NULL);
        assert_int_equal(ledger_board_has_image(s->ledger, mac, "6192"), 1);
        attempt(s, slot_a1, 1, VERDICT_BOARD_LEFT, NOON, NULL);
        assert_int_equal(ledger_board_has_image(s->ledger, mac, "6192"), 0);
}

/* ---- the header's figures ---- */

static void assert_counts(struct station *s, uint64_t now, uint64_t flashed, uint64_t failed,
                          uint64_t first_pass, uint64_t last_hour)
{
        struct ledger_counts counts;

        ledger_counts(s->ledger, now, &counts);
        assert_int_equal(counts.flashed_today, flashed);
        assert_int_equal(counts.failed_today, failed);
        assert_int_equal(counts.first_pass_today, first_pass);
        assert_int_equal(counts.flashed_last_hour, last_hour);
}

static void test_counts_follow_each_verdict_and_survive_a_restart(void **state)
{
        struct station *s = *state;

        start(s, BOOT, NOON);
        assert_counts(s, NOON, 0, 0, 0, 0);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a);
        assert_counts(s, NOON, 1, 0, 1, 1);
        /* Retried, then flashed: no failure, no first pass. */
        attempt(s, slot_a1, 1, VERDICT_STALLED, NOON, NULL);
        attempt(s, slot_a1, 2, VERDICT_FLASHED, NOON, &presence_a);
        assert_counts(s, NOON, 2, 0, 1, 2);
        attempt(s, slot_a2, 3, VERDICT_STALLED, NOON, &presence_a);
        attempt(s, slot_a2, 1, VERDICT_CANCELLED, NOON, &presence_a);
        assert_counts(s, NOON, 2, 1, 1, 2);
        restart(s);
        assert_counts(s, NOON, 2, 1, 1, 2);
}

static void test_counts_begin_anew_at_midnight_and_the_hour_goes_on(void **state)
{
        const uint64_t midnight = NOON + 12 * HOUR_USEC;
        struct station *s = *state;

        start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, midnight - 1, &presence_a);
        assert_counts(s, midnight - 1, 1, 0, 1, 1);
        assert_counts(s, midnight, 0, 0, 0, 1);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, midnight, &presence_a);
        assert_counts(s, midnight, 1, 0, 1, 2);
        assert_counts(s, midnight + HOUR_USEC - 2, 1, 0, 1, 2);
        assert_counts(s, midnight + HOUR_USEC + USEC_PER_SEC, 1, 0, 1, 0);
}

static void test_counts_are_right_after_the_clock_was_set(void **state)
{
        struct station *s = *state;

        start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a);
        assert_counts(s, NOON, 1, 0, 1, 1);
        /* Back by two hours: the flash lies in the future, but in the same day. */
        assert_counts(s, NOON - 2 * HOUR_USEC, 1, 0, 1, 0);
        assert_counts(s, NOON - 48 * HOUR_USEC, 0, 0, 0, 0);
        assert_counts(s, NOON + 48 * HOUR_USEC, 0, 0, 0, 0);
        assert_counts(s, NOON, 1, 0, 1, 1);
}

static void test_midnight_is_local_and_a_day_may_have_23_hours(void **state)
{
        /* Europe/Berlin without its file: 2024-03-31 begins at 23:00 UTC the day before and ends at 22:00 UTC. */
        const uint64_t begin = UINT64_C(1711839600) * USEC_PER_SEC, end = begin + 23 * HOUR_USEC;
        struct station *s = *state;

        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, begin - 1, &presence_a);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, begin, &presence_a);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, end - 1, &presence_a);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, end, &presence_a);
        assert_counts(s, begin - 1, 1, 0, 1, 1);
        assert_counts(s, end - 1, 2, 0, 2, 1);
        assert_counts(s, end + USEC_PER_SEC, 1, 0, 1, 2);
}

static void test_verdict_on_disk_that_was_not_told_yet_is_counted_once(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_FLASHED, NOON);
        struct answer answer = { 0 };
        int64_t id;

        start(s, BOOT, NOON);
        id = open_attempt(s, &record);
        assert_int_equal(ledger_attempt_close(s->ledger, id, &end, &presence_a, take_answer, &answer), 0);
        while (on_disk(s, "SELECT count(*) FROM attempt WHERE verdict = 'flashed'") == 0)
                sched_yield();
        assert_counts(s, NOON, 0, 0, 0, 0);
        wait_for(s, &answer);
        assert_counts(s, NOON, 1, 0, 1, 1);
}

/* ---- the clocks ---- */

static void test_boot_id_is_written_as_the_journal_writes_it(void **state)
{
        char id[BOOT_ID_SIZE], again[BOOT_ID_SIZE];

        (void)state;
        assert_int_equal(clock_boot_id(id), 0);
        assert_int_equal(strlen(id), 32);
        assert_int_equal(strspn(id, "0123456789abcdef"), 32);
        assert_int_equal(clock_boot_id(again), 0);
        assert_string_equal(id, again);
}

static void test_clocks_count_microseconds(void **state)
{
        uint64_t boot = clock_boottime_usec(), now = clock_realtime_usec();

        (void)state;
        assert_true(now / USEC_PER_SEC >= (uint64_t)time(NULL) - 1);
        assert_true(now / USEC_PER_SEC <= (uint64_t)time(NULL));
        assert_true(clock_boottime_usec() >= boot);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_row_is_on_disk_and_open_when_the_callback_runs),
                T(test_closed_row_has_its_verdict_and_number_when_the_callback_runs),
                T(test_mac_that_is_learnt_late_is_added_by_the_close),
                T(test_row_is_closed_once),
                T(test_orders_without_what_they_need_are_refused_at_once),
                T(test_endless_text_from_a_board_is_cut_between_characters),
                T(test_text_from_a_board_is_never_sql),
                T(test_two_hundred_orders_keep_their_order_in_few_commits),
                T(test_loop_goes_on_while_the_disk_is_slow_and_nobody_is_told_early),
                T(test_forgotten_order_is_not_told_and_its_row_is_not_left_open),
                T(test_callback_may_order_the_next_step),
                T(test_stop_waits_for_the_disk_and_tells_nobody),
                T(test_orders_without_bound_are_refused),
                T(test_killed_daemon_leaves_nothing_missing_doubled_or_open),
                T(test_interrupted_row_ends_when_it_was_found),
                T(test_second_opener_is_refused_and_leaves_the_first_ones_rows),
                T(test_file_that_is_no_database_is_refused_and_kept),
                T(test_another_programs_database_is_refused_and_kept),
                T(test_ledger_of_a_newer_espdfu_is_refused),
                T(test_damaged_schema_is_refused),
                T(test_missing_directory_is_named),
                T(test_files_are_for_the_owner_and_readable_for_the_group),
                T(test_disk_that_takes_no_more_is_told_and_later_orders_try_again),
                T(test_presence_survives_a_restart_of_the_daemon),
                T(test_presence_ends_with_a_replug_another_port_or_another_boot),
                T(test_presences_of_older_boots_are_dropped),
                T(test_late_verdict_of_a_gone_board_does_not_cover_the_next),
                T(test_last_attempt_of_each_slot_survives_a_restart),
                T(test_history_comes_in_pages_newest_first),
                T(test_history_filters_by_slot_and_mac),
                T(test_board_has_the_image_until_something_else_was_written),
                T(test_counts_follow_each_verdict_and_survive_a_restart),
                T(test_counts_begin_anew_at_midnight_and_the_hour_goes_on),
                T(test_counts_are_right_after_the_clock_was_set),
                T(test_midnight_is_local_and_a_day_may_have_23_hours),
                T(test_verdict_on_disk_that_was_not_told_yet_is_counted_once),
                T(test_boot_id_is_written_as_the_journal_writes_it),
                T(test_clocks_count_microseconds),
                /* Leaves the process in a mount namespace of its own: last. */
                T(test_full_file_system_is_told_until_there_is_space),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
