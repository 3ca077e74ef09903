/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HTTP side: a thread for each connection (libmicrohttpd), so that whoever is slow keeps nobody waiting. What there is to
 * ask for is a table; all else is refused. Bounds: connections, of them from one address (web/visitors.h), bytes and seconds of a
 * request, and seconds without a byte moving.
 */
#pragma once

#include <pthread.h>

#include <microhttpd.h>
#include <netinet/in.h>

#include "web/guard.h"
#include "web/view.h"

#define HTTP_CONNECTIONS_MAX   64
#define HTTP_REQUEST_MAX       (16 * KIB) /* request line and header */
#define HTTP_THREAD_STACK      (512 * KIB)
#define HTTP_HISTORY_CALLS_MAX 8 /* of the daemon, at a time: it has 16 places for a user */
/* Of them downloads as CSV, which take as long as their browser does; and of one address of either, and of downloads. */
#define HTTP_CSV_MAX        4
#define HTTP_HISTORY_OF_ONE 4
#define HTTP_CSV_OF_ONE     2

struct visitors;

/* A question for the history that is at work. */
struct history_place {
        bool taken, is_csv;
        struct in6_addr from; /* visitors_party() */
};

struct web {
        struct view *view;  /* borrowed */
        const char *socket; /* the daemon's; borrowed */
        struct guard guard;
        unsigned per_address, timeout_sec;
        pthread_mutex_t history_mutex; /* for what follows */
        struct history_place history[HTTP_HISTORY_CALLS_MAX];
        struct visitors *visitors;
        struct MHD_Daemon *http;
};

/* Takes the listening socket over. 0; -EIO: libmicrohttpd does not start. */
int http_start(struct web *web, int listening);
/* No new ones; those that are there are ended. view_end() first. */
void http_stop(struct web *web);

/* ---- for those who answer ---- */

/* text: one line, copied. */
enum MHD_Result http_say(struct MHD_Connection *connection, unsigned status, const char *text);
/* Sends a response with the headers that every answer has; releases it. NULL: out of memory, which ends the connection. */
enum MHD_Result http_send(struct MHD_Connection *connection, unsigned status, const char *type,
                          struct MHD_Response *response);
/* The connection's descriptor: borrowed. */
int http_socket(struct MHD_Connection *connection);

enum MHD_Result events_answer(struct web *web, struct MHD_Connection *connection);
enum MHD_Result history_answer(struct web *web, struct MHD_Connection *connection);
enum MHD_Result history_csv_answer(struct web *web, struct MHD_Connection *connection);
