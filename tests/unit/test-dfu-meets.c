/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A board that is met in whatever state somebody else has left it in. */
#include "tests/unit/host-bus.h"

static const struct rom_config s2 = { .chip = ROM_S2, .starts_in_dfu_mode = true };

static void expect_met_state(const struct host *host, enum rom_state expected)
{
        assert_string_equal(rom_state_to_string(rom_state(host->rom)), rom_state_to_string(expected));
}

/* Somebody's image, up to its nth block. */
static void somebody_sends_blocks(struct host *host, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                host_somebody_sends(host, ROM_DNLOAD, host->payload + i * 64, 64);
}

static void test_board_in_mid_archive_is_cleared_and_flashed(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        somebody_sends_blocks(&host, 40);
        expect_met_state(&host, ROM_DFU_DNLOAD_IDLE);
        download(&host);
        expect_flashed(&host);
        expect_requests(&host, "S C S B S E S");
        host_done(&host);
}

static void test_board_in_dfu_error_is_cleared_and_flashed(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        somebody_sends_blocks(&host, 4);
        host_somebody_sends(&host, ROM_UPLOAD, NULL, 64); /* not in dfuDNLOAD-IDLE */
        expect_met_state(&host, ROM_DFU_ERROR);
        download(&host);
        expect_flashed(&host);
        expect_requests(&host, "S C S B S E S");
        host_done(&host);
}

/* ABORT leaves it, so that the board says dfuIDLE until the next GETSTATUS. */
static void test_updaters_error_that_survived_an_abort_is_cleared(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        rom_add_fault(host.rom, &(struct rom_fault){ ROM_AT_BLOCK, 0, 3, ROM_DO_ERROR, ROM_ERR_TARGET });
        somebody_sends_blocks(&host, 4);
        host_somebody_sends(&host, ROM_ABORT, NULL, 0);
        rom_clear_faults(host.rom);
        expect_met_state(&host, ROM_DFU_IDLE);
        assert_int_equal(rom_pending_error(host.rom), ROM_ERR_TARGET);
        download(&host);
        expect_flashed(&host);
        expect_requests(&host, "S C S B S E S");
        host_done(&host);
}

static void test_board_in_upload_is_cleared_and_flashed(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_somebody_sends(&host, ROM_UPLOAD, NULL, 64);
        expect_met_state(&host, ROM_DFU_UPLOAD_IDLE);
        download(&host);
        expect_flashed(&host);
        expect_requests(&host, "S C S B S E S");
        host_done(&host);
}

static void test_board_in_manifest_sync_is_flashed(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        somebody_sends_blocks(&host, 160);
        host_somebody_sends(&host, ROM_DNLOAD, NULL, 0);
        expect_met_state(&host, ROM_DFU_MANIFEST_SYNC);
        download(&host);
        expect_flashed(&host);
        expect_requests(&host, "S B S E S");
        host_done(&host);
}

/* Its verification failed, and nobody asked. */
static void test_board_in_manifest_sync_with_an_error_is_cleared_and_flashed(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        somebody_sends_blocks(&host, 80);
        host_somebody_sends(&host, ROM_DNLOAD, NULL, 0);
        assert_int_equal(rom_pending_error(host.rom), ROM_ERR_TARGET);
        download(&host);
        expect_flashed(&host);
        expect_requests(&host, "S C S B S E S");
        host_done(&host);
}

static void test_board_that_verifies_for_a_killed_engine_is_waited_for(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        somebody_sends_blocks(&host, 160);
        host_somebody_sends(&host, ROM_DNLOAD, NULL, 0);
        host.busy_until_usec = host.now_usec + 29 * USEC_PER_SEC;
        download(&host);
        expect_flashed(&host);
        host_done(&host);
}

static void test_board_that_verifies_for_longer_than_it_may_is_given_up(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host.busy_until_usec = host.now_usec + 31 * USEC_PER_SEC;
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "no answer to GETSTATUS within 30 s");
        expect_requests(&host, "S");
        expect_within(&host, dfu_verify_limit(host.params.verify_bytes) + DFU_DRAIN_LIMIT);
        host_done(&host);
}

static void test_limit_of_the_verification_grows_with_the_image(void **state)
{
        (void)state;
        assert_int_equal(dfu_verify_limit(0), 30 * USEC_PER_SEC);
        assert_int_equal(dfu_verify_limit(MIB), 36 * USEC_PER_SEC);
        assert_int_equal(dfu_verify_limit(16 * MIB), 126 * USEC_PER_SEC);
}

