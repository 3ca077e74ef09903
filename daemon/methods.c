/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of methods, and those that are one question and one answer. */
#include "core/interface.h"
#include "core/messages.h"
#include "daemon/connection.h"

static const struct {
        const char *name;
        const char *text;
} interfaces[] = {
        { SERVICE_INTERFACE, service_interface_text },
        { STATION_INTERFACE, station_interface_text },
};

static void method_get_info(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        json_t *names;

        if (connection_refuse(c, &args))
                return;
        names = json_array();
        for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
                json_array_append_new(names, json_string(interfaces[i].name));
        connection_reply(c,
                         json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", PACKAGE_NAME, "product", "espdfud",
                                   "version", PACKAGE_VERSION, "url", PACKAGE_URL, "interfaces", names),
                         false);
}

static void method_get_interface_description(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        const char *name = varlink_arg_text_needed(&args, "interface");

        if (connection_refuse(c, &args))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
                if (streq(interfaces[i].name, name)) {
                        connection_reply(c, json_pack("{s:s}", "description", interfaces[i].text), false);
                        return;
                }
        connection_error(c, SERVICE_INTERFACE ".InterfaceNotFound", json_pack("{s:s}", "interface", name));
}

static void method_explain(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        const char *where = varlink_arg_text(&args, "where");
        struct explanation *explanations = NULL;
        size_t n = 0;
        int r;

        if (connection_refuse(c, &args))
                return;
        r = c->server->ops->explain(c->server->userdata, where, &explanations, &n);
        if (r < 0)
                connection_fail(c, r);
        else if (r > 0)
                connection_error(c, STATION_INTERFACE ".NoSuchSlot",
                                 json_pack("{s:s}", "where", where ? where : ""));
        else
                connection_reply(c, explanations_to_json(explanations, n), false);
        explanations_free(explanations, n);
}

static void method_counters(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        _cleanup_(station_counters_done) struct station_counters counters = { 0 };
        int r;

        if (connection_refuse(c, &args))
                return;
        r = c->server->ops->counters(c->server->userdata, &counters);
        if (r < 0)
                connection_fail(c, r);
        else
                connection_reply(c, station_counters_to_json(&counters), false);
}

static const struct method {
        const char *name;
        void (*run)(struct connection *c);
        enum {
                TELLS,
                ACTS,          /* only for peers that may act */
                ACTS_FOR_SOME, /* it looks itself for whom */
        } kind;
} methods[] = {
        { SERVICE_INTERFACE ".GetInfo", method_get_info, TELLS },
        { SERVICE_INTERFACE ".GetInterfaceDescription", method_get_interface_description, TELLS },
        { STATION_INTERFACE ".Status", method_status, TELLS },
        { STATION_INTERFACE ".Explain", method_explain, TELLS },
        { STATION_INTERFACE ".History", method_history, TELLS },
        { STATION_INTERFACE ".Stats", method_stats, TELLS },
        { STATION_INTERFACE ".Counters", method_counters, TELLS },
        { STATION_INTERFACE ".Consumers", method_consumers, TELLS },
        { STATION_INTERFACE ".RegisterConsumer", method_register_consumer, ACTS },
        { STATION_INTERFACE ".Acknowledge", method_acknowledge, ACTS_FOR_SOME },
        { STATION_INTERFACE ".UnregisterConsumer", method_unregister_consumer, ACTS },
        { STATION_INTERFACE ".Reload", method_reload, ACTS },
        { STATION_INTERFACE ".Cancel", method_cancel, ACTS },
        { STATION_INTERFACE ".Hold", method_hold, ACTS },
        { STATION_INTERFACE ".Release", method_release, ACTS },
        { STATION_INTERFACE ".Retry", method_retry, ACTS },
        { STATION_INTERFACE ".Flash", method_flash, ACTS },
};

/* A method that is not in the table: is it the interface or the method that is not there? */
static void refuse_method(struct connection *c)
{
        const char *dot = strrchr(c->call.method, '.');
        size_t length = dot ? (size_t)(dot - c->call.method) : 0;

        for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
                if (strlen(interfaces[i].name) == length &&
                    memcmp(interfaces[i].name, c->call.method, length) == 0) {
                        connection_error(c, SERVICE_INTERFACE ".MethodNotFound",
                                         json_pack("{s:s}", "method", c->call.method));
                        return;
                }
        connection_error(c, SERVICE_INTERFACE ".InterfaceNotFound",
                         json_pack("{s:s%}", "interface", c->call.method, length));
}

/* Thousands of questions may have come before the peer left: nobody hears the answers. */
static void leave_unanswered(struct connection *c)
{
        c->call.oneway = true;
        connection_reply(c, json_object(), false);
}

void methods_dispatch(struct connection *c)
{
        const struct method *m = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(methods) && !m; i++)
                if (streq(methods[i].name, c->call.method))
                        m = &methods[i];
        if (!m)
                refuse_method(c);
        else if (m->kind == ACTS && !c->peer.may_act)
                connection_error(c, STATION_INTERFACE ".NotPermitted", json_pack("{s:s}", "method", m->name));
        else if (c->call.upgrade) /* no method takes the connection over */
                connection_error(c, SERVICE_INTERFACE ".MethodNotImplemented",
                                 json_pack("{s:s}", "method", m->name));
        else if (c->gone && m->kind == TELLS)
                leave_unanswered(c);
        else
                m->run(c);
}
