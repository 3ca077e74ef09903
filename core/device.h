/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An Espressif device on a USB port, as this machine sees it: what it is, who may open it, and what udev made of it. Pure:
 * client/devices.c fills it from udev and sysfs. Everything but the chip is owned by its struct.
 */
#pragma once

#include <jansson.h>

#include "core/usb-descriptors.h"
#include "core/words.h"

#define ESP_SERIAL_JTAG_PID 0x1001

/* What runs on it. An application that the ROM's own USB code serves (an S3 with Espressif's USB-CDC console) cannot be told
 * from the ROM: docs/rom-dfu.md, "Traps on a line". */
enum device_mode {
        DEVICE_ROM,             /* the mask ROM, in run-time mode */
        DEVICE_ROM_DFU,         /* the mask ROM, in DFU mode */
        DEVICE_APPLICATION,     /* something without DFU */
        DEVICE_APPLICATION_DFU, /* something with a DFU interface that is not the ROM's */
        DEVICE_SERIAL_JTAG,     /* the chip's USB-Serial-JTAG */
        DEVICE_UNREADABLE,      /* its descriptors could not be read, or contradict themselves */
        DEVICE_MODE_MAX_,
};
DECLARE_WORDS(device_mode)

struct device {
        char *port;                            /* "1-4.1" */
        char *path;                            /* udev's ID_PATH, or NULL */
        char *node;                            /* "/dev/bus/usb/001/002", or NULL */
        char *owner, *group;                   /* of the node: names, or numbers; NULL: there is no node */
        char *serial, *manufacturer, *product; /* or NULL; printable */
        char *power_control;                   /* sysfs's power/control: "on" or "auto", or NULL */
        struct usb_device_ids ids;
        enum device_mode mode;
        const struct chip *chip; /* by its product id, or NULL */
        const char *mac;         /* the serial, where it is one; or NULL */
        unsigned gid;            /* of the node */
        unsigned rights;         /* of the node, 0660 */
        bool may_open;           /* who asks may read and write the node */
        bool group_may;          /* and so may the group that the node has */
        bool tagged;             /* udev has its rule applied: the tag espdfu */
        bool mm_ignored;         /* ID_MM_DEVICE_IGNORE is set */
};

void device_done(struct device *device);
void devices_free(struct device *devices, size_t n);

/* Sets ids, chip, mac and mode by the descriptors and the strings. descriptors may be NULL: they could not be read. */
void device_identify(struct device *device, const uint8_t *descriptors, size_t len);
/* Whether udev's rule is meant for it: what can be flashed, and what looks like it. */
bool device_is_for_station(const struct device *device);
bool device_is_rom(const struct device *device);
/* "303a:0002", into buf; returned. */
#define DEVICE_ID_SIZE sizeof("303a:0002")
const char *device_id(const struct device *device, char buf[static DEVICE_ID_SIZE]);

/* Orders by port, 1-2 before 1-10: for qsort(). */
int device_compare(const void *a, const void *b);
/* Whether where is its port path or its ID_PATH. */
bool device_is_at(const struct device *device, const char *where);

/* A new object; NULL when out of memory. */
json_t *device_to_json(const struct device *device);
