/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* History: with "more", a page is read from the record when the peer has taken the one before. */
#include "core/messages.h"
#include "daemon/connection.h"

#define REPLY_ROWS_MAX 100 /* without "more" */
#define PAGE_ROWS      50  /* with it */

static void next_page(struct connection *c, unsigned rows)
{
        struct history_position *at = &c->history;
        unsigned wanted = (unsigned)MIN(at->left, (int64_t)rows);
        struct attempt_record *attempts = NULL;
        bool continues = false;
        size_t n = 0;
        int r;

        r = c->server->ops->history(c->server->userdata, at->slot, at->mac, at->before, wanted, &attempts,
                                    &n);
        if (r < 0) {
                connection_fail(c, r);
                return;
        }
        if (n > 0) {
                at->before = attempts[n - 1].id;
                at->left -= (int64_t)n;
                continues = c->call.more && n >= wanted && at->left > 0;
        }
        if (continues)
                c->stream = STREAM_HISTORY;
        connection_reply(c, attempts_to_json(attempts, n), continues);
        attempts_free(attempts, n);
}

void method_history(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        const char *slot = varlink_arg_text(&args, "slot");
        const char *mac = varlink_arg_text(&args, "mac");

        c->history.left = varlink_arg_int(&args, "limit", 1, INT64_MAX, INT64_MAX);
        if (connection_refuse(c, &args))
                return;
        if (free_and_strdup(&c->history.slot, slot) < 0 || free_and_strdup(&c->history.mac, mac) < 0)
                connection_fail(c, -ENOMEM);
        else
                next_page(c, c->call.more ? PAGE_ROWS : REPLY_ROWS_MAX);
}

void history_drained(struct connection *c)
{
        next_page(c, PAGE_ROWS);
}
