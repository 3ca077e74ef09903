/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls and what can go wrong with them, said in words. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/client.h"
#include "client/remote.h"

const char *client_socket = SOCKET_DEFAULT;
bool client_socket_given;
const char *client_host;
const char *const client_global_option = "--socket PATH";

int client_connect(uint64_t timeout_usec, bool again, struct connection **ret)
{
        return client_host ? remote_open(client_host, again, ret)
                           : connection_open(client_socket, timeout_usec, ret);
}

static int cannot_connect(int r)
{
        struct stat st;

        if (client_host) {
                client_error("%s: ssh cannot be run: %s", client_host, strerror(-r));
                return EXIT_FAILED;
        }
        /* The kernel refuses a file that is no socket with the words that it has for one where nobody listens. */
        if (r == -ECONNREFUSED && stat(client_socket, &st) == 0 && !S_ISSOCK(st.st_mode)) {
                client_error("%s: no socket: expected the one that espdfud listens on", client_socket);
                return EXIT_NO_DAEMON;
        }
        if (r == -ENOENT || r == -ECONNREFUSED) {
                client_error("no espdfud listens on %s: %s: is it running? (systemctl status espdfud)",
                             client_socket, strerror(-r));
                return EXIT_NO_DAEMON;
        }
        client_error("%s: %s", client_socket, r == -EAGAIN ? "espdfud takes no connection" : strerror(-r));
        return r == -EACCES || r == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

/* Where the other end of a connection is, for messages. */
static const char *peer(void)
{
        return client_host ? client_host : client_socket;
}

static int cannot_talk(struct connection *connection, int r, uint64_t timeout_usec)
{
        if (r == CONNECTION_CLOSED && connection_is_remote(connection))
                return remote_ended(client_host, connection_child_status(connection));
        switch (r) {
        case CONNECTION_TIMED_OUT:
                client_error("espdfud does not answer within %u s (systemctl status espdfud)",
                             (unsigned)(timeout_usec / USEC_PER_SEC));
                break;
        case CONNECTION_CLOSED:
                client_error("espdfud hung up: it stops, or could not start (systemctl status espdfud), or "
                             "has too many "
                             "clients, or this one reads too slowly");
                break;
        case CONNECTION_NONSENSE:
                client_error("%s: what answers there does not speak varlink", peer());
                break;
        case CONNECTION_INTERRUPTED:
                client_error("interrupted");
                break;
        default:
                client_error("%s: %s", peer(), strerror(-r));
        }
        return EXIT_FAILED;
}

int client_open(struct connection **ret)
{
        int r = client_connect(REPLY_TIMEOUT, false, ret);

        return r < 0 ? cannot_connect(r) : EXIT_DONE;
}

static int call_with(const char *method, json_t *parameters, bool more, int fd, struct connection **ret)
{
        _cleanup_(connection_closep) struct connection *c = NULL;
        int r = client_open(&c);

        if (r != EXIT_DONE) {
                json_decref(parameters);
                return r;
        }
        r = connection_send_with(c, method, parameters, more, fd);
        if (r != 0)
                return cannot_talk(c, r, REPLY_TIMEOUT);
        *ret = take_ptr(c);
        return EXIT_DONE;
}

int client_call(const char *method, json_t *parameters, bool more, struct connection **ret)
{
        return call_with(method, parameters, more, -EBADF, ret);
}

static const char *parameter(const struct varlink_reply *reply, const char *name)
{
        const char *text = json_string_value(json_object_get(reply->parameters, name));

        return text ? text : "?";
}

static int refused_reload(const struct varlink_reply *reply)
{
        json_t *line;
        size_t i;

        client_error("the configuration has errors; the one before stays in force:");
        json_array_foreach(json_object_get(reply->parameters, "errors"), i, line)
                client_error("%s", json_string_value(line) ? json_string_value(line) : "?");
        return EXIT_FAILED;
}

static int error_said(const struct varlink_reply *reply)
{
        if (streq(reply->error, STATION_INTERFACE ".NotPermitted")) {
                client_error("%s: only root and the members of the group espdfu may do this",
                             parameter(reply, "method"));
                return EXIT_NOT_PERMITTED;
        }
        if (streq(reply->error, STATION_INTERFACE ".ReloadRefused"))
                return refused_reload(reply);
        if (streq(reply->error, STATION_INTERFACE ".NoSuchSlot"))
                client_error("%s: no slot has this name, port or path: see espdfuctl status",
                             parameter(reply, "where"));
        else if (streq(reply->error, STATION_INTERFACE ".NothingRunning"))
                client_error("%s: nothing to cancel: no job runs there, and none is queued",
                             parameter(reply, "where"));
        else if (streq(reply->error, STATION_INTERFACE ".NotReleased"))
                client_error("%s: not released: %s", parameter(reply, "where"), parameter(reply, "message"));
        else if (streq(reply->error, STATION_INTERFACE ".NotRetried") ||
                 streq(reply->error, STATION_INTERFACE ".NotFlashed"))
                client_error("%s: %s", parameter(reply, "where"), parameter(reply, "message"));
        else if (streq(reply->error, STATION_INTERFACE ".NoSuchConsumer"))
                client_error("%s: no consumer of this name is registered: see espdfuctl consumer list",
                             parameter(reply, "consumer"));
        else if (streq(reply->error, STATION_INTERFACE ".TooManyConsumers"))
                client_error("%s: not registered: expected at most %d consumers",
                             parameter(reply, "consumer"), LEDGER_CONSUMERS_MAX);
        else if (streq(reply->error, STATION_INTERFACE ".WrongSequence"))
                client_error("%s: expected a number from %s", parameter(reply, "consumer"),
                             "the one that it has to the last one of the ledger");
        else if (streq(reply->error, STATION_INTERFACE ".Busy"))
                client_error("espdfud takes no more connections: %s", parameter(reply, "message"));
        else if (streq(reply->error, STATION_INTERFACE ".Failed"))
                client_error("espdfud: %s", parameter(reply, "message"));
        else if (str_has_prefix(reply->error, "org.varlink.service."))
                client_error("espdfud does not know this call (%s): is it older than this espdfuctl?",
                             reply->error);
        else
                client_error("espdfud: %s", reply->error);
        return EXIT_FAILED;
}

int client_received(struct connection *connection, int r, uint64_t timeout_usec, const sigset_t *mask,
                    struct varlink_reply *reply, struct varlink_reply *ret)
{
        if (r == CONNECTION_INTERRUPTED && mask)
                return CLIENT_INTERRUPTED;
        if (r == CONNECTION_READER_LEFT)
                return CLIENT_READER_LEFT;
        if (r != 0)
                return cannot_talk(connection, r, timeout_usec);
        if (reply->error) {
                r = error_said(reply);
                varlink_reply_done(reply);
                return r;
        }
        *ret = *reply;
        return EXIT_DONE;
}

static int receive(struct connection *connection, uint64_t timeout_usec, const sigset_t *mask,
                   struct varlink_reply *ret)
{
        struct varlink_reply reply;
        int r = connection_receive(connection, timeout_usec, mask, &reply);

        return client_received(connection, r, timeout_usec, mask, &reply, ret);
}

int client_reply(struct connection *connection, struct varlink_reply *ret)
{
        return receive(connection, REPLY_TIMEOUT, NULL, ret);
}

int client_next(struct connection *connection, const sigset_t *mask, struct varlink_reply *ret)
{
        connection_watch_reader(connection, STDOUT_FILENO);
        return receive(connection, USEC_INFINITY, mask, ret);
}

int client_next_until(struct connection *connection, uint64_t timeout_usec, const sigset_t *mask,
                      struct varlink_reply *ret)
{
        struct varlink_reply reply;
        int r = connection_receive(connection, timeout_usec, mask, &reply);

        if (r == CONNECTION_TIMED_OUT)
                return CLIENT_TIMED_OUT;
        return client_received(connection, r, timeout_usec, mask, &reply, ret);
}

int client_ask(const char *method, json_t *parameters, json_t **ret)
{
        return client_ask_patiently(method, parameters, REPLY_TIMEOUT, ret);
}

int client_ask_patiently(const char *method, json_t *parameters, uint64_t timeout_usec, json_t **ret)
{
        return client_ask_with(method, parameters, -EBADF, timeout_usec, ret);
}

int client_ask_with(const char *method, json_t *parameters, int fd, uint64_t timeout_usec, json_t **ret)
{
        _cleanup_(connection_closep) struct connection *c = NULL;
        struct varlink_reply reply = { 0 };
        int r;

        r = call_with(method, parameters, false, fd, &c);
        if (r == EXIT_DONE)
                r = receive(c, timeout_usec, NULL, &reply);
        if (r != EXIT_DONE)
                return r;
        *ret = reply.parameters ? json_incref(reply.parameters) : json_object();
        varlink_reply_done(&reply);
        return EXIT_DONE;
}

int client_misread(int r)
{
        client_error("espdfud's answer cannot be read: %s",
                     r == -EPROTO ? "it is not what " STATION_INTERFACE " promises" : strerror(-r));
        return EXIT_FAILED;
}

int client_print_json(const json_t *value, bool compact)
{
        /* A terminal gets no byte that it could obey. */
        size_t flags = isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0;

        flags |= compact ? JSON_COMPACT : JSON_INDENT(2);
        if (json_dumpf(value, stdout, flags) < 0 && !ferror(stdout)) {
                client_error("out of memory");
                return EXIT_FAILED;
        }
        putchar('\n');
        return client_flush();
}
