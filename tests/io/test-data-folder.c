/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folders with a file for each board: what is in them, in which order, and whose it must be. */
#include "io/data-folder.h"
#include "tests/io/temp-dir.h"

#define OWNER geteuid()

/* What a call that returned r said in *why. */
static void expect_why(int r, char **why, const char *expected)
{
        assert_int_equal(r, 1);
        assert_non_null(*why);
        assert_string_equal(*why, expected);
        free(*why);
        *why = NULL;
}

static void expect_no_folder(const char *folder, uid_t owner, const char *expected)
{
        struct data_names names = { 0 };
        char *why = NULL;

        expect_why(data_folder_list(folder, owner, &names, &why), &why, expected);
        assert_null(names.names);
}

static void expect_no_file(const char *path, const char *expected)
{
        uint8_t *data = NULL;
        char *why = NULL;
        size_t len;

        expect_why(data_file_check(path, OWNER, &len, &why), &why, expected);
        expect_why(data_file_read(path, OWNER, &data, &len, &why), &why, expected);
        assert_null(data);
}

static void test_names_come_in_natural_order_without_what_is_no_file(void **state)
{
        static const char *const expected[] = { "unit-1.bin", "unit-2.bin", "unit-9.bin", "unit-10.bin",
                                                "unit-100.bin" };
        _cleanup_(data_names_done) struct data_names names = { 0 };
        char *why = NULL;

        (void)state;
        make_dir("nvs");
        make_dir("nvs/keys");
        write_text("nvs/unit-10.bin", "10");
        write_text("nvs/unit-9.bin", "9");
        write_text("nvs/unit-100.bin", "100");
        write_text("nvs/unit-2.bin", "2");
        write_text("nvs/unit-1.bin", "1");
        write_text("nvs/.unit-3.bin.Xy12", "3");
        assert_return_code(symlink("unit-1.bin", "nvs/unit-4.bin"), errno);
        assert_return_code(mkfifo("nvs/unit-5.bin", 0600), errno);
        assert_int_equal(data_folder_list("nvs", OWNER, &names, &why), 0);
        assert_string_equal(names.names[1], "unit-10.bin");
        data_names_sort(&names);
        assert_int_equal(names.n, ARRAY_SIZE(expected));
        for (size_t i = 0; i < names.n; i++)
                assert_string_equal(names.names[i], expected[i]);
}

static void test_empty_folder_has_no_names(void **state)
{
        _cleanup_(data_names_done) struct data_names names = { 0 };
        char *why = NULL;

        (void)state;
        make_dir("nvs");
        assert_int_equal(data_folder_list("nvs", OWNER, &names, &why), 0);
        assert_int_equal(names.n, 0);
}

static void test_folder_that_others_may_write_is_refused(void **state)
{
        char expected[128];

        (void)state;
        make_dir("nvs");
        assert_return_code(chmod("nvs", 01777), errno);
        expect_no_folder("nvs", OWNER,
                         "nvs: mode 1777: expected no write permission for group and others (chmod go-w)");
        assert_return_code(chmod("nvs", 0775), errno);
        expect_no_folder("nvs", OWNER,
                         "nvs: mode 0775: expected no write permission for group and others (chmod go-w)");
        snprintf(expected, sizeof(expected),
                 "nvs: owned by user %u: expected %s, who alone may say what a board gets", (unsigned)OWNER,
                 "the owner that ESPDFU_DATA_OWNER names");
        expect_no_folder("nvs", OWNER + 1, expected);
        expect_no_folder("nowhere", OWNER,
                         "nowhere: No such file or directory: expected a folder with a file for each board");
        write_text("file", "x");
        expect_no_folder("file", OWNER,
                         "file: Not a directory: expected a folder with a file for each board");
}

static void test_file_that_is_not_as_it_must_be_is_refused(void **state)
{
        (void)state;
        write_text("a.bin", "a");
        write_text("empty.bin", "");
        write_text("large.bin", "x");
        assert_return_code(truncate("large.bin", 4194305), errno);
        assert_return_code(symlink("a.bin", "link.bin"), errno);
        assert_return_code(mkfifo("fifo.bin", 0600), errno);
        expect_no_file("empty.bin", "empty.bin: empty: expected data");
        expect_no_file("large.bin", "large.bin: 4194305 bytes: expected at most 4194304");
        expect_no_file("link.bin", "link.bin: symbolic link: expected a regular file");
        expect_no_file("fifo.bin", "fifo.bin: no regular file: expected one");
        expect_no_file("gone.bin", "gone.bin: No such file or directory: expected a file");
        assert_return_code(chmod("a.bin", 0664), errno);
        expect_no_file("a.bin",
                       "a.bin: mode 0664: expected no write permission for group and others (chmod go-w)");
}

static void test_file_of_somebody_else_is_refused(void **state)
{
        char expected[160], *why = NULL;
        size_t size;

        (void)state;
        write_text("a.bin", "a");
        if (OWNER == 0)
                assert_return_code(chown("a.bin", 1000, 1000), errno);
        snprintf(expected, sizeof(expected),
                 "a.bin: owned by user %u: expected root, who alone may say what a board gets",
                 OWNER == 0 ? 1000 : (unsigned)OWNER);
        expect_why(data_file_check("a.bin", 0, &size, &why), &why, expected);
}

static void test_good_file_is_read_whole(void **state)
{
        _cleanup_(freep) uint8_t *data = NULL;
        char *why = NULL;
        size_t len = 0;

        (void)state;
        write_text("a.bin", "serial 1");
        assert_int_equal(data_file_check("a.bin", OWNER, &len, &why), 0);
        assert_int_equal(len, 8);
        assert_int_equal(data_file_read("a.bin", OWNER, &data, &len, &why), 0);
        assert_int_equal(len, 8);
        assert_memory_equal(data, "serial 1", 8);
}

static void test_owner_is_root_unless_a_test_says_otherwise(void **state)
{
        (void)state;
        unsetenv("ESPDFU_DATA_OWNER");
        assert_int_equal(data_folder_owner(), 0);
        setenv("ESPDFU_DATA_OWNER", "1234", 1);
        assert_int_equal(data_folder_owner(), 1234);
        setenv("ESPDFU_DATA_OWNER", "-1", 1);
        assert_int_equal(data_folder_owner(), 0);
        setenv("ESPDFU_DATA_OWNER", "12x", 1);
        assert_int_equal(data_folder_owner(), 0);
        unsetenv("ESPDFU_DATA_OWNER");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                in_temp_dir(test_names_come_in_natural_order_without_what_is_no_file),
                in_temp_dir(test_empty_folder_has_no_names),
                in_temp_dir(test_folder_that_others_may_write_is_refused),
                in_temp_dir(test_file_that_is_not_as_it_must_be_is_refused),
                in_temp_dir(test_file_of_somebody_else_is_refused),
                in_temp_dir(test_good_file_is_read_whole),
                in_temp_dir(test_owner_is_root_unless_a_test_says_otherwise),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
