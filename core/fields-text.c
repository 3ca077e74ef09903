/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same JSON as fields.c has it, as text at once: of a full station's progress, ten times a second, making and printing
 * objects was the dearest part.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/fields.h"
#include "core/text.h"

static int print(struct bytes *out, const char *text)
{
        return bytes_append(out, text, strlen(text));
}

static int print_number(struct bytes *out, uint64_t v)
{
        char digits[20]; /* of INT64_MAX: 19 */
        size_t at = sizeof(digits);

        v = MIN(v, (uint64_t)INT64_MAX);
        do
                digits[--at] = (char)('0' + v % 10);
        while (v /= 10);
        return bytes_append(out, digits + at, sizeof(digits) - at);
}

static int print_signed(struct bytes *out, int64_t v)
{
        int r = v < 0 ? print(out, "-") : 0;

        return r < 0 ? r : print_number(out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/* How much of s can stand between quotation marks as it is; all of it, most often. */
static size_t plain_length(const char *s)
{
        size_t n = 0;

        while (s[n] >= 0x20 && s[n] != 0x7f && s[n] != '"' && s[n] != '\\')
                n++;
        return n;
}

/* s is UTF-8. */
static int print_escaped(struct bytes *out, const char *s)
{
        for (; *s; s++) {
                char escape[8] = { *s };

                if (*s == '"' || *s == '\\')
                        snprintf(escape, sizeof(escape), "\\%c", *s);
                else if ((uint8_t)*s < 0x20)
                        snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)(uint8_t)*s);
                if (print(out, escape) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int print_text(struct bytes *out, const char *s)
{
        _cleanup_(freep) char *text = NULL;
        size_t n = plain_length(s);
        int r = print(out, "\"");

        if (r == 0 && s[n] == '\0' && n <= FIELD_TEXT_MAX) {
                r = bytes_append(out, s, n);
        } else if (r == 0) {
                text = text_to_utf8(s, FIELD_TEXT_MAX);
                r = text ? print_escaped(out, text) : -ENOMEM;
        }
        return r < 0 ? r : print(out, "\"");
}

static int print_text_or_null(struct bytes *out, const char *s)
{
        return s ? print_text(out, s) : print(out, "null");
}

static int print_number_unless(struct bytes *out, uint64_t v, uint64_t nothing)
{
        return v == nothing ? print(out, "null") : print_number(out, v);
}

static int print_field(struct bytes *out, enum field_type type, const void *p)
{
        switch (type) {
        case FIELD_TEXT:
                return print_text(out, *(char *const *)p ? *(char *const *)p : "");
        case FIELD_TEXT_OR_NULL:
                return print_text_or_null(out, *(char *const *)p);
        case FIELD_BOOL:
                return print(out, *(const bool *)p ? "true" : "false");
        case FIELD_UNSIGNED:
                return print_number(out, *(const unsigned *)p);
        case FIELD_U64:
                return print_number(out, *(const uint64_t *)p);
        case FIELD_U64_OR_NULL:
                return print_number_unless(out, *(const uint64_t *)p, 0);
        case FIELD_USEC_OR_NULL:
                return print_number_unless(out, *(const uint64_t *)p, USEC_INFINITY);
        case FIELD_I64:
                return print_signed(out, *(const int64_t *)p);
        case FIELD_I64_OR_NULL:
                return *(const int64_t *)p == 0 ? print(out, "null") : print_signed(out, *(const int64_t *)p);
        case FIELD_PHASE:
                return print_text(out, phase_to_string(*(const enum phase *)p));
        case FIELD_VERDICT:
                return print_text(out, verdict_to_string(*(const enum verdict *)p));
        }
        return -EINVAL;
}

int fields_to_text(const struct field *fields, size_t n_fields, const void *structure, struct bytes *out)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < n_fields; i++) {
                r = print(out, i == 0 ? "{\"" : ",\"");
                if (r == 0)
                        r = print(out, fields[i].name);
                if (r == 0)
                        r = print(out, "\":");
                if (r == 0)
                        r = print_field(out, fields[i].type, (const uint8_t *)structure + fields[i].offset);
        }
        return r < 0 ? r : print(out, "}");
}

int fields_array_to_text(const struct field *fields, size_t n_fields, const void *items, size_t n,
                         size_t size, struct bytes *out)
{
        int r = print(out, "[");

        for (size_t i = 0; r == 0 && i < n; i++) {
                r = i == 0 ? 0 : print(out, ",");
                if (r == 0)
                        r = fields_to_text(fields, n_fields, (const uint8_t *)items + i * size, out);
        }
        return r < 0 ? r : print(out, "]");
}

int strings_to_text(char *const *strings, size_t n, struct bytes *out)
{
        int r = print(out, "[");

        for (size_t i = 0; r == 0 && i < n; i++) {
                r = i == 0 ? 0 : print(out, ",");
                if (r == 0)
                        r = print_text_or_null(out, strings[i]);
        }
        return r < 0 ? r : print(out, "]");
}
