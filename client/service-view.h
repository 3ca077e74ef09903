/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether espdfud, as its unit runs it, can read a file: who asks is somebody else, and sees more. */
#pragma once

#include <sys/types.h>

#include "core/util.h"

/* Why the service cannot, one line to be freed that says what to do; NULL: it can, as far as can be told. */
char *service_view_fault(const char *path);

/* The same by mode bits alone, of the file and of every directory above it, for a user with one group. */
char *service_view_mode_fault(const char *path, const char *user, uid_t uid, gid_t gid);
