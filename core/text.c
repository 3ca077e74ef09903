/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/text.h"

#include <stdio.h>

#include "core/utf8.h"

char *text_to_utf8(const char *s, size_t max)
{
        static const char replacement[] = "\xef\xbf\xbd";
        size_t length = strlen(s), used = 0, size = MIN(length, max) * 3 + 1;
        char *text = malloc(size);

        if (!text)
                return NULL;
        for (size_t i = 0; s[i];) {
                uint32_t code;
                size_t one = utf8_decode(s + i, length - i, &code);
                const char *from = one > 0 ? s + i : replacement;
                size_t n = one > 0 ? one : sizeof(replacement) - 1;

                if (used + n > max)
                        break;
                memcpy(text + used, from, n);
                used += n;
                i += MAX(one, (size_t)1);
        }
        text[used] = '\0';
        return text;
}

char *text_escape(const char *s)
{
        size_t length = strlen(s), used = 0, size = length * 4 + 1;
        char *text = malloc(size);

        if (!text)
                return NULL;
        for (size_t i = 0; s[i];) {
                uint32_t code = 0;
                size_t one = utf8_decode(s + i, length - i, &code);
                bool plain = one > 0 && !utf8_is_control(code) && !utf8_is_unseen(code);

                for (size_t n = MAX(one, (size_t)1); n > 0; n--, i++)
                        if (plain)
                                text[used++] = s[i];
                        else
                                used += (size_t)snprintf(text + used, size - used, "<%02x>", (uint8_t)s[i]);
        }
        text[used] = '\0';
        return text;
}

char *text_quote_for_shell(const char *s)
{
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@+-";
        size_t length = strlen(s), used = 0;
        char *text;

        if (length > 0 && strspn(s, plain) == length)
                return strdup(s);
        text = malloc(length * 4 + 3);
        if (!text)
                return NULL;
        text[used++] = '\'';
        for (; *s; s++)
                if (*s == '\'') {
                        memcpy(text + used, "'\\''", 4);
                        used += 4;
                } else {
                        text[used++] = *s;
                }
        text[used++] = '\'';
        text[used] = '\0';
        return text;
}
