/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replies that go on: watching and history, with readers that keep up, sleep or leave. */
#include "tests/daemon/peers.h"

#include <sys/socket.h>

/* ---- watching ---- */

static void test_a_phase_is_told_at_once_and_every_phase_is_told(void **state)
{
        static const enum phase phases[] = { PHASE_VERIFYING, PHASE_FLASHED, PHASE_EMPTY };
        struct client *c = watch();
        json_t *change;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
                fake_station_slot(&w.station, "A1")->phase = phases[i];
                server_slot_changed(w.server, "A1", true);
        }
        for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
                change = expect_reply(c);
                assert_true(c->reply.continues);
                assert_false(json_is_true(json_object_get(change, "whole")));
                assert_true(json_is_null(json_object_get(change, "policies")));
                assert_int_equal(n_of(change, "slots"), 1);
                assert_string_equal(slot_name(change, 0), "A1");
                assert_string_equal(slot_phase(change, 0), phase_to_string(phases[i]));
        }
        expect_idle();
        hang_up(c);
}

static void test_progress_is_gathered(void **state)
{
        struct client *c = watch(), *d = watch();
        json_t *change;

        (void)state;
        for (uint64_t bytes = 1; bytes <= 1000; bytes++) {
                fake_station_slot(&w.station, "A1")->bytes_done = bytes;
                server_slot_changed(w.server, "A1", false);
                fake_station_slot(&w.station, "A2")->bytes_done = 2 * bytes;
                server_slot_changed(w.server, "A2", false);
        }
        assert_false(take_reply(c));
        change = expect_reply(c);
        assert_int_equal(n_of(change, "slots"), 2);
        assert_int_equal(slot_bytes(change, 0), 1000);
        assert_int_equal(slot_bytes(change, 1), 2000);
        assert_int_equal(n_of(expect_reply(d), "slots"), 2);
        expect_idle();
        assert_false(take_reply(c));
        hang_up(c);
        hang_up(d);
}

static void test_progress_is_told_ten_times_a_second_at_most(void **state)
{
        struct client *c = watch();
        uint64_t begin = now_usec(), elapsed = 0;
        unsigned n = 0;

        (void)state;
        while (elapsed < 10 * SERVER_PROGRESS_USEC) {
                fake_station_slot(&w.station, "A1")->bytes_done++;
                server_slot_changed(w.server, "A1", false);
                sd_event_run(w.event, USEC_PER_MSEC);
                n += take_reply(c);
                elapsed = now_usec() - begin;
        }
        /* The loop's clock stands still within a round, so a tick may be a little short. */
        assert_in_range(n, 1, elapsed / (SERVER_PROGRESS_USEC * 9 / 10) + 1);
        hang_up(c);
}

static void test_a_slot_that_is_no_more_is_told(void **state)
{
        struct client *c = watch();
        json_t *change;

        (void)state;
        server_slot_changed(w.server, "A3", false);
        fake_station_remove(&w.station, "A3");
        server_slot_changed(w.server, "A3", true);
        change = expect_reply(c);
        assert_int_equal(n_of(change, "slots"), 0);
        assert_string_equal(json_string_value(json_array_get(json_object_get(change, "gone"), 0)), "A3");
        hang_up(c);
}

static void test_after_a_reload_the_whole_station_is_told(void **state)
{
        struct client *c = watch();
        json_t *change;

        (void)state;
        w.station.n_policies = 1;
        server_changed(w.server);
        change = expect_reply(c);
        assert_true(json_is_true(json_object_get(change, "whole")));
        assert_int_equal(n_of(change, "policies"), 1);
        assert_int_equal(n_of(change, "slots"), 5);
        hang_up(c);
}

static void test_nobody_watches_and_nothing_wakes(void **state)
{
        struct client *c;

        (void)state;
        server_slot_changed(w.server, "A1", false);
        server_slot_changed(w.server, "A1", true);
        server_changed(w.server);
        expect_idle();
        c = watch();
        expect_idle();
        assert_false(take_reply(c));
        hang_up(c);
        expect_idle();
}

static void test_a_watcher_with_one_ear_closed_does_not_spin_the_loop(void **state)
{
        struct client *c = watch();

        (void)state;
        shutdown(c->fd, SHUT_WR);
        expect_idle();
        server_slot_changed(w.server, "A1", true);
        assert_string_equal(slot_name(expect_reply(c), 0), "A1");
        hang_up(c);
        assert_int_equal(server_n_connections(w.server), 0);
}

static void test_a_reader_who_sleeps_misses_progress_but_stays(void **state)
{
        struct client *c;
        json_t *change = NULL;

        (void)state;
        fake_station_many(&w.station, 120);
        c = watch();
        for (uint64_t bytes = 1; bytes <= 40; bytes++) {
                uint64_t until = now_usec() + SERVER_PROGRESS_USEC + 20 * USEC_PER_MSEC;

                for (size_t i = 0; i < 120; i++) {
                        w.station.slots[i].bytes_done = bytes;
                        server_slot_changed(w.server, w.station.slots[i].slot, false);
                }
                while (bytes <= 8 && now_usec() < until) /* 8 ticks are over a socket's buffer */
                        sd_event_run(w.event, 10 * USEC_PER_MSEC);
        }
        assert_int_equal(server_n_connections(w.server), 1);
        for (unsigned n = 0; !change || slot_bytes(change, 0) < 40; n++) {
                change = expect_reply(c);
                assert_true(n < 12);
        }
        expect_idle();
        hang_up(c);
}

