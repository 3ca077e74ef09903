/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is published of the slots and when; and the cursor's file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fleet/cursor-file.h"
#include "fleet/slots.h"

static struct slots *slots;

static int set_up(void **state)
{
        (void)state;
        slots = slots_new();
        return slots ? 0 : -1;
}

static int tear_down(void **state)
{
        (void)state;
        slots = slots_free(slots);
        return 0;
}

static void put(const char *name, const char *phase, const char *text)
{
        assert_int_equal(slots_put(slots, name, phase, strdup(text)), 0);
}

/* What is published at this time, as "A1=text A2=-". */
static void expect_published(uint64_t now_usec, const char *expected)
{
        char said[512] = "";
        const char *name, *text;
        size_t len = 0;

        while (slots_next(slots, now_usec, &name, &text))
                len += (size_t)snprintf(said + len, sizeof(said) - len, "%s%s=%s", len ? " " : "", name,
                                        text ? text : "-");
        assert_string_equal(said, expected);
}

static void test_another_phase_is_told_at_once_and_progress_once_a_second(void **state)
{
        (void)state;
        put("A1", "downloading", "1%");
        assert_true(slots_due(slots) == 0);
        expect_published(1000, "A1=1%");
        put("A1", "downloading", "2%");
        put("A1", "downloading", "3%");
        assert_true(slots_due(slots) == 1000 + USEC_PER_SEC);
        expect_published(USEC_PER_SEC, "");
        expect_published(1000 + USEC_PER_SEC, "A1=3%");
        put("A1", "downloading", "4%");
        put("A1", "verifying", "v"); /* and never 4% */
        expect_published(1001 + USEC_PER_SEC, "A1=v");
        assert_true(slots_due(slots) == USEC_INFINITY);
}

static void test_a_phase_that_came_and_went_leaves_the_slot_as_it_is_now(void **state)
{
        (void)state;
        put("A1", "empty", "empty");
        expect_published(1000, "A1=empty");
        put("A1", "queued", "queued");
        put("A1", "empty", "empty again");
        expect_published(1001, "A1=empty again");
}

static void test_a_slot_that_is_no_more_is_told_once(void **state)
{
        (void)state;
        put("A1", "empty", "a");
        put("A2", "empty", "b");
        expect_published(1000, "A1=a A2=b");
        assert_int_equal(slots_gone(slots, "A1"), 0);
        assert_int_equal(slots_n(slots), 1);
        assert_false(slots_has(slots, "A1"));
        expect_published(1001, "A1=-");
        expect_published(1002, "");
        assert_int_equal(slots_gone(slots, "B1"), 0); /* of an earlier life */
        expect_published(1003, "B1=-");
        slots_forget_published(slots); /* another broker */
        expect_published(1004, "A2=b");
        put("A1", "empty", "back");
        expect_published(1005, "A1=back");
}

static void test_what_a_whole_status_does_not_have_is_no_more(void **state)
{
        (void)state;
        put("A1", "empty", "a");
        put("A2", "empty", "b");
        put("A3", "empty", "c");
        expect_published(1000, "A1=a A2=b A3=c");
        slots_begin_whole(slots);
        put("A3", "flashed", "c2");
        put("A1", "empty", "a2");
        slots_end_whole(slots);
        assert_int_equal(slots_n(slots), 2);
        expect_published(1001, "A2=- A3=c2");
        expect_published(2 * USEC_PER_SEC, "A1=a2");
}

static void test_none_waits_behind_busier_ones_for_ever(void **state)
{
        const char *name, *text;
        bool seen[4] = { false };

        (void)state;
        put("S0", "a", "x");
        put("S1", "a", "x");
        put("S2", "a", "x");
        put("S3", "a", "x");
        for (int i = 0; i < 4; i++) { /* one at a time, and the first changes its phase each time */
                assert_true(slots_next(slots, 1000, &name, &text));
                seen[name[1] - '0'] = true;
                put("S0", i % 2 ? "a" : "b", "x");
        }
        for (int i = 0; i < 4; i++)
                assert_true(seen[i]);
}

static void test_slots_are_bounded(void **state)
{
        char name[80];

        (void)state;
        for (unsigned i = 0; i < SLOTS_MAX; i++) {
                snprintf(name, sizeof(name), "S%u", i);
                put(name, "empty", "x");
        }
        assert_int_equal(slots_put(slots, "one-more", "empty", strdup("x")), -ENOBUFS);
        put("S7", "flashed", "y");
        assert_int_equal(slots_n(slots), SLOTS_MAX);
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(slots_put(slots, name, "empty", strdup("x")), -ENOBUFS);
        assert_int_equal(slots_put(slots, "", "empty", strdup("x")), -ENOBUFS);
}

/* ---- the cursor's file ---- */

static void test_a_cursor_is_read_as_it_was_written_and_nonsense_is_not_taken_for_one(void **state)
{
        char dir[] = "/tmp/test-slots.XXXXXX", path[64];
        struct delivered cursor = { "0123456789abcdef0123456789abcdef", 41 }, read = { 0 };
        FILE *f;

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/cursor", dir);
        assert_int_equal(cursor_file_read(path, &read), 1);
        assert_int_equal(cursor_file_write(path, &cursor), 0);
        cursor.sequence = 42;
        assert_int_equal(cursor_file_write(path, &cursor), 0);
        assert_int_equal(cursor_file_read(path, &read), 0);
        assert_string_equal(read.station_id, cursor.station_id);
        assert_int_equal(read.sequence, 42);
        f = fopen(path, "w");
        fputs("{\"station_id\":\"0123", f);
        fclose(f);
        read = (struct delivered){ 0 };
        assert_int_equal(cursor_file_read(path, &read), -EPROTO);
        assert_string_equal(read.station_id, "");
        unlink(path);
        mkdir(path, 0700);
        assert_true(cursor_file_write(path, &cursor) < 0);
        rmdir(path);
        assert_int_equal(rmdir(dir), 0); /* nothing is left behind */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_another_phase_is_told_at_once_and_progress_once_a_second),
                TEST(test_a_phase_that_came_and_went_leaves_the_slot_as_it_is_now),
                TEST(test_a_slot_that_is_no_more_is_told_once),
                TEST(test_what_a_whole_status_does_not_have_is_no_more),
                TEST(test_none_waits_behind_busier_ones_for_ever),
                TEST(test_slots_are_bounded),
                TEST(test_a_cursor_is_read_as_it_was_written_and_nonsense_is_not_taken_for_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
