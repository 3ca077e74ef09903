/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/time-words.h"

#define YEAR_MIN 1970
#define YEAR_MAX 2999
#define DIGITS   "0123456789"

/* Exactly n digits at *text, which goes on behind them. */
static bool take_number(const char **text, size_t n, unsigned min, unsigned max, unsigned *ret)
{
        unsigned value = 0;

        if (strspn(*text, DIGITS) != n)
                return false;
        for (size_t i = 0; i < n; i++)
                value = value * 10 + (unsigned)((*text)[i] - '0');
        if (value < min || value > max)
                return false;
        *text += n;
        *ret = value;
        return true;
}

static bool take_text(const char **text, const char *word)
{
        if (!str_has_prefix(*text, word))
                return false;
        *text += strlen(word);
        return true;
}

static unsigned days_of(unsigned year, unsigned month)
{
        static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return days[month - 1] + (leap && month == 2);
}

static bool take_date(const char **text, struct time_words *t)
{
        if (take_text(text, "today"))
                return true;
        if (take_text(text, "yesterday")) {
                t->days_back = 1;
                return true;
        }
        return take_number(text, 4, YEAR_MIN, YEAR_MAX, &t->year) && take_text(text, "-") &&
               take_number(text, 2, 1, 12, &t->month) && take_text(text, "-") &&
               take_number(text, 2, 1, days_of(t->year, t->month), &t->day);
}

static bool take_time_of_day(const char **text, struct time_words *t)
{
        return take_number(text, 2, 0, 23, &t->hour) && take_text(text, ":") &&
               take_number(text, 2, 0, 59, &t->minute) &&
               (!take_text(text, ":") || take_number(text, 2, 0, 59, &t->second));
}

static int parse_ago(const char *text, struct time_words *ret)
{
        static const struct {
                const char *unit;
                uint64_t seconds;
        } units[] = {
                { "s", 1 }, { "min", 60 }, { "h", 3600 }, { "d", 86400 }, { "w", 7 * 86400 },
        };
        size_t digits = strspn(text, DIGITS);
        unsigned n;

        if (digits == 0 || digits > 7 || !take_number(&text, digits, 0, 9999999, &n))
                return -EINVAL;
        text += strspn(text, " ");
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
                if (streq(text, units[i].unit)) {
                        *ret = (struct time_words){ .ago = true,
                                                    .ago_usec = n * units[i].seconds * USEC_PER_SEC };
                        return 0;
                }
        return -EINVAL;
}

int time_words_parse(const char *text, struct time_words *ret)
{
        struct time_words t = { 0 };
        const char *at = text;

        if (!take_date(&at, &t))
                return parse_ago(text, ret);
        if ((*at == ' ' || *at == 'T') && strchr(DIGITS, at[1]) && at[1]) {
                at++;
                if (!take_time_of_day(&at, &t))
                        return -EINVAL;
        }
        at += strspn(at, " ");
        t.utc = take_text(&at, "Z") || take_text(&at, "UTC");
        if (*at)
                return -EINVAL;
        *ret = t;
        return 0;
}
