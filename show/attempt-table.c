/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show/attempt-table.h"

#include <stdio.h>

enum column { STATION, TIME, SLOT, CHIP, MAC, POLICY, IMAGE, TRY, VERDICT, TOOK, SIZE, MESSAGE, N_COLUMNS };

static const char *const column_names[N_COLUMNS] = {
        [STATION] = "STATION", [TIME] = "TIME",     [SLOT] = "SLOT",   [CHIP] = "CHIP",
        [MAC] = "MAC",         [POLICY] = "POLICY", [IMAGE] = "IMAGE", [TRY] = "TRY",
        [VERDICT] = "VERDICT", [TOOK] = "TOOK",     [SIZE] = "SIZE",   [MESSAGE] = "MESSAGE",
};

#define COLUMNS                                                                                              \
        "time", "slot", "chip", "mac", "policy", "image", "try", "verdict", "took", "size", "message", NULL
const char *const attempt_columns[] = { COLUMNS };
const char *const attempt_columns_of_stations[] = { "station", COLUMNS };

/* As in status-table.c. */
static const size_t dispensable[] = { MAC, POLICY, SIZE, TOOK, CHIP, TRY };
static const size_t usual_widths[N_COLUMNS] = { [MESSAGE] = 10 };

/* Of a table without stations the first column is TIME. */
static size_t first_column(const struct attempt_table *t)
{
        return t->has_stations ? STATION : TIME;
}

int attempt_table_init(struct attempt_table *t, bool has_stations, const struct table_choice *choice)
{
        size_t first = has_stations ? STATION : TIME;

        *t = (struct attempt_table){ .has_stations = has_stations };
        table_style_of_stdout(&t->style);
        if (!table_is_chosen(choice))
                table_style_fit_terminal(&t->style);
        t->table = table_new(&t->style, column_names + first, N_COLUMNS - first);
        return t->table ? 0 : -ENOMEM;
}

void attempt_table_done(struct attempt_table *t)
{
        scols_unref_table(t->table);
        *t = (struct attempt_table){ 0 };
}

int attempt_table_add(struct attempt_table *t, const char *station, const struct attempt_record *a)
{
        const struct table_style *style = &t->style;
        struct libscols_line *line = scols_table_new_line(t->table, NULL);
        bool open = a->verdict == VERDICT_NONE;
        _cleanup_(freep) char *time = format_time(style, a->start_realtime_usec);
        _cleanup_(freep) char *image = format_image(a->image_name, a->image_version);
        _cleanup_(freep) char *verdict = format_word(open ? "running" : verdict_to_string(a->verdict));
        _cleanup_(freep) char *took = open ? strdup("") : format_span(a->duration_usec);
        _cleanup_(freep) char *size = format_bytes(a->bytes);
        char try[16];
        const char *texts[N_COLUMNS] = {
                [STATION] = station, [TIME] = time,        [SLOT] = a->slot, [CHIP] = format_chip(a->chip),
                [MAC] = a->mac,      [POLICY] = a->policy, [IMAGE] = image,  [TRY] = try,
                [VERDICT] = verdict, [TOOK] = took,        [SIZE] = size,    [MESSAGE] = a->message,
        };
        size_t first = first_column(t);
        int r = 0;

        snprintf(try, sizeof(try), "%u", a->attempt);
        if (!line || !time || !image || !verdict || !took || !size)
                return -ENOMEM;
        t->n++;
        for (size_t i = first; r == 0 && i < N_COLUMNS; i++)
                r = table_set(style, line, i - first, texts[i]);
        if (r == 0 && style->colour && !open)
                r = scols_cell_set_color(scols_line_get_cell(line, VERDICT - first),
                                         a->verdict == VERDICT_FLASHED ? "green" : "red");
        return r;
}

int attempt_table_print(struct attempt_table *t, const struct table_choice *choice)
{
        size_t first = first_column(t), order[ARRAY_SIZE(dispensable)];
        const struct table_fit fit = { usual_widths + first, order, ARRAY_SIZE(order) };
        int r;

        if (t->n == 0 && !table_is_chosen(choice))
                return fputs("No attempt.\n", stdout), 0;
        for (size_t i = 0; i < ARRAY_SIZE(order); i++)
                order[i] = dispensable[i] - first;
        r = table_is_chosen(choice) ? table_choose(t->table, choice) : table_fit(&t->style, t->table, &fit);
        if (r == 0)
                r = scols_print_table(t->table);
        return r < 0 && !ferror(stdout) ? r : 0;
}
