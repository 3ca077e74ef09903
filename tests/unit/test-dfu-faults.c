/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever goes wrong, at each phase of a download: the true verdict, in time, and no harm done. */
#include "tests/unit/host-bus.h"

#include <stdio.h>

#define BLOCKS 160 /* of the small image */

static const struct rom_config s2 = { .chip = ROM_S2, .starts_in_dfu_mode = true };
static const struct rom_config s2_realistic = {
        .chip = ROM_S2,
        .starts_in_dfu_mode = true,
        .timing = { .transfer_usec = 80, .erase_sector_usec = 9400, .write_page_usec = 400 },
};

/* The phases of a download, as the model counts them. The board is met in mid-archive, so that CLRSTATUS is one. */
enum phase_of_test {
        FIRST_STATUS,
        CLEAR,
        SECOND_STATUS,
        FIRST_BLOCK,
        MID_BLOCK,
        LAST_BLOCK,
        LAST_STATUS,
        EMPTY,
        RESULT,
        N
};

static const struct {
        const char *name;
        enum rom_fault_when when;
        enum rom_request request;
        unsigned nth;
        const char *said; /* of it in a message */
        const char *requests;
} phases[N] = {
        [FIRST_STATUS] = { "the first GETSTATUS", ROM_AT_REQUEST, ROM_GETSTATUS, 1, "GETSTATUS", "S" },
        [CLEAR] = { "CLRSTATUS", ROM_AT_REQUEST, ROM_CLRSTATUS, 1, "CLRSTATUS", "S C" },
        [SECOND_STATUS] = { "GETSTATUS after it", ROM_AT_REQUEST, ROM_GETSTATUS, 2, "GETSTATUS", "S C S" },
        [FIRST_BLOCK] = { "the first block", ROM_AT_BLOCK, 0, 1, "DNLOAD at byte 0 of 10240", "S C S B" },
        [MID_BLOCK] = { "mid-file", ROM_AT_BLOCK, 0, 80, "DNLOAD at byte 5056 of 10240", "S C S B" },
        [LAST_BLOCK] = { "the last block", ROM_AT_BLOCK, 0, BLOCKS, "DNLOAD at byte 10176 of 10240",
                         "S C S B S" },
        [LAST_STATUS] = { "GETSTATUS before the empty DNLOAD", ROM_AT_REQUEST, ROM_GETSTATUS, 3, "GETSTATUS",
                          "S C S B S" },
        [EMPTY] = { "the empty DNLOAD", ROM_AT_MANIFEST, 0, 1, "the empty DNLOAD", "S C S B S E" },
        [RESULT] = { "GETSTATUS after it", ROM_AT_REQUEST, ROM_GETSTATUS, 4, "GETSTATUS", "S C S B S E S" },
};

static void meet_mid_archive(struct host *host, enum phase_of_test phase, enum rom_fault_what what,
                             uint64_t value)
{
        host_meets(host, &s2);
        host_somebody_sends(host, ROM_DNLOAD, host->payload, 64);
        rom_clear_faults(host->rom);
        host_fault(host, phases[phase].when, phases[phase].request, phases[phase].nth, what, value);
}

static bool is_status(enum phase_of_test phase)
{
        return phases[phase].when == ROM_AT_REQUEST && phases[phase].request == ROM_GETSTATUS;
}

/* The next attempt at the same board: the bus drained, a new engine. */
static void expect_next_attempt_flashes(struct host *host)
{
        download_again(host);
        expect_flashed(host);
        expect_no_harm(host);
}

static void test_stall_at_each_phase(void **state)
{
        (void)state;
        for (enum phase_of_test p = 0; p < N; p++) {
                struct host host;
                char expected[64];

                meet_mid_archive(&host, p, ROM_DO_STALL, 0);
                download(&host);
                snprintf(expected, sizeof(expected), "refused %s", phases[p].said);
                expect_verdict(&host, VERDICT_STALLED, expected);
                assert_non_null(strstr(host.dfu.message, ": board is in dfu")); /* it was asked why */
                snprintf(expected, sizeof(expected), "%s S", phases[p].requests);
                expect_requests(&host, expected);
                expect_next_attempt_flashes(&host);
                host_done(&host);
        }
}

