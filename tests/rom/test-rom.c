/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model of the chip against docs/rom-dfu.md, "Descriptors" and "The state machine". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/rom/loopback.h"

#define STATUS(status, state) ((status) << 8 | (state))

static struct rom *new_board(bool dfu_mode)
{
        struct rom *rom = rom_new(&(struct rom_config){ .chip = ROM_S2, .starts_in_dfu_mode = dfu_mode });

        assert_non_null(rom);
        rom_set_configured(rom);
        return rom;
}

static enum rom_answer get_descriptor(struct rom *rom, uint8_t type, uint16_t value, uint16_t len,
                                      struct rom_reply *ret)
{
        const struct rom_setup setup = { type, 6, value, 0, len };

        rom_control(rom, &setup, NULL, ret);
        return ret->answer;
}

static void test_device_descriptor_of_each_chip_is_the_roms(void **state)
{
        static const uint8_t ids[ROM_N_CHIPS][4] = {
                { 0x02, 0x00, 0x23, 0x07 },
                { 0x09, 0x00, 0x28, 0x07 },
                { 0x12, 0x00, 0x12, 0x09 },
                { 0x20, 0x00, 0x64, 0x07 },
        };
        uint8_t expected[18] = { 0x12, 0x01, 0x00, 0x02, 0xef, 0x02, 0x01, 0x40, 0x3a,
                                 0x30, 0x02, 0x00, 0x23, 0x07, 0x01, 0x02, 0x03, 0x01 };

        (void)state;
        for (enum rom_chip chip = ROM_S2; chip < ROM_N_CHIPS; chip++) {
                _cleanup_(rom_freep) struct rom *rom = rom_new(&(struct rom_config){ .chip = chip });
                struct rom_reply reply;

                memcpy(expected + 10, ids[chip], 4);
                assert_int_equal(get_descriptor(rom, 0x80, 0x0100, 64, &reply), ROM_ACK);
                assert_int_equal(reply.len, 18);
                assert_memory_equal(reply.data, expected, 18);
        }
}

static void test_configuration_is_93_bytes_that_differ_by_mode_in_one(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(false);
        struct rom_reply run_time, dfu;
        size_t differences = 0;

        (void)state;
        get_descriptor(rom, 0x80, 0x0200, 255, &run_time);
        host_detach(rom);
        get_descriptor(rom, 0x80, 0x0200, 255, &dfu);
        assert_int_equal(run_time.len, 93);
        assert_int_equal(dfu.len, 93);
        for (size_t i = 0; i < 93; i++)
                differences += run_time.data[i] != dfu.data[i];
        assert_int_equal(differences, 1);
        assert_int_equal(run_time.data[82], 1);
        assert_int_equal(dfu.data[82], 2);
        assert_memory_equal(dfu.data + 84, "\x09\x21\x0f\xbc\x02\x40\x00\x10\x01", 9);
}

static void test_descriptor_is_cut_at_the_length_asked_for(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(false);
        struct rom_reply reply;

        (void)state;
        get_descriptor(rom, 0x80, 0x0200, 9, &reply);
        assert_int_equal(reply.len, 9);
        assert_int_equal(read_le16(reply.data + 2), 93);
}

static void test_descriptors_that_the_rom_has_not_are_stalled(void **state)
{
        static const uint16_t absent[] = { 0x0600, 0x0f00, 0x0304, 0x0305, 0x2100, 0x0201 };
        _cleanup_(rom_freep) struct rom *rom = new_board(false);
        struct rom_reply reply;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
                assert_int_equal(get_descriptor(rom, 0x80, absent[i], 64, &reply), ROM_STALL);
        assert_int_equal(get_descriptor(rom, 0x81, 0x2100, 9, &reply), ROM_STALL);
        assert_int_equal(get_descriptor(rom, 0x81, 0x0200, 93, &reply), ROM_STALL);
}

