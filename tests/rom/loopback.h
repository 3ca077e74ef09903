/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host without a cable, for the model's own tests: a request is a call, and returns what became of it. */
#pragma once

#include "tests/rom/sample-image.h"

static inline enum rom_answer host_request(struct rom *rom, enum rom_request request, uint16_t value,
                                           const uint8_t *out, uint16_t length, struct rom_reply *ret)
{
        bool in = request == ROM_UPLOAD || request == ROM_GETSTATUS || request == ROM_GETSTATE;
        const struct rom_setup setup = {
                .bmRequestType = in ? 0xa1 : 0x21,
                .bRequest = (uint8_t)request,
                .wValue = value,
                .wIndex = 2,
                .wLength = length,
        };

        rom_control(rom, &setup, out, ret);
        return ret->answer;
}

static inline enum rom_answer host_simple(struct rom *rom, enum rom_request request)
{
        struct rom_reply reply;

        return host_request(rom, request, 0, NULL, 0, &reply);
}

static inline enum rom_answer host_dnload(struct rom *rom, const void *data, size_t len)
{
        struct rom_reply reply;

        return host_request(rom, ROM_DNLOAD, 0, data, (uint16_t)len, &reply);
}

/* status << 8 | state of a GETSTATUS; -1 when it was not answered in full. */
static inline int host_status(struct rom *rom)
{
        struct rom_reply reply;

        if (host_request(rom, ROM_GETSTATUS, 0, NULL, 6, &reply) != ROM_ACK || reply.len != 6)
                return -1;
        return reply.data[0] << 8 | reply.data[4];
}

/* Into DFU mode, as a host gets there. */
static inline void host_detach(struct rom *rom)
{
        host_simple(rom, ROM_DETACH);
        rom_attach(rom);
        rom_set_configured(rom);
}

/* All blocks, without the empty one. */
static inline void host_send(struct rom *rom, const uint8_t *data, size_t len)
{
        for (size_t done = 0; done < len; done += ROM_TRANSFER_SIZE)
                host_dnload(rom, data + done, MIN((size_t)ROM_TRANSFER_SIZE, len - done));
}

/* A whole download. Returns as host_status(). */
static inline int host_flash(struct rom *rom, const uint8_t *data, size_t len)
{
        host_send(rom, data, len);
        host_dnload(rom, NULL, 0);
        return host_status(rom);
}
