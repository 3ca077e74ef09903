/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/passed.h"

#include <sys/socket.h>

#include "daemon/closer.h"

/* Room for one descriptor. CMSG_SPACE() rounds up, and the kernel puts in as many as CMSG_LEN() has room for. */
union control {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
};

static void close_fd(struct passed *passed)
{
        if (passed->fd >= 0)
                closer_close(passed->fd);
        passed->fd = -EBADF;
}

/*
 * As recvmsg() with MSG_PEEK: the bytes, at most up to the first that descriptors came with, which stay where they are.
 * control NULL: none is taken. *ret_more: there are more than were taken.
 */
static ssize_t peek(int socket, void *data, size_t size, union control *control, bool *ret_more)
{
        struct iovec bytes = { data, size };
        struct msghdr message = { .msg_iov = &bytes,
                                  .msg_iovlen = 1,
                                  .msg_control = control ? control->bytes : NULL,
                                  .msg_controllen = control ? CMSG_LEN(sizeof(int)) : 0 };
        ssize_t n = recvmsg(socket, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0)
                return -errno;
        if (control && message.msg_controllen < CMSG_LEN(sizeof(int)))
                control->header = (struct cmsghdr){ 0 };
        *ret_more = message.msg_flags & MSG_CTRUNC;
        return n;
}

/* The one descriptor that came with the first size bytes, by a number of our own: then the bytes can be taken, and it is not
 * closed with them. -EBADF: there are more, or none can be had now. */
static int copy_of(int socket, void *data, size_t size)
{
        union control control = { 0 };
        bool more = false;
        ssize_t n;
        int fd;

        if (closer_is_full(CLOSER_FULL)) /* what is taken would have to be closed, too */
                return -EBADF;
        n = peek(socket, data, size, &control, &more);
        if (n < 0 || control.header.cmsg_level != SOL_SOCKET || control.header.cmsg_type != SCM_RIGHTS ||
            control.header.cmsg_len != CMSG_LEN(sizeof(int)))
                return -EBADF;
        memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
        if (!more)
                return fd;
        closer_close(fd);
        return -EBADF;
}

/* fd (-EBADF: several) came with the bytes up to the last of message call. */
static void keep(struct passed *passed, int fd, uint64_t call)
{
        bool another_waits = passed->waits && passed->call != call;

        if (another_waits || fd < 0 || passed->waits) {
                if (fd >= 0)
                        closer_close(fd);
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

static uint64_t n_messages(const char *data, size_t size)
{
        uint64_t n = 0;

        for (size_t i = 0; i < size; i++)
                n += data[i] == '\0';
        return n;
}

ssize_t passed_receive(struct passed *passed, int socket, void *data, size_t size, bool *ret_stays)
{
        bool some = false;
        ssize_t n = peek(socket, data, size, NULL, &some);
        int fd = -EBADF;

        *ret_stays = false;
        if (n <= 0)
                return n;
        if (some) {
                if (passed)
                        fd = copy_of(socket, data, (size_t)n);
                *ret_stays = fd < 0;
        }
        /* Before anything is done with fd: as long as it is open what is dropped here is not closed for the last time. */
        if (!*ret_stays)
                n = recv(socket, data, (size_t)n, MSG_DONTWAIT);
        if (n <= 0) {
                int error = errno;

                if (fd >= 0)
                        closer_close(fd);
                return n < 0 ? -error : n;
        }
        if (passed) {
                const char *bytes = data;
                uint64_t n_whole = n_messages(bytes, (size_t)n);

                if (some)
                        keep(passed, fd, passed->n + n_whole - (bytes[n - 1] == '\0' ? 1 : 0));
                passed->n += n_whole;
        }
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
