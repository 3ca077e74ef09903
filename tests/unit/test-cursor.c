/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/cursor.h"

static const uint8_t data[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07 };

static void test_bytes_are_taken_in_order(void **state)
{
        struct cursor c = cursor_over(data, sizeof(data));
        uint8_t u8 = 0;
        uint16_t u16 = 0;
        uint32_t u32 = 0;

        (void)state;
        assert_true(cursor_take_u8(&c, &u8));
        assert_int_equal(u8, 0x01);
        assert_true(cursor_take_le16(&c, &u16));
        assert_int_equal(u16, 0x0302);
        assert_true(cursor_take_le32(&c, &u32));
        assert_int_equal(u32, 0x07060504);
        assert_int_equal(cursor_remaining(&c), 0);
}

static void test_nothing_is_taken_past_the_end_and_nothing_moves(void **state)
{
        struct cursor c = cursor_over(data, sizeof(data));
        const uint8_t *p = NULL;
        uint32_t u32 = 42;

        (void)state;
        assert_true(cursor_skip(&c, 4));
        assert_false(cursor_take_le32(&c, &u32));
        assert_int_equal(u32, 42);
        assert_false(cursor_take(&c, 4, &p));
        assert_false(cursor_take(&c, SIZE_MAX, &p));
        assert_false(cursor_skip(&c, SIZE_MAX - 3));
        assert_null(p);
        assert_int_equal(cursor_offset(&c), 4);
        assert_true(cursor_take(&c, 3, &p));
        assert_ptr_equal(p, data + 4);
        assert_true(cursor_take(&c, 0, &p));
}

static void test_alignment_counts_from_the_start_and_stays_inside(void **state)
{
        struct cursor c = cursor_over(data, sizeof(data));

        (void)state;
        assert_true(cursor_align(&c, 4));
        assert_int_equal(cursor_offset(&c), 0);
        assert_true(cursor_skip(&c, 1));
        assert_true(cursor_align(&c, 4));
        assert_int_equal(cursor_offset(&c), 4);
        assert_true(cursor_skip(&c, 1));
        assert_false(cursor_align(&c, 4));
        assert_int_equal(cursor_offset(&c), 5);
}

static void test_a_run_of_bytes_grows_and_is_padded(void **state)
{
        struct bytes bytes = { 0 };

        (void)state;
        assert_int_equal(bytes_pad(&bytes, 4), 0);
        assert_int_equal(bytes.len, 0);
        assert_int_equal(bytes_append(&bytes, "abcde", 5), 0);
        assert_int_equal(bytes_pad(&bytes, 4), 0);
        assert_int_equal(bytes.len, 8);
        assert_memory_equal(bytes.data, "abcde\0\0\0", 8);
        assert_int_equal(bytes_pad(&bytes, 4), 0);
        assert_int_equal(bytes.len, 8);
        assert_int_equal(bytes_append_zeros(&bytes, SIZE_MAX), -ENOMEM);
        assert_int_equal(bytes.len, 8);
        bytes_done(&bytes);
        assert_null(bytes.data);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes_are_taken_in_order),
                cmocka_unit_test(test_nothing_is_taken_past_the_end_and_nothing_moves),
                cmocka_unit_test(test_alignment_counts_from_the_start_and_stays_inside),
                cmocka_unit_test(test_a_run_of_bytes_grows_and_is_padded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
