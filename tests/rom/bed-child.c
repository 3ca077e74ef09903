/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs in the bed: started, listened to, waited for, and killed in the end. */
#include "tests/rom/bed-internal.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct bed_child {
        struct bed *bed;
        GPid pid;
        guint exit_watch, output_watch; /* sources of the default main context; 0: none */
        int output_fd;                  /* -1: at its end */
        GString *output;
        bool ended, show_output;
        int wait_status;
};

static void on_exit_of_child(GPid pid, gint status, gpointer userdata)
{
        struct bed_child *child = userdata;

        g_spawn_close_pid(pid);
        child->ended = true;
        child->wait_status = status;
        child->exit_watch = 0;
}

/* Reads what there is. Returns false at the end. */
static bool take_output(struct bed_child *child)
{
        char buffer[4096];
        ssize_t n = read(child->output_fd, buffer, sizeof(buffer));

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        g_string_append_len(child->output, buffer, n);
        if (child->show_output)
                fwrite(buffer, 1, (size_t)n, stderr);
        return n > 0;
}

static gboolean on_output(gint fd, GIOCondition condition, gpointer userdata)
{
        struct bed_child *child = userdata;

        (void)fd;
        (void)condition;
        if (take_output(child))
                return G_SOURCE_CONTINUE;
        child->output_watch = 0;
        close(take_fd(&child->output_fd));
        return G_SOURCE_REMOVE;
}

/* In the new process. It dies with the test's, and what it says on stderr goes where it says it on stdout. */
static void in_child(gpointer userdata)
{
        (void)userdata;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_TIMERSLACK,
              1UL); /* umockdev's library sleeps 0 us after each ioctl: 50 us with the usual slack */
        dup2(STDOUT_FILENO, STDERR_FILENO);
}

/* ASan wants to be the first library; under it a preload may stand before it only where it is told not to look. */
static char **environment_of(struct bed *bed, const struct bed_spawn_options *options)
{
        char **env = g_get_environ();
        const char *asan = g_environ_getenv(env, "ASAN_OPTIONS");
        g_autofree char *asan_options = g_strdup_printf("%s%sverify_asan_link_order=0", asan ? asan : "",
                                                        asan ? ":" : "");

        if (options->outside) {
                env = g_environ_unsetenv(env, "UMOCKDEV_DIR");
        } else {
                env = g_environ_setenv(env, "UMOCKDEV_DIR", bed->root, TRUE);
                env = g_environ_setenv(env, "LD_PRELOAD", BED_PRELOAD ":libumockdev-preload.so.0", TRUE);
                env = g_environ_setenv(env, "ASAN_OPTIONS", asan_options, TRUE);
        }
        for (const char *const *e = options->environment; e && *e; e++) {
                g_autofree char *name = g_strndup(*e, strcspn(*e, "="));

                env = g_environ_setenv(env, name, *e + strcspn(*e, "=") + 1, TRUE);
        }
        return env;
}

/* With ESPDFU_BED_UNDER, a program itself, that one runs ours: those that are named by their whole path. To be freed. */
static char **command_of(const char *const *argv)
{
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        const char *under = g_getenv("ESPDFU_BED_UNDER");

        if (under && g_path_is_absolute(argv[0]))
                g_strv_builder_add(builder, under);
        g_strv_builder_addv(builder, (const char **)(uintptr_t)argv);
        return g_strv_builder_end(builder);
}

struct bed_child *bed_spawn(struct bed *bed, const char *const *argv, const struct bed_spawn_options *options)
{
        static const struct bed_spawn_options none = { 0 };
        g_auto(GStrv) command = command_of(argv);
        struct bed_child *child = g_new0(struct bed_child, 1);
        g_auto(GStrv) env = environment_of(bed, options ? options : &none);
        g_autoptr(GError) error = NULL;

        if (!options)
                options = &none;
        child->bed = bed;
        child->output = g_string_new(NULL);
        child->show_output = options->show_output;
        if (!g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)command, (const char *const *)env,
                                              G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, in_child, NULL,
                                              -1, -1, -1, options->source_fds, options->target_fds,
                                              options->n_fds, &child->pid, NULL, &child->output_fd, NULL,
                                              &error))
                g_error("bed: %s: %s", argv[0], error->message);
        g_unix_set_fd_nonblocking(child->output_fd, TRUE, NULL);
        child->output_watch = g_unix_fd_add(child->output_fd, G_IO_IN | G_IO_HUP, on_output, child);
        child->exit_watch = g_child_watch_add(child->pid, on_exit_of_child, child);
        g_ptr_array_add(bed->children, child);
        return child;
}

void child_free(gpointer data)
{
        struct bed_child *child = data;

        if (child->exit_watch)
                g_source_remove(child->exit_watch);
        if (child->output_watch)
                g_source_remove(child->output_watch);
        if (!child->ended) {
                kill(child->pid, SIGKILL);
                waitpid(child->pid, NULL, 0);
        }
        if (child->output_fd >= 0)
                close(child->output_fd);
        g_string_free(child->output, TRUE);
        g_free(child);
}

pid_t bed_pid(const struct bed_child *child)
{
        return child->pid;
}

void bed_kill(struct bed_child *child, int signal)
{
        if (!child->ended)
                kill(child->pid, signal);
}

bool bed_child_runs(const struct bed_child *child)
{
        return !child->ended;
}

const char *bed_output(const struct bed_child *child)
{
        return child->output->str;
}

static bool has_ended(void *userdata)
{
        return ((struct bed_child *)userdata)->ended;
}

int bed_wait_child(struct bed_child *child, uint64_t limit_usec)
{
        if (!bed_wait(child->bed, has_ended, child, limit_usec))
                return -ETIMEDOUT;
        while (child->output_fd >= 0 && take_output(child) && errno != EAGAIN)
                ;
        return WIFSIGNALED(child->wait_status) ? -WTERMSIG(child->wait_status)
                                               : WEXITSTATUS(child->wait_status);
}
