/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The station as `espdfuctl status` prints it: header, one row for each slot, policies that cannot be used. */
#pragma once

#include <stdio.h>

#include "show/table-choice.h"

/* The whole text, lines ended by '\n'; to be freed. 0 or -ENOMEM. */
int status_table_render(const struct station_status *station, const struct table_style *style, char **ret);

/* The columns' names for --output; NULL at the end. */
extern const char *const status_columns[];
/* The rows alone. 0 or -ENOMEM. */
int status_table_rows(const struct station_status *station, const struct table_style *style,
                      const struct table_choice *choice, FILE *f);

/* "52 %" with its bar, 20 columns wide; NULL when out of memory. */
char *status_bar(const struct table_style *style, uint64_t done, uint64_t total);
/* How the last attempt ended and, unless it says the same, why the slot is as it is; NULL when out of memory. */
char *status_last(const struct table_style *style, const struct slot_status *slot);
/* "gizmo 1.4.2 + unit-9.bin": the image, and what this board alone gets behind it; NULL when out of memory. */
char *format_contents(const struct slot_status *slot);
