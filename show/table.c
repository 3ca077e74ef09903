/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show/table.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/chip.h"
#include "core/text.h"
#include "show/columns.h"

#define SEPARATOR "  " /* between two columns */
#define MINUTE    (60 * USEC_PER_SEC)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)

bool table_on_screen(void)
{
        const char *term = getenv("TERM");

        return term && *term && !streq(term, "dumb") && isatty(STDOUT_FILENO);
}

void table_style_of_stdout(struct table_style *ret)
{
        const char *no_color = getenv("NO_COLOR");
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        *ret = (struct table_style){
                .utf8 = streq(nl_langinfo(CODESET), "UTF-8"),
                .colour = table_on_screen() && !(no_color && *no_color),
                .now_usec = (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000,
        };
}

void table_style_fit_terminal(struct table_style *style)
{
        struct winsize size;

        if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
                style->width = size.ws_col;
}

const char *table_nothing(const struct table_style *style)
{
        return style->utf8 ? "\u2013" : "-";
}

struct libscols_table *table_new(const struct table_style *style, const char *const *names, size_t n)
{
        struct libscols_table *table = scols_new_table();

        if (!table)
                return NULL;
        scols_table_set_column_separator(table, SEPARATOR);
        scols_table_enable_colors(table, style->colour);
        scols_table_set_termforce(table, style->width > 0 ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
        if (style->width > 0)
                scols_table_set_termwidth(table, style->width);
        for (size_t i = 0; i < n; i++)
                /* What does not fit is cut at the end of the last column. */
                if (!scols_table_new_column(table, names[i], 0, i + 1 == n ? SCOLS_FL_TRUNC : 0)) {
                        scols_unref_table(table);
                        return NULL;
                }
        return table;
}

static size_t column_width(struct libscols_table *table, size_t column, size_t usual)
{
        struct libscols_column *cl = scols_table_get_column(table, column);
        size_t width = MAX(usual, columns_of(scols_column_get_name(cl)));

        /* The last column is cut anyway. */
        for (size_t i = 0; column + 1 < scols_table_get_ncols(table) && i < scols_table_get_nlines(table);
             i++) {
                struct libscols_line *line = scols_table_get_line(table, i);

                width = MAX(width, columns_of(scols_cell_get_data(scols_line_get_cell(line, column))));
        }
        return width;
}

int table_fit(const struct table_style *style, struct libscols_table *table, const struct table_fit *fit)
{
        size_t n_columns = scols_table_get_ncols(table), total = 0;
        int r = 0;

        for (size_t i = 0; i < n_columns; i++)
                if (!scols_column_is_hidden(scols_table_get_column(table, i)))
                        total += column_width(table, i, fit->usual_widths[i]) +
                                 (total > 0 ? strlen(SEPARATOR) : 0);
        for (size_t i = 0; r == 0 && i < fit->n_order && style->width > 0 && total > style->width; i++) {
                size_t column = fit->order[i];

                total -= column_width(table, column, fit->usual_widths[column]) + strlen(SEPARATOR);
                r = scols_column_set_flags(scols_table_get_column(table, column), SCOLS_FL_HIDDEN);
        }
        return r;
}

int table_set(const struct table_style *style, struct libscols_line *line, size_t column, const char *text)
{
        return table_take(line, column, text && *text ? text_escape(text) : strdup(table_nothing(style)));
}

int table_take(struct libscols_line *line, size_t column, char *text)
{
        int r = text ? scols_line_refer_data(line, column, text) : -ENOMEM;

        if (r < 0)
                free(text);
        return r;
}

static char *print(const char *fmt, ...) _printf_(1, 2);

static char *print(const char *fmt, ...)
{
        va_list ap;
        char *text;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        return n < 0 ? NULL : text;
}

char *format_bytes(uint64_t bytes)
{
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
        double value = (double)bytes;
        size_t unit = 0;

        for (; value >= 999.5 && unit + 1 < ARRAY_SIZE(units); unit++)
                value /= 1000;
        return print("%.*f %s", unit > 0 && value < 9.95 ? 1 : 0, value, units[unit]);
}

char *format_span(uint64_t usec)
{
        if (usec < 9950 * USEC_PER_MSEC)
                return print("%.1f s", (double)usec / (double)USEC_PER_SEC);
        if (usec < MINUTE)
                return print("%" PRIu64 " s", usec / USEC_PER_SEC);
        if (usec < HOUR)
                return print("%" PRIu64 " min", usec / MINUTE);
        if (usec < DAY)
                return print("%" PRIu64 " h %" PRIu64 " min", usec / HOUR, usec % HOUR / MINUTE);
        return print("%" PRIu64 " d %" PRIu64 " h", usec / DAY, usec % DAY / HOUR);
}

static bool local_time(uint64_t realtime_usec, struct tm *ret)
{
        time_t seconds = (time_t)(realtime_usec / USEC_PER_SEC);

        return localtime_r(&seconds, ret);
}

char *format_time(const struct table_style *style, uint64_t realtime_usec)
{
        struct tm then, now;
        char text[64];

        if (!local_time(realtime_usec, &then) || !local_time(style->now_usec, &now))
                return strdup("?");
        if (then.tm_year == now.tm_year && then.tm_yday == now.tm_yday)
                strftime(text, sizeof(text), "%H:%M", &then);
        else
                strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &then);
        return strdup(text);
}

char *format_image(const char *name, const char *version)
{
        return print("%s%s%s", name ? name : "", name && version ? " " : "", version ? version : "");
}

char *format_word(const char *word)
{
        char *text = strdup(word);

        for (char *dash = text ? strchr(text, '-') : NULL; dash; dash = strchr(dash, '-'))
                *dash = ' ';
        return text;
}

const char *format_chip(const char *chip)
{
        const struct chip *known = chip ? chip_by_name(chip) : NULL;

        return known ? known->short_name : chip;
}
