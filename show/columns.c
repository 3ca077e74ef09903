/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show/columns.h"

#include <wchar.h>

size_t columns_of(const char *text)
{
        mbstate_t state = { 0 };
        size_t columns = 0, n;
        wchar_t c;

        for (; text && *text; text += n) {
                n = mbrtowc(&c, text, MB_CUR_MAX, &state);
                if (n == (size_t)-1 || n == (size_t)-2) {
                        state = (mbstate_t){ 0 };
                        columns += strlen("\\xNN");
                        n = 1;
                        continue;
                }
                columns += (size_t)MAX(wcwidth(c), 0);
        }
        return columns;
}

/* The bytes of the character that text begins with, and its columns; 0 bytes at the end. */
static size_t next_character(const char *text, bool utf8, size_t *ret_columns)
{
        mbstate_t state = { 0 };
        wchar_t c;
        size_t n = 1;

        *ret_columns = 1;
        if (!*text)
                return 0;
        if (!utf8 || (unsigned char)*text < 0x80) {
                while (((unsigned char)text[0] & 0x80) && ((unsigned char)text[n] & 0xc0) == 0x80)
                        n++;
                return n;
        }
        n = mbrtowc(&c, text, MB_CUR_MAX, &state);
        if (n == (size_t)-1 || n == (size_t)-2 || n == 0)
                return 1;
        *ret_columns = (size_t)MAX(wcwidth(c), 0);
        return n;
}

/* Up to width columns, or end. How many there were. */
static size_t put_up_to(FILE *f, const char *text, const char *end, size_t width, bool utf8)
{
        size_t used = 0, columns, n;

        for (; text < end && (n = next_character(text, utf8, &columns)) > 0 && used + columns <= width;
             text += n) {
                if (!utf8 && ((unsigned char)*text & 0x80))
                        fputc('?', f);
                else
                        fwrite(text, 1, n, f);
                used += columns;
        }
        return used;
}

void columns_put(FILE *f, const char *text, size_t width, bool utf8)
{
        size_t used = put_up_to(f, text, text + strlen(text), width, utf8);

        fprintf(f, "%*s", (int)(width - used), "");
}

void columns_put_lines(FILE *f, const char *text, size_t width, bool utf8)
{
        if (width == 0) {
                fputs(text, f);
                return;
        }
        while (*text) {
                size_t length = strcspn(text, "\n");

                put_up_to(f, text, text + length, width, utf8);
                text += length;
                if (*text == '\n')
                        fputc(*text++, f);
        }
}
