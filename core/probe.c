/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/probe.h"

#include <stdio.h>

#include "core/dfu-protocol.h"

static const char *const mode_words[PROBE_MODE_MAX_] = {
        [PROBE_RUN_TIME] = "run-time",
        [PROBE_DFU] = "dfu",
};
DEFINE_WORDS(probe_mode, mode_words)

static const char *const result_words[PROBE_RESULT_MAX_] = {
        [PROBE_ANSWERED] = "answered", [PROBE_STALLED] = "stalled", [PROBE_SILENT] = "silent",
        [PROBE_GONE] = "gone",         [PROBE_BROKEN] = "broken",
};
DEFINE_WORDS(probe_result, result_words)

/* What the ROM answers. */
enum expectation {
        DEVICE,        /* the device descriptor */
        CONFIGURATION, /* the first setup.length bytes of the configuration */
        LANGUAGES,
        MANUFACTURER,
        PRODUCT,
        SERIAL,
        ZEROES, /* setup.length of them */
        ONE,    /* 01 */
        DONE,   /* no data */
        STALL,
        STATUS,         /* a GETSTATUS, OK, in the state of the row */
        STATE,          /* a GETSTATE, likewise */
        STATUS_UNKNOWN, /* dfuERROR, errUNKNOWN */
        FLASH,          /* setup.length bytes, whatever they are */
        LEAVES,         /* the board leaves the bus: anything but an answer */
};

#define BOTH                                                                                                 \
        {                                                                                                    \
                true, true                                                                                   \
        }
#define RUN_TIME                                                                                             \
        {                                                                                                    \
                [PROBE_RUN_TIME] = true                                                                      \
        }
#define DFU_MODE                                                                                             \
        {                                                                                                    \
                [PROBE_DFU] = true                                                                           \
        }

#define GET_DESCRIPTOR(type, index, language, length)                                                        \
        {                                                                                                    \
                0x80, 6, (type) << 8 | (index), language, length                                             \
        }
#define ENGLISH 0x0409
#define DFU_OUT(request, value)                                                                              \
        {                                                                                                    \
                0x21, request, value, 2, 0                                                                   \
        }
#define DFU_IN(request, value, length)                                                                       \
        {                                                                                                    \
                0xa1, request, value, 2, length                                                              \
        }

