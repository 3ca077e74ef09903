/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client's end of the socket: blocking, with a time limit for everything. */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "core/varlink.h"

struct connection;

/* Positive results. */
enum {
        CONNECTION_TIMED_OUT = 1,
        CONNECTION_CLOSED,      /* the daemon hung up */
        CONNECTION_NONSENSE,    /* what came is no varlink */
        CONNECTION_INTERRUPTED, /* a signal came */
        CONNECTION_READER_LEFT, /* of connection_watch_reader() */
};

/* timeout_usec: for connecting and for sending. */
int connection_open(const char *path, uint64_t timeout_usec, struct connection **ret);
struct connection *connection_close(struct connection *c);
DEFINE_CLEANUP(struct connection, connection_close)

/* The same over a stream socket that leads to a daemon elsewhere (taken over, also on failure), by way of a child process
 * that ends with it. */
int connection_of_child(int fd, pid_t child, struct connection **ret);
/* Whether it leads elsewhere: no descriptor can be passed there. */
bool connection_is_remote(const struct connection *c);
/* Waits for the child, whose end of the socket is closed, and kills it after 2 s: its exit status, 128 and more where a signal ended it. Once. */
int connection_child_status(struct connection *c);
/* To wait for more than this connection; borrowed. */
int connection_fd(const struct connection *c);
/* Whether a message has begun and not ended. */
bool connection_is_within(const struct connection *c);

/* Takes parameters over. */
int connection_send(struct connection *c, const char *method, json_t *parameters, bool more);
/* The same with a descriptor beside it (borrowed). */
int connection_send_with(struct connection *c, const char *method, json_t *parameters, bool more, int fd);
/* Waits for a reply; mask: the signals blocked while waiting, NULL: as they are. USEC_INFINITY waits for ever. */
int connection_receive(struct connection *c, uint64_t timeout_usec, const sigset_t *mask,
                       struct varlink_reply *ret);
/* Takes in what has come, without waiting, until max bytes are there: who is busy is not hung up on for reading too slowly. Its
 * end, and whatever is wrong, is for the next connection_receive(). */
void connection_read_ahead(struct connection *c, size_t max);
/* From now on connection_receive() also ends when what is at the other end of fd (borrowed; a pipe, a socket) is gone. */
void connection_watch_reader(struct connection *c, int fd);
/* Whether a reply is here already, so that connection_receive() does not wait. */
bool connection_has_reply(struct connection *c);
