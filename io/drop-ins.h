/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that are dropped into a directory, the administrator's and the vendor's: every file in DIR/NAME.d with a suffix. One of the
 * administrator's masks the vendor's of the same name; an empty one, or a symbolic link to /dev/null, leaves nothing of
 * it, which whoever reads them sees to.
 */
#pragma once

#include "core/config.h"

#define DROP_INS_MAX 256

/* Each one's whole path, owned; in the order of their names. */
struct drop_ins {
        char *paths[DROP_INS_MAX];
        size_t n;
};

struct drop_ins_kind {
        const char *dir;    /* "espdfud.conf.d" */
        const char *suffix; /* ".conf" */
        size_t max;         /* at most DROP_INS_MAX */
        const char *what;   /* they are called in messages: "drop-ins" */
};

void drop_ins_done(struct drop_ins *list);
/* vendor_dir may be NULL; a directory that is not there has none. What cannot be read, or is too much, goes to errors.
 * list is to be all zero. Returns 0 or -ENOMEM. */
int drop_ins_list(struct drop_ins *list, const char *dir, const char *vendor_dir,
                  const struct drop_ins_kind *kind, struct config_errors *errors);

const char *drop_in_name(const char *path);
bool drop_in_is_dev_null(const char *path);
