/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which board gets which file, with a real ledger and real folders. */
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/board-data.h"
#include "tests/daemon/ledger-station.h"

static struct board_data *data;
static sd_event *event;
static unsigned changes;
static char folder[96];

static void on_changed(void *userdata)
{
        (void)userdata;
        changes++;
}

static void data_start(struct station *s)
{
        event = s->event;
        assert_int_equal(board_data_new(s->event, s->ledger, on_changed, NULL, &data), 0);
}

static void data_restart(struct station *s)
{
        data = board_data_free(data);
        station_restart(s);
        data_start(s);
}

static int setup(void **state)
{
        char owner[16];
        struct station *s;

        snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
        setenv("ESPDFU_DATA_OWNER", owner, 1);
        station_setup(state);
        s = *state;
        snprintf(folder, sizeof(folder), "%s/nvs", s->dir);
        assert_return_code(mkdir(folder, 0755), errno);
        station_start(s, BOOT, NOON);
        data_start(s);
        changes = 0;
        return 0;
}

static int teardown(void **state)
{
        data = board_data_free(data);
        return station_teardown(state);
}

static void put_as(const char *name, const char *content)
{
        char path[160];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        f = fopen(path, "we");
        assert_non_null(f);
        fputs(content, f);
        assert_int_equal(fclose(f), 0);
        assert_return_code(chmod(path, 0644), errno);
}

static void put(const char *name)
{
        put_as(name, name);
}

static void take_away(const char *name)
{
        char path[160];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        assert_return_code(unlink(path), errno);
}

/* And for the others that were done in the same breath. */
static void wait_for_change(void)
{
        unsigned before = changes;

        while (changes == before)
                assert_true(sd_event_run(event, 30 * USEC_PER_SEC) > 0);
        while (sd_event_run(event, 0) > 0)
                continue;
}

/* A board: by its MAC, or without one by its stay on a port. */
static struct board_data_want board(const char *job, const char *mac, uint64_t stay)
{
        return (struct board_data_want){ .folder = folder,
                                         .job = job,
                                         .mac = mac,
                                         .presence = { BOOT, "pci-0000:00:14.0-usb-0:4.1", 7, stay } };
}

/* board_data_take(), once its folder was read. */
static int take_in_time(const struct board_data_want *want, struct board_data_file *ret, char **ret_why)
{
        int r;

        while ((r = board_data_take(data, want, ret, ret_why)) == BOARD_DATA_LATER) {
                assert_non_null(strstr(*ret_why, " is being read"));
                (void)free_and_strdup(ret_why, NULL);
                wait_for_change();
        }
        return r;
}

static void take(const struct board_data_want *want, struct board_data_file *ret)
{
        _cleanup_(freep) char *why = NULL;
        int r = take_in_time(want, ret, &why);

        if (r != 0)
                fail_msg("%d: %s", r, why ? why : "");
}

static void expect_name(const struct board_data_file *file, const char *name)
{
        assert_string_equal(strrchr(file->path, '/') + 1, name);
        assert_int_equal(file->len, strlen((char *)name));
}

static void expect_gets(const struct board_data_want *want, const char *name)
{
        _cleanup_(board_data_file_done) struct board_data_file file = { 0 };

        take(want, &file);
        assert_string_equal(strrchr(file.path, '/') + 1, name);
}

static void expect_waits(const struct board_data_want *want, const char *text)
{
        _cleanup_(board_data_file_done) struct board_data_file file = { 0 };
        _cleanup_(freep) char *why = NULL;

        assert_int_equal(take_in_time(want, &file, &why), BOARD_DATA_WAITS);
        if (!strstr(why, text))
                fail_msg("\"%s\" does not say \"%s\"", why, text);
}

/* The attempt is opened, and the file is the board's from here on. Returns what the ledger said. */
static int commit(struct station *s, const struct board_data_want *want, const struct board_data_file *file)
{
        struct attempt_record record = board_on(slot_a1);
        struct board_data_row row = {
                .file = file->path,
                .folder = (char *)want->folder,
                .sha256 = (char *)file->sha256,
                .job = (char *)want->job,
                .mac = (char *)want->mac,
                .slot = slot_a1,
                .boot_id = (char *)want->presence.boot_id,
                .path = (char *)want->presence.path,
                .devnum = want->presence.devnum,
                .initialized_usec = want->presence.initialized_usec,
                .assigned_realtime_usec = NOON,
        };
        struct answer answer = { 0 };

        record.job = (char *)want->job;
        assert_int_equal(ledger_attempt_open_with_data(s->ledger, &record, &row, NULL, take_answer, &answer),
                         0);
        wait_for(s, &answer);
        if (answer.r == 0)
                board_data_commit(data, want->job);
        return answer.r;
}

