/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/kernel-log.h"

#include <fcntl.h>
#include <stdio.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "io/file.h"

#define MESSAGES_MAX 20000 /* the last ones */
#define FILE_MAX     (16 * MIB)
#define RECORD_MAX   8192                  /* bytes of a record of /dev/kmsg, as the kernel has it */
#define AGE_MAX      (3600 * USEC_PER_SEC) /* what is older was about another board */

static uint64_t now_usec(clockid_t clock)
{
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- the journal ---- */

/* Those of this boot's kernel, from the oldest that counts on. Returns whether there is any. */
static int seek(sd_journal *journal)
{
        char match[sizeof("_BOOT_ID=") + SD_ID128_STRING_MAX], id[SD_ID128_STRING_MAX];
        sd_id128_t boot;
        int r = sd_id128_get_boot(&boot);

        if (r < 0)
                return r;
        snprintf(match, sizeof(match), "_BOOT_ID=%s", sd_id128_to_string(boot, id));
        r = sd_journal_add_match(journal, match, 0);
        if (r >= 0)
                r = sd_journal_add_match(journal, "_TRANSPORT=kernel", 0);
        if (r >= 0)
                r = sd_journal_seek_tail(journal);
        return r < 0 ? r : sd_journal_previous_skip(journal, MESSAGES_MAX);
}

static void feed_entry(sd_journal *journal, struct kernel_log *log)
{
        const uint64_t oldest = now_usec(CLOCK_REALTIME) - AGE_MAX;
        char line[KERNEL_TROUBLE_TEXT_MAX + sizeof("MESSAGE=")];
        const void *data;
        uint64_t time;
        size_t len;

        if (sd_journal_get_realtime_usec(journal, &time) < 0 || time < oldest ||
            sd_journal_get_data(journal, "MESSAGE", &data, &len) < 0)
                return;
        snprintf(line, sizeof(line), "%.*s", (int)MIN(len, sizeof(line) - 1), (const char *)data);
        kernel_log_feed(log, line + MIN(strlen("MESSAGE="), strlen(line)));
}

static int read_journal(struct kernel_log *log)
{
        sd_journal *journal;
        int r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

        if (r < 0)
                return r;
        r = seek(journal);
        if (r == 0)
                r = -EACCES; /* a kernel always says something: its messages are not shown to everybody */
        for (unsigned n = 0; r > 0 && n < MESSAGES_MAX; n++) {
                feed_entry(journal, log);
                r = sd_journal_next(journal);
        }
        sd_journal_close(journal);
        return MIN(r, 0);
}

/* ---- /dev/kmsg ---- */

/* "6,339,5140900,-;usb 1-4: …\n KEY=…": priority, number, microseconds since the boot. */
static void feed_record(char *record, struct kernel_log *log)
{
        const uint64_t now = now_usec(CLOCK_MONOTONIC);
        char *text = strchr(record, ';');
        unsigned long long time;

        if (!text || sscanf(record, "%*u,%*u,%llu", &time) != 1 || time + AGE_MAX < now)
                return;
        text[strcspn(text, "\n")] = '\0';
        kernel_log_feed(log, text + 1);
}

int kernel_log_read_records(int fd, struct kernel_log *ret)
{
        char record[RECORD_MAX + 1];

        /* Of the ring of some hundred KiB what was overwritten meanwhile is EPIPE, once. */
        for (unsigned i = 0; i < MESSAGES_MAX; i++) {
                ssize_t n = read(fd, record, RECORD_MAX);

                if (n < 0 && errno != EPIPE)
                        return errno == EAGAIN ? 0 : -errno;
                if (n == 0)
                        return 0;
                record[MAX(n, 0)] = '\0';
                feed_record(record, ret);
        }
        return 0;
}

static int read_kmsg(struct kernel_log *log)
{
        int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        r = kernel_log_read_records(fd, log);
        close(fd);
        return r;
}

int kernel_log_read(struct kernel_log *ret)
{
        if (read_journal(ret) == 0 || read_kmsg(ret) == 0)
                return 0;
        return -EACCES;
}

int kernel_log_read_file(const char *path, struct kernel_log *ret)
{
        _cleanup_(freep) uint8_t *text = NULL;
        size_t len;
        int r = file_read(path, FILE_MAX, &text, &len);
        char *rest = (char *)text, *line;

        while (r == 0 && (line = strsep(&rest, "\n")))
                kernel_log_feed(ret, line);
        return r;
}