/* The queue runs on behind a stall until it is taken back: a download must not begin with what stands there. */
static void test_stalled_first_block_writes_nothing_however_late_the_rest_is_taken_back(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host.late = HOST_DEPTH;
        host_fault(&host, ROM_AT_BLOCK, 0, 1, ROM_DO_STALL, 0);
        download(&host);
        expect_verdict(&host, VERDICT_STALLED, "refused DNLOAD at byte 0 of 10240");
        expect_next_attempt_flashes(&host);
        host_done(&host);
}

static void test_silence_at_each_phase(void **state)
{
        (void)state;
        for (enum phase_of_test p = 0; p < N; p++) {
                bool may_verify = p == FIRST_STATUS || p == EMPTY || p == RESULT;
                struct host host;

                meet_mid_archive(&host, p, ROM_DO_LOSE, 0);
                download(&host);
                expect_verdict(&host, VERDICT_TIMED_OUT, phases[p].said);
                expect_requests(&host, phases[p].requests);
                assert_non_null(strstr(host.dfu.message, may_verify ? "within 30 s" : "within "));
                expect_within(&host, may_verify ? dfu_verify_limit(host.params.verify_bytes)
                                                : DFU_REQUEST_LIMIT + USEC_PER_SEC);
                expect_next_attempt_flashes(&host);
                host_done(&host);
        }
}

static void test_silence_where_cancelled_transfers_never_come_back_ends_too(void **state)
{
        (void)state;
        for (enum phase_of_test p = 0; p < N; p++) {
                struct host host;

                meet_mid_archive(&host, p, ROM_DO_HANG, 0);
                host.gives_nothing_back = true;
                download(&host);
                expect_verdict(&host, VERDICT_TIMED_OUT, phases[p].said);
                expect_requests(&host, phases[p].requests); /* nothing follows what is still out */
                expect_within(&host, dfu_verify_limit(host.params.verify_bytes) + DFU_DRAIN_LIMIT);
                host_done(&host);
        }
}

static void test_board_that_leaves_at_each_phase(void **state)
{
        (void)state;
        for (enum phase_of_test p = 0; p < N; p++)
                for (int bus_error = 0; bus_error < 2; bus_error++) {
                        struct host host;

                        meet_mid_archive(&host, p, ROM_DO_UNPLUG, 0);
                        host.leaves_with_bus_error = bus_error;
                        download(&host);
                        expect_verdict(&host, VERDICT_BOARD_LEFT,
                                       p >= EMPTY ? "board left while it verified what it had written"
                                                  : "board left at byte ");
                        expect_within(&host, 0);
                        rom_attach(host.rom); /* by its button, in run-time mode */
                        host_somebody_sends(&host, ROM_DETACH, NULL, 0);
                        rom_attach(host.rom);
                        expect_next_attempt_flashes(&host);
                        host_done(&host);
                }
}

static void test_bus_error_at_each_phase(void **state)
{
        (void)state;
        for (enum phase_of_test p = 0; p < N; p++) {
                struct host host;

                meet_mid_archive(&host, p, ROM_DO_STALL, 0);
                rom_clear_faults(host.rom);
                host.broken_with = DFU_BUS_ERROR;
                host.broken_at = (const unsigned[N]){ 1, 2, 3, 4, 83, 163, 164, 165, 166 }[p];
                download(&host);
                expect_verdict(&host, VERDICT_USB_ERROR, phases[p].said);
                assert_non_null(strstr(host.dfu.message, "the bus failed in "));
                assert_non_null(strstr(host.dfu.message, ": board is in dfu"));
                expect_next_attempt_flashes(&host);
                host_done(&host);
        }
}

static void test_short_answer_to_each_getstatus(void **state)
{
        (void)state;
        for (enum phase_of_test p = 0; p < N; p++)
                for (unsigned len = 0; is_status(p) && len < DFU_STATUS_SIZE; len++) {
                        struct host host;

                        meet_mid_archive(&host, p, ROM_DO_SHORTEN, len);
                        download(&host);
                        expect_verdict(&host, VERDICT_BAD_ANSWER,
                                       "that make no sense: expected 6 with a state of DFU 1.1");
                        expect_requests(&host, phases[p].requests);
                        expect_next_attempt_flashes(&host);
                        host_done(&host);
                }
}