static void test_serial_is_the_mac_but_on_an_s2(void **state)
{
        struct rom_config config = { .chip = ROM_S2, .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0x00, 0x12 } };
        _cleanup_(rom_freep) struct rom *s2 = rom_new(&config);
        _cleanup_(rom_freep) struct rom *p4 = NULL;
        struct rom_reply reply;

        (void)state;
        config.chip = ROM_P4;
        p4 = rom_new(&config);
        assert_string_equal(rom_serial(s2), "0");
        assert_string_equal(rom_serial(p4), "7c:df:a1:0b:00:12");
        assert_int_equal(get_descriptor(s2, 0x80, 0x0303, 64, &reply), ROM_ACK);
        assert_int_equal(reply.len, 4);
        assert_memory_equal(reply.data,
                            "\x04\x03"
                            "0\0",
                            4);
}

static void test_detach_leaves_the_bus_and_returns_in_dfu_mode(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(false);
        struct rom_reply reply;

        (void)state;
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_APP_IDLE));
        assert_int_equal(host_request(rom, ROM_DETACH, 1000, NULL, 0, &reply), ROM_VANISH);
        assert_int_equal(reply.away_usec, 10000);
        assert_int_equal(rom_state(rom), ROM_APP_DETACH);
        rom_attach(rom);
        assert_true(rom_in_dfu_mode(rom));
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_IDLE));
        assert_int_equal(rom_counters(rom)->detaches, 1);
}

static void test_detach_in_dfu_mode_stalls_and_falls_back_to_the_application_state(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        assert_int_equal(host_simple(rom, ROM_DETACH), ROM_STALL);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_APP_IDLE));
}

static void test_run_time_mode_knows_getstatus_and_getstate_alone(void **state)
{
        static const enum rom_request refused[] = { ROM_DNLOAD, ROM_UPLOAD, ROM_CLRSTATUS, ROM_ABORT };
        _cleanup_(rom_freep) struct rom *rom = new_board(false);
        struct rom_reply reply;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
                assert_int_equal(host_simple(rom, refused[i]), ROM_STALL);
                assert_int_equal(rom_state(rom), ROM_APP_IDLE);
        }
        assert_int_equal(host_request(rom, ROM_GETSTATE, 0, NULL, 1, &reply), ROM_ACK);
        assert_int_equal(reply.len, 1);
        assert_int_equal(reply.data[0], ROM_APP_IDLE);
        assert_int_equal(rom_counters(rom)->archives, 0);
}

static void test_poll_timeout_is_256_ms_in_every_state(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);
        struct rom_reply reply;

        (void)state;
        for (int i = 0; i < 3; i++) {
                host_request(rom, ROM_GETSTATUS, 0, NULL, 6, &reply);
                assert_memory_equal(reply.data + 1, "\x00\x01\x00", 3);
                if (i == 0)
                        host_dnload(rom, "x", 1);
                else
                        host_simple(rom, ROM_UPLOAD); /* the wrong state: dfuERROR */
        }
        assert_int_equal(rom_state(rom), ROM_DFU_ERROR);
}

static void test_blocks_need_no_getstatus_between_them(void **state)
{
        static const uint8_t block[64] = { 0 };
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        for (int i = 0; i < 10; i++) {
                assert_int_equal(host_dnload(rom, block, sizeof(block)), ROM_ACK);
                assert_int_equal(rom_state(rom), ROM_DFU_DNLOAD_IDLE);
        }
        assert_int_equal(rom_counters(rom)->archives, 1);
        assert_int_equal(rom_counters(rom)->blocks, 10);
}

static void test_empty_dnload_waits_for_getstatus_and_ends_in_idle(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        assert_int_equal(host_dnload(rom, NULL, 0), ROM_ACK);
        assert_int_equal(rom_state(rom), ROM_DFU_MANIFEST_SYNC);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_IDLE));
}