/* Source: docs/rom-dfu.md, "Descriptors" and "The state machine". */
static const struct {
        struct probe_question question;
        enum expectation expected[PROBE_MODE_MAX_]; /* by mode */
        enum dfu_state state; /* in DFU mode: STATUS, STATE; in run-time mode it is appIDLE */
} rows[] = {
        { { "device-descriptor", "GET_DESCRIPTOR device", 0, BOTH, GET_DESCRIPTOR(1, 0, 0, 18) },
          { DEVICE, DEVICE },
          0 },
        { { "configuration-head", "GET_DESCRIPTOR configuration, 9 bytes", 0, BOTH,
            GET_DESCRIPTOR(2, 0, 0, 9) },
          { CONFIGURATION, CONFIGURATION },
          0 },
        { { "configuration", "GET_DESCRIPTOR configuration", 0, BOTH,
            GET_DESCRIPTOR(2, 0, 0, USB_ROM_CONFIGURATION_SIZE) },
          { CONFIGURATION, CONFIGURATION },
          0 },
        { { "languages", "GET_DESCRIPTOR string 0", 0, BOTH, GET_DESCRIPTOR(3, 0, 0, 255) },
          { LANGUAGES, LANGUAGES },
          0 },
        { { "manufacturer", "GET_DESCRIPTOR string 1", 0, BOTH, GET_DESCRIPTOR(3, 1, ENGLISH, 255) },
          { MANUFACTURER, MANUFACTURER },
          0 },
        { { "product", "GET_DESCRIPTOR string 2", 0, BOTH, GET_DESCRIPTOR(3, 2, ENGLISH, 255) },
          { PRODUCT, PRODUCT },
          0 },
        { { "serial", "GET_DESCRIPTOR string 3", 0, BOTH, GET_DESCRIPTOR(3, 3, ENGLISH, 255) },
          { SERIAL, SERIAL },
          0 },
        { { "string-4", "GET_DESCRIPTOR string 4", 0, BOTH, GET_DESCRIPTOR(3, 4, ENGLISH, 255) },
          { STALL, STALL },
          0 },
        { { "device-qualifier", "GET_DESCRIPTOR device qualifier", 0, BOTH, GET_DESCRIPTOR(6, 0, 0, 10) },
          { STALL, STALL },
          0 },
        { { "bos", "GET_DESCRIPTOR BOS", 0, BOTH, GET_DESCRIPTOR(15, 0, 0, 5) }, { STALL, STALL }, 0 },
        { { "functional-descriptor",
            "GET_DESCRIPTOR DFU functional, of the interface",
            0,
            BOTH,
            { 0x81, 6, 0x2100, 2, 9 } },
          { STALL, STALL },
          0 },
        { { "device-status", "GET_STATUS device", 0, BOTH, { 0x80, 0, 0, 0, 2 } }, { ZEROES, ZEROES }, 0 },
        { { "configuration-value", "GET_CONFIGURATION", 0, BOTH, { 0x80, 8, 0, 0, 1 } }, { ONE, ONE }, 0 },
        { { "interface-setting", "GET_INTERFACE 2", 0, BOTH, { 0x81, 10, 0, 2, 1 } }, { ZEROES, ZEROES }, 0 },
        { { "getstatus", "GETSTATUS", 0, BOTH, DFU_IN(DFU_GETSTATUS, 0, 6) }, { STATUS, STATUS }, DFU_IDLE },
        { { "getstate", "GETSTATE", 0, BOTH, DFU_IN(DFU_GETSTATE, 0, 1) }, { STATE, STATE }, DFU_IDLE },
        { { "clrstatus", "CLRSTATUS", 0, BOTH, DFU_OUT(DFU_CLRSTATUS, 0) }, { STALL, DONE }, 0 },
        { { "state-after-clrstatus", "GETSTATE after CLRSTATUS", 0, BOTH, DFU_IN(DFU_GETSTATE, 0, 1) },
          { STATE, STATE },
          DFU_IDLE },
        { { "abort", "ABORT", 0, BOTH, DFU_OUT(DFU_ABORT, 0) }, { STALL, DONE }, 0 },
        { { "status-after-abort", "GETSTATUS after ABORT", 0, BOTH, DFU_IN(DFU_GETSTATUS, 0, 6) },
          { STATUS, STATUS },
          DFU_IDLE },
        { { "upload", "UPLOAD block 0", PROBE_WITH_UPLOAD, BOTH, DFU_IN(DFU_UPLOAD, 0, 64) },
          { STALL, FLASH },
          0 },
        { { "status-while-uploading", "GETSTATUS after UPLOAD", PROBE_WITH_UPLOAD, BOTH,
            DFU_IN(DFU_GETSTATUS, 0, 6) },
          { STATUS, STATUS },
          DFU_UPLOAD_IDLE },
        { { "state-while-uploading", "GETSTATE after UPLOAD", PROBE_WITH_UPLOAD, DFU_MODE,
            DFU_IN(DFU_GETSTATE, 0, 1) },
          { 0, STATE },
          DFU_UPLOAD_IDLE },
        { { "abort-of-upload", "ABORT of an UPLOAD", PROBE_WITH_UPLOAD, DFU_MODE, DFU_OUT(DFU_ABORT, 0) },
          { 0, DONE },
          0 },
        { { "state-after-upload", "GETSTATE after the ABORT", PROBE_WITH_UPLOAD, DFU_MODE,
            DFU_IN(DFU_GETSTATE, 0, 1) },
          { 0, STATE },
          DFU_IDLE },
        { { "upload-of-a-wrong-block", "UPLOAD block 7 first", PROBE_WITH_UPLOAD, DFU_MODE,
            DFU_IN(DFU_UPLOAD, 7, 64) },
          { 0, STALL },
          0 },
        { { "status-in-error", "GETSTATUS in dfuERROR", PROBE_WITH_UPLOAD, DFU_MODE,
            DFU_IN(DFU_GETSTATUS, 0, 6) },
          { 0, STATUS_UNKNOWN },
          0 },
        { { "clrstatus-in-error", "CLRSTATUS in dfuERROR", PROBE_WITH_UPLOAD, DFU_MODE,
            DFU_OUT(DFU_CLRSTATUS, 0) },
          { 0, DONE },
          0 },
        { { "status-after-error", "GETSTATUS after the error", PROBE_WITH_UPLOAD, DFU_MODE,
            DFU_IN(DFU_GETSTATUS, 0, 6) },
          { 0, STATUS },
          DFU_IDLE },
        { { "detach", "DETACH", PROBE_WITH_DETACH, RUN_TIME, DFU_OUT(DFU_DETACH, 1000) }, { LEAVES, 0 }, 0 },
};

const struct probe_question *probe_question_at(size_t index)
{
        return index < ARRAY_SIZE(rows) ? &rows[index].question : NULL;
}

bool probe_is_asked(const struct probe_question *question, enum probe_mode mode, bool detach, bool upload)
{
        if (!question->in_mode[mode])
                return false;
        switch (question->when) {
        case PROBE_ALWAYS:
                return true;
        case PROBE_WITH_UPLOAD:
                return upload;
        case PROBE_WITH_DETACH:
                return detach;
        }
        return false;
}

