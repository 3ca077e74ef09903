/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The questions to a board, asked of the model of the chip: it answers as expected, and what is altered is what differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/dfu-protocol.h"
#include "core/probe.h"
#include "tests/rom/rom.h"

static const uint16_t pids[ROM_N_CHIPS] = { 0x0002, 0x0009, 0x0012, 0x0020 };

/* ---- vocabulary ---- */

struct talk {
        struct rom *rom;
        const struct chip *chip;
        struct probe_answer answers[PROBE_ANSWERS_MAX];
        size_t n;
};

static void begin_talk(struct talk *talk, const struct rom_config *config)
{
        *talk = (struct talk){ .rom = rom_new(config), .chip = chip_by_pid(pids[config->chip]) };
        assert_non_null(talk->rom);
        rom_set_configured(talk->rom);
}

static void end_talk(struct talk *talk)
{
        assert_int_equal(rom_counters(talk->rom)->requests[ROM_DNLOAD], 0);
        assert_int_equal(rom_counters(talk->rom)->written_pages, 0);
        assert_int_equal(rom_counters(talk->rom)->erased_sectors, 0);
        assert_int_equal(rom_counters(talk->rom)->violations, 0);
        rom_free(talk->rom);
}

static enum probe_result result_of(enum rom_answer answer)
{
        switch (answer) {
        case ROM_ACK:
                return PROBE_ANSWERED;
        case ROM_STALL:
                return PROBE_STALLED;
        case ROM_VANISH:
                return PROBE_GONE;
        case ROM_SILENCE:
                return PROBE_SILENT;
        }
        return PROBE_BROKEN;
}

/* As engine/probe.c does it. */
static void ask_all(struct talk *talk, bool detach, bool upload)
{
        enum probe_mode mode = rom_in_dfu_mode(talk->rom) ? PROBE_DFU : PROBE_RUN_TIME;
        const struct probe_question *q;

        for (size_t i = 0; (q = probe_question_at(i)); i++) {
                const struct rom_setup setup = { q->setup.request_type, q->setup.request, q->setup.value,
                                                 q->setup.index, q->setup.length };
                struct probe_answer *answer = &talk->answers[talk->n];
                struct rom_reply reply;

                if (!probe_is_asked(q, mode, detach, upload))
                        continue;
                rom_control(talk->rom, &setup, NULL, &reply);
                *answer = (struct probe_answer){
                        .question = q, .mode = mode, .result = result_of(reply.answer), .has_data = true
                };
                if (reply.answer == ROM_ACK && setup.bmRequestType & 0x80) {
                        answer->len = reply.len;
                        memcpy(answer->data, reply.data, reply.len);
                }
                talk->n++;
                if (!probe_may_go_on(answer))
                        return;
        }
}

static void expect_no_difference(const struct talk *talk)
{
        char is[PROBE_TEXT_MAX], expected[PROBE_TEXT_MAX];

        for (size_t i = 0; i < talk->n; i++)
                if (!probe_is_expected(&talk->answers[i], talk->chip))
                        fail_msg("%s, %s: is %s, expected %s", probe_mode_to_string(talk->answers[i].mode),
                                 talk->answers[i].question->name, probe_answer_text(&talk->answers[i], is),
                                 probe_expected_text(&talk->answers[i], talk->chip, expected));
}

static const struct probe_answer *answer_to(const struct talk *talk, const char *name)
{
        for (size_t i = 0; i < talk->n; i++)
                if (streq(talk->answers[i].question->name, name))
                        return &talk->answers[i];
        fail_msg("%s was not asked", name);
        return NULL;
}

/* Exactly these differ, the names in their order, "a b". */
static void expect_differences(const struct talk *talk, const char *names)
{
        char differ[1024] = "";

        for (size_t i = 0; i < talk->n; i++)
                if (!probe_is_expected(&talk->answers[i], talk->chip)) {
                        size_t len = strlen(differ);

                        snprintf(differ + len, sizeof(differ) - len, "%s%s", len ? " " : "",
                                 talk->answers[i].question->name);
                }
        assert_string_equal(differ, names);
}

