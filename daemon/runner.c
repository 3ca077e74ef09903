/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/runner.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/last-words.h"
#include "daemon/log.h"

/* Where the engine finds its descriptors. */
#define CHILD_CHANNEL_FD 3
#define CHILD_IMAGE_FD   4
#define CHILD_FDS_END    5
/* The child's copies of channel, image and program. */
#define CHILD_FDS_NEEDED 3

/* Messages taken in one go: the loop belongs to other boards too. */
#define MESSAGES_AT_ONCE 8
/* It has ten a second to say. What the kernel kept while the daemon stood still, some hundreds, comes at once. */
#define MESSAGES_BEFORE   1000
#define MESSAGES_A_SECOND 20

struct runner {
        pid_t pid; /* 0: reaped */
        int pidfd;
        int channel;
        int last_words;
        const char *misbehaved; /* how, or NULL */
        uint64_t begin_usec, n_messages;
        sd_event_source *channel_source, *child_source;
        const struct runner_ops *ops;
        void *userdata;
};

int engine_program_open(const char *path, struct engine_program *ret)
{
        int fd = open(path, O_PATH | O_CLOEXEC);
        char *copy;

        if (fd < 0)
                return -errno;
        copy = strdup(path);
        if (!copy) {
                close(fd);
                return -ENOMEM;
        }
        *ret = (struct engine_program){ .fd = fd, .path = copy };
        return 0;
}

void engine_program_close(struct engine_program *program)
{
        if (program->fd >= 0)
                close(program->fd);
        free(program->path);
        *program = (struct engine_program){ .fd = -EBADF };
}

struct runner *runner_free(struct runner *runner)
{
        if (runner->pid > 0)
                pidfd_send_signal(runner->pidfd, SIGKILL, NULL, 0);
        sd_event_source_disable_unref(runner->channel_source);
        sd_event_source_disable_unref(runner->child_source);
        if (runner->channel >= 0)
                close(runner->channel);
        if (runner->last_words >= 0)
                close(runner->last_words);
        if (runner->pidfd >= 0)
                close(runner->pidfd);
        free(runner);
        return NULL;
}

/* ---- what it says ---- */

static void misbehaves(struct runner *runner, const char *how)
{
        runner->misbehaved = how;
        sd_event_source_set_enabled(runner->channel_source, SD_EVENT_OFF);
        runner_kill(runner);
}

static bool says_too_much(struct runner *runner)
{
        uint64_t now = runner->begin_usec;

        sd_event_now(sd_event_source_get_event(runner->channel_source), CLOCK_MONOTONIC, &now);
        return ++runner->n_messages >
               MESSAGES_BEFORE + (now - runner->begin_usec) / USEC_PER_SEC * MESSAGES_A_SECOND;
}

/* Takes one message. Returns false when there is none (now, or any more), or when it is the last that is taken. */
static bool take_message(struct runner *runner)
{
        uint8_t packet[ENGINE_MESSAGE_SIZE + 1]; /* one more: a longer packet shows */
        struct engine_message message;
        ssize_t n = recv(runner->channel, packet, sizeof(packet), MSG_DONTWAIT);

        if (n <= 0)
                return false;
        if (engine_message_decode(packet, (size_t)n, &message) < 0) {
                misbehaves(runner, "it sent a message that is none");
                return false;
        }
        if (says_too_much(runner)) {
                misbehaves(runner, "it sent more messages than an engine has to say");
                return false;
        }
        runner->ops->said(runner->userdata, &message);
        return true;
}

static void take_messages(struct runner *runner, unsigned max)
{
        while (max-- > 0 && !runner->misbehaved && take_message(runner))
                ;
}

static int on_channel(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct runner *runner = userdata;

        (void)fd;
        take_messages(runner, MESSAGES_AT_ONCE);
        if ((revents & (EPOLLHUP | EPOLLERR)) && !(revents & EPOLLIN))
                sd_event_source_set_enabled(source, SD_EVENT_OFF); /* its end will be told by the pidfd */
        return 0;
}

/* ---- how it ends ---- */

static void describe_end(const struct runner *runner, const siginfo_t *si, char *buf, size_t size)
{
        if (runner->misbehaved)
                snprintf(buf, size, "%s", runner->misbehaved);
        else if (si->si_code != CLD_EXITED && si->si_status == SIGSYS)
                snprintf(buf, size,
                         "killed by SIGSYS: it made a system call that it is not confined to; the kernel's "
                         "log has its number (journalctl -k)");
        else if (si->si_code == CLD_EXITED)
                snprintf(buf, size, "exit status %d", si->si_status);
        else
                snprintf(buf, size, "killed by SIG%s",
                         sigabbrev_np(si->si_status) ? sigabbrev_np(si->si_status) : "?");
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        struct runner *runner = userdata;
        char how[160];

        (void)source;
        runner->pid = 0; /* sd-event reaps it */
        /* What it said last is in the socket still: no more than the kernel lets stand there. */
        take_messages(runner, 1024);
        last_words_tell(runner->last_words, runner->ops->wrote, runner->userdata);
        describe_end(runner, si, how, sizeof(how));
        runner->ops->ended(runner->userdata, how);
        return 0;
}

