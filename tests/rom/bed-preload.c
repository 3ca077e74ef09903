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

/* Writes down who opened a device node: the bed watches for the end of the process. Returns fd. */
static int opened(const char *path, int fd)
{
        const char *root = getenv("UMOCKDEV_DIR");
        char list[PATH_LEN], line[PATH_LEN];
        int list_fd, n, saved = errno;

        if (fd < 0 || !root || !path || strncmp(path, "/dev/bus/usb/", 13) != 0)
                return fd;
        snprintf(list, sizeof(list), "%s/openers", root);
        n = snprintf(line, sizeof(line), "%d %s\n", getpid(), path);
        list_fd = NEXT(open, list, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (list_fd < 0 || write(list_fd, line, (size_t)n) != n)
                abort();
        close(list_fd);
        errno = saved;
        return fd;
}

#define WRAP_OPEN(name)                                                                                      \
        EXPORT int name(const char *path, int flags, ...)                                                    \
        {                                                                                                    \
                char buffer[PATH_LEN];                                                                       \
                mode_t mode = 0;                                                                             \
                                                                                                             \
                if (flags & (O_CREAT | O_TMPFILE)) {                                                         \
                        va_list ap;                                                                          \
                                                                                                             \
                        va_start(ap, flags);                                                                 \
                        mode = va_arg(ap, mode_t);                                                           \
                        va_end(ap);                                                                          \
                }                                                                                            \
                return opened(path, NEXT(name, in_bed(path, buffer), flags, mode));                          \
        }

#define WRAP_OPENAT(name)                                                                                    \
        EXPORT int name(int dirfd, const char *path, int flags, ...)                                         \
        {                                                                                                    \
                char buffer[PATH_LEN];                                                                       \
                mode_t mode = 0;                                                                             \
                                                                                                             \
                if (flags & (O_CREAT | O_TMPFILE)) {                                                         \
                        va_list ap;                                                                          \
                                                                                                             \
                        va_start(ap, flags);                                                                 \
                        mode = va_arg(ap, mode_t);                                                           \
                        va_end(ap);                                                                          \
                }                                                                                            \
                return opened(path, NEXT(name, dirfd, in_bed(path, buffer), flags, mode));                   \
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
