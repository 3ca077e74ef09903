/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which keys are believed, and what is said of a file that cannot be one. */
#include "io/key-dir.h"
#include "tests/io/temp-dir.h"
#include "tests/unit/config-text.h"
#include "tests/unit/keys.h"

#define ROOTS(what)                                                                                          \
        ": expected a " what " of root that nobody else may write: who can write it decides what is "        \
                             "flashed\n"
#define NO_FILE ": expected a regular file of at most 16 KiB that espdfud can read\n"

/* etc/ and vendor/, each with its keys.d. */
static int two_places(void **state)
{
        if (enter_temp_dir(state) < 0)
                return -1;
        make_dir("etc");
        make_dir("etc/keys.d");
        make_dir("vendor");
        make_dir("vendor/keys.d");
        return 0;
}

/* messages: what it is answered with, "" for nothing. */
static void read_keys(uid_t owner, struct trusted_keys *keys, const char *messages)
{
        struct config_errors errors = {};
        _cleanup_(freep) char *said = NULL;

        assert_int_equal(key_dir_read("etc", "vendor", owner, keys, &errors), 0);
        said = errors_text(&errors);
        assert_string_equal(said, messages);
        config_errors_done(&errors);
}

/* Their names, in order, "" for none. */
static void expect_keys(const char *names)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};
        char found[256] = "";
        size_t n = 0;

        read_keys(geteuid(), &keys, "");
        for (size_t i = 0; i < keys.n; i++)
                n += (size_t)snprintf(found + n, sizeof(found) - n, "%s%s", i > 0 ? " " : "",
                                      keys.items[i].name);
        assert_string_equal(found, names);
        assert_string_equal(keys.dir, "etc/keys.d");
}

static void expect_wrong(const char *messages)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};

        read_keys(geteuid(), &keys, messages);
}

static void test_directories_that_are_not_there_have_no_keys(void **state)
{
        (void)state;
        assert_return_code(rmdir("etc/keys.d"), errno);
        assert_return_code(rmdir("vendor/keys.d"), errno);
        expect_keys("");
}

static void test_keys_of_both_places_are_read_and_other_files_are_not(void **state)
{
        (void)state;
        write_text("etc/keys.d/b.pem", PUBLIC_1);
        write_text("vendor/keys.d/a.pem", PUBLIC_3);
        write_text("etc/keys.d/README", "not a key\n");
        write_text("etc/keys.d/.hidden.pem", "not a key\n");
        write_text("etc/keys.d/b.pem~", "not a key\n");
        expect_keys("a.pem b.pem");
}

static void test_key_masks_the_vendors_of_the_same_name(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};
        uint8_t own[SIGNATURE_KEY_SIZE];

        (void)state;
        write_text("vendor/keys.d/a.pem", PUBLIC_3);
        write_text("etc/keys.d/a.pem", PUBLIC_1);
        read_keys(geteuid(), &keys, "");
        assert_int_equal(keys.n, 1);
        assert_int_equal(signature_public_key(PUBLIC_1, strlen(PUBLIC_1), own, NULL), 0);
        assert_memory_equal(keys.items[0].bytes, own, sizeof(own));
}

static void test_empty_file_and_dev_null_leave_nothing_of_the_vendors_key(void **state)
{
        (void)state;
        write_text("vendor/keys.d/a.pem", PUBLIC_1);
        write_text("vendor/keys.d/b.pem", PUBLIC_3);
        write_text("etc/keys.d/a.pem", "");
        assert_return_code(symlink("/dev/null", "etc/keys.d/b.pem"), errno);
        expect_keys("");
}

static void test_file_that_is_no_key_is_told_with_what_it_is(void **state)
{
        (void)state;
        write_text("etc/keys.d/a.pem", PRIVATE_1);
        make_dir("etc/keys.d/b.pem");
        assert_return_code(mkfifo("etc/keys.d/c.pem", 0644), errno);
        assert_return_code(symlink("nowhere", "etc/keys.d/d.pem"), errno);
        write_text("vendor/keys.d/e.pem", "text\n");
        write_text("vendor/keys.d/f.pem", PUBLIC_1);
        expect_wrong(
                "etc/keys.d/a.pem: a private key: expected one Ed25519 public key in PEM (BEGIN PUBLIC KEY)\n"
                "etc/keys.d/b.pem: Is a directory" NO_FILE "etc/keys.d/c.pem: Invalid argument" NO_FILE
                "etc/keys.d/d.pem: No such file or directory" NO_FILE
                "vendor/keys.d/e.pem: no PEM: expected one Ed25519 public key in PEM (BEGIN PUBLIC KEY)\n");
}

