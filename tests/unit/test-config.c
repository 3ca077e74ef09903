/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the keys mean, and the exact message for everything that they may not say. */
#include <stdio.h>

#include "core/config-keys.h"
#include "tests/unit/config-text.h"
#include "tests/unit/samples.h"

static void test_nothing_said_gives_the_defaults(void **state)
{
        _cleanup_(config_freep) struct config *config = read_text("[policy a]\nimage = /a\n", "");
        const struct config_policy *a = &config->policies[0];

        (void)state;
        assert_null(config->station_name);
        assert_int_equal(config->jobs_max, 0);
        assert_int_equal(config->reattach_time_usec, 60 * USEC_PER_SEC);
        assert_int_equal(config->return_time_usec, 10 * USEC_PER_SEC);
        assert_int_equal(config->stop_time_usec, 60 * USEC_PER_SEC);
        assert_null(a->chip);
        assert_null(a->slot);
        assert_null(a->port);
        assert_null(a->path);
        assert_null(a->serial);
        assert_int_equal(a->mode, POLICY_MODE_ROM);
        assert_int_equal(a->action, POLICY_FLASH);
        assert_false(a->has_sha256);
        assert_int_equal(a->signature, POLICY_SIGNATURE_NONE);
        assert_int_equal(a->attempts, 3);
        assert_int_equal(a->retry_delay_usec, USEC_PER_SEC);
        assert_int_equal(a->after, POLICY_STAY);
        assert_int_equal(a->reflash, POLICY_REFLASH_ALWAYS);
}

static void test_everything_said_arrives(void **state)
{
        _cleanup_(config_freep) struct config *config = read_text(CONFIG_EVERYTHING, "");
        const struct config_policy *gizmo = &config->policies[0];

        (void)state;
        assert_string_equal(config->station_name, "line3-a");
        assert_int_equal(config->jobs_max, 12);
        assert_int_equal(config->reattach_time_usec, 500 * USEC_PER_MSEC);
        assert_int_equal(config->return_time_usec, 60 * USEC_PER_SEC);
        assert_int_equal(config->stop_time_usec, 120 * USEC_PER_SEC);
        assert_int_equal(config->n_slots, 2);
        assert_string_equal(config->slots[0].name, "A1");
        assert_string_equal(config->slots[0].path, "pci-0000:00:14.0-usb-0:4.1");
        assert_null(config->slots[0].port);
        assert_string_equal(config->slots[1].port, "1-4.2");
        assert_string_equal(config->slots[1].origin.file, "line3.conf");
        assert_int_equal(config->slots[1].origin.line, 9);
        assert_int_equal(config->n_hubs, 2);
        assert_string_equal(config->hubs[0].name, "left");
        assert_string_equal(config->hubs[0].path, "pci-0000:00:14.0-usb-0:4");
        assert_null(config->hubs[0].port);
        assert_int_equal(config->hubs[0].jobs_max, 8);
        assert_int_equal(config->hubs[0].origin.line, 11);
        assert_string_equal(config->hubs[1].port, "1-5");
        assert_int_equal(config->hubs[1].jobs_max, 0);
        assert_int_equal(config->n_policies, 1);
        assert_string_equal(gizmo->name, "gizmo");
        assert_ptr_equal(gizmo->chip, chip_by_name("esp32s3"));
        assert_string_equal(gizmo->slot, "A*");
        assert_string_equal(gizmo->port, "1-*");
        assert_string_equal(gizmo->path, "pci-*");
        assert_string_equal(gizmo->serial, "7c:*");
        assert_int_equal(gizmo->mode, POLICY_MODE_ANY);
        assert_string_equal(gizmo->image, "/srv/gizmo.bin");
        assert_true(gizmo->has_sha256);
        assert_int_equal(gizmo->sha256[0], 0x61);
        assert_int_equal(gizmo->sha256[31], 0xff);
        assert_int_equal(gizmo->action, POLICY_HOLD);
        assert_int_equal(gizmo->attempts, 20);
        assert_int_equal(gizmo->retry_delay_usec, 1500 * USEC_PER_MSEC);
        assert_int_equal(gizmo->after, POLICY_RESET);
        assert_int_equal(gizmo->reflash, POLICY_REFLASH_NEVER);
        assert_int_equal(gizmo->signature, POLICY_SIGNATURE_REQUIRED);
        assert_int_equal(gizmo->origin.line, 16);
}

