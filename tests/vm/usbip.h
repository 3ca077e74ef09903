/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The USB/IP wire format between the kernel's vhci_hcd and a device, after the import: 48-byte headers,
 * big-endian, each with its data behind it. Source: the kernel's Documentation/usb/usbip_protocol.rst.
 */
#pragma once

#include "core/util.h"

#define USBIP_HEADER_SIZE 48
#define USBIP_DATA_MAX    (64 * KIB) /* what we take behind one header */
#define USBIP_SPEED_FULL  2

struct usbip_request {
        enum { USBIP_SUBMIT = 1, USBIP_UNLINK = 2 } command;
        uint32_t seqnum;
        uint32_t endpoint; /* 0 to 15 */
        bool in;           /* towards the host */
        uint32_t length;   /* of the URB's buffer; OUT: so many bytes follow */
        uint8_t setup[8];
        uint32_t victim; /* USBIP_UNLINK: the seqnum that the host takes back */
};

/*
 * Returns 0, or -EPROTO for what is no request that a full-speed device without isochronous endpoints can
 * get.
 */
int usbip_request_parse(const uint8_t header[static USBIP_HEADER_SIZE], struct usbip_request *ret);

/*
 * The answer to a SUBMIT; status is 0 or a negative errno as a URB has it. IN data, actual bytes, goes
 * behind it.
 */
void usbip_submit_reply(uint8_t ret[static USBIP_HEADER_SIZE], uint32_t seqnum, int status, uint32_t actual);
/*
 * The answer to an UNLINK: status is -ECONNRESET where the victim was caught, 0 where it had been
 * answered before.
 */
void usbip_unlink_reply(uint8_t ret[static USBIP_HEADER_SIZE], uint32_t seqnum, int status);
