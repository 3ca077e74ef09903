/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods that act: who may, what the station is told to do, and that the answers are what the interface says. */
#include "tests/daemon/conforming.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "core/holds.h"
#include "daemon/peer.h"

/* ---- vocabulary ---- */

static void expect_refusal(struct client *c, const char *error, const char *where)
{
        expect_refused(c, error, "where", where);
}

static void call_at(struct client *c, const char *method, const char *where)
{
        char name[96];

        snprintf(name, sizeof(name), STATION "%s", method);
        call_method(c, name, where ? json_pack("{s:s}", "where", where) : NULL, false);
}

static void expect_no_answer(struct client *c)
{
        settle();
        assert_false(take_reply(c));
}

static void slot_rests(const char *name, enum phase phase)
{
        fake_station_slot(&w.station, name)->phase = phase;
        server_slot_changed(w.server, name, true);
}

/* A user whom no system has. */
#define NOBODY_KNOWN 3999999

static struct client *connect_to_act(void)
{
        return connect_as(NOBODY_KNOWN, true);
}

/* ---- who may ---- */

static void test_who_may_only_look_orders_nothing(void **state)
{
        struct client *c = connect_as(1000, false);

        (void)state;
        call_at(c, "Cancel", "A1");
        expect_error(c, STATION "NotPermitted", "method", STATION "Cancel");
        call_at(c, "Hold", NULL);
        expect_error(c, STATION "NotPermitted", "method", STATION "Hold");
        call_at(c, "Release", "A1");
        expect_error(c, STATION "NotPermitted", "method", STATION "Release");
        call_at(c, "Retry", "A4");
        expect_error(c, STATION "NotPermitted", "method", STATION "Retry");
        assert_string_equal(w.station.ordered, "");
        hang_up(c);
}

static void test_a_person_has_a_name_or_a_number(void **state)
{
        const struct passwd *me = getpwuid(getuid());
        char name[PEER_NAME_MAX];

        (void)state;
        peer_name(getuid(), name);
        if (me)
                assert_string_equal(name, me->pw_name);
        peer_name(NOBODY_KNOWN, name);
        assert_string_equal(name, "3999999");
}

/* ---- cancel ---- */

static void test_cancel_is_answered_when_the_slot_rests(void **state)
{
        struct client *c = connect_to_act();
        json_t *slot;

        (void)state;
        w.station.cancel_takes_time = true;
        call_at(c, "Cancel", "1-4.1");
        expect_no_answer(c);
        assert_string_equal(w.station.ordered, "cancel A1 by 3999999");
        slot_rests("A2", PHASE_FLASHED); /* another one */
        slot_rests("A1", PHASE_VERIFYING);
        expect_no_answer(c);
        slot_rests("A1", PHASE_CANCELLED);
        slot = json_object_get(expect_answer(c, "Cancel"), "slot");
        assert_string_equal(json_string_value(json_object_get(slot, "slot")), "A1");
        assert_string_equal(json_string_value(json_object_get(slot, "phase")), "cancelled");
        call_method(c, SERVICE "GetInfo", NULL, false); /* the connection goes on */
        assert_int_equal(n_of(expect_reply(c), "interfaces"), 2);
        hang_up(c);
        expect_idle();
}

static void test_cancel_follows_its_slot_when_a_reload_renames_it(void **state)
{
        struct client *c = connect_to_act();
        json_t *slot;

        (void)state;
        w.station.cancel_takes_time = true;
        call_at(c, "Cancel", "1-4.1");
        expect_no_answer(c);
        fake_station_slot(&w.station, "A1")->slot = TEXT("C1");
        fake_station_slot(&w.station, "A2")->slot = TEXT("A1"); /* another port has its name now */
        server_changed(w.server);
        slot_rests("A1", PHASE_FLASHED);
        expect_no_answer(c);
        slot_rests("C1", PHASE_CANCELLED);
        slot = json_object_get(expect_answer(c, "Cancel"), "slot");
        assert_string_equal(json_string_value(json_object_get(slot, "slot")), "C1");
        hang_up(c);
        expect_idle();
}

static void test_cancel_that_is_done_at_once_is_answered_at_once(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        call_at(c, "Cancel", "A1");
        expect_answer(c, "Cancel");
        hang_up(c);
}

