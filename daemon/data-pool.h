/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A board-data folder, and the names in it that are free, in natural order. It is read once, in slices, so that a folder
 * of any size holds the event loop for no more than a few milliseconds at a time; from then on inotify tells what comes and
 * goes, name by name.
 */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "core/util.h"

struct data_pool;

struct data_pool_ops {
        /* Whether this file is nobody's yet: 1 or 0, or a negative errno. Asked when the name is met. */
        int (*is_free)(void *userdata, const char *path);
        /* Something is other than it was, or the reading is over. Called from the loop. */
        void (*changed)(void *userdata);
};

/* Nothing is read yet. owner: as data_folder_owner(). ops is borrowed for good. */
int data_pool_new(sd_event *event, const char *folder, uid_t owner, const struct data_pool_ops *ops,
                  void *userdata, struct data_pool **ret);
struct data_pool *data_pool_free(struct data_pool *pool);
DEFINE_CLEANUP(struct data_pool, data_pool_free)

enum {
        DATA_POOL_REFUSED = 1, /* *ret_why, one line that names the folder, to be freed: it cannot be used */
        DATA_POOL_LATER,       /* it is being read: changed() tells when that is over */
        DATA_POOL_EMPTY,       /* no name is free */
};

/* The first free name, borrowed until the loop goes on. 0, one of the above, or a negative errno. */
int data_pool_first(struct data_pool *pool, const char **ret_name, char **ret_why);
/* The name is somebody's now. */
void data_pool_strike(struct data_pool *pool, const char *name);
/* The name may be free again, or gone. */
void data_pool_look_at(struct data_pool *pool, const char *name);
