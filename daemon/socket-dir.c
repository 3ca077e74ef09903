/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/socket-dir.h"

#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

int socket_dir_make(const char *path)
{
        _cleanup_(freep) char *copy = strdup(path);
        const char *dir;

        if (!copy)
                return -ENOMEM;
        dir = dirname(copy);
        if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
                int r = -errno;

                log_error("directory %s for the socket cannot be made: %s; --socket PATH names another place",
                          dir, strerror(-r));
                return r;
        }
        return 0;
}

int socket_dir_check(const char *path)
{
        _cleanup_(freep) char *copy = strdup(path);
        const char *dir;
        struct stat st;

        if (!copy)
                return -ENOMEM;
        dir = dirname(copy);
        if (stat(dir, &st) < 0) {
                int r = -errno;

                log_error("directory %s of the socket: %s", dir, strerror(-r));
                return r;
        }
        if (st.st_uid != 0 && st.st_uid != geteuid()) {
                log_error("directory %s of the socket belongs to user %u: expected root or the user that "
                          "espdfud runs as (%u); remove it and start espdfud.socket again",
                          dir, st.st_uid, geteuid());
                return 1;
        }
        if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0) {
                log_error("directory %s of the socket has mode %04o, others than its owner may write there: "
                          "expected 0755",
                          dir, st.st_mode & 07777);
                return 1;
        }
        return 0;
}