static void give(struct station *s, const struct board_data_want *want, const char *name)
{
        _cleanup_(board_data_file_done) struct board_data_file file = { 0 };

        take(want, &file);
        expect_name(&file, name);
        assert_int_equal(commit(s, want, &file), 0);
}

static void test_boards_get_the_next_file_in_natural_order(void **state)
{
        const struct board_data_want one = board("j1", NULL, 1), two = board("j2", NULL, 2),
                                     three = board("j3", NULL, 3);

        put("unit-10.bin");
        put("unit-9.bin");
        give(*state, &one, "unit-9.bin");
        give(*state, &two, "unit-10.bin");
        expect_waits(&three, "no unused file left in ");
        expect_waits(&three, "nvs (2 used)");
        assert_int_equal(on_disk(*state, "SELECT count(*) FROM board_data"), 2);
        assert_int_equal(on_disk(*state, "SELECT count(*) FROM attempt"), 2);
}

static void test_claims_of_boards_that_come_at_once_are_different(void **state)
{
        const struct board_data_want one = board("j1", NULL, 1), two = board("j2", NULL, 2),
                                     three = board("j3", NULL, 3);

        (void)state;
        put("a");
        put("b");
        expect_gets(&one, "a");
        expect_gets(&two, "b");
        expect_waits(&three, "(2 used)");
        /* Also when the folder is read anew. */
        board_data_reload(data);
        expect_waits(&three, "(2 used)");
        board_data_release(data, "j1");
        expect_gets(&three, "a");
}

static void test_board_with_a_mac_gets_its_file_again(void **state)
{
        const struct board_data_want first = board("j1", "7c:df:a1:0b:00:12", 1),
                                     later = board("j9", "7c:df:a1:0b:00:12", 500),
                                     other = board("j2", "7c:df:a1:0b:00:13", 2);

        put("a");
        put("b");
        give(*state, &first, "a");
        give(*state, &other, "b");
        give(*state, &later, "a");
        data_restart(*state);
        give(*state, &later, "a");
        assert_int_equal(on_disk(*state, "SELECT count(*) FROM board_data"), 2);
}

static void test_board_with_a_mac_gets_another_file_of_another_folder(void **state)
{
        const struct board_data_want first = board("j1", "7c:df:a1:0b:00:12", 1);
        struct board_data_want later = board("j2", "7c:df:a1:0b:00:12", 1);
        struct station *s = *state;

        put("a");
        give(s, &first, "a");
        snprintf(folder, sizeof(folder), "%s/other", s->dir);
        assert_return_code(mkdir(folder, 0755), errno);
        put("b");
        later.folder = folder;
        give(s, &later, "b");
        assert_int_equal(on_disk(s, "SELECT count(*) FROM board_data WHERE mac = '7c:df:a1:0b:00:12'"), 2);
}

static void test_s2_that_stays_gets_its_file_again_and_a_pulled_one_a_new_one(void **state)
{
        const struct board_data_want first = board("j1", NULL, 1), again = board("j2", NULL, 1),
                                     pulled = board("j3", NULL, 2);

        put("a");
        put("b");
        give(*state, &first, "a");
        data_restart(*state); /* it crashed between commit and flash */
        give(*state, &again, "a");
        give(*state, &pulled, "b");
}

static void test_s2_keeps_its_file_through_detach(void **state)
{
        struct board_data_want before = board("j1", NULL, 1), after = board("j2", NULL, 2);
        _cleanup_(board_data_file_done) struct board_data_file file = { 0 };
        struct station *s = *state;

        put("a");
        put("b");
        take(&before, &file);
        assert_int_equal(commit(s, &before, &file), 0);
        const struct board_data_row moved = {
                .file = file.path,
                .folder = folder,
                .sha256 = file.sha256,
                .job = (char *)"j1",
                .slot = slot_a1,
                .boot_id = (char *)BOOT,
                .path = (char *)after.presence.path,
                .devnum = 7,
                .initialized_usec = 2,
        };
        assert_int_equal(ledger_data_moved(s->ledger, &moved), 0);
        data_restart(s);
        give(s, &after, "a");
        give(s, &before, "b"); /* that stay is over: nobody knows who this is */
}

