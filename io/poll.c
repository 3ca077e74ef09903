/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/poll.h"

#include "io/clock.h"

int poll_until(struct pollfd *pfds, size_t n, uint64_t deadline_usec, const sigset_t *mask)
{
        static const struct timespec at_once = { 0 };
        uint64_t now = monotonic_usec(), left = deadline_usec > now ? deadline_usec - now : 0;
        const struct timespec ts = { .tv_sec = (time_t)(left / USEC_PER_SEC),
                                     .tv_nsec = (long)(left % USEC_PER_SEC * 1000) };
        int r;

        /* ppoll() delivers a signal that waits only where no descriptor has anything. */
        if (mask && ppoll(NULL, 0, &at_once, mask) < 0)
                return -errno;
        r = ppoll(pfds, n, deadline_usec == USEC_INFINITY ? NULL : &ts, mask);
        return r < 0 ? -errno : r;
}

void poll_signals(const int *signals, size_t n, void (*handler)(int), sigset_t *ret)
{
        const struct sigaction action = { .sa_handler = handler };
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < n; i++) {
                sigaddset(&set, signals[i]);
                sigaction(signals[i], &action, NULL);
        }
        sigprocmask(SIG_BLOCK, &set, ret);
        for (size_t i = 0; i < n; i++)
                sigdelset(ret, signals[i]);
}
