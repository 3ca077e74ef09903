/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What somebody who types `espdfuctl config …` sees: output, messages, exit code. */
#include "client/config-check.h"
#include "client/service-view.h"
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

/* One of the lines is this one. */
static void expect_line(const char *path, const char *expected)
{
        char line[1024] = "";
        FILE *f = fopen(path, "re");

        assert_non_null(f);
        while (!streq(line, expected) && fgets(line, sizeof(line), f))
                ;
        fclose(f);
        assert_string_equal(line, expected);
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

static void test_range_of_slots_is_shown_as_far_as_it_is_known_without_hubs(void **state)
{
        (void)state;
        make_dir("etc");
        write_text("etc/espdfud.conf",
                   "[slot A1]\nport = 1-1\n[slot B*]\npath = pci-0000:00:14.0-usb-0:2.*\n");
        assert_int_equal(RUN(check, etc), 0);
        expect_text("out",
                    "etc: ok, 1 slot, 0 hubs, 0 policies\n"
                    "etc/espdfud.conf:3: [slot B*]: B1, … for the ports pci-0000:00:14.0-usb-0:2.*: espdfud "
                    "numbers them by its hubs\n");
        expect_text("err", "");
}

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

static void test_image_that_the_service_does_not_see_is_warned_about(void **state)
{
        (void)state;
        make_dir("etc");
        write_text("etc/espdfud.conf", "[policy a]\nimage = /home/nobody-here/dfu.bin\n"
                                       "[policy b]\nimage = /var/tmp/nowhere/dfu.bin\n"
                                       "[policy c]\nimage = /home/nobody-here/dfu.bin\naction = ignore\n");
        assert_int_equal(RUN(check, etc), 1);
        expect_text(
                "err",
                "etc/espdfud.conf:1: image = /home/nobody-here/dfu.bin: warning: espdfud.service does not "
                "see it, its unit has ProtectHome=yes: move it to /srv or /var/lib\n"
                "etc/espdfud.conf:3: image = /var/tmp/nowhere/dfu.bin: warning: espdfud.service does not "
                "see it, its unit has PrivateTmp=yes: move it to /srv or /var/lib\n"
                "etc/espdfud.conf:1: image = /home/nobody-here/dfu.bin: No such file or directory: expected "
                "a DFU image that can be read\n"
                "etc/espdfud.conf:3: image = /var/tmp/nowhere/dfu.bin: No such file or directory: expected "
                "a DFU image that can be read\n");
}

/* Everything here is below /tmp; the link's own path is in no place that the service would not see. */
static void test_link_to_where_the_service_does_not_see_is_warned_about(void **state)
{
        char link[64], text[256], expected[256];

        (void)state;
        snprintf(link, sizeof(link), "/proc/%d/cwd", (int)getpid());
        make_dir("etc");
        write_text("dfu.bin", "no image");
        snprintf(text, sizeof(text), "[policy a]\nimage = %s/dfu.bin\n", link);
        write_text("etc/espdfud.conf", text);
        assert_int_equal(RUN(check, etc), 1);
        snprintf(expected, sizeof(expected),
                 "etc/espdfud.conf:1: image = %s/dfu.bin: warning: espdfud.service does not see it, its unit "
                 "has "
                 "PrivateTmp=yes: move it to /srv or /var/lib\n",
                 link);
        expect_line("err", expected);
}

static void expect_mode_fault(const char *path, const char *expected)
{
        _cleanup_(freep) char *fault = service_view_mode_fault(path, "espdfu", 12345, 54321);

        if (!fault || !expected)
                assert_ptr_equal(fault, expected);
        else
                assert_string_equal(fault, expected);
}

static void test_mode_that_keeps_the_services_user_out_is_told(void **state)
{
        char path[64], expected[256];

        assert_return_code(chmod(*state, 0755), errno);
        make_dir("firmware");
        write_text("firmware/dfu.bin", "");
        snprintf(path, sizeof(path), "%s/firmware/dfu.bin", (const char *)*state);
        expect_mode_fault(path, NULL);
        assert_return_code(chmod(path, 0640), errno);
        snprintf(expected, sizeof(expected), "user espdfu may not read %s, which has mode 0640: chmod o+r",
                 path);
        expect_mode_fault(path, expected);
        assert_return_code(chmod("firmware", 0750), errno);
        snprintf(expected, sizeof(expected),
                 "user espdfu may not enter %s/firmware, which has mode 0750: chmod o+x",
                 (const char *)*state);
        expect_mode_fault(path, expected);
        expect_mode_fault("/nowhere/dfu.bin", NULL);
}

static void test_signature_that_a_policy_requires_is_checked(void **state)
{
        const char *dir = *state;
        char text[256], expected[256];

        make_dir("etc");
        write_text("dfu.bin", "no image");
        snprintf(text, sizeof(text), "[policy a]\nimage = %s/dfu.bin\nsignature = required\n", dir);
        write_text("etc/espdfud.conf", text);
        assert_int_equal(RUN(check, etc), 1);
        snprintf(expected, sizeof(expected),
                 "etc/espdfud.conf:1: image = %s/dfu.bin: no signature beside it (%s/dfu.bin.sig); policy "
                 "says "
                 "signature = required\n",
                 dir, dir);
        expect_line("err", expected);
}

static void test_key_that_is_none_is_an_error(void **state)
{
        (void)state;
        make_dir("etc");
        make_dir("etc/keys.d");
        write_text("etc/keys.d/vendor.pem", "text\n");
        assert_int_equal(RUN(check, etc), 1);
        expect_text("err",
                    "etc/keys.d/vendor.pem: no PEM: expected one Ed25519 public key in PEM (BEGIN PUBLIC "
                    "KEY)\n");
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

/* The tests' images lie in /tmp, which is warned about. */
static void drop_warnings(const char *path)
{
        char text[4096] = "", line[1024];
        size_t n = 0;
        FILE *f = fopen(path, "re");

        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
                if (!strstr(line, ": warning: "))
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", line);
        fclose(f);
        assert_true(n < sizeof(text));
        write_text(path, text);
}

static void test_files_for_boards_are_counted(void **state)
{
        (void)state;
        lay_out_board_data();
        write_text("nvs/a", "a");
        write_text("nvs/b", "b");
        assert_int_equal(RUN(check, etc), 0);
        expect_text_here("out", "policy gizmo: 2 files in @/nvs\netc: ok, 0 slots, 0 hubs, 1 policy\n");
        drop_warnings("err");
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
        drop_warnings("err");
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
        drop_warnings("err");
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
                in_temp_dir(test_range_of_slots_is_shown_as_far_as_it_is_known_without_hubs),
                in_temp_dir(test_every_error_is_a_line_on_stderr),
                in_temp_dir(test_errors_past_the_bound_are_counted),
                in_temp_dir(test_policy_whose_image_is_missing_is_told),
                in_temp_dir(test_image_that_the_service_does_not_see_is_warned_about),
                in_temp_dir(test_link_to_where_the_service_does_not_see_is_warned_about),
                in_temp_dir(test_mode_that_keeps_the_services_user_out_is_told),
                in_temp_dir(test_signature_that_a_policy_requires_is_checked),
                in_temp_dir(test_key_that_is_none_is_an_error),
                in_temp_dir(test_files_for_boards_are_counted),
                in_temp_dir(test_every_file_that_no_board_can_get_is_told),
                in_temp_dir(test_directory_that_is_not_there_is_told),
                in_temp_dir(test_wrong_usage_is_exit_code_2_and_one_line),
                in_temp_dir(test_help_and_the_list_of_keys_go_to_stdout),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
