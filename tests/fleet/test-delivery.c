/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which records are sent, and which are delivered: single stories, and random walks against a station that records and removes,
 * a network that loses, doubles and reorders, a broker that forgets, a bridge that dies, and a store that is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fleet/delivery.h"

#define ID     "0123456789abcdef0123456789abcdef"
#define OTHER  "fedcba9876543210fedcba9876543210"
#define WINDOW 8
#define AGAIN  (30 * USEC_PER_SEC)

/* ---- single stories ---- */

static struct delivery d;
static uint64_t now;

static void begin(int64_t last)
{
        now = 1000;
        delivery_init(&d, WINDOW, AGAIN);
        assert_int_equal(delivery_station_up(&d, ID, 0, last), 0);
        delivery_broker_up(&d);
}

/* A page is wanted, of what is behind this number. */
static void expect_asked(int64_t after, unsigned limit)
{
        int64_t asked = -1;
        unsigned n = 0;

        assert_true(delivery_wants_page(&d, &asked, &n));
        assert_int_equal(asked, after);
        assert_int_equal(n, limit);
}

static void expect_nothing_asked(void)
{
        int64_t asked;
        unsigned n;

        assert_false(delivery_wants_page(&d, &asked, &n));
}

/* It is published, behind that one. */
static void expect_sent(int64_t sequence, int64_t previous, bool gap)
{
        int64_t told = -1;
        bool told_gap = !gap;

        assert_true(delivery_record(&d, sequence, now, &told, &told_gap));
        assert_int_equal(told, previous);
        assert_int_equal(told_gap, gap);
}

static bool hear(int64_t sequence, bool retained)
{
        const struct delivered delivered = { ID, sequence };

        return delivery_delivered(&d, &delivered, retained, now);
}

static void send_all(int64_t from, int64_t upto)
{
        expect_asked(from - 1, (unsigned)(WINDOW - (from - 1 - d.cursor.sequence)));
        for (int64_t i = from; i <= upto; i++)
                expect_sent(i, i - 1, false);
        delivery_page_over(&d, (int)(upto - from + 1));
}

static void test_no_more_than_the_window_is_on_its_way(void **state)
{
        (void)state;
        begin(100);
        send_all(1, WINDOW);
        expect_nothing_asked();
        assert_true(hear(3, false));
        send_all(WINDOW + 1, WINDOW + 3);
        expect_nothing_asked();
        assert_int_equal(delivery_backlog(&d), 97);
}

static void test_what_is_not_delivered_is_sent_again_ever_less_often(void **state)
{
        uint64_t waits[] = { AGAIN, 2 * AGAIN, 4 * AGAIN, 4 * AGAIN };

        (void)state;
        begin(2);
        for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
                send_all(1, 2);
                expect_nothing_asked();
                assert_true(delivery_deadline(&d) == now + waits[i]);
                now = delivery_deadline(&d);
                assert_false(delivery_time(&d, now));
        }
        send_all(1, 2);
        assert_true(hear(1, false)); /* the collector is back: the waits begin anew */
        assert_true(delivery_deadline(&d) == now + AGAIN);
        assert_true(hear(2, false));
        assert_true(delivery_deadline(&d) == USEC_INFINITY);
}

static void test_a_broker_that_was_away_gets_all_again_from_the_cursor(void **state)
{
        (void)state;
        begin(6);
        send_all(1, 6);
        assert_true(hear(2, false));
        delivery_broker_down(&d);
        expect_nothing_asked();
        delivery_broker_up(&d);
        send_all(3, 6);
}

static void test_a_page_of_before_is_not_published_into_what_came_after(void **state)
{
        int64_t previous;
        bool gap;

        (void)state;
        begin(6);
        send_all(1, 3);
        expect_asked(3, WINDOW - 3);
        delivery_broker_down(&d);
        delivery_broker_up(&d);
        assert_false(delivery_record(&d, 4, now, &previous, &gap));
        delivery_page_over(&d, 1);
        send_all(1, 6);
}

