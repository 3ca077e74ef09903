/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts that others wrote (a board's strings, a file's names, a peer's messages), made fit for JSON and for a screen. */
#pragma once

#include "core/util.h"

/* A copy that is valid UTF-8 of at most max bytes: each byte that is not becomes U+FFFD, and what is over is cut between
 * characters. NULL when out of memory. */
char *text_to_utf8(const char *s, size_t max);

/* A copy that cannot move a terminal's cursor nor forge a line: control characters (C0, DEL, C1), line and paragraph
 * separators, what changes the direction of writing or is not seen, and bytes that are not UTF-8 become "<1b>", one for each
 * byte (as less shows them; "\x1b" would be escaped once more by libsmartcols).
 * NULL when out of memory. */
char *text_escape(const char *s);

/* A copy that is one word for a POSIX shell and means the text itself: between '…' where it has anything but letters, digits
 * and . _ : / @ + -. NULL when out of memory. */
char *text_quote_for_shell(const char *s);
