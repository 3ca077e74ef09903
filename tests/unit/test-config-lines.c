/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a line may look like: around inih stands a reader of our own, since inih cuts, joins and passes over lines. */
#include <stdio.h>

#include "tests/unit/config-text.h"

#define NO_KEY  " bytes: expected KEY = VALUE or [SECTION]\n"
#define LINE    "line3.conf:2: "
#define INDENT  "indented line: expected a key or a section at the line's start\n"
#define SECTION "[policy a]\naction = hold\n"

/* A policy whose image makes a line of n bytes, then after; to be freed. */
static char *policy_with_line_of(size_t n, const char *after)
{
        static const char head[] = "[policy a]\n", key[] = "image = /";
        size_t size = sizeof(head) + n + strlen(after) + 2;
        char *text = calloc(1, size);

        assert_non_null(text);
        snprintf(text, size, "%s%s%*s\n%s", head, key, (int)(n - strlen(key)), "", after);
        memset(text + strlen(head) + strlen(key), 'x', n - strlen(key));
        return text;
}

static void test_longest_line_arrives_whole(void **state)
{
        _cleanup_(freep) char *text = policy_with_line_of(CONFIG_LINE_MAX, "attempts = 7\n");
        _cleanup_(config_freep) struct config *config = read_text(text, "");

        (void)state;
        assert_int_equal(strlen(config->policies[0].image), CONFIG_LINE_MAX - strlen("image = "));
        assert_int_equal(config->policies[0].attempts, 7);
}

static void test_line_that_inih_would_cut_is_refused_and_the_next_one_is_read(void **state)
{
        for (size_t n = CONFIG_LINE_MAX + 1; n < CONFIG_LINE_MAX + 30; n++) {
                _cleanup_(freep) char *text = policy_with_line_of(n, "attempts = 0\n");
                char messages[512];

                snprintf(messages, sizeof(messages),
                         "line3.conf:2: line of %zu bytes: expected at most 198\n"
                         "line3.conf:3: attempts = 0: expected 1 to 20\n"
                         "line3.conf:1: [policy a]: action = flash: expected an image key beside it\n",
                         n);
                expect_messages(text, messages);
        }
        (void)state;
}

static void test_comment_may_be_of_any_length(void **state)
{
        static const char after[] = "\n[station]\njobs-max = 8\n";
        char text[1024];
        struct config *config;

        (void)state;
        memset(text, '#', sizeof(text));
        memcpy(text + sizeof(text) - sizeof(after), after, sizeof(after));
        config = read_text(text, "");
        assert_int_equal(config->jobs_max, 8);
        config_free(config);
}

static void test_indented_key_is_no_continuation(void **state)
{
        (void)state;
        expect_messages(SECTION "  attempts = 5\n", "line3.conf:3: " INDENT);
        expect_messages(SECTION "\tmore\n", "line3.conf:3: " INDENT);
        expect_messages(SECTION "  ; an indented comment is a comment\n  \t\n", "");
}

static void test_header_without_its_bracket_does_not_pass_into_the_section_before(void **state)
{
        _cleanup_(config_freep) struct config *config = read_text(
                SECTION "[slot A1\nport = 1-4.1\nattempts = 5\n[policy b]\naction = hold\n",
                "line3.conf:3: line of 8 bytes that begins with [: expected ] at its end\n");

        (void)state;
        assert_int_equal(config->n_slots, 0);
        assert_int_equal(config->n_policies, 2);
        assert_null(config->policies[0].port);
        assert_int_equal(config->policies[0].attempts, 3);
}

static void test_every_broken_header_is_refused(void **state)
{
        static const char known[] = ": expected [station], [slot NAME], [hub NAME] or [policy NAME]\n";

        (void)state;
        expect_messages("\n[station] x\n",
                        LINE "line of 11 bytes that begins with [: expected nothing after ]\n");
        expect_messages("\n[station]]\n",
                        LINE "line of 10 bytes that begins with [: expected nothing after ]\n");
        expect_messages("\n  [station]\nname = 7/8\n", LINE INDENT);
        for (size_t i = 0; i < 5; i++) {
                static const char *const headers[] = { "[]", "[[station]", "[Station]", "[station x]",
                                                       "[slots A1]" };
                char text[64], messages[128];

                snprintf(text, sizeof(text), "\n%s\nname = 7/8\n", headers[i]);
                snprintf(messages, sizeof(messages), LINE "%s%s", headers[i], known);
                expect_messages(text, messages);
        }
}

static void test_header_may_have_a_comment_and_space(void **state)
{
        _cleanup_(config_freep) struct config *config = read_text(
                "[ station ] ; this one\njobs-max = 3\n[slot\tA1]# left\nport = 1-1", "");

        (void)state;
        assert_int_equal(config->jobs_max, 3);
        assert_string_equal(config->slots[0].name, "A1");
        assert_string_equal(config->slots[0].port, "1-1");
}

static void test_line_that_is_no_key_is_refused(void **state)
{
        (void)state;
        expect_messages("[station]\njobs-max 3\n", LINE "line of 10" NO_KEY);
        expect_messages("[station]\njobs-max: 3\n", LINE "line of 11" NO_KEY);
        expect_messages("[station]\n= 3\n", LINE "line of 3" NO_KEY);
        expect_messages("[station]\njobs-max ; = 3\n", LINE "line of 14" NO_KEY);
}