/* The message that one line in a section that is otherwise right is answered with. */
static void expect_refused(const char *section, const char *line, const char *expected)
{
        char text[512], messages[512];

        snprintf(text, sizeof(text), "%s\n%s\n", section, line);
        snprintf(messages, sizeof(messages), "line3.conf:%d: %s: expected %s\n",
                 strchr(section, '\n') ? 3 : 2, line, expected);
        expect_messages(text, messages);
}

static void test_every_bad_value_is_told_with_what_was_expected(void **state)
{
        static const char station[] = "[station]", slot[] = "[slot A1]", policy[] = "[policy a]\nimage = /a";
        static const char hub[] = "[hub left]\nport = 1-4", far_hub[] = "[hub left]";
        static const char hold[] = "[policy a]\naction = hold";
        static const char hour[] = "a time such as 500ms, 10s or 1min, at most 1h";
        static const char ten[] = "a time such as 500ms, 10s or 1min, at most 10min";
        static const char place[] = "ADDRESS:FOLDER, a multiple of 4096 and an absolute path, such as "
                                    "0x9000:/srv/gizmo/nvs";
        static const char path[] = "udev's ID_PATH of the port, such as pci-0000:00:14.0-usb-0:4.1";

        (void)state;
        expect_refused(station, "name = line 3", "1 to 64 letters, digits and . _ + : @ -");
        expect_refused(station, "name = ", "1 to 64 letters, digits and . _ + : @ -");
        expect_refused(station, "jobs-max = 1025", "0 (no limit) to 1024");
        expect_refused(station, "jobs-max = -1", "0 (no limit) to 1024");
        expect_refused(station, "reattach-time = soon", hour);
        expect_refused(station, "return-time = 61min", hour);
        expect_refused(station, "stop-time = 2h", hour);
        expect_refused(station, "ledger-keep = 365", "none (for ever), or days from 1d to 36500d");
        expect_refused(station, "ledger-keep = 0d", "none (for ever), or days from 1d to 36500d");
        expect_refused(station, "ledger-keep = 36501d", "none (for ever), or days from 1d to 36500d");
        expect_refused(station, "ledger-keep = 12h", "none (for ever), or days from 1d to 36500d");
        expect_refused(station, "ledger-rows-max = all", "0 (no limit) to 1000000000");
        expect_refused(station, "ledger-rows-max = 1000000001", "0 (no limit) to 1000000000");
        expect_refused(slot, "path = pci-*-usb-0:4.1", path);
        expect_refused(slot, "path = pci-0000:00:14.0-usb-0:4.1:1.0", path);
        expect_refused(slot, "port = usb1", "a port such as 1-4.1");
        expect_refused(slot, "port = 1-4.*",
                       "one port, or a * for the number in the section's name: [slot A1*]");
        expect_refused(far_hub, "port = 1-4.*", "a port such as 1-4");
        expect_refused(hub, "jobs-max = 1025", "0 (no limit) to 1024");
        expect_refused(hub, "jobs-max = few", "0 (no limit) to 1024");
        expect_refused(far_hub, "port = 1-4.", "a port such as 1-4");
        expect_refused(far_hub, "path = pci-*",
                       "udev's ID_PATH of the port, such as pci-0000:00:14.0-usb-0:4");
        expect_refused(policy, "chip = esp32", "esp32s2, esp32s3, esp32p4 or esp32s31");
        expect_refused(policy, "mode = ROM", "rom or any");
        expect_refused(hold, "image = dfu.bin", "a file's absolute path");
        expect_refused(hold, "image = /", "a file's absolute path");
        expect_refused(policy, "sha256 = 6192", "64 hexadecimal digits");
        expect_refused(policy, "board-data = /srv/nvs", place);
        expect_refused(policy, "board-data = 0x9000:nvs", place);
        expect_refused(policy, "board-data = 0x9000:/", place);
        expect_refused(policy, "board-data = 0x9000://", place);
        expect_refused(policy, "board-data = 0x9000", place);
        expect_refused(policy, "board-data = 0x9001:/srv/nvs", place);
        expect_refused(policy, "board-data = 09000:/srv/nvs", place);
        expect_refused(policy, "board-data = 0x100000000:/srv/nvs", place);
        expect_refused(policy, "board-data = 00000000000000000000x9000:/srv/nvs", place);
        expect_refused(policy, "action = flush", "flash, ignore or hold");
        expect_refused(policy, "attempts = 0", "1 to 20");
        expect_refused(policy, "attempts = 21", "1 to 20");
        expect_refused(policy, "retry-delay = 11min", ten);
        expect_refused(policy, "after = restart", "stay or reset");
        expect_refused(policy, "reflash = no", "always or never");
        expect_refused(policy, "signature = yes", "none or required");
}

