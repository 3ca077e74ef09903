/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/activation.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/log.h"

#define WAITING_MAX 4096 /* more than a backlog holds: whoever connects without end does not keep us */

int activation_socket(void)
{
        int n = sd_listen_fds(true);

        if (n < 0) {
                log_error("sockets passed by systemd: %s", strerror(-n));
                return -EINVAL;
        }
        if (n > 1) {
                log_error("systemd passed %d sockets: expected one, as espdfud.socket has it", n);
                return -EINVAL;
        }
        return n == 1 ? SD_LISTEN_FDS_START : -1;
}

char *activation_path(int fd)
{
        struct sockaddr_un address = { 0 };
        socklen_t size = sizeof(address);
        size_t length;

        if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 || address.sun_family != AF_UNIX ||
            size <= offsetof(struct sockaddr_un, sun_path))
                return NULL;
        length = MIN((size_t)size, sizeof(address)) - offsetof(struct sockaddr_un, sun_path);
        /* An abstract name begins with a NUL, and has no directory. */
        return address.sun_path[0] ? strndup(address.sun_path, length) : NULL;
}

void activation_turn_away(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return;
        for (unsigned i = 0; i < WAITING_MAX; i++) {
                int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

                if (client < 0)
                        return;
                close(client);
        }
}
