/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges of slots: which ports they name, in which order, and what moves no number. */
#include <stdio.h>

#include "core/slot-range.h"
#include "tests/unit/config-text.h"
#include "tests/unit/samples.h"

#define HUB "pci-0000:00:14.0-usb-0:2"

/* ---- vocabulary ---- */

struct bench {
        struct config *config;
        struct layouts layouts;
        struct seen_hubs seen;
};

static void begin(struct bench *b, const char *text)
{
        *b = (struct bench){ .config = read_text(text, "") };
}

static void end(struct bench *b)
{
        config_free(b->config);
        layouts_done(&b->layouts);
        seen_hubs_done(&b->seen);
}

/* chain: "2" for the hub on 1-2; NULL: the one in the computer. */
static void plug_hub(struct bench *b, const char *chain, unsigned n_ports)
{
        char path[64], port[64];

        snprintf(path, sizeof(path), "pci-0000:00:14.0%s%s", chain ? "-usb-0:" : "", chain ? chain : "");
        snprintf(port, sizeof(port), chain ? "1-%s" : "usb1", chain);
        assert_int_equal(seen_hubs_add(&b->seen, path, port, n_ports), 0);
}

static void unplug_all(struct bench *b)
{
        seen_hubs_done(&b->seen);
}

/* The slots, "B1=2.1 B2=2.2": by the last of their path or port; then the warnings, a line each. */
static void expect_slots(struct bench *b, const char *expected)
{
        struct config_errors warnings = { 0 };
        char text[8192] = "";
        size_t n = 0;
        char *said;

        assert_int_equal(config_add_range_slots(b->config, &b->layouts, &b->seen, &warnings), 0);
        for (size_t i = 0; i < b->config->n_slots; i++) {
                const struct config_slot *slot = &b->config->slots[i];
                const char *place = slot->path ? strrchr(slot->path, ':') : strchr(slot->port, '-');

                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s=%s", i ? " " : "", slot->name,
                                      place + 1);
                assert_true(n < sizeof(text));
        }
        said = errors_text(&warnings);
        snprintf(text + n, sizeof(text) - n, "%s%s", *said ? "\n" : "", said);
        assert_string_equal(text, expected);
        free(said);
        config_errors_done(&warnings);
}

static int take(struct bench *b, bool only_new)
{
        return layouts_take(&b->layouts, b->config, &b->seen, only_new, NULL);
}

/* Another daemon, or a reload: the configuration anew, the hubs as they were kept. */
static void read_again(struct bench *b, const char *text)
{
        struct layouts kept, parsed;
        char *json = NULL;

        config_free(b->config);
        b->config = read_text(text, "");
        assert_int_equal(layouts_copy_for(&b->layouts, b->config, &kept), 0);
        assert_int_equal(layouts_encode(&kept, &json), 0);
        assert_int_equal(layouts_parse(json, strlen(json), &parsed), 0);
        free(json);
        layouts_done(&kept);
        layouts_done(&b->layouts);
        b->layouts = parsed;
}

static const char by_path[] = "[slot B*]\npath = " HUB ".*\n";

/* ---- numbers ---- */

static void test_ports_of_a_hub_are_numbered_whether_boards_are_there_or_not(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, by_path);
        plug_hub(&b, NULL, 16);
        plug_hub(&b, "2", 4);
        plug_hub(&b, "3", 4);
        plug_hub(&b, "21", 4);
        assert_int_equal(take(&b, true), 1);
        expect_slots(&b, "B1=2.1 B2=2.2 B3=2.3 B4=2.4");
        end(&b);
}

static void test_cascade_is_numbered_in_the_order_of_the_full_path_without_its_uplinks(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, "[slot x*y]\nport = 1-2.*\n");
        plug_hub(&b, "2.3", 3);
        plug_hub(&b, "2", 4);
        plug_hub(&b, "2.1", 2);
        assert_int_equal(take(&b, true), 1);
        expect_slots(&b, "x1y=2.1.1 x2y=2.1.2 x3y=2.2 x4y=2.3.1 x5y=2.3.2 x6y=2.3.3 x7y=2.4");
        end(&b);
}

static void test_order_is_by_number_not_by_letter(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, by_path);
        plug_hub(&b, "2", 11);
        plug_hub(&b, "2.2", 1);
        plug_hub(&b, "2.10", 2);
        assert_int_equal(take(&b, true), 1);
        expect_slots(&b,
                     "B1=2.1 B2=2.2.1 B3=2.3 B4=2.4 B5=2.5 B6=2.6 B7=2.7 B8=2.8 B9=2.9 B10=2.10.1 B11=2.10.2 "
                     "B12=2.11");
        end(&b);
}