static void test_the_first_that_is_left_is_a_beginning_and_a_hole_is_told(void **state)
{
        (void)state;
        begin(20);
        expect_asked(0, WINDOW);
        expect_sent(5, 0, false); /* 1 to 4 are no more: it begins with this one */
        expect_sent(6, 5, false);
        expect_sent(9, 6, true);
        delivery_page_over(&d, 3);
        assert_true(hear(9, false));
        assert_int_equal(d.cursor.sequence, 9);
}

static void test_a_bridge_goes_on_where_it_was(void **state)
{
        const struct delivered cursor = { ID, 41 };

        (void)state;
        now = 1000;
        delivery_init(&d, WINDOW, AGAIN);
        delivery_resume(&d, &cursor);
        assert_int_equal(delivery_station_up(&d, ID, 0, 43), 0);
        expect_nothing_asked(); /* not without a broker */
        delivery_broker_up(&d);
        send_all(42, 43);
}

static void test_another_ledger_begins_at_its_beginning(void **state)
{
        const struct delivered cursor = { OTHER, 41 };

        (void)state;
        now = 1000;
        delivery_init(&d, WINDOW, AGAIN);
        delivery_resume(&d, &cursor);
        assert_int_equal(delivery_station_up(&d, ID, 0, 3), DELIVERY_OTHER_LEDGER);
        delivery_broker_up(&d);
        send_all(1, 3);
        assert_false(delivery_delivered(&d, &cursor, true, now)); /* the broker's word of the old one */
        assert_int_equal(d.cursor.sequence, 0);
}

static void test_a_new_id_of_an_old_ledger_begins_behind_what_others_have(void **state)
{
        const struct delivered cursor = { OTHER, 1000 };

        (void)state;
        now = 1000;
        delivery_init(&d, WINDOW, AGAIN);
        delivery_resume(&d, &cursor);
        assert_int_equal(delivery_station_up(&d, ID, 900, 902), DELIVERY_OTHER_LEDGER);
        delivery_broker_up(&d);
        expect_asked(900, WINDOW);
        expect_sent(901, 0, false);
        expect_sent(902, 901, false);
        delivery_page_over(&d, 2);
        assert_false(hear(0, true)); /* a store that has nothing of it */
        assert_int_equal(d.cursor.sequence, 900);
        assert_true(hear(902, false));
}

static void test_a_ledger_that_gives_numbers_again_is_not_sent(void **state)
{
        const struct delivered cursor = { ID, 1000 };

        (void)state;
        now = 1000;
        delivery_init(&d, WINDOW, AGAIN);
        delivery_resume(&d, &cursor);
        assert_int_equal(delivery_station_up(&d, ID, 0, 900), DELIVERY_RESTORED);
        delivery_broker_up(&d);
        expect_nothing_asked();
        assert_int_equal(delivery_extent(&d, 901), DELIVERY_RESTORED);
        expect_nothing_asked();
        assert_int_equal(delivery_station_up(&d, OTHER, 901, 903), DELIVERY_OTHER_LEDGER);
        expect_asked(901, WINDOW);
}

static void test_a_lost_cursor_is_found_again_at_the_collector(void **state)
{
        (void)state;
        begin(50);
        send_all(1, WINDOW);
        assert_true(hear(50, true));
        expect_nothing_asked();
        assert_int_equal(delivery_backlog(&d), 0);
        /* And where it has more than the station has shown, the station is asked first. */
        assert_false(hear(60, true));
        assert_true(delivery_wants_extent(&d));
        assert_int_equal(delivery_extent(&d, 61), 0);
        assert_int_equal(d.cursor.sequence, 60);
        send_all(61, 61);
        assert_false(hear(70, false));
        assert_int_equal(delivery_extent(&d, 61), DELIVERY_RESTORED);
}