static void test_data_for_each_board_has_an_address_and_a_folder(void **state)
{
        struct config *config = read_text("[policy a]\nimage = /a\nboard-data = 0x9000:/srv//gizmo/nvs/\n"
                                          "[policy b]\nimage = /b\nboard-data = 36864:/srv/a:b\n"
                                          "[policy c]\nimage = /c\n",
                                          "");

        (void)state;
        assert_string_equal(config->policies[0].board_data, "/srv/gizmo/nvs");
        assert_int_equal(config->policies[0].board_data_address, 0x9000);
        assert_string_equal(config->policies[1].board_data, "/srv/a:b");
        assert_int_equal(config->policies[1].board_data_address, 0x9000);
        assert_null(config->policies[2].board_data);
        config_free(config);
}

static void test_data_for_each_board_needs_an_archive_to_go_into(void **state)
{
        (void)state;
        expect_messages(
                "[policy a]\nimage = /a\nmode = any\nboard-data = 0x9000:/srv/nvs\n"
                "[policy b]\naction = hold\nboard-data = 0x9000:/srv/nvs\n",
                "line3.conf:4: board-data = 0x9000:/srv/nvs: expected mode = rom beside it, since only "
                "the ROM takes an archive\n"
                "line3.conf:7: board-data = 0x9000:/srv/nvs: expected an image key beside it, which "
                "the data is put into\n");
}

static void test_bad_glob_is_told_with_what_is_wrong_in_it(void **state)
{
        (void)state;
        expect_messages(
                "[policy a]\nimage = /a\nslot = [A\nport = \npath = a\\\nserial = [9-0]\n",
                "line3.conf:3: slot = [A: a [ without its ]: expected a glob such as A* or [1-4]?\n"
                "line3.conf:4: port = : empty: expected a glob such as A* or [1-4]?\n"
                "line3.conf:5: path = a\\: a \\ at its end: expected a glob such as A* or [1-4]?\n"
                "line3.conf:6: serial = [9-0]: a range that runs backwards: expected a glob such as A* or "
                "[1-4]?\n");
}

