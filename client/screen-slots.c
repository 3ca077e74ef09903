/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <inttypes.h>

#include "client/screen-internal.h"
#include "core/text.h"
#include "show/columns.h"
#include "show/status-table.h"

#define PHASE_WIDTH   13 /* " DOWNLOADING " */
#define PERCENT_WIDTH 5
#define RATE_WIDTH    8
#define LEFT_WIDTH    6
#define BAR_MIN       10
#define BAR_MAX       40
#define SLOT_MAX      16
#define GAP           2
#define HOUR          (3600 * USEC_PER_SEC)

/* ---- phases: what they look like, and what comes first where there is no room for all ---- */

enum rank { RANK_FAILED, RANK_ASKS, RANK_RUNNING, RANK_WAITING, RANK_DONE, RANK_EMPTY, RANK_MAX_ };

static enum rank phase_rank(enum phase phase)
{
        switch (phase) {
        case PHASE_FAILED:
        case PHASE_STUCK:
        case PHASE_UNUSABLE:
                return RANK_FAILED;
        case PHASE_NO_POLICY:
        case PHASE_HELD:
        case PHASE_CANCELLED:
                return RANK_ASKS;
        case PHASE_DETACHING:
        case PHASE_DOWNLOADING:
        case PHASE_VERIFYING:
        case PHASE_RESETTING:
                return RANK_RUNNING;
        case PHASE_QUEUED:
                return RANK_WAITING;
        case PHASE_FLASHED:
        case PHASE_IGNORED:
                return RANK_DONE;
        case PHASE_EMPTY:
        case PHASE_MAX_:
                return RANK_EMPTY;
        }
        return RANK_EMPTY;
}

static const char *phase_colour(enum phase phase)
{
        static const char *const colours[RANK_MAX_] = {
                [RANK_FAILED] = RED, [RANK_ASKS] = YELLOW, [RANK_RUNNING] = CYAN
        };

        return phase == PHASE_FLASHED ? GREEN : colours[phase_rank(phase)];
}

/* "NO POLICY" */
static char *phase_capitals(enum phase phase)
{
        char *word = format_word(phase_to_string(phase));

        for (char *p = word; p && *p; p++)
                *p = (char)toupper((unsigned char)*p);
        return word;
}

/* ---- one slot ---- */

struct layout {
        size_t slot, phase, bar, percent, rate, left, text; /* widths; 0: not there */
};

/* What is most needed first: slot, phase, percent, bar, then rate and time left, then the text. */
static struct layout lay_out(const struct screen *s)
{
        struct layout l = { 0 };
        size_t width = s->style.width, beside = width > PHASE_WIDTH + 1 ? width - PHASE_WIDTH - 1 : 1, rest;

        for (size_t i = 0; i < s->station->n_slots; i++)
                l.slot = MAX(l.slot, columns_of(s->station->slots[i].slot));
        l.slot = MIN(l.slot, beside);
        l.slot = MIN(l.slot, (size_t)SLOT_MAX);
        l.phase = MIN((size_t)PHASE_WIDTH, width - l.slot - 1);
        rest = width - l.slot - 1 - l.phase;
        if (rest < GAP + PERCENT_WIDTH)
                return l;
        l.percent = PERCENT_WIDTH;
        rest -= GAP + PERCENT_WIDTH;
        if (rest >= GAP + BAR_MIN) {
                l.bar = MAX((size_t)BAR_MIN, rest / 3);
                l.bar = MIN((size_t)BAR_MAX, l.bar);
                rest -= GAP + l.bar;
        }
        if (rest >= GAP + RATE_WIDTH + GAP + LEFT_WIDTH) {
                l.rate = RATE_WIDTH;
                l.left = LEFT_WIDTH;
                rest -= GAP + RATE_WIDTH + GAP + LEFT_WIDTH;
        }
        l.text = rest > GAP ? rest - GAP : 0;
        return l;
}

static void put_bar(FILE *f, const struct screen *s, double share, size_t width)
{
        static const char *const eighths[] = { "",       "\u258f", "\u258e", "\u258d",
                                               "\u258c", "\u258b", "\u258a", "\u2589" };
        size_t parts = (size_t)(share * (double)width * 8), cells = parts / 8;

        fprintf(f, "%*s", GAP, "");
        if (!s->style.utf8) {
                fputc('[', f);
                cells = (size_t)(share * (double)(width - 2));
                for (size_t i = 0; i + 2 < width; i++)
                        fputc(i < cells ? '#' : '.', f);
                fputc(']', f);
                return;
        }
        for (size_t i = 0; i < width; i++)
                fputs(i < cells ? "\u2588" : i == cells && parts % 8 != 0 ? eighths[parts % 8] : "\u00b7", f);
}

/* A cell with what may be nothing, in ASCII. */
static void put_right(FILE *f, const char *text, size_t width)
{
        if (width > 0)
                fprintf(f, "%*s%*.*s", GAP, "", (int)width, (int)width, text);
}

/* Over an hour whole hours will do. */
static char *format_left(uint64_t usec)
{
        char *text;

        if (usec == USEC_INFINITY)
                return strdup("");
        if (usec < HOUR)
                return format_span(usec);
        return asprintf(&text, "%" PRIu64 " h", usec / HOUR) < 0 ? NULL : text;
}

