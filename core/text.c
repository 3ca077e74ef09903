/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/text.h"

#include <stdio.h>

/* The length in bytes of the character at the start of s, and its code point; 0 if there is no valid one. The
 * terminating NUL ends every sequence that is cut short. */
static size_t decode(const char *s, uint32_t *ret)
{
        const uint8_t *b = (const uint8_t *)s;
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t length = b[0] < 0x80         ? 1
                        : b[0] >> 5 == 0x6  ? 2
                        : b[0] >> 4 == 0xe  ? 3
                        : b[0] >> 3 == 0x1e ? 4
                                            : 0;
        uint32_t code;

        if (length == 0)
                return 0;
        code = length == 1 ? b[0] : b[0] & (0x7fU >> length);
        for (size_t i = 1; i < length; i++) {
                if (b[i] >> 6 != 0x2)
                        return 0;
                code = code << 6 | (b[i] & 0x3f);
        }
        if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                return 0;
        *ret = code;
        return length;
}

static bool is_dangerous(uint32_t code)
{
        return code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0x200b && code <= 0x200f) ||
               (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

char *text_to_utf8(const char *s, size_t max)
{
        static const char replacement[] = "\xef\xbf\xbd";
        size_t used = 0, size = MIN(strlen(s), max) * 3 + 1;
        char *text = malloc(size);

        if (!text)
                return NULL;
        for (size_t i = 0; s[i];) {
                uint32_t code;
                size_t length = decode(s + i, &code);
                const char *from = length > 0 ? s + i : replacement;
                size_t n = length > 0 ? length : sizeof(replacement) - 1;

                if (used + n > max)
                        break;
                memcpy(text + used, from, n);
                used += n;
                i += MAX(length, (size_t)1);
        }
        text[used] = '\0';
        return text;
}

char *text_escape(const char *s)
{
        size_t used = 0, size = strlen(s) * 4 + 1;
        char *text = malloc(size);

        if (!text)
                return NULL;
        for (size_t i = 0; s[i];) {
                uint32_t code = 0;
                size_t length = decode(s + i, &code);
                bool plain = length > 0 && !is_dangerous(code);

                for (size_t n = MAX(length, (size_t)1); n > 0; n--, i++)
                        if (plain)
                                text[used++] = s[i];
                        else
                                used += (size_t)snprintf(text + used, size - used, "<%02x>", (uint8_t)s[i]);
        }
        text[used] = '\0';
        return text;
}
