/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is asked of the ledger: attempts by filters, figures, consumers; and what is removed from it, or brought up to date. */
#include "tests/daemon/ledger-station.h"

#include <stdio.h>
#include <unistd.h>

static int64_t closed_attempt(struct station *s, struct attempt_record *record, struct attempt_record *end)
{
        return try_close(s, open_attempt(s, record), end, NULL).id;
}

/* The ids that a filter lets through, in order, as "3 2 1". */
static void expect_ids(struct station *s, const struct history_filter *filter, const char *expected)
{
        struct history_at at = { 0 };
        char ids[256] = "";
        size_t n, used = 0;

        do {
                struct attempt_record *rows;

                assert_int_equal(read_history(s, filter, &at, 2, &rows, &n), 0);
                for (size_t i = 0; i < n; i++)
                        used += (size_t)snprintf(ids + used, sizeof(ids) - used, "%s%lld", used ? " " : "",
                                                 (long long)rows[i].id);
                attempts_free(rows, n);
        } while (at.low < at.high);
        assert_string_equal(ids, expected);
}

static char text_gizmo[] = "gizmo", text_probe[] = "probe", text_path[] = "/srv/probe.bin",
            text_sha[] = "ABCDEF0123", text_short[] = "abcde", text_mac[] = "7c:df:a1:0b:00:12",
            path_a1[] = "pci-0000:00:14.0-usb-0:4.1", path_a2[] = "pci-0000:00:14.0-usb-0:4.2",
            port_a2[] = "1-4.2";

/* Five attempts, an hour apart; the third with another image, the fourth failed, the fifth runs. */
static void five_attempts(struct station *s)
{
        static char sha[] = "abcdef0123456789";

        station_start(s, BOOT, NOON);
        for (uint64_t i = 1; i <= 5; i++) {
                struct attempt_record record = board_on(i % 2 ? slot_a1 : slot_a2),
                                      end = ended(i == 4 ? VERDICT_STALLED : VERDICT_FLASHED,
                                                  NOON + i * HOUR_USEC + 5 * USEC_PER_SEC);

                record.start_realtime_usec = NOON + i * HOUR_USEC;
                if (i == 3) {
                        record.image_name = text_probe;
                        record.image_path = text_path;
                        record.image_sha256 = sha;
                }
                if (i < 5)
                        closed_attempt(s, &record, &end);
                else
                        open_attempt(s, &record);
        }
}

static void test_history_by_each_filter(void **state)
{
        struct station *s = *state;

        five_attempts(s);
        expect_ids(s, &(struct history_filter){ 0 }, "5 4 3 2 1");
        expect_ids(s, &(struct history_filter){ .oldest_first = true }, "1 2 3 4 5");
        expect_ids(s, &(struct history_filter){ .slot = slot_a1 }, "5 3 1");
        expect_ids(s, &(struct history_filter){ .mac = text_mac, .slot = slot_a2 }, "4 2");
        expect_ids(s, &(struct history_filter){ .has_verdict = true, .verdict = VERDICT_STALLED }, "4");
        expect_ids(s, &(struct history_filter){ .has_verdict = true, .verdict = VERDICT_NONE }, "5");
        expect_ids(
                s,
                &(struct history_filter){ .has_verdict = true, .slot = slot_a2, .verdict = VERDICT_FLASHED },
                "2");
        expect_ids(s, &(struct history_filter){ .place = path_a2 }, "4 2");
        expect_ids(
                s,
                &(struct history_filter){
                        .place = path_a2, .mac = text_mac, .has_verdict = true, .verdict = VERDICT_FLASHED },
                "2");
        expect_ids(s, &(struct history_filter){ .place = port_a2 }, ""); /* they know their ID_PATH */
        expect_ids(s, &(struct history_filter){ .port = port_a2 }, "4 2");
        expect_ids(s, &(struct history_filter){ .image = text_gizmo }, "5 4 2 1");
        expect_ids(s, &(struct history_filter){ .image = text_probe }, "3");
        expect_ids(s, &(struct history_filter){ .image = text_path }, "3");
        expect_ids(s, &(struct history_filter){ .image = text_sha }, "3");
        expect_ids(s, &(struct history_filter){ .image = text_short }, ""); /* too short for a SHA-256 */
        expect_ids(s, &(struct history_filter){ .by_sequence = true, .after = 1 }, "2 3 4");
        expect_ids(s, &(struct history_filter){ .by_sequence = true, .after = INT64_MAX }, "");
}

