/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of DFU: requests, states and status codes, as numbers on the wire and as the specification names them.
 * Source: USB Device Class Specification for Device Firmware Upgrade 1.1, sections 3 and 6.1.2.
 */
#pragma once

#include "core/words.h"

enum dfu_request {
        DFU_DETACH = 0,
        DFU_DNLOAD = 1,
        DFU_UPLOAD = 2,
        DFU_GETSTATUS = 3,
        DFU_CLRSTATUS = 4,
        DFU_GETSTATE = 5,
        DFU_ABORT = 6,
        DFU_REQUEST_MAX_,
};
DECLARE_WORDS(dfu_request)

enum dfu_state {
        DFU_APP_IDLE = 0,
        DFU_APP_DETACH = 1,
        DFU_IDLE = 2,
        DFU_DNLOAD_SYNC = 3,
        DFU_DNBUSY = 4,
        DFU_DNLOAD_IDLE = 5,
        DFU_MANIFEST_SYNC = 6,
        DFU_MANIFEST = 7,
        DFU_MANIFEST_WAIT_RESET = 8,
        DFU_UPLOAD_IDLE = 9,
        DFU_ERROR = 10,
        DFU_STATE_MAX_,
};
DECLARE_WORDS(dfu_state)

enum dfu_code {
        DFU_OK = 0x00,
        DFU_ERR_TARGET = 0x01,
        DFU_ERR_FILE = 0x02,
        DFU_ERR_WRITE = 0x03,
        DFU_ERR_ERASE = 0x04,
        DFU_ERR_CHECK_ERASED = 0x05,
        DFU_ERR_PROG = 0x06,
        DFU_ERR_VERIFY = 0x07,
        DFU_ERR_ADDRESS = 0x08,
        DFU_ERR_NOTDONE = 0x09,
        DFU_ERR_FIRMWARE = 0x0a,
        DFU_ERR_VENDOR = 0x0b,
        DFU_ERR_USBR = 0x0c,
        DFU_ERR_POR = 0x0d,
        DFU_ERR_UNKNOWN = 0x0e,
        DFU_ERR_STALLEDPKT = 0x0f,
        DFU_CODE_MAX_,
};
DECLARE_WORDS(dfu_code)

/* What a GETSTATUS says. */
struct dfu_status {
        enum dfu_code code;
        enum dfu_state state;
        uint32_t poll_timeout_ms; /* bwPollTimeout: not before that, says the device */
};

#define DFU_STATUS_SIZE 6 /* bytes of a GETSTATUS answer */

/* Returns 0, or -EBADMSG if the answer is short or has a state or a code that DFU 1.1 does not know. */
int dfu_status_parse(const uint8_t *data, size_t len, struct dfu_status *ret);
