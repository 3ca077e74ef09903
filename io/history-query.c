/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/history-query.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "core/time-words.h"
#include "core/verdict.h"

#define MAC_TEXT_SIZE sizeof("7c:df:a1:0b:00:12")

struct reading {
        const char *prefix;
        json_t *parameters;
        char *why;
};

static int wrong(struct reading *r, const char *format, ...) _printf_(2, 3);

static int wrong(struct reading *r, const char *format, ...)
{
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&r->why, format, ap);
        va_end(ap);
        if (n < 0) {
                r->why = NULL;
                return -ENOMEM;
        }
        return HISTORY_QUERY_WRONG;
}

/* The day that is days_back before the one that now is in. */
static bool fill_day(const struct time_words *words, time_t now, struct tm *tm)
{
        if (!(words->utc ? gmtime_r(&now, tm) : localtime_r(&now, tm)))
                return false;
        tm->tm_mday -= (int)words->days_back; /* mktime() takes the 0th for the last of the month before */
        return true;
}

/* As of now; false where there is no such time. */
static bool resolve(const struct time_words *words, uint64_t *ret)
{
        time_t now = time(NULL), then;
        struct tm tm = { 0 };

        if (words->ago) {
                uint64_t now_usec = (uint64_t)now * USEC_PER_SEC;

                *ret = words->ago_usec < now_usec ? now_usec - words->ago_usec : 0;
                return true;
        }
        if (words->year > 0) {
                tm.tm_year = (int)words->year - 1900;
                tm.tm_mon = (int)words->month - 1;
                tm.tm_mday = (int)words->day;
        } else if (!fill_day(words, now, &tm)) {
                return false;
        }
        tm.tm_hour = (int)words->hour;
        tm.tm_min = (int)words->minute;
        tm.tm_sec = (int)words->second;
        tm.tm_isdst = -1;
        then = words->utc ? timegm(&tm) : mktime(&tm);
        if (then < 0)
                return false;
        *ret = (uint64_t)then * USEC_PER_SEC;
        return true;
}

static int add_time(struct reading *r, const char *option, const char *text, const char *name, uint64_t *ret)
{
        struct time_words words;

        *ret = 0;
        if (!text)
                return 0;
        if (time_words_parse(text, &words) < 0 || !resolve(&words, ret))
                return wrong(r, "%s%s %s: %s", r->prefix, option, text, TIME_WORDS_EXPECTED);
        return json_object_set_new(r->parameters, name, json_integer((json_int_t)*ret)) == 0 ? 0 : -ENOMEM;
}

static int add_text(struct reading *r, const char *name, const char *text)
{
        if (!text)
                return 0;
        if (*text && json_object_set_new(r->parameters, name, json_string(text)) == 0)
                return 0;
        return wrong(r, "%s%s '%s': expected %s", r->prefix, name, text, *text ? "UTF-8" : "a text");
}

/* Six bytes in hexadecimal, with or without something between them, as they stand on labels; the ledger has them in lower
 * case and with colons. */
static bool parse_mac(const char *text, char ret[static MAC_TEXT_SIZE])
{
        size_t n = 0;

        for (; *text; text++) {
                bool between = n > 0 && n % 3 == 0 && text[-1] != ':' && text[-1] != '-';

                if (isxdigit((unsigned char)*text) && n + 1 < MAC_TEXT_SIZE) {
                        ret[n++] = (char)tolower((unsigned char)*text);
                        if (n % 3 == 2 && n + 1 < MAC_TEXT_SIZE)
                                ret[n++] = ':';
                } else if ((*text != ':' && *text != '-') || !between) {
                        return false;
                }
        }
        ret[n] = '\0';
        return n + 1 == MAC_TEXT_SIZE;
}

static int add_mac(struct reading *r, const char *mac)
{
        char text[MAC_TEXT_SIZE];

        if (!mac)
                return 0;
        if (!parse_mac(mac, text))
                return wrong(r, "%smac %s: expected a MAC such as 7c:df:a1:0b:00:12", r->prefix, mac);
        return add_text(r, "mac", text);
}

static int add_verdict(struct reading *r, const char *word)
{
        char words[512], dashed[32];
        size_t n = 0;

        if (!word)
                return 0;
        /* As tables print it, too: "board error". */
        snprintf(dashed, sizeof(dashed), "%s", word);
        for (char *blank = dashed; (blank = strchr(blank, ' '));)
                *blank = '-';
        if (verdict_from_string(dashed) >= 0)
                return add_text(r, "verdict", dashed);
        for (enum verdict v = VERDICT_NONE; v < VERDICT_MAX_ && n < sizeof(words); v++)
                n += (size_t)snprintf(words + n, sizeof(words) - n, "%s%s",
                                      v == VERDICT_NONE       ? ""
                                      : v + 1 == VERDICT_MAX_ ? " or "
                                                              : ", ",
                                      verdict_to_string(v));
        return wrong(r, "%sverdict %s: expected %s", r->prefix, word, words);
}

static int add_times(struct reading *r, const struct history_query *q)
{
        uint64_t since = 0, until = 0;
        int status = add_time(r, "since", q->since, "since_realtime_usec", &since);

        if (status == 0)
                status = add_time(r, "until", q->until, "until_realtime_usec", &until);
        if (status == 0 && q->since && q->until && since >= until)
                status = wrong(r, "%ssince %s: expected a time before %suntil %s", r->prefix, q->since,
                               r->prefix, q->until);
        return status;
}

int history_query_parameters(const struct history_query *q, const char *prefix, json_t **ret, char **ret_why)
{
        struct reading reading = { .prefix = prefix, .parameters = json_object() };
        int r = reading.parameters ? add_text(&reading, "slot", q->slot) : -ENOMEM;

        if (r == 0)
                r = add_text(&reading, "image", q->image);
        if (r == 0)
                r = add_mac(&reading, q->mac);
        if (r == 0)
                r = add_verdict(&reading, q->verdict);
        if (r == 0)
                r = add_times(&reading, q);
        if (r == 0) {
                *ret = reading.parameters;
                return 0;
        }
        json_decref(reading.parameters);
        if (r == HISTORY_QUERY_WRONG)
                *ret_why = reading.why;
        return r;
}
