/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cursor on disk: which ledger, and up to which number its records are delivered. Written new, synced, then put in place. */
#pragma once

#include "fleet/delivered.h"

/* 0; 1: there is none yet; negative: it cannot be read (-EPROTO: it is something else). Said in a line, but for 1. */
int cursor_file_read(const char *path, struct delivered *ret);
/* 0, or what the system says. */
int cursor_file_write(const char *path, const struct delivered *cursor);
