/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file-write.h"

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

/* mkostemp() gives 0600; a new file gets what the umask leaves, one that is replaced keeps its mode. */
static mode_t mode_of_new_file(void)
{
        mode_t mask = umask(0);

        umask(mask);
        return 0666 & ~mask;
}

/* Where path really is: itself if it is not there yet. */
static int resolve(const char *path, char **ret, mode_t *ret_mode)
{
        struct stat st;

        if (stat(path, &st) < 0) {
                if (errno != ENOENT)
                        return -errno;
                *ret_mode = mode_of_new_file();
                *ret = strdup(path);
                return *ret ? 0 : -ENOMEM;
        }
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        *ret_mode = st.st_mode & 07777;
        *ret = realpath(path, NULL);
        return *ret ? 0 : -errno;
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
