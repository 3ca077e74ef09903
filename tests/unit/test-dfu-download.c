/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A download that goes well, and what makes it fast. */
#include "tests/unit/host-bus.h"

#define DFU_MODE .starts_in_dfu_mode = true

static const struct rom_config s2 = { .chip = ROM_S2, DFU_MODE };

static void test_board_in_dfu_idle_is_flashed(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        download(&host);
        expect_flashed(&host);
        expect_requests(&host, "S B S E S");
        host_done(&host);
}

static void test_board_is_flashed_twice_in_a_row(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        download(&host);
        expect_flashed(&host);
        download_again(&host);
        expect_flashed(&host);
        expect_requests(&host, "S B S E S");
        assert_int_equal(rom_counters(host.rom)->completed, 2);
        host_done(&host);
}

static void test_real_image_of_each_kind_is_flashed_with_real_delays(void **state)
{
        struct sample_image image;
        struct host host;

        (void)state;
        sample_image_make_s2(&image);
        host_meets_with(&host,
                        &(struct rom_config){ .chip = ROM_S2, DFU_MODE, .timing = rom_timing_realistic },
                        &image);
        download(&host);
        expect_flashed(&host);
        host_done(&host);

        sample_image_make_s3(&image);
        host_meets_with(&host,
                        &(struct rom_config){ .chip = ROM_S3, DFU_MODE, .timing = rom_timing_realistic },
                        &image);
        download(&host);
        expect_flashed(&host);
        host_done(&host);
}

static void test_bus_is_never_starved_and_never_over_its_depth(void **state)
{
        static const unsigned depths[] = { 1, 2, 7, 32, 64, 65, 1000 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
                struct host host;

                host_meets(&host, &s2);
                host.params.depth = depths[i];
                host.params.status_every = 16;
                download(&host);
                expect_flashed(&host);
                assert_int_equal(host.deepest, MIN(depths[i], (unsigned)DFU_DEPTH_MAX));
                assert_int_equal(host.starved, 0);
                host_done(&host);
        }
}

static void test_getstatus_is_queued_like_a_block(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host.params.status_every = 16;
        download(&host);
        expect_flashed(&host);
        expect_requests(&host, "S B S B S B S B S B S B S B S B S B S B S E S");
        assert_int_equal(host.lonely_status, 0);
        host_done(&host);
}

static void test_a_mebibyte_costs_few_transfers_more_than_its_blocks(void **state)
{
        const struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 4 * MIB,
                .files = { { "app.bin", 0x10000, MIB, 3 } },
                .n_files = 1,
        };
        struct sample_image image;
        struct host host;

        (void)state;
        sample_image_make(&spec, &image);
        host_meets_with(&host, &s2, &image);
        download(&host);
        expect_flashed(&host);
        assert_true((uint64_t)host.dfu.transfers * MIB <= UINT64_C(16640) * host.params.size);
        host_done(&host);
}

static void test_progress_counts_what_the_board_has_taken(void **state)
{
        struct dfu_action action;
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        dfu_start(&host.dfu, &host.params);
        dfu_next(&host.dfu, 0, &action);
        dfu_completed(&host.dfu,
                      &(struct dfu_completion){
                              .tag = action.tag, .length = 6, .data = (const uint8_t[]){ 0, 0, 1, 0, 2, 0 } },
                      0);
        for (unsigned i = 0; i < 4; i++) {
                dfu_next(&host.dfu, 0, &action);
                assert_int_equal(action.type, DFU_DO_REQUEST);
                assert_int_equal(action.offset, i * 64);
                assert_int_equal(action.value, i);
                assert_int_equal(host.dfu.bytes_done, i == 0 ? 0 : 64);
                if (i > 0)
                        continue;
                dfu_next(&host.dfu, 0, &action); /* nothing behind the first before the board has taken it */
                assert_int_equal(action.type, DFU_DO_WAIT);
                dfu_completed(&host.dfu, &(struct dfu_completion){ .tag = 1, .length = 64 }, 0);
        }
        dfu_completed(&host.dfu, &(struct dfu_completion){ .tag = 2, .length = 64 }, 0);
        assert_int_equal(host.dfu.bytes_done, 128);
        host_done(&host);
}

/* ---- what success is: every pair of answers around the empty DNLOAD ---- */

static void expect_success_only(unsigned getstatus, enum dfu_state good)
{
        for (unsigned s = 0; s <= DFU_STATE_MAX_; s++)
                for (unsigned code = 0; code <= DFU_CODE_MAX_; code++) {
                        bool success = s == good && code == DFU_OK;
                        struct host host;

                        host_meets(&host, &s2);
                        host_fault(&host, ROM_AT_REQUEST, ROM_GETSTATUS, getstatus, ROM_DO_STATE, s);
                        host_fault(&host, ROM_AT_REQUEST, ROM_GETSTATUS, getstatus, ROM_DO_STATUS, code);
                        download(&host);
                        expect_no_harm(&host);
                        assert_int_equal(host.dfu.verdict == VERDICT_FLASHED, success);
                        /* What is wrong before the empty DNLOAD is found before it is sent. */
                        assert_int_equal(rom_counters(host.rom)->manifests,
                                         getstatus == 3 || success ? 1 : 0);
                        host_done(&host);
                }
}

