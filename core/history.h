/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which attempts somebody wants to see, and a page of them on its way to who asked. */
#pragma once

#include "core/status.h"

#define HISTORY_SHA256_MIN 6 /* hexadecimal digits that make a text the beginning of an image's SHA-256 */

/* What is NULL, 0 or false lets everything through. Texts are owned. */
struct history_filter {
        char *slot;  /* its name at that time */
        char *place; /* the port, whatever it was called: its ID_PATH, or its port path where there was none */
        char *port;  /* the port path at that time: for who knows nothing better */
        char *mac;
        char *image; /* its name, its path, or at least HISTORY_SHA256_MIN digits of its SHA-256 */
        uint64_t since_usec, until_usec; /* CLOCK_REALTIME of the attempt's start; until itself is too late */
        bool has_verdict;
        enum verdict verdict;
        bool oldest_first;
        /* Only what is closed and has a higher number than after, in the order of the numbers; oldest_first is implied. */
        bool by_sequence;
        int64_t after;
};
void history_filter_done(struct history_filter *filter);
/* Returns 0 or -ENOMEM; *ret is overwritten, not released. */
int history_filter_copy(const struct history_filter *filter, struct history_filter *ret);
/* Whether image can be the beginning of a SHA-256. */
bool history_image_is_digest(const char *image);

/* Where the next page goes on. All zero: at the beginning. Rows that come later than the first page are not shown. */
struct history_at {
        bool begun;
        int64_t low,
                high; /* ids (sequence numbers with by_sequence) still to be looked at: low <= id < high */
};

struct history_page {
        struct attempt_record *attempts; /* owned */
        size_t n;
        struct history_at at; /* of the next page */
        bool ended;           /* there is none */
};

/* r: 0, or a negative errno and no page. Who wants to keep the attempts takes them out of the page. */
typedef void (*history_page_t)(void *userdata, int r, struct history_page *page);
