/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that the kernel makes up as they are read: what fstat(2) tells of them is not their length. */
#include "io/file.h"
#include "tests/io/temp-dir.h"

static void test_attribute_that_says_it_is_empty_is_read_to_its_end(void **state)
{
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len;

        (void)state;
        assert_int_equal(file_read_attribute("/proc/self/comm", 100, &data, &len), 0);
        assert_int_equal(len, strlen("test-file\n"));
        assert_string_equal((char *)data, "test-file\n");
}

/* As "descriptors" of a USB device, of which sysfs says 65553 bytes. */
static void test_attribute_that_says_more_than_the_bound_and_is_shorter_is_read(void **state)
{
        const char *path = "/sys/kernel/uevent_seqnum";
        _cleanup_(freep) uint8_t *data = NULL;
        struct stat st;
        size_t len;

        (void)state;
        if (stat(path, &st) < 0)
                skip();
        assert_true(st.st_size > 100);
        assert_int_equal(file_read_attribute(path, 100, &data, &len), 0);
        assert_in_range(len, 2, 21);
        assert_int_equal(data[len - 1], '\n');
}

static void test_attribute_at_the_bound_is_read_and_over_it_refused(void **state)
{
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len = 0;

        (void)state;
        write_text("ten", "0123456789");
        assert_int_equal(file_read_attribute("ten", 9, &data, &len), -EFBIG);
        assert_null(data);
        assert_int_equal(file_read_attribute("ten", 10, &data, &len), 0);
        assert_int_equal(len, 10);
        assert_string_equal((char *)data, "0123456789");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_attribute_that_says_it_is_empty_is_read_to_its_end),
                cmocka_unit_test(test_attribute_that_says_more_than_the_bound_and_is_shorter_is_read),
                in_temp_dir(test_attribute_at_the_bound_is_read_and_over_it_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
