/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fleet as a table: a row for each station, and above it what they are together. */
#pragma once

#include <stdio.h>

#include "fleet/view.h"
#include "show/table-choice.h"

/* The columns' names for --output; NULL at the end. */
extern const char *const fleet_columns[];

/* The whole text, lines ended by '\n'; to be freed. 0 or -ENOMEM. */
int fleet_table_render(const struct view *view, const struct table_style *style, char **ret);
/* The rows alone. 0 or -ENOMEM. */
int fleet_table_rows(const struct view *view, const struct table_style *style,
                     const struct table_choice *choice, FILE *f);