static void test_all_ports_of_the_computer_can_be_a_range(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, "[slot P*]\npath = pci-0000:00:14.0-usb-0:*\n[slot Q*]\nport = 2-*\n");
        plug_hub(&b, NULL, 3);
        plug_hub(&b, "2", 2);
        assert_int_equal(seen_hubs_add(&b.seen, "pci-0000:00:15.0", "usb2", 2), 0);
        assert_int_equal(take(&b, true), 1);
        expect_slots(&b, "P1=1 P2=2.1 P3=2.2 P4=3 Q1=1 Q2=2");
        end(&b);
}

static void test_hub_of_usb_3_counts_once(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, by_path);
        plug_hub(&b, "2", 4);
        assert_int_equal(seen_hubs_add(&b.seen, HUB, "2-2", 3), 0); /* its other half, on the other bus */
        plug_hub(&b, "2.4", 2);                                     /* of USB 2 alone */
        assert_int_equal(take(&b, true), 1);
        expect_slots(&b, "B1=2.1 B2=2.2 B3=2.3 B4=2.4.1 B5=2.4.2");
        assert_int_equal(take(&b, false), 0);
        end(&b);
}

/* ---- hubs that come and go ---- */

static void test_hub_that_is_off_keeps_its_numbers(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, by_path);
        plug_hub(&b, "2", 3);
        plug_hub(&b, "2.1", 2);
        assert_int_equal(take(&b, true), 1);
        read_again(&b, by_path);
        unplug_all(&b);
        plug_hub(&b, "2", 3);
        assert_int_equal(take(&b, true), 0);
        assert_int_equal(take(&b, false), 0);
        expect_slots(&b, "B1=2.1.1 B2=2.1.2 B3=2.2 B4=2.3");
        end(&b);
}

static void test_new_hub_moves_no_number_before_the_reload(void **state)
{
        const char nested[] = HUB ".1";
        struct bench b;

        (void)state;
        begin(&b, by_path);
        plug_hub(&b, "2", 2);
        assert_int_equal(take(&b, true), 1);
        plug_hub(&b, "2.1", 2);
        assert_ptr_equal(layouts_range_without(&b.layouts, b.config, &b.seen.items[1]), &b.config->ranges[0]);
        assert_null(layouts_range_without(&b.layouts, b.config, &b.seen.items[0]));
        assert_int_equal(take(&b, true), 0);
        expect_slots(&b, "B1=2.1 B2=2.2");
        assert_string_equal(b.config->slots[0].path, nested);
        read_again(&b, by_path);
        assert_int_equal(take(&b, false), 1);
        expect_slots(&b, "B1=2.1.1 B2=2.1.2 B3=2.2");
        assert_null(layouts_range_without(&b.layouts, b.config, &b.seen.items[1]));
        end(&b);
}

static void test_bigger_hub_in_place_of_one_is_taken_with_a_reload(void **state)
{
        bool changed[CONFIG_SLOTS_MAX];
        struct bench b;

        (void)state;
        begin(&b, "[slot A*]\nport = 1-1.*\n[slot B*]\npath = " HUB ".*\n");
        plug_hub(&b, "1", 2);
        plug_hub(&b, "2", 2);
        assert_int_equal(take(&b, true), 1);
        unplug_all(&b);
        plug_hub(&b, "1", 2);
        plug_hub(&b, "2", 3);
        assert_int_equal(layouts_take(&b.layouts, b.config, &b.seen, false, changed), 1);
        assert_false(changed[0]);
        assert_true(changed[1]);
        expect_slots(&b, "A1=1.1 A2=1.2 B1=2.1 B2=2.2 B3=2.3");
        end(&b);
}

static void test_hubs_of_a_section_that_was_taken_out_are_forgotten(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, by_path);
        plug_hub(&b, "2", 2);
        plug_hub(&b, "2.1", 2);
        assert_int_equal(take(&b, true), 1);
        read_again(&b, "[station]\n");
        assert_int_equal(b.layouts.n, 0);
        read_again(&b, by_path);
        unplug_all(&b);
        plug_hub(&b, "2", 2);
        assert_int_equal(take(&b, false), 1);
        expect_slots(&b, "B1=2.1 B2=2.2");
        end(&b);
}

static void test_range_without_a_hub_says_so(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, by_path);
        assert_int_equal(take(&b, true), 0);
        expect_slots(&b, "\nline3.conf:1: [slot B*]: " HUB
                         ".*: no hub is there: expected one before espdfuctl reload\n");
        end(&b);
}

/* ---- beside others ---- */

