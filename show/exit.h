/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How espdfuctl ends; in espdfuctl(1) too. */
#pragma once

enum {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_NO_DAEMON = 3,
        EXIT_NOT_PERMITTED = 4,
};
