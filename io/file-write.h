/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole files, written all or nothing. */
#pragma once

#include "core/util.h"

/*
 * Writes a file so that path holds either what it held before or all of data, on disk. A symbolic link is followed.
 * Returns 0, -EINVAL (path is there and no regular file), -EISDIR, or what the system says; nothing is left behind.
 */
int file_write(const char *path, const void *data, size_t len);
