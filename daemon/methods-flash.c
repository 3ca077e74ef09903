/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The method Flash: a person wants a slot's board to be flashed now, perhaps with an image that comes beside the call. */
#include "core/messages.h"
#include "core/printable.h"
#include "daemon/closer.h"
#include "daemon/connection.h"
#include "daemon/given.h"
#include "daemon/peer.h"

static void closep(int *fd)
{
        if (*fd >= 0)
                closer_close(*fd);
}

/* One printable line, not too long: it is shown on screens, and stays in the ledger. */
static const char *arg_path(struct varlink_arguments *args, const char *name)
{
        const char *path = varlink_arg_text(args, name);

        if (path && (!*path || strlen(path) > IMAGE_TOLD_MAX || !is_printable(path)) && !args->invalid)
                args->invalid = name;
        return path;
}

/* What is meant without a word and what came without being meant is refused, so that no other image is flashed instead. */
static void check_descriptor(struct varlink_arguments *args, const char *path, int fd)
{
        if ((path ? fd < 0 : fd != -EBADF) && !args->invalid)
                args->invalid = "image";
}

static const uint8_t *arg_signature(struct varlink_arguments *args, const char *path,
                                    uint8_t buf[static SIGNATURE_SIZE])
{
        const char *text = varlink_arg_text(args, "signature");

        if (text && (!path || !signature_from_base64(text, buf)) && !args->invalid)
                args->invalid = "signature";
        return text ? buf : NULL;
}

static void answer(struct connection *c, const char *where, int r, const char *why)
{
        if (r < 0)
                connection_fail(c, r);
        else if (r == SERVER_NO_SUCH_SLOT)
                connection_refuse_slot(c, STATION_INTERFACE ".NoSuchSlot", where);
        else if (r > 0)
                connection_refuse_why(c, STATION_INTERFACE ".NotFlashed", where, why);
        else if (c->call.oneway)
                connection_reply(c, json_object(), false);
        else
                c->stream = STREAM_BEGIN;
}

void method_flash(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        const char *where = varlink_arg_text_needed(&args, "where");
        _cleanup_(closep) int fd = passed_take(&c->passed);
        const char *path = arg_path(&args, "image");
        uint8_t signature[SIGNATURE_SIZE];
        char who[PEER_NAME_MAX];
        struct given_image given = {
                .fd = fd, .path = path, .who = who, .signature = arg_signature(&args, path, signature)
        };
        _cleanup_(freep) char *why = NULL;
        int r;

        check_descriptor(&args, path, fd);
        if (connection_refuse(c, &args))
                return;
        peer_name(c->peer.uid, who);
        r = c->server->ops->flash(c->server->userdata, where, who, path ? &given : NULL, &c->order, &why);
        answer(c, where, r, why);
}
