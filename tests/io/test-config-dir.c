/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which files make the configuration, in which order, and what is said of a file that cannot be one. */
#include "io/config-dir.h"
#include "io/file.h"
#include "tests/io/temp-dir.h"
#include "tests/unit/config-text.h"
#include "tests/unit/keys.h"

#define NO_FILE ": expected a regular file of at most 256 KiB that can be read\n"

/* etc/ and vendor/, each with its drop-ins' directory. */
static int two_places(void **state)
{
        if (enter_temp_dir(state) < 0)
                return -1;
        make_dir("etc");
        make_dir("etc/espdfud.conf.d");
        make_dir("vendor");
        make_dir("vendor/espdfud.conf.d");
        return 0;
}

static struct config *load(void)
{
        struct config *config = NULL;
        struct config_errors errors = {};

        assert_int_equal(config_load("etc", "vendor", &config, &errors), 0);
        assert_int_equal(errors.total, 0);
        return config;
}

static void expect_station(const char *name)
{
        _cleanup_(config_freep) struct config *config = load();

        assert_non_null(config->station_name);
        assert_string_equal(config->station_name, name);
}

static void expect_wrong(const char *messages)
{
        struct config *config = NULL;
        struct config_errors errors = {};
        _cleanup_(freep) char *said = NULL;

        assert_int_equal(config_load("etc", "vendor", &config, &errors), 1);
        assert_null(config);
        said = errors_text(&errors);
        assert_string_equal(said, messages);
        config_errors_done(&errors);
}

static void test_directory_alone_is_a_configuration(void **state)
{
        _cleanup_(config_freep) struct config *config = load();

        (void)state;
        assert_null(config->station_name);
        assert_int_equal(config->n_policies, 0);
}

static void test_missing_directory_is_an_error(void **state)
{
        struct config *config = NULL;
        struct config_errors errors = {};

        (void)state;
        assert_int_equal(config_load("nowhere", "vendor", &config, &errors), -ENOENT);
        write_text("file", "");
        assert_int_equal(config_load("file", "vendor", &config, &errors), -ENOTDIR);
        assert_int_equal(errors.total, 0);
        assert_null(config);
}

static void test_keys_are_part_of_the_configuration(void **state)
{
        _cleanup_(config_freep) struct config *config = NULL;

        (void)state;
        make_dir("etc/keys.d");
        make_dir("vendor/keys.d");
        write_text("etc/keys.d/vendor.pem", PUBLIC_1);
        write_text("vendor/keys.d/another.pem", PUBLIC_3);
        config = load();
        assert_int_equal(config->keys.n, 2);
        assert_string_equal(config->keys.items[0].name, "another.pem");
        assert_string_equal(config->keys.items[1].name, "vendor.pem");
        write_text("etc/keys.d/vendor.pem", PRIVATE_1);
        expect_wrong(
                "etc/keys.d/vendor.pem: a private key: expected one Ed25519 public key in PEM (BEGIN PUBLIC "
                "KEY)\n");
}

static void test_vendors_directory_need_not_be_there(void **state)
{
        _cleanup_(config_freep) struct config *config = NULL, *other = NULL;
        struct config_errors errors = {};

        (void)state;
        assert_int_equal(config_load("etc", "nowhere", &config, &errors), 0);
        assert_int_equal(config_load("etc", NULL, &other, &errors), 0);
}

static void test_drop_ins_of_both_places_are_read_by_name_after_the_main_file(void **state)
{
        _cleanup_(config_freep) struct config *config = NULL;

        (void)state;
        write_text("etc/espdfud.conf", "[station]\nname = main\n[policy main]\naction = hold\n");
        write_text("etc/espdfud.conf.d/30-c.conf", "[policy c]\naction = hold\n");
        write_text("vendor/espdfud.conf.d/20-b.conf", "[policy b]\naction = hold\n[station]\nname = b\n");
        write_text("etc/espdfud.conf.d/10-a.conf", "[policy a]\naction = hold\n[station]\nname = a\n");
        config = load();
        assert_int_equal(config->n_policies, 4);
        assert_string_equal(config->policies[0].name, "main");
        assert_string_equal(config->policies[1].name, "a");
        assert_string_equal(config->policies[2].name, "b");
        assert_string_equal(config->policies[3].name, "c");
        assert_string_equal(config->station_name, "b");
}

static void test_drop_in_masks_the_vendors_of_the_same_name(void **state)
{
        (void)state;
        write_text("vendor/espdfud.conf.d/10-a.conf", "[station]\nname = vendor\n");
        expect_station("vendor");
        write_text("etc/espdfud.conf.d/10-a.conf", "[station]\nname = own\n");
        expect_station("own");
}

static void test_empty_file_or_dev_null_leaves_nothing_of_the_vendors(void **state)
{
        (void)state;
        write_text("vendor/espdfud.conf.d/10-a.conf", "[station]\nname = vendor\n");
        write_text("vendor/espdfud.conf.d/20-b.conf", "[station]\nname = vendor\n");
        write_text("etc/espdfud.conf.d/10-a.conf", "");
        assert_return_code(symlink("/dev/null", "etc/espdfud.conf.d/20-b.conf"), errno);
        test_directory_alone_is_a_configuration(state);
}

