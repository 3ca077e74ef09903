/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/hook.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/event-queue.h"
#include "client/event.h"
#include "client/feed.h"
#include "client/say.h"
#include "core/text.h"
#include "io/clock.h"

#define KILL_AFTER   (2 * USEC_PER_SEC) /* from SIGTERM to SIGKILL */
#define FLOOD        (1 * MIB)          /* of output that is left out: no more of it */
#define READ_AT_ONCE (64 * KIB)         /* of one command's output, then it is the others' turn */

struct job {
        pid_t pid; /* also of its process group; 0: none */
        int pidfd, output;
        uint64_t deadline;
        bool told_to_end, killed;
        char what[160]; /* "verdict A1" */
        char line[256]; /* of its output, not ended yet */
        size_t line_length, shown;
        uint64_t left_out; /* bytes */
};

struct hook {
        struct hook_options options;
        struct event_queue queue;
        uint64_t dropped_told, dropped_handed; /* of queue.dropped */
        struct job jobs[HOOK_JOBS_MAX];
};

int hook_new(const struct hook_options *options, struct hook **ret)
{
        struct hook *hook = calloc(1, sizeof(*hook));

        if (!hook)
                return -ENOMEM;
        hook->options = *options;
        hook->options.jobs_max = MIN(options->jobs_max, (size_t)HOOK_JOBS_MAX);
        *ret = hook;
        return 0;
}

/* ---- the child ---- */

/* "ESPDFU_IMAGE_NAME" */
static void variable_name(const char *key, char *ret, size_t size)
{
        size_t n = (size_t)snprintf(ret, size, "ESPDFU_%s", key);

        for (size_t i = 0; i < n && i < size; i++)
                ret[i] = (char)toupper((unsigned char)ret[i]);
}

static void set_variable(const char *key, const json_t *value)
{
        char name[64], number[32];

        variable_name(key, name, sizeof(name));
        if (json_is_integer(value)) {
                snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
                setenv(name, number, 1);
        } else if (json_is_string(value)) {
                _cleanup_(freep) char *text = text_escape(json_string_value(value));

                setenv(name, text ? text : "", 1);
        } else {
                unsetenv(name);
        }
}

static _Noreturn void run_command(const struct hook *hook, const json_t *event, int output, uint64_t dropped)
{
        _cleanup_(freep) char *number = NULL;
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        sigset_t none;

        setpgid(0, 0);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        for (size_t i = 0; event_keys[i]; i++)
                set_variable(event_keys[i], json_object_get(event, event_keys[i]));
        if (asprintf(&number, "%" PRIu64, dropped) >= 0)
                setenv("ESPDFU_DROPPED", number, 1);
        if (hook->options.socket)
                setenv("ESPDFU_SOCKET", hook->options.socket, 1);
        if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
            dup2(output, STDERR_FILENO) < 0)
                _exit(126);
        execl("/bin/sh", "sh", "-c", hook->options.command, (char *)NULL);
        _exit(127);
}

/* ---- a job ---- */

static void name_job(struct job *job, const json_t *event)
{
        const char *slot = json_string_value(json_object_get(event, "slot"));

        snprintf(job->what, sizeof(job->what), "%s%s%s", event_kind_to_string(event_kind_of(event)),
                 slot ? " " : "", slot ? slot : "");
}

/* A negative errno: it does not run. */
static int start_job(struct hook *hook, struct job *job, const json_t *event)
{
        int pipe_fds[2];

        *job = (struct job){ .pidfd = -EBADF, .output = -EBADF };
        name_job(job, event);
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return -errno;
        job->pid = fork();
        if (job->pid == 0)
                run_command(hook, event, pipe_fds[1], hook->queue.dropped - hook->dropped_handed);
        close(pipe_fds[1]);
        if (job->pid < 0) {
                job->pid = 0;
                close(pipe_fds[0]);
                return -EAGAIN;
        }
        setpgid(job->pid, job->pid); /* whoever comes first */
        hook->dropped_handed = hook->queue.dropped;
        job->output = pipe_fds[0];
        fcntl(job->output, F_SETFL, O_NONBLOCK);
        job->pidfd = pidfd_open(job->pid, 0);
        job->deadline = monotonic_usec() + hook->options.timeout_usec;
        return 0;
}

/* Of a run's first bytes whole lines, or as much of a long one as there is room for. */
static void show_line(struct job *job)
{
        job->line[job->line_length] = '\0';
        if (job->line_length > 0)
                client_error("exec: %s: %s", job->what, job->line);
        job->line_length = 0;
}

static void take_output(struct job *job, const char *data, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                if (job->shown == HOOK_OUTPUT_MAX) {
                        job->left_out += size - i;
                        return;
                }
                job->shown++;
                if (data[i] != '\n')
                        job->line[job->line_length++] = (char)(data[i] ? data[i] : ' ');
                if (data[i] == '\n' || job->line_length + 1 == sizeof(job->line))
                        show_line(job);
        }
}

static void read_output(struct job *job)
{
        char data[4096];
        ssize_t n = 1;

        for (size_t got = 0; job->output >= 0 && got < READ_AT_ONCE; got += (size_t)n) {
                n = read(job->output, data, sizeof(data));
                if (n < 0)
                        return; /* EAGAIN: no more now */
                if (n == 0) {
                        close(take_fd(&job->output));
                        return;
                }
                take_output(job, data, (size_t)n);
        }
}

