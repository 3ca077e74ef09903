/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/probe.h"

#include "core/probe.h"
#include "io/clock.h"

#define ANSWER_TIMEOUT_MS 5000 /* DFU 1.1 has none; the ROM answers within a frame or two */

static enum probe_result result_of(int r)
{
        if (r >= 0)
                return PROBE_ANSWERED;
        switch (r) {
        case LIBUSB_ERROR_PIPE:
                return PROBE_STALLED;
        case LIBUSB_ERROR_TIMEOUT:
                return PROBE_SILENT;
        case LIBUSB_ERROR_NO_DEVICE:
        case LIBUSB_ERROR_NOT_FOUND:
                return PROBE_GONE;
        default: /* libusb's codes are an open set of ints */
                return PROBE_BROKEN;
        }
}

static void ask(struct board *board, const struct probe_question *question, enum probe_mode mode,
                struct probe_answer *ret)
{
        const struct probe_setup *s = &question->setup;
        uint8_t data[PROBE_DATA_MAX];
        int r;

        *ret = (struct probe_answer){
                .question = question,
                .mode = mode,
                .at_usec = monotonic_usec(),
                .has_data = question->when != PROBE_WITH_UPLOAD || s->length < DFU_ROM_TRANSFER_SIZE,
        };
        r = libusb_control_transfer(board->handle, s->request_type, s->request, s->value, s->index, data,
                                    s->length, ANSWER_TIMEOUT_MS);
        ret->took_usec = monotonic_usec() - ret->at_usec;
        ret->result = result_of(r);
        ret->len = (size_t)MIN(MAX(r, 0), (int)sizeof(data));
        if (ret->has_data)
                memcpy(ret->data, data, ret->len);
}

static int tell(const struct probe_answer *answer, FILE *out)
{
        char line[PROBE_LINE_MAX];

        probe_answer_format(answer, line);
        return fprintf(out, "%s\n", line) < 0 || fflush(out) == EOF ? -EIO : 0;
}

int probe_run(const struct probe_order *order, FILE *out, char message[static BOARD_MESSAGE_MAX])
{
        _cleanup_(board_freep) struct board *board = NULL;
        const struct probe_question *question;
        struct probe_answer answer;
        enum probe_mode mode;
        static char buffer[PROBE_LINE_MAX];
        int r = board_open(&order->wanted, &board, message);

        /* libc would look at what out is when it writes first. */
        if (r == 0 && setvbuf(out, buffer, _IOFBF, sizeof(buffer)) != 0)
                return -EINVAL;
        if (r == 0)
                r = board_confine(board, -1, fileno(out), false, 0, message);
        if (r == 0)
                r = board_claim(board, &order->wanted, message);
        if (r != 0)
                return r;
        mode = board->dfu.dfu_mode ? PROBE_DFU : PROBE_RUN_TIME;
        for (size_t i = 0; (question = probe_question_at(i)); i++) {
                if (!probe_is_asked(question, mode, order->detach, order->upload))
                        continue;
                ask(board, question, mode, &answer);
                r = tell(&answer, out);
                if (r < 0 || !probe_may_go_on(&answer))
                        return r;
        }
        return 0;
}