static void test_block_that_is_taken_in_part_is_a_bad_answer(void **state)
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
        dfu_next(&host.dfu, 0, &action);
        dfu_completed(&host.dfu, &(struct dfu_completion){ .tag = action.tag, .length = 63 }, 0);
        dfu_next(&host.dfu, 0, &action);
        assert_int_equal(action.type, DFU_DO_END);
        expect_verdict(&host, VERDICT_BAD_ANSWER, "took 63 of 64 bytes at byte 0 of 10240");
        host_done(&host);
}

static void test_error_status_at_each_getstatus(void **state)
{
        (void)state;
        for (enum phase_of_test p = LAST_STATUS; p < N; p++)
                for (enum dfu_code code = DFU_ERR_TARGET; is_status(p) && code < DFU_CODE_MAX_; code++) {
                        struct host host;

                        meet_mid_archive(&host, p, ROM_DO_STATUS, code);
                        host_fault(&host, phases[p].when, phases[p].request, phases[p].nth, ROM_DO_STATE,
                                   DFU_ERROR);
                        download(&host);
                        expect_verdict(&host, p == RESULT ? VERDICT_VERIFY_FAILED : VERDICT_BOARD_ERROR,
                                       dfu_code_to_string(code));
                        expect_next_attempt_flashes(&host);
                        host_done(&host);
                }
}

static void test_updaters_error_in_mid_file_is_found_at_the_next_getstatus(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host.params.status_every = 16;
        host_fault(&host, ROM_AT_BLOCK, 0, 40, ROM_DO_ERROR, ROM_ERR_TARGET);
        download(&host);
        expect_verdict(&host, VERDICT_BOARD_ERROR,
                       "board reports errTARGET between bytes 2048 and 3072 of 10240");
        assert_true(rom_counters(host.rom)->manifests == 0);
        expect_next_attempt_flashes(&host);
        host_done(&host);
}

static void test_updaters_error_at_the_last_block_is_found_before_the_empty_dnload(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_BLOCK, 0, BLOCKS, ROM_DO_ERROR, ROM_ERR_TARGET);
        download(&host);
        expect_verdict(&host, VERDICT_BOARD_ERROR, "errTARGET between bytes 0 and 10240 of 10240");
        expect_requests(&host, "S B S");
        host_done(&host);
}

/* A stall in mid-file: the board's own error says more than the stall. */
static void test_board_that_stalls_a_block_is_asked_why(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_BLOCK, 0, 40, ROM_DO_ERROR, ROM_ERR_TARGET);
        host_fault(&host, ROM_AT_BLOCK, 0, 50, ROM_DO_STALL, 0);
        download(&host);
        expect_verdict(&host, VERDICT_BOARD_ERROR,
                       "refused DNLOAD at byte 3136 of 10240: board is in dfuERROR, errTARGET");
        expect_requests(&host, "S B S");
        expect_next_attempt_flashes(&host);
        host_done(&host);
}

/* ---- time ---- */

static void test_block_that_erases_512_kib_in_12_s_is_no_failure(void **state)
{
        const struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 4 * MIB,
                .files = { { "app.bin", 0x10000, 600 * KIB, 3 } },
                .n_files = 1,
        };
        struct rom_config slow = s2;
        struct sample_image image;
        struct host host;

        (void)state;
        slow.timing.erase_sector_usec = 12 * USEC_PER_SEC / 128;
        sample_image_make(&spec, &image);
        host_meets_with(&host, &slow, &image);
        download(&host);
        expect_flashed(&host);
        host_done(&host);
}

static void test_block_that_erases_is_not_waited_for_for_ever(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_BLOCK, 0, 12, ROM_DO_DELAY, 600 * USEC_PER_SEC);
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "no answer to DNLOAD at byte 704 of 10240 within ");
        expect_within(&host, 30 * USEC_PER_SEC);
        host_done(&host);
}

static void test_block_that_erases_nothing_has_the_common_limit(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_BLOCK, 0, 80, ROM_DO_DELAY, 4900 * USEC_PER_MSEC);
        download(&host);
        expect_flashed(&host);
        host_done(&host);

        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_BLOCK, 0, 80, ROM_DO_DELAY, 5100 * USEC_PER_MSEC);
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "no answer to DNLOAD at byte 5056 of 10240 within 5 s");
        host_done(&host);
}

