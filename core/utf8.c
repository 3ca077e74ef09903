/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/utf8.h"

/* By the first byte: how many follow, which bits of it count, and the least code point that needs so many. */
static const struct {
        uint8_t mask, lead;
        size_t n_follow;
        uint32_t least;
} forms[] = {
        { 0x80, 0x00, 0, 0 },
        { 0xe0, 0xc0, 1, 0x80 },
        { 0xf0, 0xe0, 2, 0x800 },
        { 0xf8, 0xf0, 3, 0x10000 },
};

static bool is_scalar(uint32_t c)
{
        return c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
}

size_t utf8_decode(const char *text, size_t len, uint32_t *ret)
{
        uint8_t first;

        if (len == 0)
                return 0;
        first = (uint8_t)text[0];
        for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
                uint32_t c = first & (uint8_t)~forms[i].mask;

                if ((first & forms[i].mask) != forms[i].lead)
                        continue;
                if (len <= forms[i].n_follow)
                        return 0;
                for (size_t k = 1; k <= forms[i].n_follow; k++) {
                        if (((uint8_t)text[k] & 0xc0) != 0x80)
                                return 0;
                        c = c << 6 | ((uint8_t)text[k] & 0x3f);
                }
                if (c < forms[i].least || !is_scalar(c))
                        return 0;
                *ret = c;
                return forms[i].n_follow + 1;
        }
        return 0;
}

bool utf8_is_control(uint32_t c)
{
        return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* What Unicode calls default ignorable, with what it reserves for more of it; separators of lines; annotation. */
static const struct {
        uint32_t first, last;
} unseen[] = {
        { 0x00ad, 0x00ad },   /* soft hyphen */
        { 0x034f, 0x034f },   /* combining grapheme joiner */
        { 0x061c, 0x061c },   /* Arabic letter mark */
        { 0x115f, 0x1160 },   /* Hangul fillers */
        { 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
        { 0x180b, 0x180f },   /* Mongolian variation selectors and vowel separator */
        { 0x200b, 0x200f },   /* zero width, marks of direction */
        { 0x2028, 0x202e },   /* separators, embeddings, overrides */
        { 0x2060, 0x206f },   /* word joiner, invisible operators, isolates, deprecated format characters */
        { 0x3164, 0x3164 },   /* Hangul filler */
        { 0xfe00, 0xfe0f },   /* variation selectors */
        { 0xfeff, 0xfeff },   /* byte order mark */
        { 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
        { 0xfff0, 0xfffb },   /* reserved as ignorable, interlinear annotation */
        { 0x1bca0, 0x1bca3 }, /* shorthand format controls */
        { 0x1d173, 0x1d17a }, /* musical beams, ties, slurs, phrases */
        { 0xe0000, 0xe0fff }, /* tags, variation selectors, reserved as ignorable */
};

bool utf8_is_unseen(uint32_t c)
{
        for (size_t i = 0; i < ARRAY_SIZE(unseen); i++)
                if (c >= unseen[i].first && c <= unseen[i].last)
                        return true;
        return false;
}
