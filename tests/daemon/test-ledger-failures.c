/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the ledger promises when the daemon dies, the file is not what it should be, or the disk is full. */
#include "tests/daemon/ledger-station.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a daemon that dies ---- */

/* One line on the pipe for each thing that the daemon was told: a write of this size is atomic. */
struct fact {
        int64_t what, id, sequence; /* what: 'o' opened, 'c' closed */
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

        station_start(s, BOOT, NOON);
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

#define FACTS_MAX 512

/* What it had said by then, to facts; how much that is. */
static size_t killed_after(struct station *s, unsigned n_facts, struct fact facts[static FACTS_MAX])
{
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
        while (n < FACTS_MAX && read(pipe_fds[0], &facts[n], sizeof(facts[n])) == sizeof(facts[n]))
                n++;
        close(pipe_fds[0]);
        assert_true(n >= n_facts);
        return n;
}

static void kill_after(struct station *s, unsigned n_facts)
{
        struct fact facts[FACTS_MAX];
        size_t n = killed_after(s, n_facts, facts);

        station_start(s, BOOT, NOON);
        for (size_t i = 0; i < n; i++)
                assert_fact(s, &facts[i]);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt WHERE sequence IS NULL"), 0);
        assert_int_equal(on_disk(s, "SELECT count(*) = max(sequence) AND min(sequence) = 1 FROM attempt"), 1);
        assert_int_equal(on_disk(s, "SELECT count(*) = count(DISTINCT sequence) FROM attempt"), 1);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt WHERE verdict = 'interrupted' AND (final OR"
                                    " message <> 'the daemon ended in the middle of it')"),
                         0);
        station_stop(s);
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

        station_start(s, BOOT, NOON);
        open_attempt(s, &record);
        open_attempt(s, &record);
        station_stop(s);
        station_start(s, BOOT, NOON + HOUR_USEC);
        assert_int_equal(last_at(s, "4.1")->verdict, VERDICT_INTERRUPTED);
        assert_int_equal(last_at(s, "4.1")->end_realtime_usec, NOON + HOUR_USEC);
        assert_int_equal(last_at(s, "4.1")->id, 2);
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

        station_start(s, BOOT, NOON);
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

static void test_ledger_of_an_older_espdfu_keeps_its_presences(void **state)
{
        struct station *s = *state;

        station_start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a);
        station_stop(s);
        run_sql(s, "ALTER TABLE presence DROP COLUMN reset_usec;"
                   "ALTER TABLE presence DROP COLUMN board;"
                   "DROP TABLE ledger; ALTER TABLE consumer DROP COLUMN uid; DROP TABLE board_data; DROP "
                   "INDEX attempt_by_place; DROP INDEX attempt_dated; PRAGMA "
                   "user_version = 2");
        station_start(s, BOOT, NOON);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_FLASHED);
        assert_int_equal(on_disk(s, "PRAGMA user_version"), 6);
}

static void test_ledger_of_a_newer_espdfu_is_refused(void **state)
{
        struct station *s = *state;

        station_start(s, BOOT, NOON);
        station_stop(s);
        run_sql(s, "PRAGMA user_version = 99");
        assert_refused(s, -EPROTONOSUPPORT, "ledger schema 99");
}

static void test_damaged_schema_is_refused(void **state)
{
        struct station *s = *state;
        int fd;

        station_start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        station_stop(s);
        fd = open(s->path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, "garbage garbage garbage", 23, 100), 23);
        close(fd);
        assert_refused(s, -EUCLEAN, "move the file away");
}

