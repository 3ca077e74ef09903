/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fnmatch.h>

#include "core/glob.h"

static const char *const classes[] = {
        "alnum", "alpha", "blank", "cntrl", "digit", "graph",
        "lower", "print", "punct", "space", "upper", "xdigit",
};

/* s is behind "[:". Returns what is behind ":]", or NULL if there is no class of that name. */
static const char *skip_class(const char *s)
{
        for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
                size_t n = strlen(classes[i]);

                if (str_has_prefix(s, classes[i]) && str_has_prefix(s + n, ":]"))
                        return s + n + 2;
        }
        return NULL;
}

/* One member of a set: a character, perhaps escaped. Returns what is behind it, or NULL at the end. */
static const char *skip_member(const char *s, char *ret)
{
        if (*s == '\\')
                s++;
        if (*s == '\0')
                return NULL;
        *ret = *s;
        return s + 1;
}

/* s is behind the [. *ret is what is behind the ]. */
static const char *set_fault(const char *s, const char **ret)
{
        static const char open[] = "a [ without its ]";

        if (*s == '!' || *s == '^')
                s++;
        for (bool first = true; first || *s != ']'; first = false) {
                char from = 0, to = 0;

                if (str_has_prefix(s, "[:")) {
                        s = skip_class(s + 2);
                        if (!s)
                                return "a [: without a known class and :]";
                        continue;
                }
                if (str_has_prefix(s, "[.") || str_has_prefix(s, "[="))
                        return "a collating symbol";
                s = skip_member(s, &from);
                if (!s)
                        return open;
                if (*s != '-' || s[1] == ']')
                        continue;
                s = skip_member(s + 1, &to);
                if (!s)
                        return open;
                if ((unsigned char)to < (unsigned char)from)
                        return "a range that runs backwards";
        }
        *ret = s + 1;
        return NULL;
}

const char *glob_fault(const char *glob)
{
        if (*glob == '\0')
                return "empty";
        for (const char *s = glob; *s;) {
                const char *fault = NULL;

                if (*s == '\\' && s[1] == '\0')
                        return "a \\ at its end";
                if (*s == '[')
                        fault = set_fault(s + 1, &s);
                else
                        s += *s == '\\' ? 2 : 1;
                if (fault)
                        return fault;
        }
        return NULL;
}

bool glob_is_glob(const char *text)
{
        return strpbrk(text, "*?[]\\") != NULL;
}

bool glob_matches(const char *glob, const char *text)
{
        return fnmatch(glob, text, 0) == 0;
}

bool glob_matches_any_case(const char *glob, const char *text)
{
        return fnmatch(glob, text, FNM_CASEFOLD) == 0;
}
