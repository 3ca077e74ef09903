/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vm/usbip.h"

enum { RET_SUBMIT = 3, RET_UNLINK = 4 };

static uint32_t read_be32(const uint8_t *b)
{
        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

static void write_be32(uint8_t *b, uint32_t v)
{
        b[0] = (uint8_t)(v >> 24);
        b[1] = (uint8_t)(v >> 16);
        b[2] = (uint8_t)(v >> 8);
        b[3] = (uint8_t)v;
}

int usbip_request_parse(const uint8_t header[static USBIP_HEADER_SIZE], struct usbip_request *ret)
{
        struct usbip_request r = {
                .seqnum = read_be32(header + 4),
                .in = read_be32(header + 12) == 1,
                .endpoint = read_be32(header + 16),
        };

        switch (read_be32(header)) {
        case USBIP_SUBMIT:
                r.command = USBIP_SUBMIT;
                r.length = read_be32(header + 24);
                memcpy(r.setup, header + 40, sizeof(r.setup));
                break;
        case USBIP_UNLINK:
                r.command = USBIP_UNLINK;
                r.victim = read_be32(header + 20);
                break;
        default:
                return -EPROTO;
        }
        if (r.endpoint > 15 || r.length > USBIP_DATA_MAX)
                return -EPROTO;
        *ret = r;
        return 0;
}

static void reply(uint8_t *ret, uint32_t command, uint32_t seqnum, int status, uint32_t actual)
{
        memset(ret, 0, USBIP_HEADER_SIZE);
        write_be32(ret, command);
        write_be32(ret + 4, seqnum);
        write_be32(ret + 20, (uint32_t)status);
        write_be32(ret + 24, actual);
}

void usbip_submit_reply(uint8_t ret[static USBIP_HEADER_SIZE], uint32_t seqnum, int status, uint32_t actual)
{
        reply(ret, RET_SUBMIT, seqnum, status, actual);
}

void usbip_unlink_reply(uint8_t ret[static USBIP_HEADER_SIZE], uint32_t seqnum, int status)
{
        reply(ret, RET_UNLINK, seqnum, status, 0);
}