static void test_getstate_shows_manifest_sync_and_leaves_it(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);
        struct rom_reply reply;

        (void)state;
        host_dnload(rom, NULL, 0);
        host_request(rom, ROM_GETSTATE, 0, NULL, 1, &reply);
        assert_int_equal(reply.data[0], ROM_DFU_MANIFEST_SYNC);
        assert_int_equal(rom_state(rom), ROM_DFU_MANIFEST_SYNC);
}

static void test_dnload_in_the_wrong_state_is_err_unknown(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        host_dnload(rom, NULL, 0);
        assert_int_equal(host_dnload(rom, "x", 1), ROM_STALL);
        assert_int_equal(host_status(rom), STATUS(ROM_ERR_UNKNOWN, ROM_DFU_ERROR));
        assert_int_equal(host_dnload(rom, "x", 1), ROM_STALL);
        assert_int_equal(host_simple(rom, ROM_CLRSTATUS), ROM_ACK);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_IDLE));
}

static void test_abort_keeps_the_updaters_error_and_clrstatus_clears_it(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        rom_add_fault(
                rom, &(struct rom_fault){
                             .when = ROM_AT_BLOCK, .nth = 2, .what = ROM_DO_ERROR, .value = ROM_ERR_TARGET });
        host_dnload(rom, "x", 1);
        host_dnload(rom, "x", 1);
        assert_int_equal(rom_state(rom), ROM_DFU_DNLOAD_IDLE);
        assert_int_equal(host_status(rom), STATUS(ROM_ERR_TARGET, ROM_DFU_ERROR));
        assert_int_equal(host_simple(rom, ROM_ABORT), ROM_ACK);
        assert_int_equal(rom_state(rom), ROM_DFU_IDLE);
        assert_int_equal(host_status(rom), STATUS(ROM_ERR_TARGET, ROM_DFU_ERROR));
        assert_int_equal(host_simple(rom, ROM_CLRSTATUS), ROM_ACK);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_IDLE));
}

static void test_block_behind_an_abort_begins_a_new_archive_in_mid_file(void **state)
{
        static const uint8_t block[64] = { 0x55 };
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        host_dnload(rom, "070701", 6);
        host_simple(rom, ROM_ABORT);
        for (int i = 0; i < 4; i++)
                host_dnload(rom, block, sizeof(block));
        assert_int_equal(rom_counters(rom)->archives, 2);
        assert_int_equal(rom_counters(rom)->raw_downloads, 1);
        assert_true(rom_flash_equals(rom, 0, block, sizeof(block)));
}

static void test_interrupted_session_is_met_in_mid_archive(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        host_dnload(rom, "070701", 6);
        /* the host's program is killed here, and another one starts */
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_DNLOAD_IDLE));
}

static void test_upload_reads_the_flash_in_the_order_of_its_blocks(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);
        struct rom_reply reply;

        (void)state;
        rom_flash_fill(rom, 64, 0xa5, 64);
        assert_int_equal(host_request(rom, ROM_UPLOAD, 0, NULL, 64, &reply), ROM_ACK);
        assert_int_equal(reply.data[0], 0xff);
        assert_int_equal(host_request(rom, ROM_UPLOAD, 1, NULL, 64, &reply), ROM_ACK);
        assert_int_equal(reply.data[0], 0xa5);
        assert_int_equal(host_request(rom, ROM_UPLOAD, 7, NULL, 64, &reply), ROM_STALL);
        assert_int_equal(rom_state(rom), ROM_DFU_ERROR);
}

static void test_more_than_64_bytes_is_a_violation(void **state)
{
        static const uint8_t block[65] = { 0 };
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        host_dnload(rom, block, 64);
        assert_int_equal(rom_counters(rom)->violations, 0);
        host_dnload(rom, block, 65);
        assert_int_equal(rom_counters(rom)->violations, 1);
}

static void test_bus_reset_reboots_in_dfu_mode_alone(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(false);
        struct rom_reply reply;

        (void)state;
        rom_bus_reset(rom, &reply);
        assert_int_equal(reply.answer, ROM_ACK);
        host_detach(rom);
        rom_bus_reset(rom, &reply);
        assert_int_equal(reply.answer, ROM_VANISH);
        rom_attach(rom);
        assert_false(rom_in_dfu_mode(rom));
        assert_int_equal(rom_counters(rom)->resets, 1);
        assert_int_equal(rom_counters(rom)->runtime_resets, 1);
}

