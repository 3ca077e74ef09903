/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A board that stands on a port, as udev and sysfs describe it. Built once when it arrives, never changed. */
#pragma once

#include <libudev.h>

#include "core/policy.h"
#include "core/usb-descriptors.h"

struct board {
        char *port;                            /* "1-4.1", sysfs's name of the device */
        char *path;                            /* udev's ID_PATH, or NULL */
        char *node;                            /* "/dev/bus/usb/001/002" */
        char *serial, *manufacturer, *product; /* or NULL; cleaned: one line of printable text */
        unsigned devnum;
        uint64_t initialized_usec; /* udev's USEC_INITIALIZED; 0 where it does not say */
        struct usb_device_ids ids;
        const struct chip *chip; /* or NULL */
        const char *mac;         /* the serial, where it is one; or NULL */
        bool has_dfu;
        struct dfu_interface dfu;
        bool is_rom;
        bool contradicts; /* its descriptors contradict themselves: there is no telling what it is and in which mode */
};

/*
 * Returns 0, for a chip's product id also where its descriptors contradict themselves, so that it is seen what is wrong with
 * it; 1 for a device without a DFU interface, a hub, …; or a negative errno: -ENODEV or -ENOENT when it left, even
 * if another device stands in its place by now.
 */
int board_from_udev(struct udev_device *device, struct board **ret);
struct board *board_free(struct board *board);
DEFINE_CLEANUP(struct board, board_free)

/* For core/policy; borrowed from the board and from slot. */
struct board_facts board_facts(const struct board *board, const char *slot);

/* Whether b can be a after a re-enumeration: the same chip, and the same MAC where both say one. */
bool board_may_be(const struct board *a, const struct board *b);

/* Who it is, as far as it says it: "303a:0009 7c:df:a1:0b:00:12", or without a MAC, into buf; returned. */
#define BOARD_ID_SIZE 32
const char *board_id(const struct board *board, char buf[static BOARD_ID_SIZE]);

/* "ESP32-S3 7c:df:a1:0b:00:12 in run-time mode", into buf. */
const char *board_describe(const struct board *board, char *buf, size_t size);