static void test_nothing_but_dnload_idle_and_ok_leads_to_the_empty_dnload(void **state)
{
        (void)state;
        expect_success_only(2, DFU_DNLOAD_IDLE);
}

static void test_nothing_but_idle_and_ok_after_the_empty_dnload_is_success(void **state)
{
        (void)state;
        expect_success_only(3, DFU_IDLE);
}

static void test_wrong_byte_in_flash_is_found_by_the_board(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_MANIFEST, 0, 1, ROM_DO_FLIP_BIT, (0x1000 + 77) * 8);
        download(&host);
        expect_verdict(&host, VERDICT_VERIFY_FAILED,
                       "errFIRMWARE after reading back what it had written: flash does not hold the image");
        host_done(&host);
}

/* ---- DETACH ---- */

static void test_board_in_run_time_mode_is_sent_to_dfu_mode(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &(struct rom_config){ .chip = ROM_S2 });
        detach(&host);
        expect_verdict(&host, VERDICT_DETACHED, "sent to DFU mode");
        expect_requests(&host, "D");
        rom_attach(host.rom);
        assert_true(rom_in_dfu_mode(host.rom));
        host_done(&host);
}

static void test_detach_that_fails_on_the_bus_may_have_worked(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &(struct rom_config){ .chip = ROM_S2 });
        host.leaves_with_bus_error = true;
        detach(&host);
        expect_verdict(&host, VERDICT_DETACHED, "sent to DFU mode");
        host_done(&host);
}

static void test_refused_detach_is_repeated_once(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &(struct rom_config){ .chip = ROM_S2 });
        host_fault(&host, ROM_AT_REQUEST, ROM_DETACH, 1, ROM_DO_STALL, 0);
        detach(&host);
        expect_verdict(&host, VERDICT_DETACHED, "sent to DFU mode");
        expect_requests(&host, "D D");
        host_done(&host);
}

static void test_board_that_refuses_detach_twice_is_left_alone(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &(struct rom_config){ .chip = ROM_S2 });
        host_fault(&host, ROM_AT_REQUEST, ROM_DETACH, 0, ROM_DO_STALL, 0);
        detach(&host);
        expect_verdict(&host, VERDICT_STALLED, "refused DETACH twice");
        expect_requests(&host, "D D");
        host_done(&host);
}

static void test_board_that_does_not_answer_detach_is_given_up(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &(struct rom_config){ .chip = ROM_S2 });
        host_fault(&host, ROM_AT_REQUEST, ROM_DETACH, 1, ROM_DO_HANG, 0);
        detach(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "no answer to DETACH within 5 s");
        expect_within(&host, DFU_REQUEST_LIMIT + DFU_DRAIN_LIMIT);
        host_done(&host);
}

static void test_cancelled_detach_sends_no_abort(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &(struct rom_config){ .chip = ROM_S2 });
        host_fault(&host, ROM_AT_REQUEST, ROM_DETACH, 1, ROM_DO_HANG, 0);
        host.cancel_at = 1;
        detach(&host);
        expect_verdict(&host, VERDICT_CANCELLED, "cancelled");
        expect_requests(&host, "D");
        host_done(&host);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_board_in_dfu_idle_is_flashed),
                cmocka_unit_test(test_board_is_flashed_twice_in_a_row),
                cmocka_unit_test(test_real_image_of_each_kind_is_flashed_with_real_delays),
                cmocka_unit_test(test_bus_is_never_starved_and_never_over_its_depth),
                cmocka_unit_test(test_getstatus_is_queued_like_a_block),
                cmocka_unit_test(test_a_mebibyte_costs_few_transfers_more_than_its_blocks),
                cmocka_unit_test(test_progress_counts_what_the_board_has_taken),
                cmocka_unit_test(test_nothing_but_dnload_idle_and_ok_leads_to_the_empty_dnload),
                cmocka_unit_test(test_nothing_but_idle_and_ok_after_the_empty_dnload_is_success),
                cmocka_unit_test(test_wrong_byte_in_flash_is_found_by_the_board),
                cmocka_unit_test(test_board_in_run_time_mode_is_sent_to_dfu_mode),
                cmocka_unit_test(test_detach_that_fails_on_the_bus_may_have_worked),
                cmocka_unit_test(test_refused_detach_is_repeated_once),
                cmocka_unit_test(test_board_that_refuses_detach_twice_is_left_alone),
                cmocka_unit_test(test_board_that_does_not_answer_detach_is_given_up),
                cmocka_unit_test(test_cancelled_detach_sends_no_abort),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
