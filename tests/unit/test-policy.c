/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A board stands on a port: which policy does it get, and if none, why not? */
#include "core/policy.h"
#include "tests/unit/config-text.h"

static const struct board_facts s2 = {
        .port = "1-4.1",
        .path = "pci-0000:00:14.0-usb-0:4.1",
        .slot = "A1",
        .serial = "0",
        .manufacturer = "Espressif",
        .product = "ESP32-S2",
        .vid = 0x303a,
        .pid = 0x0002,
        .bcd_device = 0x0723,
        .is_rom = true,
        .has_dfu = true,
};

/* The same port with an S3 on it, which tells its MAC. */
static struct board_facts an_s3(void)
{
        struct board_facts board = s2;

        board.serial = "7c:df:a1:0b:00:12";
        board.pid = 0x0009;
        board.bcd_device = 0x0728;
        board.product = "ESP32-S3";
        return board;
}

static struct board_facts an_application_that_looks_like_the_rom(void)
{
        struct board_facts board = s2;

        board.is_rom = false;
        return board;
}

static struct board_facts something_else(void)
{
        return (struct board_facts){ .port = "1-4.1", .vid = 0x1d50, .pid = 0x0002, .has_dfu = true };
}

/* name: the policy that board gets, NULL for none. */
static void expect_policy(const char *text, const struct board_facts *board, const char *name)
{
        _cleanup_(config_freep) struct config *config = read_text(text, "");
        const struct config_policy *policy = policy_for(config, board);

        if (!name)
                assert_null(policy);
        else
                assert_non_null(policy);
        if (name)
                assert_string_equal(policy->name, name);
}

/* The only policy of text does not match board, and this is why. */
static void expect_mismatch(const char *text, const struct board_facts *board, const char *key,
                            const char *wanted, const char *found)
{
        _cleanup_(config_freep) struct config *config = read_text(text, "");
        struct policy_mismatch mismatch = {};

        assert_int_equal(config->n_policies, 1);
        assert_false(policy_matches(&config->policies[0], board, &mismatch));
        assert_false(policy_matches(&config->policies[0], board, NULL));
        assert_string_equal(mismatch.key, key);
        assert_string_equal(mismatch.wanted, wanted);
        assert_string_equal(mismatch.found, found);
}

static void test_first_policy_that_matches_wins(void **state)
{
        static const char text[] = "[policy s3]\nchip = esp32s3\nimage = /a\n"
                                   "[policy slot]\nchip = esp32s2\nslot = A*\nimage = /b\n"
                                   "[policy rest]\naction = ignore\n";
        struct board_facts s3 = an_s3(), elsewhere = s2;

        (void)state;
        elsewhere.slot = "B1";
        expect_policy(text, &s2, "slot");
        expect_policy(text, &s3, "s3");
        expect_policy(text, &elsewhere, "rest");
}

static void test_order_of_the_policies_counts_not_how_much_they_ask(void **state)
{
        (void)state;
        expect_policy("[policy all]\nimage = /a\n[policy exact]\nchip = esp32s2\nport = 1-4.1\nimage = /b\n",
                      &s2, "all");
}

static void test_no_policy_no_answer(void **state)
{
        (void)state;
        expect_policy("", &s2, NULL);
        expect_policy("[policy a]\nchip = esp32p4\nimage = /a\n", &s2, NULL);
}

static void test_policy_without_keys_to_match_takes_every_rom(void **state)
{
        struct board_facts s3 = an_s3();

        (void)state;
        expect_policy("[policy a]\nimage = /a\n", &s2, "a");
        expect_policy("[policy a]\nimage = /a\n", &s3, "a");
}

static void test_board_that_is_not_the_rom_is_left_alone_by_mode_rom(void **state)
{
        struct board_facts application = an_application_that_looks_like_the_rom();

        (void)state;
        expect_mismatch("[policy a]\nchip = esp32s2\nimage = /a\n", &application, "mode", "rom",
                        "not the mask ROM");
}

static void test_mode_any_takes_whatever_speaks_dfu(void **state)
{
        static const char any[] = "[policy a]\nmode = any\nimage = /a\n";
        struct board_facts application = an_application_that_looks_like_the_rom(), other = something_else(),
                           deaf = s2;

        (void)state;
        deaf.has_dfu = false;
        deaf.is_rom = false;
        expect_policy(any, &application, "a");
        expect_policy(any, &other, "a");
        expect_mismatch(any, &deaf, "mode", "any", "no DFU interface");
}