static void test_verification_may_take_its_time(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_MANIFEST, 0, 1, ROM_DO_DELAY, 29 * USEC_PER_SEC);
        download(&host);
        expect_flashed(&host);
        host_done(&host);

        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_MANIFEST, 0, 1, ROM_DO_DELAY, 31 * USEC_PER_SEC);
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT,
                       "no answer to the empty DNLOAD that ends the download within 30 s");
        host_done(&host);
}

/* Each answer is within its limit; together they would take 720 s here, and a day for a MiB. */
static void test_board_that_answers_each_request_just_in_time_is_too_slow(void **state)
{
        struct rom_config slow = s2;
        struct host host;

        (void)state;
        slow.timing.transfer_usec = 4500 * USEC_PER_MSEC;
        host_meets(&host, &slow);
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "too slow: 13 bytes/s after 61 s, at byte ");
        expect_verdict(&host, VERDICT_TIMED_OUT, "of 10240: expected at least 2048 bytes/s");
        expect_requests(&host, "S B");
        expect_within(&host, 70 * USEC_PER_SEC);
        expect_no_harm(&host);
        host_done(&host);
}

/* Fast at first, to be slow for the longer: as long as the whole may take at the least pace, and no longer. */
static void test_board_that_becomes_slow_has_the_limit_of_its_size(void **state)
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
        for (unsigned i = 0; i < ROM_FAULTS_MAX; i++)
                host_fault(&host, ROM_AT_BLOCK, 0, 16000 + i, ROM_DO_DELAY, 4900 * USEC_PER_MSEC);
        download(&host);
        expect_flashed(&host); /* a few of them are nothing */
        host_done(&host);

        sample_image_make(&spec, &image);
        host_meets_with(&host, &s2, &image);
        host.slow_from = 8192;
        host.slow_usec = 4900 * USEC_PER_MSEC;
        download(&host);
        expect_verdict(&host, VERDICT_TIMED_OUT, "too slow: ");
        expect_within(&host, DFU_SEND_LIMIT + 256 * DFU_ERASE_PER_SECTOR + MIB / DFU_PACE_MIN * USEC_PER_SEC);
        host_done(&host);
}

/* 832 kB/s for all, and flash that is worn out. */
static void test_120_boards_on_one_bus_are_not_too_slow(void **state)
{
        const struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 16 * MIB,
                .files = { { "app.bin", 0x10000, MIB, 3 }, { "data.bin", 0x200000, MIB, 4 } },
                .n_files = 2,
        };
        struct rom_config shared = s2;
        struct sample_image image;
        struct host host;

        (void)state;
        shared.timing.transfer_usec = 64 * 120 * USEC_PER_SEC / 832000;
        shared.timing.erase_sector_usec = 240 * USEC_PER_MSEC;
        sample_image_make(&spec, &image);
        host_meets_with(&host, &shared, &image);
        download(&host);
        expect_flashed(&host);
        host_done(&host);
}

/* ---- SIGTERM ---- */

/* Which transfers run on in the device after they were cancelled, and in what order they come back. */
static const struct {
        unsigned late;
        bool reversed;
} buses[] = {
        { 0, false }, { 0, true }, { 1, false }, { 1, true }, { 5, false }, { 5, true }, { 1000, false }
};

static void test_sigterm_at_every_request(void **state)
{
        (void)state;
        for (size_t bus = 0; bus < ARRAY_SIZE(buses); bus++)
                for (unsigned n = 1; n <= BLOCKS + 6; n++) {
                        struct host host;
                        size_t len;

                        meet_mid_archive(&host, FIRST_STATUS, ROM_DO_POLL_TIME, 256);
                        host.cancel_at = n;
                        host.late = buses[bus].late;
                        host.reversed = buses[bus].reversed;
                        download(&host);
                        expect_verdict(&host, VERDICT_CANCELLED, "cancelled at byte ");
                        len = strlen(host.requests);
                        assert_int_equal(host.requests[len - 1], 'A');
                        assert_int_equal(rom_state(host.rom), ROM_DFU_IDLE);
                        expect_within(&host, 0);
                        expect_next_attempt_flashes(&host);
                        host_done(&host);
                }
}

static void test_sigterm_before_the_first_request_sends_nothing(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host.cancel_at_once = true;
        download(&host);
        expect_verdict(&host, VERDICT_CANCELLED, "cancelled at byte 0 of 10240");
        expect_requests(&host, "");
        host_done(&host);
}