void runner_terminate(struct runner *runner)
{
        if (runner->pid > 0 && pidfd_send_signal(runner->pidfd, SIGTERM, NULL, 0) < 0)
                log_warning("engine %d cannot be asked to stop: %m", runner->pid);
}

void runner_kill(struct runner *runner)
{
        if (runner->pid > 0 && pidfd_send_signal(runner->pidfd, SIGKILL, NULL, 0) < 0)
                log_warning("engine %d cannot be killed: %m", runner->pid);
}

/* ---- how it begins ---- */

/* Moves fd to a number of our choice, open across exec. Both above CHILD_FDS_END before, so none is overwritten. */
static bool place_fd(int fd, int number)
{
        return dup2(fd, number) == number;
}

/* In the child, between fork and exec: only what is safe there. It has the daemon's socket and locks until then, so it ends
 * with the daemon from its first moment on: the next one would take it for a daemon that lives. */
static _Noreturn void become_engine(const struct runner_order *order, pid_t daemon, int channel, int errors,
                                    char *const argv[])
{
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != daemon)
                _exit(127);
        int image = fcntl(order->image_fd, F_DUPFD_CLOEXEC, CHILD_FDS_END);
        int program = fcntl(order->program->fd, F_DUPFD_CLOEXEC, CHILD_FDS_END);

        channel = fcntl(channel, F_DUPFD_CLOEXEC, CHILD_FDS_END);
        if (image >= 0 && program >= 0 && channel >= 0 && place_fd(errors, STDERR_FILENO) &&
            place_fd(channel, CHILD_CHANNEL_FD) && place_fd(image, CHILD_IMAGE_FD))
                execveat(program, "", argv, environ, AT_EMPTY_PATH);
        _exit(127);
}

/*
 * The child needs descriptors between fork and exec, and its pidfd is one more of ours: whether there are so many is seen
 * before there is a process, which could not tell of it.
 */
static int check_descriptors(int fd)
{
        int spare[CHILD_FDS_NEEDED], n = 0, r = 0;

        while (r == 0 && n < CHILD_FDS_NEEDED) {
                spare[n] = fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FDS_END);
                r = spare[n] < 0 ? -errno : 0;
                n += r == 0;
        }
        while (n > 0)
                close(spare[--n]);
        return r == -EINVAL ? -EMFILE : r; /* no number above CHILD_FDS_END is allowed at all */
}

/* A child that nobody would watch: it has not come to its board yet. */
static void abandon(struct runner *runner)
{
        if (runner->pid <= 0)
                return;
        kill(runner->pid, SIGKILL);
        while (waitpid(runner->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        runner->pid = 0;
}

static int spawn(struct runner *runner, const struct runner_order *order, int channel, int errors)
{
        char expect[sizeof("303a:0002")], channel_fd[12], image_fd[12];
        const char *argv[16] = { order->program->path, "--node",   order->node,  "--expect", expect,
                                 "--channel-fd",       channel_fd, "--image-fd", image_fd };
        size_t n = 9;
        pid_t daemon = getpid();
        int r = check_descriptors(channel);

        if (r < 0)
                return r;

        snprintf(expect, sizeof(expect), "%04x:%04x", order->vid, order->pid);
        snprintf(channel_fd, sizeof(channel_fd), "%d", CHILD_CHANNEL_FD);
        snprintf(image_fd, sizeof(image_fd), "%d", CHILD_IMAGE_FD);
        if (order->any)
                argv[n++] = "--any";
        if (order->reset)
                argv[n++] = "--reset";
        runner->pid = fork();
        if (runner->pid < 0) {
                runner->pid = 0;
                return -errno;
        }
        if (runner->pid == 0)
                become_engine(order, daemon, channel, errors, (char *const *)argv);
        runner->pidfd = pidfd_open(runner->pid, 0);
        return runner->pidfd < 0 ? -errno : 0;
}

static int watch(struct runner *runner, sd_event *event)
{
        int r = sd_event_add_io(event, &runner->channel_source, runner->channel, EPOLLIN, on_channel, runner);

        if (r >= 0)
                r = sd_event_add_child_pidfd(event, &runner->child_source, runner->pidfd, WEXITED, on_child,
                                             runner);
        return MIN(r, 0);
}

int runner_start(sd_event *event, const struct runner_order *order, const struct runner_ops *ops,
                 void *userdata, struct runner **ret)
{
        _cleanup_(runner_freep) struct runner *runner = calloc(1, sizeof(*runner));
        int pair[2], errors, r;

        if (!runner)
                return -ENOMEM;
        runner->pidfd = runner->channel = runner->last_words = -EBADF;
        runner->ops = ops;
        runner->userdata = userdata;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        runner->channel = pair[0];
        r = last_words_open(&runner->last_words, &errors);
        if (r == 0) {
                r = spawn(runner, order, pair[1], errors);
                close(errors);
        }
        close(pair[1]);
        if (r == 0)
                r = watch(runner, event);
        if (r >= 0)
                r = sd_event_now(event, CLOCK_MONOTONIC, &runner->begin_usec);
        if (r < 0) {
                runner->child_source = sd_event_source_disable_unref(runner->child_source);
                abandon(runner);
                return r;
        }
        *ret = take_ptr(runner);
        return 0;
}
