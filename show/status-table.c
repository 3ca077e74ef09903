/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show/status-table.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/text.h"
#include "show/columns.h"

#define BAR_CELLS    15
#define HEADER_WIDTH 110 /* columns: narrower terminals get it in two lines */

enum column { SLOT, PORT, CHIP, MAC, POLICY, IMAGE, PHASE, PROGRESS, RATE, LEFT, TRY, LAST, N_COLUMNS };

static const char *const column_names[N_COLUMNS] = {
        [SLOT] = "SLOT",     [PORT] = "PORT",   [CHIP] = "CHIP",   [MAC] = "MAC",
        [POLICY] = "POLICY", [IMAGE] = "IMAGE", [PHASE] = "PHASE", [PROGRESS] = "PROGRESS",
        [RATE] = "RATE",     [LEFT] = "LEFT",   [TRY] = "TRY",     [LAST] = "LAST",
};

const char *const status_columns[] = { "slot",     "port", "chip", "mac", "policy", "image", "phase",
                                       "progress", "rate", "left", "try", "last",   NULL };

/* What a terminal that is too narrow does without, the first first. LAST is cut to what is left. */
static const size_t dispensable[] = { MAC, POLICY, RATE, PORT, LEFT, CHIP, TRY };
static const size_t usual_widths[N_COLUMNS] = {
        [PHASE] = 11, [PROGRESS] = BAR_CELLS + 6, [RATE] = 8, [LEFT] = 5, [TRY] = 3, [LAST] = 8,
};

/* The phase's word is there as well: colour never says anything alone. */
static const char *phase_colour(enum phase phase)
{
        switch (phase) {
        case PHASE_FLASHED:
                return "green";
        case PHASE_FAILED:
        case PHASE_STUCK:
        case PHASE_UNUSABLE:
                return "red";
        case PHASE_NO_POLICY:
        case PHASE_HELD:
        case PHASE_CANCELLED:
                return "yellow";
        case PHASE_DETACHING:
        case PHASE_DOWNLOADING:
        case PHASE_VERIFYING:
        case PHASE_RESETTING:
                return "cyan";
        case PHASE_EMPTY:
        case PHASE_IGNORED:
        case PHASE_QUEUED:
        case PHASE_MAX_:
                return NULL;
        }
        return NULL;
}

char *status_bar(const struct table_style *style, uint64_t done, uint64_t total)
{
        static const char *const eighths[] = { "",       "\u258f", "\u258e", "\u258d",
                                               "\u258c", "\u258b", "\u258a", "\u2589" };
        double share = total == 0 ? 0 : done >= total ? 1 : (double)done / (double)total;
        unsigned parts = (unsigned)(share * BAR_CELLS * 8), cells = parts / 8;
        char text[128] = "";
        size_t used = 0;

        if (total == 0)
                return strdup("");
        for (unsigned i = 0; i < cells; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s",
                                         style->utf8 ? "\u2588" : "#");
        if (style->utf8 && parts % 8 > 0) {
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", eighths[parts % 8]);
                cells++;
        }
        snprintf(text + used, sizeof(text) - used, "%*s %3u %%", (int)(BAR_CELLS - cells), "",
                 (unsigned)(share * 100));
        return strdup(text);
}

/* "ok 09:41", "failed 09:40: board left at 24 kB"; "" if there was none. */
static char *last_attempt(const struct table_style *style, const struct slot_status *slot)
{
        _cleanup_(freep) char *when = format_time(style, slot->last_realtime_usec);
        _cleanup_(freep) char *word = format_word(verdict_to_string(slot->last_verdict));
        char *text;

        if (slot->last_verdict == VERDICT_NONE)
                return strdup("");
        if (!when || !word)
                return NULL;
        if (slot->last_verdict == VERDICT_FLASHED)
                return asprintf(&text, "ok %s", when) < 0 ? NULL : text;
        if (slot->last_verdict == VERDICT_CANCELLED || slot->last_verdict == VERDICT_DETACHED)
                return asprintf(&text, "%s %s", word, when) < 0 ? NULL : text;
        return asprintf(&text, "failed %s: %s", when, slot->last_message ? slot->last_message : word) < 0
                       ? NULL
                       : text;
}