static void test_sigterm_when_the_board_leaves_sends_no_abort(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_BLOCK, 0, 80, ROM_DO_UNPLUG, 0);
        host.cancel_at = 81;
        host.late = 1;
        download(&host);
        expect_verdict(&host, VERDICT_CANCELLED, "cancelled at byte 5056");
        expect_requests(&host, "S B");
        host_done(&host);
}

static void test_sigterm_when_nothing_comes_back_sends_no_abort(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host.cancel_at = 81;
        host.gives_nothing_back = true;
        host_fault(&host, ROM_AT_BLOCK, 0, 80, ROM_DO_HANG, 0);
        download(&host);
        expect_verdict(&host, VERDICT_CANCELLED, "cancelled at byte 5056");
        expect_requests(&host, "S B");
        expect_within(&host, DFU_DRAIN_LIMIT);
        /* Much too late, they do: that is nobody's business any more. */
        for (size_t i = 0; i < host.n; i++)
                dfu_completed(
                        &host.dfu,
                        &(struct dfu_completion){ .tag = host.queue[i].action.tag, .result = DFU_STALL },
                        host.now_usec);
        host_drive(&host);
        expect_verdict(&host, VERDICT_CANCELLED, "cancelled at byte 5056");
        expect_requests(&host, "S B");
        host_done(&host);
}

/* The board is deep in its verification: it takes the ABORT when it is through, or not in time. */
static void test_sigterm_whose_abort_is_not_answered_ends_in_time(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        host.cancel_at = 81;
        host_fault(&host, ROM_AT_REQUEST, ROM_ABORT, 1, ROM_DO_LOSE, 0);
        download(&host);
        expect_verdict(&host, VERDICT_CANCELLED, "cancelled at byte 5056");
        expect_within(&host, DFU_REQUEST_LIMIT + DFU_DRAIN_LIMIT);
        host_done(&host);
}

static void test_sigterm_after_the_verdict_changes_nothing(void **state)
{
        struct host host;

        (void)state;
        host_meets(&host, &s2);
        download(&host);
        dfu_cancel(&host.dfu);
        expect_flashed(&host);
        host_done(&host);

        host_meets(&host, &s2);
        host_fault(&host, ROM_AT_BLOCK, 0, 80, ROM_DO_STALL, 0);
        host.cancel_at = 82 + HOST_DEPTH; /* the GETSTATUS that asks why */
        download(&host);
        expect_verdict(&host, VERDICT_STALLED, "refused DNLOAD at byte 5056");
        host_done(&host);
}

/* A board that did not take the first block takes the next one for the first: that is no archive, and goes raw to flash
 * address 0. On a bus that runs on behind a failed transfer nothing may stand there. */
static void test_first_block_that_fails_is_not_followed_by_the_second(void **state)
{
        enum { REFUSED, LOST, CANCELLED, BROKEN, N_WAYS };

        (void)state;
        for (unsigned way = 0; way < N_WAYS; way++) {
                struct host host;

                host_meets(&host, &s2);
                host.late = 1000;
                if (way == REFUSED || way == LOST)
                        host_fault(&host, ROM_AT_BLOCK, 0, 1, way == REFUSED ? ROM_DO_STALL : ROM_DO_LOSE, 0);
                if (way == CANCELLED)
                        host.cancel_at = 2;
                if (way == BROKEN)
                        host.broken_at = 2; /* the first is GETSTATUS */
                host.broken_with = DFU_BUS_ERROR;
                download(&host);
                expect_no_harm(&host);
                assert_int_equal(host.dnloads, 1);
                expect_next_attempt_flashes(&host);
                host_done(&host);
        }
}

/* ---- everything, everywhere ---- */