static void tell_end(const struct job *job, int status)
{
        if (job->left_out > 0)
                client_error("exec: %s: %" PRIu64 " bytes of output more", job->what, job->left_out);
        if (job->told_to_end)
                return; /* it is told why */
        if (WIFSIGNALED(status))
                client_error("exec: %s: ended by signal %d", job->what, WTERMSIG(status));
        else if (WEXITSTATUS(status) != 0)
                client_error("exec: %s: exit status %d", job->what, WEXITSTATUS(status));
}

/* Its group is killed before it is reaped: until then the number belongs to it. */
static void reap(struct job *job)
{
        int status = 0;

        kill(-job->pid, SIGKILL);
        while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
                ;
        read_output(job);
        show_line(job);
        tell_end(job, status);
        if (job->output >= 0)
                close(job->output);
        if (job->pidfd >= 0)
                close(job->pidfd);
        *job = (struct job){ 0 };
}

static bool has_ended(const struct job *job)
{
        siginfo_t info = { 0 };

        return waitid(P_PID, (id_t)job->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
               info.si_pid == job->pid;
}

static void end_job(struct job *job)
{
        kill(-job->pid, job->told_to_end ? SIGKILL : SIGTERM);
        job->killed = job->told_to_end;
        job->told_to_end = true;
        job->deadline = job->killed ? USEC_INFINITY : monotonic_usec() + KILL_AFTER;
}

static void look_after(struct hook *hook, struct job *job)
{
        read_output(job);
        if (has_ended(job)) {
                reap(job);
                return;
        }
        if (!job->told_to_end && job->left_out > FLOOD)
                client_error("exec: %s: its output does not end: it is ended", job->what);
        else if (monotonic_usec() < job->deadline)
                return;
        else if (!job->told_to_end)
                client_error("exec: %s: not done within %" PRIu64 " s: it is ended", job->what,
                             hook->options.timeout_usec / USEC_PER_SEC);
        end_job(job);
}

/* ---- events ---- */

static void tell_dropped(struct hook *hook)
{
        if (hook->queue.dropped == hook->dropped_told)
                return;
        client_error("exec: %" PRIu64 " events were dropped so far, %" PRIu64
                     " of them verdicts: the command is too slow",
                     hook->queue.dropped, hook->queue.dropped_verdicts);
        hook->dropped_told = hook->queue.dropped;
}

void hook_add(struct hook *hook, json_t *event)
{
        bool begins = hook->queue.dropped == hook->dropped_told;

        if (!event_queue_push(&hook->queue, json_incref(event)) && begins) {
                client_error(
                        "exec: %d events wait: the command is too slow, and events are dropped from now on",
                        EVENT_QUEUE_MAX);
                hook->dropped_told = hook->queue.dropped - 1;
        }
        hook_go_on(hook);
}

static void start_next(struct hook *hook, struct job *job)
{
        json_t *event = event_queue_pop(&hook->queue);
        int r = start_job(hook, job, event);

        if (r < 0)
                client_error("exec: %s: cannot be run: %s", job->what, strerror(-r));
        json_decref(event);
        if (hook->queue.n == 0)
                tell_dropped(hook);
}

void hook_go_on(struct hook *hook)
{
        for (size_t i = 0; i < hook->options.jobs_max; i++) {
                struct job *job = &hook->jobs[i];

                if (job->pid > 0)
                        look_after(hook, job);
                while (job->pid == 0 && hook->queue.n > 0)
                        start_next(hook, job);
        }
}

size_t hook_poll(const struct hook *hook, struct pollfd *ret, uint64_t *ret_deadline)
{
        size_t n = 0;

        *ret_deadline = USEC_INFINITY;
        for (size_t i = 0; i < hook->options.jobs_max; i++) {
                const struct job *job = &hook->jobs[i];

                if (job->pid == 0)
                        continue;
                ret[n++] = (struct pollfd){ .fd = job->pidfd, .events = POLLIN };
                ret[n++] = (struct pollfd){ .fd = job->output, .events = POLLIN };
                *ret_deadline = MIN(*ret_deadline, job->deadline);
        }
        return n;
}

/* ---- the end ---- */

struct hook *hook_end(struct hook *hook)
{
        struct pollfd pfds[2 * HOOK_JOBS_MAX];
        uint64_t deadline;
        size_t n;

        if (hook->queue.n > 0)
                client_error("exec: %zu events are left without their command", hook->queue.n);
        tell_dropped(hook);
        event_queue_done(&hook->queue);
        for (size_t i = 0; i < hook->options.jobs_max; i++)
                if (hook->jobs[i].pid > 0 && !hook->jobs[i].told_to_end)
                        end_job(&hook->jobs[i]);
        while ((n = hook_poll(hook, pfds, &deadline)) > 0) {
                uint64_t now = monotonic_usec(), left = deadline > now ? deadline - now : 0;

                poll(pfds, n, deadline == USEC_INFINITY ? -1 : (int)(left / 1000) + 1);
                hook_go_on(hook);
        }
        free(hook);
        return NULL;
}