static void test_a_store_that_lost_some_gets_them_again(void **state)
{
        (void)state;
        begin(20);
        assert_true(hear(18, false));
        assert_false(hear(10, false)); /* perhaps a late word of another collector */
        assert_int_equal(d.cursor.sequence, 18);
        now += AGAIN / 2;
        assert_false(hear(18, false)); /* it was */
        now += AGAIN;
        assert_false(delivery_time(&d, now));
        assert_false(hear(10, false));
        now += AGAIN;
        assert_true(delivery_time(&d, now)); /* this time nobody says otherwise */
        assert_int_equal(d.cursor.sequence, 10);
        send_all(11, 18);
        assert_true(hear(5, true)); /* and what is retained is meant */
        assert_int_equal(d.cursor.sequence, 5);
}

/* Once by what is retained, and once by what is said twice. */
static void test_a_number_that_was_too_high_is_taken_back(void **state)
{
        (void)state;
        begin(20);
        assert_true(hear(5, false));
        assert_false(hear(1000, false));
        assert_int_equal(delivery_extent(&d, 20), DELIVERY_RESTORED);
        expect_nothing_asked();
        assert_false(hear(5, true));
        assert_false(d.restored);
        expect_asked(5, WINDOW);
        delivery_page_over(&d, -1);

        assert_false(hear(1000, true));
        assert_int_equal(delivery_extent(&d, 20), DELIVERY_RESTORED);
        assert_false(hear(7, false));
        assert_true(d.restored); /* a late word, perhaps */
        assert_false(hear(1000, false));
        assert_true(delivery_deadline(&d) == USEC_INFINITY); /* it was */
        assert_false(hear(7, false));
        now = delivery_deadline(&d);
        assert_true(delivery_time(&d, now));
        assert_false(d.restored);
        assert_int_equal(d.cursor.sequence, 7);
        expect_asked(7, WINDOW);
        delivery_page_over(&d, -1);
        assert_int_equal(delivery_extent(&d, 20), 0);
}

static void test_a_number_that_is_lower_and_still_too_high_is_an_older_copys(void **state)
{
        (void)state;
        begin(20);
        assert_false(hear(1000, true));
        assert_int_equal(delivery_extent(&d, 20), DELIVERY_RESTORED);
        assert_false(hear(900, true));
        assert_true(d.restored);
        assert_int_equal(delivery_extent(&d, 899), DELIVERY_RESTORED);
        assert_int_equal(delivery_extent(&d, 900), 0);
        assert_int_equal(d.cursor.sequence, 900);
}

/* The cursor's file is wrong, and the collector knows better. */
static void test_a_cursor_above_the_ledgers_end_is_put_right_by_the_collector(void **state)
{
        const struct delivered cursor = { ID, 1000 };

        (void)state;
        now = 1000;
        delivery_init(&d, WINDOW, AGAIN);
        delivery_resume(&d, &cursor);
        assert_int_equal(delivery_station_up(&d, ID, 0, 20), DELIVERY_RESTORED);
        delivery_broker_up(&d);
        assert_true(hear(12, true));
        assert_false(d.restored);
        expect_asked(12, WINDOW);
}

/* ---- random walks ---- */

#define RECORDS_MAX 200
#define WAYS_MAX    512

struct word {
        int64_t sequence, previous;
};

static struct walk {
        uint64_t random;
        int64_t first, last;       /* rows that the ledger has */
        struct delivered saved;    /* the cursor's file */
        struct word way[WAYS_MAX]; /* from the bridge to the collector */
        size_t n_way;
        int64_t back[WAYS_MAX]; /* from the collector to the bridge */
        size_t n_back;
        int64_t retained;                /* the broker's; -1: none */
        bool has[RECORDS_MAX + 1];       /* the store */
        int64_t before[RECORDS_MAX + 1]; /* the `previous` of each */
        int64_t contiguous, saved_contiguous;
        bool saved_has[RECORDS_MAX + 1]; /* a backup of the store */
        bool lossy;
        bool lies; /* somebody has said what is not so */
} w;

