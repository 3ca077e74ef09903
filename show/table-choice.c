/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show/table-choice.h"

#include <stdio.h>
#include <strings.h>

#include "io/say.h"
#include "show/exit.h"

static int unknown_column(const char *verb, const char *word, const char *const *ids)
{
        char list[512] = "";

        for (size_t i = 0; ids[i]; i++)
                snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i > 0 ? ", " : "", ids[i]);
        say_line("%s: --output '%s': expected some of %s, with commas between them", verb, word, list);
        return EXIT_USAGE;
}

static int add_column(struct table_choice *choice, const char *verb, const char *word, const char *const *ids)
{
        size_t column = 0;

        while (ids[column] && strcasecmp(ids[column], word) != 0)
                column++;
        if (!ids[column])
                return unknown_column(verb, word, ids);
        for (size_t i = 0; i < choice->n; i++)
                if (choice->columns[i] == column) {
                        say_line("%s: --output: %s twice: expected each column once", verb, word);
                        return EXIT_USAGE;
                }
        choice->columns[choice->n++] = column;
        return EXIT_DONE;
}

int table_choice_read(struct table_choice *choice, const char *verb, const char *const *ids, bool json)
{
        _cleanup_(freep) char *copy = choice->output ? strdup(choice->output) : NULL;
        char *rest = copy, *word;

        if (json && table_is_chosen(choice)) {
                say_line("%s: --json has all fields: expected without --output and --noheadings", verb);
                return EXIT_USAGE;
        }
        while ((word = strsep(&rest, ","))) {
                int r = add_column(choice, verb, word, ids);

                if (r != EXIT_DONE)
                        return r;
        }
        return EXIT_DONE;
}

bool table_is_chosen(const struct table_choice *choice)
{
        return choice->output || choice->no_headings;
}

int table_choose(struct libscols_table *table, const struct table_choice *choice)
{
        struct libscols_column *columns[TABLE_COLUMNS_MAX] = { 0 }, *before = NULL;
        size_t n = MIN(scols_table_get_ncols(table), (size_t)TABLE_COLUMNS_MAX);
        int r = scols_table_enable_noheadings(table, choice->no_headings);

        for (size_t i = 0; i < n; i++)
                columns[i] = scols_table_get_column(table, i);
        for (size_t i = 0; r == 0 && choice->output && i < n; i++)
                r = scols_column_set_flags(columns[i], SCOLS_FL_HIDDEN);
        for (size_t i = 0; r == 0 && i < choice->n; i++) {
                struct libscols_column *column = columns[choice->columns[i]];

                r = scols_column_set_flags(column, scols_column_get_flags(column) & SCOLS_FL_RIGHT);
                if (r == 0)
                        r = scols_table_move_column(table, before, column);
                before = column;
        }
        return r;
}