static void test_bus_reset_before_it_is_configured_is_harmless(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(false);
        struct rom_reply reply;

        (void)state;
        host_simple(rom, ROM_DETACH);
        rom_attach(rom);
        rom_bus_reset(rom, &reply);
        assert_int_equal(reply.answer, ROM_ACK);
        assert_true(rom_in_dfu_mode(rom));
}

static void test_power_off_forgets_all_but_the_flash(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);
        uint8_t byte;

        (void)state;
        rom_flash_fill(rom, 0, 0x12, 1);
        host_dnload(rom, "070701", 6);
        rom_power_off(rom);
        rom_attach(rom);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_APP_IDLE));
        rom_flash_read(rom, 0, &byte, 1);
        assert_int_equal(byte, 0x12);
}

static void test_faults_strike_at_their_request_and_once(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);
        struct rom_reply reply;

        (void)state;
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 1, ROM_DO_STALL, 0 });
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 2, ROM_DO_LOSE, 0 });
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 3, ROM_DO_SHORTEN, 5 });
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 4, ROM_DO_STATE, 3 });
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 5, ROM_DO_STATUS, 7 });
        rom_add_fault(rom,
                      &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 6, ROM_DO_POLL_TIME, 0x10203 });
        assert_int_equal(host_request(rom, ROM_GETSTATUS, 0, NULL, 6, &reply), ROM_STALL);
        assert_int_equal(host_request(rom, ROM_GETSTATUS, 0, NULL, 6, &reply), ROM_SILENCE);
        assert_int_equal(host_request(rom, ROM_GETSTATUS, 0, NULL, 6, &reply), ROM_ACK);
        assert_int_equal(reply.len, 5);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_DNLOAD_SYNC));
        assert_int_equal(host_status(rom), STATUS(0x07, ROM_DFU_IDLE));
        host_request(rom, ROM_GETSTATUS, 0, NULL, 6, &reply);
        assert_memory_equal(reply.data + 1, "\x03\x02\x01", 3);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_IDLE));
}

static void test_faults_at_a_block_can_strike_once_or_in_each_archive(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_BLOCK, 0, 3, ROM_DO_STALL, 0 });
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_BLOCK, 0, 2, ROM_DO_STALL, 0, .each_archive = true });
        for (unsigned archive = 0; archive < 2; archive++) {
                assert_int_equal(host_dnload(rom, "x", 1), ROM_ACK);
                assert_int_equal(host_dnload(rom, "x", 1), ROM_STALL);
                assert_int_equal(host_dnload(rom, "x", 1), archive == 0 ? ROM_STALL : ROM_ACK);
                assert_int_equal(host_dnload(rom, "x", 1), ROM_ACK);
                assert_int_equal(host_simple(rom, ROM_ABORT), ROM_ACK);
        }
        assert_int_equal(rom_counters(rom)->strikes, 3);
}

/* Whichever block it is that the GETSTATUS stands behind. */
static void test_fault_in_the_status_of_a_block_strikes_at_the_first_that_tells_of_it(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_STATUS, 0, 3, ROM_DO_STATUS, 7 });
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_IDLE));
        host_dnload(rom, "x", 1);
        host_dnload(rom, "x", 1);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_DNLOAD_IDLE));
        host_dnload(rom, "x", 1);
        host_dnload(rom, "x", 1);
        assert_int_equal(host_status(rom), STATUS(0x07, ROM_DFU_DNLOAD_IDLE));
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_DNLOAD_IDLE));
}

static void test_fault_in_the_result_strikes_behind_the_empty_dnload(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_RESULT, 0, 1, ROM_DO_STATUS, 7 });
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_IDLE));
        host_dnload(rom, "x", 1);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_DNLOAD_IDLE));
        host_dnload(rom, NULL, 0);
        assert_int_equal(host_status(rom), STATUS(0x07, ROM_DFU_IDLE));
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_IDLE));
}

