/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon says: to the journal with fields when stderr is the journal's (JOURNAL_STREAM), else to stderr, one
 * line with the level's word. Control characters in a text are escaped, since boards write parts of it.
 * errno is left as it was. Nobody waits until it is said: see daemon/aside.h.
 */
#pragma once

#include <syslog.h>

#include "core/util.h"

/* For aside_begin(). */
void log_lost(unsigned n);

/* Levels above this one are not said; LOG_INFO to begin with. */
void log_set_max_level(int level);

void log_message(int level, const char *fmt, ...) _printf_(2, 3);
/* The text of the first error that was said, or NULL: why a start failed, for who shows one line alone. */
const char *log_first_error(void);

#define log_error(...)   log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_DEBUG, __VA_ARGS__)

/*
 * Something about one slot: in the journal with ESPDFU_SLOT=, and where they are not NULL ESPDFU_JOB= and MESSAGE_ID= (32
 * hexadecimal digits); on stderr the slot stands in front of the text.
 */
void log_slot(int level, const char *slot, const char *job, const char *message_id, const char *fmt, ...)
        _printf_(5, 6);
