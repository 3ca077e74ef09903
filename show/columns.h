/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How wide a text is on a screen, and a text cut to a width. */
#pragma once

#include <stdio.h>

#include "core/util.h"

/* Columns of the screen that text takes, in the locale; a byte that is no character there counts as libsmartcols would show
 * it, "\xNN". NULL has none. */
size_t columns_of(const char *text);

/* Writes as much of text as there is room for, filled up with blanks to exactly width columns. text has been escaped
 * (text_escape()); where utf8 is false, each character that is not ASCII becomes a "?". */
void columns_put(FILE *f, const char *text, size_t width, bool utf8);
/* Writes lines that have been escaped one by one, each cut to width columns, and not filled up; width 0: as they are. */
void columns_put_lines(FILE *f, const char *text, size_t width, bool utf8);