static void test_fault_before_dfu_strikes_at_a_request_that_is_not_dfus(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(false);
        const struct rom_setup get_configuration = { 0x80, 8, 0, 0, 1 };
        struct rom_reply reply;

        (void)state;
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_OTHER, 0, 2, ROM_DO_STALL, 0 });
        rom_control(rom, &get_configuration, NULL, &reply);
        assert_int_equal(reply.answer, ROM_ACK);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_APP_IDLE));
        rom_control(rom, &get_configuration, NULL, &reply);
        assert_int_equal(reply.answer, ROM_STALL);
        assert_int_equal(rom_counters(rom)->others, 2);
}

static void test_short_answer_to_a_block_says_how_much_was_taken(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);
        static const uint8_t block[64] = { 0 };
        struct rom_reply reply;

        (void)state;
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_BLOCK, 0, 1, ROM_DO_SHORTEN, 32 });
        assert_int_equal(host_request(rom, ROM_DNLOAD, 0, block, 64, &reply), ROM_ACK);
        assert_int_equal(reply.len, 32);
}

static void test_hung_board_is_silent_until_the_power_goes(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);

        (void)state;
        rom_add_fault(rom, &(struct rom_fault){ .when = ROM_AT_ANY, .nth = 2, .what = ROM_DO_HANG });
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_IDLE));
        assert_int_equal(host_simple(rom, ROM_ABORT), ROM_SILENCE);
        assert_int_equal(host_simple(rom, ROM_ABORT), ROM_SILENCE);
        rom_power_off(rom);
        rom_attach(rom);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_APP_IDLE));
}

static void test_unplugged_board_answers_nothing_and_may_return(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);
        struct rom_reply reply;

        (void)state;
        rom_add_fault(rom, &(struct rom_fault){ ROM_AT_BLOCK, 0, 2, ROM_DO_UNPLUG, 5000 });
        host_dnload(rom, "x", 1);
        assert_int_equal(host_request(rom, ROM_DNLOAD, 0, (const uint8_t *)"x", 1, &reply), ROM_VANISH);
        assert_int_equal(reply.away_usec, 5000);
        assert_int_equal(host_request(rom, ROM_GETSTATUS, 0, NULL, 6, &reply), ROM_VANISH);
        rom_attach(rom);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_APP_IDLE));
}

static void test_console_requests_pass_by_the_state_machine(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = new_board(true);
        const struct rom_setup set_line_coding = { 0x21, 0x20, 0, 0, 7 }, dtr = { 0x21, 0x22, 3, 0, 0 };
        static const uint8_t coding[7] = { 0 };
        struct rom_reply reply;

        (void)state;
        host_dnload(rom, "x", 1);
        rom_control(rom, &set_line_coding, coding, &reply);
        assert_int_equal(reply.answer, ROM_ACK);
        rom_control(rom, &dtr, NULL, &reply);
        assert_int_equal(reply.answer, ROM_ACK);
        assert_int_equal(host_status(rom), STATUS(ROM_OK, ROM_DFU_DNLOAD_IDLE));
}

static void test_application_in_the_roms_clothes_shows_what_it_was_told(void **state)
{
        _cleanup_(rom_freep) struct rom *rom = rom_new(&(struct rom_config){
                .chip = ROM_S2,
                .manufacturer = "Espressif Systems",
                .serial = "7c:df:a1:0b:00:12",
                .bcd_device = 0x0100,
                .patch_offset = 90,
                .patch_to = 0x10,
        });
        uint8_t device[18], configuration[93];

        (void)state;
        rom_device_descriptor(rom, device);
        rom_configuration_descriptor(rom, configuration);
        assert_int_equal(read_le16(device + 12), 0x0100);
        assert_int_equal(configuration[90], 0x10);
        assert_string_equal(rom_manufacturer(rom), "Espressif Systems");
        assert_string_equal(rom_serial(rom), "7c:df:a1:0b:00:12");
}

