/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The station as all browsers see it: one picture, written by the watcher's thread, read by a thread for each browser.
 *
 * Every slot has the number of its last change. A reader who comes back after a while gets, once, what changed since it was
 * here last: nothing is kept for it meanwhile, however slow it is. Slots and header are passed on as the daemon told them, so
 * what a newer daemon says is there too; that they are objects with a name is all that is looked at.
 */
#pragma once

#include <jansson.h>

#include "core/util.h"

#define VIEW_SLOTS_MAX 4096 /* over it, what was told is nonsense */

struct view;

int view_new(struct view **ret);
struct view *view_free(struct view *view);
DEFINE_CLEANUP(struct view, view_free)

/* ---- the watcher's side ---- */

/* parameters: those of a reply of Status. 0; -EPROTO: they are not, and nothing has changed; -ENOMEM. */
int view_apply(struct view *view, json_t *parameters);
/* The header and the policies alone. As view_apply(). */
int view_apply_header(struct view *view, json_t *parameters);
/* Whether the daemon is heard; if not, why: one line, copied. Whether that is another state than before. */
bool view_set_link(struct view *view, const char *why_down);
/* Ends all waiting, for good. */
void view_end(struct view *view);

/* ---- a browser's side ---- */

struct view_reader; /* one thread's */

int view_reader_new(struct view *view, struct view_reader **ret);
struct view_reader *view_reader_free(struct view_reader *reader);

/* Positive results. */
enum {
        VIEW_NO_NEWS = 1, /* within the time */
        VIEW_LEFT,        /* the other end of the socket is gone */
        VIEW_ENDED,       /* by view_end() */
};
/* What is new to this reader, as one line of JSON, to be freed: the first time all of it. Waits for it. Or -errno. */
int view_next(struct view_reader *reader, int socket, uint64_t timeout_usec, char **ret);
