/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /history: attempts as JSON, the newest first, as many as a page shows; /history.csv: all of them, the oldest first, streamed
 * as the browser takes them. The arguments are the filters of `espdfuctl history`: slot, mac, image, verdict, since, until,
 * and of /history limit.
 */
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "core/attempt-csv.h"
#include "core/messages.h"
#include "io/clock.h"
#include "io/connection.h"
#include "io/daemon-call.h"
#include "io/history-query.h"
#include "web/http.h"
#include "web/visitors.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     500
#define ANSWER_MAX    (20 * USEC_PER_SEC) /* for a page of a record of millions */
#define CSV_RATE_MIN  (16 * KIB)          /* bytes a second that a browser takes, on the whole */

/* ---- what is asked for ---- */

struct arguments {
        struct history_query query;
        const char *limit;
        bool csv;
        const char *wrong; /* the first name that is not understood, or whose value is no text */
};

static enum MHD_Result take_argument(void *userdata, enum MHD_ValueKind kind, const char *key,
                                     size_t key_size, const char *value, size_t size)
{
        struct arguments *a = userdata;
        const struct {
                const char *name;
                const char **value;
        } known[] = {
                { "slot", &a->query.slot },   { "mac", &a->query.mac },     { "image", &a->query.image },
                { "since", &a->query.since }, { "until", &a->query.until }, { "verdict", &a->query.verdict },
                { "limit", &a->limit },
        };

        (void)kind;
        for (size_t i = 0; i < ARRAY_SIZE(known) - (a->csv ? 1 : 0); i++) {
                if (strlen(key) != key_size || !streq(key, known[i].name))
                        continue;
                if (value && strlen(value) != size)
                        break;
                *known[i].value = value && *value ? value
                                                  : NULL; /* a field of the form that was left empty */
                return MHD_YES;
        }
        if (!a->wrong)
                a->wrong = key;
        return MHD_NO;
}

/* 0 if it is none. */
static unsigned parse_limit(const char *text)
{
        unsigned long limit = LIMIT_DEFAULT;

        if (text)
                limit = strlen(text) > 3 || strspn(text, "0123456789") != strlen(text)
                                ? 0
                                : strtoul(text, NULL, 10);
        return limit <= LIMIT_MAX ? (unsigned)limit : 0;
}

/* The parameters of History; or NULL, and *ret_why says why not, to be freed; NULL there: out of memory. */
static json_t *parameters_of(struct MHD_Connection *connection, bool csv, unsigned *ret_limit, char **ret_why)
{
        struct arguments a = { .csv = csv };
        json_t *parameters = NULL;

        MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_argument, &a);
        *ret_limit = parse_limit(a.limit);
        if (a.wrong) {
                if (asprintf(ret_why, "%s: expected slot, mac, image, verdict, since%s", a.wrong,
                             csv ? " or until" : ", until or limit") < 0)
                        *ret_why = NULL;
        } else if (*ret_limit == 0) {
                if (asprintf(ret_why, "limit: expected a number from 1 to %d", LIMIT_MAX) < 0)
                        *ret_why = NULL;
        } else if (history_query_parameters(&a.query, "", &parameters, ret_why) != 0) {
                parameters = NULL;
        }
        return parameters;
}

/* ---- the call ---- */

struct call {
        struct web *web;
        struct history_place *place; /* its own, of web->history */
        struct connection *connection;
        struct varlink_reply reply; /* the last one */
        bool has_reply;
        /* Of CSV: */
        struct MHD_Connection *browser;
        uint64_t begin_usec, waited_usec; /* of what passed since: for the daemon */
        struct bytes text;                /* being sent */
        size_t sent;
};

