/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Espressif devices on this machine's USB ports, by udev and sysfs. No device is opened, and no daemon is asked. */
#pragma once

#include "core/device.h"

#define DEVICES_MAX 1024 /* further ones are not looked at */

/* In the order of their ports; to be freed with devices_free(). 0 or a negative errno. */
int devices_look(struct device **ret, size_t *ret_n);
/* The one whose port path or ID_PATH is where, or NULL. Borrowed. */
const struct device *devices_find(const struct device *devices, size_t n, const char *where);
