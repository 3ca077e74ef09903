/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What docs/rom-dfu.md claims of a chip's mask ROM, as questions that a board can be asked, and what the answers are worth.
 * Nothing here writes: there is no DNLOAD, no SET_…, and never more than 64 bytes are asked of a DFU request. Pure:
 * engine/probe.c asks, client/probe.c judges and shows.
 */
#pragma once

#include "core/usb-descriptors.h"
#include "core/words.h"

#define PROBE_DATA_MAX    255 /* bytes of one answer */
#define PROBE_ANSWERS_MAX 64  /* of one board */
#define PROBE_LINE_MAX    (2 * PROBE_DATA_MAX + 160)

enum probe_mode {
        PROBE_RUN_TIME,
        PROBE_DFU,
        PROBE_MODE_MAX_,
};
DECLARE_WORDS(probe_mode)

enum probe_result {
        PROBE_ANSWERED, /* with data, or with the status stage alone */
        PROBE_STALLED,
        PROBE_SILENT, /* no answer within the time limit */
        PROBE_GONE,   /* the board left the bus */
        PROBE_BROKEN, /* an error on the bus */
        PROBE_RESULT_MAX_,
};
DECLARE_WORDS(probe_result)

struct probe_setup {
        uint8_t request_type, request;
        uint16_t value, index, length;
};

/* When a question is asked. */
enum probe_when {
        PROBE_ALWAYS,
        PROBE_WITH_UPLOAD, /* it reads flash */
        PROBE_WITH_DETACH, /* it changes the board's mode */
};

struct probe_question {
        const char *name; /* "device-descriptor"; each once in a mode */
        const char *title;
        enum probe_when when;
        bool in_mode[PROBE_MODE_MAX_];
        struct probe_setup setup; /* the DFU interface's number is 2, as the ROM has it */
};

struct probe_answer {
        const struct probe_question *question;
        enum probe_mode mode;
        enum probe_result result;
        uint64_t at_usec;   /* CLOCK_MONOTONIC, when it was asked */
        uint64_t took_usec; /* until it was answered */
        size_t len;         /* bytes of data */
        bool has_data;      /* else data is not told: it is flash */
        uint8_t data[PROBE_DATA_MAX];
};

/* Walks the table in the order in which a board is asked: index 0, 1, … until NULL. */
const struct probe_question *probe_question_at(size_t index);
/* Whether a board in this mode is asked it, by what was allowed. */
bool probe_is_asked(const struct probe_question *question, enum probe_mode mode, bool detach, bool upload);
/* Whether the board may be asked on after this answer: it is there, and in the state that the next question is meant for. */
bool probe_may_go_on(const struct probe_answer *answer);

/* Whether the answer is what the ROM of chip says. */
bool probe_is_expected(const struct probe_answer *answer, const struct chip *chip);
/* What was expected, what came: "12 01 00 02 …", "OK, 256 ms, appIDLE", "STALL"; into buf; returned. */
#define PROBE_TEXT_MAX (3 * PROBE_DATA_MAX + 80)
const char *probe_expected_text(const struct probe_answer *answer, const struct chip *chip,
                                char buf[static PROBE_TEXT_MAX]);
const char *probe_answer_text(const struct probe_answer *answer, char buf[static PROBE_TEXT_MAX]);

/* An answer as one line, from the engine to the client: "answer MODE NAME RESULT AT TOOK LEN HEX". */
void probe_answer_format(const struct probe_answer *answer, char line[static PROBE_LINE_MAX]);
/* 0; 1 where the line is no answer to a question that there is. */
int probe_answer_parse(const char *line, struct probe_answer *ret);
