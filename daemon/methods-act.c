/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods that act: what a person orders. The table of methods says that they are not for everybody. */
#include "core/holds.h"
#include "core/messages.h"
#include "core/printable.h"
#include "core/text.h"
#include "daemon/connection.h"
#include "daemon/log.h"
#include "daemon/peer.h"

#define TEXT_MAX 4096 /* bytes, as the interface says */

void method_reload(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        _cleanup_(reload_result_done) struct reload_result result = { 0 };
        int r;

        if (connection_refuse(c, &args))
                return;
        log_info("user %ld asks to reload the configuration", (long)c->peer.uid);
        r = c->server->ops->reload(c->server->userdata, &result);
        if (r < 0)
                connection_fail(c, r);
        else if (result.n_errors > 0)
                connection_error(c, STATION_INTERFACE ".ReloadRefused", reload_result_to_json(&result));
        else
                connection_reply(c, reload_result_to_json(&result), false);
}

void connection_refuse_slot(struct connection *c, const char *error, const char *where)
{
        connection_error(c, error, json_pack("{s:s}", "where", where));
}

void connection_refuse_why(struct connection *c, const char *error, const char *where, const char *why)
{
        _cleanup_(freep) char *text = text_to_utf8(why, TEXT_MAX);

        if (text)
                connection_error(c, error, json_pack("{s:s, s:s}", "where", where, "message", text));
        else
                connection_fail(c, -ENOMEM);
}

/* ---- cancel ---- */

static bool is_at_rest(enum phase phase)
{
        /* What the kernel holds may be held for ever. */
        return phase == PHASE_STUCK || (phase != PHASE_QUEUED && !phase_is_running(phase));
}

/* Replies if the slot rests. */
static void look(struct connection *c)
{
        const char *name = c->server->ops->slot_called(c->server->userdata, c->cancelled);
        struct slot_status slot;
        int r = name ? c->server->ops->slot(c->server->userdata, name, &slot) : 1;

        if (r < 0) {
                connection_fail(c, r);
                return;
        }
        if (r > 0) { /* a reload took it away */
                connection_refuse_slot(c, STATION_INTERFACE ".NoSuchSlot", c->cancelled);
                return;
        }
        if (is_at_rest(slot.phase))
                connection_reply(c, slot_reply_to_json(&slot), false);
        slot_status_done(&slot);
}

static bool waits_for(const struct connection *c, const char *slot)
{
        return c->stream == STREAM_CANCEL &&
               (!slot || streq_ptr(slot, c->server->ops->slot_called(c->server->userdata, c->cancelled)));
}

void cancel_look(struct server *server, const char *slot)
{
        for (struct connection *c = server->connections; c; c = c->next)
                if (waits_for(c, slot))
                        look(c);
}

void method_cancel(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        const char *where = varlink_arg_text_needed(&args, "where");
        char who[PEER_NAME_MAX];
        int r;

        if (connection_refuse(c, &args))
                return;
        peer_name(c->peer.uid, who);
        r = c->server->ops->cancel(c->server->userdata, where, who, &c->cancelled);
        if (r < 0) {
                connection_fail(c, r);
        } else if (r == SERVER_NO_SUCH_SLOT) {
                connection_refuse_slot(c, STATION_INTERFACE ".NoSuchSlot", where);
        } else if (r > 0) {
                connection_refuse_slot(c, STATION_INTERFACE ".NothingRunning", where);
        } else if (c->call.oneway) {
                connection_reply(c, json_object(), false);
        } else {
                c->stream = STREAM_CANCEL;
                look(c);
        }
}

/* ---- hold and release ---- */

/* One printable line, not too long: it is shown on screens and kept in a file. */
static const char *arg_reason(struct varlink_arguments *args)
{
        const char *reason = varlink_arg_text(args, "reason");

        if (reason && (strlen(reason) > HOLD_REASON_MAX || !is_printable(reason)) && !args->invalid)
                args->invalid = "reason";
        return reason && *reason ? reason : NULL;
}

void method_hold(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        const char *where = varlink_arg_text(&args, "where");
        const char *reason = arg_reason(&args);
        _cleanup_(freep) char *text = NULL;
        char who[PEER_NAME_MAX];
        int r;

        if (connection_refuse(c, &args))
                return;
        peer_name(c->peer.uid, who);
        r = c->server->ops->hold(c->server->userdata, where, who, reason, &text);
        if (r < 0)
                connection_fail(c, r);
        else if (r > 0)
                connection_refuse_slot(c, STATION_INTERFACE ".NoSuchSlot", where ? where : "");
        else
                connection_reply(c, json_pack("{s:s}", "held", text), false);
}

void method_release(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        const char *where = varlink_arg_text(&args, "where");
        _cleanup_(freep) char *why = NULL;
        char who[PEER_NAME_MAX];
        bool was_held = false;
        int r;

        if (connection_refuse(c, &args))
                return;
        peer_name(c->peer.uid, who);
        r = c->server->ops->release(c->server->userdata, where, who, &was_held, &why);
        if (r < 0)
                connection_fail(c, r);
        else if (r == SERVER_NO_SUCH_SLOT)
                connection_refuse_slot(c, STATION_INTERFACE ".NoSuchSlot", where ? where : "");
        else if (r > 0)
                connection_refuse_why(c, STATION_INTERFACE ".NotReleased", where ? where : "", why);
        else
                connection_reply(c, json_pack("{s:b}", "was_held", was_held), false);
}

/* ---- retry ---- */

void method_retry(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        const char *where = varlink_arg_text_needed(&args, "where");
        _cleanup_(freep) char *why = NULL;
        char who[PEER_NAME_MAX];
        int r;

        if (connection_refuse(c, &args))
                return;
        peer_name(c->peer.uid, who);
        r = c->server->ops->retry(c->server->userdata, where, who, &c->order, &why);
        if (r < 0)
                connection_fail(c, r);
        else if (r == SERVER_NO_SUCH_SLOT)
                connection_refuse_slot(c, STATION_INTERFACE ".NoSuchSlot", where);
        else if (r > 0)
                connection_refuse_why(c, STATION_INTERFACE ".NotRetried", where, why);
        else if (c->call.oneway)
                connection_reply(c, json_object(), false);
        else
                c->stream = STREAM_BEGIN;
}

static void tell_begun(struct connection *c, const char *slot, int r, const char *text)
{
        struct slot_status status;

        if (r < 0 && text) {
                connection_error(c, STATION_INTERFACE ".Failed", json_pack("{s:s}", "message", text));
                return;
        }
        if (r == 0)
                r = c->server->ops->slot(c->server->userdata, slot, &status);
        if (r == -ENXIO || r > 0) { /* a reload took it away */
                connection_refuse_slot(c, STATION_INTERFACE ".NoSuchSlot", slot);
                return;
        }
        if (r < 0) {
                connection_fail(c, r);
                return;
        }
        connection_reply(c, slot_reply_to_json(&status), false);
        slot_status_done(&status);
}

void server_begun(struct server *server, uint64_t order, const char *slot, int r, const char *text)
{
        for (struct connection *c = server->connections; c; c = c->next)
                if (c->stream == STREAM_BEGIN && c->order == order)
                        tell_begun(c, slot, r, text);
}