static void test_port_with_a_section_of_its_own_leaves_a_gap(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, "[slot B*]\npath = " HUB ".*\n[slot jig]\npath = " HUB ".2\n[slot test]\nport = 1-2.3\n");
        plug_hub(&b, "2", 4);
        assert_int_equal(take(&b, true), 1);
        expect_slots(&b, "jig=2.2 test=2.3 B1=2.1 B4=2.4");
        end(&b);
}

static void test_port_in_a_range_by_path_and_one_by_port_is_told_when_it_is_known(void **state)
{
        struct bench b;

        (void)state;
        begin(&b, "[slot B*]\npath = " HUB ".*\n[slot C*]\nport = 1-2.*\n");
        plug_hub(&b, "2", 1);
        assert_int_equal(take(&b, true), 1);
        expect_slots(
                &b, "B1=2.1\nline3.conf:3: [slot C*]: port 1-2.1 is slot B1 already (line3.conf:1): expected "
                    "ports that no other range has\n");
        end(&b);
}

static void test_slots_are_bounded(void **state)
{
        struct config_errors warnings = { 0 };
        struct bench b;
        char chain[16];
        char *said;

        (void)state;
        begin(&b, "[slot A]\nport = 9-1\n[slot B*]\npath = " HUB ".*\n");
        plug_hub(&b, "2", 31);
        for (unsigned i = 1; i <= 20; i++) {
                snprintf(chain, sizeof(chain), "2.%u", i);
                plug_hub(&b, chain, 31);
        }
        assert_int_equal(take(&b, true), 1);
        assert_int_equal(config_add_range_slots(b.config, &b.layouts, &b.seen, &warnings), 0);
        assert_int_equal(b.config->n_slots, CONFIG_SLOTS_MAX);
        assert_string_equal(b.config->slots[CONFIG_SLOTS_MAX - 1].name, "B511");
        said = errors_text(&warnings);
        assert_string_equal(
                said, "line3.conf:3: [slot B*]: 631 ports: expected at most 512 slots in all; the last of "
                      "them have no name\n");
        free(said);
        config_errors_done(&warnings);
        end(&b);
}

static void test_hub_that_cannot_be_is_not_taken(void **state)
{
        struct seen_hubs seen = { 0 };

        (void)state;
        assert_int_equal(seen_hubs_add(&seen, NULL, "1-2", 0), -EINVAL);
        assert_int_equal(seen_hubs_add(&seen, NULL, "1-2", 32), -EINVAL);
        assert_int_equal(seen_hubs_add(&seen, NULL, "1-2:1.0", 4), -EINVAL);
        assert_int_equal(seen_hubs_add(&seen, NULL, "1-2", 4), 0);
        assert_int_equal(seen.n, 1);
        seen_hubs_done(&seen);
}

/* ---- what the configuration says ---- */

