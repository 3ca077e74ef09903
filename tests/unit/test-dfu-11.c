/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The dfu11 profile: any other device, one request at a time, bwPollTimeout obeyed. */
#include "tests/unit/dfu11-device.h"

#define SIZE 10000 /* bytes of firmware: 9 blocks of 1024 and a short one */

static uint8_t firmware[SIZE];
static struct dfu11_device device;

static const struct dfu11_config usual = {
        .transfer_size = 1024,
        .tolerant = true,
        .block_work_msec = 20,
        .manifest_msec = 500,
        .transfer_usec = 100,
};

static void meet(struct host *host, const struct dfu11_config *config)
{
        sample_fill(firmware, sizeof(firmware), 11);
        device = (struct dfu11_device){ .config = *config, .state = DFU_IDLE };
        *host = (struct host){
                .now_usec = 3600 * USEC_PER_SEC,
                .control = dfu11_control,
                .device = &device,
                .payload = firmware,
                .params = {
                        .profile = DFU_PROFILE_DFU11,
                        .size = SIZE,
                        .transfer_size = config->transfer_size,
                        .manifestation_tolerant = config->tolerant,
                        .depth = HOST_DEPTH, /* what the ROM would get */
                        .status_every = HOST_STATUS_EVERY,
                        .verify_bytes = SIZE,
                },
        };
}

static void expect_obeyed(const struct host *host)
{
        assert_int_equal(device.too_early, 0);
        assert_int_equal(device.violations, 0);
        assert_int_equal(host->deepest, 1);
}

static void expect_taken(const struct host *host)
{
        expect_verdict(host, VERDICT_FLASHED, "10000 bytes");
        expect_obeyed(host);
        assert_int_equal(device.len, SIZE);
        assert_memory_equal(device.firmware, firmware, SIZE);
}

static void test_each_block_is_followed_by_its_getstatus(void **state)
{
        struct dfu11_config quick = usual;
        struct host host;

        (void)state;
        quick.block_work_msec = quick.manifest_msec = 0;
        meet(&host, &quick);
        download(&host);
        expect_taken(&host);
        expect_requests(&host, "S B S B S B S B S B S B S B S B S B S B S E S S");
}

static void test_busy_device_is_left_alone_for_bwpolltimeout(void **state)
{
        struct host host;

        (void)state;
        meet(&host, &usual);
        download(&host);
        expect_taken(&host);
        expect_within(&host, 1 * USEC_PER_SEC);
}

static void test_device_that_says_sync_while_it_works_is_asked_again(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.says_sync = true;
        meet(&host, &config);
        download(&host);
        expect_taken(&host);
}

static void test_device_that_underestimates_itself_is_asked_again(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.asks_for_msec = 3;
        meet(&host, &config);
        download(&host);
        expect_taken(&host);
}

static void test_other_transfer_sizes(void **state)
{
        static const uint16_t sizes[] = { 8, 64, 100, 1000, 4096, 10000, 10001, 65535 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                struct dfu11_config config = usual;
                struct host host;

                config.transfer_size = sizes[i];
                meet(&host, &config);
                download(&host);
                expect_taken(&host);
                assert_int_equal(device.blocks, (SIZE + sizes[i] - 1) / sizes[i]);
        }
}

static void test_device_that_does_not_tolerate_manifestation_is_flashed_when_it_manifests(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.tolerant = false;
        meet(&host, &config);
        download(&host);
        expect_taken(&host);
        assert_int_equal(device.state, DFU_MANIFEST);
}

static void test_tolerant_device_is_not_flashed_before_it_is_idle_again(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.never_manifests = true;
        meet(&host, &config);
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "stays in dfuMANIFEST");
        expect_within(&host, 2 * DFU_POLL_LIMIT);
        expect_obeyed(&host);
}

static void test_manifestation_that_fails_is_told(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.fails_with = DFU_ERR_FIRMWARE;
        meet(&host, &config);
        download(&host);
        expect_verdict(&host, VERDICT_VERIFY_FAILED, "errFIRMWARE");
}

static void test_block_that_fails_is_told(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.failing_block = 4;
        meet(&host, &config);
        download(&host);
        expect_verdict(&host, VERDICT_BOARD_ERROR,
                       "board reports errWRITE between bytes 3072 and 4096 of 10000");
        expect_obeyed(&host);
}

static void test_absurd_bwpolltimeout_is_not_waited_for(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.asks_for_msec = 0xffffff; /* 4 h 39 min */
        meet(&host, &config);
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "dfuDNBUSY (asks for 16777215 ms more)");
        expect_within(&host, USEC_PER_SEC);
}

static void test_longest_bwpolltimeout_that_is_waited_for(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.transfer_size = 10000;
        config.asks_for_msec = 60000;
        meet(&host, &config);
        download(&host);
        expect_taken(&host);
}

static void test_device_that_is_busy_for_ever_is_given_up(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.never_done_block = 3;
        meet(&host, &config);
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "stays in dfuDNBUSY");
        expect_within(&host, 2 * DFU_POLL_LIMIT);
        assert_int_equal(device.too_early, 0);
}

