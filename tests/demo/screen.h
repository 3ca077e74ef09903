/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the demo writes: paragraphs, commands with what they print, and, on a terminal, a picture that is drawn again and
 * again in one place. Everything goes to stdout. What programs are shown on is a terminal where ours is.
 */
#pragma once

#include <glib.h>
#undef MIN /* core/util.h has its own */
#undef MAX

#include "core/util.h"

/* Looks at stdout and the environment (TERM, NO_COLOR); to be called first. */
void screen_begin(void);
/* Whether a picture can be drawn in place. */
bool screen_is_live(void);

/* A heading; a paragraph, filled up to the width of the screen; a line as it is. */
void screen_heading(const char *text);
void screen_say(const char *format, ...) _printf_(1, 2);
void screen_line(const char *format, ...) _printf_(1, 2);

/* Runs a program to its end. Returns its exit status, or a negative errno; *ret_output (to be freed) what it wrote. */
int screen_capture(const char *const *argv, char **ret_output);
/* Shows the command and what it prints. The picture, if there is one, stays above. */
int screen_command(const char *const *argv);

/* Draws text in the place of what was drawn before. */
void screen_draw(const char *text);
/* What comes next stands below the picture. */
void screen_end_drawing(void);
/* Writes a line above the picture, or where there is none. */
void screen_note(const char *format, ...) _printf_(1, 2);
