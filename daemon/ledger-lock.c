/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ledger-roll.h"
#include "io/lock.h"

int ledger_lock(const char *path, int *ret, char **ret_error)
{
        _cleanup_(freep) char *lock = NULL;
        int fd, r;

        if (asprintf(&lock, "%s-lock", path) < 0) {
                lock = NULL;
                return -ENOMEM;
        }
        fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return ledger_error(ret_error, -errno, "%s: cannot be created: %s", lock, strerror(errno));
        (void)fchmod(fd, 0600); /* one of before, that the group could lock; if it is another's, he may */
        r = lock_take(fd, LOCK_WAIT);
        if (r < 0) {
                close(fd);
                return ledger_error(
                        ret_error, r, "%s: %s", path,
                        r == -EBUSY ? "in use by another espdfud: stop that one, or give this one its own "
                                      "state directory"
                                    : strerror(-r));
        }
        *ret = fd;
        return 0;
}

static int give_id(const char *path, int64_t since, struct ledger_identity *ret, char **ret_error)
{
        _cleanup_(ledger_db_freep) struct ledger_db *db = NULL;
        int r = ledger_db_open_writer(path, &db, ret_error);

        if (r < 0)
                return r;
        r = ledger_roll_new_identity(db, since, ret);
        return r < 0 ? ledger_error(ret_error, r, "%s: gets no new id: %s (%s)", path, strerror(-r),
                                    ledger_db_error(db))
                     : 0;
}

int ledger_give_new_id(const char *path, int64_t since, struct ledger_identity *ret, char **ret_error)
{
        int lock = -EBADF, r;

        if (access(path, F_OK) < 0)
                return ledger_error(ret_error, -errno, "%s: %s", path, strerror(errno));
        r = ledger_lock(path, &lock, ret_error);
        if (r < 0)
                return r;
        r = give_id(path, since, ret, ret_error);
        close(lock);
        return r;
}
