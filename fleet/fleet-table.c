/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/fleet-table.h"

#include <inttypes.h>

#include "core/text.h"
#include "show/columns.h"

#define NOTE_MAX 300 /* bytes */

enum column {
        STATION,
        ONLINE,
        SLOTS,
        RUNNING,
        WAITING,
        STANDING,
        DONE,
        FAILED,
        YIELD,
        FIRST,
        RATE,
        SEEN,
        BACKLOG,
        NOTE,
        N_COLUMNS
};

static const char *const column_names[N_COLUMNS] = {
        [STATION] = "STATION", [ONLINE] = "ONLINE",     [SLOTS] = "SLOTS",   [RUNNING] = "RUNNING",
        [WAITING] = "WAITING", [STANDING] = "STANDING", [DONE] = "DONE",     [FAILED] = "FAILED",
        [YIELD] = "YIELD",     [FIRST] = "FIRST",       [RATE] = "PER HOUR", [SEEN] = "SEEN",
        [BACKLOG] = "BACKLOG", [NOTE] = "NOTE",
};

const char *const fleet_columns[] = { "station",  "online", "slots",   "running", "waiting",
                                      "standing", "done",   "failed",  "yield",   "first",
                                      "per-hour", "seen",   "backlog", "note",    NULL };

/* What a terminal that is too narrow does without, the first first. NOTE is cut to what is left. */
static const size_t dispensable[] = { RATE, SLOTS, FIRST, WAITING, BACKLOG, STANDING };
static const size_t usual_widths[N_COLUMNS] = { [SEEN] = 5, [NOTE] = 10 };

/* What the stations that are online do and did today, together. */
struct sums {
        size_t online;
        uint64_t running, done, failed, first_pass, backlog;
};

static char *number(uint64_t value)
{
        char *text;

        return asprintf(&text, "%" PRIu64, value) < 0 ? NULL : text;
}

/* "98.9 %"; "" where there is nothing to be divided by. */
static char *share(uint64_t part, uint64_t whole)
{
        char *text;

        if (whole == 0)
                return strdup("");
        return asprintf(&text, "%.1f %%", 100.0 * (double)part / (double)whole) < 0 ? NULL : text;
}

/* What the header says. */
static int add_header(struct libscols_line *line, const struct station_status *s, struct sums *sums)
{
        uint64_t boards = s->flashed_today + s->failed_today;
        const struct {
                enum column column;
                char *text;
        } cells[] = {
                { RUNNING, number(s->running) },
                { WAITING, number(s->waiting) },
                { STANDING, number(s->failed) },
                { DONE, number(s->flashed_today) },
                { FAILED, number(s->failed_today) },
                { YIELD, share(s->flashed_today, boards) },
                { FIRST, share(s->first_pass_today, boards) },
                { RATE, number(s->flashed_last_hour) },
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
                int one = table_take(line, cells[i].column, cells[i].text);

                r = r < 0 ? r : one;
        }
        sums->running += s->running;
        sums->done += s->flashed_today;
        sums->failed += s->failed_today;
        sums->first_pass += s->first_pass_today;
        return r;
}

/* Where no terminal cuts it, a note ends here all the same; --json has it whole. */
static int set_note(const struct table_style *style, struct libscols_line *line, const char *note)
{
        _cleanup_(freep) char *text = text_to_utf8(note, NOTE_MAX), *cut = NULL;

        if (!text || !*text)
                return table_take(line, NOTE, take_ptr(text));
        if (strlen(note) <= NOTE_MAX)
                return table_set(style, line, NOTE, text);
        if (asprintf(&cut, "%s%s", text, style->utf8 ? "\u2026" : "...") < 0)
                return cut = NULL, -ENOMEM;
        return table_set(style, line, NOTE, cut);
}

static int add_cells(const struct table_style *style, const struct view_station *station,
                     struct libscols_line *line)
{
        bool online = view_is_online(station);
        uint64_t seen = view_seen_usec(station);
        int r = table_set(style, line, STATION, station->name);

        if (r == 0)
                r = table_take(line, ONLINE, strdup(online ? "yes" : "no"));
        if (r == 0)
                r = table_take(line, SLOTS, number(view_slots(station)));
        if (r == 0)
                r = table_take(line, SEEN,
                               seen > 0 ? format_time(style, seen) : strdup(table_nothing(style)));
        if (r == 0)
                r = table_take(line, BACKLOG, number(view_backlog(station)));
        if (r == 0)
                r = set_note(style, line, view_note(station));
        if (r == 0 && style->colour)
                r = scols_cell_set_color(scols_line_get_cell(line, ONLINE), online ? "green" : "red");
        return r;
}