static uint64_t random_below(uint64_t n)
{
        w.random = w.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (w.random >> 33) % n;
}

static void save_cursor(bool moved)
{
        if (moved)
                w.saved = d.cursor;
}

static void collector_says(void)
{
        w.retained = w.contiguous;
        if (w.n_back < WAYS_MAX)
                w.back[w.n_back++] = w.contiguous;
}

static void follow_the_chain(void)
{
        bool more = true;

        while (more) {
                more = false;
                for (int64_t i = w.contiguous + 1; i <= RECORDS_MAX && !more; i++)
                        if (w.has[i] && w.before[i] == w.contiguous) {
                                w.contiguous = i;
                                more = true;
                        }
        }
}

static void collector_takes_one(size_t i)
{
        struct word word = w.way[i];

        if (!w.lossy || random_below(5) != 0) /* else it is doubled: it stays on its way */
                memmove(&w.way[i], &w.way[i + 1], (--w.n_way - i) * sizeof(w.way[0]));
        w.has[word.sequence] = true;
        w.before[word.sequence] = word.previous;
        follow_the_chain();
        collector_says();
}

static void bridge_hears_one(size_t i)
{
        const struct delivered delivered = { ID, w.back[i] };

        memmove(&w.back[i], &w.back[i + 1], (--w.n_back - i) * sizeof(w.back[0]));
        save_cursor(delivery_delivered(&d, &delivered, false, now));
}

static void broker_is_up(void)
{
        const struct delivered delivered = { ID, w.retained };

        delivery_broker_up(&d);
        if (w.retained >= 0)
                save_cursor(delivery_delivered(&d, &delivered, true, now));
}

static void bridge_starts(void)
{
        delivery_init(&d, WINDOW, AGAIN);
        delivery_resume(&d, &w.saved);
        delivery_station_up(&d, ID, 0, w.last);
        broker_is_up();
}

static void bridge_turns(void)
{
        int64_t after, previous;
        unsigned limit;
        bool gap;
        int n = 0;

        now += USEC_PER_SEC;
        save_cursor(delivery_time(&d, now));
        assert_true(delivery_extent(&d, w.last) != DELIVERY_RESTORED || w.lies);
        while (delivery_wants_page(&d, &after, &limit)) {
                n = 0;
                for (int64_t i = MAX(after + 1, w.first); i <= w.last && (unsigned)n < limit; i++, n++)
                        if (delivery_record(&d, i, now, &previous, &gap) && w.n_way < WAYS_MAX)
                                w.way[w.n_way++] = (struct word){ i, previous };
                delivery_page_over(&d, n);
        }
        assert_true(d.sent - d.cursor.sequence <= WINDOW + (w.first > 1 ? RECORDS_MAX : 0));
}

static void somebody_lies(void)
{
        const struct delivered delivered = { ID, RECORDS_MAX + 1 + (int64_t)random_below(50) };
        bool retained = random_below(2);

        w.lies = true;
        if (retained)
                w.retained = delivered.sequence;
        save_cursor(delivery_delivered(&d, &delivered, retained, now));
        if (random_below(2))
                collector_says();
}

static void something_goes_wrong(void)
{
        switch (random_below(9)) {
        case 0: /* the broker dies, and comes back with what it had on disk, or with nothing */
                w.n_way = w.n_back = 0;
                if (random_below(2))
                        w.retained = -1;
                delivery_broker_down(&d);
                broker_is_up();
                return;
        case 1: /* the connection alone */
                delivery_broker_down(&d);
                broker_is_up();
                return;
        case 2:
                bridge_starts();
                return;
        case 3:
                delivery_station_down(&d);
                delivery_station_up(&d, ID, 0, w.last);
                return;
        case 4: /* messages are lost */
                w.n_way = (size_t)random_below(w.n_way + 1);
                w.n_back = (size_t)random_below(w.n_back + 1);
                return;
        case 5: /* the cursor's file is lost */
                w.saved = (struct delivered){ 0 };
                bridge_starts();
                return;
        case 6: /* the store is put back to its backup; what the station still has is had again */
                if (w.saved_contiguous + 1 < w.first)
                        return;
                memcpy(w.has, w.saved_has, sizeof(w.has));
                w.contiguous = w.saved_contiguous;
                collector_says();
                return;
        case 7: /* somebody says a number that there is not, and the collector what is right */
                somebody_lies();
                return;
        default: /* a backup of the store; only then may the station remove what it has */
                memcpy(w.saved_has, w.has, sizeof(w.has));
                w.saved_contiguous = w.contiguous;
                if (w.saved_contiguous > 1 && w.saved_contiguous < w.last)
                        w.first = MAX(w.first, MIN(w.saved_contiguous, w.saved.sequence + 1));
        }
}