static void test_all_errors_of_a_file_are_told_in_one_go(void **state)
{
        (void)state;
        expect_messages(
                "name = line3-a\n"
                "[station]\n"
                "  jobs-max = 3\n"
                "jobs-max = many\n"
                "[slot A1\n"
                "port = 1-4.1\n"
                "[policy gizmo]\n"
                "chip = esp32s2\n"
                "atempts = 0\n"
                "attempts = 0\n"
                "reflash = never\n"
                "[polcy probe]\n"
                "attempts = 0\n"
                "[slot A2]\n",
                "line3.conf:1: name = …: expected a section before it, such as [station]\n"
                "line3.conf:3: indented line: expected a key or a section at the line's start\n"
                "line3.conf:4: jobs-max = many: expected 0 (no limit) to 1024\n"
                "line3.conf:5: line of 8 bytes that begins with [: expected ] at its end\n"
                "line3.conf:9: atempts = …: unknown key in [policy gizmo], perhaps attempts: expected chip, "
                "slot, port, path, serial, mode, image, sha256, signature, board-data, action, attempts, "
                "retry-delay, "
                "after or reflash\n"
                "line3.conf:10: attempts = 0: expected 1 to 20\n"
                "line3.conf:7: [policy gizmo]: action = flash: expected an image key beside it\n"
                "line3.conf:11: reflash = never: expected always, since an ESP32-S2 does not tell its MAC\n"
                "line3.conf:12: [polcy probe]: expected [station], [slot NAME], [hub NAME] or [policy NAME]\n"
                "line3.conf:14: [slot A2]: neither path nor port: expected one of them\n");
}

static void test_unknown_key_is_answered_with_the_known_ones(void **state)
{
        (void)state;
        expect_messages("[station]\ntemperature = 20\n",
                        "line3.conf:2: temperature = …: unknown key in [station]: expected name, jobs-max, "
                        "reattach-time, return-time, stop-time, ledger-keep or ledger-rows-max\n");
        expect_messages(
                "[station]\njob-max = 20\n",
                "line3.conf:2: job-max = …: unknown key in [station], perhaps jobs-max: expected name, "
                "jobs-max, reattach-time, return-time, stop-time, ledger-keep or ledger-rows-max\n");
        expect_messages(
                "[slot A1]\nport = 1-1\nprot = 1-2\n",
                "line3.conf:3: prot = …: unknown key in [slot A1], perhaps port: expected path or port\n");
}

static void test_key_of_another_section_is_unknown(void **state)
{
        (void)state;
        expect_messages("[station]\nchip = esp32s2\n",
                        "line3.conf:2: chip = …: unknown key in [station]: expected name, jobs-max, "
                        "reattach-time, return-time, stop-time, ledger-keep or ledger-rows-max\n");
}

static void test_key_twice_in_a_section_names_both_places(void **state)
{
        (void)state;
        expect_messages("[policy a]\nimage = /a\nattempts = 4\nattempts = 4\n",
                        "line3.conf:4: attempts = 4: expected attempts once in [policy a], line 3 has it\n");
        expect_messages("[station]\nname = a\n[slot A1]\nport = 1-1\n[station]\nname = b\n",
                        "line3.conf:6: name = b: expected name once in [station], line 2 has it\n");
        expect_messages("[policy a]\nimage = /a\n[policy b]\nimage = /a\n", "");
}

static void test_slot_needs_exactly_one_place(void **state)
{
        (void)state;
        expect_messages("[slot A1]\n",
                        "line3.conf:1: [slot A1]: neither path nor port: expected one of them\n");
        expect_messages(
                "[slot A1]\nport = 1-1\npath = pci-x\n[station]\n",
                "line3.conf:3: [slot A1]: path and port: expected one of them, line 2 has the other\n");
}

static void test_two_slots_with_one_place_are_told_with_both_places(void **state)
{
        (void)state;
        expect_messages("[slot A1]\nport = 1-1\n[slot A2]\nport = 1-2\n[slot A3]\nport = 1-1\n",
                        "line3.conf:6: port = 1-1: expected a port that no other slot has, slot A1 has it "
                        "(line3.conf:1)\n");
        expect_messages("[slot A1]\npath = pci-a\n[slot A2]\npath = pci-a\n",
                        "line3.conf:4: path = pci-a: expected a path that no other slot has, slot A1 has it "
                        "(line3.conf:1)\n");
}

