/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What somebody who types `espdfuctl config …` sees: output, messages, exit code. */
#include "client/config-check.h"
#include "tests/io/temp-dir.h"
#include "tests/unit/fixtures.h"

/* stdout or stderr goes to a file while a verb runs; returns the descriptor to give back to restore(). */
static int redirect(FILE *stream, const char *path)
{
        int before = dup(fileno(stream)), fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_return_code(before, errno);
        assert_return_code(fd, errno);
        fflush(stream);
        assert_return_code(dup2(fd, fileno(stream)), errno);
        close(fd);
        return before;
}

static void restore(FILE *stream, int before)
{
        fflush(stream);
        assert_return_code(dup2(before, fileno(stream)), errno);
        close(before);
}

static void expect_text(const char *path, const char *expected)
{
        char text[4096] = "";
        FILE *f = fopen(path, "re");

        assert_non_null(f);
        text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
        fclose(f);
        assert_string_equal(text, expected);
}

/* Runs the verb with its arguments, NULL at their end. */
static int run(char **argv)
{
        int argc = 0, out = redirect(stdout, "out"), err = redirect(stderr, "err"), code;

        while (argv[argc])
                argc++;
        code = verb_config(argc, argv);
        restore(stderr, err);
        restore(stdout, out);
        return code;
}

#define RUN(...) run((char *[]){ (char *)"config", __VA_ARGS__, NULL })

static char check[] = "check", etc[] = "etc";

static void test_good_configuration_is_counted(void **state)
{
        (void)state;
        make_dir("etc");
        write_text("etc/espdfud.conf",
                   "[slot A1]\nport = 1-1\n[policy a]\naction = hold\n[policy b]\naction = ignore\n");
        assert_int_equal(RUN(check, etc), 0);
        expect_text("out", "etc: ok, 1 slot, 0 hubs, 2 policies\n");
        expect_text("err", "");
}

static void test_every_error_is_a_line_on_stderr(void **state)
{
        (void)state;
        make_dir("etc");
        write_text("etc/espdfud.conf", "[policy a]\nattempts = 0\naction = hold\n[slot A1]\n");
        assert_int_equal(RUN(check, etc), 1);
        expect_text("out", "");
        expect_text("err", "etc/espdfud.conf:2: attempts = 0: expected 1 to 20\n"
                           "etc/espdfud.conf:4: [slot A1]: neither path nor port: expected one of them\n");
}

static void test_errors_past_the_bound_are_counted(void **state)
{
        char text[2 * 103 + 1], last[64] = "";
        FILE *f;

        (void)state;
        for (size_t i = 0; i + 1 < sizeof(text); i += 2)
                memcpy(text + i, "x\n", 2);
        make_dir("etc");
        write_bytes("etc/espdfud.conf", text, sizeof(text) - 1);
        assert_int_equal(RUN(check, etc), 1);
        f = fopen("err", "re");
        assert_non_null(f);
        while (fgets(last, sizeof(last), f))
                ;
        fclose(f);
        assert_string_equal(last, "and 3 more\n");
}

static void test_policy_whose_image_is_missing_is_told(void **state)
{
        (void)state;
        make_dir("etc");
        write_text("etc/espdfud.conf", "\n[policy a]\nimage = /nowhere/dfu.bin\n"
                                       "[policy b]\nimage = /nowhere/dfu.bin\naction = ignore\n");
        assert_int_equal(RUN(check, etc), 1);
        expect_text("out", "");
        expect_text("err",
                    "etc/espdfud.conf:2: image = /nowhere/dfu.bin: No such file or directory: expected a DFU "
                    "image that can be read\n");
}

/* etc/ with a policy whose image has an nvs partition of 0x6000 bytes, and the folder nvs. */
static void lay_out_board_data(void)
{
        struct bytes image = fixture_board_image(chip_by_name("esp32s2"));
        char cwd[PATH_MAX], text[3 * PATH_MAX], owner[16];

        snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
        setenv("ESPDFU_DATA_OWNER", owner, 1);
        assert_non_null(getcwd(cwd, sizeof(cwd)));
        make_dir("etc");
        make_dir("nvs");
        write_bytes("gizmo.bin", image.data, image.len);
        bytes_done(&image);
        snprintf(text, sizeof(text), "[policy gizmo]\nimage = %s/gizmo.bin\nboard-data = 0x9000:%s/nvs\n",
                 cwd, cwd);
        write_text("etc/espdfud.conf", text);
}

