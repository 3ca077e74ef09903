/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/connection.h"

#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/poll.h"

#define CHILD_ENDS_MSEC 2000

struct connection {
        int fd;
        int reader_fd; /* borrowed; -EBADF: none */
        pid_t child;   /* that leads elsewhere; 0: none */
        struct varlink_input in;
};

int connection_open(const char *path, uint64_t timeout_usec, struct connection **ret)
{
        const struct timeval limit = { .tv_sec = (time_t)(timeout_usec / USEC_PER_SEC) };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_(connection_closep) struct connection *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->in.limit = VARLINK_REPLY_MAX;
        c->reader_fd = -EBADF;
        if (strlen(path) >= sizeof(address.sun_path)) {
                c->fd = -EBADF;
                return -ENAMETOOLONG;
        }
        memcpy(address.sun_path, path, strlen(path) + 1);
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0)
                return -errno;
        /* Also the limit for connect(), while the daemon's backlog is full. */
        if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return -errno;
        if (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        *ret = take_ptr(c);
        return 0;
}

int connection_of_child(int fd, pid_t child, struct connection **ret)
{
        struct connection *c = calloc(1, sizeof(*c));

        if (!c) {
                close(fd);
                return -ENOMEM;
        }
        *c = (struct connection){ .fd = fd, .reader_fd = -EBADF, .child = child };
        c->in.limit = VARLINK_REPLY_MAX;
        *ret = c;
        return 0;
}

bool connection_is_remote(const struct connection *c)
{
        return c->child > 0;
}

int connection_child_status(struct connection *c)
{
        int status = 0, pidfd = pidfd_open(c->child, 0);

        if (pidfd >= 0) {
                if (poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, CHILD_ENDS_MSEC) == 0)
                        kill(c->child, SIGKILL);
                close(pidfd);
        }
        while (waitpid(c->child, &status, 0) < 0 && errno == EINTR)
                ;
        c->child = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int connection_fd(const struct connection *c)
{
        return c->fd;
}

bool connection_is_within(const struct connection *c)
{
        return c->in.end > c->in.begin;
}

struct connection *connection_close(struct connection *c)
{
        varlink_input_done(&c->in);
        if (c->fd >= 0)
                close(c->fd);
        if (c->child > 0) {
                kill(c->child, SIGTERM);
                connection_child_status(c);
        }
        free(c);
        return NULL;
}

int connection_send(struct connection *c, const char *method, json_t *parameters, bool more)
{
        return connection_send_with(c, method, parameters, more, -EBADF);
}

/* fd goes with the first byte; -EBADF: none does. As send(2). */
static ssize_t send_some(int socket, const char *text, size_t size, int fd)
{
        struct iovec bytes = { (char *)(uintptr_t)text, size };
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control = { 0 };
        struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

        if (fd >= 0) {
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof(control.bytes);
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
        }
        return sendmsg(socket, &message, MSG_NOSIGNAL);
}

/* What it said before it hung up, which connection_receive() has then. */
static bool has_last_word(const struct connection *c)
{
        char byte;

        return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

int connection_send_with(struct connection *c, const char *method, json_t *parameters, bool more, int fd)
{
        _cleanup_(freep) char *text = NULL;
        size_t size, sent = 0;
        int r;

        r = varlink_call_encode(method, parameters, more, &text, &size);
        if (r < 0)
                return r;
        while (sent < size) {
                ssize_t n = send_some(c->fd, text + sent, size - sent, sent == 0 ? fd : -EBADF);

                if (n < 0 && errno == EAGAIN)
                        return CONNECTION_TIMED_OUT;
                if (n < 0 && errno == EPIPE)
                        return has_last_word(c) ? 0 : CONNECTION_CLOSED;
                if (n < 0 && errno != EINTR)
                        return -errno;
                sent += n > 0 ? (size_t)n : 0;
        }
        return 0;
}

/* More bytes into c->in. */
static int wait_for_bytes(struct connection *c, uint64_t deadline, const sigset_t *mask)
{
        struct pollfd pfds[] = { { .fd = c->fd, .events = POLLIN }, { .fd = c->reader_fd } };
        char data[32768];
        ssize_t n;
        int r;

        r = poll_until(pfds, ARRAY_SIZE(pfds), deadline, mask);
        if (r < 0)
                return r == -EINTR ? CONNECTION_INTERRUPTED : r;
        if (r == 0)
                return CONNECTION_TIMED_OUT;
        if (pfds[1].revents & (POLLERR | POLLHUP))
                return CONNECTION_READER_LEFT;
        n = recv(c->fd, data, sizeof(data), 0);
        if (n < 0)
                return errno == EINTR        ? CONNECTION_INTERRUPTED
                       : errno == ECONNRESET ? CONNECTION_CLOSED
                                             : -errno;
        if (n == 0)
                return CONNECTION_CLOSED;
        return varlink_input_feed(&c->in, data, (size_t)n);
}

int connection_receive(struct connection *c, uint64_t timeout_usec, const sigset_t *mask,
                       struct varlink_reply *ret)
{
        uint64_t deadline = timeout_usec == USEC_INFINITY ? USEC_INFINITY : monotonic_usec() + timeout_usec;
        const char *text;
        size_t size;
        int r;

        while ((r = varlink_input_next(&c->in, &text, &size)) == VARLINK_INCOMPLETE) {
                r = wait_for_bytes(c, deadline, mask);
                if (r != 0)
                        return r;
        }
        if (r == 0)
                r = varlink_reply_parse(text, size, ret);
        return r > 0 ? CONNECTION_NONSENSE : r;
}

void connection_read_ahead(struct connection *c, size_t max)
{
        char data[32768];
        ssize_t n;

        while (c->in.end - c->in.begin < max && (n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
                if (varlink_input_feed(&c->in, data, (size_t)n) < 0)
                        return; /* a part of it is lost: what comes is none of ours, and the next that reads says so */
}

void connection_watch_reader(struct connection *c, int fd)
{
        c->reader_fd = fd;
}

bool connection_has_reply(struct connection *c)
{
        return varlink_input_pending(&c->in);
}
