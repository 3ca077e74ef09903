/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/service.h"

#include <stdarg.h>
#include <stdio.h>

#include <systemd/sd-daemon.h>

#include "io/poll.h"

static volatile sig_atomic_t ending;

static void on_end(int signal)
{
        (void)signal;
        ending = 1;
}

void service_start(struct service *service)
{
        static const int signals[] = { SIGTERM, SIGINT };
        uint64_t watchdog_usec = 0;

        *service = (struct service){ 0 };
        signal(SIGPIPE, SIG_IGN);
        poll_signals(signals, ARRAY_SIZE(signals), on_end, &service->waiting);
        if (sd_watchdog_enabled(0, &watchdog_usec) > 0)
                service->watchdog_usec = watchdog_usec / 3;
}

bool service_is_ending(void)
{
        return ending;
}

void service_ready(void)
{
        sd_notify(0, "READY=1");
}

void service_status(struct service *service, const char *format, ...)
{
        char status[sizeof(service->status)];
        va_list ap;

        va_start(ap, format);
        vsnprintf(status, sizeof(status), format, ap);
        va_end(ap);
        if (streq(status, service->status))
                return;
        memcpy(service->status, status, sizeof(status));
        sd_notifyf(0, "STATUS=%s", status);
}

uint64_t service_alive(struct service *service, uint64_t now_usec)
{
        if (service->watchdog_usec == 0)
                return USEC_INFINITY;
        if (now_usec >= service->alive_usec + service->watchdog_usec) {
                sd_notify(0, "WATCHDOG=1");
                service->alive_usec = now_usec;
        }
        return service->alive_usec + service->watchdog_usec;
}

void service_stopping(void)
{
        sd_notify(0, "STOPPING=1");
}