static void test_port_keeps_its_attempts_under_whatever_name(void **state)
{
        static char b7[] = "B7", port[] = "3-1";
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_FLASHED, NOON);

        station_start(s, BOOT, NOON);
        closed_attempt(s, &record, &end);
        record.slot = b7; /* a reload gave it another name */
        closed_attempt(s, &record, &end);
        record.port = port; /* a boot another bus number */
        closed_attempt(s, &record, &end);
        assert_int_equal(last_at(s, "4.1")->id, 3);
        record.path = NULL;
        closed_attempt(s, &record, &end);
        expect_ids(s, &(struct history_filter){ .place = path_a1 }, "3 2 1");
        expect_ids(s, &(struct history_filter){ .slot = b7 }, "4 3 2");
        expect_ids(s, &(struct history_filter){ .place = port }, "4");
        expect_ids(s, &(struct history_filter){ .port = port }, "4 3");
        assert_int_equal(ledger_last_of_port(s->ledger, path_a1, port)->id, 4);
        station_restart(s);
        assert_int_equal(ledger_last_of_port(s->ledger, path_a1, port)->id, 4);
        assert_int_equal(ledger_last_of_port(s->ledger, NULL, port)->id, 4);
}

static void test_history_since_and_until(void **state)
{
        struct station *s = *state;
        uint64_t two = NOON + 2 * HOUR_USEC, four = NOON + 4 * HOUR_USEC;

        five_attempts(s);
        expect_ids(s, &(struct history_filter){ .since_usec = two }, "5 4 3 2");
        expect_ids(s, &(struct history_filter){ .until_usec = four }, "3 2 1");
        expect_ids(s, &(struct history_filter){ .since_usec = two, .until_usec = four, .oldest_first = true },
                   "2 3");
        expect_ids(s, &(struct history_filter){ .since_usec = two + 1, .slot = slot_a2 }, "4");
        expect_ids(s, &(struct history_filter){ .since_usec = NOON + 9 * HOUR_USEC }, "");
}

static void test_clock_that_was_set_back_hides_no_attempt(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_FLASHED, NOON);

        five_attempts(s);
        record.start_realtime_usec = NOON + 2 * HOUR_USEC;
        closed_attempt(s, &record, &end);
        expect_ids(s, &(struct history_filter){ .until_usec = NOON + 3 * HOUR_USEC }, "6 2 1");
        expect_ids(s, &(struct history_filter){ .since_usec = NOON + 4 * HOUR_USEC }, "5 4");
}

static void test_row_has_how_long_and_why(void **state)
{
        static char engine[] = "board reports errFIRMWARE", code[] = "errFIRMWARE", dfu[] = "dfuERROR",
                    name[] = "line3-a", file[] = "/srv/nvs/17.bin";
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_VERIFY_FAILED, NOON), *rows;
        size_t n;

        station_start(s, BOOT, NOON);
        record.station = name;
        record.data_file = file;
        end.engine_message = engine;
        end.dfu_status = code;
        end.dfu_state = dfu;
        end.detaching_usec = 1;
        end.downloading_usec = 3;
        end.verifying_usec = 4;
        closed_attempt(s, &record, &end);
        assert_int_equal(read_history(s, &(struct history_filter){ 0 }, NULL, 10, &rows, &n), 0);
        assert_int_equal(n, 1);
        assert_string_equal(rows[0].station, name);
        assert_string_equal(rows[0].data_file, file);
        assert_string_equal(rows[0].engine_message, engine);
        assert_string_equal(rows[0].dfu_status, code);
        assert_string_equal(rows[0].dfu_state, dfu);
        assert_int_equal(rows[0].detaching_usec, 1);
        assert_int_equal(rows[0].away_usec, 0);
        assert_int_equal(rows[0].downloading_usec, 3);
        assert_int_equal(rows[0].verifying_usec, 4);
        attempts_free(rows, n);
        assert_int_equal(on_disk(s, "SELECT away_usec IS NULL FROM attempt"), 1);
}

