/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an engine says: to its daemon in packets, to `espdfuctl probe` in lines. What is believed is within bounds. */
#include "core/engine-message.h"
#include "core/printable.h"
#include "core/probe.h"
#include "tests/fuzz/fuzz.h"

static void check_packet(const uint8_t *data, size_t size)
{
        struct engine_message m, again;
        uint8_t packet[ENGINE_MESSAGE_SIZE];
        int r = engine_message_decode(data, size, &m);

        must(r == 0 || r == -EBADMSG);
        if (r < 0)
                return;
        must(size == ENGINE_MESSAGE_SIZE && m.verdict < VERDICT_MAX_ && m.phase < PHASE_MAX_);
        must(phase_is_running(m.phase) && m.bytes_done <= m.bytes_total && m.quiet_usec <= ENGINE_QUIET_MAX);
        must(memchr(m.text, '\0', sizeof(m.text)) && is_printable(m.text));
        must(m.status.code < DFU_CODE_MAX_ && m.status.state < DFU_STATE_MAX_);
        engine_message_encode(&m, packet);
        must(engine_message_decode(packet, sizeof(packet), &again) == 0);
        must(again.phase == m.phase && again.verdict == m.verdict && streq(again.text, m.text));
        must(again.bytes_done == m.bytes_done && again.transfers == m.transfers &&
             again.has_status == m.has_status && again.status.state == m.status.state);
}

static void check_line(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *text = strndup(size > 0 ? (const char *)data : "", size);
        char line[PROBE_LINE_MAX], told[PROBE_TEXT_MAX];
        struct probe_answer answer, again;
        int r;

        must(text);
        r = probe_answer_parse(text, &answer);
        must(r == 0 || r == 1);
        if (r != 0)
                return;
        must(answer.len <= PROBE_DATA_MAX && answer.question && answer.mode < PROBE_MODE_MAX_ &&
             answer.result < PROBE_RESULT_MAX_);
        (void)probe_may_go_on(&answer);
        for (size_t i = 0; chip_at(i); i++) {
                (void)probe_is_expected(&answer, chip_at(i));
                must(is_printable(probe_expected_text(&answer, chip_at(i), told)));
        }
        must(is_printable(probe_answer_text(&answer, told)));
        probe_answer_format(&answer, line);
        must(probe_answer_parse(line, &again) == 0);
        must(again.question == answer.question && again.len == answer.len && again.result == answer.result &&
             again.has_data == answer.has_data && memcmp(again.data, answer.data, sizeof(again.data)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        check_packet(data, size);
        check_line(data, size);
        return 0;
}
