/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"

static void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static int open_regular_at(int dir, const char *path, int *ret, struct stat *ret_st)
{
        _cleanup_(closep) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        *ret_st = st;
        *ret = take_fd(&fd);
        return 0;
}

static int open_regular(const char *path, int *ret, struct stat *ret_st)
{
        return open_regular_at(AT_FDCWD, path, ret, ret_st);
}

int file_read_up_to(int fd, uint8_t *data, size_t size, size_t *ret_len)
{
        size_t len = 0;

        while (len < size) {
                ssize_t n = read(fd, data + len, size - len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                len += (size_t)n;
        }
        *ret_len = len;
        return 0;
}

/* From an open file of size bytes; one that grows meanwhile is read up to the size that it had when it was opened. */
static int read_whole(int fd, size_t size, size_t max_bytes, uint8_t **ret, size_t *ret_len)
{
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len = 0;
        int r;

        if (size > max_bytes)
                return -EFBIG;
        data = malloc(size + 1);
        if (!data)
                return -ENOMEM;
        r = file_read_up_to(fd, data, size, &len);
        if (r < 0)
                return r;
        data[len] = '\0';
        *ret = take_ptr(data);
        *ret_len = len;
        return 0;
}

int file_read(const char *path, size_t max_bytes, uint8_t **ret, size_t *ret_len)
{
        _cleanup_(closep) int fd = -EBADF;
        struct stat st = { 0 };
        int r = open_regular(path, &fd, &st);

        return r != 0 ? r : read_whole(fd, (size_t)st.st_size, max_bytes, ret, ret_len);
}

bool file_is_trusted(const struct stat *st, uid_t owner)
{
        return (st->st_uid == 0 || st->st_uid == owner) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

int file_read_trusted(const char *path, size_t max_bytes, uid_t owner, uint8_t **ret, size_t *ret_len,
                      struct stat *ret_st)
{
        return file_read_trusted_at(AT_FDCWD, path, max_bytes, owner, ret, ret_len, ret_st);
}

int file_read_trusted_at(int dir, const char *name, size_t max_bytes, uid_t owner, uint8_t **ret,
                         size_t *ret_len, struct stat *ret_st)
{
        _cleanup_(closep) int fd = -EBADF;
        int r = open_regular_at(dir, name, &fd, ret_st);

        if (r < 0)
                return r;
        return file_is_trusted(ret_st, owner)
                       ? read_whole(fd, (size_t)ret_st->st_size, max_bytes, ret, ret_len)
                       : -EPERM;
}

int file_read_attribute(const char *path, size_t max_bytes, uint8_t **ret, size_t *ret_len)
{
        _cleanup_(closep) int fd = -EBADF;
        _cleanup_(freep) uint8_t *data = NULL;
        struct stat told;
        size_t len = 0;
        int r = open_regular(path, &fd, &told);

        if (r < 0)
                return r;
        data = malloc(max_bytes + 1);
        if (!data)
                return -ENOMEM;
        r = file_read_up_to(fd, data, max_bytes + 1, &len);
        if (r < 0)
                return r;
        if (len > max_bytes)
                return -EFBIG;
        data[len] = '\0';
        *ret = take_ptr(data);
        *ret_len = len;
        return 0;
}
