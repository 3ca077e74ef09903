/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attempts as a table: `espdfuctl history`, and of many stations `espdfu-fleet history`. */
#pragma once

#include "show/table-choice.h"

/* The columns' names for --output; NULL at the end. With stations there is "station" before them. */
extern const char *const attempt_columns[];
extern const char *const attempt_columns_of_stations[];

struct attempt_table {
        struct table_style style;
        struct libscols_table *table;
        bool has_stations;
        size_t n;
};

/* 0 or -ENOMEM. */
int attempt_table_init(struct attempt_table *table, bool has_stations, const struct table_choice *choice);
void attempt_table_done(struct attempt_table *table);
/* station: where there are stations. 0 or a negative errno. */
int attempt_table_add(struct attempt_table *table, const char *station, const struct attempt_record *attempt);
/* On stdout. 0 or a negative errno; that stdout takes no more is found by ferror(). */
int attempt_table_print(struct attempt_table *table, const struct table_choice *choice);
