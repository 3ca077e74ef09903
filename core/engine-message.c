/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/engine-message.h"

/* Offsets on the wire. */
enum {
        AT_MAGIC = 0,
        AT_PHASE = 4,
        AT_VERDICT = 8,
        AT_HAS_STATUS = 12, /* one byte each */
        AT_STATUS_CODE = 13,
        AT_STATUS_STATE = 14,
        AT_ZERO = 15,
        AT_BYTES_DONE = 16,
        AT_BYTES_TOTAL = 24,
        AT_TRANSFERS = 32,
        AT_QUIET = 40,
        AT_TEXT = 48,
};
_Static_assert(AT_TEXT + ENGINE_MESSAGE_TEXT_MAX == ENGINE_MESSAGE_SIZE,
               "the packet is as large as its fields");

#define MAGIC 0x32474e45 /* "ENG2": ENG1 had no DFU status */

static void write_le64(uint8_t *p, uint64_t v)
{
        write_le32(p, (uint32_t)v);
        write_le32(p + 4, (uint32_t)(v >> 32));
}

static uint64_t read_le64(const uint8_t *p)
{
        return read_le32(p) | (uint64_t)read_le32(p + 4) << 32;
}

void engine_message_encode(const struct engine_message *message, uint8_t ret[static ENGINE_MESSAGE_SIZE])
{
        memset(ret, 0, ENGINE_MESSAGE_SIZE);
        write_le32(ret + AT_MAGIC, MAGIC);
        write_le32(ret + AT_PHASE, message->phase);
        write_le32(ret + AT_VERDICT, message->verdict);
        write_le64(ret + AT_BYTES_DONE, message->bytes_done);
        write_le64(ret + AT_BYTES_TOTAL, message->bytes_total);
        write_le64(ret + AT_TRANSFERS, message->transfers);
        write_le64(ret + AT_QUIET, message->quiet_usec);
        if (message->has_status) {
                ret[AT_HAS_STATUS] = 1;
                ret[AT_STATUS_CODE] = (uint8_t)message->status.code;
                ret[AT_STATUS_STATE] = (uint8_t)message->status.state;
        }
        memcpy(ret + AT_TEXT, message->text, strnlen(message->text, ENGINE_MESSAGE_TEXT_MAX - 1));
}

static bool phase_is_an_engines(uint32_t phase)
{
        return phase == PHASE_DETACHING || phase == PHASE_DOWNLOADING || phase == PHASE_VERIFYING ||
               phase == PHASE_RESETTING;
}

/* One line of printable ASCII that ends within the field: it goes to screens and into the journal. */
static bool text_is_clean(const uint8_t *text)
{
        for (size_t i = 0; i < ENGINE_MESSAGE_TEXT_MAX; i++) {
                if (text[i] == '\0')
                        return true;
                if (text[i] < 0x20 || text[i] > 0x7e)
                        return false;
        }
        return false;
}

/* One that DFU 1.1 knows; or none, and then nothing at all. */
static bool status_is_clean(const uint8_t *data)
{
        if (data[AT_ZERO] != 0 || data[AT_HAS_STATUS] > 1)
                return false;
        if (data[AT_HAS_STATUS] == 0)
                return data[AT_STATUS_CODE] == 0 && data[AT_STATUS_STATE] == 0;
        return data[AT_STATUS_CODE] < DFU_CODE_MAX_ && data[AT_STATUS_STATE] < DFU_STATE_MAX_;
}

int engine_message_decode(const uint8_t *data, size_t len, struct engine_message *ret)
{
        struct engine_message m;

        if (len != ENGINE_MESSAGE_SIZE || read_le32(data + AT_MAGIC) != MAGIC ||
            !phase_is_an_engines(read_le32(data + AT_PHASE)) ||
            read_le32(data + AT_VERDICT) >= VERDICT_MAX_ || !status_is_clean(data) ||
            !text_is_clean(data + AT_TEXT))
                return -EBADMSG;
        m = (struct engine_message){
                .phase = (enum phase)read_le32(data + AT_PHASE),
                .verdict = (enum verdict)read_le32(data + AT_VERDICT),
                .has_status = data[AT_HAS_STATUS] == 1,
                .status = { .code = (enum dfu_code)data[AT_STATUS_CODE],
                            .state = (enum dfu_state)data[AT_STATUS_STATE] },
                .bytes_done = read_le64(data + AT_BYTES_DONE),
                .bytes_total = read_le64(data + AT_BYTES_TOTAL),
                .transfers = read_le64(data + AT_TRANSFERS),
                .quiet_usec = read_le64(data + AT_QUIET),
        };
        if (m.bytes_done > m.bytes_total || m.quiet_usec > ENGINE_QUIET_MAX)
                return -EBADMSG;
        memcpy(m.text, data + AT_TEXT, ENGINE_MESSAGE_TEXT_MAX);
        *ret = m;
        return 0;
}