char *status_last(const struct table_style *style, const struct slot_status *slot)
{
        _cleanup_(freep) char *last = last_attempt(style, slot);
        char *text;

        if (!last || !slot->message || streq_ptr(slot->message, slot->last_message))
                return take_ptr(last);
        return asprintf(&text, "%s%s%s", slot->message, *last ? "; " : "", last) < 0 ? NULL : text;
}

/* The columns that are only there while a job is under way, or ended here; blank otherwise. */
static int add_job(const struct table_style *style, const struct slot_status *slot,
                   struct libscols_line *line)
{
        _cleanup_(freep) char *bytes = format_bytes(slot->rate);
        char try[32] = "", rate[64] = "";
        bool has_left = slot->left_usec != USEC_INFINITY && phase_is_running(slot->phase);
        int r;

        if (!bytes)
                return -ENOMEM;
        if (slot->rate > 0)
                snprintf(rate, sizeof(rate), "%s/s", bytes);
        if (slot->attempt > 0)
                snprintf(try, sizeof(try), "%u/%u", slot->attempt, slot->attempts_max);
        r = table_take(line, PROGRESS, status_bar(style, slot->bytes_done, slot->bytes_total));
        if (r == 0)
                r = table_take(line, RATE, strdup(rate));
        if (r == 0)
                r = table_take(line, LEFT, has_left ? format_span(slot->left_usec) : strdup(""));
        return r == 0 ? table_take(line, TRY, strdup(try)) : r;
}

char *format_contents(const struct slot_status *slot)
{
        char *image = format_image(slot->image_name, slot->image_version), *text = NULL;
        const char *name = slot->data_file ? strrchr(slot->data_file, '/') : NULL;

        if (!image || !name)
                return image;
        if (asprintf(&text, "%s + %s", image, name + 1) < 0)
                text = NULL;
        free(image);
        return text;
}

static int add_slot(const struct table_style *style, const struct slot_status *slot,
                    struct libscols_table *table)
{
        struct libscols_line *line = scols_table_new_line(table, NULL);
        _cleanup_(freep) char *image = format_contents(slot);
        _cleanup_(freep) char *phase = format_word(phase_to_string(slot->phase));
        _cleanup_(freep) char *last = status_last(style, slot);
        const char *texts[N_COLUMNS] = {
                [SLOT] = slot->slot, [PORT] = slot->port,     [CHIP] = format_chip(slot->chip),
                [MAC] = slot->mac,   [POLICY] = slot->policy, [IMAGE] = image,
                [PHASE] = phase,     [LAST] = last,
        };
        const char *colour = phase_colour(slot->phase);
        int r;

        if (!line || !image || !phase || !last)
                return -ENOMEM;
        for (size_t i = 0; i < N_COLUMNS; i++) {
                if (i >= PROGRESS && i <= TRY)
                        continue;
                r = table_set(style, line, i, texts[i]);
                if (r < 0)
                        return r;
        }
        if (style->colour && colour) {
                r = scols_cell_set_color(scols_line_get_cell(line, PHASE), colour);
                if (r < 0)
                        return r;
        }
        return add_job(style, slot, line);
}

/* "   up 4 d 2 h", "" where nobody said since when: a new text. */
static char *uptime_text(const struct station_status *station)
{
        _cleanup_(freep) char *span = format_span(station->uptime_usec);
        char *text;

        if (station->uptime_usec == 0)
                return strdup("");
        return span && asprintf(&text, "   up %s", span) >= 0 ? text : NULL;
}

static int print_header(const struct station_status *station, const struct table_style *style, FILE *f)
{
        uint64_t boards = station->flashed_today + station->failed_today;
        bool is_narrow = style->width > 0 && style->width < HEADER_WIDTH, is_long;
        _cleanup_(freep) char *uptime = uptime_text(station);
        _cleanup_(freep) char *name = text_escape(station->name);
        _cleanup_(freep) char *held = text_escape(station->held ? station->held : "");
        _cleanup_(freep) char *text = NULL;
        char first[16];

        if (!uptime || !name || !held)
                return -ENOMEM;
        is_long = style->width > 0 && style->width < HEADER_WIDTH + strlen(held);
        snprintf(first, sizeof(first), "%.1f %%",
                 boards > 0 ? 100.0 * (double)station->first_pass_today / (double)boards : 0);
        if (asprintf(&text,
                     "%s%s   today %" PRIu64 " flashed, first pass %s, %" PRIu64
                     " boards/h%srunning %u, waiting %u, failed %u",
                     name, uptime, station->flashed_today, boards > 0 ? first : table_nothing(style),
                     station->flashed_last_hour, is_narrow ? "\n" : "   ", station->running, station->waiting,
                     station->failed) < 0)
                return text = NULL, -ENOMEM;
        columns_put_lines(f, text, style->width, style->utf8);
        fprintf(f, "%s%s\n\n", !*held ? "" : is_long ? "\n" : "   ", held); /* why: that is never cut */
        return 0;
}

