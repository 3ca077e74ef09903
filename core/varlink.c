/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/varlink.h"

void varlink_input_done(struct varlink_input *in)
{
        free(in->buffer);
        *in = (struct varlink_input){ .limit = in->limit };
}

int varlink_input_feed(struct varlink_input *in, const void *data, size_t size)
{
        if (in->begin > 0) {
                memmove(in->buffer, in->buffer + in->begin, in->end - in->begin);
                in->end -= in->begin;
                in->searched -= in->begin;
                in->begin = 0;
        }
        if (in->allocated - in->end < size) {
                size_t wanted = MAX(in->end + size, MIN(2 * in->allocated, in->limit + size));
                char *buffer = realloc(in->buffer, wanted);

                if (!buffer)
                        return -ENOMEM;
                in->buffer = buffer;
                in->allocated = wanted;
        }
        if (size > 0)
                memcpy(in->buffer + in->end, data, size);
        in->end += size;
        return 0;
}

/* The length of the first message, or VARLINK_INCOMPLETE, VARLINK_OVERLONG. */
static int first_message(struct varlink_input *in, size_t *ret_size)
{
        size_t left = in->end - in->searched;
        const char *nul = left > 0 ? memchr(in->buffer + in->searched, '\0', left) : NULL;
        size_t size;

        in->searched = nul ? (size_t)(nul - in->buffer) : in->end;
        size = in->searched - in->begin;
        if (size > in->limit)
                return VARLINK_OVERLONG;
        if (!nul)
                return VARLINK_INCOMPLETE;
        *ret_size = size;
        return 0;
}

int varlink_input_next(struct varlink_input *in, const char **ret, size_t *ret_size)
{
        size_t size;
        int r;

        r = first_message(in, &size);
        if (r != 0)
                return r;
        *ret = in->buffer + in->begin;
        *ret_size = size;
        in->begin += size + 1;
        in->searched = in->begin;
        return 0;
}

bool varlink_input_pending(struct varlink_input *in)
{
        size_t size;

        return first_message(in, &size) != VARLINK_INCOMPLETE;
}

void varlink_call_done(struct varlink_call *call)
{
        json_decref(call->message);
        *call = (struct varlink_call){ 0 };
}

void varlink_reply_done(struct varlink_reply *reply)
{
        json_decref(reply->message);
        *reply = (struct varlink_reply){ 0 };
}

/* 0 with an object, owned by the caller. jansson bounds the depth (JSON_PARSER_MAX_DEPTH). */
static int object_parse(const char *text, size_t size, json_t **ret)
{
        json_error_t error;
        json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);

        if (!object)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : VARLINK_MALFORMED;
        if (!json_is_object(object)) {
                json_decref(object);
                return VARLINK_MALFORMED;
        }
        *ret = object;
        return 0;
}

/* Absent, and null, are the type's "nothing"; false if it is of another type. */
static bool get_bool(const json_t *object, const char *key, bool *ret)
{
        const json_t *value = json_object_get(object, key);

        *ret = json_is_true(value);
        return !value || json_is_boolean(value) || json_is_null(value);
}

static bool get_text(const json_t *object, const char *key, const char **ret)
{
        const json_t *value = json_object_get(object, key);

        *ret = json_string_value(value);
        return !value || *ret || json_is_null(value);
}

static bool get_object(const json_t *object, const char *key, json_t **ret)
{
        json_t *value = json_object_get(object, key);

        *ret = json_is_object(value) ? value : NULL;
        return !value || *ret || json_is_null(value);
}

/* What nobody knows is let go: a call may be kept for days, and a few bytes of JSON can be many of memory. */
static void keep_known(json_t *message)
{
        static const char *const known[] = { "method", "parameters", "more", "oneway", "upgrade" };
        const char *key;
        json_t *value;
        void *next;

        json_object_foreach_safe(message, next, key, value)
        {
                bool is_known = false;

                for (size_t i = 0; i < ARRAY_SIZE(known) && !is_known; i++)
                        is_known = streq(known[i], key);
                if (!is_known)
                        json_object_del(message, key);
        }
}

