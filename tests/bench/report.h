/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was measured: rows of samples with a bar each, as a table for people and as JSON for scripts. The JSON is described
 * in docs/performance.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct report;

enum statistic { STATISTIC_MEDIAN, STATISTIC_P99, STATISTIC_MAX };

struct row {
        const char *id;           /* for scripts: never changes its meaning */
        const char *what;         /* for people */
        const char *unit;         /* as "KiB", "%" */
        const char *note;         /* or NULL */
        enum statistic statistic; /* which of the samples the bar is about */
        double bar;               /* at most that much; negative: there is none */
};

/* Bars are loosened by this factor: 1 for the bench itself, more for a test on a machine that does other things too. */
struct report *report_new(double tolerance);
void report_free(struct report *report);
/* Copies all. n at least 1. */
void report_add(struct report *report, const struct row *row, const double *samples, size_t n);
/* Whether every bar was kept. */
bool report_is_good(const struct report *report);
void report_print(const struct report *report, FILE *stream);
/* boards: of the rows about many. Returns 0 or a negative errno. */
int report_write(const struct report *report, const char *path, unsigned boards);