/* choice NULL: what there is room for. */
static int print_slots(const struct station_status *station, const struct table_style *style,
                       const struct table_choice *choice, FILE *f)
{
        _cleanup_(table_unrefp) struct libscols_table *table = table_new(style, column_names, N_COLUMNS);
        _cleanup_(freep) char *text = NULL;
        const struct table_fit fit = { usual_widths, dispensable, ARRAY_SIZE(dispensable) };
        int r = table ? 0 : -ENOMEM;

        if (station->n_slots == 0 && !choice) {
                fputs("No slot: no board has been seen, and the configuration names none.\n", f);
                return r;
        }
        for (size_t i = 0; r == 0 && i < station->n_slots; i++)
                r = add_slot(style, &station->slots[i], table);
        if (r == 0)
                r = choice ? table_choose(table, choice) : table_fit(style, table, &fit);
        if (r == 0)
                r = scols_print_table_to_string(table, &text);
        if (r != 0)
                return r;
        fputs(text, f);
        if (*text && text[strlen(text) - 1] != '\n')
                fputc('\n', f);
        return 0;
}

/* "policy gizmo cannot be used: …", one line each. */
static int print_trouble(FILE *f, const char *what, const char *why, bool *begun)
{
        _cleanup_(freep) char *name = text_escape(what);
        _cleanup_(freep) char *text = text_escape(why);

        if (!name || !text)
                return -ENOMEM;
        fprintf(f, "%s%s: %s\n", *begun ? "" : "\n", name, text);
        *begun = true;
        return 0;
}

/* Where rows are cut, what went wrong in a slot must be readable all the same. */
static int print_slot_troubles(const struct station_status *station, const struct table_style *style, FILE *f,
                               bool *begun)
{
        int r = 0;

        for (size_t i = 0; r == 0 && style->width > 0 && i < station->n_slots; i++) {
                const struct slot_status *slot = &station->slots[i];
                _cleanup_(freep) char *last = NULL;

                if (slot->phase != PHASE_FAILED && slot->phase != PHASE_STUCK &&
                    slot->phase != PHASE_UNUSABLE)
                        continue;
                last = status_last(style, slot);
                r = last ? print_trouble(f, slot->slot, last, begun) : -ENOMEM;
        }
        return r;
}

static int print_troubles(const struct station_status *station, const struct table_style *style, FILE *f)
{
        bool begun = false;
        int r = print_slot_troubles(station, style, f, &begun);

        for (size_t i = 0; r == 0 && i < station->n_policies; i++) {
                const struct policy_status *policy = &station->policies[i];
                _cleanup_(freep) char *what = NULL;

                if (!policy->unusable)
                        continue;
                if (asprintf(&what, "policy %s cannot be used", policy->name) < 0)
                        return what = NULL, -ENOMEM;
                r = print_trouble(f, what, policy->unusable, &begun);
        }
        if (r == 0 && station->ledger_trouble)
                r = print_trouble(f, "attempts cannot be recorded", station->ledger_trouble, &begun);
        if (r == 0 && station->lagging)
                r = print_trouble(f, "who copies the ledger lags", station->lagging, &begun);
        if (r == 0 && station->config_error)
                r = print_trouble(f, "the last reload was refused, the configuration before it is in force",
                                  station->config_error, &begun);
        return r;
}

int status_table_render(const struct station_status *station, const struct table_style *style, char **ret)
{
        _cleanup_(freep) char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        int r;

        if (!f)
                return -ENOMEM;
        r = print_header(station, style, f);
        if (r == 0)
                r = print_slots(station, style, NULL, f);
        if (r == 0)
                r = print_troubles(station, style, f);
        if (fclose(f) == EOF && r == 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        *ret = take_ptr(text);
        return 0;
}

int status_table_rows(const struct station_status *station, const struct table_style *style,
                      const struct table_choice *choice, FILE *f)
{
        return print_slots(station, style, choice, f);
}
