/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The packet between engine and daemon: there and back, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine-message.h"

static const struct engine_message usual = {
        .phase = PHASE_DOWNLOADING,
        .verdict = VERDICT_NONE,
        .bytes_done = 0x1122334455,
        .bytes_total = 0x66778899aabb,
        .transfers = 0xcafe00000001,
        .quiet_usec = 5 * USEC_PER_SEC,
        .has_status = true,
        .status = { .code = DFU_ERR_FIRMWARE, .state = DFU_ERROR },
        .text = "refused DNLOAD at byte 4096",
};

static void test_message_there_and_back(void **state)
{
        static const enum phase phases[] = { PHASE_DETACHING, PHASE_DOWNLOADING, PHASE_VERIFYING,
                                             PHASE_RESETTING };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
                for (enum verdict v = VERDICT_NONE; v < VERDICT_MAX_; v++) {
                        struct engine_message in = usual, out;
                        uint8_t packet[ENGINE_MESSAGE_SIZE];

                        in.phase = phases[i];
                        in.verdict = v;
                        engine_message_encode(&in, packet);
                        assert_int_equal(engine_message_decode(packet, sizeof(packet), &out), 0);
                        assert_int_equal(out.phase, in.phase);
                        assert_int_equal(out.verdict, in.verdict);
                        assert_true(out.bytes_done == in.bytes_done && out.bytes_total == in.bytes_total);
                        assert_true(out.transfers == in.transfers && out.quiet_usec == in.quiet_usec);
                        assert_true(out.has_status);
                        assert_int_equal(out.status.code, DFU_ERR_FIRMWARE);
                        assert_int_equal(out.status.state, DFU_ERROR);
                        assert_string_equal(out.text, in.text);
                }
}

static void test_longest_text(void **state)
{
        struct engine_message in = usual, out;
        uint8_t packet[ENGINE_MESSAGE_SIZE];

        (void)state;
        memset(in.text, 'x', sizeof(in.text)); /* not even terminated */
        engine_message_encode(&in, packet);
        assert_int_equal(engine_message_decode(packet, sizeof(packet), &out), 0);
        assert_int_equal(strlen(out.text), ENGINE_MESSAGE_TEXT_MAX - 1);
}

/* The packet of the usual message with some bytes of it changed is none. */
static void expect_refused(size_t offset, uint64_t value, size_t bytes)
{
        uint8_t packet[ENGINE_MESSAGE_SIZE];
        struct engine_message out = { .transfers = 77 };

        engine_message_encode(&usual, packet);
        for (size_t i = 0; i < bytes; i++)
                packet[offset + i] = (uint8_t)(value >> (8 * i));
        assert_int_equal(engine_message_decode(packet, sizeof(packet), &out), -EBADMSG);
        assert_int_equal(out.transfers, 77);
}

static void test_what_is_no_message_is_refused(void **state)
{
        (void)state;
        expect_refused(0, 0, 4);                               /* magic */
        for (enum phase p = PHASE_EMPTY; p <= PHASE_MAX_; p++) /* phases that are not an engine's */
                if (p != PHASE_DETACHING && p != PHASE_DOWNLOADING && p != PHASE_VERIFYING &&
                    p != PHASE_RESETTING)
                        expect_refused(4, p, 4);
        expect_refused(4, UINT32_MAX, 4);
        expect_refused(8, VERDICT_MAX_, 4);
        expect_refused(8, UINT32_MAX, 4);
        expect_refused(16, 0x66778899aabc, 8); /* more done than there is */
        expect_refused(16, UINT64_MAX, 8);
        expect_refused(40, ENGINE_QUIET_MAX + 1, 8);
        expect_refused(40, UINT64_MAX, 8);
        expect_refused(0, 0x31474e45, 4); /* an older engine's */
        expect_refused(12, 2, 1);
        expect_refused(12, 0, 1); /* no status, but one all the same */
        expect_refused(13, DFU_CODE_MAX_, 1);
        expect_refused(14, DFU_STATE_MAX_, 1);
        expect_refused(15, 1, 1);
}

static void test_text_that_is_not_one_clean_line_is_refused(void **state)
{
        uint8_t packet[ENGINE_MESSAGE_SIZE];
        struct engine_message out;

        (void)state;
        expect_refused(48, '\n', 1);
        expect_refused(48, 0x1b, 1); /* an escape sequence on somebody's screen */
        expect_refused(48, 0x7f, 1);
        expect_refused(48, 0xc3, 1);
        engine_message_encode(&usual, packet);
        memset(packet + 48, 'x', ENGINE_MESSAGE_TEXT_MAX); /* does not end */
        assert_int_equal(engine_message_decode(packet, sizeof(packet), &out), -EBADMSG);
}

static void test_packet_of_another_size_is_refused(void **state)
{
        uint8_t packet[ENGINE_MESSAGE_SIZE + 1] = { 0 };
        struct engine_message out;

        (void)state;
        engine_message_encode(&usual, packet);
        for (size_t len = 0; len <= sizeof(packet); len++)
                assert_int_equal(engine_message_decode(packet, len, &out),
                                 len == ENGINE_MESSAGE_SIZE ? 0 : -EBADMSG);
}

/* What it does not say it does not carry: no memory of the engine behind the text's end. */
static void test_nothing_stands_behind_the_text(void **state)
{
        struct engine_message in = usual;
        uint8_t packet[ENGINE_MESSAGE_SIZE];

        (void)state;
        memset(in.text, 's', sizeof(in.text));
        memcpy(in.text, "ok", 3);
        engine_message_encode(&in, packet);
        for (size_t i = 48 + 2; i < sizeof(packet); i++)
                assert_int_equal(packet[i], 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_message_there_and_back),
                cmocka_unit_test(test_longest_text),
                cmocka_unit_test(test_what_is_no_message_is_refused),
                cmocka_unit_test(test_text_that_is_not_one_clean_line_is_refused),
                cmocka_unit_test(test_packet_of_another_size_is_refused),
                cmocka_unit_test(test_nothing_stands_behind_the_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