static void test_cancel_does_not_wait_for_an_engine_that_the_kernel_holds(void **state)
{
        struct client *c = connect_to_act();
        json_t *slot;

        (void)state;
        w.station.cancel_takes_time = true;
        call_at(c, "Cancel", "A1");
        expect_no_answer(c);
        slot_rests("A1", PHASE_STUCK);
        slot = json_object_get(expect_answer(c, "Cancel"), "slot");
        assert_string_equal(json_string_value(json_object_get(slot, "phase")), "stuck");
        hang_up(c);
}

static void test_two_who_cancel_are_both_answered_and_one_who_left_is_forgotten(void **state)
{
        struct client *a = connect_to_act(), *b = connect_to_act(), *gone = connect_to_act();

        (void)state;
        w.station.cancel_takes_time = true;
        call_at(a, "Cancel", "A1");
        call_at(b, "Cancel", "A1");
        call_at(gone, "Cancel", "A1");
        settle();
        hang_up(gone);
        assert_int_equal(server_n_connections(w.server), 2);
        slot_rests("A1", PHASE_CANCELLED);
        expect_answer(a, "Cancel");
        expect_answer(b, "Cancel");
        hang_up(a);
        hang_up(b);
}

static void test_cancel_of_a_slot_that_a_reload_takes_away_ends(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        w.station.cancel_takes_time = true;
        call_at(c, "Cancel", "A1");
        expect_no_answer(c);
        fake_station_remove(&w.station, "A1");
        server_changed(w.server);
        expect_refusal(c, "NoSuchSlot", "1-4.1");
        hang_up(c);
}

static void test_cancel_one_way_does_not_wait(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        w.station.cancel_takes_time = true;
        call(c, "{\"method\":\"" STATION "Cancel\",\"parameters\":{\"where\":\"A1\"},\"oneway\":true}");
        call_method(c, SERVICE "GetInfo", NULL, false);
        assert_int_equal(n_of(expect_reply(c), "interfaces"), 2);
        assert_string_equal(w.station.ordered, "cancel A1 by 3999999");
        hang_up(c);
}

static void test_cancel_of_nothing_is_refused(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        call_at(c, "Cancel", "A3");
        expect_refusal(c, "NothingRunning", "A3");
        call_at(c, "Cancel", "Z9");
        expect_refusal(c, "NoSuchSlot", "Z9");
        call_at(c, "Cancel", NULL); /* never the whole station */
        expect_error(c, SERVICE "InvalidParameter", "parameter", "where");
        assert_string_equal(w.station.ordered, "");
        w.station.error = -EIO;
        call_at(c, "Cancel", "A1");
        expect_error(c, STATION "Failed", "message", strerror(EIO));
        hang_up(c);
}

/* ---- hold and release ---- */

static void test_hold_says_what_will_be_shown(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        call_method(c, STATION "Hold", json_pack("{s:s, s:s}", "where", "1-4.2", "reason", "new jig"), false);
        assert_string_equal(json_string_value(json_object_get(expect_answer(c, "Hold"), "held")),
                            "held by 3999999: new jig");
        assert_string_equal(w.station.ordered, "hold A2 by 3999999: new jig");
        call_at(c, "Hold", NULL);
        expect_answer(c, "Hold");
        assert_string_equal(w.station.ordered, "hold all by 3999999: -");
        call_method(c, STATION "Status", NULL, false);
        assert_string_equal(json_string_value(json_object_get(
                                    json_object_get(expect_answer(c, "Status"), "station"), "held")),
                            "held by 3999999");
        call_at(c, "Hold", "Z9");
        expect_refusal(c, "NoSuchSlot", "Z9");
        hang_up(c);
}

static void test_a_reason_is_one_short_printable_line(void **state)
{
        struct client *c = connect_to_act();
        char reason[HOLD_REASON_MAX + 2];

        (void)state;
        memset(reason, 'x', sizeof(reason));
        reason[HOLD_REASON_MAX + 1] = '\0';
        call_method(c, STATION "Hold", json_pack("{s:s}", "reason", reason), false);
        expect_error(c, SERVICE "InvalidParameter", "parameter", "reason");
        call_method(c, STATION "Hold", json_pack("{s:s}", "reason", "a\nb"), false);
        expect_error(c, SERVICE "InvalidParameter", "parameter", "reason");
        assert_string_equal(w.station.ordered, "");
        reason[HOLD_REASON_MAX] = '\0';
        call_method(c, STATION "Hold", json_pack("{s:s}", "reason", reason), false);
        expect_answer(c, "Hold");
        call_method(c, STATION "Hold", json_pack("{s:s}", "reason", ""), false);
        expect_answer(c, "Hold");
        assert_string_equal(w.station.ordered, "hold all by 3999999: -");
        hang_up(c);
}