/* ---- figures ---- */

struct stats_answer {
        bool came;
        int r;
        struct station_stats stats;
};

static void take_stats(void *userdata, int r, struct station_stats *stats)
{
        struct stats_answer *answer = userdata;

        answer->came = true;
        answer->r = r;
        answer->stats = *stats;
        *stats = (struct station_stats){ 0 };
}

static struct stats_answer stats_of(struct station *s, const struct history_filter *filter)
{
        struct stats_answer answer = { 0 };

        assert_int_equal(ledger_stats(s->ledger, filter, take_stats, &answer), 0);
        while (!answer.came)
                assert_true(sd_event_run(s->event, 30 * USEC_PER_SEC) > 0);
        assert_int_equal(answer.r, 0);
        return answer;
}

static void test_figures_are_those_of_the_filter(void **state)
{
        struct station *s = *state;
        struct stats_answer all, a2;

        five_attempts(s);
        all = stats_of(s, &(struct history_filter){ 0 });
        assert_int_equal(all.stats.total.attempts, 4);
        assert_int_equal(all.stats.total.flashed, 3);
        assert_int_equal(all.stats.n_slots, 2);
        assert_int_equal(all.stats.n_errors, 1);
        assert_int_equal(all.stats.errors[0].verdict, VERDICT_STALLED);
        assert_int_equal(all.stats.rows, 4);
        assert_int_equal(all.stats.last_sequence, 4);
        station_stats_done(&all.stats);
        a2 = stats_of(s, &(struct history_filter){ .slot = slot_a2 });
        assert_int_equal(a2.stats.total.attempts, 2);
        assert_int_equal(a2.stats.n_slots, 1);
        assert_int_equal(a2.stats.rows, 4);
        station_stats_done(&a2.stats);
}

static void never_told(void *userdata, int r, struct station_stats *stats)
{
        (void)userdata, (void)r, (void)stats;
        fail_msg("%s", "who left is told");
}

static void test_who_leaves_is_not_told(void **state)
{
        struct station *s = *state;
        struct stats_answer other;

        five_attempts(s);
        assert_int_equal(ledger_stats(s->ledger, &(struct history_filter){ 0 }, never_told, state), 0);
        ledger_forget(s->ledger, state);
        other = stats_of(s, &(struct history_filter){ 0 }); /* asked after it */
        station_stats_done(&other.stats);
}

/* ---- consumers ---- */

static struct answer consumer(struct station *s, enum consumer_action action, const char *name,
                              int64_t sequence)
{
        struct answer answer = { 0 };

        assert_int_equal(
                ledger_consumer(s->ledger, action, name, sequence, NOON, USEC_INFINITY, take_answer, &answer),
                0);
        wait_for(s, &answer);
        return answer;
}

static void test_consumer_goes_on_where_it_was(void **state)
{
        struct station *s = *state;

        five_attempts(s);
        assert_int_equal(consumer(s, CONSUMER_ACKNOWLEDGE, "bridge", 1).r, -ENOENT);
        assert_int_equal(consumer(s, CONSUMER_UNREGISTER, "bridge", 0).r, -ENOENT);
        assert_int_equal(consumer(s, CONSUMER_REGISTER, "bridge", 5).r, -ERANGE); /* the fifth runs */
        assert_int_equal(consumer(s, CONSUMER_REGISTER, "bridge", 1).r, 0);
        assert_int_equal(consumer(s, CONSUMER_ACKNOWLEDGE, "bridge", 3).r, 0);
        assert_int_equal(consumer(s, CONSUMER_ACKNOWLEDGE, "bridge", 2).r, -ERANGE);
        assert_int_equal(consumer(s, CONSUMER_ACKNOWLEDGE, "bridge", 5).r, -ERANGE);
        station_restart(s);
        assert_int_equal(consumer(s, CONSUMER_REGISTER, "bridge", 0).sequence, 3);
        assert_int_equal(consumer(s, CONSUMER_UNREGISTER, "bridge", 0).sequence, 3);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM consumer"), 0);
}