static void test_s2_that_comes_back_from_detach_to_a_new_daemon_gets_its_file(void **state)
{
        struct board_data_want before = board("j1", NULL, 1), back = board("j2", NULL, 2),
                               fresh = board("j3", NULL, 3);

        put("a");
        put("b");
        give(*state, &before, "a");
        data_restart(*state); /* it died with its attempt open */
        back.dfu_mode = true;
        give(*state, &back, "a");
        data_restart(*state);
        give(*state, &fresh, "b"); /* in run-time mode, as a board that was plugged in */
}

static void test_s2_whose_detach_was_cut_off_by_the_daemon_s_stop_gets_its_file(void **state)
{
        struct board_data_want before = board("j1", NULL, 1), back = board("j2", NULL, 2);
        const struct attempt_record stopped = ended(VERDICT_CANCELLED, NOON);

        put("a");
        put("b");
        give(*state, &before, "a");
        assert_int_equal(try_close(*state, 1, &stopped, NULL).r, 0); /* and not final */
        data_restart(*state);
        back.dfu_mode = true;
        give(*state, &back, "a");
        assert_int_equal(on_disk(*state, "SELECT count(*) FROM board_data"), 1);
}

/* Its engine was killed first, and its job had another attempt to come. */
static void test_s2_whose_job_was_to_try_again_when_the_daemon_died_gets_its_file(void **state)
{
        struct board_data_want before = board("j1", NULL, 1), back = board("j2", NULL, 2);
        const struct attempt_record failed = ended(VERDICT_ENGINE_FAILED, NOON);

        put("a");
        put("b");
        give(*state, &before, "a");
        assert_int_equal(try_close(*state, 1, &failed, NULL).r, 0);
        data_restart(*state);
        back.dfu_mode = true;
        give(*state, &back, "a");
        assert_int_equal(on_disk(*state, "SELECT count(*) FROM board_data"), 1);
}

static void test_s2_in_dfu_mode_is_not_the_one_whose_attempt_ended(void **state)
{
        struct board_data_want first = board("j1", NULL, 1), other = board("j2", NULL, 2);
        const struct attempt_record failed = ended(VERDICT_BOARD_LEFT, NOON);

        put("a");
        put("b");
        give(*state, &first, "a");
        assert_int_equal(try_close(*state, 1, &failed, &first.presence).r, 0); /* and final */
        data_restart(*state);
        other.dfu_mode = true;
        give(*state, &other, "b");
}

static void test_same_content_under_another_name_is_not_given_twice(void **state)
{
        const struct board_data_want one = board("j1", "7c:df:a1:0b:00:12", 1), two = board("j2", NULL, 2);
        struct station *s = *state;

        put("a");
        give(s, &one, "a");
        put_as("b", "a");
        put("c");
        wait_for_change();
        expect_waits(&two, "nvs/b: the same content as ");
        expect_waits(&two,
                     "nvs/a, which board 7c:df:a1:0b:00:12 got: expected a file of its own for each board");
        take_away("b");
        wait_for_change();
        give(s, &two, "c");
}

static void test_same_content_is_not_claimed_twice_either(void **state)
{
        const struct board_data_want one = board("j1", NULL, 1), two = board("j2", NULL, 2);

        (void)state;
        put("a");
        put_as("b", "a");
        expect_gets(&one, "a");
        expect_waits(&two, "nvs/b: the same content as ");
}

static void test_name_that_was_used_stays_used_with_other_content(void **state)
{
        const struct board_data_want one = board("j1", NULL, 1), two = board("j2", NULL, 2);
        struct station *s = *state;

        put("a");
        give(s, &one, "a");
        put_as("a", "the next batch");
        wait_for_change();
        expect_waits(&two, "no unused file left");
        expect_waits(&one, "nvs/a: not what this board got before: expected SHA-256 ");
}

static void test_board_whose_file_was_removed_waits_for_it(void **state)
{
        const struct board_data_want one = board("j1", "7c:df:a1:0b:00:12", 1);

        put("a");
        put("b");
        give(*state, &one, "a");
        take_away("a");
        expect_waits(&one, "nvs/a: No such file or directory: expected a file");
}

