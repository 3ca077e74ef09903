/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel's log tells of USB ports that have trouble. Pure: lines in, in their order, and a list of what is still
 * true after the last one: a port whose device was found in the end has no trouble with its cable any more.
 * Source: drivers/usb/core/hub.c and drivers/usb/host/xhci*.c of Linux 4.9 to 6.12.
 */
#pragma once

#include "core/words.h"

#define KERNEL_TROUBLES_MAX     128
#define KERNEL_TROUBLE_TEXT_MAX 200 /* bytes of the line that is shown, with its NUL */

enum kernel_trouble_kind {
        KERNEL_CABLE,        /* a device that cannot be enumerated */
        KERNEL_LOW_SPEED,    /* the same, and it showed itself as a low-speed device: D+ and D- are swapped */
        KERNEL_CONTROLLER,   /* the host controller has no room for one more */
        KERNEL_OVER_CURRENT, /* the port was switched off */
        KERNEL_POWER,        /* the hub has not the power that the device asks for */
        KERNEL_TROUBLE_KIND_MAX_,
};
DECLARE_WORDS(kernel_trouble_kind)

struct kernel_trouble {
        enum kernel_trouble_kind kind;
        char place
                [32]; /* a port path, "1-4.1"; of KERNEL_CONTROLLER the controller as the kernel calls it, "0000:00:14.0" */
        char text[KERNEL_TROUBLE_TEXT_MAX]; /* the last line about it, printable */
        unsigned count;                     /* lines */
};

/* All zero: nothing was read. */
struct kernel_log {
        struct kernel_trouble troubles[KERNEL_TROUBLES_MAX];
        size_t n_troubles;
        char low_speed[32]; /* the port that last said so; "" none */
};

/* line: one message, with or without what dmesg or a journal puts before it. */
void kernel_log_feed(struct kernel_log *log, const char *line);
