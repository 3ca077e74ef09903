/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an engine writes as errors: nothing as a rule, libc's last words where it ends by a bug. It is no journal of its own,
 * since whoever took it over could tell anything there in the daemon's name, and so much of it that the journal lets nobody
 * speak: a pipe keeps the first bytes, what does not fit is lost, and nobody reads it before the engine has ended.
 */
#pragma once

#include "core/util.h"

#define LAST_WORDS_BYTES_MAX (16 * KIB)
#define LAST_WORDS_LINES_MAX 64
#define LAST_WORDS_LINE_MAX  512 /* bytes; a longer one goes on in the next */

/* *ret_fd is the daemon's end, *ret_engine_fd the engine's; both are to be closed. 0 or a negative errno. */
int last_words_open(int *ret_fd, int *ret_engine_fd);
/* Once, after the engine's end. Calls line() for each line, without its end; where more was written than is told, the last one
 * says so. */
void last_words_tell(int fd, void (*line)(void *userdata, const char *text), void *userdata);
