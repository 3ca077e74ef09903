/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one that watches espdfud for all browsers, in a thread of its own: Status with "more", into a view. When the daemon is
 * gone, silent or speaks nonsense, the view says so, and it is tried again, ever less often.
 */
#pragma once

#include "web/view.h"

struct watcher;

/* socket and view are borrowed. After silence_usec without a word the daemon is asked whether it is there, and has as long for
 * its answer. Blocks SIGUSR1 in the calling thread, and so in those that it starts later. */
int watcher_start(const char *socket, uint64_t silence_usec, struct view *view, struct watcher **ret);
/* Within some seconds, where the daemon is just being connected to. */
struct watcher *watcher_stop(struct watcher *watcher);
DEFINE_CLEANUP(struct watcher, watcher_stop)
