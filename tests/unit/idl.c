/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/idl.h"

#include <ctype.h>
#include <stdio.h>

enum kind { BOOL, INT, FLOAT, STRING, OBJECT, NAMED, STRUCT, ENUM, ARRAY, MAP, MAYBE };

struct type {
        enum kind kind;
        char *name;         /* of a NAMED type, a field, or an enum's word */
        struct type *inner; /* ARRAY, MAP, MAYBE: of what; a field: its type; STRUCT, ENUM: the first field */
        struct type *next;  /* of a field: the next one */
};

struct member {
        char keyword; /* 't'ype, 'm'ethod, 'e'rror */
        char *name;
        struct type *in, *out;
};

struct idl {
        struct member members[64];
        size_t n_members;
};

struct reader {
        const char *text;
        size_t at;
};

static void skip(struct reader *r)
{
        for (;; r->at++) {
                if (r->text[r->at] == '#')
                        r->at += strcspn(r->text + r->at, "\n");
                if (!r->text[r->at] || !isspace((unsigned char)r->text[r->at]))
                        return;
        }
}

static bool eat(struct reader *r, const char *token)
{
        skip(r);
        if (!str_has_prefix(r->text + r->at, token))
                return false;
        r->at += strlen(token);
        return true;
}

static char *word(struct reader *r, const char *also)
{
        size_t n = 0;

        skip(r);
        while (isalnum((unsigned char)r->text[r->at + n]) ||
               (r->text[r->at + n] && strchr(also, r->text[r->at + n])))
                n++;
        if (n == 0 || !isalpha((unsigned char)r->text[r->at]))
                return NULL;
        r->at += n;
        return strndup(r->text + r->at - n, n);
}

static struct type *type_free(struct type *type)
{
        while (type) {
                struct type *next = type->next;

                type_free(type->inner);
                free(type->name);
                free(type);
                type = next;
        }
        return NULL;
}
DEFINE_CLEANUP(struct type, type_free)

static struct type *type_new(enum kind kind, char *name, struct type *inner)
{
        struct type *type = calloc(1, sizeof(*type));

        if (!type)
                abort();
        *type = (struct type){ .kind = kind, .name = name, .inner = inner };
        return type;
}

static struct type *type_parse(struct reader *r);

/* After "(": fields, each with a type, or the bare words of an enumeration. */
static struct type *fields_parse(struct reader *r)
{
        _cleanup_(type_freep) struct type *list = type_new(STRUCT, NULL, NULL);
        struct type **end = &list->inner;

        if (eat(r, ")"))
                return take_ptr(list);
        do {
                char *name = word(r, "_");
                struct type *type = NULL;

                if (!name)
                        return NULL;
                *end = type_new(STRUCT, name, NULL);
                if (!eat(r, ":"))
                        list->kind = ENUM;
                else if (!(type = type_parse(r)))
                        return NULL;
                (*end)->inner = type;
                end = &(*end)->next;
        } while (eat(r, ","));
        return eat(r, ")") ? take_ptr(list) : NULL;
}

static struct type *wrapped(struct reader *r, enum kind kind)
{
        struct type *inner = type_parse(r);

        return inner ? type_new(kind, NULL, inner) : NULL;
}

static struct type *type_parse(struct reader *r)
{
        static const char *const builtin[] = {
                [BOOL] = "bool", [INT] = "int", [FLOAT] = "float", [STRING] = "string", [OBJECT] = "object",
        };
        char *name;

        if (eat(r, "?"))
                return wrapped(r, MAYBE);
        if (eat(r, "[string]"))
                return wrapped(r, MAP);
        if (eat(r, "[]"))
                return wrapped(r, ARRAY);
        if (eat(r, "("))
                return fields_parse(r);
        name = word(r, "");
        for (size_t i = 0; name && i < ARRAY_SIZE(builtin); i++)
                if (streq(name, builtin[i])) {
                        free(name);
                        return type_new((enum kind)i, NULL, NULL);
                }
        return name ? type_new(NAMED, name, NULL) : NULL;
}

static bool member_parse(struct reader *r, struct idl *idl)
{
        struct member *m = &idl->members[idl->n_members];

        if (idl->n_members == ARRAY_SIZE(idl->members))
                return false;
        m->keyword = eat(r, "type ") ? 't' : eat(r, "method ") ? 'm' : eat(r, "error ") ? 'e' : 0;
        if (!m->keyword || !(m->name = word(r, "")))
                return false;
        idl->n_members++;
        if (!eat(r, "(") || !(m->in = fields_parse(r)))
                return false;
        return m->keyword != 'm' || (eat(r, "->") && eat(r, "(") && (m->out = fields_parse(r)));
}

