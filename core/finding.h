/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a parser has to say about a file: a list of errors and warnings, each with where and what was expected. */
#pragma once

#include "core/words.h"

enum finding_severity { FINDING_WARNING, FINDING_ERROR, FINDING_SEVERITY_MAX_ };
DECLARE_WORDS(finding_severity)

#define FINDINGS_MAX      100      /* further ones are counted, not kept */
#define FINDING_NO_OFFSET SIZE_MAX /* there is no place in a file to point at */

struct finding {
        enum finding_severity severity;
        char *member;  /* archive member, or NULL where the whole file is meant */
        size_t offset; /* bytes from the file's start, or FINDING_NO_OFFSET */
        char *text;    /* one line: what is wrong, what was expected */
};

/* All zero is an empty list. */
struct findings {
        struct finding *items;
        size_t n_items;              /* kept */
        size_t n_errors, n_warnings; /* met */
};

/* Never fails: what cannot be kept is counted. member may be NULL. What is not printable in member or in the text is
 * shown as '?'. */
void findings_add(struct findings *findings, enum finding_severity severity, const char *member,
                  size_t offset, const char *fmt, ...) _printf_(5, 6);
void findings_done(struct findings *findings);

/* "error: app.bin at offset 8192: …"; to be freed, or NULL when out of memory. */
char *finding_to_string(const struct finding *finding);

/* The first thing that a reader of one format found wrong; how bad that is its caller knows. */
struct fault {
        size_t offset; /* bytes from the start of what was read */
        char text[200];
};

/* Fills *fault and returns 1, the readers' verdict. */
int fault_set(struct fault *fault, size_t offset, const char *fmt, ...) _printf_(3, 4);
