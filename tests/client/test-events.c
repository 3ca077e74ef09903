/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which events come out of two pictures of a station, and which of too many stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "client/event-queue.h"
#include "client/event.h"
#include "tests/daemon/fake-station.h"

/* 2026-01-31 09:41:00 UTC */
#define NOON_ISH (UINT64_C(1769852460) * USEC_PER_SEC)

static struct fake_station fake; /* as it is */
static struct slot_status slots[FAKE_SLOTS_MAX];
static struct policy_status policies[4];
static struct station_status before; /* as it was */
static struct status_update update;
static json_t *events;

static int utc(void **state)
{
        (void)state;
        setenv("TZ", "UTC", 1);
        tzset();
        return 0;
}

static int line3(void **state)
{
        (void)state;
        fake_station_line3(&fake, NOON_ISH);
        memcpy(slots, fake.slots, sizeof(slots));
        memcpy(policies, fake.policies, sizeof(policies));
        before = fake.header;
        before.slots = slots;
        before.n_slots = fake.n_slots;
        before.policies = policies;
        before.n_policies = fake.n_policies;
        update = (struct status_update){ 0 };
        return 0;
}

static int forget(void **state)
{
        (void)state;
        json_decref(take_ptr(events));
        return 0;
}

/* What is told of this slot as it is now; NULL: of all, as after a reload. */
static void see(const char *slot)
{
        update.station = fake.header;
        update.whole = !slot;
        update.station.slots = slot ? fake_station_slot(&fake, slot) : fake.slots;
        update.station.n_slots = slot ? 1 : fake.n_slots;
        update.station.policies = slot ? NULL : fake.policies;
        update.station.n_policies = slot ? 0 : fake.n_policies;
        json_decref(events);
        events = json_array();
        assert_int_equal(events_of_update(&before, &update, NOON_ISH, events), 0);
}

/* "verdict A1 phase A1": what happened, in order. */
static void expect(const char *wanted)
{
        char got[1024] = "";
        json_t *event;
        size_t i;

        json_array_foreach(events, i, event)
        {
                const char *slot = json_string_value(json_object_get(event, "slot"));

                snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s%s%s", i > 0 ? ", " : "",
                         json_string_value(json_object_get(event, "event")), slot ? " " : "",
                         slot ? slot : "");
                for (size_t k = 0; event_keys[k]; k++)
                        assert_non_null(json_object_get(event, event_keys[k]));
        }
        assert_string_equal(got, wanted);
}

static void expect_line(size_t i, const char *wanted)
{
        _cleanup_(freep) char *line = event_line(json_array_get(events, i));

        assert_string_equal(line, wanted);
}

/* ---- stories ---- */

static void test_the_first_picture_is_a_beginning_and_no_news(void **state)
{
        (void)state;
        before.name = NULL;
        see(NULL);
        expect("begun");
        expect_line(0, "2026-01-31T09:41:00 begun");
}

static void test_progress_is_no_event(void **state)
{
        (void)state;
        fake_station_slot(&fake, "A1")->bytes_done = 200000;
        see("A1");
        expect("");
}

static void test_a_board_that_is_flashed(void **state)
{
        struct slot_status *slot = fake_station_slot(&fake, "A2");

        (void)state;
        slot->phase = PHASE_FLASHED;
        slot->last_realtime_usec += USEC_PER_SEC;
        see("A2");
        expect("verdict A2, phase A2");
        expect_line(0, "2026-01-31T09:41:00 verdict A2 flashed esp32s3 7c:df:a1:0b:00:12 1/3");
        expect_line(1, "2026-01-31T09:41:00 phase A2 flashed 1/3");
        assert_string_equal(json_string_value(json_object_get(json_array_get(events, 0), "verdict")),
                            "flashed");
        assert_true(json_is_null(json_object_get(json_array_get(events, 1), "verdict")));
}

static void test_boards_come_and_go(void **state)
{
        struct slot_status *a3 = fake_station_slot(&fake, "A3"), *a5 = fake_station_slot(&fake, "A5");

        (void)state;
        a3->phase = PHASE_QUEUED;
        a3->mac = TEXT("7c:df:a1:0b:00:99");
        see("A3");
        expect("board-arrived A3, phase A3");
        a5->phase = PHASE_EMPTY;
        a5->chip = a5->mac = NULL;
        see("A5");
        expect("board-left A5, phase A5");
        expect_line(0, "2026-01-31T09:41:00 board-left A5 esp32p4 7c:df:a1:0b:00:40"); /* who left */
}

static void test_a_board_that_left_in_the_middle_is_the_verdicts(void **state)
{
        struct slot_status *slot = fake_station_slot(&fake, "A2");

        (void)state;
        slot->phase = PHASE_EMPTY;
        slot->attempt = slot->attempts_max = 0;
        slot->chip = slot->mac = slot->policy = NULL;
        slot->last_verdict = VERDICT_BOARD_LEFT;
        slot->last_message = TEXT("board left\x1b[2J");
        slot->last_realtime_usec += USEC_PER_SEC;
        see("A2");
        expect("verdict A2, board-left A2, phase A2");
        expect_line(
                0,
                "2026-01-31T09:41:00 verdict A2 board-left esp32s3 7c:df:a1:0b:00:12 1/3: board left<1b>[2J");
}