static void test_hub_needs_exactly_one_place(void **state)
{
        (void)state;
        expect_messages("[hub left]\njobs-max = 4\n",
                        "line3.conf:1: [hub left]: neither path nor port: expected one of them\n");
        expect_messages(
                "[hub left]\npath = pci-x\njobs-max = 4\nport = 1-1\n",
                "line3.conf:4: [hub left]: path and port: expected one of them, line 2 has the other\n");
}

static void test_two_hubs_with_one_place_are_told_with_both_places(void **state)
{
        (void)state;
        expect_messages("[hub left]\nport = 1-1\n[hub right]\nport = 1-1\njobs-max = 4\n",
                        "line3.conf:4: port = 1-1: expected a port that no other hub has, hub left has it "
                        "(line3.conf:1)\n");
        expect_messages("[hub left]\npath = pci-a\n[hub right]\npath = pci-a\n",
                        "line3.conf:4: path = pci-a: expected a path that no other hub has, hub left has it "
                        "(line3.conf:1)\n");
        /* A hub below another, a slot of the same name, a slot on the hub's port: none of it is wrong. */
        expect_messages("[hub left]\nport = 1-1\n[hub shelf]\nport = 1-1.2\n[slot left]\nport = 1-1\n", "");
}

static void test_hub_knows_its_keys(void **state)
{
        (void)state;
        expect_messages("[hub left]\nport = 1-1\njob-max = 4\n",
                        "line3.conf:3: job-max = …: unknown key in [hub left], perhaps jobs-max: expected "
                        "path, port or jobs-max\n");
        expect_messages("[hub]\nport = 1-1\n",
                        "line3.conf:1: [hub]: expected a name of 1 to 32 letters, digits and . _ + : @ -\n");
}

static void test_slot_hub_and_policy_are_defined_once(void **state)
{
        (void)state;
        expect_messages("[slot A1]\nport = 1-1\n[slot A1]\nport = 1-1\n",
                        "line3.conf:3: [slot A1]: expected one definition, line3.conf:1 has another\n");
        expect_messages("[policy a]\nimage = /a\n\n[policy a]\nimage = /b\n",
                        "line3.conf:4: [policy a]: expected one definition, line3.conf:1 has another\n");
        expect_messages("[hub a]\nport = 1-1\n[hub a]\nport = 1-2\n",
                        "line3.conf:3: [hub a]: expected one definition, line3.conf:1 has another\n");
        expect_messages("[policy a]\nimage = /a\n[slot a]\nport = 1-1\n[hub a]\nport = 1-1\n", "");
}

static void test_names_are_short_and_plain(void **state)
{
        static const char *const bad[] = {
                "", "A 1", "a/b", "A?", "-", "é", "123456789012345678901234567890123"
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                char text[128], messages[256];
                const char *space = *bad[i] ? " " : "";

                snprintf(text, sizeof(text), "[slot%s%s]\nport = 1-1\n", space, bad[i]);
                snprintf(messages, sizeof(messages),
                         "line3.conf:1: [slot%s%s]: expected a name of 1 to 32 letters, digits and . _ + : @ "
                         "-\n",
                         space, bad[i]);
                expect_messages(text, messages);
        }
        expect_messages("[policy 12345678901234567890123456789012]\nimage = /a\n", "");
}

static void test_slot_is_not_named_like_a_port(void **state)
{
        (void)state;
        expect_messages("[slot 1-4.1]\nport = 1-4.2\n",
                        "line3.conf:1: [slot 1-4.1]: expected a name that does not look like a port\n");
        expect_messages("[policy 1-4.1]\nimage = /a\n", "");
}

static void test_policy_that_flashes_needs_an_image(void **state)
{
        (void)state;
        expect_messages("\n[policy a]\nattempts = 2\n",
                        "line3.conf:2: [policy a]: action = flash: expected an image key beside it\n");
        expect_messages("[policy a]\naction = ignore\n[policy b]\naction = hold\n", "");
}