static void test_file_that_comes_is_told(void **state)
{
        const struct board_data_want one = board("j1", NULL, 1);

        expect_waits(&one, "no unused file left");
        put("a");
        wait_for_change();
        give(*state, &one, "a");
}

static void test_folder_that_was_made_anew_is_watched_again_after_a_reload(void **state)
{
        const struct board_data_want one = board("j1", NULL, 1);

        (void)state;
        assert_return_code(rmdir(folder), errno);
        expect_waits(&one, "nvs: No such file or directory: expected a folder with a file for each board");
        assert_return_code(mkdir(folder, 0755), errno);
        board_data_reload(data);
        wait_for_change();
        expect_waits(&one, "no unused file left");
        put("a");
        wait_for_change();
        expect_gets(&one, "a");
}

static void test_ledger_gives_no_file_to_two_boards_whatever_it_is_told(void **state)
{
        const struct board_data_want one = board("j1", NULL, 1), two = board("j2", NULL, 2),
                                     mac = board("j3", "7c:df:a1:0b:00:12", 3);
        _cleanup_(board_data_file_done) struct board_data_file a = { 0 }, b = { 0 };
        struct station *s = *state;

        put("a");
        put("b");
        take(&one, &a);
        take(&mac, &b);
        assert_int_equal(commit(s, &one, &a), 0);
        assert_int_equal(commit(s, &one, &a), 0); /* the next attempt */
        assert_int_equal(commit(s, &two, &a), -EEXIST);
        assert_int_equal(commit(s, &mac, &a), -EEXIST);
        assert_int_equal(commit(s, &mac, &b), 0);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM board_data"), 2);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt"), 3);
}

static void test_a_board_that_asks_what_it_would_get_takes_nothing(void **state)
{
        const struct board_data_want one = board("j1", NULL, 1), two = board("j2", NULL, 2);
        _cleanup_(freep) char *path = NULL, *again = NULL, *own = NULL, *none = NULL, *why = NULL;

        put("a");
        assert_int_equal(board_data_peek(data, &one, &path, &why), BOARD_DATA_LATER);
        (void)free_and_strdup(&why, NULL);
        wait_for_change();
        assert_int_equal(board_data_peek(data, &one, &path, &why), 0);
        assert_int_equal(board_data_peek(data, &two, &again, &why), 0);
        assert_string_equal(path, again);
        give(*state, &one, "a");
        assert_int_equal(board_data_peek(data, &one, &own, &why), 0);
        assert_string_equal(path, own);
        assert_int_equal(board_data_peek(data, &two, &none, &why), 1);
        assert_non_null(strstr(why, "(1 used)"));
}

/* Copied, in any order of coming and going. */
static void test_a_hundred_boards_get_a_hundred_files(void **state)
{
        struct station *s = *state;
        char name[24], job[24], seen[100] = { 0 };

        for (unsigned i = 0; i < 100; i++) {
                snprintf(name, sizeof(name), "unit-%u.bin", i);
                put(name);
        }
        for (unsigned i = 0; i < 100; i++) {
                _cleanup_(board_data_file_done) struct board_data_file file = { 0 };
                snprintf(job, sizeof(job), "job-%u", i);
                const struct board_data_want want = board(job, NULL, i);
                unsigned n;

                take(&want, &file);
                assert_int_equal(sscanf(strrchr(file.path, '/'), "/unit-%u.bin", &n), 1);
                assert_in_range(n, 0, 99);
                assert_int_equal(seen[n]++, 0);
                if (i % 3 == 0)
                        assert_int_equal(commit(s, &want, &file), 0);
                if (i % 7 == 0)
                        board_data_reload(data);
        }
}

/* ---- a folder that a line has used for long ---- */

#ifdef __SANITIZE_ADDRESS__
#define HELD_MAX_USEC 15000
#else
#define HELD_MAX_USEC 5000
#endif
#define UNDER_VALGRIND_SLOWER 50

#define MANY      10000u
#define MANY_USED 9900u

