/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "core/text.h"
#include "daemon/aside.h"

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

/* One that is on its way: aside.h says why. */
struct line {
        int level;
        const char *message_id; /* static */
        char *slot, *job;       /* or NULL */
        char *text;
};

static void line_release(void *data)
{
        struct line *line = data;

        free(line->slot);
        free(line->job);
        free(line->text);
        free(line);
}

static void line_write(void *data)
{
        const struct line *line = data;

        if (!stderr_is_journal() ||
            send_to_journal(line->level, line->slot, line->job, line->message_id, line->text) < 0)
                /* No stream: exit() would wait for its lock, which a thread that hangs here has. */
                dprintf(STDERR_FILENO, "espdfud: %s: %s%s%s\n", level_word(line->level),
                        line->slot ? line->slot : "", line->slot ? ": " : "", line->text);
}

static void say(int level, const char *slot, const char *job, const char *message_id, const char *fmt,
                va_list ap) _printf_(5, 0);

static void say(int level, const char *slot, const char *job, const char *message_id, const char *fmt,
                va_list ap)
{
        _cleanup_(freep) char *raw = NULL;
        int saved = errno;
        struct line *line;

        if (level > max_level)
                return;
        line = calloc(1, sizeof(*line));
        if (vasprintf(&raw, fmt, ap) < 0)
                raw = NULL;
        if (!line)
                return; /* without memory nothing can be said, and who needs it fails by itself */
        line->level = level;
        line->message_id = message_id;
        line->text = raw ? text_escape(raw) : NULL;
        line->slot = slot ? text_escape(slot) : NULL;
        line->job = job ? strdup(job) : NULL;
        if (!line->text)
                line->text = strdup("out of memory");
        if (line->text && level <= LOG_ERR && !first_error)
                first_error = strdup(line->text);
        if (line->text)
                aside_do(line_write, line_release, line);
        else
                line_release(line);
        errno = saved;
}

void log_lost(unsigned n)
{
        struct line line = { .level = LOG_WARNING };

        if (asprintf(&line.text, "%u lines were lost here: whoever takes them did not keep up", n) < 0)
                return;
        line_write(&line);
        free(line.text);
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
