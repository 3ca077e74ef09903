/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/csv.h"

/* Spreadsheets of East Asia take the full-width signs for the same. */
static bool begins_a_formula(const char *text)
{
        static const char *const wide[] = { "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0" };
        unsigned char first = (unsigned char)text[0];

        if (first == '\0')
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(wide); i++)
                if (str_has_prefix(text, wide[i]))
                        return true;
        return first < 0x20 || first == 0x7f || strchr("=+-@", first);
}

static int put(struct bytes *out, const char *text)
{
        return bytes_append(out, text, strlen(text));
}

int csv_text(struct bytes *out, const char *text)
{
        bool quoted = strpbrk(text, ",\"\r\n") || text[0] == ' ';
        int r = 0;

        if (quoted)
                r = put(out, "\"");
        if (r == 0 && begins_a_formula(text))
                r = put(out, "'");
        for (; r == 0 && *text; text++)
                r = bytes_append(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
        if (r == 0 && quoted)
                r = put(out, "\"");
        return r;
}
