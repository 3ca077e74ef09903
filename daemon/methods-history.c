/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * History: with "more", a page is read from the record when the peer has taken the one before. The record is read by a
 * thread: while it is asked, c->asked is set, and the answer comes by on_page().
 */
#include "core/config-values.h"
#include "core/messages.h"
#include "core/place.h"
#include "daemon/connection.h"

#define REPLY_ROWS_MAX 100 /* without "more" */
#define PAGE_ROWS      50  /* with it */

static void on_page(void *userdata, int r, struct history_page *page);

static void ask(struct connection *c)
{
        struct history_position *at = &c->history;
        size_t rows = c->call.more ? PAGE_ROWS : REPLY_ROWS_MAX - at->n_attempts;
        int r;

        c->stream = STREAM_HISTORY;
        c->asked = true;
        r = c->server->ops->history(c->server->userdata, &at->filter, &at->at,
                                    (unsigned)MIN(at->left, (int64_t)rows), on_page, c);
        if (r < 0) {
                c->asked = false;
                connection_fail(c, r);
        }
}

/* The page's attempts go behind those that wait to be told. */
static int gather(struct history_position *at, struct history_page *page)
{
        struct attempt_record *attempts;

        at->at = page->at;
        at->left -= (int64_t)page->n;
        if (page->n == 0)
                return 0;
        attempts = reallocarray(at->attempts, at->n_attempts + page->n, sizeof(*attempts));
        if (!attempts)
                return -ENOMEM;
        memcpy(&attempts[at->n_attempts], page->attempts, page->n * sizeof(*attempts));
        at->attempts = attempts;
        at->n_attempts += page->n;
        page->n = 0; /* theirs no more */
        return 0;
}

static void on_page(void *userdata, int r, struct history_page *page)
{
        struct connection *c = userdata;
        struct history_position *at = &c->history;
        bool over;

        c->asked = false;
        if (r >= 0)
                r = gather(at, page);
        if (r < 0) {
                connection_fail(c, r);
                return;
        }
        over = page->ended || at->left == 0;
        /* What is rare in a long record is looked for in parts; one reply has all of them. */
        if (!over && !c->call.more && at->n_attempts < REPLY_ROWS_MAX) {
                ask(c);
                return;
        }
        connection_reply(c, attempts_to_json(at->attempts, at->n_attempts), c->call.more && !over);
        history_told(c);
}

void history_told(struct connection *c)
{
        attempts_free(c->history.attempts, c->history.n_attempts);
        c->history.attempts = NULL;
        c->history.n_attempts = 0;
}

/* An empty text is no filter that anybody means. */
static int take_text(struct varlink_arguments *args, const char *name, char **ret)
{
        const char *text = varlink_arg_text(args, name);

        if (text && !*text && !args->invalid)
                args->invalid = name;
        return free_and_strdup(ret, text);
}

/* A name is one of the record, which has slots that are no more. A port is meant whatever it was called; looked up once,
 * since a reload may change what is known of it while pages are sent. */
static int name_port(const struct connection *c, struct history_filter *filter)
{
        const char *path;

        if (!filter->slot)
                return 0;
        path = c->server->ops->path_of(c->server->userdata, filter->slot);
        if (path && free_and_strdup(&filter->place, path) < 0)
                return -ENOMEM;
        if (path)
                (void)free_and_strdup(&filter->slot, NULL);
        else if (value_is_port(filter->slot))
                filter->port = take_ptr(filter->slot);
        else if (strstr(filter->slot, PLACE_USB_MARK))
                filter->place = take_ptr(filter->slot);
        return 0;
}

int filter_take(const struct connection *c, struct varlink_arguments *args, struct history_filter *ret)
{
        const char *word = varlink_arg_text(args, "verdict");
        int verdict = word ? verdict_from_string(word) : 0;
        int r = take_text(args, "slot", &ret->slot);

        if (r == 0)
                r = name_port(c, ret);
        if (r == 0)
                r = take_text(args, "mac", &ret->mac);
        if (r == 0)
                r = take_text(args, "image", &ret->image);
        ret->since_usec = (uint64_t)varlink_arg_int(args, "since_realtime_usec", 0, INT64_MAX, 0);
        ret->until_usec = (uint64_t)varlink_arg_int(args, "until_realtime_usec", 1, INT64_MAX, 0);
        if (verdict < 0 && !args->invalid)
                args->invalid = "verdict";
        ret->has_verdict = word && verdict >= 0;
        ret->verdict = ret->has_verdict ? (enum verdict)verdict : VERDICT_NONE;
        return r;
}

void method_history(struct connection *c)
{
        struct varlink_arguments args = { .object = c->call.parameters };
        struct history_filter *filter = &c->history.filter;
        int r = filter_take(c, &args, filter);

        c->history.left = varlink_arg_int(&args, "limit", 1, INT64_MAX, INT64_MAX);
        filter->oldest_first = varlink_arg_bool(&args, "oldest_first");
        filter->after = varlink_arg_int(&args, "after_sequence", 0, INT64_MAX, -1);
        filter->by_sequence = filter->after >= 0;
        if (connection_refuse(c, &args))
                return;
        if (r < 0)
                connection_fail(c, r);
        else if (c->call.oneway)
                connection_reply(c, json_object(), false);
        else
                ask(c);
}

void history_drained(struct connection *c)
{
        if (!c->asked)
                ask(c);
}
