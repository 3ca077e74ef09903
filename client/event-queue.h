/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events that wait for a command. Where there are too many, verdicts stay: of the others the oldest is dropped, and a
 * verdict only for another verdict. What was dropped is counted. Pure.
 */
#pragma once

#include <jansson.h>

#include "core/util.h"

#define EVENT_QUEUE_MAX 256

/* All zero is an empty one. */
struct event_queue {
        json_t *list[EVENT_QUEUE_MAX]; /* owned, the oldest first */
        size_t n;
        uint64_t dropped, dropped_verdicts; /* altogether; the second of the first */
};

void event_queue_done(struct event_queue *queue);
/* Takes event over. Whether all that was there, and this, still are. */
bool event_queue_push(struct event_queue *queue, json_t *event);
/* The oldest, to be released; NULL if there is none. */
json_t *event_queue_pop(struct event_queue *queue);