/* unit-0 and on were used; the last hundred were not. */
static void fill_the_folder(struct station *s)
{
        _cleanup_(freep) char *sql = NULL;
        char name[24];

        for (unsigned i = 0; i < MANY; i++) {
                snprintf(name, sizeof(name), "unit-%u.bin", i);
                put(name);
        }
        assert_true(asprintf(&sql,
                             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %u) "
                             "INSERT INTO board_data (file, folder, sha256, job, slot, boot_id, path, devnum,"
                             " initialized_usec, assigned_realtime_usec)"
                             " SELECT '%s/unit-' || i || '.bin', '%s', i, i, 'A1', '" BOOT
                             "', i, 7, i, 0 FROM n",
                             MANY_USED - 1, folder, folder) > 0);
        assert_int_equal(on_disk(s, sql), -1);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM board_data"), MANY_USED);
}

/* Processor time, so that who else runs on the machine does not count. */
static uint64_t own_usec(void)
{
        struct timespec t;

        assert_return_code(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), errno);
        return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t longest;

static void note_since(uint64_t begin)
{
        longest = MAX(longest, own_usec() - begin);
}

/* board_data_take(), the turns of the loop until it has an answer, and one after it: each for itself. */
static void take_and_measure(const struct board_data_want *want, struct board_data_file *ret)
{
        _cleanup_(freep) char *why = NULL;
        int r = BOARD_DATA_LATER;

        while (r == BOARD_DATA_LATER) {
                uint64_t begin = own_usec();

                (void)free_and_strdup(&why, NULL);
                r = board_data_take(data, want, ret, &why);
                note_since(begin);
                begin = own_usec();
                assert_return_code(sd_event_run(event, 0), errno);
                note_since(begin);
        }
        assert_int_equal(r, 0);
}

/* The nth, counted from 0. */
static const char *unused(unsigned n)
{
        static char name[24];

        snprintf(name, sizeof(name), "unit-%u.bin", MANY_USED + n);
        return name;
}

static void test_folder_of_ten_thousand_holds_the_loop_for_no_board(void **state)
{
        struct station *s = *state;
        char name[24], job[24];

        fill_the_folder(s);
        longest = 0;
        for (unsigned i = 0; i < MANY - MANY_USED; i++) {
                _cleanup_(board_data_file_done) struct board_data_file file = { 0 };

                snprintf(job, sizeof(job), "job-%u", i);
                const struct board_data_want want = board(job, NULL, i + MANY);

                if (i % 10 == 9) { /* somebody copies more */
                        snprintf(name, sizeof(name), "unit-%u.bin", MANY + i);
                        put(name);
                }
                if (i % 10 == 8) { /* and some jobs are over before they begin */
                        expect_gets(&want, unused(i));
                        board_data_release(data, job);
                }
                take_and_measure(&want, &file);
                assert_string_equal(strrchr(file.path, '/') + 1, unused(i));
        }
        print_message("the loop was held for %llu us\n", (unsigned long long)longest);
        assert_in_range(longest, 0, HELD_MAX_USEC * (getenv("MEMCHECK_LOGS") ? UNDER_VALGRIND_SLOWER : 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_boards_get_the_next_file_in_natural_order),
                TEST(test_claims_of_boards_that_come_at_once_are_different),
                TEST(test_board_with_a_mac_gets_its_file_again),
                TEST(test_board_with_a_mac_gets_another_file_of_another_folder),
                TEST(test_s2_that_stays_gets_its_file_again_and_a_pulled_one_a_new_one),
                TEST(test_s2_keeps_its_file_through_detach),
                TEST(test_s2_that_comes_back_from_detach_to_a_new_daemon_gets_its_file),
                TEST(test_s2_whose_detach_was_cut_off_by_the_daemon_s_stop_gets_its_file),
                TEST(test_s2_whose_job_was_to_try_again_when_the_daemon_died_gets_its_file),
                TEST(test_s2_in_dfu_mode_is_not_the_one_whose_attempt_ended),
                TEST(test_same_content_under_another_name_is_not_given_twice),
                TEST(test_same_content_is_not_claimed_twice_either),
                TEST(test_name_that_was_used_stays_used_with_other_content),
                TEST(test_board_whose_file_was_removed_waits_for_it),
                TEST(test_file_that_comes_is_told),
                TEST(test_folder_that_was_made_anew_is_watched_again_after_a_reload),
                TEST(test_ledger_gives_no_file_to_two_boards_whatever_it_is_told),
                TEST(test_a_board_that_asks_what_it_would_get_takes_nothing),
                TEST(test_a_hundred_boards_get_a_hundred_files),
                TEST(test_folder_of_ten_thousand_holds_the_loop_for_no_board),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
