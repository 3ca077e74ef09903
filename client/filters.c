/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/filters.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "core/time-words.h"

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

static int add_time(json_t *parameters, const char *option, const char *text, const char *name, uint64_t *ret)
{
        struct time_words words;

        *ret = 0;
        if (!text)
                return EXIT_DONE;
        if (time_words_parse(text, &words) < 0 || !resolve(&words, ret)) {
                client_error("%s %s: %s", option, text, TIME_WORDS_EXPECTED);
                return EXIT_USAGE;
        }
        return json_object_set_new(parameters, name, json_integer((json_int_t)*ret)) == 0
                       ? EXIT_DONE
                       : client_misread(-ENOMEM);
}

static int add_text(json_t *parameters, const char *option, const char *text, const char *name)
{
        if (!text)
                return EXIT_DONE;
        if (*text && json_object_set_new(parameters, name, json_string(text)) == 0)
                return EXIT_DONE;
        client_error("%s '%s': expected %s", option, text, *text ? "UTF-8" : "a text");
        return EXIT_USAGE;
}

/* The ledger has MACs in lower case. */
static int add_mac(json_t *parameters, const char *mac)
{
        char text[64];
        size_t i = 0;

        if (!mac)
                return EXIT_DONE;
        for (; mac[i] && i + 1 < sizeof(text); i++)
                text[i] = (char)tolower((unsigned char)mac[i]);
        text[i] = '\0';
        return add_text(parameters, "--mac", text, "mac");
}

static int add_verdict(json_t *parameters, const char *word)
{
        char words[512];
        size_t n = 0;

        if (!word || verdict_from_string(word) >= 0)
                return add_text(parameters, "--verdict", word, "verdict");
        for (enum verdict v = VERDICT_NONE; v < VERDICT_MAX_ && n < sizeof(words); v++)
                n += (size_t)snprintf(words + n, sizeof(words) - n, "%s%s",
                                      v == VERDICT_NONE       ? ""
                                      : v + 1 == VERDICT_MAX_ ? " or "
                                                              : ", ",
                                      verdict_to_string(v));
        client_error("--verdict %s: expected %s", word, words);
        return EXIT_USAGE;
}

static int add_times(json_t *parameters, const struct filter_arguments *f)
{
        uint64_t since = 0, until = 0;
        int r = add_time(parameters, "--since", f->since, "since_realtime_usec", &since);

        if (r == EXIT_DONE)
                r = add_time(parameters, "--until", f->until, "until_realtime_usec", &until);
        if (r == EXIT_DONE && f->since && f->until && since >= until) {
                client_error("--since %s: expected a time before --until %s", f->since, f->until);
                r = EXIT_USAGE;
        }
        return r;
}

int filter_parameters(const struct filter_arguments *f, json_t **ret)
{
        json_t *parameters = json_object();
        int r = parameters ? add_text(parameters, "--slot", f->slot, "slot") : client_misread(-ENOMEM);

        if (r == EXIT_DONE)
                r = add_text(parameters, "--image", f->image, "image");
        if (r == EXIT_DONE)
                r = add_mac(parameters, f->mac);
        if (r == EXIT_DONE)
                r = add_verdict(parameters, f->verdict);
        if (r == EXIT_DONE)
                r = add_times(parameters, f);
        if (r != EXIT_DONE) {
                json_decref(parameters);
                return r;
        }
        *ret = parameters;
        return EXIT_DONE;
}
