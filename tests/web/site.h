/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vocabulary of the tests of espdfu-web: the real program on a port of its own, the real server of espdfud with a fake
 * station behind it (tests/client/fake-espdfud), and browsers that are raw sockets, so that they can misbehave.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/util.h"

struct site {
        char dir[64], socket[96], log[96];
        unsigned port;
        pid_t web, station;
        FILE *orders, *obeyed; /* of the fake station */
};

extern struct site site;

/* The page, without a station. options: of espdfu-web, up to NULL; may be NULL. */
void start_web(const char *const *options);
/* SIGTERM; fails unless it exits with 0. */
void stop_web(void);
void start_station(void);
void stop_station(void);
/* A line to the fake station; returns when it has been obeyed. */
void tell(const char *order);
/* What listens in the station's place, in a process of its own: takes calls, and answers each with this text (with its NUL). */
void start_nonsense(const char *answer);
/* Ends everything, and removes it. */
void end_site(void);

/* ---- a browser ---- */

struct answer {
        int status;       /* 0: the connection was closed without one */
        char *text;       /* of all of it, to the end of the connection; owned */
        const char *body; /* in it */
};

/* from: the browser's address, or NULL. Its socket gives up after 20 s. */
int connect_from(const char *from);
/* One that takes next to nothing until it is read. */
int connect_narrowly_from(const char *from);
void send_text(int fd, const char *text);
/* Reads to the end, and closes. */
struct answer read_answer(int fd);
void answer_done(struct answer *answer);
/* "Connection: close" is added; headers: further lines, each with CR LF. */
struct answer request(const char *method, const char *path, const char *headers);
/* It is answered with this status, and with text in it. */
void expect_answer(int status, const char *text, const char *method, const char *path, const char *headers);

/* ---- a watcher of /events ---- */

struct stream {
        int fd;
        char *buffer; /* of what was read and not taken */
        size_t len, n_events, n_beats;
};

struct stream watch(const char *from);
void unwatch(struct stream *stream);
/* The next event, to be released; NULL: the stream has ended. */
json_t *next_event(struct stream *stream);
/* Waits for an event that says that the daemon is, or is not, heard; why has text in it. */
void expect_link(struct stream *stream, bool up, const char *text);
/* Waits for this slot in this phase; returns the event, to be released. */
json_t *expect_slot(struct stream *stream, const char *slot, const char *phase);
const json_t *slot_in(const json_t *event, const char *slot);
