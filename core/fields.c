/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/fields.h"

#include <limits.h>

#include "core/text.h"

static json_t *text_to_json(const char *s)
{
        _cleanup_(freep) char *text = s ? text_to_utf8(s, FIELD_TEXT_MAX) : NULL;

        if (!s)
                return json_null();
        return text ? json_string(text) : NULL;
}

static json_t *u64_to_json(uint64_t v)
{
        return json_integer((json_int_t)MIN(v, (uint64_t)INT64_MAX));
}

static json_t *field_to_json(enum field_type type, const void *p)
{
        switch (type) {
        case FIELD_TEXT:
                return text_to_json(*(char *const *)p ? *(char *const *)p : "");
        case FIELD_TEXT_OR_NULL:
                return text_to_json(*(char *const *)p);
        case FIELD_BOOL:
                return json_boolean(*(const bool *)p);
        case FIELD_UNSIGNED:
                return u64_to_json(*(const unsigned *)p);
        case FIELD_U64:
                return u64_to_json(*(const uint64_t *)p);
        case FIELD_U64_OR_NULL:
                return *(const uint64_t *)p == 0 ? json_null() : u64_to_json(*(const uint64_t *)p);
        case FIELD_USEC_OR_NULL:
                return *(const uint64_t *)p == USEC_INFINITY ? json_null()
                                                             : u64_to_json(*(const uint64_t *)p);
        case FIELD_I64:
                return json_integer(*(const int64_t *)p);
        case FIELD_I64_OR_NULL:
                return *(const int64_t *)p == 0 ? json_null() : json_integer(*(const int64_t *)p);
        case FIELD_PHASE:
                return json_string(phase_to_string(*(const enum phase *)p));
        case FIELD_VERDICT:
                return json_string(verdict_to_string(*(const enum verdict *)p));
        }
        return NULL;
}

json_t *fields_to_json(const struct field *fields, size_t n_fields, const void *structure)
{
        json_t *object = json_object();

        for (size_t i = 0; object && i < n_fields; i++) {
                const void *p = (const uint8_t *)structure + fields[i].offset;

                if (json_object_set_new(object, fields[i].name, field_to_json(fields[i].type, p)) < 0) {
                        json_decref(object);
                        return NULL;
                }
        }
        return object;
}

static int text_from_json(const json_t *value, char **ret)
{
        const char *text = json_string_value(value);

        if (!text)
                return -EPROTO;
        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}

static int number_from_json(const json_t *value, uint64_t max, uint64_t *ret)
{
        json_int_t number = json_integer_value(value);

        if (!json_is_integer(value) || number < 0 || (uint64_t)number > max)
                return -EPROTO;
        *ret = (uint64_t)number;
        return 0;
}

/* What null, or a field that is absent, means for a type; -EPROTO where it cannot be. */
static int nothing_from_json(enum field_type type, bool absent, void *p)
{
        if (type == FIELD_USEC_OR_NULL) {
                *(uint64_t *)p = USEC_INFINITY;
                return 0;
        }
        if (type == FIELD_TEXT)
                return -EPROTO;
        if (absent || type == FIELD_TEXT_OR_NULL || type == FIELD_U64_OR_NULL || type == FIELD_I64_OR_NULL)
                return 0;
        return -EPROTO;
}

static int word_from_json(const json_t *value, int (*from_string)(const char *), int unknown, int *ret)
{
        const char *word = json_string_value(value);

        if (!word)
                return -EPROTO;
        *ret = from_string(word);
        if (*ret < 0)
                *ret = unknown;
        return 0;
}

