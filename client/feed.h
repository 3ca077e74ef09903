/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The station's messages of Status for as long as somebody wants them: a daemon that ends is waited for, and called again
 * when it is back. The first message after that is whole, as the very first is. Waiting costs nothing: the socket's
 * directory says when the socket is there again, and beside that it is tried again, first after 0.1 s, then after longer
 * spans up to 5 s.
 */
#pragma once

#include <poll.h>
#include <signal.h>

#include "client/client.h"

struct feed;

/* What feed_next() may return beside exit codes, of which all is said. */
enum {
        FEED_REPLY = -10,       /* *ret has a message */
        FEED_GONE = -11,        /* the daemon is gone; feed_trouble() says why. Once for each time */
        FEED_INTERRUPTED = -12, /* a signal came that mask lets through */
        FEED_READER_LEFT = -13, /* stdout is a pipe or a socket that nobody reads from any more */
        FEED_OTHERS = -14,      /* one of the other descriptors has something, or the time is over */
};

#define FEED_OTHERS_MAX 64

/* The first call. Exit codes: nothing is waited for that was never there. */
int feed_open(struct feed **ret);
struct feed *feed_free(struct feed *feed);
DEFINE_CLEANUP(struct feed, feed_free)

/* Waits for what comes first; others may be NULL; deadline_usec by CLOCK_MONOTONIC, USEC_INFINITY: none. After the first
 * message a daemon that hangs up, or does not end a message within 10 s, is FEED_GONE; before it, and where what comes is
 * no varlink, an exit code. */
int feed_next(struct feed *feed, const sigset_t *mask, struct pollfd *others, size_t n_others,
              uint64_t deadline_usec, struct varlink_reply *ret);
/* Why the daemon is gone, as part of a line; valid until the next feed_next(). */
const char *feed_trouble(const struct feed *feed);
/* Whether the next feed_next() has a message without waiting. */
bool feed_has_reply(const struct feed *feed);
