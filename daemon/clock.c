/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/clock.h"

#include <sys/timex.h>
#include <systemd/sd-id128.h>
#include <time.h>

#include "core/util.h"

static uint64_t now_usec(clockid_t clock)
{
        struct timespec ts;

        if (clock_gettime(clock, &ts) < 0 || ts.tv_sec < 0)
                return 0;
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_realtime_usec(void)
{
        return now_usec(CLOCK_REALTIME);
}

uint64_t clock_boottime_usec(void)
{
        return now_usec(CLOCK_BOOTTIME);
}

uint64_t clock_monotonic_usec(void)
{
        return now_usec(CLOCK_MONOTONIC);
}

bool clock_is_synchronized(void)
{
        struct timex timex = { .modes = 0 };

        return adjtimex(&timex) >= 0 && !(timex.status & STA_UNSYNC);
}

int clock_boot_id(char ret[static BOOT_ID_SIZE])
{
        sd_id128_t id;
        int r;

        r = sd_id128_get_boot(&id);
        if (r < 0)
                return r;
        sd_id128_to_string(id, ret);
        return 0;
}
