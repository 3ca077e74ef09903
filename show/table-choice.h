/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --output and --noheadings: a table for scripts, with the columns that were asked for, in that order, and nothing around
 * it. */
#pragma once

#include "show/table.h"

#define TABLE_COLUMNS_MAX 32

struct table_choice {
        const char *output; /* as it stands on the command line: "slot,phase"; NULL: all columns */
        bool no_headings;
        size_t columns[TABLE_COLUMNS_MAX], n; /* of table_choice_read() */
};

/* Rows of a verb's table of options. */
#define TABLE_OPTIONS(c)                                                                                     \
        { "noheadings", .flag = &(c).no_headings },                                                          \
        {                                                                                                    \
                "output", .value = &(c).output                                                               \
        }

/* ids: the columns' names for --output, in the table's order; NULL at the end. json: --json was given, which has all.
 * EXIT_DONE, or all is said. */
int table_choice_read(struct table_choice *choice, const char *verb, const char *const *ids, bool json);
/* Whether there is one: then rows are all that is printed. */
bool table_is_chosen(const struct table_choice *choice);
/* Before it is printed. 0 or a negative errno. */
int table_choose(struct libscols_table *table, const struct table_choice *choice);
