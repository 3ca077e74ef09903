/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/flasher-args.h"
#include "tests/unit/samples.h"

static int parse(const char *text, struct flasher_args *ret, struct fault *fault)
{
        return flasher_args_parse(text, strlen(text), ret, fault);
}

static void test_a_builds_file_is_understood(void **state)
{
        _cleanup_(flasher_args_done) struct flasher_args args = { 0 };
        struct fault fault;

        (void)state;
        assert_int_equal(parse(FLASHER_ARGS_OF_A_BUILD, &args, &fault), 0);
        assert_int_equal(args.n_files, 2);
        assert_int_equal(args.files[0].address, 0x10000);
        assert_string_equal(args.files[0].path, "gizmo.bin");
        assert_int_equal(args.files[1].address, 0x1000);
        assert_string_equal(args.files[1].path, "bootloader/bootloader.bin");
        assert_string_equal(args.chip, "esp32s2");
        assert_string_equal(args.flash_size, "4MB");
}

static void test_files_alone_are_enough(void **state)
{
        _cleanup_(flasher_args_done) struct flasher_args args = { 0 };
        struct fault fault;

        (void)state;
        assert_int_equal(parse("{\"flash_files\":{\"0x0\":\"a\"},\"extra_esptool_args\":7}", &args, &fault),
                         0);
        assert_null(args.chip);
        assert_null(args.flash_size);
}

/* Which chips and sizes there are others know, and whether the command line says them instead. */
static void test_what_is_no_text_is_handed_on_as_it_stands(void **state)
{
        static const char text[] = "{\"flash_files\":{\"0x0\":\"a\"},\"extra_esptool_args\":{\"chip\":5},"
                                   "\"flash_settings\":{\"flash_size\":[1, 2]}}";
        static const char nulls[] =
                "{\"flash_files\":{\"0x0\":\"a\"},\"extra_esptool_args\":{\"chip\":null}}";
        _cleanup_(flasher_args_done) struct flasher_args args = { 0 }, without = { 0 };
        struct fault fault;

        (void)state;
        assert_int_equal(parse(text, &args, &fault), 0);
        assert_string_equal(args.chip, "5");
        assert_string_equal(args.flash_size, "[1,2]");
        assert_int_equal(parse(nulls, &without, &fault), 0);
        assert_null(without.chip);
}

static void test_what_is_wrong_is_said(void **state)
{
        static const struct {
                const char *text, *fault;
        } cases[] = {
                { "", "expected JSON" },
                { "{\n\"flash_files\": ,", "line 2: " },
                { "[]", "no object \"flash_files\"" },
                { "{}", "no object \"flash_files\"" },
                { "{\"flash_files\":[]}", "no object \"flash_files\"" },
                { "{\"flash_files\":{}}", "0 files" },
                { "{\"flash_files\":{\"top\":\"a\"}}", "address \"top\": expected a number such as 0x1000" },
                { "{\"flash_files\":{\"0x100000000\":\"a\"}}", "address \"0x100000000\"" },
                { "{\"flash_files\":{\"0x0\":7}}", "0x0: expected a file's path" },
                { "{\"flash_files\":{\"0x0\":\"\"}}", "0x0: expected a file's path" },
                { "{\"flash_files\":{\"0x0\":\"a\\u0000b\"}}", "expected JSON" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct flasher_args args = { 0 };
                struct fault fault = { 0 };

                assert_int_equal(parse(cases[i].text, &args, &fault), 1);
                if (!strstr(fault.text, cases[i].fault))
                        fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, fault.text, cases[i].fault);
                assert_int_equal(args.n_files, 0);
        }
}

static void test_more_than_the_bound_is_not_even_read(void **state)
{
        struct flasher_args args = { 0 };
        struct fault fault;

        (void)state;
        assert_int_equal(flasher_args_parse("{", FLASHER_ARGS_SIZE_MAX + 1, &args, &fault), 1);
        assert_non_null(strstr(fault.text, "1048577 bytes: expected at most 1048576"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_builds_file_is_understood),
                cmocka_unit_test(test_files_alone_are_enough),
                cmocka_unit_test(test_what_is_no_text_is_handed_on_as_it_stands),
                cmocka_unit_test(test_what_is_wrong_is_said),
                cmocka_unit_test(test_more_than_the_bound_is_not_even_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
