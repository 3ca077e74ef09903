/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/process.h"

#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *read_proc(pid_t pid, const char *name)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);
        g_autoptr(GError) error = NULL;
        char *text;

        if (!g_file_get_contents(path, &text, NULL, &error))
                g_error("bench: %s", error->message);
        return text;
}

/* The number behind name, at the beginning of a line. */
static uint64_t number_behind(const char *text, const char *name)
{
        const char *line = text;

        while (line && strncmp(line, name, strlen(name)) != 0) {
                line = strchr(line, '\n');
                line = line ? line + 1 : NULL;
        }
        if (!line)
                g_error("bench: the kernel does not say %s", name);
        return strtoull(line + strlen(name), NULL, 10);
}

/* Adds up one number of each thread: name behind which it stands; "": the first of the file. */
static uint64_t sum_of_threads(pid_t pid, const char *file, const char *name)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)pid);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *thread;
        uint64_t sum = 0;

        if (!dir)
                g_error("bench: process %d is gone", (int)pid);
        while ((thread = g_dir_read_name(dir))) {
                g_autofree char *where = g_strdup_printf("task/%s/%s", thread, file);
                g_autofree char *text = read_proc(pid, where);

                sum += number_behind(text, name);
        }
        return sum;
}

uint64_t process_cpu_nsec(pid_t pid)
{
        return sum_of_threads(pid, "schedstat", "");
}

uint64_t process_wakeups(pid_t pid)
{
        return sum_of_threads(pid, "status", "voluntary_ctxt_switches:");
}

/* proc(5): cutime and cstime are the 16th and 17th; the name in parentheses, the 2nd, may have anything in it. */
uint64_t process_children_usec(pid_t pid)
{
        g_autofree char *text = read_proc(pid, "stat");
        const char *behind_name = strrchr(text, ')');
        g_auto(GStrv) fields = g_strsplit(behind_name ? behind_name + 2 : "", " ", -1);

        if (g_strv_length(fields) < 15)
                g_error("bench: /proc/%d/stat is not as proc(5) has it", (int)pid);
        return (strtoull(fields[13], NULL, 10) + strtoull(fields[14], NULL, 10)) * 1000000 /
               (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t process_kib(pid_t pid, const char *file, const char *name)
{
        g_autofree char *text = read_proc(pid, file);

        return number_behind(text, name);
}

uint64_t process_pss_of_kib(pid_t pid, const char *in_path)
{
        g_autofree char *text = read_proc(pid, "smaps");
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        bool counts = false;
        uint64_t sum = 0;

        for (char **line = lines; *line; line++) {
                if (g_str_has_prefix(*line, "Pss:"))
                        sum += counts ? strtoull(*line + strlen("Pss:"), NULL, 10) : 0;
                else if (g_ascii_isxdigit(**line) && !g_ascii_isupper(**line))
                        counts = strstr(*line, in_path); /* "55d0-55e0 r--p …": a mapping begins */
        }
        return sum;
}

size_t process_children(pid_t pid, pid_t *ret, size_t max)
{
        g_autofree char *name = g_strdup_printf("task/%d/children", (int)pid);
        g_autofree char *text = read_proc(pid, name);
        size_t n = 0;

        for (char *p = text, *end; strtoull(p, &end, 10) > 0; p = end) {
                if (n < max)
                        ret[n] = (pid_t)strtoull(p, NULL, 10);
                n++;
        }
        return n;
}
