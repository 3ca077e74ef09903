/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How tables look, and the words and numbers in them. Everything that a board or a file said is escaped here. */
#pragma once

#include <libsmartcols.h>

#include "core/status.h"

struct table_style {
        bool utf8;
        bool colour;
        size_t width;      /* cut rows there; 0: they are as wide as they get (a terminal folds them) */
        uint64_t now_usec; /* time of day: what is from today is shown by its time alone */
};

/* Whether stdout is a terminal that understands escape sequences, as far as TERM says. */
bool table_on_screen(void);
/* As stdout is now: locale, NO_COLOR, terminal. Nothing is cut. */
void table_style_of_stdout(struct table_style *ret);
/* Of a table that fits itself: as wide as the terminal, if stdout is one; else nothing is cut either. */
void table_style_fit_terminal(struct table_style *style);

const char *table_nothing(const struct table_style *style); /* "–" or "-" */

struct libscols_table *table_new(const struct table_style *style, const char *const *names, size_t n);
static inline void table_unrefp(struct libscols_table **p)
{
        scols_unref_table(*p);
}

/* Puts text, escaped, into a line's cell; NULL or "" becomes nothing's sign. */
int table_set(const struct table_style *style, struct libscols_line *line, size_t column, const char *text);
/* The text in *text is taken over, and is put as it is. NULL is -ENOMEM. */
int table_take(struct libscols_line *line, size_t column, char *text);

/*
 * Where the terminal is too narrow for the table, hides columns in the order given until the rest fits. A column counts with
 * at least its usual width, so that columns do not come and go as their contents change.
 */
struct table_fit {
        const size_t *usual_widths; /* by column */
        const size_t *order;
        size_t n_order;
};
int table_fit(const struct table_style *style, struct libscols_table *table, const struct table_fit *fit);

/* All make a new text, NULL when out of memory. */
char *format_bytes(uint64_t bytes);                                         /* "24 kB" (1000 bytes) */
char *format_span(uint64_t usec);                                           /* "2.1 s", "4 d 2 h" */
char *format_time(const struct table_style *style, uint64_t realtime_usec); /* "09:41", "2026-01-31 09:41" */
char *format_image(const char *name, const char *version); /* "gizmo 1.4.2"; "" if there is none */
/* Words of several parts are written with spaces on a screen: "no policy". */
char *format_word(const char *word);
/* "S2" for "esp32s2"; borrowed; NULL stays NULL. */
const char *format_chip(const char *chip);