/* ---- what the ROM says ---- */

static size_t row_of(const struct probe_answer *answer)
{
        size_t i = 0;

        while (&rows[i].question != answer->question)
                i++;
        return i;
}

static enum expectation expectation_of(const struct probe_answer *answer)
{
        return rows[row_of(answer)].expected[answer->mode];
}

static enum dfu_state state_of(const struct probe_answer *answer)
{
        return answer->mode == PROBE_RUN_TIME ? DFU_APP_IDLE : rows[row_of(answer)].state;
}

/* As the ROM packs an ASCII text. */
static size_t string_bytes(const char *text, uint8_t ret[static PROBE_DATA_MAX])
{
        size_t len = 2 + 2 * strlen(text);

        memset(ret, 0, len);
        ret[0] = (uint8_t)len;
        ret[1] = 3;
        for (size_t i = 0; text[i]; i++)
                ret[2 + 2 * i] = (uint8_t)text[i];
        return len;
}

static size_t status_bytes(enum dfu_code code, enum dfu_state state, uint8_t ret[static PROBE_DATA_MAX])
{
        const uint8_t status[DFU_STATUS_SIZE] = { (uint8_t)code, 0x00, 0x01, 0x00, (uint8_t)state, 0 };

        memcpy(ret, status, sizeof(status));
        return sizeof(status);
}

/* The bytes that are expected of those expectations that are bytes; of a MAC they are its form, 'x' for a digit. */
static size_t expected_bytes(const struct probe_answer *answer, const struct chip *chip,
                             uint8_t ret[static PROBE_DATA_MAX])
{
        static const uint8_t languages[] = { 0x04, 0x03, 0x09, 0x04 };
        const uint16_t length = answer->question->setup.length;

        switch (expectation_of(answer)) {
        case DEVICE:
                usb_rom_device_descriptor(chip, ret);
                return USB_DEVICE_DESCRIPTOR_SIZE;
        case CONFIGURATION: {
                uint8_t whole[USB_ROM_CONFIGURATION_SIZE];

                usb_rom_configuration(answer->mode == PROBE_DFU, whole);
                memcpy(ret, whole, MIN((size_t)length, sizeof(whole)));
                return MIN((size_t)length, sizeof(whole));
        }
        case LANGUAGES:
                memcpy(ret, languages, sizeof(languages));
                return sizeof(languages);
        case MANUFACTURER:
                return string_bytes("Espressif", ret);
        case PRODUCT:
                return string_bytes(chip->product, ret);
        case SERIAL:
                return string_bytes(chip->has_mac ? "xx:xx:xx:xx:xx:xx" : "0", ret);
        case ZEROES:
                memset(ret, 0, length);
                return length;
        case ONE:
                ret[0] = 1;
                return 1;
        case STATUS:
                return status_bytes(DFU_OK, state_of(answer), ret);
        case STATE:
                ret[0] = (uint8_t)state_of(answer);
                return 1;
        case STATUS_UNKNOWN:
                return status_bytes(DFU_ERR_UNKNOWN, DFU_ERROR, ret);
        case DONE:
        case STALL:
        case FLASH:
        case LEAVES:
                return 0;
        }
        return 0;
}

/* A string descriptor of ASCII as text; false where it is none. */
static bool string_text(const struct probe_answer *answer, char ret[static PROBE_DATA_MAX])
{
        size_t n = 0;

        if (answer->len < 2 || answer->data[0] != answer->len || answer->data[1] != 3 || answer->len % 2)
                return false;
        for (size_t i = 2; i < answer->len; i += 2) {
                if (answer->data[i] < ' ' || answer->data[i] > '~' || answer->data[i + 1])
                        return false;
                ret[n++] = (char)answer->data[i];
        }
        ret[n] = '\0';
        return true;
}

static bool data_is_expected(const struct probe_answer *answer, const struct chip *chip)
{
        uint8_t expected[PROBE_DATA_MAX];
        char text[PROBE_DATA_MAX];
        size_t len;

        if (expectation_of(answer) == SERIAL && chip->has_mac)
                return string_text(answer, text) && chip_serial_is_mac(text);
        len = expected_bytes(answer, chip, expected);
        return answer->len == len && memcmp(answer->data, expected, len) == 0;
}

bool probe_is_expected(const struct probe_answer *answer, const struct chip *chip)
{
        enum expectation expectation = expectation_of(answer);

        if (expectation == STALL)
                return answer->result == PROBE_STALLED;
        if (expectation == LEAVES)
                return answer->result != PROBE_ANSWERED && answer->result != PROBE_STALLED;
        if (answer->result != PROBE_ANSWERED)
                return false;
        if (expectation == FLASH)
                return answer->len == answer->question->setup.length;
        return data_is_expected(answer, chip);
}

