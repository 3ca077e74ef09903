/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What espdfuctl status prints, to the character, and how a watcher's picture follows the changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <time.h>

#include "client/status-change.h"
#include "show/status-table.h"
#include "tests/daemon/fake-station.h"

/* 2026-01-31 09:41:00 UTC */
#define NOON_ISH (UINT64_C(1769852460) * USEC_PER_SEC)

static const struct table_style screen = { .utf8 = true, .now_usec = NOON_ISH };
static const struct table_style ascii = { .now_usec = NOON_ISH };

static int utc(void **state)
{
        (void)state;
        setenv("TZ", "UTC", 1);
        tzset();
        return setlocale(LC_ALL, "C.UTF-8") ? 0 : -1;
}

static struct fake_station fake;
static struct station_status station;

static int line3(void **state)
{
        (void)state;
        fake_station_line3(&fake, NOON_ISH);
        station = fake.header;
        station.slots = fake.slots;
        station.n_slots = fake.n_slots;
        station.policies = fake.policies;
        station.n_policies = fake.n_policies;
        return 0;
}

static void expect_table(const struct table_style *style, const char *expected)
{
        char *text;

        assert_int_equal(status_table_render(&station, style, &text), 0);
        assert_string_equal(text, expected);
        free(text);
}

static void test_the_station_of_the_manual(void **state)
{

        (void)state;
        /* clang-format off */
        expect_table(&screen,
                     "line3-a   up 4 d 2 h   today 1284 flashed, first pass 98.9 %, 96 boards/h   running 2, waiting 0, failed 1\n"
                     "\n"
                     "SLOT  PORT   CHIP  MAC                POLICY  IMAGE        PHASE        PROGRESS               RATE     LEFT   TRY  LAST\n"
                     "A1    1-4.1  S2    –                  gizmo   gizmo 1.4.2  downloading  ███████▊         52 %  61 kB/s  2.1 s  1/3  ok 09:41\n"
                     "A2    1-4.2  S3    7c:df:a1:0b:00:12  probe   probe 2.0.0  verifying    ███████████████ 100 %           0.4 s  1/3  ok 09:41\n"
                     "A3    1-4.3  –     –                  –       –            empty                                                    ok 09:40\n"
                     "A4    1-4.4  S2    –                  gizmo   gizmo 1.4.2  failed       █▋               11 %                  3/3  failed 09:40: board left at 24 kB\n"
                     "A5    1-4.5  P4    7c:df:a1:0b:00:40  –       –            no policy                                                –\n");
        /* clang-format on */
}

static void test_a_locale_without_utf8_has_the_same_facts(void **state)
{

        (void)state;
        station.n_slots = 3;
        /* clang-format off */
        expect_table(&ascii,
                     "line3-a   up 4 d 2 h   today 1284 flashed, first pass 98.9 %, 96 boards/h   running 2, waiting 0, failed 1\n"
                     "\n"
                     "SLOT  PORT   CHIP  MAC                POLICY  IMAGE        PHASE        PROGRESS               RATE     LEFT   TRY  LAST\n"
                     "A1    1-4.1  S2    -                  gizmo   gizmo 1.4.2  downloading  #######          52 %  61 kB/s  2.1 s  1/3  ok 09:41\n"
                     "A2    1-4.2  S3    7c:df:a1:0b:00:12  probe   probe 2.0.0  verifying    ############### 100 %           0.4 s  1/3  ok 09:41\n"
                     "A3    1-4.3  -     -                  -       -            empty                                                    ok 09:40\n");
        /* clang-format on */
}

static void test_a_held_station_says_so_in_its_header(void **state)
{
        const struct table_style wide = { .utf8 = true, .width = 170, .now_usec = NOON_ISH };
        struct table_style narrow = wide;

        (void)state;
        station.held = TEXT("held by joe: new jig\x1b[2J");
        station.n_slots = 0;
        /* clang-format off */
        expect_table(&wide,
                     "line3-a   up 4 d 2 h   today 1284 flashed, first pass 98.9 %, 96 boards/h   running 2, waiting 0, failed 1   held by joe: new jig<1b>[2J\n"
                     "\n"
                     "No slot: no board has been seen, and the configuration names none.\n");
        narrow.width = 120;
        expect_table(&narrow,
                     "line3-a   up 4 d 2 h   today 1284 flashed, first pass 98.9 %, 96 boards/h   running 2, waiting 0, failed 1\n"
                     "held by joe: new jig<1b>[2J\n"
                     "\n"
                     "No slot: no board has been seen, and the configuration names none.\n");
        /* clang-format on */
}

