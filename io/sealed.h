/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes in memory that nobody can change any more, on a descriptor that another program gets: to be read, not to be run, where
 * the kernel makes that difference. */
#pragma once

#include "core/util.h"

/* Returns a sealed memfd, to be closed, or a negative errno. */
int sealed_memfd(const char *name, const uint8_t *data, size_t len);