static void test_bad_image_is_not_told_twice(void **state)
{
        (void)state;
        expect_messages("[policy a]\nimage = a\n",
                        "line3.conf:2: image = a: expected a file's absolute path\n");
}

static void test_reflash_never_needs_a_chip_that_tells_its_mac(void **state)
{
        (void)state;
        expect_messages(
                "[policy a]\nimage = /a\nreflash = never\nchip = esp32s2\n",
                "line3.conf:3: reflash = never: expected always, since an ESP32-S2 does not tell its MAC\n");
        expect_messages(
                "[policy a]\nimage = /a\nreflash = never\n",
                "line3.conf:3: reflash = never: expected a chip key beside it, since not every chip tells "
                "its MAC\n");
        expect_messages("[policy a]\nimage = /a\nreflash = never\nchip = esp32p4\n", "");
        /* A board that is held is flashed when somebody releases it. */
        expect_messages(
                "[policy a]\naction = hold\nimage = /a\nreflash = never\nchip = esp32s2\n",
                "line3.conf:4: reflash = never: expected always, since an ESP32-S2 does not tell its MAC\n");
}

static void test_later_file_overrides_the_station_alone(void **state)
{
        static const char first[] =
                "[station]\nname = a\njobs-max = 4\n[policy p]\nimage = /p\n[slot A1]\nport = 1-1\n";
        static const char second[] =
                "[station]\nname = b\n[policy p]\nattempts = 2\nimage = /q\n[slot B1]\nport = 1-1\n";
        _cleanup_(config_freep) struct config *config = NULL;
        struct config_errors errors = {};
        _cleanup_(freep) char *said = NULL;

        (void)state;
        assert_int_equal(config_new(&config), 0);
        assert_int_equal(config_parse(config, "espdfud.conf", first, strlen(first), &errors), 0);
        assert_int_equal(errors.total, 0);
        assert_int_equal(config_parse(config, "50-b.conf", second, strlen(second), &errors), 0);
        assert_string_equal(config->station_name, "b");
        assert_int_equal(config->jobs_max, 4);
        said = errors_text(&errors);
        assert_string_equal(said,
                            "50-b.conf:3: [policy p]: expected one definition, espdfud.conf:4 has another\n"
                            "50-b.conf:7: port = 1-1: expected a port that no other slot has, slot A1 has it "
                            "(espdfud.conf:6)\n");
        config_errors_done(&errors);
}

static void test_section_does_not_go_on_in_the_next_file(void **state)
{
        _cleanup_(config_freep) struct config *config = read_text("[policy a]\nimage = /a\n", "");
        struct config_errors errors = {};

        (void)state;
        assert_int_equal(config_parse(config, "b.conf", "attempts = 4\n", 13, &errors), 0);
        assert_int_equal(errors.n_lines, 1);
        assert_string_equal(errors.lines[0],
                            "b.conf:1: attempts = …: expected a section before it, such as [station]");
        assert_int_equal(config->policies[0].attempts, 3);
        config_errors_done(&errors);
}

/* n sections "[slot s0]", "[slot s1]", …, each on its own port; to be freed. */
static char *many(const char *section, unsigned n)
{
        size_t size = (size_t)n * 48 + 1, at = 0;
        char *text = calloc(1, size);

        assert_non_null(text);
        for (unsigned i = 0; i < n; i++)
                at += (size_t)snprintf(text + at, size - at, "[%s s%u]\nport = %u-%u\n", section, i,
                                       i / 200 + 1, i % 200 + 1);
        return text;
}

