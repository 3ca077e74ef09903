/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl metrics: the station's figures for Prometheus, on stdout or in a file of node_exporter's. */
#include <stdio.h>

#include "client/client.h"
#include "client/exposition.h"
#include "io/file-write.h"

struct answers {
        struct status_update update;
        struct station_counters counters;
        struct consumer_status *consumers;
        size_t n_consumers;
};

static void answers_done(struct answers *a)
{
        status_update_done(&a->update);
        station_counters_done(&a->counters);
        consumers_free(a->consumers, a->n_consumers);
}

static int take_status(struct answers *a, const json_t *reply)
{
        return status_update_from_json(reply, &a->update);
}

static int take_counters(struct answers *a, const json_t *reply)
{
        return station_counters_from_json(reply, &a->counters);
}

static int take_consumers(struct answers *a, const json_t *reply)
{
        return consumers_from_json(reply, &a->consumers, &a->n_consumers);
}

static const struct question {
        const char *method;
        int (*take)(struct answers *a, const json_t *reply);
} questions[] = {
        { STATION_INTERFACE ".Status", take_status },
        { STATION_INTERFACE ".Counters", take_counters },
        { STATION_INTERFACE ".Consumers", take_consumers },
};

static int ask(struct connection *connection, const struct question *question, struct answers *a)
{
        struct varlink_reply reply = { 0 };
        int r = connection_send(connection, question->method, NULL, false);

        r = r == 0 ? client_reply(connection, &reply)
                   : client_received(connection, r, REPLY_TIMEOUT, NULL, NULL, NULL);
        if (r != EXIT_DONE)
                return r;
        r = question->take(a, reply.parameters);
        varlink_reply_done(&reply);
        return r < 0 ? client_misread(r) : EXIT_DONE;
}

/* All over one connection: with --host each is an ssh. */
static int ask_all(struct answers *a)
{
        _cleanup_(connection_closep) struct connection *connection = NULL;
        int r = client_open(&connection);

        for (size_t i = 0; r == EXIT_DONE && i < ARRAY_SIZE(questions); i++)
                r = ask(connection, &questions[i], a);
        return r;
}

static bool is_counted(const struct station_counters *counters, const char *policy)
{
        for (size_t i = 0; i < counters->n_policies; i++)
                if (streq(counters->policies[i].policy, policy))
                        return true;
        return false;
}

/* A policy that nothing was done by yet is there all the same, with zeros: what begins at 1 has no increase. */
static int add_unused_policies(struct answers *a)
{
        const struct station_status *s = &a->update.station;
        struct station_counters *c = &a->counters;
        struct policy_counters *grown = realloc(c->policies,
                                                (c->n_policies + s->n_policies + 1) * sizeof(*grown));

        if (!grown)
                return client_misread(-ENOMEM);
        c->policies = grown;
        for (size_t i = 0; i < s->n_policies; i++) {
                if (is_counted(c, s->policies[i].name))
                        continue;
                policy_counters_init(&c->policies[c->n_policies]);
                c->policies[c->n_policies].policy = strdup(s->policies[i].name);
                if (!c->policies[c->n_policies].policy)
                        return client_misread(-ENOMEM);
                c->n_policies++;
        }
        return EXIT_DONE;
}

static int print(const char *text, const char *path)
{
        int r;

        if (!path) {
                fputs(text, stdout);
                return client_flush();
        }
        r = file_write(path, text, strlen(text));
        if (r < 0)
                client_error("%s: cannot be written: %s", path, file_write_error_text(r));
        return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int verb_metrics(int argc, char **argv)
{
        const char *path = NULL;
        const struct client_option options[] = { { "output", .value = &path } };
        _cleanup_(answers_done) struct answers a = { 0 };
        _cleanup_(freep) char *text = NULL;
        struct exposition e = { 0 };
        int r = client_options(argc, argv, options, ARRAY_SIZE(options), 0), printed;

        if (r != CLIENT_GO_ON)
                return r;
        r = ask_all(&a);
        if (r == EXIT_DONE)
                r = add_unused_policies(&a);
        /* A station that does not answer is a figure too. */
        if (r == EXIT_DONE)
                e = (struct exposition){ &a.update.station, &a.counters, a.consumers, a.n_consumers };
        if (exposition_render(&e, &text) < 0)
                return client_misread(-ENOMEM);
        printed = print(text, path);
        return r == EXIT_DONE ? printed : r;
}
