/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A physical port by its two names: udev's ID_PATH, which survives reboots, and the port path, which need not. */
#pragma once

#include "core/util.h"

#define PLACE_USB_MARK  "-usb-0:" /* in an ID_PATH, between the host controller and the ports */
#define PLACE_DEPTH_MAX 6         /* the kernel's MAX_TOPO_LEVEL: a root port and five hubs below it */

/* Whether two are one port: by ID_PATH or, where either does not know that, by port path. Any may be NULL. */
static inline bool is_same_place(const char *path_a, const char *port_a, const char *path_b,
                                 const char *port_b)
{
        if (path_a && path_b)
                return streq(path_a, path_b);
        return port_a && port_b && streq(port_a, port_b);
}

/* Whether port ("1-4.1.2") is below hub ("1-4"), at any depth. */
bool is_port_below(const char *port, const char *hub);
/* The same by ID_PATH; hub may also be the one of a host controller ("pci-0000:00:14.0"), whose ports are all below it. */
bool is_path_below(const char *path, const char *hub);
/* How many ports lie between the host controller and here: 2 for "1-4.1" and "pci-0000:00:14.0-usb-0:4.1", 0 for a host
 * controller. */
unsigned port_depth(const char *port);
unsigned path_depth(const char *path);