static const struct member *find(const struct idl *idl, char keyword, const char *name)
{
        for (size_t i = 0; i < idl->n_members; i++)
                if (idl->members[i].keyword == keyword && streq(idl->members[i].name, name))
                        return &idl->members[i];
        return NULL;
}

/* Every type that is named must be there. */
static bool resolves(const struct idl *idl, const struct type *type)
{
        for (; type; type = type->next)
                if ((type->kind == NAMED && !find(idl, 't', type->name)) || !resolves(idl, type->inner))
                        return false;
        return true;
}

struct idl *idl_parse(const char *text, const char *name, size_t *ret_offset)
{
        _cleanup_(idl_freep) struct idl *idl = calloc(1, sizeof(*idl));
        struct reader r = { .text = text };
        _cleanup_(freep) char *found = eat(&r, "interface ") ? word(&r, ".-") : NULL;
        bool good = idl && found && streq(found, name);

        for (skip(&r); good && text[r.at]; skip(&r))
                good = member_parse(&r, idl);
        *ret_offset = r.at;
        for (size_t i = 0; good && i < idl->n_members; i++)
                good = resolves(idl, idl->members[i].in) && resolves(idl, idl->members[i].out);
        return good ? take_ptr(idl) : NULL;
}

struct idl *idl_free(struct idl *idl)
{
        for (size_t i = 0; i < idl->n_members; i++) {
                free(idl->members[i].name);
                type_free(idl->members[i].in);
                type_free(idl->members[i].out);
        }
        free(idl);
        return NULL;
}

static char wrong[512];

static bool fail(const char *where, const char *what)
{
        snprintf(wrong, sizeof(wrong), "%s: expected %s", where, what);
        return false;
}

static bool conforms(const struct idl *idl, const struct type *type, const json_t *value, const char *where);

static bool struct_conforms(const struct idl *idl, const struct type *type, const json_t *value,
                            const char *where)
{
        size_t n = 0;
        char path[256];

        if (!json_is_object(value))
                return fail(where, "an object");
        for (const struct type *field = type->inner; field; field = field->next, n++) {
                const json_t *inner = json_object_get(value, field->name);

                snprintf(path, sizeof(path), "%s.%s", where, field->name);
                if (!inner)
                        return fail(path, "to be there");
                if (!conforms(idl, field->inner, inner, path))
                        return false;
        }
        return json_object_size(value) == n || fail(where, "no other fields than the interface has");
}

static bool enum_conforms(const struct type *type, const json_t *value, const char *where)
{
        for (const struct type *w = type->inner; w; w = w->next)
                if (json_is_string(value) && streq(json_string_value(value), w->name))
                        return true;
        return fail(where, "a word of the enumeration");
}

static bool items_conform(const struct idl *idl, const struct type *type, const json_t *value,
                          const char *where)
{
        char path[256];

        if (!json_is_array(value))
                return fail(where, "an array");
        for (size_t i = 0; i < json_array_size(value); i++) {
                snprintf(path, sizeof(path), "%s[%zu]", where, i);
                if (!conforms(idl, type->inner, json_array_get(value, i), path))
                        return false;
        }
        return true;
}

static bool map_conforms(const struct idl *idl, const struct type *type, const json_t *value,
                         const char *where)
{
        const char *key;
        json_t *inner;

        if (!json_is_object(value))
                return fail(where, "an object");
        json_object_foreach((json_t *)(uintptr_t)value, key,
                            inner) if (!conforms(idl, type->inner, inner, key)) return false;
        return true;
}

static bool conforms(const struct idl *idl, const struct type *type, const json_t *value, const char *where)
{
        switch (type->kind) {
        case BOOL:
                return json_is_boolean(value) || fail(where, "bool");
        case INT:
                return json_is_integer(value) || fail(where, "int");
        case FLOAT:
                return json_is_number(value) || fail(where, "float");
        case STRING:
                return json_is_string(value) || fail(where, "string");
        case OBJECT:
                return json_is_object(value) || fail(where, "object");
        case NAMED:
                return conforms(idl, find(idl, 't', type->name)->in, value, where);
        case STRUCT:
                return struct_conforms(idl, type, value, where);
        case ENUM:
                return enum_conforms(type, value, where);
        case ARRAY:
                return items_conform(idl, type, value, where);
        case MAP:
                return map_conforms(idl, type, value, where);
        case MAYBE:
                return json_is_null(value) || conforms(idl, type->inner, value, where);
        }
        return false;
}

const char *idl_check(const struct idl *idl, enum idl_side side, const char *member, const json_t *parameters)
{
        const struct member *m = find(idl, side == IDL_ERROR ? 'e' : 'm', member);
        json_t *none = json_object();

        wrong[0] = '\0';
        if (!m)
                fail(member, "to be in the interface");
        else
                conforms(idl, side == IDL_REPLY ? m->out : m->in, parameters ? parameters : none, member);
        json_decref(none);
        return wrong;
}