static void test_consumers_are_bounded_in_number(void **state)
{
        struct station *s = *state;
        char name[16];

        station_start(s, BOOT, NOON);
        for (int i = 0; i < LEDGER_CONSUMERS_MAX; i++) {
                snprintf(name, sizeof(name), "c%d", i);
                assert_int_equal(consumer(s, CONSUMER_REGISTER, name, 0).r, 0);
        }
        assert_int_equal(consumer(s, CONSUMER_REGISTER, "one-more", 0).r, -EUSERS);
        assert_int_equal(consumer(s, CONSUMER_REGISTER, "c0", 0).r, 0);
        assert_null(ledger_trouble(s->ledger));
}

static struct answer register_for(struct station *s, const char *name, int64_t sequence, uint64_t user)
{
        struct answer answer = { 0 };

        assert_int_equal(ledger_consumer(s->ledger, CONSUMER_REGISTER, name, sequence, NOON, user,
                                         take_answer, &answer),
                         0);
        wait_for(s, &answer);
        return answer;
}

static void test_a_consumers_user_is_known_to_the_next_daemon_too(void **state)
{
        struct station *s = *state;

        five_attempts(s);
        assert_false(ledger_consumer_is_of(s->ledger, "mqtt", 997));
        assert_int_equal(register_for(s, "mqtt", 2, 997).sequence, 2);
        assert_true(ledger_consumer_is_of(s->ledger, "mqtt", 997));
        assert_false(ledger_consumer_is_of(s->ledger, "mqtt", 998));
        assert_int_equal(register_for(s, "mqtt", 0, USEC_INFINITY).sequence, 2); /* stays who it was */
        station_restart(s);
        assert_true(ledger_consumer_is_of(s->ledger, "mqtt", 997));
        register_for(s, "mqtt", 0, 998);
        assert_false(ledger_consumer_is_of(s->ledger, "mqtt", 997));
        assert_true(ledger_consumer_is_of(s->ledger, "mqtt", 998));
        consumer(s, CONSUMER_REGISTER, "backup", 0);
        assert_false(ledger_consumer_is_of(s->ledger, "backup", 998));
        consumer(s, CONSUMER_UNREGISTER, "mqtt", 0);
        assert_false(ledger_consumer_is_of(s->ledger, "mqtt", 998));
}

#define DAY_USEC (24 * HOUR_USEC)

static void test_a_consumer_that_has_had_none_for_a_day_lags(void **state)
{
        struct station *s = *state;
        char text[CONSUMER_LAG_TEXT];
        uint64_t end;

        five_attempts(s); /* the fourth ended at four o'clock and five seconds */
        end = NOON + 4 * HOUR_USEC + 5 * USEC_PER_SEC;
        consumer(s, CONSUMER_REGISTER, "bridge", 3);
        assert_false(ledger_consumer_lags(s->ledger, NOON + DAY_USEC, text));
        assert_true(ledger_consumer_lags(s->ledger, NOON + DAY_USEC + 1, text));
        station_restart(s); /* which knows when the row ended that it has not had */
        assert_int_equal(on_disk(s, "SELECT max(sequence) FROM attempt"), 5);
        assert_false(ledger_consumer_lags(s->ledger, end + DAY_USEC, text));
        assert_true(ledger_consumer_lags(s->ledger, end + 2 * DAY_USEC + 1, text));
        assert_string_equal(text, "consumer bridge is 2 attempts behind, and has had none for 48 h");
        consumer(s, CONSUMER_ACKNOWLEDGE, "bridge", 5);
        assert_false(ledger_consumer_lags(s->ledger, end + 30 * DAY_USEC, text));
        /* An idle month is nobody's fault: it lags from a day after the next attempt on. */
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON + 30 * DAY_USEC, NULL);
        assert_false(ledger_consumer_lags(s->ledger, NOON + 31 * DAY_USEC, text));
        assert_true(ledger_consumer_lags(s->ledger, NOON + 34 * DAY_USEC, text));
        assert_string_equal(text, "consumer bridge is 1 attempt behind, and has had none for 4 days");
        consumer(s, CONSUMER_UNREGISTER, "bridge", 0);
        assert_false(ledger_consumer_lags(s->ledger, NOON + 34 * DAY_USEC, text));
}

