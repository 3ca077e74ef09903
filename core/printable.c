/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/printable.h"

static bool is_continuation(char c)
{
        return ((uint8_t)c & 0xc0) == 0x80;
}

/* Bytes of the printable character at s, 0 if there is none. The NUL at the end is no continuation, so nothing is
 * read behind it. RFC 3629, section 4: no overlong form, no surrogate, nothing above U+10FFFF. */
static size_t printable_length(const char *s)
{
        uint8_t a = (uint8_t)s[0], b;

        if (a < 0x80)
                return a >= 0x20 && a != 0x7f;
        if (a < 0xc2 || a > 0xf4 || !is_continuation(s[1]))
                return 0;
        b = (uint8_t)s[1];
        if (a == 0xc2 && b < 0xa0) /* U+0080 to U+009F: control characters */
                return 0;
        if (a < 0xe0)
                return 2;
        if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) || (a == 0xf0 && b < 0x90) ||
            (a == 0xf4 && b > 0x8f) || !is_continuation(s[2]))
                return 0;
        if (a < 0xf0)
                return 3;
        return is_continuation(s[3]) ? 4 : 0;
}

bool is_printable(const char *s)
{
        while (*s) {
                size_t n = printable_length(s);

                if (n == 0)
                        return false;
                s += n;
        }
        return true;
}

void make_printable(char *s)
{
        while (*s) {
                size_t n = printable_length(s);

                if (n == 0) {
                        *s = '?';
                        n = 1;
                }
                s += n;
        }
}
