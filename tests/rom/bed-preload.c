/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into the programs of a bed, before umockdev's library (which calls libc past everybody), for three things that
 * that one leaves out:
 *  - udev's database in /run/udev is taken from the bed, so that boards which are found by enumeration have their tags
 *    and are initialized;
 *  - a monitor's socket is named by the process, too: umockdev names it by the descriptor's number alone, and the second
 *    program with that number would take the first one's events;
 *  - the bed is told which process opened a device node, since umockdev does not notice the death of one in an ioctl.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT   __attribute__((visibility("default")))
#define PREFIX   "/run/udev/"
#define NODES    "/dev/bus/usb/"
#define PATH_LEN 512

/* The function that would have been called without us. */
#define NEXT(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

/* path, or where it is in the bed; buffer holds the answer. */
static const char *in_bed(const char *path, char buffer[static PATH_LEN])
{
        const char *root = getenv("UMOCKDEV_DIR");

        if (!root || !path || strncmp(path, PREFIX, strlen(PREFIX)) != 0)
                return path;
        snprintf(buffer, PATH_LEN, "%s/run-udev/%s", root, path + strlen(PREFIX));
        return buffer;
}

/* umockdev binds the socket to its own name, so it is renamed afterwards; the lock keeps others' binds away meanwhile. */
EXPORT int bind(int fd, const struct sockaddr *address, socklen_t len)
{
        const char *root = getenv("UMOCKDEV_DIR");
        char lock[PATH_LEN], theirs[PATH_LEN], ours[PATH_LEN];
        int lock_fd, r;

        if (!root || address->sa_family != AF_NETLINK)
                return NEXT(bind, fd, address, len);
        snprintf(lock, sizeof(lock), "%s/monitors.lock", root);
        snprintf(theirs, sizeof(theirs), "%s/event%d", root, fd);
        snprintf(ours, sizeof(ours), "%s/event%d.%d", root, getpid(), fd);
        lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (lock_fd < 0 || flock(lock_fd, LOCK_EX) < 0)
                abort();
        r = NEXT(bind, fd, address, len);
        rename(theirs, ours);
        close(lock_fd);
        return r;
}

/*
 * Opening a device node connects to the bed. Who did is written down meanwhile, under a lock, so that the bed reads it in
 * the order in which it is connected to. begin_open() returns the lock, or -1 where there is nothing to write down.
 */
static int begin_open(const char *path)
{
        const char *root = getenv("UMOCKDEV_DIR");
        char list[PATH_LEN];
        int list_fd;

        if (!root || !path || strncmp(path, NODES, strlen(NODES)) != 0)
                return -1;
        snprintf(list, sizeof(list), "%s/openers", root);
        list_fd = NEXT(open, list, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (list_fd < 0 || flock(list_fd, LOCK_EX) < 0)
                abort();
        return list_fd;
}

static int end_open(int list_fd, const char *path, int fd)
{
        char line[PATH_LEN];
        int saved = errno, n;

        if (list_fd < 0)
                return fd;
        n = snprintf(line, sizeof(line), "%d %s\n", getpid(), path);
        if (fd >= 0 && write(list_fd, line, (size_t)n) != n)
                abort();
        close(list_fd);
        errno = saved;
        return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
        return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(ap, mode_t) : 0;
}

#define WRAP_OPEN(name)                                                                                      \
        EXPORT int name(const char *path, int flags, ...)                                                    \
        {                                                                                                    \
                char buffer[PATH_LEN];                                                                       \
                int list_fd = begin_open(path);                                                              \
                mode_t mode;                                                                                 \
                va_list ap;                                                                                  \
                                                                                                             \
                va_start(ap, flags);                                                                         \
                mode = mode_of(flags, ap);                                                                   \
                va_end(ap);                                                                                  \
                return end_open(list_fd, path, NEXT(name, in_bed(path, buffer), flags, mode));               \
        }

#define WRAP_OPENAT(name)                                                                                    \
        EXPORT int name(int dirfd, const char *path, int flags, ...)                                         \
        {                                                                                                    \
                char buffer[PATH_LEN];                                                                       \
                int list_fd = begin_open(path);                                                              \
                mode_t mode;                                                                                 \
                va_list ap;                                                                                  \
                                                                                                             \
                va_start(ap, flags);                                                                         \
                mode = mode_of(flags, ap);                                                                   \
                va_end(ap);                                                                                  \
                return end_open(list_fd, path, NEXT(name, dirfd, in_bed(path, buffer), flags, mode));        \
        }

WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

EXPORT FILE *fopen(const char *path, const char *mode)
{
        char buffer[PATH_LEN];

        return NEXT(fopen, in_bed(path, buffer), mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
        char buffer[PATH_LEN];

        return NEXT(fopen64, in_bed(path, buffer), mode);
}

EXPORT DIR *opendir(const char *path)
{
        char buffer[PATH_LEN];

        return NEXT(opendir, in_bed(path, buffer));
}

EXPORT int access(const char *path, int mode)
{
        char buffer[PATH_LEN];

        return NEXT(access, in_bed(path, buffer), mode);
}