static void test_another_board_without_an_empty_slot_between(void **state)
{
        (void)state;
        fake_station_slot(&fake, "A2")->mac = TEXT("7c:df:a1:0b:00:13");
        see("A2");
        expect("board-left A2, board-arrived A2");
}

static void test_the_station_is_held_and_released(void **state)
{
        (void)state;
        fake.header.held = TEXT("held by joe: new jig");
        see("A1");
        expect("station-held");
        expect_line(0, "2026-01-31T09:41:00 station-held: held by joe: new jig");
        before.held = TEXT("held by joe: new jig");
        fake.header.held = NULL;
        see("A1");
        expect("station-released");
}

static void test_troubles_begin_and_end(void **state)
{
        (void)state;
        fake.header.config_error = TEXT("x.conf:1: no");
        fake.header.ledger_trouble = TEXT("No space left on device");
        fake.policies[1].unusable = TEXT("no such file");
        see(NULL);
        expect("config-error, ledger-trouble, policy-unusable");
        expect_line(2, "2026-01-31T09:41:00 policy-unusable probe: no such file");
        before.config_error = before.ledger_trouble = policies[1].unusable = TEXT("x");
        fake.header.config_error = fake.header.ledger_trouble = fake.policies[1].unusable = NULL;
        see(NULL);
        expect("config-sound, ledger-sound, policy-usable");
}

static void test_a_reload_that_renames_a_slot_moves_no_board(void **state)
{
        (void)state;
        fake_station_slot(&fake, "A2")->slot = TEXT("left");
        see(NULL);
        expect("slot-gone A2");
}

static void test_a_reload_that_forgets_an_occupied_slot(void **state)
{
        (void)state;
        fake_station_remove(&fake, "A5"); /* the last */
        see(NULL);
        expect("board-left A5, slot-gone A5");
}

static void test_what_passes_a_filter(void **state)
{
        char *a2[] = { TEXT("1-4.2"), NULL }, *a1[] = { TEXT("A1"), NULL };
        const json_t *event;

        (void)state;
        fake_station_slot(&fake, "A2")->phase = PHASE_FLASHED;
        fake.header.held = TEXT("held");
        see("A2");
        expect("station-held, phase A2");
        event = json_array_get(events, 1);
        assert_true(event_passes(event, 1U << EVENT_PHASE, a2));
        assert_false(event_passes(event, 1U << EVENT_PHASE, a1));
        assert_false(event_passes(event, 1U << EVENT_VERDICT, a2));
        assert_true(event_passes(json_array_get(events, 0), ~0U, a1)); /* of no slot: everybody's */
}

/* ---- too many ---- */

static json_t *event_of(enum event_kind kind, unsigned number)
{
        return event_new(kind, "line3-a", NULL, NULL, number);
}

static unsigned number_of(const json_t *event)
{
        return (unsigned)json_integer_value(json_object_get(event, "realtime_usec"));
}

static void test_a_full_queue_keeps_verdicts(void **state)
{
        struct event_queue queue = { 0 };
        json_t *event;
        unsigned n = 0;

        (void)state;
        for (unsigned i = 0; i < EVENT_QUEUE_MAX; i++)
                assert_true(event_queue_push(&queue, event_of(i % 2 ? EVENT_VERDICT : EVENT_PHASE, i)));
        for (unsigned i = 0; i < 10; i++)
                assert_false(event_queue_push(&queue, event_of(EVENT_PHASE, 1000 + i)));
        assert_int_equal(queue.dropped, 10);
        assert_int_equal(queue.dropped_verdicts, 0);
        for (unsigned i = 0; i < EVENT_QUEUE_MAX; i++)
                event_queue_push(&queue, event_of(EVENT_VERDICT, 2000 + i));
        assert_int_equal(queue.dropped, 10 + EVENT_QUEUE_MAX);
        assert_int_equal(queue.dropped_verdicts, EVENT_QUEUE_MAX / 2);
        assert_false(event_queue_push(&queue, event_of(EVENT_PHASE, 3000))); /* none gives way to it */
        for (; (event = event_queue_pop(&queue)); json_decref(event), n++)
                assert_int_equal(number_of(event), 2000 + n);
        assert_int_equal(n, EVENT_QUEUE_MAX);
        event_queue_done(&queue);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_the_first_picture_is_a_beginning_and_no_news, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_progress_is_no_event, line3, forget),
                cmocka_unit_test_setup_teardown(test_a_board_that_is_flashed, line3, forget),
                cmocka_unit_test_setup_teardown(test_boards_come_and_go, line3, forget),
                cmocka_unit_test_setup_teardown(test_a_board_that_left_in_the_middle_is_the_verdicts, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_another_board_without_an_empty_slot_between, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_the_station_is_held_and_released, line3, forget),
                cmocka_unit_test_setup_teardown(test_troubles_begin_and_end, line3, forget),
                cmocka_unit_test_setup_teardown(test_a_reload_that_renames_a_slot_moves_no_board, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_a_reload_that_forgets_an_occupied_slot, line3, forget),
                cmocka_unit_test_setup_teardown(test_what_passes_a_filter, line3, forget),
                cmocka_unit_test(test_a_full_queue_keeps_verdicts),
        };

        return cmocka_run_group_tests(tests, utc, NULL);
}
