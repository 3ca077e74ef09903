/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the ledger promises while all is well: rows, order, presences, history, figures. */
#include "daemon/ledger-data.h"
#include "tests/daemon/ledger-station.h"

#include <sched.h>

/* ---- rows ---- */

static void test_row_is_on_disk_and_open_when_the_callback_runs(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        struct answer answer = { 0 };

        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
        end.mac = record.mac;
        record.mac = NULL;
        try_close(s, open_attempt(s, &record), &end, NULL);
        assert_string_equal(last_at(s, "4.1")->mac, "7c:df:a1:0b:00:12");
}

static void test_row_is_closed_once(void **state)
{
        struct station *s = *state;
        struct attempt_record again = ended(VERDICT_CANCELLED, NOON);
        int64_t id;

        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
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
        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
        record.mac = mac;
        open_attempt(s, &record);
        assert_int_equal(read_history(s, &(struct history_filter){ .mac = mac }, NULL, 10, &rows, &n), 0);
        assert_int_equal(n, 1);
        assert_string_equal(rows[0].mac, mac);
        attempts_free(rows, n);
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

        station_start(s, BOOT, NOON);
        answers_taken = 0;
        disk = hold_disk(s);
        for (int i = 0; i < N; i++)
                assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &opened[i]), 0);
        /* Ids are given in order, so the closes can be ordered behind the opens. */
        for (int i = 0; i < N; i++)
                assert_int_equal(ledger_attempt_close(s->ledger, i + 1, &end, NULL, take_answer, &closed[i]),
                                 0);
        assert_int_equal(answers_taken, 0);
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

        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
        assert_int_equal(ledger_attempt_open(s->ledger, &record, close_from_callback, &chain), 0);
        wait_for(s, &chain.closed);
        assert_int_equal(chain.closed.sequence, 1);
}

static void test_stop_waits_for_the_disk_and_tells_nobody(void **state)
{
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1);
        struct answer answers[50] = { 0 };

        station_start(s, BOOT, NOON);
        for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
                assert_int_equal(ledger_attempt_open(s->ledger, &record, take_answer, &answers[i]), 0);
        station_stop(s);
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
        station_start(s, BOOT, NOON);
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

/* ---- presences ---- */

static void test_presence_survives_a_restart_of_the_daemon(void **state)
{
        struct station *s = *state;
        const char *message;

        station_start(s, BOOT, NOON);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_NONE);
        attempt(s, slot_a1, 3, VERDICT_BOARD_LEFT, NOON, &presence_a);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_BOARD_LEFT);
        station_restart(s);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, &message), VERDICT_BOARD_LEFT);
        assert_string_equal(message, "board left at 24 kB");
        assert_true(last_at(s, "4.1")->final);
}

static void test_presence_that_is_forgotten_has_no_verdict_after_a_restart_either(void **state)
{
        struct station *s = *state;
        struct presence_key other = presence_a;
        struct answer answer = { 0 };

        station_start(s, BOOT, NOON);
        attempt(s, slot_a1, 3, VERDICT_BOARD_ERROR, NOON, &presence_a);
        other.devnum++;
        assert_int_equal(ledger_presence_forget(s->ledger, &other, take_answer, &answer), 0);
        wait_for(s, &answer);
        assert_int_equal(answer.r, 0);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_BOARD_ERROR);
        answer = (struct answer){ 0 };
        assert_int_equal(ledger_presence_forget(s->ledger, &presence_a, take_answer, &answer), 0);
        wait_for(s, &answer);
        assert_int_equal(answer.r, 0);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM presence"), 0);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_NONE);
        station_restart(s);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_NONE);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_FLASHED);
}