static void test_other_files_beside_the_drop_ins_are_left_alone(void **state)
{
        static const char *const others[] = { "README", "a.conf~", "a.conf.dpkg-old", ".a.conf", ".conf" };
        char path[64];

        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                snprintf(path, sizeof(path), "etc/espdfud.conf.d/%s", others[i]);
                write_text(path, "nonsense\n");
        }
        test_directory_alone_is_a_configuration(state);
}

static void test_errors_of_all_files_are_told_in_one_go(void **state)
{
        (void)state;
        write_text("etc/espdfud.conf", "[station]\njobs-max = x\n[policy a]\naction = hold\n");
        write_text("etc/espdfud.conf.d/a.conf", "\n[policy a]\naction = hold\n");
        make_dir("etc/espdfud.conf.d/b.conf");
        assert_return_code(mkfifo("etc/espdfud.conf.d/c.conf", 0644), errno);
        assert_return_code(symlink("nowhere", "etc/espdfud.conf.d/d.conf"), errno);
        write_text("vendor/espdfud.conf.d/e.conf", "[slot A1]\n");
        expect_wrong(
                "etc/espdfud.conf:2: jobs-max = x: expected 0 (no limit) to 1024\n"
                "etc/espdfud.conf.d/a.conf:2: [policy a]: expected one definition, etc/espdfud.conf:3 has "
                "another\n"
                "etc/espdfud.conf.d/b.conf: Is a directory" NO_FILE
                "etc/espdfud.conf.d/c.conf: Invalid argument" NO_FILE
                "etc/espdfud.conf.d/d.conf: No such file or directory" NO_FILE
                "vendor/espdfud.conf.d/e.conf:1: [slot A1]: neither path nor port: expected one of them\n");
}

static void test_main_file_that_is_a_link_to_nowhere_is_not_a_missing_one(void **state)
{
        (void)state;
        assert_return_code(symlink("nowhere", "etc/espdfud.conf"), errno);
        expect_wrong("etc/espdfud.conf: No such file or directory" NO_FILE);
}

static void test_file_has_a_bound(void **state)
{
        size_t n = CONFIG_FILE_MAX;
        _cleanup_(freep) char *text = malloc(n + 1);

        assert_non_null(text);
        memset(text, '\n', n + 1);
        write_bytes("etc/espdfud.conf", text, n);
        test_directory_alone_is_a_configuration(state);
        write_bytes("etc/espdfud.conf", text, n + 1);
        expect_wrong("etc/espdfud.conf: File too large" NO_FILE);
}

static void test_drop_ins_have_a_bound(void **state)
{
        char path[64];

        for (unsigned i = 0; i < CONFIG_FILES_MAX; i++) {
                snprintf(path, sizeof(path), "etc/espdfud.conf.d/%u.conf", i);
                write_text(path, "");
        }
        test_directory_alone_is_a_configuration(state);
        write_text("vendor/espdfud.conf.d/more.conf", "");
        expect_wrong("vendor/espdfud.conf.d: expected at most 256 drop-ins\n");
}

static void test_file_is_read_whole_and_ends_with_a_nul(void **state)
{
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len = 0;

        (void)state;
        write_bytes("file", "a\0b", 3);
        assert_int_equal(file_read("file", 2, &data, &len), -EFBIG);
        assert_null(data);
        assert_int_equal(file_read("file", 3, &data, &len), 0);
        assert_int_equal(len, 3);
        assert_memory_equal(data, "a\0b", 4);
}

static void test_what_is_no_regular_file_is_not_read(void **state)
{
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len = 0;

        (void)state;
        assert_return_code(mkfifo("fifo", 0644), errno);
        assert_int_equal(file_read("fifo", 10, &data, &len), -EINVAL);
        assert_int_equal(file_read("/dev/null", 10, &data, &len), -EINVAL);
        assert_int_equal(file_read("etc", 10, &data, &len), -EISDIR);
        assert_int_equal(file_read("nothing", 10, &data, &len), -ENOENT);
}

#define in_two_places(test) cmocka_unit_test_setup_teardown(test, two_places, leave_temp_dir)

int main(void)
{
        const struct CMUnitTest tests[] = {
                in_two_places(test_directory_alone_is_a_configuration),
                in_two_places(test_missing_directory_is_an_error),
                in_two_places(test_keys_are_part_of_the_configuration),
                in_two_places(test_vendors_directory_need_not_be_there),
                in_two_places(test_drop_ins_of_both_places_are_read_by_name_after_the_main_file),
                in_two_places(test_drop_in_masks_the_vendors_of_the_same_name),
                in_two_places(test_empty_file_or_dev_null_leaves_nothing_of_the_vendors),
                in_two_places(test_other_files_beside_the_drop_ins_are_left_alone),
                in_two_places(test_errors_of_all_files_are_told_in_one_go),
                in_two_places(test_main_file_that_is_a_link_to_nowhere_is_not_a_missing_one),
                in_two_places(test_file_has_a_bound),
                in_two_places(test_drop_ins_have_a_bound),
                in_two_places(test_file_is_read_whole_and_ends_with_a_nul),
                in_two_places(test_what_is_no_regular_file_is_not_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