static void test_a_consumer_that_is_ten_thousand_behind_lags(void **state)
{
        struct station *s = *state;
        char text[CONSUMER_LAG_TEXT];
        sqlite3 *db = NULL;

        station_start(s, BOOT, NOON);
        consumer(s, CONSUMER_REGISTER, "mqtt", 0);
        station_stop(s);
        assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
        assert_int_equal(
                sqlite3_exec(
                        db,
                        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
                        " INSERT INTO attempt (sequence, job, attempt, slot, boot_id, clock_synchronized,"
                        " start_realtime_usec, end_realtime_usec, verdict)"
                        " SELECT i, 'j', 1, 'A1', 'b', 1, 1, 1, 'flashed' FROM n",
                        NULL, NULL, NULL),
                SQLITE_OK);
        sqlite3_close(db);
        station_start(s, BOOT, NOON);
        assert_false(ledger_consumer_lags(s->ledger, NOON, text));
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        assert_true(ledger_consumer_lags(s->ledger, NOON, text));
        assert_string_equal(text, "consumer mqtt is 10001 attempts behind, and has had none for 0 h");
}

/* ---- which ledger it is ---- */

static void test_a_ledger_has_an_id_for_ever_and_another_one_another(void **state)
{
        struct station *s = *state;
        struct ledger_identity first, given;
        char *error = NULL;

        five_attempts(s);
        first = *ledger_identity(s->ledger);
        assert_int_equal(strspn(first.id, "0123456789abcdef"), 32);
        assert_int_equal(strlen(first.id), 32);
        assert_int_equal(first.since, 0);
        assert_int_equal(ledger_give_new_id(s->path, -1, &given, &error), -EBUSY);
        free(take_ptr(error));
        station_restart(s);
        assert_string_equal(ledger_identity(s->ledger)->id, first.id);
        station_stop(s);

        assert_int_equal(ledger_give_new_id(s->path, 6, &given, &error), -ERANGE);
        free(take_ptr(error));
        assert_int_equal(ledger_give_new_id(s->path, -1, &given, &error), 0);
        assert_string_not_equal(given.id, first.id);
        assert_int_equal(given.since, 5);
        assert_int_equal(ledger_give_new_id(s->path, 2, &given, &error), 0);
        station_start(s, BOOT, NOON);
        assert_string_equal(ledger_identity(s->ledger)->id, given.id);
        assert_int_equal(ledger_identity(s->ledger)->since, 2);
        station_stop(s);
        unlink(s->path);
        assert_int_equal(ledger_give_new_id(s->path, -1, &given, &error), -ENOENT);
        free(take_ptr(error));
        station_start(s, BOOT, NOON);
        assert_string_not_equal(ledger_identity(s->ledger)->id, given.id);
}

/* ---- retention ---- */

struct removed_answer {
        bool came;
        int r;
        struct ledger_removed removed;
};

static void take_removed(void *userdata, int r, const struct ledger_removed *removed)
{
        *(struct removed_answer *)userdata = (struct removed_answer){ true, r, *removed };
}

static struct ledger_removed retain(struct station *s, uint64_t before_usec, uint64_t rows_max)
{
        struct ledger_limits limits = { before_usec, rows_max, NOON };
        struct removed_answer answer = { 0 };

        assert_int_equal(ledger_retain(s->ledger, &limits, take_removed, &answer), 0);
        while (!answer.came)
                assert_true(sd_event_run(s->event, 30 * USEC_PER_SEC) > 0);
        assert_int_equal(answer.r, 0);
        return answer.removed;
}

static void test_rows_go_by_age_and_the_rest_has_no_gaps(void **state)
{
        struct station *s = *state;
        struct ledger_removed removed;
        struct stats_answer stats;

        five_attempts(s);
        assert_int_equal(retain(s, 0, 0).n, 0);
        removed = retain(s, NOON + 3 * HOUR_USEC, 0);
        assert_int_equal(removed.n, 2);
        assert_int_equal(removed.first, 1);
        assert_int_equal(removed.last, 2);
        assert_false(removed.more);
        expect_ids(s, &(struct history_filter){ 0 }, "5 4 3");
        stats = stats_of(s, &(struct history_filter){ 0 });
        assert_int_equal(stats.stats.removed, 2);
        assert_int_equal(stats.stats.removed_realtime_usec, NOON);
        assert_int_equal(stats.stats.first_sequence, 3);
        station_stats_done(&stats.stats);
}

