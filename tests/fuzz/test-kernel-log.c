/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's log, line by line. A board chooses the words of some of them: its product's name, its serial number. */
#include "core/kernel-log.h"
#include "core/printable.h"
#include "tests/fuzz/fuzz.h"

static void check_log(const struct kernel_log *log, size_t lines)
{
        size_t count = 0;

        must(log->n_troubles <= KERNEL_TROUBLES_MAX);
        must(memchr(log->low_speed, '\0', sizeof(log->low_speed)));
        for (size_t i = 0; i < log->n_troubles; i++) {
                const struct kernel_trouble *t = &log->troubles[i];

                must(t->kind < KERNEL_TROUBLE_KIND_MAX_ && t->place[0] &&
                     memchr(t->place, '\0', sizeof(t->place)));
                must(t->text[0] && memchr(t->text, '\0', sizeof(t->text)) && is_printable(t->text));
                for (size_t j = 0; j < i; j++)
                        must(t->kind != log->troubles[j].kind || !streq(t->place, log->troubles[j].place));
                must(t->count > 0);
                count += t->count;
        }
        must(count <= lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) struct kernel_log *log = calloc(1, sizeof(*log));
        size_t lines = 0;

        must(log);
        for (size_t at = 0; at < size; lines++) {
                const uint8_t *end = memchr(data + at, '\n', size - at);
                size_t len = end ? (size_t)(end - data) - at : size - at;
                _cleanup_(freep) char *line = strndup((const char *)data + at, len);

                must(line);
                kernel_log_feed(log, line);
                at += len + 1;
        }
        check_log(log, lines);
        return 0;
}
