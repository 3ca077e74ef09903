/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl stdio-bridge: stdin and stdout are the daemon's socket, for who reaches this machine by ssh alone. */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client.h"

/* One direction. What waits in data keeps more from being read, so that a slow reader slows the writer. */
struct lane {
        int from, to;
        bool from_ended;
        char data[32768];
        size_t begin, end;
};

static bool lane_waits(const struct lane *lane)
{
        return lane->end > lane->begin;
}

/* 0, 1 when the other end wants no more, or a negative errno. */
static int lane_write(struct lane *lane)
{
        ssize_t n = write(lane->to, lane->data + lane->begin, lane->end - lane->begin);

        if (n < 0)
                return errno == EINTR || errno == EAGAIN       ? 0
                       : errno == EPIPE || errno == ECONNRESET ? 1
                                                               : -errno;
        lane->begin += (size_t)n;
        return 0;
}

static int lane_read(struct lane *lane)
{
        ssize_t n = read(lane->from, lane->data, sizeof(lane->data));

        if (n < 0 && errno != ECONNRESET)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        lane->begin = 0;
        lane->end = n > 0 ? (size_t)n : 0;
        lane->from_ended = n <= 0;
        return 0;
}

/* What this lane can do now: the one descriptor that it waits for. */
static struct pollfd lane_poll(const struct lane *lane)
{
        if (lane_waits(lane))
                return (struct pollfd){ .fd = lane->to, .events = POLLOUT };
        return (struct pollfd){ .fd = lane->from_ended ? -EBADF : lane->from, .events = POLLIN };
}

static int lane_go_on(struct lane *lane, const struct pollfd *pfd)
{
        if (!pfd->revents)
                return 0;
        return lane_waits(lane) ? lane_write(lane) : lane_read(lane);
}

/* Ends when the daemon has hung up and all is written; who closes stdin still gets the answers to what was asked. */
static int join(int fd)
{
        static struct lane there, back;
        bool closed = false;
        int r = 0;

        there = (struct lane){ .from = STDIN_FILENO, .to = fd };
        back = (struct lane){ .from = fd, .to = STDOUT_FILENO };
        while (r == 0 && (lane_waits(&back) || !back.from_ended)) {
                struct pollfd pfds[] = { lane_poll(&there), lane_poll(&back), { .fd = STDOUT_FILENO } };

                if (poll(pfds, ARRAY_SIZE(pfds), -1) < 0)
                        return errno == EINTR ? 0 : -errno;
                if (pfds[2].revents & (POLLERR | POLLHUP)) /* nobody reads the answers */
                        return 0;
                r = lane_go_on(&there, &pfds[0]);
                if (r == 0)
                        r = lane_go_on(&back, &pfds[1]);
                if (there.from_ended && !lane_waits(&there) && !closed) {
                        shutdown(fd, SHUT_WR);
                        closed = true;
                }
        }
        return MIN(r, 0);
}

int verb_bridge(int argc, char **argv)
{
        _cleanup_(connection_closep) struct connection *c = NULL;
        int r = client_options(argc, argv, NULL, 0, 0);

        if (r != CLIENT_GO_ON)
                return r;
        r = client_open(&c);
        if (r != EXIT_DONE)
                return r;
        signal(SIGPIPE, SIG_IGN);
        r = join(connection_fd(c));
        if (r < 0)
                client_error("stdio-bridge: %s", strerror(-r));
        return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
