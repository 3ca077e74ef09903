/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The station, heard over its socket by a program that also waits for other things: Status with "more" on one connection,
 * one question at a time on another. When the daemon is gone, silent or speaks nonsense, it is said in one line, and tried
 * again, ever less often.
 */
#pragma once

#include <jansson.h>
#include <poll.h>

#include "core/util.h"

#define FEED_FDS 2

struct feed;

/* Called from within feed_step() alone. */
struct feed_events {
        /* A Status; first: of this connection. Borrowed. 0, or -EPROTO: that is not what the interface says. */
        int (*status)(void *userdata, const json_t *parameters, bool first);
        /* The daemon is no more, and why; also when it never was there, each time that it is for another reason. */
        void (*down)(void *userdata, const char *why);
};

/* error: the name of the daemon's refusal, or NULL; parameters: NULL when no answer came, and down() follows. Borrowed. */
typedef void (*feed_answer_t)(void *userdata, const char *error, const json_t *parameters);

/* socket: borrowed. */
int feed_new(const char *socket, const struct feed_events *events, void *userdata, struct feed **ret);
struct feed *feed_free(struct feed *feed);
DEFINE_CLEANUP(struct feed, feed_free)

/* Fills pfds, and says when feed_step() is to be called anyway. */
uint64_t feed_wait(const struct feed *feed, struct pollfd pfds[static FEED_FDS]);
void feed_step(struct feed *feed, const struct pollfd pfds[static FEED_FDS], uint64_t now_usec);

/* To be called now and then by who is busy for longer than some milliseconds: espdfud hangs up on who reads too slowly. Nothing is
 * called from within. */
void feed_read_ahead(struct feed *feed);

/* Whether the daemon is heard and no question is open: feed_ask() may be called. */
bool feed_is_free(const struct feed *feed);
/* Takes parameters over. answer comes later, once. Without success the connection ends, and no answer comes. */
void feed_ask(struct feed *feed, const char *method, json_t *parameters, feed_answer_t answer);