static int field_from_json(enum field_type type, const json_t *value, void *p)
{
        uint64_t number = 0;
        int r, word = 0;

        if (!value || json_is_null(value))
                return nothing_from_json(type, !value, p);
        switch (type) {
        case FIELD_TEXT:
        case FIELD_TEXT_OR_NULL:
                return text_from_json(value, p);
        case FIELD_BOOL:
                *(bool *)p = json_is_true(value);
                return json_is_boolean(value) ? 0 : -EPROTO;
        case FIELD_UNSIGNED:
                r = number_from_json(value, UINT_MAX, &number);
                *(unsigned *)p = (unsigned)number;
                return r;
        case FIELD_U64:
        case FIELD_U64_OR_NULL:
        case FIELD_USEC_OR_NULL:
                return number_from_json(value, INT64_MAX, p);
        case FIELD_I64:
        case FIELD_I64_OR_NULL:
                r = number_from_json(value, INT64_MAX, &number);
                *(int64_t *)p = (int64_t)number;
                return r;
        case FIELD_PHASE:
                r = word_from_json(value, phase_from_string, PHASE_MAX_, &word);
                *(enum phase *)p = (enum phase)word;
                return r;
        case FIELD_VERDICT:
                r = word_from_json(value, verdict_from_string, VERDICT_MAX_, &word);
                *(enum verdict *)p = (enum verdict)word;
                return r;
        }
        return -EPROTO;
}

int fields_from_json(const struct field *fields, size_t n_fields, const json_t *object, void *structure)
{
        int r;

        if (!json_is_object(object))
                return -EPROTO;
        for (size_t i = 0; i < n_fields; i++) {
                const json_t *value = json_object_get(object, fields[i].name);

                r = field_from_json(fields[i].type, value, (uint8_t *)structure + fields[i].offset);
                if (r < 0)
                        return r;
        }
        return 0;
}

const char *fields_fault(const struct field *fields, size_t n_fields, const json_t *object)
{
        if (!json_is_object(object))
                return "";
        for (size_t i = 0; i < n_fields; i++) {
                const json_t *value = json_object_get(object, fields[i].name);
                union {
                        char *text;
                        uint64_t number;
                } scratch = { 0 };
                int r = field_from_json(fields[i].type, value, &scratch);

                if (fields[i].type == FIELD_TEXT || fields[i].type == FIELD_TEXT_OR_NULL)
                        free(scratch.text);
                if (r == -EPROTO)
                        return fields[i].name;
        }
        return NULL;
}

json_t *fields_array_to_json(const struct field *fields, size_t n_fields, const void *items, size_t n,
                             size_t size)
{
        json_t *array = json_array();

        for (size_t i = 0; array && i < n; i++) {
                json_t *item = fields_to_json(fields, n_fields, (const uint8_t *)items + i * size);

                if (json_array_append_new(array, item) < 0) {
                        json_decref(array);
                        return NULL;
                }
        }
        return array;
}

/* Room for the array's items, all zero; 0 items are NULL. */
static int items_new(const json_t *array, size_t size, void **ret)
{
        if (!array || json_is_null(array))
                return 0;
        if (!json_is_array(array) || json_array_size(array) > FIELD_ITEMS_MAX)
                return -EPROTO;
        if (json_array_size(array) == 0)
                return 0;
        *ret = calloc(json_array_size(array), size);
        return *ret ? 0 : -ENOMEM;
}

int fields_array_from_json(const struct field *fields, size_t n_fields, const json_t *array, size_t size,
                           void *ret, size_t *ret_n)
{
        void *items = NULL;
        int r;

        r = items_new(array, size, &items);
        if (r < 0)
                return r;
        memcpy(ret, &items, sizeof(items));
        for (size_t i = 0; items && i < json_array_size(array); i++) {
                *ret_n = i + 1;
                r = fields_from_json(fields, n_fields, json_array_get(array, i), (uint8_t *)items + i * size);
                if (r < 0)
                        return r;
        }
        return 0;
}

json_t *strings_to_json(char *const *strings, size_t n)
{
        json_t *array = json_array();

        for (size_t i = 0; array && i < n; i++)
                if (json_array_append_new(array, text_to_json(strings[i])) < 0) {
                        json_decref(array);
                        return NULL;
                }
        return array;
}

int strings_from_json(const json_t *array, char ***ret, size_t *ret_n)
{
        void *items = NULL;
        int r;

        r = items_new(array, sizeof(char *), &items);
        if (r < 0)
                return r;
        *ret = items;
        for (size_t i = 0; items && i < json_array_size(array); i++) {
                *ret_n = i + 1;
                r = text_from_json(json_array_get(array, i), &(*ret)[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}
