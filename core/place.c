/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/place.h"

bool is_port_below(const char *port, const char *hub)
{
        return str_has_prefix(port, hub) && port[strlen(hub)] == '.';
}

bool is_path_below(const char *path, const char *hub)
{
        if (strstr(hub, PLACE_USB_MARK))
                return is_port_below(path, hub);
        return str_has_prefix(path, hub) && str_has_prefix(path + strlen(hub), PLACE_USB_MARK);
}

static unsigned chain_depth(const char *chain)
{
        unsigned depth = 1;

        for (; *chain; chain++)
                depth += *chain == '.';
        return depth;
}

unsigned port_depth(const char *port)
{
        const char *chain = strchr(port, '-');

        return chain ? chain_depth(chain + 1) : 0;
}

unsigned path_depth(const char *path)
{
        const char *chain = strstr(path, PLACE_USB_MARK);

        return chain ? chain_depth(chain + strlen(PLACE_USB_MARK)) : 0;
}