static void test_damaged_table_is_refused_with_what_to_do(void **state)
{
        struct station *s = *state;
        char garbage[4096];
        int fd;

        station_start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        station_stop(s);
        memset(garbage, 0x55, sizeof(garbage));
        fd = open(s->path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        for (off_t page = 1; page < 20; page++) /* all but the first, where the schema is */
                assert_int_equal(pwrite(fd, garbage, sizeof(garbage), page * 4096), sizeof(garbage));
        close(fd);
        assert_refused(s, -EUCLEAN, "expected a ledger: move the file away");
}

static void test_what_is_no_regular_file_is_called_by_its_name(void **state)
{
        struct station *s = *state;

        assert_int_equal(mkdir(s->path, 0700), 0);
        assert_refused(s, -EISDIR, ": a directory: expected a regular file");
        assert_int_equal(rmdir(s->path), 0);
        assert_int_equal(mkfifo(s->path, 0600), 0);
        assert_refused(s, -EINVAL, ": a pipe: expected a regular file");
        assert_int_equal(unlink(s->path), 0);
        assert_int_equal(symlink(s->path, s->path), 0);
        assert_refused(s, -ELOOP, "Too many levels of symbolic links: expected a regular file");
        assert_int_equal(unlink(s->path), 0);
        assert_int_equal(symlink("nowhere", s->path), 0);
        assert_refused(s, -ENOENT, "a symbolic link to a file that is not there: expected a regular file");
        assert_int_equal(unlink(s->path), 0);
}

static void test_missing_directory_is_named(void **state)
{
        struct station *s = *state;

        snprintf(s->path, sizeof(s->path), "%s/nowhere/ledger.db", s->dir);
        assert_refused(s, -ENOENT, "No such file or directory");
}

/* Whoever may read them may lock them, and so keep the station from writing. */
static const char *const files_of_the_ledger[] = { "", "-wal", "-shm", "-lock" };

static void expect_files_for_their_owner_alone(const struct station *s)
{
        for (size_t i = 0; i < ARRAY_SIZE(files_of_the_ledger); i++) {
                char path[128];
                struct stat st;

                snprintf(path, sizeof(path), "%s%s", s->path, files_of_the_ledger[i]);
                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
        }
}

static void test_files_are_for_their_owner_alone(void **state)
{
        struct station *s = *state;
        mode_t mask = umask(0);

        station_start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        umask(mask);
        expect_files_for_their_owner_alone(s);
}

/* By the daemons before, which let the group read; one of them was killed and left SQLite's own there. */
static void test_files_that_others_could_read_are_for_their_owner_alone_from_now_on(void **state)
{
        struct station *s = *state;
        struct fact facts[FACTS_MAX];

        killed_after(s, 20, facts);
        for (size_t i = 0; i < ARRAY_SIZE(files_of_the_ledger); i++) {
                char path[128];

                snprintf(path, sizeof(path), "%s%s", s->path, files_of_the_ledger[i]);
                assert_int_equal(chmod(path, 0640), 0);
        }
        station_start(s, BOOT, NOON);
        expect_files_for_their_owner_alone(s);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        expect_files_for_their_owner_alone(s);
}

static void test_file_that_is_moved_away_is_told_until_it_is_back(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        struct answer refused = { 0 };
        char elsewhere[112];

        station_start(s, BOOT, NOON);
        open_attempt(s, &record);
        snprintf(elsewhere, sizeof(elsewhere), "%s.old", s->path);
        assert_int_equal(rename(s->path, elsewhere), 0);
        assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &refused), 0);
        wait_for(s, &refused);
        assert_int_equal(refused.r, -ESTALE);
        assert_non_null(strstr(ledger_trouble(s->ledger), "moved or removed while in use"));

        assert_int_equal(rename(elsewhere, s->path), 0);
        open_attempt(s, &record);
        assert_null(ledger_trouble(s->ledger));
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt"), 2);
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

        station_start(s, BOOT, NOON);
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
        assert_null(last_at(s, "4.1"));
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
        struct answer last = { 0 }, consumer = { 0 };
        int fd;

        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", s->dir, "tmpfs", 0, "size=1m") < 0)
                skip();
        station_start(s, BOOT, NOON);
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
        assert_int_equal(ledger_consumer(s->ledger, CONSUMER_REGISTER, "bridge", 0, NOON, USEC_INFINITY,
                                         take_answer, &consumer),
                         0);
        wait_for(s, &consumer);
        assert_int_equal(consumer.r, -ENOSPC); /* not: too many of them */

        assert_int_equal(ftruncate(fd, 0), 0);
        close(fd);
        open_attempt(s, &record);
        assert_null(ledger_trouble(s->ledger));
        station_stop(s);

        fd = open(filler, O_WRONLY | O_CLOEXEC);
        while (write(fd, chunk, sizeof(chunk)) > 0)
                ;
        assert_refused(s, -ENOSPC, "no space left on its disk: free some");
        assert_int_equal(ftruncate(fd, 0), 0);
        close(fd);
        station_start(s, BOOT, NOON);
        station_stop(s);
        assert_int_equal(umount(s->dir), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                STATION_TEST(test_killed_daemon_leaves_nothing_missing_doubled_or_open),
                STATION_TEST(test_interrupted_row_ends_when_it_was_found),
                STATION_TEST(test_second_opener_is_refused_and_leaves_the_first_ones_rows),
                STATION_TEST(test_file_that_is_no_database_is_refused_and_kept),
                STATION_TEST(test_another_programs_database_is_refused_and_kept),
                STATION_TEST(test_ledger_of_an_older_espdfu_keeps_its_presences),
                STATION_TEST(test_ledger_of_a_newer_espdfu_is_refused),
                STATION_TEST(test_damaged_schema_is_refused),
                STATION_TEST(test_damaged_table_is_refused_with_what_to_do),
                STATION_TEST(test_what_is_no_regular_file_is_called_by_its_name),
                STATION_TEST(test_missing_directory_is_named),
                STATION_TEST(test_files_are_for_their_owner_alone),
                STATION_TEST(test_files_that_others_could_read_are_for_their_owner_alone_from_now_on),
                STATION_TEST(test_file_that_is_moved_away_is_told_until_it_is_back),
                STATION_TEST(test_disk_that_takes_no_more_is_told_and_later_orders_try_again),
                /* Leaves the process in a mount namespace of its own: last. */
                STATION_TEST(test_full_file_system_is_told_until_there_is_space),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
