/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How espdfuctl prints a line with what others wrote in it: names of files, arguments, messages. */
#pragma once

#include <stdio.h>

#include "core/util.h"

/* One line and its end, with all of it escaped as text_escape() does: it stays one line and moves no cursor. */
void client_say(FILE *out, const char *fmt, ...) _printf_(2, 3);
/* "espdfuctl: …" on stderr, in the same way. */
void client_error(const char *fmt, ...) _printf_(1, 2);
/* Ends what is printed. EXIT_DONE; or EXIT_FAILED, and said so once, if any of it could not be written. */
int client_flush(void);