/* Of a board that a person ordered to be flashed: what is to be, until there is a verdict. */
static void test_note_stands_for_a_presence_until_its_verdict_and_outlives_the_daemon(void **state)
{
        struct presence_key other_stay = presence_a, by_board = presence_a;
        struct presence_note note = { .verdict = VERDICT_INTERRUPTED, .message = "gone" }, found;
        struct station *s = *state;
        struct answer answer = { 0 };

        station_start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a);
        assert_false(ledger_presence_noted(s->ledger, &presence_a, &found));
        by_board.board = "303a:0009 7c:df:a1:0b:00:12";
        note.key = by_board;
        assert_int_equal(ledger_presence_put(s->ledger, &note, take_answer, &answer), 0);
        wait_for(s, &answer);
        assert_int_equal(answer.r, 0);
        station_restart(s);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_INTERRUPTED);
        other_stay.devnum++; /* whichever it is: who asks looks at the key */
        assert_true(ledger_presence_noted(s->ledger, &other_stay, &found));
        assert_int_equal(found.key.devnum, presence_a.devnum);
        assert_string_equal(found.key.board, "303a:0009 7c:df:a1:0b:00:12");
        assert_string_equal(found.message, "gone");
        other_stay.path = "pci-0000:00:14.0-usb-0:4.2";
        assert_false(ledger_presence_noted(s->ledger, &other_stay, &found));
        other_stay = presence_a;
        other_stay.boot_id = NEXT_BOOT;
        assert_false(ledger_presence_noted(s->ledger, &other_stay, &found));
        attempt(s, slot_a1, 2, VERDICT_FLASHED, NOON, &presence_a);
        assert_false(ledger_presence_noted(s->ledger, &presence_a, &found));
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_FLASHED);
}

static void test_attempt_notes_its_presence_in_the_commit_that_opens_its_row(void **state)
{
        const struct presence_note note = { .key = presence_a, .verdict = VERDICT_NONE };
        struct attempt_record record = { .job = (char *)"job",
                                         .attempt = 1,
                                         .slot = (char *)"A1",
                                         .boot_id = (char *)BOOT,
                                         .start_realtime_usec = NOON };
        struct station *s = *state;
        struct answer answer = { 0 };
        struct presence_note found;

        station_start(s, BOOT, NOON);
        assert_int_equal(ledger_attempt_open_with_data(s->ledger, &record, NULL, &note, take_answer, &answer),
                         0);
        wait_for(s, &answer);
        assert_int_equal(answer.r, 0);
        assert_true(ledger_presence_noted(s->ledger, &presence_a, &found));
        assert_int_equal(on_disk(s, "SELECT count(*) FROM presence WHERE verdict = 'none'"), 1);
        station_restart(s);
        assert_true(ledger_presence_noted(s->ledger, &presence_a, &found));
        assert_int_equal(found.verdict, VERDICT_NONE);
        assert_null(found.message);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_NONE); /* no verdict */
}

static void test_presence_ends_with_a_replug_another_port_or_another_boot(void **state)
{
        struct station *s = *state;
        struct presence_key other;

        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a);
        station_stop(s);
        station_start(s, NEXT_BOOT, NOON);
        assert_int_equal(ledger_presence(s->ledger, &presence_a, NULL), VERDICT_NONE);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM presence"), 0);
        assert_int_equal(on_disk(s, "SELECT count(*) FROM attempt"), 1);
}

/* On this port an S2 was flashed and reset, 5 s after it had come. */
static void flash_and_reset(struct station *s)
{
        struct presence_key presence = presence_a;

        presence.reset_usec = presence_a.initialized_usec + 5 * USEC_PER_SEC;
        presence.board = "303a:0002";
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence);
}

static bool is_return(struct station *s, const char *board, uint64_t usec_after_reset)
{
        struct presence_key presence = presence_a;

        presence.devnum++;
        presence.initialized_usec += 5 * USEC_PER_SEC + usec_after_reset;
        presence.board = board;
        return ledger_presence_was_reset(s->ledger, &presence, 10 * USEC_PER_SEC);
}

static void test_return_after_a_reset_is_known_also_to_the_next_daemon(void **state)
{
        struct station *s = *state;

        station_start(s, BOOT, NOON);
        flash_and_reset(s);
        for (unsigned i = 0; i < 2; i++) {
                assert_true(is_return(s, "303a:0002", 0));
                assert_true(is_return(s, "303a:0002", 10 * USEC_PER_SEC));
                assert_false(is_return(s, "303a:0002", 10 * USEC_PER_SEC + 1));
                assert_false(is_return(s, "303a:0009 7c:df:a1:0b:00:12", 0));
                assert_false(is_return(s, NULL, 0));
                station_restart(s);
        }
}

static void test_board_that_was_not_reset_has_no_return(void **state)
{
        struct station *s = *state;

        station_start(s, BOOT, NOON);
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a);
        assert_false(is_return(s, "303a:0002", 0));
        flash_and_reset(s);
        assert_true(is_return(s, "303a:0002", 0));
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &presence_a); /* the next policy says after = stay */
        assert_false(is_return(s, "303a:0002", 0));
        station_stop(s);
        station_start(s, NEXT_BOOT, NOON);
        assert_false(is_return(s, "303a:0002", 0));
}