static void expect_in(const char *text, const char *part)
{
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void test_what_is_wrong_stands_below(void **state)
{
        char *text;

        (void)state;
        station.config_error = TEXT("line3.conf:14: attempts = 0: expected 1 to 20");
        station.ledger_trouble = TEXT("ledger.sqlite: cannot be written: No space left on device");
        station.lagging = TEXT("consumer mqtt is 12345 attempts behind, and has had none for 26 h");
        fake.policies[1].unusable = TEXT("/srv/probe.bin: no such file");
        assert_int_equal(status_table_render(&station, &screen, &text), 0);
        expect_in(text,
                  "\n\npolicy probe cannot be used: /srv/probe.bin: no such file\n"
                  "attempts cannot be recorded: ledger.sqlite: cannot be written: No space left on device\n"
                  "who copies the ledger lags: consumer mqtt is 12345 attempts behind, and has had none for "
                  "26 h\n"
                  "the last reload was refused, the configuration before it is in force: "
                  "line3.conf:14: attempts = 0: expected 1 to 20\n");
        assert_null(strstr(text, "policy gizmo"));
        free(text);
}

static void test_a_narrow_terminal_hides_no_reason(void **state)
{
        const struct table_style narrow = { .utf8 = true, .width = 80, .now_usec = NOON_ISH };
        char *text;

        (void)state;
        assert_int_equal(status_table_render(&station, &narrow, &text), 0);
        expect_in(text, "\n\nA4: failed 09:40: board left at 24 kB\n");
        free(text);
}

static void test_a_board_cannot_write_over_the_screen(void **state)
{
        struct slot_status slot = { .slot = TEXT("A1"),
                                    .left_usec = USEC_INFINITY,
                                    .mac = TEXT("\x1b[2Jevil\nA9  ok"),
                                    .message = TEXT("\xc2\x9b"
                                                    "31m") };
        char *text;

        (void)state;
        station = (struct station_status){ .name = TEXT("line\r3"), .slots = &slot, .n_slots = 1 };
        assert_int_equal(status_table_render(&station, &screen, &text), 0);
        assert_null(strchr(text, '\x1b'));
        assert_null(strchr(text, '\r'));
        assert_null(strstr(text, "\xc2\x9b"));
        expect_in(text, "<1b>[2Jevil<0a>A9  ok");
        free(text);
}

static void test_colour_is_for_terminals_and_never_alone(void **state)
{
        const struct table_style colour = {
                .utf8 = true, .colour = true, .width = 200, .now_usec = NOON_ISH
        };
        char *text;

        (void)state;
        assert_int_equal(status_table_render(&station, &colour, &text), 0);
        expect_in(text, "\033[31mfailed");
        free(text);
        assert_int_equal(status_table_render(&station, &screen, &text), 0);
        assert_null(strchr(text, '\033'));
        free(text);
}

static size_t longest_line(const char *text)
{
        size_t longest = 0;

        for (; *text; text += strcspn(text, "\n") + 1)
                longest = MAX(longest, strcspn(text, "\n"));
        return longest;
}

static void test_a_narrow_terminal_does_without_some_columns(void **state)
{
        const struct table_style narrow = { .width = 80, .now_usec = NOON_ISH };
        _cleanup_(freep) char *text = NULL;

        (void)state;
        assert_int_equal(status_table_render(&station, &narrow, &text), 0);
        assert_in_range(longest_line(text), 60, 80);
        expect_in(text, "PHASE        PROGRESS");
        expect_in(text, "LAST");
        assert_null(strstr(text, "MAC"));
}

static void test_a_station_without_slots_or_boards(void **state)
{
        (void)state;
        station = (struct station_status){ .name = TEXT("new"), .uptime_usec = 1500 * USEC_PER_MSEC };
        expect_table(&screen,
                     "new   up 1.5 s   today 0 flashed, first pass \u2013, 0 boards/h   running 0, waiting "
                     "0, failed 0\n"
                     "\n"
                     "No slot: no board has been seen, and the configuration names none.\n");
}

static void expect_bar(const struct table_style *style, uint64_t done, uint64_t total, const char *expected)
{
        char *bar = status_bar(style, done, total);

        assert_non_null(bar);
        assert_string_equal(bar, expected);
        free(bar);
}

static void test_the_bar(void **state)
{
        (void)state;
        expect_bar(&screen, 0, 0, "");
        expect_bar(&screen, 0, 10, "                  0 %");
        expect_bar(&screen, 1, 2, "\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u258c         50 %");
        expect_bar(&ascii, 1, 2, "#######          50 %");
        expect_bar(&ascii, 999, 1000, "##############   99 %");
        expect_bar(&ascii, 3, 2, "############### 100 %");
        expect_bar(&ascii, UINT64_MAX, UINT64_MAX, "############### 100 %");
}

static void expect_last(const struct slot_status *slot, const char *expected)
{
        char *text = status_last(&screen, slot);

        assert_non_null(text);
        assert_string_equal(text, expected);
        free(text);
}

static void test_the_last_result_and_the_reason(void **state)
{
        const uint64_t yesterday = NOON_ISH - 24 * 3600 * USEC_PER_SEC;

        (void)state;
        expect_last(&(struct slot_status){ 0 }, "");
        expect_last(&(struct slot_status){ .message = TEXT("no image") }, "no image");
        expect_last(&(struct slot_status){ .last_verdict = VERDICT_FLASHED, .last_realtime_usec = NOON_ISH },
                    "ok 09:41");
        expect_last(&(struct slot_status){ .last_verdict = VERDICT_FLASHED, .last_realtime_usec = yesterday },
                    "ok 2026-01-30 09:41");
        expect_last(
                &(struct slot_status){ .last_verdict = VERDICT_TIMED_OUT, .last_realtime_usec = NOON_ISH },
                "failed 09:41: timed out");
        expect_last(
                &(struct slot_status){ .last_verdict = VERDICT_CANCELLED, .last_realtime_usec = NOON_ISH },
                "cancelled 09:41");
        expect_last(&(struct slot_status){ .last_verdict = VERDICT_FLASHED,
                                           .last_realtime_usec = NOON_ISH,
                                           .message = TEXT("held: flapping") },
                    "held: flapping; ok 09:41");
        expect_last(&(struct slot_status){ .last_verdict = VERDICT_BUSY,
                                           .last_realtime_usec = NOON_ISH,
                                           .message = TEXT("claimed"),
                                           .last_message = TEXT("claimed") },
                    "failed 09:41: claimed");
}

static void expect_text(char *text, const char *expected)
{
        assert_non_null(text);
        assert_string_equal(text, expected);
        free(text);
}

static void test_numbers_have_units_and_fit_their_columns(void **state)
{
        (void)state;
        expect_text(format_bytes(0), "0 B");
        expect_text(format_bytes(999), "999 B");
        expect_text(format_bytes(1000), "1.0 kB");
        expect_text(format_bytes(61000), "61 kB");
        expect_text(format_bytes(999999), "1.0 MB");
        expect_text(format_bytes(UINT64_MAX), "18446744 TB");
        expect_text(format_span(0), "0.0 s");
        expect_text(format_span(2100 * USEC_PER_MSEC), "2.1 s");
        expect_text(format_span(59 * USEC_PER_SEC), "59 s");
        expect_text(format_span(90 * USEC_PER_SEC), "1 min");
        expect_text(format_span(3700 * USEC_PER_SEC), "1 h 1 min");
        expect_text(format_span(98 * 3600 * USEC_PER_SEC), "4 d 2 h");
}

/* ---- watching ---- */

static char *copy(const char *s)
{
        char *text = strdup(s);

        assert_non_null(text);
        return text;
}

static struct status_update update_of(bool whole, const char *const *names, size_t n, enum phase phase)
{
        struct status_update update = { .whole = whole, .station = { .name = copy("s"), .n_slots = n } };

        update.station.slots = calloc(n + 1, sizeof(*update.station.slots));
        assert_non_null(update.station.slots);
        for (size_t i = 0; i < n; i++)
                update.station.slots[i] = (struct slot_status){ .slot = copy(names[i]), .phase = phase };
        return update;
}

static void expect_slots(const char *expected)
{
        char text[128] = "";

        for (size_t i = 0; i < station.n_slots; i++) {
                strncat(text, station.slots[i].slot, 16);
                strncat(text, station.slots[i].phase == PHASE_EMPTY ? " " : "* ", 3);
        }
        assert_string_equal(text, expected);
}

static void test_the_picture_follows_the_changes(void **state)
{
        static const char *const all[] = { "A1", "A2", "A3" }, *const some[] = { "A2", "B1" };
        struct status_update update = update_of(true, all, 3, PHASE_EMPTY);

        (void)state;
        station = (struct station_status){ 0 };
        update.station.n_policies = 1;
        update.station.policies = calloc(1, sizeof(*update.station.policies));
        assert_int_equal(status_apply(&station, &update), 0);
        status_update_done(&update);
        expect_slots("A1 A2 A3 ");

        update = update_of(false, some, 2, PHASE_FLASHED);
        update.station.running = 7;
        assert_int_equal(status_apply(&station, &update), 0);
        status_update_done(&update);
        expect_slots("A1 A2* A3 B1* ");
        assert_int_equal(station.running, 7);
        assert_int_equal(station.n_policies, 1);

        update = update_of(false, NULL, 0, PHASE_EMPTY);
        update.gone = calloc(1, sizeof(*update.gone));
        update.gone[0] = copy("A1");
        update.n_gone = 1;
        assert_int_equal(status_apply(&station, &update), 0);
        status_update_done(&update);
        expect_slots("A2* A3 B1* ");

        update = update_of(true, all, 1, PHASE_EMPTY);
        assert_int_equal(status_apply(&station, &update), 0);
        status_update_done(&update);
        expect_slots("A1 ");
        assert_int_equal(station.n_policies, 0);
        station_status_done(&station);
}

static void test_progress_alone_is_no_event(void **state)
{
        const struct slot_status before = { .slot = TEXT("A1"), .phase = PHASE_DOWNLOADING, .bytes_done = 1 };
        struct slot_status after = before;

        (void)state;
        assert_true(status_is_event(NULL, &after));
        after.bytes_done = 2;
        after.rate = 61000;
        assert_false(status_is_event(&before, &after));
        after.attempt = 2;
        assert_true(status_is_event(&before, &after));
        after = before;
        after.phase = PHASE_FAILED;
        assert_true(status_is_event(&before, &after));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_the_station_of_the_manual, line3),
                cmocka_unit_test_setup(test_a_locale_without_utf8_has_the_same_facts, line3),
                cmocka_unit_test_setup(test_a_held_station_says_so_in_its_header, line3),
                cmocka_unit_test_setup(test_what_is_wrong_stands_below, line3),
                cmocka_unit_test_setup(test_a_narrow_terminal_hides_no_reason, line3),
                cmocka_unit_test_setup(test_a_board_cannot_write_over_the_screen, line3),
                cmocka_unit_test_setup(test_colour_is_for_terminals_and_never_alone, line3),
                cmocka_unit_test_setup(test_a_narrow_terminal_does_without_some_columns, line3),
                cmocka_unit_test_setup(test_a_station_without_slots_or_boards, line3),
                cmocka_unit_test_setup(test_the_bar, line3),
                cmocka_unit_test_setup(test_the_last_result_and_the_reason, line3),
                cmocka_unit_test_setup(test_numbers_have_units_and_fit_their_columns, line3),
                cmocka_unit_test_setup(test_the_picture_follows_the_changes, line3),
                cmocka_unit_test_setup(test_progress_alone_is_no_event, line3),
        };

        return cmocka_run_group_tests(tests, utc, NULL);
}
