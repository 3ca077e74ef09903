/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/time-words.h"

static void expect_ago(const char *text, uint64_t seconds)
{
        struct time_words t;

        assert_int_equal(time_words_parse(text, &t), 0);
        assert_true(t.ago);
        assert_int_equal(t.ago_usec, seconds * USEC_PER_SEC);
}

/* year 0: a day that is so many days back. */
static void expect_date(const char *text, unsigned year, unsigned month, unsigned day, const char *clock,
                        bool utc)
{
        struct time_words t;
        char said[16];

        assert_int_equal(time_words_parse(text, &t), 0);
        assert_false(t.ago);
        assert_int_equal(t.year, year);
        assert_int_equal(t.month, month);
        assert_int_equal(year ? t.day : t.days_back, day);
        snprintf(said, sizeof(said), "%02u:%02u:%02u", t.hour % 100, t.minute % 100, t.second % 100);
        assert_string_equal(said, clock);
        assert_int_equal(t.utc, utc);
}

static void test_how_long_ago(void **state)
{
        (void)state;
        expect_ago("2h", 7200);
        expect_ago("30min", 1800);
        expect_ago("7d", 7 * 86400);
        expect_ago("2w", 14 * 86400);
        expect_ago("90 s", 90);
        expect_ago("0s", 0);
        expect_ago("9999999w", UINT64_C(9999999) * 7 * 86400);
}

static void test_dates_are_local_unless_they_say_utc(void **state)
{
        (void)state;
        expect_date("2026-11-01", 2026, 11, 1, "00:00:00", false);
        expect_date("2026-11-01 14:00", 2026, 11, 1, "14:00:00", false);
        expect_date("2026-11-01T14:00:59Z", 2026, 11, 1, "14:00:59", true);
        expect_date("2026-11-01 14:00 UTC", 2026, 11, 1, "14:00:00", true);
        expect_date("2026-11-01 UTC", 2026, 11, 1, "00:00:00", true);
        expect_date("2028-02-29", 2028, 2, 29, "00:00:00", false);
        expect_date("today", 0, 0, 0, "00:00:00", false);
        expect_date("yesterday 23:59", 0, 0, 1, "23:59:00", false);
        expect_date("today Z", 0, 0, 0, "00:00:00", true);
}

static void test_what_is_no_time_is_refused_and_changes_nothing(void **state)
{
        static const char *const bad[] = {
                "",
                " ",
                "now",
                "2",
                "h",
                "-2h",
                "2m",
                "2.5h",
                "2h ago",
                "10000000w",
                "2026",
                "2026-11",
                "2026-13-01",
                "2026-00-01",
                "2026-11-31",
                "2026-02-29",
                "2100-02-29",
                "1969-12-31",
                "3000-01-01",
                "26-11-01",
                "2026-1-1",
                "01.11.2026",
                "2026-11-011",
                "2026-11-01 24:00",
                "tomorrow",
                "today14:00",
                "todayT",
                "2026-11-01 14",
                "2026-11-01 14:60",
                "2026-11-01 14:00:60",
                "2026-11-01 14:00+01",
                "Today",
                "2026-11-01 14:00 Zulu",
                "99999999999999999999h",
        };
        struct time_words t = { .year = 77 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (time_words_parse(bad[i], &t) != -EINVAL)
                        fail_msg("'%s' is taken for a time", bad[i]);
        assert_int_equal(t.year, 77);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_how_long_ago),
                cmocka_unit_test(test_dates_are_local_unless_they_say_utc),
                cmocka_unit_test(test_what_is_no_time_is_refused_and_changes_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
