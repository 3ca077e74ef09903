/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "core/text.h"

static int max_level = LOG_INFO;
static char *first_error;

void log_set_max_level(int level)
{
        max_level = level;
}

const char *log_first_error(void)
{
        return first_error;
}

/* Whether stderr is the stream that systemd connected to the journal: "DEVICE:INODE". */
static bool stderr_is_journal(void)
{
        static int known = -1;
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        if (known < 0)
                known = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                        fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
        return known > 0;
}

static const char *level_word(int level)
{
        return level <= LOG_ERR       ? "error"
               : level == LOG_WARNING ? "warning"
               : level <= LOG_INFO    ? "info"
                                      : "debug";
}

struct journal_fields {
        struct iovec iov[6];
        int n;
};

/* name ends in "="; a field without memory or without a value is left out. */
static void add_field(struct journal_fields *fields, const char *name, const char *value)
{
        char *text;
        int length;

        if (!value)
                return;
        length = asprintf(&text, "%s%s", name, value);
        if (length >= 0)
                fields->iov[fields->n++] = (struct iovec){ .iov_base = text, .iov_len = (size_t)length };
}

static int send_to_journal(int level, const char *slot, const char *job, const char *message_id,
                           const char *text)
{
        struct journal_fields fields = { .n = 0 };
        char priority[2] = { (char)('0' + (level & LOG_PRIMASK)), '\0' };
        int r;

        add_field(&fields, "MESSAGE=", text);
        add_field(&fields, "PRIORITY=", priority);
        add_field(&fields, "SYSLOG_IDENTIFIER=", "espdfud");
        add_field(&fields, "MESSAGE_ID=", message_id);
        add_field(&fields, "ESPDFU_SLOT=", slot);
        add_field(&fields, "ESPDFU_JOB=", job);
        r = sd_journal_sendv(fields.iov, fields.n);
        for (int i = 0; i < fields.n; i++)
                free(fields.iov[i].iov_base);
        return r;
}

static void say(int level, const char *slot, const char *job, const char *message_id, const char *fmt,
                va_list ap) _printf_(5, 0);

static void say(int level, const char *slot, const char *job, const char *message_id, const char *fmt,
                va_list ap)
{
        _cleanup_(freep) char *raw = NULL;
        _cleanup_(freep) char *text = NULL;
        _cleanup_(freep) char *name = NULL;
        int saved = errno;

        if (level > max_level)
                return;
        if (vasprintf(&raw, fmt, ap) >= 0)
                text = text_escape(raw);
        else
                raw = NULL;
        if (slot)
                name = text_escape(slot);
        if (!text)
                text = strdup("out of memory");
        if (text && level <= LOG_ERR && !first_error)
                first_error = strdup(text);
        if (text && (!stderr_is_journal() || send_to_journal(level, name, job, message_id, text) < 0))
                fprintf(stderr, "espdfud: %s: %s%s%s\n", level_word(level), name ? name : "",
                        name ? ": " : "", text);
        errno = saved;
}

void log_message(int level, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say(level, NULL, NULL, NULL, fmt, ap);
        va_end(ap);
}

void log_slot(int level, const char *slot, const char *job, const char *message_id, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say(level, slot, job, message_id, fmt, ap);
        va_end(ap);
}