/* ---- what a question may be ---- */

static void test_no_question_can_write(void **state)
{
        const struct probe_question *q;

        (void)state;
        for (size_t i = 0; (q = probe_question_at(i)); i++) {
                bool is_class = (q->setup.request_type & 0x60) == 0x20, is_in = q->setup.request_type & 0x80;

                if (is_class) {
                        assert_int_not_equal(q->setup.request, DFU_DNLOAD);
                        assert_true(q->setup.length <= DFU_ROM_TRANSFER_SIZE);
                        assert_int_equal(q->setup.index, 2);
                        assert_true(is_in || q->setup.request == DFU_CLRSTATUS ||
                                    q->setup.request == DFU_ABORT || q->setup.request == DFU_DETACH);
                        assert_true(q->setup.request != DFU_UPLOAD || q->when == PROBE_WITH_UPLOAD);
                        assert_true(q->setup.request != DFU_DETACH || q->when == PROBE_WITH_DETACH);
                } else {
                        assert_int_equal(q->setup.request_type & 0x60, 0);
                        assert_true(is_in); /* GET_… alone */
                }
                assert_true(is_in || q->setup.length == 0);
                assert_true(q->setup.length <= PROBE_DATA_MAX);
        }
}

static void test_names_are_told_apart_within_a_mode(void **state)
{
        const struct probe_question *a, *b;

        (void)state;
        for (size_t i = 0; (a = probe_question_at(i)); i++)
                for (size_t j = i + 1; (b = probe_question_at(j)); j++)
                        assert_string_not_equal(a->name, b->name);
}

/* ---- the model says what is expected ---- */

static void test_each_chips_model_is_as_expected_in_both_modes(void **state)
{
        (void)state;
        for (enum rom_chip c = ROM_S2; c < ROM_N_CHIPS; c++) {
                struct talk talk, again;

                begin_talk(&talk,
                           &(struct rom_config){ .chip = c, .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x12 } });
                ask_all(&talk, true, true);
                expect_no_difference(&talk);
                assert_int_equal(answer_to(&talk, "detach")->result, PROBE_GONE);
                begin_talk(&again, &(struct rom_config){ .chip = c, .starts_in_dfu_mode = true });
                ask_all(&again, true, true);
                expect_no_difference(&again);
                assert_int_equal(answer_to(&again, "status-after-error")->data[4], DFU_IDLE);
                assert_int_equal(rom_state(again.rom), ROM_DFU_IDLE);
                end_talk(&talk);
                end_talk(&again);
        }
}

static void test_without_being_told_nothing_leaves_its_mode_and_no_flash_is_read(void **state)
{
        struct talk talk;

        (void)state;
        begin_talk(&talk, &(struct rom_config){ .chip = ROM_S3 });
        ask_all(&talk, false, false);
        expect_no_difference(&talk);
        assert_int_equal(rom_counters(talk.rom)->requests[ROM_UPLOAD], 0);
        assert_int_equal(rom_counters(talk.rom)->requests[ROM_DETACH], 0);
        assert_int_equal(rom_state(talk.rom), ROM_APP_IDLE);
        end_talk(&talk);
}

/* ---- what is altered is what differs ---- */

static void expect_of_altered(const struct rom_config *config, const struct rom_fault *fault,
                              const char *names)
{
        struct talk talk;

        begin_talk(&talk, config);
        if (fault)
                rom_add_fault(talk.rom, fault);
        ask_all(&talk, false, false);
        expect_differences(&talk, names);
        end_talk(&talk);
}

