/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `espdfuctl status --watch` draws, to the character: sizes, colours and words, what is left out and what never is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <time.h>

#include "client/screen.h"
#include "show/columns.h"
#include "tests/daemon/fake-station.h"

/* 2026-01-31 09:41:00 UTC */
#define NOON_ISH (UINT64_C(1769852460) * USEC_PER_SEC)

static struct fake_station fake;
static struct station_status station;
static struct failures failures;
static char *text;

static int utc(void **state)
{
        (void)state;
        setenv("TZ", "UTC", 1);
        tzset();
        return setlocale(LC_ALL, "C.UTF-8") ? 0 : -1;
}

static void watch_fake(void)
{
        station = fake.header;
        station.slots = fake.slots;
        station.n_slots = fake.n_slots;
        station.policies = fake.policies;
        station.n_policies = fake.n_policies;
        for (size_t i = 0; i < station.n_slots; i++)
                assert_int_equal(failures_note_slot(&failures, &station.slots[i]), 0);
}

static int line3(void **state)
{
        (void)state;
        fake_station_line3(&fake, NOON_ISH);
        watch_fake();
        return 0;
}

static int forget(void **state)
{
        (void)state;
        failures_done(&failures);
        free(take_ptr(text));
        return 0;
}

static void render(struct screen s)
{
        s.station = &station;
        s.failures = &failures;
        s.style.now_usec = NOON_ISH;
        free(take_ptr(text));
        assert_int_equal(screen_render(&s, &text), 0);
}

#define UTF8(columns)                                                                                        \
        {                                                                                                    \
                .utf8 = true, .width = (columns)                                                             \
        }
#define ASCII(columns)                                                                                       \
        {                                                                                                    \
                .width = (columns)                                                                           \
        }
#define COLOUR(columns)                                                                                      \
        {                                                                                                    \
                .utf8 = true, .colour = true, .width = (columns)                                             \
        }

static size_t count_lines(void)
{
        size_t n = 0;

        for (const char *p = text; (p = strchr(p, '\n')); p++)
                n++;
        return n;
}

/* No line is wider, and there are no more of them, than the screen has. */
static void expect_fits(size_t width, size_t height)
{
        _cleanup_(freep) char *copy = strdup(text);
        char *rest = copy, *line;

        while ((line = strsep(&rest, "\n")))
                assert_in_range(columns_of(line), 0, width);
        assert_in_range(count_lines(), 1, height);
}

static void expect(const char *part)
{
        if (!strstr(text, part))
                fail_msg("expected '%s' in:\n%s", part, text);
}

static void expect_not(const char *part)
{
        if (strstr(text, part))
                fail_msg("expected not '%s' in:\n%s", part, text);
}

/* ---- stories ---- */

static void test_eighty_columns_show_bar_rate_and_time_left(void **state)
{
        (void)state;
        render((struct screen){ .height = 24, .style = UTF8(80) });
        assert_string_equal(
                text, "line3-a   1284 flashed today   4 failed   running 2   waiting 0\n"
                      "\n"
                      "A1  DOWNLOADING   █████████▉·········   52 %   61 kB/s   2.1 s  gizmo 1.4.2\n"
                      "A2  VERIFYING     ███████████████████  100 %             0.4 s  probe 2.0.0  7c:\n"
                      "A3  EMPTY         ok 09:40\n"
                      "A4  FAILED        failed 09:40: board left at 24 kB\n"
                      "A5  NO POLICY   \n"
                      "\n"
                      "LAST FAILURES\n"
                      "A4  09:40  board left at 24 kB\n");
}

static void test_twenty_columns_keep_slot_and_word(void **state)
{
        (void)state;
        render((struct screen){ .height = 24, .style = UTF8(20) });
        expect_fits(20, 24);
        expect("A1  DOWNLOADING \n");
        expect("A4  FAILED        fa");
        expect("A4  09:40  board lef");
}

static void test_a_wide_screen_has_longer_bars_and_the_mac(void **state)
{
        (void)state;
        render((struct screen){ .height = 24, .style = UTF8(200) });
        expect("████████████████████████████████████████  100 %             0.4 s  probe 2.0.0  "
               "7c:df:a1:0b:00:12\n");
        expect("first pass 98.9 %   96 boards/h   up 4 d 2 h\n");
}

static void test_any_size_is_kept(void **state)
{
        static const char long_text[] =
                "a text that is much wider than any screen that it is shown on, to be sure "
                "that it is cut and not folded: 012345678901234567890123456789";

        (void)state;
        fake.header.held = TEXT(long_text);
        fake.header.ledger_trouble = TEXT(long_text);
        fake.header.lagging = TEXT(long_text);
        fake.slots[0].slot = TEXT(long_text);
        fake.slots[3].last_message = TEXT(long_text);
        fake.slots[0].left_usec = UINT64_C(25) * 3600 * USEC_PER_SEC;
        fake.slots[0].rate = UINT64_C(1) << 62;
        fake.slots[0].bytes_total = UINT64_MAX;
        watch_fake();
        for (size_t width = 4; width < 200; width += 7)
                for (size_t height = 2; height < 30; height++) {
                        render((struct screen){
                                .height = height, .gone = "it hung up", .style = UTF8(width) });
                        expect_fits(width, height);
                        render((struct screen){ .height = height, .style = ASCII(width) });
                        expect_fits(width, height);
                }
}

static void test_without_utf8_all_is_ascii(void **state)
{
        (void)state;
        setlocale(LC_ALL, "C");
        fake.slots[2].slot = TEXT("Tür");
        render((struct screen){ .height = 24, .style = ASCII(80) });
        setlocale(LC_ALL, "C.UTF-8");
        for (const char *p = text; *p; p++)
                assert_true((unsigned char)*p < 0x80);
        expect("#######......");
        expect("T?r");
}