static void test_slots_and_hubs_have_a_bound(void **state)
{
        _cleanup_(freep) char *enough = many("slot", CONFIG_SLOTS_MAX),
                              *more = many("slot", CONFIG_SLOTS_MAX + 1);
        _cleanup_(freep) char *hubs = many("hub", CONFIG_HUBS_MAX),
                              *more_hubs = many("hub", CONFIG_HUBS_MAX + 1);

        (void)state;
        expect_messages(enough, "");
        expect_messages(more, "line3.conf:1025: [slot s512]: expected at most 512 of [slot NAME]\n");
        expect_messages(hubs, "");
        expect_messages(more_hubs, "line3.conf:129: [hub s64]: expected at most 64 of [hub NAME]\n");
}

static void test_errors_have_a_bound_and_the_others_are_counted(void **state)
{
        _cleanup_(config_freep) struct config *config = NULL;
        struct config_errors errors = {};
        char text[CONFIG_ERRORS_MAX * 4 + 8];

        (void)state;
        for (size_t i = 0; i + 1 < sizeof(text); i += 2)
                memcpy(text + i, "x\n", 2);
        assert_int_equal(config_new(&config), 0);
        assert_int_equal(config_parse(config, "x", text, sizeof(text), &errors), 0);
        assert_int_equal(errors.n_lines, CONFIG_ERRORS_MAX);
        assert_int_equal(errors.total, sizeof(text) / 2);
        config_errors_done(&errors);
}

static void test_table_says_what_the_words_are(void **state)
{
        const struct config_key *key;
        size_t index = 0;

        (void)state;
        for (size_t i = 0; chip_at(i); i++)
                assert_non_null(
                        strstr(config_key_find(CONFIG_POLICY, "chip", &index)->expected, chip_at(i)->name));
        for (unsigned i = 0; i < POLICY_ACTION_MAX_; i++)
                assert_non_null(strstr(config_key_find(CONFIG_POLICY, "action", &index)->expected,
                                       policy_action_to_string(i)));
        for (size_t i = 0; (key = config_key_at(i)); i++) {
                assert_ptr_equal(config_key_find(key->section, key->name, &index), key);
                assert_int_equal(index, i);
                assert_true(strlen(key->help) > 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_said_gives_the_defaults),
                cmocka_unit_test(test_everything_said_arrives),
                cmocka_unit_test(test_every_bad_value_is_told_with_what_was_expected),
                cmocka_unit_test(test_data_for_each_board_has_an_address_and_a_folder),
                cmocka_unit_test(test_data_for_each_board_needs_an_archive_to_go_into),
                cmocka_unit_test(test_bad_glob_is_told_with_what_is_wrong_in_it),
                cmocka_unit_test(test_all_errors_of_a_file_are_told_in_one_go),
                cmocka_unit_test(test_unknown_key_is_answered_with_the_known_ones),
                cmocka_unit_test(test_key_of_another_section_is_unknown),
                cmocka_unit_test(test_key_twice_in_a_section_names_both_places),
                cmocka_unit_test(test_slot_needs_exactly_one_place),
                cmocka_unit_test(test_two_slots_with_one_place_are_told_with_both_places),
                cmocka_unit_test(test_hub_needs_exactly_one_place),
                cmocka_unit_test(test_two_hubs_with_one_place_are_told_with_both_places),
                cmocka_unit_test(test_hub_knows_its_keys),
                cmocka_unit_test(test_slot_hub_and_policy_are_defined_once),
                cmocka_unit_test(test_names_are_short_and_plain),
                cmocka_unit_test(test_slot_is_not_named_like_a_port),
                cmocka_unit_test(test_policy_that_flashes_needs_an_image),
                cmocka_unit_test(test_bad_image_is_not_told_twice),
                cmocka_unit_test(test_reflash_never_needs_a_chip_that_tells_its_mac),
                cmocka_unit_test(test_later_file_overrides_the_station_alone),
                cmocka_unit_test(test_section_does_not_go_on_in_the_next_file),
                cmocka_unit_test(test_slots_and_hubs_have_a_bound),
                cmocka_unit_test(test_errors_have_a_bound_and_the_others_are_counted),
                cmocka_unit_test(test_table_says_what_the_words_are),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