/* A drop-in that is a symbolic link to /etc/shadow, a key or another program's configuration. */
static void test_nothing_of_a_file_that_is_no_configuration_is_told(void **state)
{
        (void)state;
        expect_messages(
                "root:*:20228:0:99999:7:::\n[mysql]\npassword = hunter2\nMIIEvQIBADANBg8kqhkiG9w0=\n",
                "line3.conf:1: line of 25 bytes: expected KEY = VALUE or [SECTION]\n"
                "line3.conf:2: [mysql]: expected [station], [slot NAME], [hub NAME] or [policy NAME]\n");
        expect_messages("password = hunter2\nMIIEvQIBADANBg8kqhkiG9w0=\n",
                        "line3.conf:1: password = …: expected a section before it, such as [station]\n"
                        "line3.conf:2: KEY = …: expected a section before it, such as [station]\n");
}

static void test_value_ends_at_a_space_and_a_semicolon(void **state)
{
        _cleanup_(config_freep) struct config *config = read_text(
                "[policy a]\nimage = /srv/a;b.bin ; the new one\nattempts=4\t; four\n", "");

        (void)state;
        assert_string_equal(config->policies[0].image, "/srv/a;b.bin");
        assert_int_equal(config->policies[0].attempts, 4);
}

static void test_hash_begins_no_comment_after_a_value(void **state)
{
        (void)state;
        expect_messages("[station]\njobs-max = 3 # three\n",
                        LINE "jobs-max = 3 # three: expected 0 (no limit) to 1024\n");
}

static void test_equals_signs_and_colons_in_a_value_stay(void **state)
{
        _cleanup_(config_freep) struct config *config = read_text(
                "[policy a]\nimage = /srv/a=b:c.bin\nserial=7C:DF:*\n", "");

        (void)state;
        assert_string_equal(config->policies[0].image, "/srv/a=b:c.bin");
        assert_string_equal(config->policies[0].serial, "7C:DF:*");
}

static void test_bytes_that_are_no_text_are_refused_with_their_place(void **state)
{
        static const char nul[] = "[station]\njobs-max = 3\0 4\njobs-max = 9\n";

        (void)state;
        config_free(read_bytes(nul, sizeof(nul) - 1,
                               LINE "control character 0x00 in column 13: expected text\n"));
        expect_messages("[station]\nname = \x1b[31mred\n",
                        LINE "control character 0x1b in column 8: expected text\n");
        expect_messages("[station]\nname = \xc2\x9b"
                        "31m\n",
                        LINE "control character 0x9b in column 8: expected text\n");
        expect_messages("[station]\n# M\xfcller\n", LINE "byte 0xfc in column 4: expected UTF-8\n");
        expect_messages("[station]\n# Müller\n", "");
        expect_messages("[station]\nname = a\rb\n",
                        LINE "control character 0x0d in column 9: expected text\n");
}

static void test_header_with_bad_bytes_takes_its_keys_with_it(void **state)
{
        (void)state;
        expect_messages("[station]\n[policy \x01]\njobs-max = 9999\n",
                        LINE "control character 0x01 in column 9: expected text\n");
}

static void test_crlf_byte_order_mark_and_a_missing_last_newline_are_fine(void **state)
{
        _cleanup_(config_freep) struct config *config = read_text(
                "\xef\xbb\xbf[station]\r\n\r\nname = line3-a\r\njobs-max = 12", "");

        (void)state;
        assert_string_equal(config->station_name, "line3-a");
        assert_int_equal(config->jobs_max, 12);
}

static void test_empty_text_is_a_configuration(void **state)
{
        (void)state;
        expect_messages("", "");
        expect_messages("\n\n", "");
        expect_messages("\xef\xbb\xbf", "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_longest_line_arrives_whole),
                cmocka_unit_test(test_line_that_inih_would_cut_is_refused_and_the_next_one_is_read),
                cmocka_unit_test(test_comment_may_be_of_any_length),
                cmocka_unit_test(test_indented_key_is_no_continuation),
                cmocka_unit_test(test_header_without_its_bracket_does_not_pass_into_the_section_before),
                cmocka_unit_test(test_every_broken_header_is_refused),
                cmocka_unit_test(test_header_may_have_a_comment_and_space),
                cmocka_unit_test(test_line_that_is_no_key_is_refused),
                cmocka_unit_test(test_nothing_of_a_file_that_is_no_configuration_is_told),
                cmocka_unit_test(test_value_ends_at_a_space_and_a_semicolon),
                cmocka_unit_test(test_hash_begins_no_comment_after_a_value),
                cmocka_unit_test(test_equals_signs_and_colons_in_a_value_stay),
                cmocka_unit_test(test_bytes_that_are_no_text_are_refused_with_their_place),
                cmocka_unit_test(test_header_with_bad_bytes_takes_its_keys_with_it),
                cmocka_unit_test(test_crlf_byte_order_mark_and_a_missing_last_newline_are_fine),
                cmocka_unit_test(test_empty_text_is_a_configuration),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
