/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the station is called: as its configuration says, else as its host. */
#pragma once

#include "core/config.h"

#define STATION_NAME_SIZE 65 /* bytes of a host name, with its NUL */

/* Borrowed from config, or host, which is filled then. Never NULL; "" where the host has no name. */
const char *station_name(const struct config *config, char host[static STATION_NAME_SIZE]);
