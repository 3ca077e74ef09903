/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file-write.h"

#define LINKS_MAX     40 /* as the kernel's */
#define LINK_FOLLOWED 1

static void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
        while (len > 0) {
                ssize_t n = write(fd, data, len);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        data += n;
                        len -= (size_t)n;
                }
        }
        return 0;
}

/* mkostemp() gives 0600; a new file gets what the umask leaves. */
static mode_t mode_of_new_file(void)
{
        mode_t mask = umask(0);

        umask(mask);
        return 0666 & ~mask;
}

/* A file of ours that is replaced keeps its mode. What somebody else allowed for a file of his is not for ours; and it never
 * runs with the rights of whom it belongs to. */
static mode_t mode_in_place_of(const struct stat *st)
{
        return st->st_uid == geteuid() ? st->st_mode & 0777 : mode_of_new_file();
}

/* Where the link that fd is (O_PATH) leads, to *path (its own path before, replaced). */
static int follow(int fd, const struct stat *st, char **path)
{
        char target[PATH_MAX], *next;
        const char *slash = strrchr(*path, '/');
        ssize_t n;

        /* Whoever made it must not choose what root replaces. */
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return -ELOOP;
        n = readlinkat(fd, "", target, sizeof(target));
        if (n < 0 || (size_t)n == sizeof(target))
                return n < 0 ? -errno : -ENAMETOOLONG;
        if (asprintf(&next, "%.*s%.*s", target[0] == '/' || !slash ? 0 : (int)(slash + 1 - *path), *path,
                     (int)n, target) < 0)
                return -ENOMEM;
        free(*path);
        *path = next;
        return 0;
}

/* Follows *path one link, or finds the file there. Returns 0, LINK_FOLLOWED or what is wrong. */
static int step(char **path, mode_t *ret_mode)
{
        _cleanup_(closep) int fd = open(*path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISLNK(st.st_mode)) {
                r = follow(fd, &st, path);
                return r < 0 ? r : LINK_FOLLOWED;
        }
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        *ret_mode = mode_in_place_of(&st);
        return 0;
}

/* Where path really is: itself if it is not there yet. */
static int resolve(const char *path, char **ret, mode_t *ret_mode)
{
        _cleanup_(freep) char *at = strdup(path);
        struct stat st;
        int r = LINK_FOLLOWED;

        if (!at)
                return -ENOMEM;
        if (stat(path, &st) < 0) {
                if (errno != ENOENT)
                        return -errno;
                *ret_mode = mode_of_new_file();
                *ret = take_ptr(at);
                return 0;
        }
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        for (unsigned links = 0; r == LINK_FOLLOWED; links++)
                r = links > LINKS_MAX ? -ELOOP : step(&at, ret_mode);
        if (r == 0)
                *ret = take_ptr(at);
        return r;
}

static int sync_directory(const char *path)
{
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a file that is open has a name */
        _cleanup_(freep) char *copy = strdup(path);
        _cleanup_(closep) int fd = -EBADF;

        if (!copy)
                return -ENOMEM;
        fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

void new_file_done(struct new_file *file)
{
        if (file->fd >= 0)
                close(file->fd);
        if (file->temporary)
                unlink(file->temporary);
        free(file->temporary);
        free(file->target);
        *file = NEW_FILE_NONE;
}

int new_file_open(const char *path, struct new_file *ret)
{
        _cleanup_(new_file_done) struct new_file file = NEW_FILE_NONE;
        char *name;
        int r = resolve(path, &file.target, &file.mode);

        if (r < 0)
                return r;
        if (asprintf(&name, "%s.XXXXXX", file.target) < 0)
                return -ENOMEM;
        file.fd = mkostemp(name, O_CLOEXEC);
        if (file.fd < 0) {
                r = -errno;
                free(name);
                return r;
        }
        file.temporary = name;
        *ret = file;
        file = NEW_FILE_NONE;
        return 0;
}

int new_file_commit(struct new_file *file)
{
        if (fchmod(file->fd, file->mode) < 0 || fsync(file->fd) < 0 ||
            rename(file->temporary, file->target) < 0)
                return -errno;
        free(take_ptr(file->temporary));
        return sync_directory(file->target);
}

int file_write(const char *path, const void *data, size_t len)
{
        _cleanup_(new_file_done) struct new_file file = NEW_FILE_NONE;
        int r = new_file_open(path, &file);

        if (r == 0)
                r = write_all(file.fd, data, len);
        return r == 0 ? new_file_commit(&file) : r;
}

const char *file_write_error_text(int r)
{
        if (r == -ELOOP)
                return "a symbolic link of another user's, or links in a circle: expected a regular file, or "
                       "a link of yours or root's";
        return strerror(-r);
}
