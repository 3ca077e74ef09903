/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/screen.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "client/columns.h"
#include "client/status-table.h"
#include "core/text.h"

#define PHASE_WIDTH    13 /* " DOWNLOADING " */
#define PERCENT_WIDTH  5
#define RATE_WIDTH     8
#define LEFT_WIDTH     6
#define BAR_MIN        10
#define BAR_MAX        40
#define SLOT_MAX       16
#define GAP            2
#define FAILURES_SHOWN 5
#define FAILURES_FEW   2  /* where slots want the lines */
#define HEIGHT_ROOMY   12 /* below this no line is left blank, and slots come before failures */
#define NO_LIMIT       4096
#define HOUR           (3600 * USEC_PER_SEC)

/* ---- colours; each has a word beside it ---- */

#define PLAIN  "\033[0m"
#define RED    "\033[1;37;41m"
#define GREEN  "\033[1;30;42m"
#define YELLOW "\033[1;30;43m"
#define CYAN   "\033[1;30;46m"
#define BOLD   "\033[1m"

static void put(FILE *f, const struct screen *s, const char *colour, const char *text, size_t width)
{
        bool coloured = s->style.colour && colour;

        if (coloured)
                fputs(colour, f);
        columns_put(f, text, width, s->style.utf8);
        if (coloured)
                fputs(PLAIN, f);
}

/* A whole line, made of what may be written by others. */
static int put_line(FILE *f, const struct screen *s, const char *colour, const char *fmt, ...) _printf_(4, 5);

static int put_line(FILE *f, const struct screen *s, const char *colour, const char *fmt, ...)
{
        _cleanup_(freep) char *raw = NULL;
        _cleanup_(freep) char *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        if (vasprintf(&raw, fmt, ap) < 0)
                raw = NULL;
        va_end(ap);
        text = raw ? text_escape(raw) : NULL;
        if (!text)
                return -ENOMEM;
        put(f, s, colour, text, MIN(s->style.width, columns_of(text)));
        fputc('\n', f);
        return 0;
}

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
        put(f, s, BOLD, name, l->slot);
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

/* Puts the lines of at most lines slots; where that is not all, one line less, and what is not shown. */
static int put_slots(FILE *f, const struct screen *s, size_t lines)
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
        return put_line(f, s, BOLD, "%zu more: %s", n_hidden, list);
}

/* ---- what stands around them ---- */

/* "line3-a   1284 flashed   4 failed   running 2   …": as many as there is room for. */
static int put_header(FILE *f, const struct screen *s)
{
        const struct station_status *station = s->station;
        uint64_t boards = station->flashed_today + station->failed_today;
        _cleanup_(freep) char *name = text_escape(station->name);
        _cleanup_(freep) char *up = format_span(station->uptime_usec);
        char parts[7][64];
        size_t used, n = 0;

        if (!name || !up)
                return -ENOMEM;
        snprintf(parts[n++], 64, "%" PRIu64 " flashed today", station->flashed_today);
        snprintf(parts[n++], 64, "%" PRIu64 " failed", station->failed_today);
        snprintf(parts[n++], 64, "running %u", station->running);
        snprintf(parts[n++], 64, "waiting %u", station->waiting);
        if (boards > 0)
                snprintf(parts[n++], 64, "first pass %.1f %%",
                         100.0 * (double)station->first_pass_today / (double)boards);
        snprintf(parts[n++], 64, "%" PRIu64 " boards/h", station->flashed_last_hour);
        snprintf(parts[n++], 64, "up %s", up);
        used = MIN(columns_of(name), s->style.width);
        put(f, s, BOLD, name, used);
        for (size_t i = 0; i < n && used + 3 + strlen(parts[i]) <= s->style.width; i++) {
                fprintf(f, "   %s", parts[i]);
                used += 3 + strlen(parts[i]);
        }
        fputc('\n', f);
        return 0;
}

struct banner {
        char *text;
        const char *colour;
};

#define BANNERS_MAX 8

static int add_banner(struct banner *banners, size_t *n, const char *colour, const char *fmt, ...)
        _printf_(4, 5);

static int add_banner(struct banner *banners, size_t *n, const char *colour, const char *fmt, ...)
{
        va_list ap;
        int r;

        if (*n == BANNERS_MAX)
                return 0;
        va_start(ap, fmt);
        r = vasprintf(&banners[*n].text, fmt, ap);
        va_end(ap);
        if (r < 0)
                return -ENOMEM;
        banners[(*n)++].colour = colour;
        return 0;
}

