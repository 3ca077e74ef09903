/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/screen.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "client/screen-internal.h"
#include "core/text.h"
#include "show/columns.h"

#define FAILURES_SHOWN 5
#define FAILURES_FEW   2  /* where slots want the lines */
#define HEIGHT_ROOMY   12 /* below this no line is left blank, and slots come before failures */

void screen_put(FILE *f, const struct screen *s, const char *colour, const char *text, size_t width)
{
        bool coloured = s->style.colour && colour;

        if (coloured)
                fputs(colour, f);
        columns_put(f, text, width, s->style.utf8);
        if (coloured)
                fputs(PLAIN, f);
}

int screen_put_line(FILE *f, const struct screen *s, const char *colour, const char *fmt, ...)
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
        screen_put(f, s, colour, text, MIN(s->style.width, columns_of(text)));
        fputc('\n', f);
        return 0;
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
        screen_put(f, s, BOLD, name, used);
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
        if (r == 0 && station->lagging)
                r = add_banner(banners, n, YELLOW, " THE LEDGER IS NOT COPIED: %s", station->lagging);
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
        size_t width = s->style.width < SCREEN_NO_LIMIT ? s->style.width : columns_of(text);

        if (!text)
                return -ENOMEM;
        screen_put(f, s, banner->colour, text, width);
        fputc('\n', f);
        return 0;
}

static int put_failures(FILE *f, const struct screen *s, size_t n)
{
        int r = screen_put_line(f, s, BOLD, "LAST FAILURES");

        for (size_t i = 0; r == 0 && i < n; i++) {
                const struct failure *failure = &s->failures->list[i];
                _cleanup_(freep) char *when = format_time(&s->style, failure->realtime_usec);

                r = when ? screen_put_line(f, s, NULL, "%s  %s  %s", failure->slot, when, failure->cause)
                         : -ENOMEM;
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
                r = screen_put_line(f, s, NULL,
                                    "No slot: no board has been seen, and the configuration names none.");
        else if (r == 0)
                r = screen_put_slots(f, s, d.slots);
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

        s.style.width = s.style.width == 0 ? SCREEN_NO_LIMIT : MAX((size_t)4, s.style.width);
        s.height = s.height == 0 ? SCREEN_NO_LIMIT : MAX((size_t)2, s.height);
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