static void test_another_word_of_the_board_is_one_difference(void **state)
{
        (void)state;
        expect_of_altered(&(struct rom_config){ .chip = ROM_S2, .bcd_device = 0x0724 }, NULL,
                          "device-descriptor");
        expect_of_altered(&(struct rom_config){ .chip = ROM_S2, .manufacturer = "Espressif Systems" }, NULL,
                          "manufacturer");
        expect_of_altered(&(struct rom_config){ .chip = ROM_S2, .product = "ESP32-S2X" }, NULL, "product");
        expect_of_altered(&(struct rom_config){ .chip = ROM_S2, .serial = "7c:df:a1:0b:00:12" }, NULL,
                          "serial");
        expect_of_altered(&(struct rom_config){ .chip = ROM_S3, .serial = "7C:DF:A1:0B:00:12" }, NULL,
                          "serial");
        /* wTransferSize, in the last descriptor; bMaxPower, among the first bytes too. */
        expect_of_altered(&(struct rom_config){ .chip = ROM_S2, .patch_offset = 89, .patch_to = 0x80 }, NULL,
                          "configuration");
        expect_of_altered(&(struct rom_config){ .chip = ROM_S2, .patch_offset = 8, .patch_to = 0x32 }, NULL,
                          "configuration-head configuration");
}

static void test_another_answer_to_a_request_is_one_difference(void **state)
{
        const struct rom_config dfu = { .chip = ROM_S2, .starts_in_dfu_mode = true };

        (void)state;
        expect_of_altered(&dfu, &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 2, ROM_DO_POLL_TIME, 5 },
                          "status-after-abort");
        expect_of_altered(&dfu, &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 2, ROM_DO_SHORTEN, 5 },
                          "status-after-abort");
        expect_of_altered(&dfu, &(struct rom_fault){ ROM_AT_REQUEST, ROM_ABORT, 1, ROM_DO_STALL, 0 },
                          "abort");
        expect_of_altered(&dfu, &(struct rom_fault){ ROM_AT_REQUEST, ROM_CLRSTATUS, 1, ROM_DO_STALL, 0 },
                          "clrstatus");
}

static void test_a_board_in_another_state_is_not_asked_on(void **state)
{
        const struct rom_config dfu = { .chip = ROM_S2, .starts_in_dfu_mode = true };
        struct talk talk;
        char text[PROBE_TEXT_MAX];

        (void)state;
        begin_talk(&talk, &dfu);
        rom_add_fault(talk.rom, &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 1, ROM_DO_STATE,
                                                     ROM_DFU_DNLOAD_IDLE });
        ask_all(&talk, false, true);
        expect_differences(&talk, "getstatus");
        assert_string_equal(probe_answer_text(&talk.answers[talk.n - 1], text),
                            "OK, bwPollTimeout 256 ms, dfuDNLOAD-IDLE");
        assert_string_equal(probe_expected_text(&talk.answers[talk.n - 1], talk.chip, text),
                            "OK, bwPollTimeout 256 ms, dfuIDLE");
        assert_int_equal(rom_counters(talk.rom)->requests[ROM_ABORT], 0);
        assert_int_equal(rom_counters(talk.rom)->requests[ROM_CLRSTATUS], 0);
        end_talk(&talk);
}

static void test_a_board_that_is_silent_or_gone_is_not_asked_on(void **state)
{
        struct talk talk;
        char text[PROBE_TEXT_MAX];

        (void)state;
        begin_talk(&talk, &(struct rom_config){ .chip = ROM_S2 });
        rom_add_fault(talk.rom, &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATE, 1, ROM_DO_HANG, 0 });
        ask_all(&talk, true, true);
        expect_differences(&talk, "getstate");
        assert_string_equal(probe_answer_text(&talk.answers[talk.n - 1], text), "no answer");
        end_talk(&talk);
        begin_talk(&talk, &(struct rom_config){ .chip = ROM_S2 });
        rom_add_fault(talk.rom, &(struct rom_fault){ ROM_AT_REQUEST, ROM_CLRSTATUS, 1, ROM_DO_UNPLUG, 0 });
        ask_all(&talk, true, true);
        expect_differences(&talk, "clrstatus");
        assert_string_equal(probe_answer_text(&talk.answers[talk.n - 1], text),
                            "no answer: the board left the bus");
        end_talk(&talk);
}

