/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs of espdfuctl have in common: how they end, where the daemon is, how a call is made. */
#pragma once

#include "client/exit.h"
#include "client/say.h"
#include "core/messages.h"
#include "io/connection.h"

#define REPLY_TIMEOUT (10 * USEC_PER_SEC)

#define SOCKET_DEFAULT RUNSTATEDIR "/espdfu/" STATION_INTERFACE

/* main() sets it before a verb runs; borrowed. */
extern const char *client_socket;
extern bool client_socket_given; /* by --socket */
/* The machine that --host names; NULL: this one. */
extern const char *client_host;

/* The verbs: main()'s way to call them. argv[0] is the verb. They return an exit code. */
int verb_cancel(int argc, char **argv);
int verb_consumer(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_export(int argc, char **argv);
int verb_flash(int argc, char **argv);
int verb_history(int argc, char **argv);
int verb_hold(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_probe(int argc, char **argv);
int verb_release(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_retry(int argc, char **argv);
int verb_slot(int argc, char **argv);
int verb_bridge(int argc, char **argv);
int verb_metrics(int argc, char **argv);
int verb_monitor(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_status(int argc, char **argv);

/* The columns of their tables, by the names that --output has for them; NULL at the end. */
extern const char *const consumer_columns[];
extern const char *const history_columns[];
extern const char *const list_columns[];
extern const char *const stats_columns[];

/* A verb's long option: one of flag and value is set. --help, and its short form, are understood everywhere. */
struct client_option {
        const char *name;
        bool *flag;         /* becomes true */
        const char **value; /* takes an argument; borrowed from argv */
};

/* Reads a verb's command line. CLIENT_GO_ON with the arguments from argv[optind] on, at most max_arguments of them; else an
 * exit code, and all is said. */
#define CLIENT_GO_ON (-1)
int client_options(int argc, char **argv, const struct client_option *options, size_t n, int max_arguments);
/* The usage of a verb on stdout, from main()'s table; returns EXIT_DONE. */
int client_help(const char *name);
/* One option that is a whole number; false, and said so, if text is not one from min to max. */
bool client_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret);

/* They say what is wrong and return an exit code; EXIT_DONE with the result. parameters are taken over; NULL: none. */
int client_open(struct connection **ret); /* nothing is called yet */
int client_call(const char *method, json_t *parameters, bool more, struct connection **ret);
/* The connection alone: a negative errno. again: nobody is asked for a password. */
int client_connect(uint64_t timeout_usec, bool again, struct connection **ret);
/* What came of a connection_receive() of this connection: EXIT_DONE, and reply is moved to *ret, or as client_next(). */
int client_received(struct connection *connection, int r, uint64_t timeout_usec, const sigset_t *mask,
                    struct varlink_reply *reply, struct varlink_reply *ret);
/* The next reply. An error of the daemon's is said and becomes an exit code. */
int client_reply(struct connection *connection, struct varlink_reply *ret);
/* The same of a stream that may be silent for long; CLIENT_INTERRUPTED when a signal came that mask lets through,
 * CLIENT_READER_LEFT when stdout is a pipe or a socket that nobody reads from any more. */
#define CLIENT_INTERRUPTED (-2)
#define CLIENT_READER_LEFT (-3)
int client_next(struct connection *connection, const sigset_t *mask, struct varlink_reply *ret);
/* The same with an end, CLIENT_TIMED_OUT, of which nothing is said. stdout may be whatever it is. */
#define CLIENT_TIMED_OUT (-4)
int client_next_until(struct connection *connection, uint64_t timeout_usec, const sigset_t *mask,
                      struct varlink_reply *ret);
/* One call with one reply, whose parameters are *ret (to be released). */
int client_ask(const char *method, json_t *parameters, json_t **ret);
/* The same, for a method that answers when something has ended. */
int client_ask_patiently(const char *method, json_t *parameters, uint64_t timeout_usec, json_t **ret);
/* The same with a descriptor beside the call (borrowed). */
int client_ask_with(const char *method, json_t *parameters, int fd, uint64_t timeout_usec, json_t **ret);
/* The configuration is read again; warnings are said, and how many there are of what is told. */
int client_reload(unsigned *ret_slots, unsigned *ret_policies);
/* For a reply that could not be read. */
int client_misread(int r);

/* JSON on stdout as it came, so what a newer daemon says is there too; compact: on one line. */
int client_print_json(const json_t *value, bool compact);
