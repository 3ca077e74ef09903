/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text in INI form, line by line, with the number of each line. inih splits "key = value" and cuts comments; around it
 * stands what inih lets pass or does not tell: it numbers nothing, cuts lines at its buffer's size, takes an indented
 * line for more of the value before, and a header without its bracket for nothing at all.
 *
 * The form: comments begin with ; or # at a line's start, or with " ;" after a value. UTF-8, LF or CRLF.
 */
#pragma once

#include "core/util.h"

/* What is found, in the order of the lines; line counts from 1. Texts are valid during the call alone. */
struct ini_events {
        /* "[slot A1]": text is "slot A1". */
        void (*section)(void *userdata, unsigned line, const char *text);
        /* Before the first header too: whoever listens decides. */
        void (*key)(void *userdata, unsigned line, const char *key, const char *value);
        /* A line that is refused: what is wrong with it and what was expected. Keys below a refused header are dropped
         * up to the next header, since they belong to no section. */
        void (*fault)(void *userdata, unsigned line, const char *text);
};

void ini_read(const char *text, size_t len, const struct ini_events *events, void *userdata);