bool probe_may_go_on(const struct probe_answer *answer)
{
        const uint8_t *data = answer->data;

        if (answer->result != PROBE_ANSWERED && answer->result != PROBE_STALLED)
                return false;
        /* In a state that was not expected a board may be in the middle of somebody's download. */
        switch (expectation_of(answer)) {
        case STATUS:
                return answer->result == PROBE_ANSWERED && answer->len >= DFU_STATUS_SIZE &&
                       data[4] == state_of(answer);
        case STATUS_UNKNOWN:
                return answer->result == PROBE_ANSWERED && answer->len >= DFU_STATUS_SIZE &&
                       (data[4] == DFU_ERROR || data[4] == DFU_IDLE);
        case STATE:
                return answer->result == PROBE_ANSWERED && answer->len >= 1 && data[0] == state_of(answer);
        case DEVICE:
        case CONFIGURATION:
        case LANGUAGES:
        case MANUFACTURER:
        case PRODUCT:
        case SERIAL:
        case ZEROES:
        case ONE:
        case DONE:
        case STALL:
        case FLASH:
        case LEAVES:
                return true;
        }
        return false;
}

/* ---- in words ---- */

static void bytes_text(const uint8_t *data, size_t len, char buf[static PROBE_TEXT_MAX])
{
        size_t n = 0;

        for (size_t i = 0; i < len; i++)
                n += (size_t)snprintf(buf + n, PROBE_TEXT_MAX - n, "%s%02x", i > 0 ? " " : "", data[i]);
}

/* What the bytes mean, if they mean anything to people: else the bytes. */
static void data_text(enum expectation expectation, const struct probe_answer *answer,
                      char buf[static PROBE_TEXT_MAX])
{
        struct dfu_status status;
        char text[PROBE_DATA_MAX];

        if ((expectation == STATUS || expectation == STATUS_UNKNOWN) && answer->len == DFU_STATUS_SIZE &&
            answer->data[5] == 0 && dfu_status_parse(answer->data, answer->len, &status) == 0)
                snprintf(buf, PROBE_TEXT_MAX, "%s, bwPollTimeout %u ms, %s", dfu_code_to_string(status.code),
                         status.poll_timeout_ms, dfu_state_to_string(status.state));
        else if (expectation == STATE && answer->len == 1 && answer->data[0] < DFU_STATE_MAX_)
                snprintf(buf, PROBE_TEXT_MAX, "%s", dfu_state_to_string((enum dfu_state)answer->data[0]));
        else if ((expectation == MANUFACTURER || expectation == PRODUCT || expectation == SERIAL) &&
                 string_text(answer, text))
                snprintf(buf, PROBE_TEXT_MAX, "\"%s\"", text);
        else
                bytes_text(answer->data, answer->len, buf);
}

const char *probe_expected_text(const struct probe_answer *answer, const struct chip *chip,
                                char buf[static PROBE_TEXT_MAX])
{
        enum expectation expectation = expectation_of(answer);
        struct probe_answer right = *answer;

        switch (expectation) {
        case STALL:
                return "STALL";
        case LEAVES:
                return "no answer: the board leaves the bus";
        case DONE:
                return "done";
        case FLASH:
                snprintf(buf, PROBE_TEXT_MAX, "%u bytes of flash", answer->question->setup.length);
                return buf;
        case DEVICE:
        case CONFIGURATION:
        case LANGUAGES:
        case MANUFACTURER:
        case PRODUCT:
        case SERIAL:
        case ZEROES:
        case ONE:
        case STATUS:
        case STATE:
        case STATUS_UNKNOWN:
                right.len = expected_bytes(answer, chip, right.data);
                data_text(expectation, &right, buf);
                return buf;
        }
        return "";
}

const char *probe_answer_text(const struct probe_answer *answer, char buf[static PROBE_TEXT_MAX])
{
        switch (answer->result) {
        case PROBE_STALLED:
                return "STALL";
        case PROBE_SILENT:
                return "no answer";
        case PROBE_GONE:
                return "no answer: the board left the bus";
        case PROBE_BROKEN:
                return "no answer: an error on the bus";
        case PROBE_ANSWERED:
        case PROBE_RESULT_MAX_:
                break;
        }
        if (answer->len == 0)
                return answer->question->setup.length > 0 ? "no bytes" : "done";
        if (answer->has_data)
                data_text(expectation_of(answer), answer, buf);
        else
                snprintf(buf, PROBE_TEXT_MAX, "%zu bytes of flash", answer->len);
        return buf;
}