static void test_late_verdict_of_a_gone_board_does_not_cover_the_next(void **state)
{
        struct station *s = *state;
        struct presence_key next = presence_a;

        station_start(s, BOOT, NOON);
        next.devnum++;
        next.initialized_usec += 1000;
        attempt(s, slot_a1, 1, VERDICT_FLASHED, NOON, &next);
        attempt(s, slot_a1, 1, VERDICT_ENGINE_FAILED, NOON, &presence_a);
        assert_int_equal(ledger_presence(s->ledger, &next, NULL), VERDICT_FLASHED);
        station_restart(s);
        assert_int_equal(ledger_presence(s->ledger, &next, NULL), VERDICT_FLASHED);
}

/* ---- what is read ---- */

static void test_last_attempt_of_each_slot_survives_a_restart(void **state)
{
        struct station *s = *state;

        station_start(s, BOOT, NOON);
        assert_null(last_at(s, "4.1"));
        attempt(s, slot_a1, 1, VERDICT_STALLED, NOON, NULL);
        attempt(s, slot_a2, 1, VERDICT_VERIFY_FAILED, NOON, NULL);
        attempt(s, slot_a1, 2, VERDICT_FLASHED, NOON, NULL);
        for (int i = 0; i < 2; i++) {
                const struct attempt_record *last = last_at(s, "4.1");

                assert_int_equal(last->verdict, VERDICT_FLASHED);
                assert_int_equal(last->attempt, 2);
                assert_int_equal(last->sequence, 3);
                assert_string_equal(last->image_version, "1.4.2");
                assert_int_equal(last_at(s, "4.2")->verdict, VERDICT_VERIFY_FAILED);
                station_restart(s);
        }
}

static void test_history_comes_in_pages_newest_first(void **state)
{
        struct station *s = *state;
        struct attempt_record *rows;
        struct history_at at = { 0 };
        int64_t expected = 25;
        size_t n;

        station_start(s, BOOT, NOON);
        for (int i = 0; i < 25; i++)
                attempt(s, i % 5 ? slot_a1 : slot_a2, 1, VERDICT_FLASHED, NOON, NULL);
        do {
                assert_int_equal(read_history(s, &(struct history_filter){ 0 }, &at, 10, &rows, &n), 0);
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(rows[i].id, expected--);
                attempts_free(rows, n);
        } while (n > 0);
        assert_int_equal(expected, 0);

        assert_int_equal(read_history(s, &(struct history_filter){ .slot = slot_a2 }, NULL, 1000, &rows, &n),
                         0);
        assert_int_equal(n, 5);
        assert_string_equal(rows[0].slot, "A2");
        assert_int_equal(rows[0].id, 21);
        attempts_free(rows, n);
}

static void test_history_filters_by_slot_and_mac(void **state)
{
        static char mac[] = "7c:df:a1:0b:00:40", slot_a3[] = "A3";
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), *rows;
        size_t n;

        station_start(s, BOOT, NOON);
        open_attempt(s, &record);
        record.mac = mac;
        open_attempt(s, &record);
        record.slot = slot_a2;
        open_attempt(s, &record);
        assert_int_equal(read_history(s, &(struct history_filter){ .mac = mac }, NULL, 10, &rows, &n), 0);
        assert_int_equal(n, 2);
        attempts_free(rows, n);
        assert_int_equal(
                read_history(s, &(struct history_filter){ .slot = slot_a2, .mac = mac }, NULL, 10, &rows, &n),
                0);
        assert_int_equal(n, 1);
        assert_int_equal(rows[0].id, 3);
        assert_int_equal(rows[0].sequence, 0);
        assert_int_equal(rows[0].verdict, VERDICT_NONE);
        assert_int_equal(rows[0].end_realtime_usec, 0);
        attempts_free(rows, n);
        assert_int_equal(read_history(s, &(struct history_filter){ .slot = slot_a3 }, NULL, 10, &rows, &n),
                         0);
        assert_int_equal(n, 0);
        attempts_free(rows, n);
        assert_int_equal(read_history(s, &(struct history_filter){ 0 }, NULL, 0, &rows, &n), -EINVAL);
        assert_int_equal(
                read_history(s, &(struct history_filter){ 0 }, NULL, LEDGER_HISTORY_MAX + 1, &rows, &n),
                -EINVAL);
}

