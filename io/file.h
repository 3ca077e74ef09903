/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that people name, read whole and with a bound. */
#pragma once

#include <sys/stat.h>

#include "core/util.h"

/*
 * Reads the regular file at path, at most max_bytes long. *ret is to be freed and has a NUL behind its last byte.
 * Never waits for a FIFO or a device: 0, -EFBIG when it is longer, -EISDIR or -EINVAL when it is no regular file, or
 * what open(2) and read(2) say.
 */
int file_read(const char *path, size_t max_bytes, uint8_t **ret, size_t *ret_len);

/*
 * As file_read(), for what the kernel makes up as it is read (sysfs, /proc): the size that fstat(2) tells of such a file
 * is not its length. sysfs says 65553 of each USB device's "descriptors", and 4096 of nearly all else.
 */
int file_read_attribute(const char *path, size_t max_bytes, uint8_t **ret, size_t *ret_len);

/* From an open descriptor: to its end, or up to size. Returns 0 with *ret_len, or what read(2) says. */
int file_read_up_to(int fd, uint8_t *data, size_t size, size_t *ret_len);

/*
 * As file_read(), of a file that only owner or root can have written. Returns too -EPERM: it is somebody else's, or
 * others may write it, and *ret_st says what it is.
 */
int file_read_trusted(const char *path, size_t max_bytes, uid_t owner, uint8_t **ret, size_t *ret_len,
                      struct stat *ret_st);
/* The same of the file of this name in an open directory. */
int file_read_trusted_at(int dir, const char *name, size_t max_bytes, uid_t owner, uint8_t **ret,
                         size_t *ret_len, struct stat *ret_st);
/* Whether a file or directory is owner's or root's, and nobody else may write it. */
bool file_is_trusted(const struct stat *st, uid_t owner);
