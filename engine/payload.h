/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image as the engine has it: a sealed memfd from the daemon, mapped; one copy in memory for all boards. */
#pragma once

#include "core/erase-plan.h"
#include "core/usb-descriptors.h"

#define PAYLOAD_MESSAGE_MAX 160

struct payload {
        const uint8_t *data; /* the mapping: the whole file */
        size_t file_size;
        size_t size; /* bytes to send: all but the DFU suffix */
        bool is_archive;
        struct erase_plan plan; /* of an archive */
};

/* fd: must be sealed against writing and resizing; is no longer needed afterwards. No byte is looked at. Returns 0; 1 with
 * message where it is nothing to send; -errno. */
int payload_map(int fd, struct payload *ret, char message[static PAYLOAD_MESSAGE_MAX]);
/* Looks at what it is; message says why the ROM would not take it, where it is no archive. */
void payload_plan(struct payload *payload, char message[static PAYLOAD_MESSAGE_MAX]);
void payload_unmap(struct payload *payload);

/* Whether its DFU suffix is for this board. */
bool payload_is_for(const struct payload *payload, const struct usb_device_ids *ids);