static struct call *call_free(struct call *call)
{
        if (call->has_reply)
                varlink_reply_done(&call->reply);
        if (call->connection)
                connection_close(call->connection);
        bytes_done(&call->text);
        pthread_mutex_lock(&call->web->history_mutex);
        call->place->taken = false;
        pthread_mutex_unlock(&call->web->history_mutex);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(struct call, call_free)

static int next_reply(struct call *call)
{
        uint64_t since = monotonic_usec();
        int r;

        if (call->has_reply)
                varlink_reply_done(&call->reply);
        r = connection_receive(call->connection, ANSWER_MAX, NULL, &call->reply);
        call->waited_usec += monotonic_usec() - since;
        call->has_reply = r == 0;
        if (r != 0)
                return r;
        if (call->reply.error)
                return daemon_refused(&call->reply);
        if (!json_is_array(json_object_get(call->reply.parameters, "attempts")))
                return -EPROTO;
        return 0;
}

/* Up to and with the first reply. Takes parameters over. */
static int begin_call(struct call *call, json_t *parameters, int browser)
{
        int r = connection_open(call->web->socket, DAEMON_CONNECT_MAX, &call->connection);

        if (r < 0) {
                json_decref(parameters);
                return r;
        }
        connection_watch_reader(call->connection, browser);
        r = connection_send(call->connection, STATION_INTERFACE ".History", parameters, true);
        return r == 0 ? next_reply(call) : r;
}

/* ---- places ---- */

/* Under the mutex. Why there is none for this one, or NULL and *ret is it. */
static const char *find_place(struct web *web, const struct in6_addr *from, bool csv,
                              struct history_place **ret)
{
        unsigned n_csv = 0, n_of_one = 0, n_csv_of_one = 0;

        *ret = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(web->history); i++) {
                const struct history_place *place = &web->history[i];
                bool same = place->taken && memcmp(&place->from, from, sizeof(*from)) == 0;

                if (!place->taken)
                        *ret = &web->history[i];
                n_csv += place->taken && place->is_csv;
                n_of_one += same;
                n_csv_of_one += same && place->is_csv;
        }
        if (n_of_one >= HTTP_HISTORY_OF_ONE || (csv && n_csv_of_one >= HTTP_CSV_OF_ONE))
                return "this address looks into the history as often as one may at a time: try again when it "
                       "has "
                       "its answers";
        return !*ret || (csv && n_csv >= HTTP_CSV_MAX)
                       ? "too many look into the history at this moment: try again"
                       : NULL;
}

/* NULL: out of memory, or *ret_why there is no place for it. */
static struct call *call_new(struct web *web, struct MHD_Connection *browser, bool csv, const char **ret_why)
{
        struct call *call = calloc(1, sizeof(*call));
        struct in6_addr from = visitors_from(browser);

        *ret_why = NULL;
        if (!call)
                return NULL;
        call->web = web;
        call->browser = browser;
        pthread_mutex_lock(&web->history_mutex);
        *ret_why = find_place(web, &from, csv, &call->place);
        if (!*ret_why)
                *call->place = (struct history_place){ .taken = true, .is_csv = csv, .from = from };
        pthread_mutex_unlock(&web->history_mutex);
        if (*ret_why)
                free(take_ptr(call));
        return call;
}

static enum MHD_Result say_trouble(const struct web *web, struct MHD_Connection *connection, int r)
{
        char why[512];

        daemon_trouble(web->socket, r, why, sizeof(why));
        return http_say(connection,
                        r == -EPROTO || r == CONNECTION_NONSENSE ? MHD_HTTP_BAD_GATEWAY
                                                                 : MHD_HTTP_SERVICE_UNAVAILABLE,
                        why);
}

/* What is asked for, and a call that has its first reply; or *ret is NULL and it is answered. */
static enum MHD_Result begin(struct web *web, struct MHD_Connection *connection, bool csv,
                             unsigned *ret_limit, struct call **ret)
{
        _cleanup_(freep) char *why = NULL;
        _cleanup_(call_freep) struct call *call = NULL;
        json_t *parameters = parameters_of(connection, csv, ret_limit, &why);
        const char *no_place;
        int r;

        *ret = NULL;
        if (!parameters)
                return why ? http_say(connection, MHD_HTTP_BAD_REQUEST, why) : MHD_NO;
        if (json_object_set_new(parameters, csv ? "oldest_first" : "limit",
                                csv ? json_true() : json_integer(*ret_limit + 1)) < 0) {
                json_decref(parameters);
                return MHD_NO;
        }
        call = call_new(web, connection, csv, &no_place);
        if (!call) {
                json_decref(parameters);
                return no_place ? http_say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, no_place) : MHD_NO;
        }
        r = begin_call(call, parameters, http_socket(connection));
        if (r != 0)
                return say_trouble(web, connection, r);
        *ret = take_ptr(call);
        return MHD_YES;
}