static void test_board_that_lies_says_something_else_in_each_mode(void **state)
{
        static const struct rom_config lying = {
                .chip = ROM_S3,
                .lies = { { 17, 255 }, { 18 + 89, 0xff }, { 18 + 90, 0xff } },
                .lies_in_dfu_mode_alone = true
        };
        _cleanup_(rom_freep) struct rom *rom = rom_new(&lying);
        uint8_t device[18], configuration[93];

        (void)state;
        rom_device_descriptor(rom, device);
        rom_configuration_descriptor(rom, configuration);
        assert_int_equal(device[17], 1);
        assert_int_equal(read_le16(configuration + 89), 64);
        host_detach(rom);
        rom_device_descriptor(rom, device);
        rom_configuration_descriptor(rom, configuration);
        assert_int_equal(device[17], 255);
        assert_int_equal(read_le16(configuration + 89), 65535);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_device_descriptor_of_each_chip_is_the_roms),
                cmocka_unit_test(test_configuration_is_93_bytes_that_differ_by_mode_in_one),
                cmocka_unit_test(test_descriptor_is_cut_at_the_length_asked_for),
                cmocka_unit_test(test_descriptors_that_the_rom_has_not_are_stalled),
                cmocka_unit_test(test_serial_is_the_mac_but_on_an_s2),
                cmocka_unit_test(test_detach_leaves_the_bus_and_returns_in_dfu_mode),
                cmocka_unit_test(test_detach_in_dfu_mode_stalls_and_falls_back_to_the_application_state),
                cmocka_unit_test(test_run_time_mode_knows_getstatus_and_getstate_alone),
                cmocka_unit_test(test_poll_timeout_is_256_ms_in_every_state),
                cmocka_unit_test(test_blocks_need_no_getstatus_between_them),
                cmocka_unit_test(test_empty_dnload_waits_for_getstatus_and_ends_in_idle),
                cmocka_unit_test(test_getstate_shows_manifest_sync_and_leaves_it),
                cmocka_unit_test(test_dnload_in_the_wrong_state_is_err_unknown),
                cmocka_unit_test(test_abort_keeps_the_updaters_error_and_clrstatus_clears_it),
                cmocka_unit_test(test_block_behind_an_abort_begins_a_new_archive_in_mid_file),
                cmocka_unit_test(test_interrupted_session_is_met_in_mid_archive),
                cmocka_unit_test(test_upload_reads_the_flash_in_the_order_of_its_blocks),
                cmocka_unit_test(test_more_than_64_bytes_is_a_violation),
                cmocka_unit_test(test_bus_reset_reboots_in_dfu_mode_alone),
                cmocka_unit_test(test_bus_reset_before_it_is_configured_is_harmless),
                cmocka_unit_test(test_power_off_forgets_all_but_the_flash),
                cmocka_unit_test(test_faults_strike_at_their_request_and_once),
                cmocka_unit_test(test_faults_at_a_block_can_strike_once_or_in_each_archive),
                cmocka_unit_test(test_fault_in_the_status_of_a_block_strikes_at_the_first_that_tells_of_it),
                cmocka_unit_test(test_fault_in_the_result_strikes_behind_the_empty_dnload),
                cmocka_unit_test(test_fault_before_dfu_strikes_at_a_request_that_is_not_dfus),
                cmocka_unit_test(test_short_answer_to_a_block_says_how_much_was_taken),
                cmocka_unit_test(test_hung_board_is_silent_until_the_power_goes),
                cmocka_unit_test(test_unplugged_board_answers_nothing_and_may_return),
                cmocka_unit_test(test_console_requests_pass_by_the_state_machine),
                cmocka_unit_test(test_application_in_the_roms_clothes_shows_what_it_was_told),
                cmocka_unit_test(test_board_that_lies_says_something_else_in_each_mode),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
