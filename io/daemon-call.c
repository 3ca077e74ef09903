/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/daemon-call.h"

#include <stdio.h>

#include "core/messages.h"

int daemon_refused(const struct varlink_reply *reply)
{
        return streq(reply->error, STATION_INTERFACE ".Busy") ? -EUSERS : -EPROTO;
}

void daemon_trouble(const char *socket, int r, char *why, size_t size)
{
        switch (r) {
        case CONNECTION_TIMED_OUT:
        case -EAGAIN:
                snprintf(why, size, "espdfud does not answer on %s (systemctl status espdfud)", socket);
                return;
        case CONNECTION_CLOSED:
        case -EPIPE:
        case -ECONNRESET:
                snprintf(why, size,
                         "espdfud has hung up: it restarts, was stopped, or could not start "
                         "(systemctl status espdfud)");
                return;
        case -EUSERS:
                snprintf(why, size, "espdfud takes no more connections: it has too many clients");
                return;
        case CONNECTION_NONSENSE:
        case -EPROTO:
                snprintf(why, size, "what answers on %s is not an espdfud that we understand", socket);
                return;
        case -ENOENT:
        case -ECONNREFUSED:
                snprintf(why, size, "no espdfud listens on %s: is it running? (systemctl status espdfud)",
                         socket);
                return;
        default:
                snprintf(why, size, "%s: %s", socket, r < 0 ? strerror(-r) : "interrupted");
        }
}
