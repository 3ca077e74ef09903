/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "core/text.h"
#include "core/varlink.h"

static void expect_message(struct varlink_input *in, const char *expected)
{
        const char *message;
        size_t size;

        assert_int_equal(varlink_input_next(in, &message, &size), 0);
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(message, expected, size + 1);
}

static void expect_nothing(struct varlink_input *in, int why)
{
        const char *message;
        size_t size;

        assert_int_equal(varlink_input_next(in, &message, &size), why);
}

static void test_messages_come_out_whole_however_the_bytes_come_in(void **state)
{
        static const char stream[] = "{\"a\":1}\0\0{}";

        (void)state;
        for (size_t step = 1; step <= sizeof(stream); step++) {
                struct varlink_input in = { .limit = 16 };
                char all[64] = "";
                const char *message;
                size_t size;

                for (size_t at = 0; at < sizeof(stream); at += step) {
                        assert_int_equal(varlink_input_feed(&in, stream + at, MIN(step, sizeof(stream) - at)),
                                         0);
                        while (varlink_input_next(&in, &message, &size) == 0) {
                                strncat(all, message, size);
                                strncat(all, "|", 2);
                        }
                }
                assert_string_equal(all, "{\"a\":1}||{}|");
                varlink_input_done(&in);
        }
}

static void test_a_message_of_the_limit_passes_and_one_byte_more_does_not(void **state)
{
        struct varlink_input in = { .limit = 4 };

        (void)state;
        assert_false(varlink_input_pending(&in));
        assert_int_equal(varlink_input_feed(&in, "1234", 4), 0);
        expect_nothing(&in, VARLINK_INCOMPLETE);
        assert_int_equal(varlink_input_feed(&in,
                                            "\0"
                                            "12345",
                                            6),
                         0);
        assert_true(varlink_input_pending(&in));
        expect_message(&in, "1234");
        expect_nothing(&in, VARLINK_OVERLONG);
        assert_int_equal(varlink_input_feed(&in, "", 1), 0);
        expect_nothing(&in, VARLINK_OVERLONG);
        varlink_input_done(&in);
}

static void test_a_call_is_taken_apart(void **state)
{
        static const char text[] =
                "{\"method\":\"a.b.C\",\"parameters\":{\"x\":1},\"more\":true,\"later\":[]}";
        struct varlink_call call;

        (void)state;
        assert_int_equal(varlink_call_parse(text, strlen(text), &call), 0);
        assert_string_equal(call.method, "a.b.C");
        assert_int_equal(json_integer_value(json_object_get(call.parameters, "x")), 1);
        assert_true(call.more);
        assert_false(call.oneway);
        assert_false(call.upgrade);
        varlink_call_done(&call);
}

/* A client that watches for days does not make the daemon keep what it sent along. */
static void test_a_call_keeps_nothing_that_is_not_of_a_call(void **state)
{
        static const char text[] = "{\"method\":\"a.b\",\"x\":[[],[],[]],\"more\":true,\"y\":{\"method\":1},"
                                   "\"parameters\":{\"x\":1}}";
        struct varlink_call call;

        (void)state;
        assert_int_equal(varlink_call_parse(text, strlen(text), &call), 0);
        assert_int_equal(json_object_size(call.message), 3);
        assert_string_equal(call.method, "a.b");
        assert_true(call.more);
        assert_int_equal(json_object_size(call.parameters), 1);
        varlink_call_done(&call);
}

static void test_what_is_no_call_is_malformed(void **state)
{
        static const char *const texts[] = {
                "",
                "{",
                "[]",
                "\"text\"",
                "{}",
                "{\"method\":1}",
                "{\"method\":null}",
                "{\"method\":\"a.B\",\"method\":\"a.C\"}",
                "{\"method\":\"a.B\",\"parameters\":[]}",
                "{\"method\":\"a.B\",\"parameters\":{\"x\":1,\"x\":2}}",
                "{\"method\":\"a.B\",\"more\":1}",
                "{\"method\":\"a.B\",\"oneway\":\"true\"}",
                "{\"method\":\"a.B\"} {}",
                "{\"method\":\"a.B\xff\"}",
                "{\"method\":\"a\\u0000B\"}",
                "{\"method\":\"a.B\",\"parameters\":{\"x\":99999999999999999999}}",
        };
        struct varlink_call call;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (varlink_call_parse(texts[i], strlen(texts[i]), &call) != VARLINK_MALFORMED)
                        fail_msg("%s was taken for a call", texts[i]);
}

static void test_brackets_without_end_do_not_exhaust_the_stack(void **state)
{
        char text[60000];
        struct varlink_call call;

        (void)state;
        memset(text, '[', sizeof(text));
        assert_int_equal(varlink_call_parse(text, sizeof(text), &call), VARLINK_MALFORMED);
}

static void test_calls_and_replies_are_what_the_other_end_reads(void **state)
{
        struct varlink_call call;
        struct varlink_reply reply;
        char *text;
        size_t size;

        (void)state;
        assert_int_equal(varlink_call_encode("a.B", json_pack("{s:i}", "x", 7), true, &text, &size), 0);
        assert_string_equal(text, "{\"method\":\"a.B\",\"more\":true,\"parameters\":{\"x\":7}}");
        assert_int_equal(size, strlen(text) + 1);
        assert_int_equal(varlink_call_parse(text, size - 1, &call), 0);
        varlink_call_done(&call);
        free(text);

        assert_int_equal(varlink_reply_encode("a.Bad", json_pack("{s:s}", "why", "so"), false, &text, &size),
                         0);
        assert_int_equal(varlink_reply_parse(text, size - 1, &reply), 0);
        assert_string_equal(reply.error, "a.Bad");
        assert_string_equal(json_string_value(json_object_get(reply.parameters, "why")), "so");
        assert_false(reply.continues);
        varlink_reply_done(&reply);
        free(text);

        assert_int_equal(varlink_reply_encode(NULL, NULL, true, &text, &size), 0);
        assert_string_equal(text, "{\"continues\":true}");
        free(text);
        assert_int_equal(varlink_reply_encode(NULL, NULL, false, &text, &size), 0);
        assert_string_equal(text, "{}");
        free(text);
}

