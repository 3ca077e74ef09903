/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/printable.h"
#include "core/utf8.h"

/* Bytes of the printable character at the start of s, 0 if there is none. */
static size_t printable_length(const char *s, bool may_be_unseen)
{
        uint32_t c;
        size_t n = utf8_decode(s, strnlen(s, 4), &c);

        return n > 0 && !utf8_is_control(c) && (may_be_unseen || !utf8_is_unseen(c)) ? n : 0;
}

bool is_printable(const char *s)
{
        while (*s) {
                size_t n = printable_length(s, true);

                if (n == 0)
                        return false;
                s += n;
        }
        return true;
}

void make_printable(char *s)
{
        while (*s) {
                size_t n = printable_length(s, false);

                if (n == 0) {
                        *s = '?';
                        n = 1;
                }
                s += n;
        }
}