/* ---- the line between engine and client ---- */

static void test_every_answer_survives_the_journey(void **state)
{
        struct talk talk;

        (void)state;
        begin_talk(&talk, &(struct rom_config){ .chip = ROM_S3, .starts_in_dfu_mode = true });
        ask_all(&talk, true, true);
        for (size_t i = 0; i < talk.n; i++) {
                char line[PROBE_LINE_MAX];
                struct probe_answer got;

                talk.answers[i].at_usec = 1000 + i;
                talk.answers[i].took_usec = i;
                probe_answer_format(&talk.answers[i], line);
                assert_int_equal(probe_answer_parse(line, &got), 0);
                assert_memory_equal(&got, &talk.answers[i], sizeof(got));
        }
        end_talk(&talk);
}

static void test_flash_that_was_read_is_not_told(void **state)
{
        const struct probe_question *q;
        struct probe_answer answer = { .mode = PROBE_DFU, .len = 64 }, got;
        char line[PROBE_LINE_MAX], text[PROBE_TEXT_MAX];

        (void)state;
        for (size_t i = 0; (q = probe_question_at(i)); i++)
                if (streq(q->name, "upload"))
                        answer.question = q;
        memset(answer.data, 0x5a, 64);
        probe_answer_format(&answer, line);
        assert_string_equal(line, "answer dfu upload answered 0 0 64 -");
        assert_int_equal(probe_answer_parse(line, &got), 0);
        assert_false(got.has_data);
        assert_true(probe_is_expected(&got, chip_by_pid(2)));
        assert_string_equal(probe_answer_text(&got, text), "64 bytes of flash");
        got.len = 63;
        assert_false(probe_is_expected(&got, chip_by_pid(2)));
}

static void test_lines_that_are_no_answers(void **state)
{
        static const char *const lines[] = {
                "",
                "answer",
                "answer dfu getstate answered 1 2 1",
                "answer dfu getstate answered 1 2 1 0",
                "answer dfu getstate answered 1 2 1 zz",
                "answer dfu getstate answered 1 2 1 0202",
                "answer dfu getstate answered 1 2 256 02",
                "answer dfu getstate answered 1 2 1 02 more",
                "answer dfu dnload answered 1 2 1 02",
                "answer dfu detach gone 1 2 0 -", /* not asked in DFU mode */
                "answer app getstate answered 1 2 1 02",
                "answer dfu getstate fine 1 2 1 02",
                "answer dfu getstate answered x 2 1 02",
                " answer dfu getstate answered 1 2 1 02",
        };
        struct probe_answer got;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                if (probe_answer_parse(lines[i], &got) != 1)
                        fail_msg("taken for an answer: %s", lines[i]);
        assert_int_equal(probe_answer_parse("answer dfu getstate answered 1 2 1 02", &got), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_question_can_write),
                cmocka_unit_test(test_names_are_told_apart_within_a_mode),
                cmocka_unit_test(test_each_chips_model_is_as_expected_in_both_modes),
                cmocka_unit_test(test_without_being_told_nothing_leaves_its_mode_and_no_flash_is_read),
                cmocka_unit_test(test_another_word_of_the_board_is_one_difference),
                cmocka_unit_test(test_another_answer_to_a_request_is_one_difference),
                cmocka_unit_test(test_a_board_in_another_state_is_not_asked_on),
                cmocka_unit_test(test_a_board_that_is_silent_or_gone_is_not_asked_on),
                cmocka_unit_test(test_every_answer_survives_the_journey),
                cmocka_unit_test(test_flash_that_was_read_is_not_told),
                cmocka_unit_test(test_lines_that_are_no_answers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
