/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole files, written all or nothing. */
#pragma once

#include <sys/types.h>

#include "core/util.h"

/* A file that is written piece by piece, to fd, and is at its path when all of it is there. */
struct new_file {
        int fd;
        int dir;                /* where it will be; O_PATH */
        char *name, *temporary; /* there */
        mode_t mode;
};
#define NEW_FILE_NONE ((struct new_file){ .fd = -EBADF, .dir = -EBADF })

/* Results as file_write(). */
int new_file_open(const char *path, struct new_file *ret);
/* On disk, in place of what was there. */
int new_file_commit(struct new_file *file);
/* Closes it; one that was not committed leaves nothing behind. */
void new_file_done(struct new_file *file);

/*
 * Writes a file so that path holds either what it held before or all of data, on disk. It belongs to who writes it: it keeps
 * the rwx of a file of theirs, and no more than those; in place of another's it has those of a new file. Symbolic links
 * of theirs or root's are followed, of files and of the directories on the way; another's is not, for who made it would choose
 * what is replaced. What has been looked at on the way is where it is written, whatever others put in its place meanwhile.
 * Returns 0, -EINVAL (path is there and no regular file), -EISDIR, -ELOOP (a symbolic link of another's, or too many), or what
 * the system says; nothing is left behind.
 */
int file_write(const char *path, const void *data, size_t len);

/* Why it failed, in words. */
const char *file_write_error_text(int r);