static void test_chip_is_espressifs_by_vendor_too(void **state)
{
        struct board_facts other = something_else(), s3 = an_s3();

        (void)state;
        expect_mismatch("[policy a]\nmode = any\nchip = esp32s2\nimage = /a\n", &other, "chip", "esp32s2",
                        "unknown");
        expect_mismatch("[policy a]\nchip = esp32s2\nimage = /a\n", &s3, "chip", "esp32s2", "esp32s3");
}

static void test_first_key_that_does_not_match_is_told(void **state)
{
        struct board_facts s3 = an_s3();

        (void)state;
        expect_mismatch("[policy a]\nserial = 7c:df:a1:0c:*\nslot = A*\nimage = /a\n", &s3, "serial",
                        "7c:df:a1:0c:*", "7c:df:a1:0b:00:12");
        expect_mismatch("[policy a]\nserial = x\nport = 2-*\nimage = /a\n", &s3, "port", "2-*", "1-4.1");
        expect_mismatch("[policy a]\npath = pci-0000:05:*\nimage = /a\n", &s3, "path", "pci-0000:05:*",
                        "pci-0000:00:14.0-usb-0:4.1");
        expect_mismatch("[policy a]\nslot = B*\nport = 2-*\nimage = /a\n", &s3, "slot", "B*", "A1");
}

static void test_what_is_not_known_of_a_board_matches_no_glob(void **state)
{
        struct board_facts bare = something_else();

        (void)state;
        bare.port = NULL;
        expect_mismatch("[policy a]\nmode = any\nslot = *\nimage = /a\n", &bare, "slot", "*", "no slot");
        expect_mismatch("[policy a]\nmode = any\nport = *\nimage = /a\n", &bare, "port", "*", "unknown");
        expect_mismatch("[policy a]\nmode = any\npath = *\nimage = /a\n", &bare, "path", "*", "unknown");
        expect_mismatch("[policy a]\nmode = any\nserial = *\nimage = /a\n", &bare, "serial", "*", "unknown");
}

static void test_mac_in_capitals_finds_its_board(void **state)
{
        struct board_facts s3 = an_s3();

        (void)state;
        expect_policy("[policy a]\nserial = 7C:DF:A1:*\nimage = /a\n", &s3, "a");
}

static void test_slot_is_found_by_path_before_port(void **state)
{
        _cleanup_(config_freep) struct config *config = read_text(
                "[slot A1]\nport = 1-4.1\n[slot A2]\npath = pci-x-usb-0:4.1\n[slot A3]\nport = 1-4.3\n", "");

        (void)state;
        assert_string_equal(config_slot_for(config, "pci-x-usb-0:4.1", "1-4.1")->name, "A2");
        assert_string_equal(config_slot_for(config, NULL, "1-4.1")->name, "A1");
        assert_string_equal(config_slot_for(config, "pci-x-usb-0:4.3", "1-4.3")->name, "A3");
        assert_string_equal(config_slot_for(config, "pci-x-usb-0:4.1", NULL)->name, "A2");
        assert_null(config_slot_for(config, "pci-x-usb-0:9", "1-9"));
        assert_null(config_slot_for(config, NULL, NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_policy_that_matches_wins),
                cmocka_unit_test(test_order_of_the_policies_counts_not_how_much_they_ask),
                cmocka_unit_test(test_no_policy_no_answer),
                cmocka_unit_test(test_policy_without_keys_to_match_takes_every_rom),
                cmocka_unit_test(test_board_that_is_not_the_rom_is_left_alone_by_mode_rom),
                cmocka_unit_test(test_mode_any_takes_whatever_speaks_dfu),
                cmocka_unit_test(test_chip_is_espressifs_by_vendor_too),
                cmocka_unit_test(test_first_key_that_does_not_match_is_told),
                cmocka_unit_test(test_what_is_not_known_of_a_board_matches_no_glob),
                cmocka_unit_test(test_mac_in_capitals_finds_its_board),
                cmocka_unit_test(test_slot_is_found_by_path_before_port),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
