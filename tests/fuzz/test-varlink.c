/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What comes over the socket, in pieces of any size: the same messages come out as from one piece, and a message is a
 * call, a reply, or neither. The first two bytes are the size of the pieces and the limit of a message.
 */
#include "core/varlink.h"
#include "tests/fuzz/fuzz.h"

#define LIMIT_UNIT 16 /* bytes */

/* What is called is called again by what the other end would send. */
static void check_call(const char *text, size_t size)
{
        struct varlink_call call, again;
        _cleanup_(freep) char *sent = NULL;
        size_t sent_size;
        int r = varlink_call_parse(text, size, &call);

        must(r == 0 || r == VARLINK_MALFORMED);
        if (r != 0)
                return;
        must(call.method && json_is_object(call.message));
        must(varlink_call_encode(call.method, json_incref(call.parameters), call.more, &sent, &sent_size) ==
             0);
        must(sent[sent_size - 1] == '\0' && strlen(sent) == sent_size - 1);
        must(varlink_call_parse(sent, sent_size - 1, &again) == 0);
        must(streq(again.method, call.method) && again.more == call.more);
        must(call.parameters ? json_equal(again.parameters, call.parameters) : !again.parameters);
        varlink_call_done(&again);
        varlink_call_done(&call);
}

static void check_reply(const char *text, size_t size)
{
        struct varlink_reply reply, again;
        _cleanup_(freep) char *sent = NULL;
        size_t sent_size;
        int r = varlink_reply_parse(text, size, &reply);

        must(r == 0 || r == VARLINK_MALFORMED);
        if (r != 0)
                return;
        must(varlink_reply_encode(reply.error, json_incref(reply.parameters), reply.continues, &sent,
                                  &sent_size) == 0);
        must(varlink_reply_parse(sent, sent_size - 1, &again) == 0);
        must(streq_ptr(again.error, reply.error));
        must(reply.error || again.continues == reply.continues);
        varlink_reply_done(&again);
        varlink_reply_done(&reply);
}

/* A method asks for all that it knows, and looks once. What is wrong has harmless answers. */
static void check_arguments(const char *text, size_t size)
{
        struct varlink_call call;
        struct varlink_arguments args = { 0 };
        const char *invalid;
        int64_t limit;

        if (varlink_call_parse(text, size, &call) != 0)
                return;
        args.object = call.parameters;
        (void)varlink_arg_text(&args, "slot");
        must(varlink_arg_text_needed(&args, "where"));
        limit = varlink_arg_int(&args, "limit", 1, 1000, 7);
        must(limit >= 1 && limit <= 1000);
        must(varlink_arg_int(&args, "after_sequence", 0, INT64_MAX, -1) >= -1);
        (void)varlink_arg_bool(&args, "oldest_first");
        invalid = varlink_args_invalid(&args);
        if (!invalid) {
                const char *key;
                json_t *value;

                must(json_is_string(json_object_get(call.parameters, "where")));
                json_object_foreach(call.parameters, key, value)
                        must(streq(key, "slot") || streq(key, "where") || streq(key, "limit") ||
                             streq(key, "after_sequence") || streq(key, "oldest_first"));
        }
        varlink_call_done(&call);
}

/* Where a message of the stream begins, how long it is; false where none ends. */
static bool expected_message(const uint8_t *data, size_t size, size_t *at, size_t *ret_size)
{
        const uint8_t *end = *at < size ? memchr(data + *at, '\0', size - *at) : NULL;

        *ret_size = end ? (size_t)(end - data) - *at : size - *at;
        return end != NULL;
}

/* Takes all that is there; returns false after an overlong message. */
static bool take_messages(struct varlink_input *in, const uint8_t *data, size_t size, size_t *at)
{
        const char *message;
        size_t message_size, expected;
        int r;

        while ((r = varlink_input_next(in, &message, &message_size)) == 0) {
                must(expected_message(data, size, at, &expected) && message_size == expected);
                must(message_size <= in->limit && message[message_size] == '\0');
                must(memcmp(message, data + *at, message_size) == 0);
                check_call(message, message_size);
                check_reply(message, message_size);
                check_arguments(message, message_size);
                *at += message_size + 1;
        }
        must(varlink_input_pending(in) == (r == VARLINK_OVERLONG));
        if (r == VARLINK_OVERLONG) {
                (void)expected_message(data, size, at, &expected);
                must(expected > in->limit);
                return false;
        }
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        size_t piece = size > 0 && data[0] > 0 ? data[0] : 1, at = 0;
        struct varlink_input in = { .limit = size > 1 ? data[1] * LIMIT_UNIT : 0 };
        bool sound = true;

        if (size < 2)
                return 0;
        data += 2;
        size -= 2;
        for (size_t done = 0; done < size && sound; done += piece) {
                must(varlink_input_feed(&in, data + done, MIN(piece, size - done)) == 0);
                sound = take_messages(&in, data, size, &at);
        }
        varlink_input_done(&in);
        return 0;
}
