/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/activation.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/closer.h"
#include "daemon/log.h"

#define ROOM_WAIT   5000 /* ms: much longer than what can be disturbed takes */
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

/* What they have left unread may hang when it is closed; no board waits yet. */
static bool wait_for_room(void)
{
        struct pollfd room = { .fd = closer_event(), .events = POLLIN };
        uint64_t n;

        while (closer_is_full(CLOSER_FULL))
                if (poll(&room, 1, ROOM_WAIT) <= 0 || read(room.fd, &n, sizeof(n)) < 0)
                        return false;
        return true;
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
                closer_close(client);
                if (!wait_for_room())
                        return;
        }
}
