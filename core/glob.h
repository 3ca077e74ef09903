/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Globs in policies: * any text, ? one character, [a-c] [!a-c] one of a set, \ takes the next character as it is.
 * As fnmatch(3) without flags, so * also crosses dots, colons and slashes.
 */
#pragma once

#include "core/util.h"

/* NULL if glob can match something, else what is wrong with it (static): fnmatch() itself takes anything and would
 * match a bad glob as plain text, or never. */
const char *glob_fault(const char *glob);

/* Whether glob has a character that makes it more than a plain name. */
bool glob_is_glob(const char *text);

bool glob_matches(const char *glob, const char *text);
/* The same without regard to upper and lower case: serial numbers that are MACs. */
bool glob_matches_any_case(const char *glob, const char *text);
