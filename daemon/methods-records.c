/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is asked of the record as a whole: its figures, and who copies it elsewhere. Answers come when it was read. */
#include <stdio.h>

#include "core/config-values.h"
#include "core/messages.h"
#include "daemon/connection.h"

/* ---- figures ---- */

static void on_stats(void *userdata, int r, struct station_stats *stats)
{
        struct connection *c = userdata;

        c->asked = false;
        if (r < 0)
                connection_fail(c, r);
        else
                connection_reply(c, station_stats_to_json(stats), false);
}

/* Before an op is asked; then what it returned. An answer may have come already. */
static void wait_for_answer(struct connection *c)
{
        c->stream = STREAM_ANSWER;
        c->asked = true;
}

static void check_asked(struct connection *c, int r)
{
        if (r >= 0)
                return;
        c->asked = false;
        connection_fail(c, r);
}

void method_stats(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        _cleanup_(history_filter_done) struct history_filter filter = { 0 };
        int r = filter_take(c, &args, &filter);

        if (connection_refuse(c, &args))
                return;
        if (r < 0) {
                connection_fail(c, r);
        } else if (c->call.oneway) {
                connection_reply(c, json_object(), false);
        } else {
                wait_for_answer(c);
                check_asked(c, c->server->ops->stats(c->server->userdata, &filter, on_stats, c));
        }
}

/* ---- consumers ---- */

static void on_consumers(void *userdata, int r, const struct consumer_status *consumers, size_t n)
{
        struct connection *c = userdata;

        c->asked = false;
        if (r < 0)
                connection_fail(c, r);
        else
                connection_reply(c, consumers_to_json(consumers, n), false);
}

void method_consumers(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };

        if (connection_refuse(c, &args))
                return;
        if (c->call.oneway) {
                connection_reply(c, json_object(), false);
                return;
        }
        wait_for_answer(c);
        check_asked(c, c->server->ops->consumers(c->server->userdata, on_consumers, c));
}

static void refuse_consumer(struct connection *c, const char *error)
{
        connection_error(c, error,
                         json_pack("{s:O}", "consumer", json_object_get(c->call.parameters, "consumer")));
}

/* What a full or broken disk says alone would not tell where it is. */
static void fail_unwritten(struct connection *c, int r)
{
        char text[160];

        snprintf(text, sizeof(text), "the ledger cannot be written: %s", strerror(-r));
        connection_error(c, STATION_INTERFACE ".Failed", json_pack("{s:s}", "message", text));
}

static void on_consumer(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct connection *c = userdata;

        (void)id;
        c->asked = false;
        if (r == -ENOENT)
                refuse_consumer(c, STATION_INTERFACE ".NoSuchConsumer");
        else if (r == -EUSERS)
                refuse_consumer(c, STATION_INTERFACE ".TooManyConsumers");
        else if (r == -ERANGE)
                refuse_consumer(c, STATION_INTERFACE ".WrongSequence");
        else if (r < 0)
                fail_unwritten(c, r);
        else
                connection_reply(c, json_pack("{s:I}", "sequence", (json_int_t)sequence), false);
}

/* Who may act; and who was named when the consumer was registered, for this one alone. */
static bool may_acknowledge(const struct connection *c, const char *name)
{
        return c->peer.may_act || c->server->ops->consumer_is_of(c->server->userdata, name, c->peer.uid);
}

static void order(struct connection *c, enum consumer_action action)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        const char *name = varlink_arg_text_needed(&args, "consumer");
        int64_t sequence = 0, user = -1;
        int r;

        if (action == CONSUMER_REGISTER) {
                sequence = varlink_arg_int(&args, "sequence", 0, INT64_MAX, 0);
                user = varlink_arg_int(&args, "user", 0, UINT32_MAX - 1, -1);
        }
        if (action == CONSUMER_ACKNOWLEDGE &&
            (sequence = varlink_arg_int(&args, "sequence", 0, INT64_MAX, -1)) < 0 && !args.invalid)
                args.invalid = "sequence";
        if (!value_is_name(name, CONSUMER_NAME_MAX) && !args.invalid)
                args.invalid = "consumer";
        if (action == CONSUMER_ACKNOWLEDGE && !may_acknowledge(c, name)) {
                connection_error(c, STATION_INTERFACE ".NotPermitted",
                                 json_pack("{s:s}", "method", c->call.method));
                return;
        }
        if (connection_refuse(c, &args))
                return;
        if (!c->call.oneway)
                wait_for_answer(c);
        r = c->server->ops->consumer(c->server->userdata, action, name, sequence,
                                     user < 0 ? USEC_INFINITY : (uint64_t)user,
                                     c->call.oneway ? NULL : on_consumer, c);
        if (c->call.oneway)
                connection_reply(c, json_object(), false);
        else
                check_asked(c, r);
}

void method_register_consumer(struct connection *c)
{
        order(c, CONSUMER_REGISTER);
}

void method_acknowledge(struct connection *c)
{
        order(c, CONSUMER_ACKNOWLEDGE);
}

void method_unregister_consumer(struct connection *c)
{
        order(c, CONSUMER_UNREGISTER);
}
