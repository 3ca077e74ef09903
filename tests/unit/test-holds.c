/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people hold, and how it is kept over a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/holds.h"
#include "core/place.h"
#include "tests/unit/config-text.h"

#define PATH "pci-0000:00:14.0-usb-0:4.1"

static void test_a_port_is_held_by_either_of_its_names(void **state)
{
        struct holds holds = { 0 };

        (void)state;
        assert_int_equal(holds_put_port(&holds, PATH, "1-4.1", "held by joe"), 0);
        assert_string_equal(holds_of_port(&holds, PATH, NULL), "held by joe");
        assert_string_equal(holds_of_port(&holds, NULL, "1-4.1"), "held by joe");
        /* After a reboot the bus has another number: the ID_PATH counts. */
        assert_string_equal(holds_of_port(&holds, PATH, "3-4.1"), "held by joe");
        assert_null(holds_of_port(&holds, "pci-0000:00:15.0-usb-0:4.1", "1-4.1"));
        assert_null(holds_of_port(&holds, NULL, "1-4.2"));
        assert_null(holds_of_port(&holds, NULL, NULL));
        holds_done(&holds);
}

static void test_a_second_hold_has_the_last_word_and_one_release_lifts_it(void **state)
{
        struct holds holds = { 0 };

        (void)state;
        assert_int_equal(holds_put_port(&holds, NULL, "1-4.1", "held by joe"), 0);
        assert_int_equal(holds_put_port(&holds, NULL, "1-4.2", "held by ann"), 0);
        assert_int_equal(holds_put_port(&holds, NULL, "1-4.1", "held by ann: new jig"), 0);
        assert_int_equal(holds.n_ports, 2);
        assert_string_equal(holds_of_port(&holds, NULL, "1-4.1"), "held by ann: new jig");
        assert_true(holds_remove_port(&holds, NULL, "1-4.1"));
        assert_false(holds_remove_port(&holds, NULL, "1-4.1"));
        assert_string_equal(holds_of_port(&holds, NULL, "1-4.2"), "held by ann");
        holds_done(&holds);
}

static void test_the_text_says_who_and_why(void **state)
{
        char text[HOLD_TEXT_MAX], reason[HOLD_REASON_MAX + 1], expected[HOLD_TEXT_MAX];

        (void)state;
        hold_text(text, "joe", NULL);
        assert_string_equal(text, "held by joe");
        memset(reason, 'x', HOLD_REASON_MAX);
        reason[HOLD_REASON_MAX] = '\0';
        hold_text(text, "joe", reason);
        snprintf(expected, sizeof(expected), "held by joe: %s", reason);
        assert_string_equal(text, expected);
}

static void test_what_is_written_is_what_is_read(void **state)
{
        struct holds holds = { .station = strdup("held by jos\u00e9: \"audit\"") }, copy, read;
        _cleanup_(freep) char *text = NULL;

        (void)state;
        assert_int_equal(holds_put_port(&holds, PATH, "1-4.1", "held by joe"), 0);
        assert_int_equal(holds_put_port(&holds, NULL, "1-4.2", "held by ann: new jig"), 0);
        assert_int_equal(holds_copy(&holds, &copy), 0);
        assert_int_equal(holds_encode(&copy, &text), 0);
        assert_int_equal(holds_parse(text, strlen(text), &read), 0);
        assert_string_equal(read.station, "held by jos\u00e9: \"audit\"");
        assert_int_equal(read.n_ports, 2);
        assert_string_equal(holds_of_port(&read, PATH, NULL), "held by joe");
        assert_string_equal(holds_of_port(&read, NULL, "1-4.2"), "held by ann: new jig");
        assert_null(read.ports[1].path);
        holds_done(&holds);
        holds_done(&copy);
        holds_done(&read);
}