static void test_last_number_stays_and_numbers_never_begin_anew(void **state)
{
        struct station *s = *state;

        five_attempts(s);
        assert_int_equal(retain(s, UINT64_MAX, 1).n, 3);
        expect_ids(s, &(struct history_filter){ 0 }, "5 4"); /* the one that runs is no row to be removed */
        station_restart(s);
        assert_int_equal(on_disk(s, "SELECT max(sequence) FROM attempt"), 5);
}

static void test_rows_above_the_limit_go_in_groups(void **state)
{
        struct station *s = *state;
        struct ledger_removed removed;
        uint64_t n = 0;

        station_start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        on_disk(s, "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                   " INSERT INTO attempt (sequence, job, attempt, slot, boot_id, clock_synchronized,"
                   " start_realtime_usec, end_realtime_usec, verdict)"
                   " SELECT i, 'j', 1, 'A1', 'b', 1, i, i, 'flashed' FROM n");
        do {
                removed = retain(s, 0, 100);
                assert_true(removed.n > 0 && removed.n <= 256);
                assert_int_equal(removed.first, n + 1);
                n += removed.n;
        } while (removed.more);
        assert_int_equal(n, 900);
        assert_int_equal(on_disk(s, "SELECT min(sequence) * 10000 + count(*) FROM attempt"), 9010100);
        assert_int_equal(retain(s, 0, 100).n, 0);
}

static void test_what_a_consumer_has_not_had_stays(void **state)
{
        struct station *s = *state;
        struct ledger_removed removed;

        five_attempts(s);
        consumer(s, CONSUMER_REGISTER, "bridge", 1);
        consumer(s, CONSUMER_REGISTER, "slow", 0);
        removed = retain(s, UINT64_MAX, 0);
        assert_int_equal(removed.n, 0);
        assert_int_equal(removed.kept_for_consumers, 3);
        consumer(s, CONSUMER_UNREGISTER, "slow", 0);
        removed = retain(s, UINT64_MAX, 0);
        assert_int_equal(removed.n, 1);
        assert_int_equal(removed.kept_for_consumers, 2);
        consumer(s, CONSUMER_ACKNOWLEDGE, "bridge", 4);
        assert_int_equal(retain(s, UINT64_MAX, 0).n, 2);
        assert_int_equal(retain(s, UINT64_MAX, 0).n, 0);
}

static void test_date_that_nobody_vouches_for_makes_no_row_old(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), end = ended(VERDICT_FLASHED, 1000);

        station_start(s, BOOT, NOON);
        record.clock_synchronized = false; /* in 1970 */
        closed_attempt(s, &record, &end);
        closed_attempt(s, &record, &end);
        record.clock_synchronized = true;
        end.end_realtime_usec = NOON;
        closed_attempt(s, &record, &end);
        assert_int_equal(retain(s, NOON - HOUR_USEC, 0).n, 0);
        closed_attempt(s, &record, &end);
        assert_int_equal(retain(s, NOON + 1, 0).n, 3); /* as old as the dated one that came after them */
}

/* ---- an older ledger ---- */