static void walk(uint64_t seed)
{
        w = (struct walk){ .random = seed, .first = 1, .retained = -1, .lossy = true };
        now = 1000;
        bridge_starts();
        for (int i = 0; i < 600; i++) {
                switch (random_below(8)) {
                case 0:
                case 1:
                        w.last = MIN(w.last + 1 + (int64_t)random_below(4), RECORDS_MAX);
                        break;
                case 2:
                case 3:
                        if (w.n_way > 0)
                                collector_takes_one(random_below(w.n_way));
                        break;
                case 4:
                case 5:
                        if (w.n_back > 0)
                                bridge_hears_one(random_below(w.n_back));
                        break;
                case 6:
                        if (random_below(3) == 0)
                                something_goes_wrong();
                        break;
                default:
                        break;
                }
                bridge_turns();
        }
        /* All is well again. */
        w.lossy = false;
        if (w.lies)
                collector_says(); /* as at its start */
        for (int i = 0; i < 4000 && (w.contiguous < w.last || d.cursor.sequence < w.last); i++) {
                if (w.n_way > 0)
                        collector_takes_one(0);
                if (w.n_back > 0)
                        bridge_hears_one(0);
                bridge_turns();
        }
        for (int64_t i = MAX(w.first, INT64_C(1)); i <= w.last; i++)
                if (!w.has[i])
                        fail_msg("seed %llu: record %lld is lost", (unsigned long long)seed, (long long)i);
        if (w.contiguous != w.last || d.cursor.sequence != w.last)
                fail_msg("seed %llu: of %lld records the collector has %lld, and the bridge knows %lld",
                         (unsigned long long)seed, (long long)w.last, (long long)w.contiguous,
                         (long long)d.cursor.sequence);
}

static void test_whatever_goes_wrong_every_record_arrives(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 2000; seed++)
                walk(seed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_more_than_the_window_is_on_its_way),
                cmocka_unit_test(test_what_is_not_delivered_is_sent_again_ever_less_often),
                cmocka_unit_test(test_a_broker_that_was_away_gets_all_again_from_the_cursor),
                cmocka_unit_test(test_a_page_of_before_is_not_published_into_what_came_after),
                cmocka_unit_test(test_the_first_that_is_left_is_a_beginning_and_a_hole_is_told),
                cmocka_unit_test(test_a_bridge_goes_on_where_it_was),
                cmocka_unit_test(test_another_ledger_begins_at_its_beginning),
                cmocka_unit_test(test_a_new_id_of_an_old_ledger_begins_behind_what_others_have),
                cmocka_unit_test(test_a_ledger_that_gives_numbers_again_is_not_sent),
                cmocka_unit_test(test_a_lost_cursor_is_found_again_at_the_collector),
                cmocka_unit_test(test_a_store_that_lost_some_gets_them_again),
                cmocka_unit_test(test_a_number_that_was_too_high_is_taken_back),
                cmocka_unit_test(test_a_number_that_is_lower_and_still_too_high_is_an_older_copys),
                cmocka_unit_test(test_a_cursor_above_the_ledgers_end_is_put_right_by_the_collector),
                cmocka_unit_test(test_whatever_goes_wrong_every_record_arrives),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