static void test_nothing_held_is_a_file_too(void **state)
{
        struct holds holds = { 0 }, read;
        _cleanup_(freep) char *text = NULL;

        (void)state;
        assert_int_equal(holds_encode(&holds, &text), 0);
        assert_int_equal(holds_parse(text, strlen(text), &read), 0);
        assert_null(read.station);
        assert_int_equal(read.n_ports, 0);
        holds_done(&read);
}

static void test_a_damaged_file_is_not_taken_for_nothing_held(void **state)
{
        static const char *const damaged[] = {
                "",
                "{",
                "[]",
                "null",
                "{}",
                "{\"station\":7,\"ports\":[]}",
                "{\"station\":null,\"ports\":{}}",
                "{\"station\":null,\"ports\":[7]}",
                "{\"station\":null,\"ports\":[{\"path\":null,\"port\":null,\"text\":\"held by joe\"}]}",
                "{\"station\":null,\"ports\":[{\"path\":null,\"port\":\"1-4.1\"}]}",
                "{\"station\":\"\\u001b[2J\",\"ports\":[]}",
                "{\"station\":null,\"ports\":[]} x",
        };
        struct holds read;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(damaged); i++)
                if (holds_parse(damaged[i], strlen(damaged[i]), &read) != 1)
                        fail_msg("taken for sound: %s", damaged[i]);
}

static void test_ports_have_a_bound(void **state)
{
        struct holds holds = { 0 };
        char port[32];

        (void)state;
        for (unsigned i = 0; i < HOLDS_MAX; i++) {
                snprintf(port, sizeof(port), "1-%u", i);
                assert_int_equal(holds_put_port(&holds, NULL, port, "held by joe"), 0);
        }
        assert_int_equal(holds_put_port(&holds, NULL, "2-1", "held by joe"), -ENOBUFS);
        assert_int_equal(holds_put_port(&holds, NULL, "1-7", "held by ann"), 0);
        holds_done(&holds);
}

static void hold_port(struct holds *holds, unsigned n, const char *text)
{
        char port[16];

        snprintf(port, sizeof(port), "1-%u", n);
        assert_int_equal(holds_put_port(holds, NULL, port, text), 0);
}

/* What is held keeps its slot, and a device that plays hubs has many ports. */
static void test_ports_without_a_name_that_flap_have_a_bound_and_others_are_not_pushed_out(void **state)
{
        static const char config_text[] = "[slot A1]\nport = 1-1\n";
        struct config *config = read_bytes(config_text, strlen(config_text), "");
        struct holds holds = { 0 };

        (void)state;
        hold_port(&holds, 1, "held: flapping");
        hold_port(&holds, 2, "held by joe");
        for (unsigned n = 3; n < 203; n++) {
                hold_port(&holds, n, "held: flapping");
                assert_int_equal(holds_bound_unnamed(&holds, "held: flapping", config, 64), n < 67 ? 0 : 1);
        }
        assert_int_equal(holds.n_ports, 66);
        assert_non_null(holds_of_port(&holds, NULL, "1-1")); /* the configuration names it */
        assert_non_null(holds_of_port(&holds, NULL, "1-2")); /* a person held it */
        assert_null(holds_of_port(&holds, NULL, "1-138"));
        assert_non_null(holds_of_port(&holds, NULL, "1-139"));
        holds_done(&holds);
        config_free(config);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_port_is_held_by_either_of_its_names),
                cmocka_unit_test(test_a_second_hold_has_the_last_word_and_one_release_lifts_it),
                cmocka_unit_test(test_the_text_says_who_and_why),
                cmocka_unit_test(test_what_is_written_is_what_is_read),
                cmocka_unit_test(test_nothing_held_is_a_file_too),
                cmocka_unit_test(test_a_damaged_file_is_not_taken_for_nothing_held),
                cmocka_unit_test(test_ports_have_a_bound),
                cmocka_unit_test(
                        test_ports_without_a_name_that_flap_have_a_bound_and_others_are_not_pushed_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
