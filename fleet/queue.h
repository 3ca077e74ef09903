/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What came from the broker and is not in the store yet. Bounded: what comes when it is full is not taken, and its bridge sends
 * it again. Pure.
 */
#pragma once

#include <jansson.h>

#include "core/util.h"

#define QUEUE_ITEMS_MAX 50000
#define QUEUE_BYTES_MAX (64 * MIB)

struct queue;

struct queue *queue_new(void); /* NULL: out of memory */
struct queue *queue_free(struct queue *queue);
DEFINE_CLEANUP(struct queue, queue_free)

/* item: of record_read(), borrowed; is_letter: it is one of the letters. 0; -ENOBUFS: it is full; -ENOMEM. */
int queue_add(struct queue *queue, const json_t *item, bool is_letter, uint64_t now_usec);
size_t queue_length(const struct queue *queue);
/* When the first of it came; USEC_INFINITY: it is empty. */
uint64_t queue_since(const struct queue *queue);

/* The first items, at most max of them and QUEUE_BATCH_BYTES, as the two arrays of espdfu.take(); to be freed. How many, or
 * -ENOMEM. They stay until queue_drop(). */
#define QUEUE_BATCH_BYTES (8 * MIB)
int queue_batch(const struct queue *queue, size_t max, char **ret_messages, char **ret_letters);
void queue_drop(struct queue *queue, size_t n);