static void test_colour_never_stands_without_its_word(void **state)
{
        (void)state;
        render((struct screen){ .height = 24, .style = COLOUR(80) });
        expect("\033[1;37;41m FAILED      \033[0m");
        expect("\033[1;30;46m DOWNLOADING \033[0m");
        expect("\033[1;30;43m NO POLICY   \033[0m");
        fake.slots[0].phase = PHASE_FLASHED;
        watch_fake();
        render((struct screen){ .height = 24, .style = COLOUR(80) });
        expect("\033[1;30;42m FLASHED     \033[0m");
        render((struct screen){ .height = 24, .style = UTF8(80) });
        expect_not("\033");
}

static void test_more_slots_than_lines_leave_out_what_needs_nobody(void **state)
{
        (void)state;
        fake_station_many(&fake, 60);
        for (size_t i = 0; i < 60; i++)
                fake.slots[i].phase = i < 20 ? PHASE_EMPTY : i < 40 ? PHASE_FLASHED : PHASE_DOWNLOADING;
        fake.slots[59].phase = PHASE_FAILED;
        fake.slots[58].phase = PHASE_HELD;
        watch_fake();
        render((struct screen){ .height = 24, .style = UTF8(80) });
        expect_fits(80, 24);
        expect("S040  DOWNLOADING");
        expect("S058  HELD");
        expect("S059  FAILED");
        expect("42 more: 20 empty, 2 downloading, 20 flashed");
        expect_not("S019");
        render((struct screen){ .height = 4, .style = UTF8(80) });
        expect_fits(80, 4);
        expect("S059  FAILED");
        expect("S058  HELD");
        expect("58 more: 20 empty, 18 downloading, 20 flashed");
}

static void test_a_phase_of_a_newer_daemon_has_a_place_too(void **state)
{
        (void)state;
        fake_station_many(&fake, 60);
        for (size_t i = 0; i < 60; i++)
                fake.slots[i].phase = PHASE_MAX_;
        watch_fake();
        render((struct screen){ .height = 24, .style = UTF8(80) });
        expect("S000  UNKNOWN");
        expect("42 more: 42 unknown");
}

static void test_who_is_gone_is_said_and_nothing_looks_alive(void **state)
{
        (void)state;
        render((struct screen){
                .height = 24, .gone = "it hung up", .gone_usec = NOON_ISH, .style = COLOUR(80) });
        expect("\033[1;37;41m NO ESPDFUD since 09:41: it hung up. This is how it was; waiting for it.");
        expect_not("\033[1;30;46m");
}

static void test_troubles_of_the_station_stand_above_the_slots(void **state)
{
        (void)state;
        fake.header.held = TEXT("held by joe: new jig");
        fake.header.config_error = TEXT("line3.conf:14: attempts = 0");
        fake.header.ledger_trouble = TEXT("No space left on device");
        fake.policies[1].unusable = TEXT("/srv/probe.bin: no such file\x1b[2J");
        watch_fake();
        render((struct screen){ .height = 24, .style = UTF8(80) });
        expect(" STATION HELD: held by joe: new jig");
        expect(" RELOAD REFUSED: line3.conf:14");
        expect(" NOTHING CAN BE RECORDED, so nothing is flashed: No space left on device");
        expect(" POLICY probe CANNOT BE USED: /srv/probe.bin: no such file<1b>[2J");
}

static void test_last_failures_are_the_newest_and_each_once(void **state)
{
        struct attempt_record attempt = { .slot = TEXT("A1"), .verdict = VERDICT_STALLED };

        (void)state;
        for (unsigned i = 0; i < 3 * FAILURES_MAX; i++) {
                attempt.end_realtime_usec = NOON_ISH - (i % 30) * 60 * USEC_PER_SEC;
                assert_int_equal(failures_note_attempt(&failures, &attempt), 0);
        }
        attempt.verdict = VERDICT_FLASHED;
        attempt.end_realtime_usec = NOON_ISH + 1;
        assert_int_equal(failures_note_attempt(&failures, &attempt), 0);
        assert_int_equal(failures.n, FAILURES_MAX);
        for (size_t i = 1; i < failures.n; i++)
                assert_true(failures.list[i - 1].realtime_usec >= failures.list[i].realtime_usec);
        render((struct screen){ .height = 24, .style = UTF8(80) });
        expect("A1  09:41  stalled\nA4  09:40  board left at 24 kB\nA1  09:40  stalled\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_eighty_columns_show_bar_rate_and_time_left, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_twenty_columns_keep_slot_and_word, line3, forget),
                cmocka_unit_test_setup_teardown(test_a_wide_screen_has_longer_bars_and_the_mac, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_any_size_is_kept, line3, forget),
                cmocka_unit_test_setup_teardown(test_without_utf8_all_is_ascii, line3, forget),
                cmocka_unit_test_setup_teardown(test_colour_never_stands_without_its_word, line3, forget),
                cmocka_unit_test_setup_teardown(test_more_slots_than_lines_leave_out_what_needs_nobody, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_a_phase_of_a_newer_daemon_has_a_place_too, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_who_is_gone_is_said_and_nothing_looks_alive, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_troubles_of_the_station_stand_above_the_slots, line3,
                                                forget),
                cmocka_unit_test_setup_teardown(test_last_failures_are_the_newest_and_each_once, line3,
                                                forget),
        };

        return cmocka_run_group_tests(tests, utc, NULL);
}
