/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/station-name.h"

#include <unistd.h>

const char *station_name(const struct config *config, char host[static STATION_NAME_SIZE])
{
        if (config->station_name)
                return config->station_name;
        memset(host, 0, STATION_NAME_SIZE);
        if (gethostname(host, STATION_NAME_SIZE - 1) < 0)
                host[0] = '\0';
        return host;
}