static void test_wrong_ranges_are_told_by_line(void **state)
{
        static const struct {
                const char *text, *messages;
        } cases[] = {
                { "[slot B*]\n", "line3.conf:1: [slot B*]: neither path nor port: expected one of them\n" },
                { "[slot B**]\nport = 1-2.*\n", "line3.conf:1: [slot B**]: expected a name with one * for "
                                                "the number, of at most 30 letters, digits "
                                                "and . _ + : @ -\n" },
                { "[slot -*]\nport = 1-2.*\n", "line3.conf:1: [slot -*]: expected a name with one * for the "
                                               "number, of at most 30 letters, digits "
                                               "and . _ + : @ -\n" },
                { "[slot 1234567890123456789012345678901*]\nport = 1-2.*\n",
                  "line3.conf:1: [slot 1234567890123456789012345678901*]: expected a name with one * for the "
                  "number, "
                  "of at most 30 letters, digits and . _ + : @ -\n" },
                { "[slot 1-*]\nport = 1-2.*\n",
                  "line3.conf:1: [slot 1-*]: expected a name that does not look like a port\n" },
                { "[slot B*]\nport = 1-2.1\n", "line3.conf:2: port = 1-2.1: expected the ports below a hub, "
                                               "such as 1-2.*, since [slot B*] has a "
                                               "*\n" },
                { "[slot B*]\npath = " HUB "\n",
                  "line3.conf:2: path = " HUB ": expected the ports below a hub, such as "
                  "pci-0000:00:14.0-usb-0:2.*, since [slot B*] has a *\n" },
                { "[slot B]\nport = 1-2.*\n", "line3.conf:2: port = 1-2.*: expected one port, or a * for the "
                                              "number in the section's name: [slot "
                                              "B*]\n" },
                { "[slot B*]\nport = 1-2*\n", "line3.conf:2: port = 1-2*: expected a port such as 1-4.1\n" },
                { "[slot B*]\nport = 1-2.*.1\n",
                  "line3.conf:2: port = 1-2.*.1: expected a port such as 1-4.1\n" },
                { "[slot B*]\nport = 1-2.*\n[slot B*]\nport = 1-3.*\n",
                  "line3.conf:3: [slot B*]: expected one definition, line3.conf:1 has another\n" },
                { "[slot B*]\nport = 1-2.*\n[slot B1]\nport = 1-7\n",
                  "line3.conf:3: [slot B1]: expected a name that [slot B*] does not give to a port "
                  "(line3.conf:1)\n" },
                { "[slot B1]\nport = 1-7\n[slot B*]\nport = 1-2.*\n",
                  "line3.conf:3: [slot B*]: expected names that no other slot has, [slot B1] has one "
                  "(line3.conf:1)\n" },
                { "[slot B*]\nport = 1-2.*\n[slot B1*]\nport = 1-7.*\n",
                  "line3.conf:3: [slot B1*]: expected names that no other slot has, [slot B*] gives some of "
                  "them "
                  "(line3.conf:1)\n" },
                { "[slot B*]\nport = 1-2.*\n[slot C*]\nport = 1-2.4.*\n",
                  "line3.conf:4: port = 1-2.4.*: expected ports that are in no other range, [slot B*] has "
                  "them "
                  "(line3.conf:1)\n" },
                { "[slot B*]\npath = pci-x-usb-0:2.4.*\n[slot C*]\npath = pci-x-usb-0:*\n",
                  "line3.conf:4: path = pci-x-usb-0:*: expected ports that are in no other range, [slot B*] "
                  "has them "
                  "(line3.conf:1)\n" },
                { "[slot B*]\nport = 1-2.*\n[slot B0]\nport = 1-7\n[slot B01]\nport = 1-8\n[slot B513]\nport "
                  "= 1-9\n"
                  "[slot B1a]\nport = 1-10\n[slot C*]\nport = 1-21.*\n",
                  "" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                expect_messages(cases[i].text, cases[i].messages);
}

/* ---- the file ---- */

static void test_damaged_file_is_refused(void **state)
{
        static const char *const damaged[] = {
                "",
                "{}",
                "{\"ranges\": [{}]}",
                "{\"ranges\": [{\"range\": \"1-2\", \"hubs\": []}]}",
                "{\"ranges\": [{\"range\": \"1-2.*\", \"hubs\": [{\"below\": \"1-3.\", \"n_ports\": 4}]}]}",
                "{\"ranges\": [{\"range\": \"1-2.*\", \"hubs\": [{\"below\": \"1-2.\", \"n_ports\": 400}]}]}",
                "{\"ranges\": [{\"range\": \"1-2.*\", \"hubs\": [{\"below\": \"1-2.x\", \"n_ports\": 4}]}]}",
        };
        static const char sound[] = LAYOUT_OF_A_RANGE;
        struct layouts layouts = { 0 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(damaged); i++)
                assert_int_equal(layouts_parse(damaged[i], strlen(damaged[i]), &layouts), 1);
        assert_int_equal(layouts_parse(sound, strlen(sound), &layouts), 0);
        assert_int_equal(layouts.n, 1);
        layouts_done(&layouts);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ports_of_a_hub_are_numbered_whether_boards_are_there_or_not),
                cmocka_unit_test(test_cascade_is_numbered_in_the_order_of_the_full_path_without_its_uplinks),
                cmocka_unit_test(test_order_is_by_number_not_by_letter),
                cmocka_unit_test(test_all_ports_of_the_computer_can_be_a_range),
                cmocka_unit_test(test_hub_of_usb_3_counts_once),
                cmocka_unit_test(test_hub_that_is_off_keeps_its_numbers),
                cmocka_unit_test(test_new_hub_moves_no_number_before_the_reload),
                cmocka_unit_test(test_bigger_hub_in_place_of_one_is_taken_with_a_reload),
                cmocka_unit_test(test_hubs_of_a_section_that_was_taken_out_are_forgotten),
                cmocka_unit_test(test_range_without_a_hub_says_so),
                cmocka_unit_test(test_port_with_a_section_of_its_own_leaves_a_gap),
                cmocka_unit_test(test_port_in_a_range_by_path_and_one_by_port_is_told_when_it_is_known),
                cmocka_unit_test(test_slots_are_bounded),
                cmocka_unit_test(test_hub_that_cannot_be_is_not_taken),
                cmocka_unit_test(test_wrong_ranges_are_told_by_line),
                cmocka_unit_test(test_damaged_file_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