/* What History asks for. */
static const char *ask(const char *parameters, const char **ret_slot, int64_t *ret_limit)
{
        static char invalid[64];
        json_t *object = parameters ? json_loads(parameters, 0, NULL) : NULL;
        struct varlink_arguments args = { .object = object };
        const char *name;

        *ret_slot = varlink_arg_text(&args, "slot") ? "given" : "none";
        *ret_limit = varlink_arg_int(&args, "limit", 1, 10, 5);
        name = varlink_args_invalid(&args);
        snprintf(invalid, sizeof(invalid), "%s", name ? name : "");
        json_decref(object);
        return invalid;
}

static void test_a_wrong_parameter_is_named(void **state)
{
        const char *slot;
        int64_t limit;

        (void)state;
        assert_string_equal(ask(NULL, &slot, &limit), "");
        assert_string_equal(slot, "none");
        assert_int_equal(limit, 5);
        assert_string_equal(ask("{\"slot\":\"A1\",\"limit\":10}", &slot, &limit), "");
        assert_string_equal(slot, "given");
        assert_int_equal(limit, 10);
        assert_string_equal(ask("{\"slot\":null,\"limit\":null}", &slot, &limit), "");
        assert_string_equal(ask("{\"slot\":1}", &slot, &limit), "slot");
        assert_string_equal(ask("{\"limit\":0}", &slot, &limit), "limit");
        assert_string_equal(ask("{\"limit\":11}", &slot, &limit), "limit");
        assert_string_equal(ask("{\"limit\":\"3\"}", &slot, &limit), "limit");
        assert_string_equal(ask("{\"limit\":3.0}", &slot, &limit), "limit");
        assert_string_equal(ask("{\"solt\":\"A1\"}", &slot, &limit), "solt");
}

static void test_a_parameter_that_is_needed_is_named_when_it_is_missing(void **state)
{
        struct varlink_arguments args = { 0 };

        (void)state;
        assert_string_equal(varlink_arg_text_needed(&args, "interface"), "");
        assert_string_equal(varlink_args_invalid(&args), "interface");
}

static void expect_escaped(const char *s, const char *expected)
{
        char *escaped = text_escape(s);

        assert_non_null(escaped);
        assert_string_equal(escaped, expected);
        free(escaped);
}

static void test_a_serial_number_cannot_paint_the_screen(void **state)
{
        (void)state;
        expect_escaped("7c:df:a1", "7c:df:a1");
        expect_escaped("Pr\xc3\xbc"
                       "fstand",
                       "Pr\xc3\xbc"
                       "fstand");
        expect_escaped("a\x1b[2Jb\n", "a<1b>[2Jb<0a>");
        expect_escaped("\x7f", "<7f>");
        expect_escaped("\xc2\x9b"
                       "2J",
                       "<c2><9b>"
                       "2J"); /* CSI as C1 */
        expect_escaped("\xe2\x80\xae"
                       "x",
                       "<e2><80><ae>"
                       "x"); /* right-to-left override */
        expect_escaped("\xff\xc3", "<ff><c3>");
        expect_escaped("\xed\xa0\x80", "<ed><a0><80>"); /* half a surrogate pair */
        expect_escaped("\xc0\xaf", "<c0><af>");         /* overlong slash */
        expect_escaped("", "");
}

static void expect_utf8(const char *s, size_t max, const char *expected)
{
        char *text = text_to_utf8(s, max);

        assert_non_null(text);
        assert_string_equal(text, expected);
        free(text);
}

static void test_a_text_is_made_valid_and_cut_between_characters(void **state)
{
        (void)state;
        expect_utf8("gizmo", 5, "gizmo");
        expect_utf8("gizmo", 4, "gizm");
        expect_utf8("a\xff"
                    "b",
                    16,
                    "a\xef\xbf\xbd"
                    "b");
        expect_utf8("\xc3\xbc\xc3\xbc", 3, "\xc3\xbc");
        expect_utf8("\xff\xff", 3, "\xef\xbf\xbd");
        expect_utf8("\xf0\x9f\x98", 9, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_messages_come_out_whole_however_the_bytes_come_in),
                cmocka_unit_test(test_a_message_of_the_limit_passes_and_one_byte_more_does_not),
                cmocka_unit_test(test_a_call_is_taken_apart),
                cmocka_unit_test(test_a_call_keeps_nothing_that_is_not_of_a_call),
                cmocka_unit_test(test_what_is_no_call_is_malformed),
                cmocka_unit_test(test_brackets_without_end_do_not_exhaust_the_stack),
                cmocka_unit_test(test_calls_and_replies_are_what_the_other_end_reads),
                cmocka_unit_test(test_a_wrong_parameter_is_named),
                cmocka_unit_test(test_a_parameter_that_is_needed_is_named_when_it_is_missing),
                cmocka_unit_test(test_a_serial_number_cannot_paint_the_screen),
                cmocka_unit_test(test_a_text_is_made_valid_and_cut_between_characters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
