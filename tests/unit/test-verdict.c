/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words: every value has one, none has two, and each leads back. Also those of DFU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/dfu.h"

static void check_word(const char *word, int from_string, size_t value)
{
        assert_string_not_equal(word, "unknown");
        assert_true(*word);
        assert_int_equal(from_string, value);
}

#define check_words(name, max)                                                                               \
        do {                                                                                                 \
                for (size_t i_ = 0; i_ < (size_t)(max); i_++)                                                \
                        check_word(name##_to_string((enum name)i_),                                          \
                                   name##_from_string(name##_to_string((enum name)i_)), i_);                 \
                assert_string_equal(name##_to_string((enum name)(max)), "unknown");                          \
                assert_string_equal(name##_to_string((enum name)UINT32_MAX), "unknown");                     \
                assert_int_equal(name##_from_string("unknown"), -EINVAL);                                    \
                assert_int_equal(name##_from_string(""), -EINVAL);                                           \
                assert_int_equal(name##_from_string(NULL), -EINVAL);                                         \
        } while (0)

static void test_every_value_has_a_word_of_its_own(void **state)
{
        (void)state;
        check_words(phase, PHASE_MAX_);
        check_words(verdict, VERDICT_MAX_);
        check_words(dfu_profile, DFU_PROFILE_MAX_);
        check_words(dfu_request, DFU_REQUEST_MAX_);
        check_words(dfu_state, DFU_STATE_MAX_);
        check_words(dfu_code, DFU_CODE_MAX_);
}

static void test_words_of_dfu_are_the_specifications(void **state)
{
        (void)state;
        assert_string_equal(dfu_state_to_string((enum dfu_state)5), "dfuDNLOAD-IDLE");
        assert_string_equal(dfu_state_to_string((enum dfu_state)10), "dfuERROR");
        assert_string_equal(dfu_code_to_string((enum dfu_code)0x0a), "errFIRMWARE");
        assert_string_equal(dfu_code_to_string((enum dfu_code)0x0f), "errSTALLEDPKT");
        assert_string_equal(dfu_request_to_string((enum dfu_request)4), "CLRSTATUS");
}

static void test_running_phases(void **state)
{
        (void)state;
        for (enum phase p = PHASE_EMPTY; p < PHASE_MAX_; p++)
                assert_int_equal(phase_is_running(p), p == PHASE_DETACHING || p == PHASE_DOWNLOADING ||
                                                              p == PHASE_VERIFYING || p == PHASE_RESETTING ||
                                                              p == PHASE_STUCK);
        assert_false(phase_is_running(PHASE_MAX_));
}

static void test_what_another_attempt_cannot_mend_is_not_transient(void **state)
{
        static const enum verdict settled[] = {
                VERDICT_NONE,          VERDICT_FLASHED,      VERDICT_DETACHED, VERDICT_CANCELLED,
                VERDICT_BOARD_LEFT,    VERDICT_NOT_RETURNED, VERDICT_REPLACED, VERDICT_NOT_DFU,
                VERDICT_IMAGE_REFUSED, VERDICT_MAX_,
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(settled); i++)
                assert_false(verdict_is_transient(settled[i]));
}

static void test_what_chance_on_the_bus_explains_is_transient(void **state)
{
        static const enum verdict transient[] = {
                VERDICT_TIMED_OUT,     VERDICT_STALLED,     VERDICT_BOARD_ERROR, VERDICT_VERIFY_FAILED,
                VERDICT_BAD_ANSWER,    VERDICT_BUSY,        VERDICT_NO_ACCESS,   VERDICT_USB_ERROR,
                VERDICT_ENGINE_FAILED, VERDICT_INTERRUPTED,
        };
        size_t n = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(transient); i++)
                assert_true(verdict_is_transient(transient[i]));
        /* And no other. */
        for (size_t i = 0; i < VERDICT_MAX_; i++)
                n += verdict_is_transient((enum verdict)i);
        assert_int_equal(n, ARRAY_SIZE(transient));
}

static void test_getstatus_answers(void **state)
{
        struct dfu_status s = { .poll_timeout_ms = 7 };

        (void)state;
        assert_int_equal(dfu_status_parse((const uint8_t[]){ 0x0a, 0x03, 0x02, 0x01, 10, 0 }, 6, &s), 0);
        assert_int_equal(s.code, DFU_ERR_FIRMWARE);
        assert_int_equal(s.state, DFU_ERROR);
        assert_int_equal(s.poll_timeout_ms, 0x010203);
        assert_int_equal(dfu_status_parse((const uint8_t[]){ 0, 0xff, 0xff, 0xff, 2, 0 }, 6, &s), 0);
        assert_int_equal(s.poll_timeout_ms, 0xffffff);

        for (size_t len = 0; len < 6; len++)
                assert_int_equal(dfu_status_parse((const uint8_t[]){ 0, 0, 1, 0, 2, 0 }, len, &s), -EBADMSG);
        assert_int_equal(dfu_status_parse((const uint8_t[]){ 0x10, 0, 1, 0, 2, 0 }, 6, &s), -EBADMSG);
        assert_int_equal(dfu_status_parse((const uint8_t[]){ 0, 0, 1, 0, 11, 0 }, 6, &s), -EBADMSG);
        assert_int_equal(dfu_status_parse((const uint8_t[]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 6, &s),
                         -EBADMSG);
        assert_int_equal(s.poll_timeout_ms, 0xffffff);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_value_has_a_word_of_its_own),
                cmocka_unit_test(test_words_of_dfu_are_the_specifications),
                cmocka_unit_test(test_running_phases),
                cmocka_unit_test(test_what_another_attempt_cannot_mend_is_not_transient),
                cmocka_unit_test(test_what_chance_on_the_bus_explains_is_transient),
                cmocka_unit_test(test_getstatus_answers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
