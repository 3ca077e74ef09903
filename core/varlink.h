/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The varlink wire format without I/O: bytes in, NUL-terminated messages out, and the JSON objects that calls and
 * replies are. Both ends use it. Whoever reads the socket feeds the bytes; nothing here blocks or reads a clock.
 * Source: the varlink specification (https://varlink.org), "Protocol" and "Service".
 */
#pragma once

#include <jansson.h>

#include "core/util.h"

#define VARLINK_REQUEST_MAX (64 * KIB) /* bytes in one call; more closes the connection */
#define VARLINK_REPLY_MAX   (16 * MIB) /* bytes in one reply that a client is willing to take */

/* Positive results. */
enum {
        VARLINK_INCOMPLETE = 1, /* no whole message yet */
        VARLINK_OVERLONG,  /* a message over the limit: nothing after it can be trusted to be a beginning */
        VARLINK_MALFORMED, /* not JSON, a key twice, or not the shape of a call or reply */
};

/* The bytes of one direction. All zero with limit set is an empty one. */
struct varlink_input {
        size_t limit; /* bytes in one message, without its NUL */
        char *buffer; /* owned */
        size_t begin, end, allocated;
        size_t searched; /* begin up to here has no NUL */
};

void varlink_input_done(struct varlink_input *in);
/* Copies size bytes. Returns 0 or -ENOMEM. Take the messages out before you feed on: the buffer grows with what is fed. */
int varlink_input_feed(struct varlink_input *in, const void *data, size_t size);
/* 0: a message of *ret_size bytes, borrowed until the next feed; VARLINK_INCOMPLETE; VARLINK_OVERLONG, for good. */
int varlink_input_next(struct varlink_input *in, const char **ret, size_t *ret_size);
/* Whether varlink_input_next() has something to say (a message, or that one is overlong). */
bool varlink_input_pending(struct varlink_input *in);

struct varlink_call {
        json_t *message; /* owned; what follows is borrowed from it */
        const char *method;
        json_t *parameters; /* an object, or NULL if there are none */
        bool more, oneway, upgrade;
};

struct varlink_reply {
        json_t *message;    /* owned; what follows is borrowed from it */
        const char *error;  /* its full name, or NULL */
        json_t *parameters; /* an object, or NULL if there are none */
        bool continues;
};

void varlink_call_done(struct varlink_call *call);
void varlink_reply_done(struct varlink_reply *reply);

/* text need not be NUL-terminated. 0; VARLINK_MALFORMED; -ENOMEM. A call keeps only the members that are told above. */
int varlink_call_parse(const char *text, size_t size, struct varlink_call *ret);
int varlink_reply_parse(const char *text, size_t size, struct varlink_reply *ret);

/* The message's bytes with the NUL that ends it, to be freed. They take parameters over (NULL: none; but pass a
 * failed allocation to json_is_object() first), also on failure. 0 or -ENOMEM. */
int varlink_call_encode(const char *method, json_t *parameters, bool more, char **ret, size_t *ret_size);
int varlink_reply_encode(const char *error, json_t *parameters, bool continues, char **ret, size_t *ret_size);

/*
 * A call's parameters, asked for by name and type. The first that is wrong is remembered, and later questions still
 * have harmless answers, so a method asks for everything and then looks once:
 *
 *     struct varlink_arguments args = { .object = call->parameters };
 *     const char *slot = varlink_arg_text(&args, "slot");
 *     int64_t limit = varlink_arg_int(&args, "limit", 1, INT64_MAX, 0);
 *     const char *invalid = varlink_args_invalid(&args);
 *
 * A parameter that nobody asked for is wrong as well: a filter with a typing error must not mean "everything".
 */
#define VARLINK_ARGS_MAX 12

struct varlink_arguments {
        json_t *object; /* borrowed, or NULL */
        const char *invalid;
        const char *asked[VARLINK_ARGS_MAX];
        size_t n_asked;
};

/* NULL if it is absent or null. Borrowed from the call. */
const char *varlink_arg_text(struct varlink_arguments *args, const char *name);
/* As varlink_arg_text(), but wrong if it is absent; then "". */
const char *varlink_arg_text_needed(struct varlink_arguments *args, const char *name);
/* absent if it is absent or null; wrong if it is not an integer from min to max. */
int64_t varlink_arg_int(struct varlink_arguments *args, const char *name, int64_t min, int64_t max,
                        int64_t absent);
/* false if it is absent or null. */
bool varlink_arg_bool(struct varlink_arguments *args, const char *name);
/* The name of what is wrong, or NULL. Borrowed from the call, or static. */
const char *varlink_args_invalid(struct varlink_arguments *args);
