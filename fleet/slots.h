/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is to be published of the slots, coalesced: another phase at once, progress within one at most once a second, and always
 * the slot as it is then. A slot that is no more is published once as empty. The owner publishes; no clock here.
 */
#pragma once

#include "core/util.h"

#define SLOTS_MAX           1024u /* a station has at most 512, and ports without a name */
#define SLOTS_PROGRESS_USEC USEC_PER_SEC

struct slots;

struct slots *slots_new(void);
struct slots *slots_free(struct slots *slots);
DEFINE_CLEANUP(struct slots, slots_free)

/* The slot as it is now: text is taken over (also on failure), phase is a word of the interface's. 0, -ENOMEM, -ENOBUFS. */
int slots_put(struct slots *slots, const char *name, const char *phase, char *text);
/* It is no more. One that was never put is published as empty, too. 0, -ENOMEM, -ENOBUFS. */
int slots_gone(struct slots *slots, const char *name);
/* Before a whole status is put: what is not put again until slots_end_whole() is no more. */
void slots_begin_whole(struct slots *slots);
void slots_end_whole(struct slots *slots);
/* Another broker, or the same with less: all is to be published. */
void slots_forget_published(struct slots *slots);

/* The next one that is due; *ret_text: NULL: empty. Both are borrowed until the next call. It counts as published. */
bool slots_next(struct slots *slots, uint64_t now_usec, const char **ret_name, const char **ret_text);
/* When one is due; USEC_INFINITY: none waits. */
uint64_t slots_due(const struct slots *slots);
/* Slots that are, and whether one of this name is. */
size_t slots_n(const struct slots *slots);
bool slots_has(const struct slots *slots, const char *name);
