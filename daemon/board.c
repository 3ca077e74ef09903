/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/board.h"

#include <stdio.h>

#include "core/printable.h"
#include "io/file.h"

#define TEXT_MAX 126 /* characters in a USB string descriptor */

struct board *board_free(struct board *board)
{
        free(board->port);
        free(board->path);
        free(board->node);
        free(board->serial);
        free(board->manufacturer);
        free(board->product);
        free(board);
        return NULL;
}

/* A board's own words go to screens and journals: printable, and cut where they are too long. */
static int copy_text(const char *text, char **ret)
{
        char *copy;

        if (!text)
                return 0;
        copy = strndup(text, TEXT_MAX);
        if (!copy)
                return -ENOMEM;
        make_printable(copy);
        *ret = copy;
        return 0;
}

static uint64_t parse_number(const char *text)
{
        return text ? strtoull(text, NULL, 10) : 0;
}

static int read_names(struct board *board, struct udev_device *device)
{
        const char *port = udev_device_get_sysname(device), *node = udev_device_get_devnode(device);
        int r;

        if (!port || !node)
                return -ENODEV;
        r = free_and_strdup(&board->port, port);
        if (r == 0)
                r = free_and_strdup(&board->node, node);
        if (r == 0)
                r = free_and_strdup(&board->path, udev_device_get_property_value(device, "ID_PATH"));
        return r;
}

/* The kernel tells them under the device's lock, which who resets the device, or sets an interface of it, holds for as long as
 * the device likes: so they are not asked for where nobody needs them. The descriptors it tells without. */
static int read_strings(struct board *board, struct udev_device *device)
{
        int r = copy_text(udev_device_get_sysattr_value(device, "serial"), &board->serial);

        if (r == 0)
                r = copy_text(udev_device_get_sysattr_value(device, "manufacturer"), &board->manufacturer);
        if (r == 0)
                r = copy_text(udev_device_get_sysattr_value(device, "product"), &board->product);
        return r;
}

static int read_descriptors(const char *syspath, uint8_t **ret, size_t *ret_len)
{
        char name[512];

        if ((size_t)snprintf(name, sizeof(name), "%s/descriptors", syspath) >= sizeof(name))
                return -ENAMETOOLONG;
        return file_read_attribute(name, USB_DESCRIPTORS_MAX, ret, ret_len);
}

/* What the board's own descriptors say. Returns 0, or 1 where it has no DFU interface. */
static int identify(struct board *board, const uint8_t *bytes, size_t len)
{
        int r = usb_device_ids_parse(bytes, len, &board->ids);

        if (r < 0)
                return r;
        board->chip = board->ids.vid == ESP_VENDOR_ID ? chip_by_pid(board->ids.pid) : NULL;
        r = usb_find_dfu_interface(bytes, len, &board->dfu);
        board->contradicts = r == -EBADMSG && board->chip;
        if (r != 0 && !board->contradicts)
                return r;
        board->has_dfu = r == 0;
        return 0;
}

/* And its strings besides. */
static void identify_chip(struct board *board, const uint8_t *bytes, size_t len)
{
        if (!board->chip)
                return;
        board->is_rom = usb_descriptors_are_rom(bytes, len, board->chip) &&
                        usb_strings_are_rom(board->chip, board->manufacturer, board->product, board->serial);
        if (board->chip->has_mac && board->serial && chip_serial_is_mac(board->serial))
                board->mac = board->serial;
}

/*
 * An event may be read when its device is gone and another one has its place in sysfs: a "bind" about a board before its
 * DETACH, say. The event's own words and those of sysfs would be two boards. Asked last of all: libudev asks sysfs once
 * for each attribute, and what was read before the answer is then about the event's device.
 */
static bool is_still_there(const struct board *board, struct udev_device *device)
{
        return parse_number(udev_device_get_sysattr_value(device, "devnum")) == board->devnum;
}

/* As the event says it; sysfs where it does not. */
static unsigned event_devnum(struct udev_device *device)
{
        const char *devnum = udev_device_get_property_value(device, "DEVNUM");

        return (unsigned)parse_number(devnum ? devnum : udev_device_get_sysattr_value(device, "devnum"));
}

int board_from_udev(struct udev_device *device, struct board **ret)
{
        _cleanup_(board_freep) struct board *board = calloc(1, sizeof(*board));
        _cleanup_(freep) uint8_t *bytes = NULL;
        size_t len;
        int r;

        if (!board)
                return -ENOMEM;
        board->devnum = event_devnum(device);
        board->initialized_usec = parse_number(udev_device_get_property_value(device, "USEC_INITIALIZED"));
        r = read_names(board, device);
        if (r == 0)
                r = read_descriptors(udev_device_get_syspath(device), &bytes, &len);
        if (r == 0)
                r = identify(board, bytes, len);
        if (r == 0)
                r = read_strings(board, device);
        if (r != 0)
                return r;
        identify_chip(board, bytes, len);
        if (!is_still_there(board, device))
                return -ENODEV;
        *ret = take_ptr(board);
        return 0;
}

struct board_facts board_facts(const struct board *board, const char *slot)
{
        return (struct board_facts){
                .port = board->port,
                .path = board->path,
                .slot = slot,
                .serial = board->serial,
                .manufacturer = board->manufacturer,
                .product = board->product,
                .vid = board->ids.vid,
                .pid = board->ids.pid,
                .bcd_device = board->ids.bcd_device,
                .is_rom = board->is_rom,
                .has_dfu = board->has_dfu,
                .dfu_mode = board->dfu.dfu_mode,
        };
}

bool board_may_be(const struct board *a, const struct board *b)
{
        return a->ids.vid == b->ids.vid && a->ids.pid == b->ids.pid &&
               (!a->mac || !b->mac || streq(a->mac, b->mac));
}

const char *board_id(const struct board *board, char buf[static BOARD_ID_SIZE])
{
        snprintf(buf, BOARD_ID_SIZE, "%04x:%04x%s%s", board->ids.vid, board->ids.pid, board->mac ? " " : "",
                 board->mac ? board->mac : "");
        return buf;
}

const char *board_describe(const struct board *board, char *buf, size_t size)
{
        const char *mode = board->contradicts    ? "with descriptors that contradict themselves"
                           : board->dfu.dfu_mode ? "in DFU mode"
                                                 : "in run-time mode";
        char ids[sizeof("303a:0002")];

        snprintf(ids, sizeof(ids), "%04x:%04x", board->ids.vid, board->ids.pid);
        snprintf(buf, size, "%s%s%s %s%s", board->chip ? board->chip->product : ids, board->mac ? " " : "",
                 board->mac ? board->mac : "", mode,
                 board->is_rom || board->contradicts ? "" : ", not the mask ROM");
        return buf;
}
