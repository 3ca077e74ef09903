/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A struct's members by name, for JSON: one table says both ways. Inside core/ only.
 * On the way out what a type calls "nothing" is null, and texts are made valid UTF-8 of at most FIELD_TEXT_MAX bytes.
 * On the way in a member of the wrong type is an error; one that is absent stays zero (an older peer), unless it is
 * FIELD_TEXT; names that the table does not have are ignored (a newer peer).
 */
#pragma once

#include <jansson.h>

#include "core/bytes.h"
#include "core/verdict.h"

#define FIELD_TEXT_MAX  4096
#define FIELD_ITEMS_MAX 65536 /* in one array from outside */

enum field_type {
        FIELD_TEXT,         /* char *; NULL is sent as "" */
        FIELD_TEXT_OR_NULL, /* char *; NULL is null */
        FIELD_BOOL,         /* bool */
        FIELD_UNSIGNED,     /* unsigned */
        FIELD_U64,          /* uint64_t; over INT64_MAX is sent as INT64_MAX */
        FIELD_U64_OR_NULL,  /* uint64_t; 0 is null */
        FIELD_USEC_OR_NULL, /* uint64_t; USEC_INFINITY is null */
        FIELD_I64,          /* int64_t, not negative */
        FIELD_I64_OR_NULL,  /* int64_t, not negative; 0 is null */
        FIELD_PHASE,        /* enum phase; a word that is not known is read as PHASE_MAX_ */
        FIELD_VERDICT,      /* enum verdict; likewise VERDICT_MAX_ */
};

struct field {
        const char *name;
        enum field_type type;
        size_t offset;
};

#define FIELD(type, structure, member)                                                                       \
        {                                                                                                    \
#member, FIELD_##type, offsetof(struct structure, member)                                    \
        }

/* A new object with all fields, in the table's order; NULL when out of memory. */
json_t *fields_to_json(const struct field *fields, size_t n_fields, const void *structure);
/* structure is all zero, and is to be released by the caller on failure too. 0, -EPROTO or -ENOMEM. */
int fields_from_json(const struct field *fields, size_t n_fields, const json_t *object, void *structure);

/* The name of the first member that fields_from_json() would not take, borrowed; NULL: it takes all. "": it is no object. */
const char *fields_fault(const struct field *fields, size_t n_fields, const json_t *object);

/* Arrays of n structs of the given size. An array that is absent or null is empty on the way in. */
json_t *fields_array_to_json(const struct field *fields, size_t n_fields, const void *items, size_t n,
                             size_t size);
/* *ret and *ret_n are set as the items are made, to be released by the caller on failure too. */
int fields_array_from_json(const struct field *fields, size_t n_fields, const json_t *array, size_t size,
                           void *ret, size_t *ret_n);

json_t *strings_to_json(char *const *strings, size_t n);
/* As fields_array_from_json(). */
int strings_from_json(const json_t *array, char ***ret, size_t *ret_n);

/* As _to_json, printed: appended to out. 0 or -ENOMEM; then there is half of it. */
int fields_to_text(const struct field *fields, size_t n_fields, const void *structure, struct bytes *out);
int fields_array_to_text(const struct field *fields, size_t n_fields, const void *items, size_t n,
                         size_t size, struct bytes *out);
int strings_to_text(char *const *strings, size_t n, struct bytes *out);