static int put_progress(FILE *f, const struct screen *s, const struct slot_status *slot,
                        const struct layout *l)
{
        double share = slot->bytes_total == 0 ? 0
                       : slot->bytes_done >= slot->bytes_total
                               ? 1
                               : (double)slot->bytes_done / (double)slot->bytes_total;
        _cleanup_(freep) char *bytes = format_bytes(slot->rate);
        _cleanup_(freep) char *left = format_left(slot->left_usec);
        char percent[16], rate[64] = "";

        if (!bytes || !left)
                return -ENOMEM;
        snprintf(percent, sizeof(percent), "%u %%", (unsigned)(share * 100));
        if (slot->rate > 0)
                snprintf(rate, sizeof(rate), "%s/s", bytes);
        if (l->bar > 0)
                put_bar(f, s, share, l->bar);
        put_right(f, percent, l->percent);
        put_right(f, rate, l->rate);
        put_right(f, left, l->left);
        return 0;
}

/* "gizmo 1.4.2 + unit-9.bin  attempt 2/3  7c:df:a1:0b:00:12": what is flashed, as far as there is room. */
static char *work_text(const struct slot_status *slot)
{
        _cleanup_(freep) char *image = format_contents(slot);
        char try[48] = "", *text;

        if (!image)
                return NULL;
        if (slot->attempt > 1)
                snprintf(try, sizeof(try), "attempt %u/%u", slot->attempt, slot->attempts_max);
        return asprintf(&text, "%s%s%s%s%s", image, *image && *try ? "  " : "", try, slot->mac ? "  " : "",
                        slot->mac ? slot->mac : "") < 0
                       ? NULL
                       : text;
}

/* Why it is as it is, and of a flashed one what it got. */
static char *rest_text(const struct screen *s, const struct slot_status *slot)
{
        _cleanup_(freep) char *last = status_last(&s->style, slot);
        _cleanup_(freep) char *image = format_contents(slot);
        char *text;

        if (!last || !image)
                return NULL;
        if (slot->phase != PHASE_FLASHED || !*image)
                return take_ptr(last);
        return asprintf(&text, "%s  %s", image, last) < 0 ? NULL : text;
}

static int put_slot(FILE *f, const struct screen *s, const struct slot_status *slot, const struct layout *l)
{
        bool works = phase_is_running(slot->phase);
        _cleanup_(freep) char *name = text_escape(slot->slot);
        _cleanup_(freep) char *word = phase_capitals(slot->phase);
        _cleanup_(freep) char *text = works ? work_text(slot) : rest_text(s, slot);
        _cleanup_(freep) char *escaped = text ? text_escape(text) : NULL;
        size_t used = l->slot + 1 + l->phase, room = works ? l->text : s->style.width - used;
        int r = 0;

        if (!name || !word || !escaped)
                return -ENOMEM;
        screen_put(f, s, BOLD, name, l->slot);
        fputc(' ', f);
        if (s->style.colour && !s->gone && phase_colour(slot->phase))
                fputs(phase_colour(slot->phase), f);
        if (l->phase > 0) /* a blank before the word, so that its colour frames it */
                fputc(' ', f);
        columns_put(f, word, l->phase > 0 ? l->phase - 1 : 0, s->style.utf8);
        if (s->style.colour)
                fputs(PLAIN, f);
        if (works && l->percent > 0)
                r = put_progress(f, s, slot, l);
        if (r == 0 && room > GAP && *escaped) {
                fprintf(f, "%*s", GAP, "");
                room -= works ? 0 : GAP;
                columns_put(f, escaped, MIN(room, columns_of(escaped)), s->style.utf8);
        }
        fputc('\n', f);
        return r;
}

/* ---- which slots ---- */

int screen_put_slots(FILE *f, const struct screen *s, size_t lines)
{
        const struct station_status *station = s->station;
        const struct layout l = lay_out(s);
        size_t room = station->n_slots > lines ? lines - 1 : lines;
        size_t of_rank[RANK_MAX_] = { 0 }, hidden[PHASE_MAX_ + 1] = { 0 }, n_hidden = 0;
        char list[512] = "";
        size_t used = 0;
        int r = 0;

        for (size_t i = 0; i < station->n_slots; i++)
                of_rank[phase_rank(station->slots[i].phase)]++;
        for (enum rank rank = 0; rank < RANK_MAX_; rank++) {
                of_rank[rank] = MIN(of_rank[rank], room);
                room -= of_rank[rank];
        }
        for (size_t i = 0; r == 0 && i < station->n_slots; i++) {
                const struct slot_status *slot = &station->slots[i];

                if (of_rank[phase_rank(slot->phase)] > 0) {
                        of_rank[phase_rank(slot->phase)]--;
                        r = put_slot(f, s, slot, &l);
                } else {
                        hidden[slot->phase]++;
                        n_hidden++;
                }
        }
        if (r < 0 || n_hidden == 0)
                return r;
        for (enum phase phase = 0; phase <= PHASE_MAX_; phase++) /* the last: a word that is not known */
                if (hidden[phase] > 0 && used < sizeof(list))
                        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%zu %s",
                                                 used > 0 ? ", " : "", hidden[phase], phase_to_string(phase));
        return screen_put_line(f, s, BOLD, "%zu more: %s", n_hidden, list);
}