static void test_board_has_the_image_until_something_else_was_written(void **state)
{
        static const char mac[] = "7c:df:a1:0b:00:12";
        struct station *s = *state;
        struct attempt_record record = board_on(slot_a1), untouched = ended(VERDICT_NO_ACCESS, NOON);

        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
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
        station_restart(s);
        assert_counts(s, NOON, 2, 1, 1, 2);
}

static void test_counts_begin_anew_at_midnight_and_the_hour_goes_on(void **state)
{
        const uint64_t midnight = NOON + 12 * HOUR_USEC;
        struct station *s = *state;

        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
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
        /* Europe/Berlin without its file: 2024-03-31 begins at 23:00 UTC the day before and ends at 22:00
         * UTC. */
        const uint64_t begin = UINT64_C(1711839600) * USEC_PER_SEC, end = begin + 23 * HOUR_USEC;
        struct station *s = *state;

        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        station_start(s, BOOT, NOON);
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

        station_start(s, BOOT, NOON);
        id = open_attempt(s, &record);
        assert_int_equal(ledger_attempt_close(s->ledger, id, &end, &presence_a, take_answer, &answer), 0);
        while (on_disk(s, "SELECT count(*) FROM attempt WHERE verdict = 'flashed'") == 0)
                sched_yield();
        assert_counts(s, NOON, 0, 0, 0, 0);
        wait_for(s, &answer);
        assert_counts(s, NOON, 1, 0, 1, 1);
}

/* ---- the clocks ---- */

int main(void)
{
        const struct CMUnitTest tests[] = {
                STATION_TEST(test_row_is_on_disk_and_open_when_the_callback_runs),
                STATION_TEST(test_closed_row_has_its_verdict_and_number_when_the_callback_runs),
                STATION_TEST(test_mac_that_is_learnt_late_is_added_by_the_close),
                STATION_TEST(test_row_is_closed_once),
                STATION_TEST(test_orders_without_what_they_need_are_refused_at_once),
                STATION_TEST(test_endless_text_from_a_board_is_cut_between_characters),
                STATION_TEST(test_text_from_a_board_is_never_sql),
                STATION_TEST(test_two_hundred_orders_keep_their_order_in_few_commits),
                STATION_TEST(test_loop_goes_on_while_the_disk_is_slow_and_nobody_is_told_early),
                STATION_TEST(test_forgotten_order_is_not_told_and_its_row_is_not_left_open),
                STATION_TEST(test_callback_may_order_the_next_step),
                STATION_TEST(test_stop_waits_for_the_disk_and_tells_nobody),
                STATION_TEST(test_orders_without_bound_are_refused),
                STATION_TEST(test_presence_survives_a_restart_of_the_daemon),
                STATION_TEST(test_presence_that_is_forgotten_has_no_verdict_after_a_restart_either),
                STATION_TEST(test_return_after_a_reset_is_known_also_to_the_next_daemon),
                STATION_TEST(test_board_that_was_not_reset_has_no_return),
                STATION_TEST(test_note_stands_for_a_presence_until_its_verdict_and_outlives_the_daemon),
                STATION_TEST(test_attempt_notes_its_presence_in_the_commit_that_opens_its_row),
                STATION_TEST(test_presence_ends_with_a_replug_another_port_or_another_boot),
                STATION_TEST(test_presences_of_older_boots_are_dropped),
                STATION_TEST(test_late_verdict_of_a_gone_board_does_not_cover_the_next),
                STATION_TEST(test_last_attempt_of_each_slot_survives_a_restart),
                STATION_TEST(test_history_comes_in_pages_newest_first),
                STATION_TEST(test_history_filters_by_slot_and_mac),
                STATION_TEST(test_board_has_the_image_until_something_else_was_written),
                STATION_TEST(test_counts_follow_each_verdict_and_survive_a_restart),
                STATION_TEST(test_counts_begin_anew_at_midnight_and_the_hour_goes_on),
                STATION_TEST(test_counts_are_right_after_the_clock_was_set),
                STATION_TEST(test_midnight_is_local_and_a_day_may_have_23_hours),
                STATION_TEST(test_verdict_on_disk_that_was_not_told_yet_is_counted_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