static int add_station(const struct table_style *style, const struct view_station *station,
                       struct libscols_table *table, struct sums *sums)
{
        struct libscols_line *line = scols_table_new_line(table, NULL);
        _cleanup_(station_status_done) struct station_status status = { 0 };
        int r = line ? add_cells(style, station, line) : -ENOMEM;

        sums->online += view_is_online(station);
        sums->backlog += view_backlog(station);
        /* A station of which nothing was heard yet has blanks there. */
        if (r < 0 || !view_has_header(station))
                return r;
        r = view_status(station, &status);
        return r == 0 ? add_header(line, &status, sums) : r == -EPROTO ? 0 : r;
}

static int make(const struct view *view, const struct table_style *style, struct libscols_table **ret,
                struct sums *sums)
{
        struct libscols_table *table = table_new(style, column_names, N_COLUMNS);
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < N_COLUMNS; i++)
                if (i == SLOTS || (i >= RUNNING && i <= RATE) || i == BACKLOG)
                        r = scols_column_set_flags(scols_table_get_column(table, i), SCOLS_FL_RIGHT);
        for (size_t i = 0; r == 0 && i < view->n; i++)
                r = add_station(style, &view->stations[i], table, sums);
        if (r < 0) {
                scols_unref_table(table);
                return r;
        }
        *ret = table;
        return 0;
}

static int print(struct libscols_table *table, FILE *f)
{
        _cleanup_(freep) char *text = NULL;
        int r = scols_print_table_to_string(table, &text);

        if (r != 0)
                return r;
        fputs(text, f);
        if (*text && text[strlen(text) - 1] != '\n')
                fputc('\n', f);
        return 0;
}

static int print_header(const struct view *view, const struct sums *sums, const struct table_style *style,
                        FILE *f)
{
        uint64_t boards = sums->done + sums->failed;
        _cleanup_(freep) char *yield = share(sums->done, boards);
        _cleanup_(freep) char *first = share(sums->first_pass, boards);
        _cleanup_(freep) char *text = NULL;

        if (!yield || !first)
                return -ENOMEM;
        if (asprintf(&text,
                     "%zu station%s, %zu online   running %" PRIu64 "   today %" PRIu64 " flashed, %" PRIu64
                     " failed, yield %s, first pass %s%s%" PRIu64 " record%s on %s way\n\n",
                     view->n, view->n == 1 ? "" : "s", sums->online, sums->running, sums->done, sums->failed,
                     *yield ? yield : table_nothing(style), *first ? first : table_nothing(style),
                     style->width > 0 && style->width < 120 ? "\n" : "   ", sums->backlog,
                     sums->backlog == 1 ? "" : "s", sums->backlog == 1 ? "its" : "their") < 0)
                return text = NULL, -ENOMEM;
        columns_put_lines(f, text, style->width, style->utf8);
        return 0;
}

int fleet_table_render(const struct view *view, const struct table_style *style, char **ret)
{
        const struct table_fit fit = { usual_widths, dispensable, ARRAY_SIZE(dispensable) };
        _cleanup_(table_unrefp) struct libscols_table *table = NULL;
        _cleanup_(freep) char *text = NULL;
        struct sums sums = { 0 };
        size_t size;
        FILE *f = open_memstream(&text, &size);
        int r = f ? make(view, style, &table, &sums) : -ENOMEM;

        if (!f)
                return r;
        if (r == 0 && view->n == 0)
                fputs("No station: the broker keeps nothing of espdfu's, or this user may not read it.\n", f);
        else if (r == 0)
                r = print_header(view, &sums, style, f);
        if (r == 0 && view->n > 0)
                r = table_fit(style, table, &fit);
        if (r == 0 && view->n > 0)
                r = print(table, f);
        if (fclose(f) == EOF && r == 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        *ret = take_ptr(text);
        return 0;
}

int fleet_table_rows(const struct view *view, const struct table_style *style,
                     const struct table_choice *choice, FILE *f)
{
        _cleanup_(table_unrefp) struct libscols_table *table = NULL;
        struct sums sums = { 0 };
        int r = make(view, style, &table, &sums);

        if (r == 0)
                r = table_choose(table, choice);
        return r == 0 ? print(table, f) : r;
}