static void test_a_reader_who_would_miss_a_phase_is_disconnected(void **state)
{
        struct client *sleeper = watch(), *awake = watch();
        size_t told = 0; /* bytes */

        (void)state;
        while (told < 4 * SERVER_UNSENT_MAX && server_n_connections(w.server) == 2) {
                server_slot_changed(w.server, "A1", true);
                assert_string_equal(slot_name(expect_reply(awake), 0), "A1");
                told += json_dumpb(awake->reply.message, NULL, 0, JSON_COMPACT);
                settle();
        }
        assert_int_equal(server_n_connections(w.server), 1);
        assert_true(told > SERVER_UNSENT_MAX);
        expect_hang_up(sleeper);
        server_slot_changed(w.server, "A2", true);
        assert_string_equal(slot_name(expect_reply(awake), 0), "A2");
        hang_up(sleeper);
        hang_up(awake);
}

/* ---- history ---- */

static void test_history_is_read_as_its_reader_drains_it(void **state)
{
        struct client *c = connect_client();
        json_int_t expected = 5000;
        unsigned asked;

        (void)state;
        w.station.n_attempts = 5000;
        call_method(c, STATION "History", NULL, true);
        settle();
        asked = w.station.n_history;
        assert_true(asked < 50); /* of 100 pages: the reader has not read */
        do {
                json_t *attempts = json_object_get(expect_reply(c), "attempts");

                for (size_t i = 0; i < json_array_size(attempts); i++, expected--)
                        assert_int_equal(
                                json_integer_value(json_object_get(json_array_get(attempts, i), "id")),
                                expected);
        } while (c->reply.continues);
        assert_int_equal(expected, 0);
        hang_up(c);
}

static void test_history_without_more_is_bounded_and_filtered(void **state)
{
        struct client *c = connect_client();
        json_t *attempts;

        (void)state;
        call_method(c, STATION "History", NULL, false);
        assert_int_equal(n_of(expect_reply(c), "attempts"), 100);
        assert_false(c->reply.continues);
        call_method(c, STATION "History", json_pack("{s:s, s:i}", "slot", "A2", "limit", 3), false);
        attempts = json_object_get(expect_reply(c), "attempts");
        assert_int_equal(json_array_size(attempts), 3);
        assert_string_equal(json_string_value(json_object_get(json_array_get(attempts, 0), "slot")), "A2");
        call_method(c, STATION "History", json_pack("{s:s}", "mac", "00:00:00:00:00:00"), true);
        assert_int_equal(n_of(expect_reply(c), "attempts"), 0);
        assert_false(c->reply.continues);
        hang_up(c);
}

static void test_a_reader_who_leaves_in_the_middle_is_forgotten(void **state)
{
        struct client *c = connect_client();

        (void)state;
        w.station.n_attempts = 5000;
        call_method(c, STATION "History", NULL, true);
        expect_reply(c);
        hang_up(c);
        expect_idle();
        assert_int_equal(server_n_connections(w.server), 0);
}

static void test_who_calls_and_never_reads_holds_little(void **state)
{
        struct client *c = connect_client();
        unsigned sent = 0;
        static const char text[] = "{\"method\":\"" STATION "Status\"}";

        (void)state;
        fake_station_many(&w.station, 120);
        /* Until neither side takes any more: the server stops reading while its answer waits. */
        while (send(c->fd, text, sizeof(text), MSG_NOSIGNAL) == (ssize_t)sizeof(text)) {
                settle();
                assert_true(++sent < 100000);
        }
        settle();
        assert_int_equal(server_n_connections(w.server), 1);
        expect_idle();
        hang_up(c);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_a_phase_is_told_at_once_and_every_phase_is_told),
                TEST(test_progress_is_gathered),
                TEST(test_progress_is_told_ten_times_a_second_at_most),
                TEST(test_a_slot_that_is_no_more_is_told),
                TEST(test_after_a_reload_the_whole_station_is_told),
                TEST(test_nobody_watches_and_nothing_wakes),
                TEST(test_a_watcher_with_one_ear_closed_does_not_spin_the_loop),
                TEST(test_a_reader_who_sleeps_misses_progress_but_stays),
                TEST(test_a_reader_who_would_miss_a_phase_is_disconnected),
                TEST(test_history_is_read_as_its_reader_drains_it),
                TEST(test_history_without_more_is_bounded_and_filtered),
                TEST(test_a_reader_who_leaves_in_the_middle_is_forgotten),
                TEST(test_who_calls_and_never_reads_holds_little),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
