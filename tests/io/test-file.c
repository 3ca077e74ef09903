/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that the kernel makes up as they are read, of which fstat(2) does not tell the length; and files that are replaced in
 * directories where others write, too. */
#include "io/file-write.h"
#include "io/file.h"
#include "tests/io/temp-dir.h"

#include <sys/prctl.h>

static void test_attribute_that_says_it_is_empty_is_read_to_its_end(void **state)
{
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len;

        (void)state;
        assert_int_equal(prctl(PR_SET_NAME, "an attribute"), 0); /* under valgrind it has another */
        assert_int_equal(file_read_attribute("/proc/self/comm", 100, &data, &len), 0);
        assert_int_equal(len, strlen("an attribute\n"));
        assert_string_equal((char *)data, "an attribute\n");
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

/* ---- files that are replaced ---- */

#define SOMEBODY 65534

static void expect_text(const char *path, const char *text)
{
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len;

        assert_int_equal(file_read(path, 100, &data, &len), 0);
        assert_string_equal((char *)data, text);
}

static void expect_ours(const char *path, mode_t mode)
{
        struct stat st;

        assert_return_code(lstat(path, &st), errno);
        assert_int_equal(st.st_uid, geteuid());
        assert_int_equal(st.st_mode, S_IFREG | mode);
}

static void test_file_of_ours_that_is_replaced_keeps_its_mode_and_no_setuid(void **state)
{
        (void)state;
        write_text("old", "old");
        assert_return_code(chmod("old", 06640), errno);
        assert_int_equal(file_write("old", "new", 3), 0);
        expect_text("old", "new");
        expect_ours("old", 0640);
}

static void test_mode_that_somebody_else_chose_is_not_that_of_our_file(void **state)
{
        mode_t mask = umask(022);

        (void)state;
        if (geteuid() != 0)
                skip();
        write_text("theirs", "old");
        assert_return_code(chown("theirs", SOMEBODY, SOMEBODY), errno);
        assert_return_code(chmod("theirs", 06777), errno);
        assert_int_equal(file_write("theirs", "new", 3), 0);
        expect_ours("theirs", 0644);
        umask(mask);
}

static void test_links_of_ours_are_followed(void **state)
{
        (void)state;
        make_dir("dir");
        write_text("dir/file", "old");
        assert_return_code(symlink("file", "dir/second"), errno);
        assert_return_code(symlink("dir/second", "first"), errno);
        assert_int_equal(file_write("first", "new", 3), 0);
        expect_text("dir/file", "new");
        expect_ours("dir/file", 0644);
        assert_int_equal(readlink("dir/second", (char[8]){ 0 }, 8), 4);
}

static void test_link_of_somebody_else_does_not_choose_what_is_replaced(void **state)
{
        (void)state;
        if (geteuid() != 0)
                skip();
        write_text("precious", "old");
        assert_return_code(symlink("precious", "theirs"), errno);
        assert_return_code(lchown("theirs", SOMEBODY, SOMEBODY), errno);
        assert_return_code(symlink("theirs", "ours"), errno);
        assert_int_equal(file_write("theirs", "new", 3), -ELOOP);
        assert_int_equal(file_write("ours", "new", 3), -ELOOP);
        expect_text("precious", "old");
        assert_non_null(strstr(file_write_error_text(-ELOOP), "a symbolic link of another user's"));
}

/* Whoever may write in a directory can put a link in the place of one below it. */
static void test_link_of_somebody_else_does_not_choose_the_directory_either(void **state)
{
        (void)state;
        if (geteuid() != 0)
                skip();
        make_dir("etc");
        write_text("etc/file", "old");
        make_dir("theirs");
        assert_return_code(symlink("../etc", "theirs/link"), errno);
        assert_return_code(lchown("theirs/link", SOMEBODY, SOMEBODY), errno);
        assert_int_equal(file_write("theirs/link/file", "new", 3), -ELOOP);
        assert_int_equal(file_write("theirs/link/another", "new", 3), -ELOOP);
        expect_text("etc/file", "old");
        assert_int_equal(access("etc/another", F_OK), -1);
        /* By a link of ours to theirs, the same. */
        assert_return_code(symlink("theirs/link/file", "ours"), errno);
        assert_int_equal(file_write("ours", "new", 3), -ELOOP);
        expect_text("etc/file", "old");
}

/* They do it when it has been looked at and nothing is written yet. */
static void test_directory_is_the_one_that_was_looked_at(void **state)
{
        _cleanup_(new_file_done) struct new_file file = NEW_FILE_NONE;

        (void)state;
        make_dir("etc");
        make_dir("dir");
        assert_int_equal(new_file_open("dir/file", &file), 0);
        assert_int_equal(write(file.fd, "new", 3), 3);
        assert_return_code(rename("dir", "moved"), errno);
        assert_return_code(symlink("etc", "dir"), errno);
        assert_int_equal(new_file_commit(&file), 0);
        expect_text("moved/file", "new");
        assert_int_equal(access("etc/file", F_OK), -1);
}

static void expect_empty(const char *path)
{
        assert_return_code(rmdir(path), errno);
}

static void test_what_is_not_finished_leaves_nothing_behind(void **state)
{
        struct new_file file = NEW_FILE_NONE;

        (void)state;
        make_dir("dir");
        assert_int_equal(new_file_open("dir/file", &file), 0);
        new_file_done(&file);
        expect_empty("dir");
}

static void test_links_and_directories_of_ours_lead_on(void **state)
{
        _cleanup_(freep) char *here = get_current_dir_name(), *whole = NULL;

        (void)state;
        make_dir("dir");
        make_dir("dir/deep");
        assert_return_code(symlink("deep/../deep/.", "dir/link"), errno);
        assert_int_equal(file_write("dir//link/./file", "1", 1), 0);
        expect_text("dir/deep/file", "1");
        assert_return_code(asprintf(&whole, "%s/dir/link/file", here), errno);
        assert_return_code(symlink(whole, "absolute"), errno);
        assert_int_equal(file_write("absolute", "2", 1), 0);
        expect_text("dir/deep/file", "2");
        assert_return_code(symlink("dir/deep/new", "to-be"), errno);
        assert_int_equal(file_write("to-be", "3", 1), 0);
        expect_text("dir/deep/new", "3");
        assert_return_code(symlink("circle", "circle"), errno);
        assert_int_equal(file_write("circle", "4", 1), -ELOOP);
        assert_int_equal(file_write("circle/file", "4", 1), -ELOOP);
}

static void test_where_there_can_be_no_file_is_said(void **state)
{
        (void)state;
        make_dir("dir");
        write_text("file", "old");
        assert_int_equal(file_write("", "new", 3), -ENOENT);
        assert_int_equal(file_write("/", "new", 3), -EISDIR);
        assert_int_equal(file_write("dir", "new", 3), -EISDIR);
        assert_int_equal(file_write("dir/", "new", 3), -EISDIR);
        assert_int_equal(file_write("dir/..", "new", 3), -EISDIR);
        assert_int_equal(file_write("dir/new/", "new", 3), -EISDIR);
        assert_int_equal(file_write("none/file", "new", 3), -ENOENT);
        assert_int_equal(file_write("file/file", "new", 3), -ENOTDIR);
        assert_int_equal(file_write("/dev/null", "new", 3), -EINVAL);
        expect_text("file", "old");
        expect_empty("dir");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_attribute_that_says_it_is_empty_is_read_to_its_end),
                cmocka_unit_test(test_attribute_that_says_more_than_the_bound_and_is_shorter_is_read),
                in_temp_dir(test_attribute_at_the_bound_is_read_and_over_it_refused),
                in_temp_dir(test_file_of_ours_that_is_replaced_keeps_its_mode_and_no_setuid),
                in_temp_dir(test_mode_that_somebody_else_chose_is_not_that_of_our_file),
                in_temp_dir(test_links_of_ours_are_followed),
                in_temp_dir(test_link_of_somebody_else_does_not_choose_what_is_replaced),
                in_temp_dir(test_link_of_somebody_else_does_not_choose_the_directory_either),
                in_temp_dir(test_directory_is_the_one_that_was_looked_at),
                in_temp_dir(test_what_is_not_finished_leaves_nothing_behind),
                in_temp_dir(test_links_and_directories_of_ours_lead_on),
                in_temp_dir(test_where_there_can_be_no_file_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