/* A device that is busy and asks for no time at all must not make the host ask as fast as it can. */
/* It asks for no more than it may, each time: half an hour, for 10 000 bytes. */
static void test_device_that_needs_a_while_for_each_block_is_too_slow(void **state)
{
        struct dfu11_config slow = usual;
        struct host host;

        (void)state;
        slow.transfer_size = 64;
        slow.block_work_msec = 11000;
        meet(&host, &slow);
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "too slow: 6 bytes/s after 121 s, at byte 768 of 10000");
        expect_verdict(&host, VERDICT_TIMED_OUT, "expected at least 512 bytes/s");
        expect_obeyed(&host);
}

/* An erasure of all of it in the first block, as long as a device may be busy, and then 100 ms a block. */
static void test_device_that_erases_everything_at_first_is_not_too_slow(void **state)
{
        struct dfu11_config slow = usual;
        struct host host;

        (void)state;
        slow.transfer_size = 64;
        slow.block_work_msec = 100;
        slow.first_block_work_msec = 59000;
        meet(&host, &slow);
        download(&host);
        expect_taken(&host);
}

static void test_busy_device_that_asks_for_no_time_is_not_hammered(void **state)
{
        struct dfu11_config config = usual;
        struct host host;

        (void)state;
        config.transfer_size = 10000;
        config.says_sync = true;
        config.block_work_msec = 1000;
        config.transfer_usec = 1;
        config.asks_for_no_time = true;
        meet(&host, &config);
        download(&host);
        expect_verdict(&host, VERDICT_FLASHED, "10000 bytes");
        assert_true(host.dfu.transfers < 3000);
}

/* ---- met in other states ---- */

static void expect_met_and_flashed(enum dfu_state met, enum dfu_code code, const char *begins)
{
        struct host host;

        meet(&host, &usual);
        device.state = met;
        device.code = code;
        download(&host);
        expect_taken(&host);
        assert_memory_equal(host.requests, begins, strlen(begins));
}

static void test_device_is_brought_to_idle_by_what_its_state_allows(void **state)
{
        (void)state;
        expect_met_and_flashed(DFU_IDLE, DFU_OK, "S B");
        expect_met_and_flashed(DFU_DNLOAD_IDLE, DFU_OK, "S A S B");
        expect_met_and_flashed(DFU_UPLOAD_IDLE, DFU_OK, "S A S B");
        expect_met_and_flashed(DFU_ERROR, DFU_ERR_VENDOR, "S C S B");
        expect_met_and_flashed(DFU_DNLOAD_SYNC, DFU_OK, "S A S B"); /* a block is through */
        expect_met_and_flashed(DFU_DNBUSY, DFU_OK, "S A S B");      /* … or will be */
        expect_met_and_flashed(DFU_MANIFEST_SYNC, DFU_OK, "S S B"); /* it manifests what it has */
        expect_met_and_flashed(DFU_MANIFEST, DFU_OK, "S B");        /* … or is through */
}

static void test_device_that_waits_for_its_reset_cannot_be_flashed(void **state)
{
        struct host host;

        (void)state;
        meet(&host, &usual);
        device.state = DFU_MANIFEST_WAIT_RESET;
        download(&host);
        expect_verdict(&host, VERDICT_STALLED, "refused ABORT");
}

static void test_sigterm_while_the_device_is_busy_ends_at_once(void **state)
{
        struct host host;

        (void)state;
        meet(&host, &usual);
        host.cancel_at = 7;
        download(&host);
        expect_verdict(&host, VERDICT_CANCELLED, "cancelled at byte ");
        assert_int_equal(host.requests[strlen(host.requests) - 1], 'A');
        expect_within(&host, USEC_PER_SEC);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_block_is_followed_by_its_getstatus),
                cmocka_unit_test(test_busy_device_is_left_alone_for_bwpolltimeout),
                cmocka_unit_test(test_device_that_says_sync_while_it_works_is_asked_again),
                cmocka_unit_test(test_device_that_underestimates_itself_is_asked_again),
                cmocka_unit_test(test_other_transfer_sizes),
                cmocka_unit_test(
                        test_device_that_does_not_tolerate_manifestation_is_flashed_when_it_manifests),
                cmocka_unit_test(test_tolerant_device_is_not_flashed_before_it_is_idle_again),
                cmocka_unit_test(test_manifestation_that_fails_is_told),
                cmocka_unit_test(test_block_that_fails_is_told),
                cmocka_unit_test(test_absurd_bwpolltimeout_is_not_waited_for),
                cmocka_unit_test(test_longest_bwpolltimeout_that_is_waited_for),
                cmocka_unit_test(test_device_that_is_busy_for_ever_is_given_up),
                cmocka_unit_test(test_device_that_needs_a_while_for_each_block_is_too_slow),
                cmocka_unit_test(test_device_that_erases_everything_at_first_is_not_too_slow),
                cmocka_unit_test(test_busy_device_that_asks_for_no_time_is_not_hammered),
                cmocka_unit_test(test_device_is_brought_to_idle_by_what_its_state_allows),
                cmocka_unit_test(test_device_that_waits_for_its_reset_cannot_be_flashed),
                cmocka_unit_test(test_sigterm_while_the_device_is_busy_ends_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