/* The first schema, as it was released. */
static const char schema_1[] =
        "CREATE TABLE attempt (id INTEGER PRIMARY KEY AUTOINCREMENT, sequence INTEGER UNIQUE, job TEXT NOT "
        "NULL,"
        " attempt INTEGER NOT NULL, slot TEXT NOT NULL, port TEXT, path TEXT, chip TEXT, mac TEXT, policy "
        "TEXT,"
        " image_path TEXT, image_name TEXT, image_version TEXT, image_sha256 TEXT, boot_id TEXT NOT NULL,"
        " clock_synchronized INTEGER NOT NULL, start_realtime_usec INTEGER NOT NULL, end_realtime_usec "
        "INTEGER,"
        " duration_usec INTEGER, bytes INTEGER, transfers INTEGER, verdict TEXT NOT NULL DEFAULT 'none',"
        " final INTEGER NOT NULL DEFAULT 0, message TEXT,"
        " CHECK ((sequence IS NULL) = (end_realtime_usec IS NULL)), CHECK ((sequence IS NULL) = (verdict = "
        "'none'))"
        ") STRICT;"
        "CREATE INDEX attempt_left_open ON attempt (id) WHERE sequence IS NULL;"
        "CREATE INDEX attempt_by_slot ON attempt (slot, id);"
        "CREATE INDEX attempt_by_mac ON attempt (mac, id) WHERE mac IS NOT NULL;"
        "CREATE INDEX attempt_by_end ON attempt (end_realtime_usec, sequence, verdict, final, attempt)"
        " WHERE sequence IS NOT NULL;"
        "CREATE TABLE presence (path TEXT PRIMARY KEY NOT NULL, boot_id TEXT NOT NULL, devnum INTEGER NOT "
        "NULL,"
        " initialized_usec INTEGER NOT NULL, verdict TEXT NOT NULL, message TEXT) STRICT, WITHOUT ROWID;"
        "PRAGMA application_id = 1163084870; PRAGMA user_version = 1;"
        "INSERT INTO attempt VALUES (1, 1, 'j1', 1, 'A1', '1-4.1', NULL, 'esp32s2', NULL, 'gizmo', "
        "'/srv/g.bin',"
        " 'gizmo', '1.4.2', '6192', 'b', 1, 1700000000000000, 1700000004000000, 4000000, 262144, 64, "
        "'flashed', 1,"
        " NULL);"
        "INSERT INTO attempt (id, job, attempt, slot, boot_id, clock_synchronized, start_realtime_usec)"
        " VALUES (2, 'j2', 1, 'A2', 'b', 1, 1700000005000000);"
        "INSERT INTO presence VALUES ('pci-0000:00:14.0-usb-0:4.1', '" BOOT "', 7, 1111, 'flashed', NULL);";

static void test_ledger_of_the_first_espdfu_is_brought_up_to_date(void **state)
{
        struct station *s = *state;
        struct attempt_record *rows;
        sqlite3 *db = NULL;
        size_t n;

        assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, schema_1, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        station_start(s, BOOT, NOON);
        assert_true(on_disk(s, "PRAGMA user_version") >= 2);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_FLASHED);
        assert_int_equal(read_history(s, &(struct history_filter){ 0 }, NULL, 10, &rows, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(rows[0].verdict, VERDICT_INTERRUPTED);
        assert_int_equal(rows[0].sequence, 2);
        assert_string_equal(rows[1].image_version, "1.4.2");
        assert_int_equal(rows[1].bytes, 262144);
        assert_null(rows[1].station);
        assert_null(rows[1].dfu_status);
        assert_int_equal(rows[1].verifying_usec, 0);
        attempts_free(rows, n);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, NULL);
        assert_int_equal(on_disk(s, "SELECT max(sequence) FROM attempt"), 3);
        assert_int_equal(on_disk(s, "SELECT removed FROM retention"), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                STATION_TEST(test_history_by_each_filter),
                STATION_TEST(test_port_keeps_its_attempts_under_whatever_name),
                STATION_TEST(test_history_since_and_until),
                STATION_TEST(test_clock_that_was_set_back_hides_no_attempt),
                STATION_TEST(test_row_has_how_long_and_why),
                STATION_TEST(test_figures_are_those_of_the_filter),
                STATION_TEST(test_who_leaves_is_not_told),
                STATION_TEST(test_consumer_goes_on_where_it_was),
                STATION_TEST(test_consumers_are_bounded_in_number),
                STATION_TEST(test_a_consumers_user_is_known_to_the_next_daemon_too),
                STATION_TEST(test_a_consumer_that_has_had_none_for_a_day_lags),
                STATION_TEST(test_a_consumer_that_is_ten_thousand_behind_lags),
                STATION_TEST(test_a_ledger_has_an_id_for_ever_and_another_one_another),
                STATION_TEST(test_rows_go_by_age_and_the_rest_has_no_gaps),
                STATION_TEST(test_last_number_stays_and_numbers_never_begin_anew),
                STATION_TEST(test_rows_above_the_limit_go_in_groups),
                STATION_TEST(test_what_a_consumer_has_not_had_stays),
                STATION_TEST(test_date_that_nobody_vouches_for_makes_no_row_old),
                STATION_TEST(test_ledger_of_the_first_espdfu_is_brought_up_to_date),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