/* ---- JSON ---- */

/* All that come, up to limit; *ret_more: there were others. 0, or as next_reply(). */
static int gather(struct call *call, unsigned limit, json_t *attempts, bool *ret_more)
{
        int r = 0;

        *ret_more = false;
        for (;;) {
                json_t *attempt;
                size_t i;

                json_array_foreach(json_object_get(call->reply.parameters, "attempts"), i, attempt)
                {
                        if (json_array_size(attempts) == limit) {
                                *ret_more = true;
                                return 0;
                        }
                        if (json_array_append(attempts, attempt) < 0)
                                return -ENOMEM;
                }
                if (!call->reply.continues)
                        return 0;
                r = next_reply(call);
                if (r != 0)
                        return r;
        }
}

enum MHD_Result history_answer(struct web *web, struct MHD_Connection *connection)
{
        _cleanup_(call_freep) struct call *call = NULL;
        unsigned limit;
        enum MHD_Result result = begin(web, connection, false, &limit, &call);
        json_t *attempts, *answer;
        bool more;
        char *text;
        int r;

        if (!call)
                return result;
        attempts = json_array();
        r = attempts ? gather(call, limit, attempts, &more) : -ENOMEM;
        if (r != 0) {
                json_decref(attempts);
                return say_trouble(web, connection, r);
        }
        answer = json_pack("{s:o, s:b}", "attempts", attempts, "more", more);
        text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
        json_decref(answer);
        if (!text)
                return MHD_NO;
        return http_send(connection, MHD_HTTP_OK, "application/json",
                         MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
}

/* ---- CSV ---- */

/* The last reply's attempts into call->text. */
static int write_lines(struct call *call)
{
        const json_t *attempt;
        size_t i;
        int r = 0;

        json_array_foreach(json_object_get(call->reply.parameters, "attempts"), i, attempt) if (r == 0)
                r = attempt_to_csv(&call->text, attempt);
        return r;
}

/* Who takes a byte now and then would keep its place for ever: what it has taken by now says until when it may go on. What
 * waits in the socket it has not; for the daemon it does not answer. */
static void extend(struct call *call, uint64_t position)
{
        uint64_t taken, allowed;
        int waiting = 0;

        if (ioctl(http_socket(call->browser), SIOCOUTQ, &waiting) < 0)
                waiting = 0;
        taken = position - MIN(position, (uint64_t)waiting);
        allowed = call->web->timeout_sec * USEC_PER_SEC + call->waited_usec +
                  taken * USEC_PER_SEC / CSV_RATE_MIN;
        visitors_limit(call->web->visitors, call->browser, call->begin_usec + allowed);
}

/* A daemon that goes away in the middle breaks the download: a browser must not take a part for the whole. */
static ssize_t read_csv(void *userdata, uint64_t position, char *buffer, size_t size)
{
        struct call *call = userdata;
        size_t n;

        while (call->sent == call->text.len) {
                call->text.len = call->sent = 0;
                if (!call->reply.continues)
                        return MHD_CONTENT_READER_END_OF_STREAM;
                if (next_reply(call) != 0 || write_lines(call) < 0)
                        return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        n = MIN(size, call->text.len - call->sent);
        memcpy(buffer, call->text.data + call->sent, n);
        call->sent += n;
        extend(call, position);
        return (ssize_t)n;
}

static void csv_done(void *userdata)
{
        call_free(userdata);
}

enum MHD_Result history_csv_answer(struct web *web, struct MHD_Connection *connection)
{
        _cleanup_(call_freep) struct call *call = NULL;
        unsigned limit;
        enum MHD_Result result = begin(web, connection, true, &limit, &call);
        struct MHD_Response *response;

        if (!call)
                return result;
        if (attempt_to_csv(&call->text, NULL) < 0 || write_lines(call) < 0)
                return MHD_NO;
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, read_csv, call, csv_done);
        if (!response)
                return MHD_NO;
        call->begin_usec = monotonic_usec();
        call->waited_usec = 0;
        take_ptr(call);
        MHD_add_response_header(response, "Content-Disposition",
                                "attachment; filename=\"espdfu-history.csv\"");
        MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, web->timeout_sec);
        return http_send(connection, MHD_HTTP_OK, "text/csv; charset=utf-8", response);
}