int varlink_call_parse(const char *text, size_t size, struct varlink_call *ret)
{
        struct varlink_call call = { 0 };
        int r;

        r = object_parse(text, size, &call.message);
        if (r != 0)
                return r;
        if (!get_text(call.message, "method", &call.method) || !call.method ||
            !get_object(call.message, "parameters", &call.parameters) ||
            !get_bool(call.message, "more", &call.more) || !get_bool(call.message, "oneway", &call.oneway) ||
            !get_bool(call.message, "upgrade", &call.upgrade)) {
                varlink_call_done(&call);
                return VARLINK_MALFORMED;
        }
        keep_known(call.message);
        *ret = call;
        return 0;
}

int varlink_reply_parse(const char *text, size_t size, struct varlink_reply *ret)
{
        struct varlink_reply reply = { 0 };
        int r;

        r = object_parse(text, size, &reply.message);
        if (r != 0)
                return r;
        if (!get_text(reply.message, "error", &reply.error) ||
            !get_object(reply.message, "parameters", &reply.parameters) ||
            !get_bool(reply.message, "continues", &reply.continues)) {
                varlink_reply_done(&reply);
                return VARLINK_MALFORMED;
        }
        *ret = reply;
        return 0;
}

/* Takes both over. */
static int message_encode(json_t *message, json_t *parameters, char **ret, size_t *ret_size)
{
        char *text = NULL;

        if (message && (!parameters || json_object_set(message, "parameters", parameters) == 0))
                text = json_dumps(message, JSON_COMPACT);
        json_decref(parameters);
        json_decref(message);
        if (!text)
                return -ENOMEM;
        *ret = text;
        *ret_size = strlen(text) + 1;
        return 0;
}

int varlink_call_encode(const char *method, json_t *parameters, bool more, char **ret, size_t *ret_size)
{
        json_t *message = more ? json_pack("{s:s, s:b}", "method", method, "more", 1)
                               : json_pack("{s:s}", "method", method);

        return message_encode(message, parameters, ret, ret_size);
}

int varlink_reply_encode(const char *error, json_t *parameters, bool continues, char **ret, size_t *ret_size)
{
        json_t *message = error       ? json_pack("{s:s}", "error", error)
                          : continues ? json_pack("{s:b}", "continues", 1)
                                      : json_object();

        return message_encode(message, parameters, ret, ret_size);
}

static json_t *argument(struct varlink_arguments *args, const char *name)
{
        if (args->n_asked < VARLINK_ARGS_MAX)
                args->asked[args->n_asked++] = name;
        return json_object_get(args->object, name);
}

static void argument_is_wrong(struct varlink_arguments *args, const char *name)
{
        if (!args->invalid)
                args->invalid = name;
}

const char *varlink_arg_text(struct varlink_arguments *args, const char *name)
{
        json_t *value = argument(args, name);

        if (value && !json_is_string(value) && !json_is_null(value))
                argument_is_wrong(args, name);
        return json_string_value(value);
}

const char *varlink_arg_text_needed(struct varlink_arguments *args, const char *name)
{
        const char *text = varlink_arg_text(args, name);

        if (!text)
                argument_is_wrong(args, name);
        return text ? text : "";
}

int64_t varlink_arg_int(struct varlink_arguments *args, const char *name, int64_t min, int64_t max,
                        int64_t absent)
{
        json_t *value = argument(args, name);
        int64_t number = json_integer_value(value);

        if (!value || json_is_null(value))
                return absent;
        if (!json_is_integer(value) || number < min || number > max) {
                argument_is_wrong(args, name);
                return absent;
        }
        return number;
}

bool varlink_arg_bool(struct varlink_arguments *args, const char *name)
{
        json_t *value = argument(args, name);

        if (value && !json_is_boolean(value) && !json_is_null(value))
                argument_is_wrong(args, name);
        return json_is_true(value);
}

const char *varlink_args_invalid(struct varlink_arguments *args)
{
        const char *key;
        json_t *value;

        json_object_foreach(args->object, key, value)
        {
                bool known = false;

                for (size_t i = 0; i < args->n_asked; i++)
                        known = known || streq(args->asked[i], key);
                if (!known)
                        argument_is_wrong(args, key);
        }
        return args->invalid;
}