/* expected with the test's directory for each @. */
static void expect_text_here(const char *path, const char *expected)
{
        char cwd[PATH_MAX], text[4096] = "";
        size_t n = 0;

        assert_non_null(getcwd(cwd, sizeof(cwd)));
        for (const char *s = expected; *s && n < sizeof(text); s++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s", *s == '@' ? PATH_MAX : 1,
                                      *s == '@' ? cwd : s);
        expect_text(path, text);
}

static void test_files_for_boards_are_counted(void **state)
{
        (void)state;
        lay_out_board_data();
        write_text("nvs/a", "a");
        write_text("nvs/b", "b");
        assert_int_equal(RUN(check, etc), 0);
        expect_text_here("out", "policy gizmo: 2 files in @/nvs\netc: ok, 0 slots, 0 hubs, 1 policy\n");
        expect_text("err", "");
}

static void test_every_file_that_no_board_can_get_is_told(void **state)
{
        (void)state;
        lay_out_board_data();
        write_text("nvs/1-good", "a");
        write_text("nvs/2-large", "b");
        assert_return_code(truncate("nvs/2-large", 0x6001), errno);
        write_text("nvs/3-open", "c");
        assert_return_code(chmod("nvs/3-open", 0666), errno);
        write_text("nvs/4-empty", "");
        assert_int_equal(RUN(check, etc), 1);
        expect_text_here(
                "err",
                "etc/espdfud.conf:1: board-data = 0x9000:@/nvs: @/nvs/2-large: 24577 bytes do not fit "
                "partition nvs at 0x9000: expected at most 24576\n"
                "etc/espdfud.conf:1: board-data = 0x9000:@/nvs: @/nvs/3-open: mode 0666: expected no "
                "write permission for group and others (chmod go-w)\n"
                "etc/espdfud.conf:1: board-data = 0x9000:@/nvs: @/nvs/4-empty: empty: expected data\n");
        expect_text("out", "");
        assert_return_code(chmod("nvs", 0777), errno);
        assert_int_equal(RUN(check, etc), 1);
        expect_text_here("err",
                         "etc/espdfud.conf:1: board-data = 0x9000:@/nvs: @/nvs: mode 0777: expected no "
                         "write permission for group and others (chmod go-w)\n");
}

static void test_directory_that_is_not_there_is_told(void **state)
{
        (void)state;
        assert_int_equal(RUN(check, etc), 1);
        expect_text("err", "etc: No such file or directory: expected a directory with espdfud.conf\n");
}

static void test_wrong_usage_is_exit_code_2_and_one_line(void **state)
{
        static char vet[] = "vet", option[] = "--all", keys[] = "keys";

        (void)state;
        assert_int_equal(RUN(vet), 2);
        expect_text("err", "espdfuctl config: vet: expected check or keys\n");
        assert_int_equal(run((char *[]){ (char *)"config", NULL }), 2);
        expect_text("err", "espdfuctl config: no verb: expected check or keys\n");
        assert_int_equal(RUN(check, etc, vet), 2);
        expect_text("err", "espdfuctl config check: vet: expected one directory\n");
        assert_int_equal(RUN(check, option), 2);
        expect_text("err", "espdfuctl config: --all: unknown option, expected --help\n");
        assert_int_equal(RUN(keys, etc), 2);
        expect_text("err", "espdfuctl config keys: etc: expected nothing more\n");
}

static void test_help_and_the_list_of_keys_go_to_stdout(void **state)
{
        static char keys[] = "keys", help[] = "--help";
        struct stat st;

        (void)state;
        assert_int_equal(RUN(check, help), 0);
        assert_return_code(stat("out", &st), errno);
        assert_true(st.st_size > 200);
        assert_int_equal(RUN(keys), 0);
        assert_return_code(stat("out", &st), errno);
        assert_true(st.st_size > 1000);
        expect_text("err", "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                in_temp_dir(test_good_configuration_is_counted),
                in_temp_dir(test_every_error_is_a_line_on_stderr),
                in_temp_dir(test_errors_past_the_bound_are_counted),
                in_temp_dir(test_policy_whose_image_is_missing_is_told),
                in_temp_dir(test_files_for_boards_are_counted),
                in_temp_dir(test_every_file_that_no_board_can_get_is_told),
                in_temp_dir(test_directory_that_is_not_there_is_told),
                in_temp_dir(test_wrong_usage_is_exit_code_2_and_one_line),
                in_temp_dir(test_help_and_the_list_of_keys_go_to_stdout),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