static void test_every_fault_at_every_request_ends_truly(void **state)
{
        static const struct {
                enum rom_fault_what what;
                uint64_t value;
        } faults[] = {
                { ROM_DO_STALL, 0 },
                { ROM_DO_LOSE, 0 },
                { ROM_DO_HANG, 0 },
                { ROM_DO_SHORTEN, 0 },
                { ROM_DO_SHORTEN, 5 },
                { ROM_DO_STATE, DFU_IDLE },
                { ROM_DO_STATE, DFU_DNLOAD_IDLE },
                { ROM_DO_STATE, DFU_MANIFEST },
                { ROM_DO_STATE, DFU_ERROR },
                { ROM_DO_STATE, 200 },
                { ROM_DO_STATUS, DFU_ERR_FIRMWARE },
                { ROM_DO_STATUS, 0xff },
                { ROM_DO_ERROR, ROM_ERR_TARGET },
                { ROM_DO_UNPLUG, 0 },
                { ROM_DO_FLIP_BIT, (0x1000 + 4999) * 8 },
                { ROM_DO_DELAY, 100 * USEC_PER_SEC },
                { ROM_DO_POLL_TIME, 0xffffff },
        };
        unsigned flashed = 0, runs = 0;

        (void)state;
        for (size_t f = 0; f < ARRAY_SIZE(faults); f++)
                for (unsigned n = 1; n <= BLOCKS + 6; n++) {
                        struct host host;

                        host_meets(&host, f % 2 ? &s2_realistic : &s2);
                        host.late = n % 3;
                        host.reversed = n % 2;
                        host.params.status_every = n % 5 ? HOST_STATUS_EVERY : 16;
                        host_somebody_sends(&host, ROM_DNLOAD, host.payload, 64);
                        rom_clear_faults(host.rom);
                        host_fault(&host, ROM_AT_ANY, 0, n, faults[f].what, faults[f].value);
                        download(&host);
                        expect_no_harm(&host);
                        expect_within(&host, dfu_verify_limit(host.params.verify_bytes) + 10 * USEC_PER_SEC);
                        if (host.dfu.verdict == VERDICT_FLASHED && faults[f].what != ROM_DO_FLIP_BIT)
                                expect_flashed(&host);
                        if (host.dfu.verdict == VERDICT_FLASHED) /* a bit may flip after it was read back */
                                assert_int_equal(rom_counters(host.rom)->completed, 1);
                        flashed += host.dfu.verdict == VERDICT_FLASHED;
                        runs++;
                        host_done(&host);
                }
        /* Faults that do not concern the request that they strike are none. */
        assert_in_range(flashed, runs / 4, runs * 3 / 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stall_at_each_phase),
                cmocka_unit_test(test_stalled_first_block_writes_nothing_however_late_the_rest_is_taken_back),
                cmocka_unit_test(test_silence_at_each_phase),
                cmocka_unit_test(test_silence_where_cancelled_transfers_never_come_back_ends_too),
                cmocka_unit_test(test_board_that_leaves_at_each_phase),
                cmocka_unit_test(test_bus_error_at_each_phase),
                cmocka_unit_test(test_short_answer_to_each_getstatus),
                cmocka_unit_test(test_block_that_is_taken_in_part_is_a_bad_answer),
                cmocka_unit_test(test_error_status_at_each_getstatus),
                cmocka_unit_test(test_updaters_error_in_mid_file_is_found_at_the_next_getstatus),
                cmocka_unit_test(test_updaters_error_at_the_last_block_is_found_before_the_empty_dnload),
                cmocka_unit_test(test_board_that_stalls_a_block_is_asked_why),
                cmocka_unit_test(test_board_that_answers_each_request_just_in_time_is_too_slow),
                cmocka_unit_test(test_board_that_becomes_slow_has_the_limit_of_its_size),
                cmocka_unit_test(test_120_boards_on_one_bus_are_not_too_slow),
                cmocka_unit_test(test_block_that_erases_512_kib_in_12_s_is_no_failure),
                cmocka_unit_test(test_block_that_erases_is_not_waited_for_for_ever),
                cmocka_unit_test(test_block_that_erases_nothing_has_the_common_limit),
                cmocka_unit_test(test_verification_may_take_its_time),
                cmocka_unit_test(test_sigterm_at_every_request),
                cmocka_unit_test(test_sigterm_before_the_first_request_sends_nothing),
                cmocka_unit_test(test_sigterm_when_the_board_leaves_sends_no_abort),
                cmocka_unit_test(test_sigterm_when_nothing_comes_back_sends_no_abort),
                cmocka_unit_test(test_sigterm_whose_abort_is_not_answered_ends_in_time),
                cmocka_unit_test(test_sigterm_after_the_verdict_changes_nothing),
                cmocka_unit_test(test_first_block_that_fails_is_not_followed_by_the_second),
                cmocka_unit_test(test_every_fault_at_every_request_ends_truly),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
