/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A time as a person writes it, for --since and --until: a date, a day, or how long ago. What the clock says, and which zone
 * "local" is, is the caller's business.
 *   2h  30min  7d  90s  2w                                 so long ago
 *   2026-11-01  2026-11-01 14:00  2026-11-01T14:00:30      a date; without a time of day: its midnight
 *   today  yesterday  today 14:00                          likewise
 *   … Z or UTC behind a date or a day                      in UTC, else local time
 */
#pragma once

#include "core/util.h"

#define TIME_WORDS_EXPECTED                                                                                  \
        "expected a date (2026-11-01, \"2026-11-01 14:00\", today, yesterday) or how long ago (2h, 30min, "  \
        "7d)"

struct time_words {
        bool ago; /* ago_usec is all; else: */
        uint64_t ago_usec;
        unsigned year;                             /* 0: days_back says it, from the day that is now */
        unsigned days_back;                        /* 0: today, 1: yesterday */
        unsigned month, day, hour, minute, second; /* month and day from 1 */
        bool utc;
};

/* 0, or -EINVAL when it is none of these forms, or no such date is. *ret is untouched then. */
int time_words_parse(const char *text, struct time_words *ret);