/* What everybody must know, the worst first. */
static int find_banners(const struct screen *s, struct banner *banners, size_t *n)
{
        const struct station_status *station = s->station;
        _cleanup_(freep) char *since = format_time(&s->style, s->gone_usec);
        int r = since ? 0 : -ENOMEM;

        if (r == 0 && s->gone)
                r = add_banner(banners, n, RED,
                               " NO ESPDFUD since %s: %s. This is how it was; waiting for it.", since,
                               s->gone);
        if (r == 0 && station->ledger_trouble)
                r = add_banner(banners, n, RED, " NOTHING CAN BE RECORDED, so nothing is flashed: %s",
                               station->ledger_trouble);
        if (r == 0 && station->held)
                r = add_banner(banners, n, YELLOW, " STATION HELD: %s", station->held);
        if (r == 0 && station->config_error)
                r = add_banner(banners, n, YELLOW, " RELOAD REFUSED: %s", station->config_error);
        for (size_t i = 0; r == 0 && i < station->n_policies; i++)
                if (station->policies[i].unusable)
                        r = add_banner(banners, n, YELLOW, " POLICY %s CANNOT BE USED: %s",
                                       station->policies[i].name, station->policies[i].unusable);
        return r;
}

/* Its colour goes over the whole width. */
static int put_banner(FILE *f, const struct screen *s, const struct banner *banner)
{
        _cleanup_(freep) char *text = text_escape(banner->text);
        size_t width = s->style.width < NO_LIMIT ? s->style.width : columns_of(text);

        if (!text)
                return -ENOMEM;
        put(f, s, banner->colour, text, width);
        fputc('\n', f);
        return 0;
}

static int put_failures(FILE *f, const struct screen *s, size_t n)
{
        int r = put_line(f, s, BOLD, "LAST FAILURES");

        for (size_t i = 0; r == 0 && i < n; i++) {
                const struct failure *failure = &s->failures->list[i];
                _cleanup_(freep) char *when = format_time(&s->style, failure->realtime_usec);

                r = when ? put_line(f, s, NULL, "%s  %s  %s", failure->slot, when, failure->cause) : -ENOMEM;
        }
        return r;
}

/* How the lines are divided. */
struct division {
        size_t slots, failures;
        bool blanks;
};

/* Failures get what slots leave, and where that is little, and the screen is high, two lines all the same. */
static struct division divide(const struct screen *s, size_t n_banners)
{
        size_t slots = MAX((size_t)1, s->station->n_slots), used, left;
        struct division d = { .blanks = s->height >= HEIGHT_ROOMY };

        used = 1 + n_banners + (d.blanks ? 1 : 0);
        left = s->height > used + slots + 2 ? s->height - used - slots - 2
                                            : 0; /* below a blank and a heading */
        if (d.blanks)
                left = MAX(left, (size_t)FAILURES_FEW);
        left = MIN(left, (size_t)FAILURES_SHOWN);
        d.failures = MIN(left, s->failures->n);
        used += d.failures > 0 ? d.failures + 2 : 0;
        d.slots = s->height > used + 1 ? s->height - used : 1;
        return d;
}

static int put_all(FILE *f, const struct screen *s, const struct banner *banners, size_t n_banners)
{
        const struct division d = divide(s, n_banners);
        int r = put_header(f, s);

        for (size_t i = 0; r == 0 && i < n_banners; i++)
                r = put_banner(f, s, &banners[i]);
        if (d.blanks)
                fputc('\n', f);
        if (r == 0 && s->station->n_slots == 0)
                r = put_line(f, s, NULL,
                             "No slot: no board has been seen, and the configuration names none.");
        else if (r == 0)
                r = put_slots(f, s, d.slots);
        if (r < 0 || d.failures == 0)
                return r;
        fputc('\n', f);
        return put_failures(f, s, d.failures);
}

int screen_render(const struct screen *screen, char **ret)
{
        _cleanup_(freep) char *text = NULL;
        struct banner banners[BANNERS_MAX] = { 0 };
        struct screen s = *screen;
        size_t size, n = 0;
        FILE *f;
        int r;

        s.style.width = s.style.width == 0 ? NO_LIMIT : MAX((size_t)4, s.style.width);
        s.height = s.height == 0 ? NO_LIMIT : MAX((size_t)2, s.height);
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        r = find_banners(&s, banners, &n);
        if (r == 0)
                r = put_all(f, &s, banners, MIN(n, s.height / 3));
        for (size_t i = 0; i < n; i++)
                free(banners[i].text);
        if (fclose(f) == EOF && r == 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        *ret = take_ptr(text);
        return 0;
}
