/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An answer's way from the engine to the client: one line of text. */
#include <inttypes.h>
#include <stdio.h>

#include "core/hex.h"
#include "core/probe.h"

void probe_answer_format(const struct probe_answer *answer, char line[static PROBE_LINE_MAX])
{
        char hex[2 * PROBE_DATA_MAX + 1] = "-";

        if (answer->has_data && answer->len > 0)
                hex_encode(answer->data, answer->len, hex);
        snprintf(line, PROBE_LINE_MAX, "answer %s %s %s %" PRIu64 " %" PRIu64 " %zu %s",
                 probe_mode_to_string(answer->mode), answer->question->name,
                 probe_result_to_string(answer->result), answer->at_usec, answer->took_usec, answer->len,
                 hex);
}

static const struct probe_question *find_question(const char *name)
{
        const struct probe_question *question;

        for (size_t i = 0; (question = probe_question_at(i)); i++)
                if (streq(question->name, name))
                        return question;
        return NULL;
}

int probe_answer_parse(const char *line, struct probe_answer *ret)
{
        char mode[16], name[48], result[16], hex[2 * PROBE_DATA_MAX + 1];
        struct probe_answer answer = { 0 };
        int mode_value, result_value, end = 0;

        if (sscanf(line, "answer %15s %47s %15s %" SCNu64 " %" SCNu64 " %zu %510s%n", mode, name, result,
                   &answer.at_usec, &answer.took_usec, &answer.len, hex, &end) != 7 ||
            line[end])
                return 1;
        mode_value = probe_mode_from_string(mode);
        result_value = probe_result_from_string(result);
        answer.question = find_question(name);
        if (mode_value < 0 || result_value < 0 || !answer.question || !answer.question->in_mode[mode_value] ||
            answer.len > PROBE_DATA_MAX)
                return 1;
        answer.mode = (enum probe_mode)mode_value;
        answer.result = (enum probe_result)result_value;
        answer.has_data = !streq(hex, "-") || answer.len == 0;
        if (!streq(hex, "-") && hex_decode(hex, answer.data, answer.len) < 0)
                return 1;
        *ret = answer;
        return 0;
}
