/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the screen share: screen.c (what is shown, and how lines are divided), screen-slots.c (a line for each
 * slot). */
#pragma once

#include <stdio.h>

#include "client/screen.h"

#define SCREEN_NO_LIMIT 4096 /* columns, lines */

/* ---- colours; each has a word beside it ---- */

#define PLAIN  "\033[0m"
#define RED    "\033[1;37;41m"
#define GREEN  "\033[1;30;42m"
#define YELLOW "\033[1;30;43m"
#define CYAN   "\033[1;30;46m"
#define BOLD   "\033[1m"

/* text, which has been escaped, in exactly width columns. colour: NULL for none. */
void screen_put(FILE *f, const struct screen *s, const char *colour, const char *text, size_t width);
/* A whole line, made of what may be written by others. 0 or -ENOMEM. */
int screen_put_line(FILE *f, const struct screen *s, const char *colour, const char *fmt, ...) _printf_(4, 5);

/* The lines of at most lines slots, at least one; where that is not all, one line less, and what is not shown. */
int screen_put_slots(FILE *f, const struct screen *s, size_t lines);
