/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why something is not done, for who asked: the second sign of a result (CONTRIBUTING.md, rule 2) with its words. */
#pragma once

#include "core/util.h"

/* 1 with *ret_why, one line that the caller owns; or -ENOMEM, and *ret_why is NULL. */
int refuse(char **ret_why, const char *fmt, ...) _printf_(2, 3);
