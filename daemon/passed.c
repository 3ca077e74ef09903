/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/passed.h"

#include <sys/socket.h>
#include <unistd.h>

/* Room for the one that is taken. CMSG_SPACE() rounds up, so that the kernel may put in another one; the rest it closes. */
union control {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
};

static void close_fd(struct passed *passed)
{
        if (passed->fd >= 0)
                close(passed->fd);
        passed->fd = -EBADF;
}

/* The first of those that came, or -EBADF; the others are closed. Returns how many there were. */
static size_t collect(struct msghdr *message, int *ret)
{
        size_t found = 0;

        *ret = -EBADF;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                size_t n = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS
                                   ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int)
                                   : 0;

                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                        if (found++ == 0)
                                *ret = fd;
                        else
                                close(fd);
                }
        }
        return found;
}

/* fd came with the bytes up to the last of message call; whole: it is no other's than fd. */
static void keep(struct passed *passed, int fd, bool whole, uint64_t call)
{
        bool another_waits = passed->waits && passed->call != call;

        if (another_waits || !whole || (passed->waits && passed->call == call)) {
                if (fd >= 0)
                        close(fd);
                if (another_waits)
                        return;
                close_fd(passed);
                passed->spoiled = true;
        } else {
                passed->fd = fd;
        }
        passed->waits = true;
        passed->call = call;
}

ssize_t passed_receive(struct passed *passed, int socket, void *data, size_t size)
{
        struct iovec bytes = { data, size };
        union control control;
        struct msghdr message = { .msg_iov = &bytes,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        bool truncated;
        size_t found;
        int fd;

        if (n < 0)
                return -errno;
        for (ssize_t i = 0; i < n; i++)
                passed->n += ((const char *)data)[i] == '\0';
        found = collect(&message, &fd);
        truncated = message.msg_flags & MSG_CTRUNC;
        if (n > 0 && (found > 0 || truncated))
                keep(passed, fd, found == 1 && !truncated,
                     passed->n - (((const char *)data)[n - 1] == '\0' ? 1 : 0));
        else if (fd >= 0)
                close(fd);
        return n;
}

void passed_next(struct passed *passed)
{
        passed->taken++;
}

static bool is_about_this(const struct passed *passed)
{
        return passed->waits && passed->taken == passed->call + 1;
}

int passed_take(struct passed *passed)
{
        if (!is_about_this(passed))
                return -EBADF;
        return passed->spoiled ? -EINVAL : take_fd(&passed->fd);
}

void passed_drop(struct passed *passed)
{
        if (passed->waits && passed->taken > passed->call) {
                close_fd(passed);
                passed->waits = passed->spoiled = false;
        }
}

void passed_done(struct passed *passed)
{
        close_fd(passed);
}
