/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/integration/standstill.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#define ASK_SEC         "20" /* a daemon that does not answer is what this is about */
#define LINES_OF_STATUS "Name State PPid SigPnd ShdPnd SigBlk SigIgn SigCgt VmHWM RssAnon Threads"

static char *read_of(pid_t pid, const char *name)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);
        char *text = NULL;

        g_file_get_contents(path, &text, NULL, NULL);
        return text ? g_strchomp(text) : g_strdup("(cannot be read)");
}

static void show_status(pid_t pid)
{
        g_autofree char *text = read_of(pid, "status");
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1), names = g_strsplit(LINES_OF_STATUS, " ", -1);

        for (char **line = lines; *line; line++) {
                g_autofree char *name = g_strndup(*line, strcspn(*line, ":"));

                if (g_strv_contains((const char *const *)names, name))
                        fprintf(stderr, "  %s\n", *line);
        }
}

/* Each name in a directory of /proc/PID. */
static void show_each(pid_t pid, const char *name,
                      void (*show)(pid_t pid, const char *path, const char *name))
{
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *entry;

        while (dir && (entry = g_dir_read_name(dir)))
                show(pid, path, entry);
}

static void show_thread(pid_t pid, const char *path, const char *thread)
{
        static const char *const files[] = { "comm", "wchan", "syscall", "schedstat", "stack" };

        (void)path;
        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *name = g_strdup_printf("task/%s/%s", thread, files[i]);
                g_autofree char *text = read_of(pid, name);

                fprintf(stderr, "  thread %s: %s: %s\n", thread, files[i], text);
        }
}

static void show_descriptor(pid_t pid, const char *path, const char *number)
{
        g_autofree char *link = g_build_filename(path, number, NULL), *target = g_file_read_link(link, NULL);

        (void)pid;
        fprintf(stderr, "  descriptor %s: %s\n", number, target ? target : "(closed)");
}

static void show_output(const char *const *argv)
{
        g_autofree char *said = NULL, *errors = NULL;

        if (g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &said, &errors, NULL,
                         NULL))
                fprintf(stderr, "%s%s\n", said, errors);
        else
                fprintf(stderr, "  (%s cannot be run)\n", argv[0]);
}

static void show_where(pid_t pid)
{
        g_autofree char *number = g_strdup_printf("%d", (int)pid), *gdb = g_find_program_in_path("gdb");

        if (!gdb) {
                fprintf(stderr,
                        "  (gdb is not there: where its threads stand in the program is not known)\n");
                return;
        }
        show_output((const char *[]){ "timeout", "30", "gdb", "-batch", "-p", number, "-ex",
                                      "thread apply all bt", NULL });
}

static void ask(const char *socket, const char *command)
{
        fprintf(stderr, "---- espdfuctl %s:\n", command);
        show_output((const char *[]){ "timeout", ASK_SEC, ESPDFUCTL, "--socket", socket, command, NULL });
}

static void show_one(pid_t pid)
{
        fprintf(stderr, "---- process %d:\n", (int)pid);
        show_status(pid);
        show_each(pid, "task", show_thread);
        show_each(pid, "fd", show_descriptor);
        show_where(pid);
}

void standstill_show(pid_t pid, const char *socket)
{
        g_autofree char *name = g_strdup_printf("task/%d/children", (int)pid), *children = read_of(pid, name);
        g_auto(GStrv) pids = g_strsplit(children, " ", -1);

        if (socket) {
                ask(socket, "status");
                ask(socket, "explain");
                ask(socket, "history");
        }
        show_one(pid);
        for (char **child = pids; *child; child++)
                if (g_ascii_isdigit(**child))
                        show_one((pid_t)g_ascii_strtoll(*child, NULL, 10));
        fprintf(stderr, "----\n");
}