static void test_file_over_the_bound_is_refused(void **state)
{
        char text[SIGNATURE_PEM_MAX + 1];

        (void)state;
        memset(text, '\n', sizeof(text));
        memcpy(text, PUBLIC_1, strlen(PUBLIC_1));
        write_bytes("etc/keys.d/a.pem", text, sizeof(text) - 1);
        expect_keys("a.pem");
        write_bytes("etc/keys.d/a.pem", text, sizeof(text));
        expect_wrong("etc/keys.d/a.pem: File too large" NO_FILE);
}

static void test_more_keys_than_the_bound_are_refused(void **state)
{
        char path[64];

        (void)state;
        for (unsigned i = 0; i < TRUSTED_KEYS_MAX; i++) {
                snprintf(path, sizeof(path), "etc/keys.d/%u.pem", i);
                write_text(path, PUBLIC_1);
        }
        expect_wrong("");
        write_text("vendor/keys.d/more.pem", PUBLIC_1);
        expect_wrong("vendor/keys.d: expected at most 16 keys\n");
}

static void test_key_that_others_may_write_is_refused(void **state)
{
        char expected[256];

        (void)state;
        write_text("etc/keys.d/a.pem", PUBLIC_1);
        assert_return_code(chmod("etc/keys.d/a.pem", 0664), errno);
        snprintf(expected, sizeof(expected), "etc/keys.d/a.pem: owned by user %u, mode 0664" ROOTS("file"),
                 (unsigned)geteuid());
        expect_wrong(expected);
        assert_return_code(chmod("etc/keys.d/a.pem", 0646), errno);
        snprintf(expected, sizeof(expected), "etc/keys.d/a.pem: owned by user %u, mode 0646" ROOTS("file"),
                 (unsigned)geteuid());
        expect_wrong(expected);
        assert_return_code(chmod("etc/keys.d/a.pem", 0444), errno);
        expect_keys("a.pem");
}

static void test_directory_that_others_may_write_is_refused(void **state)
{
        char expected[256];

        (void)state;
        assert_return_code(chmod("vendor/keys.d", 0777), errno);
        snprintf(expected, sizeof(expected), "vendor/keys.d: owned by user %u, mode 0777" ROOTS("directory"),
                 (unsigned)geteuid());
        expect_wrong(expected);
}

/* Root gives the files away; anybody else asks for root's, which theirs are not. */
static void test_key_and_directory_of_somebody_else_are_refused(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};
        unsigned other = geteuid() == 0 ? 65534 : geteuid();
        char expected[512];

        (void)state;
        write_text("etc/keys.d/a.pem", PUBLIC_1);
        if (geteuid() == 0) {
                assert_return_code(chown("etc/keys.d", other, 0), errno);
                assert_return_code(chown("etc/keys.d/a.pem", other, 0), errno);
        }
        assert_return_code(rmdir("vendor/keys.d"), errno);
        snprintf(expected, sizeof(expected),
                 "etc/keys.d: owned by user %u, mode 0755" ROOTS(
                         "directory") "etc/keys.d/a.pem: owned by user %u, mode 0644" ROOTS("file"),
                 other, other);
        read_keys(0, &keys, expected);
        assert_int_equal(keys.n, 0);
}

static void test_who_names_a_directory_may_own_its_keys(void **state)
{
        _cleanup_(trusted_keys_done) struct trusted_keys keys = {};

        (void)state;
        write_text("etc/keys.d/a.pem", PUBLIC_1);
        if (geteuid() == 0) {
                assert_return_code(chown("etc/keys.d", 65534, 0), errno);
                assert_return_code(chown("etc/keys.d/a.pem", 65534, 0), errno);
        }
        read_keys(geteuid() == 0 ? 65534 : geteuid(), &keys, "");
        assert_int_equal(keys.n, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, two_places, leave_temp_dir)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_directories_that_are_not_there_have_no_keys),
                TEST(test_keys_of_both_places_are_read_and_other_files_are_not),
                TEST(test_key_masks_the_vendors_of_the_same_name),
                TEST(test_empty_file_and_dev_null_leave_nothing_of_the_vendors_key),
                TEST(test_file_that_is_no_key_is_told_with_what_it_is),
                TEST(test_file_over_the_bound_is_refused),
                TEST(test_more_keys_than_the_bound_are_refused),
                TEST(test_key_that_others_may_write_is_refused),
                TEST(test_directory_that_others_may_write_is_refused),
                TEST(test_key_and_directory_of_somebody_else_are_refused),
                TEST(test_who_names_a_directory_may_own_its_keys),
        };

        umask(022);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
