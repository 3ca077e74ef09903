/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A physical port by its two names: udev's ID_PATH, which survives reboots, and the port path, which need not. */
#pragma once

#include "core/util.h"

/* Whether two are one port: by ID_PATH or, where either does not know that, by port path. Any may be NULL. */
static inline bool is_same_place(const char *path_a, const char *port_a, const char *path_b,
                                 const char *port_b)
{
        if (path_a && path_b)
                return streq(path_a, path_b);
        return port_a && port_b && streq(port_a, port_b);
}
