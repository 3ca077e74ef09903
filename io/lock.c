/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/lock.h"

#include <sys/file.h>
#include <time.h>

#include "io/clock.h"

/* flock(2) knows no time limit, so it is asked again and again: at the start of a daemon alone. */
int lock_take(int fd, uint64_t wait_usec)
{
        static const struct timespec step = { .tv_nsec = 5000000 };
        uint64_t end = monotonic_usec() + wait_usec;

        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK)
                        return -errno;
                if (monotonic_usec() >= end)
                        return -EBUSY;
                nanosleep(&step, NULL);
        }
        return 0;
}
