/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's virtual host controllers (vhci_hcd): their full-speed ports, counted through all
 * controllers.
 */
#pragma once

#include "core/util.h"

#define VHCI_PORTS_MAX 120 /* Debian's kernel: 8 controllers of 15 full-speed ports */
#define VHCI_PATH_MAX  32

/*
 * Plugs a full-speed device into a port. *ret is the socket on which it gets its USB/IP requests (the
 * caller's); closing it pulls the plug. -EBUSY: the kernel has not done with the device before it, try
 * again in a moment.
 */
int vhci_attach(unsigned port, int *ret);

/* The port path that devices on this port have, "3-1". -ENODEV where there is no such port. */
int vhci_path(unsigned port, char ret[static VHCI_PATH_MAX]);