static void test_release_says_whether_it_was_held_or_why_it_stays(void **state)
{
        struct client *c = connect_to_act();
        const json_t *was_held;

        (void)state;
        call_at(c, "Release", NULL);
        was_held = json_object_get(expect_answer(c, "Release"), "was_held");
        assert_true(json_is_false(was_held));
        call_at(c, "Release", "A2");
        was_held = json_object_get(expect_answer(c, "Release"), "was_held");
        assert_true(json_is_true(was_held));
        assert_string_equal(w.station.ordered, "release A2 by 3999999");
        call_at(c, "Release", "A5");
        expect_refusal(c, "NotReleased", "A5");
        assert_non_null(
                strstr(json_string_value(json_object_get(c->reply.parameters, "message")), "names no image"));
        call_at(c, "Release", "Z9");
        expect_refusal(c, "NoSuchSlot", "Z9");
        hang_up(c);
}

/* ---- retry ---- */

static void test_retry_answers_when_the_station_says_that_it_has_begun(void **state)
{
        struct client *c = connect_to_act();
        json_t *slot;

        (void)state;
        call_at(c, "Retry", "1-4.4");
        expect_no_answer(c);
        assert_string_equal(w.station.ordered, "retry A4 by 3999999");
        server_begun(w.server, w.station.n_retries + 1, "A4", 0, NULL); /* another's */
        expect_no_answer(c);
        fake_station_slot(&w.station, "A4")->phase = PHASE_QUEUED;
        server_begun(w.server, w.station.n_retries, "A4", 0, NULL);
        slot = json_object_get(expect_answer(c, "Retry"), "slot");
        assert_string_equal(json_string_value(json_object_get(slot, "phase")), "queued");
        hang_up(c);
        expect_idle();
}

static void test_retry_that_cannot_be_recorded_fails_with_the_reason(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        call_at(c, "Retry", "A4");
        expect_no_answer(c);
        server_begun(w.server, w.station.n_retries, "A4", -ENOSPC, "the disk is full");
        expect_error(c, STATION "Failed", "message", "the disk is full");
        hang_up(c);
}

static void test_retry_of_a_slot_that_a_reload_takes_away_ends(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        call_at(c, "Retry", "A4");
        expect_no_answer(c);
        server_begun(w.server, w.station.n_retries, "A4", -ENXIO, NULL);
        expect_refusal(c, "NoSuchSlot", "A4");
        hang_up(c);
}

static void test_retry_is_refused_with_what_there_is(void **state)
{
        struct client *c = connect_to_act();

        (void)state;
        call_at(c, "Retry", "A3");
        expect_refusal(c, "NotRetried", "A3");
        assert_string_equal(json_string_value(json_object_get(c->reply.parameters, "message")),
                            "is empty; nothing to retry");
        call_at(c, "Retry", "Z9");
        expect_refusal(c, "NoSuchSlot", "Z9");
        call_at(c, "Retry", NULL);
        expect_error(c, SERVICE "InvalidParameter", "parameter", "where");
        hang_up(c);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_who_may_only_look_orders_nothing),
                TEST(test_a_person_has_a_name_or_a_number),
                TEST(test_cancel_is_answered_when_the_slot_rests),
                TEST(test_cancel_follows_its_slot_when_a_reload_renames_it),
                TEST(test_cancel_that_is_done_at_once_is_answered_at_once),
                TEST(test_cancel_does_not_wait_for_an_engine_that_the_kernel_holds),
                TEST(test_two_who_cancel_are_both_answered_and_one_who_left_is_forgotten),
                TEST(test_cancel_of_a_slot_that_a_reload_takes_away_ends),
                TEST(test_cancel_one_way_does_not_wait),
                TEST(test_cancel_of_nothing_is_refused),
                TEST(test_hold_says_what_will_be_shown),
                TEST(test_a_reason_is_one_short_printable_line),
                TEST(test_release_says_whether_it_was_held_or_why_it_stays),
                TEST(test_retry_answers_when_the_station_says_that_it_has_begun),
                TEST(test_retry_that_cannot_be_recorded_fails_with_the_reason),
                TEST(test_retry_of_a_slot_that_a_reload_takes_away_ends),
                TEST(test_retry_is_refused_with_what_there_is),
        };

        return cmocka_run_group_tests(tests, read_interface, drop_interface);
}
