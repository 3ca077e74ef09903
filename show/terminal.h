/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal as a screen: the other screen, without a cursor, and single keys; all of it is put back at the end. */
#pragma once

#include <poll.h>

#include "core/util.h"

/* What was there before comes back with terminal_leave(). Where stdin is no terminal, or not ours, there are no keys. */
void terminal_enter(void);
void terminal_leave(void);

/* As terminal_leave(), then the process stops as its user wants it (Ctrl-Z), and terminal_enter() when it goes on. */
void terminal_suspend(void);

/* Columns and lines as they are now; 80 and 24 where nobody knows. */
void terminal_size(size_t *ret_width, size_t *ret_height);

/* For poll(): where keys come from; fd is negative where they do not. */
struct pollfd terminal_keys(void);
/* Whether one of the keys that came is q, or stdin has ended. */
bool terminal_quits(void);

/* Draws lines from the top, as many as fit, and clears what is below. Nothing scrolls. */
void terminal_draw(const char *text, size_t height);
