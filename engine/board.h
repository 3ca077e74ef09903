/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The board on its device node: opened by this process itself, told by its own bytes what it is, and with the DFU
 * interface alone claimed. Nothing here resets it but board_reset(), and no DFU request is sent. In two steps, so that
 * whoever opened it can confine himself before he hears a byte of it.
 */
#pragma once

#include <libusb.h>

#include "core/usb-descriptors.h"
#include "core/verdict.h"

#define BOARD_MESSAGE_MAX 160 /* bytes of a failure's text, with its NUL */

struct board {
        int fd;
        libusb_context *usb;
        libusb_device_handle *handle;
        bool claimed;
        struct usb_device_ids ids;
        struct dfu_interface dfu;
        bool is_rom; /* its descriptors are the mask ROM's to the byte */
};

/* What the caller will have; a board that is another is left alone. */
struct board_wanted {
        const char *node;    /* "/dev/bus/usb/001/002" */
        const char *vid_pid; /* "303a:0002", or NULL: any */
        bool any;            /* any DFU 1.1 device, not the mask ROM alone */
};

/* Opens the node, and all else that will be needed. Nothing is read. Returns 0 and *ret, or a verdict (positive) with
 * message saying why, or -ENOMEM. */
int board_open(const struct board_wanted *wanted, struct board **ret, char message[static BOARD_MESSAGE_MAX]);
/* Confines this process to the board, for ever. channel, output: descriptors, or -1; image_size: 0 for a probe. Returns 0 or VERDICT_ENGINE_FAILED. */
int board_confine(const struct board *board, int channel, int output, bool may_reset, size_t image_size,
                  char message[static BOARD_MESSAGE_MAX]);
/* Finds out what it is, and claims its DFU interface. Returns as board_open() does; the rest is valid after 0. */
int board_claim(struct board *board, const struct board_wanted *wanted,
                char message[static BOARD_MESSAGE_MAX]);
struct board *board_free(struct board *board);
DEFINE_CLEANUP(struct board, board_free)

/* A bus reset: in DFU mode the ROM reboots. Returns 0 also when the board leaves the bus for it, or -EIO. */
int board_reset(struct board *board);