/* It says DFU mode in its descriptors, but is in an application state: a lookalike, or one that is about to leave. */
static void test_board_in_an_application_state_gets_no_block(void **state)
{
        static const enum dfu_state application[] = { DFU_APP_IDLE, DFU_APP_DETACH };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(application); i++) {
                struct host host;

                host_meets(&host, &s2);
                host_fault(&host, ROM_AT_REQUEST, ROM_GETSTATUS, 0, ROM_DO_STATE, application[i]);
                download(&host);
                expect_verdict(&host, VERDICT_BAD_ANSWER, "expected dfuIDLE, OK");
                expect_requests(&host, "S");
                host_done(&host);
        }
}

static void test_run_time_board_that_is_taken_for_one_in_dfu_mode_gets_no_block(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &(struct rom_config){ .chip = ROM_S2 });
        download(&host);
        expect_verdict(&host, VERDICT_BAD_ANSWER,
                       "answered appIDLE, OK at byte 0 of 10240: expected dfuIDLE, OK");
        host_done(&host);
}

static void test_every_other_state_is_cleared(void **state)
{
        (void)state;
        for (enum dfu_state met = DFU_DNLOAD_SYNC; met < DFU_STATE_MAX_; met++) {
                struct host host;

                host_meets(&host, &s2);
                host_fault(&host, ROM_AT_REQUEST, ROM_GETSTATUS, 1, ROM_DO_STATE, met);
                download(&host);
                expect_flashed(&host);
                expect_requests(&host, "S C S B S E S");
                host_done(&host);
        }
}

static void test_idle_board_with_an_error_code_is_cleared(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_REQUEST, ROM_GETSTATUS, 1, ROM_DO_STATUS, ROM_ERR_FIRMWARE);
        download(&host);
        expect_flashed(&host);
        expect_requests(&host, "S C S B S E S");
        host_done(&host);
}

static void test_error_that_cannot_be_cleared_is_the_boards_own(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_REQUEST, ROM_GETSTATUS, 0, ROM_DO_STATE, DFU_ERROR);
        host_fault(&host, ROM_AT_REQUEST, ROM_GETSTATUS, 0, ROM_DO_STATUS, DFU_ERR_VENDOR);
        download(&host);
        expect_verdict(&host, VERDICT_BOARD_ERROR, "errVENDOR");
        expect_requests(&host, "S C S");
        host_done(&host);
}

static void test_state_that_cannot_be_cleared_is_a_bad_answer(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_REQUEST, ROM_GETSTATUS, 0, ROM_DO_STATE, DFU_UPLOAD_IDLE);
        download(&host);
        expect_verdict(&host, VERDICT_BAD_ANSWER,
                       "answered dfuUPLOAD-IDLE, OK at byte 0 of 10240: expected dfuIDLE, OK");
        expect_requests(&host, "S C S");
        host_done(&host);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_board_in_mid_archive_is_cleared_and_flashed),
                cmocka_unit_test(test_board_in_dfu_error_is_cleared_and_flashed),
                cmocka_unit_test(test_updaters_error_that_survived_an_abort_is_cleared),
                cmocka_unit_test(test_board_in_upload_is_cleared_and_flashed),
                cmocka_unit_test(test_board_in_manifest_sync_is_flashed),
                cmocka_unit_test(test_board_in_manifest_sync_with_an_error_is_cleared_and_flashed),
                cmocka_unit_test(test_board_that_verifies_for_a_killed_engine_is_waited_for),
                cmocka_unit_test(test_board_that_verifies_for_longer_than_it_may_is_given_up),
                cmocka_unit_test(test_limit_of_the_verification_grows_with_the_image),
                cmocka_unit_test(test_board_in_an_application_state_gets_no_block),
                cmocka_unit_test(test_run_time_board_that_is_taken_for_one_in_dfu_mode_gets_no_block),
                cmocka_unit_test(test_every_other_state_is_cleared),
                cmocka_unit_test(test_idle_board_with_an_error_code_is_cleared),
                cmocka_unit_test(test_error_that_cannot_be_cleared_is_the_boards_own),
                cmocka_unit_test(test_state_that_cannot_be_cleared_is_a_bad_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
