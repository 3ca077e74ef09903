/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "core/text.h"
#include "daemon/aside.h"

#define LINE_MAX_BYTES 511 /* as much of an error as the status line shows */

static char shown[LINE_MAX_BYTES + 1];

static void send_state(void *data)
{
        sd_notify(false, data);
}

/* systemd may be busy for seconds, with a reload of its own say. */
static void tell(const char *fmt, ...) _printf_(1, 2);

static void tell(const char *fmt, ...)
{
        char *text;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n >= 0)
                aside_do(send_state, free, text);
}

void notify_ready(void)
{
        tell("READY=1");
}

void notify_reloading(void)
{
        tell("RELOADING=1");
}

void notify_stopping(uint64_t limit_usec)
{
        tell("STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, limit_usec);
}

/* What is not UTF-8 systemd would drop; long texts are cut between characters. */
static void send_status(const char *text)
{
        _cleanup_(freep) char *line = text_to_utf8(text, LINE_MAX_BYTES);

        if (!line || streq(line, shown))
                return;
        memcpy(shown, line, strlen(line) + 1);
        tell("STATUS=%s", line);
}

void notify_counts(const struct station_status *header, bool stopping)
{
        _cleanup_(freep) char *error = header->config_error ? text_escape(header->config_error) : NULL;
        _cleanup_(freep) char *held = header->held ? text_escape(header->held) : NULL;
        _cleanup_(freep) char *line = NULL;

        if (asprintf(&line,
                     "%s%s%srunning %u, waiting %u, failed %u; today %" PRIu64 " flashed, %" PRIu64
                     " failed%s%s",
                     stopping ? "stopping: " : "", held ? held : "", held ? "; " : "", header->running,
                     header->waiting, header->failed, header->flashed_today, header->failed_today,
                     error ? "; the last reload was refused: " : "", error ? error : "") < 0)
                line = NULL;
        if (line)
                send_status(line);
}

void notify_failed(const char *why)
{
        _cleanup_(freep) char *text = text_escape(why);

        if (text)
                send_status(text);
}
