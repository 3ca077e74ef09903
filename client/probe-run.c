/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/probe.h"

#include <fcntl.h>
#include <libudev.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/devices.h"
#include "client/say.h"
#include "io/clock.h"
#include "io/engine-path.h"
#include "show/exit.h"

#define ENGINE_TIMEOUT                                                                                       \
        (60 * USEC_PER_SEC) /* it has limits of its own; this is for one that the kernel holds */
#define RETURN_TIMEOUT (30 * USEC_PER_SEC) /* from DETACH until the board is back on its port */
#define OUTPUT_MAX     (64 * KIB)          /* of one engine */

int probe_catch_signals(void)
{
        sigset_t set;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

/* Until fd is readable (or at its end): EXIT_DONE; else it is said what happened instead. */
static int wait_for(int fd, int signal_fd, uint64_t deadline, const char *what)
{
        struct pollfd fds[] = { { .fd = signal_fd, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
        uint64_t now = monotonic_usec();
        int r;

        do
                r = poll(fds, ARRAY_SIZE(fds), deadline > now ? (int)((deadline - now + 999) / 1000) : 0);
        while (r < 0 && errno == EINTR);
        if (r > 0 && !fds[0].revents)
                return EXIT_DONE;
        if (r < 0)
                client_error("%s", strerror(errno));
        else if (r == 0)
                client_error("%s", what);
        else
                client_error("interrupted");
        return EXIT_FAILED;
}

/* ---- the engine ---- */

struct engine {
        pid_t pid; /* 0: reaped */
        int output;
};

/* Whatever it was at; a process that the kernel holds is left to init. */
static void engine_end(struct engine *engine)
{
        if (engine->pid > 0) {
                kill(engine->pid, SIGKILL);
                for (unsigned i = 0; i < 50 && waitpid(engine->pid, NULL, WNOHANG) == 0; i++)
                        poll(NULL, 0, 20);
        }
        if (engine->output >= 0)
                close(engine->output);
        *engine = (struct engine){ .output = -EBADF };
}

static int spawn(const char *program, char *const *argv, int output, pid_t *ret)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        int r;

        sigemptyset(&none);
        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawnattr_init(&attributes);
        if (r != 0) {
                posix_spawn_file_actions_destroy(&actions);
                return -r;
        }
        r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        if (r == 0)
                r = posix_spawn(ret, program, &actions, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int engine_start(const struct device *device, const struct probe_wishes *wishes, struct engine *ret)
{
        char path[PATH_MAX], id[DEVICE_ID_SIZE];
        const char *program = wishes->engine ? wishes->engine : engine_path(path, sizeof(path));
        const char *argv[10] = {
                program, "--probe", "--node", device->node, "--expect", device_id(device, id)
        };
        size_t n = 6;
        int pair[2], r;

        if (wishes->detach)
                argv[n++] = "--detach";
        if (wishes->upload)
                argv[n++] = "--upload";
        if (pipe2(pair, O_CLOEXEC) < 0)
                r = -errno;
        else {
                r = spawn(program, (char *const *)(uintptr_t)argv, pair[1], &ret->pid);
                close(pair[1]);
                ret->output = pair[0];
        }
        if (r < 0)
                client_error("cannot start %s: %s", program, strerror(-r));
        return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* One line of the engine's: an answer, or an error, which goes no other way to the terminal than our own. */
static int take_line(const char *line, const char *program, struct probed *ret)
{
        if (ret->n_answers < PROBE_ANSWERS_MAX &&
            probe_answer_parse(line, &ret->answers[ret->n_answers]) == 0) {
                ret->n_answers++;
                return EXIT_DONE;
        }
        if (str_has_prefix(line, "espdfu-engine: ")) {
                client_error("%s", line);
                return EXIT_DONE;
        }
        client_error("%s says what is no answer: %.80s", program, line);
        return EXIT_FAILED;
}

/* All lines until the engine closes its output; buffer has OUTPUT_MAX + 1 bytes. */
static int hear(struct engine *engine, const char *program, int signal_fd, char *buffer, struct probed *ret)
{
        uint64_t deadline = monotonic_usec() + ENGINE_TIMEOUT;
        size_t total = 0, begin = 0;

        for (;;) {
                int r = wait_for(engine->output, signal_fd, deadline, "the engine does not end within 60 s");
                ssize_t n = r == EXIT_DONE ? read(engine->output, buffer + total, OUTPUT_MAX - total) : 0;
                char *end;

                if (r != EXIT_DONE)
                        return r;
                if (n <= 0 && total == begin)
                        return EXIT_DONE;
                if (n <= 0) {
                        client_error("%s says more than is asked, or half of an answer", program);
                        return EXIT_FAILED;
                }
                total += (size_t)n;
                buffer[total] = '\0';
                for (; r == EXIT_DONE && (end = strchr(buffer + begin, '\n'));
                     begin = (size_t)(end - buffer) + 1) {
                        *end = '\0';
                        r = take_line(buffer + begin, program, ret);
                }
                if (r != EXIT_DONE)
                        return r;
        }
}

static int reap(struct engine *engine, const char *program, int signal_fd)
{
        int status, r = EXIT_FAILED, fd = pidfd_open(engine->pid, 0);
        pid_t pid;

        /* It may hang in the kernel as it ends. */
        if (fd >= 0) {
                r = wait_for(fd, signal_fd, monotonic_usec() + ENGINE_TIMEOUT,
                             "the engine does not end within 60 s");
                close(fd);
        } else {
                client_error("%s: %s", program, strerror(errno));
        }
        if (r != EXIT_DONE)
                return r;
        do
                pid = waitpid(engine->pid, &status, 0);
        while (pid < 0 && errno == EINTR);
        engine->pid = 0;
        if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return EXIT_DONE;
        if (pid > 0 && WIFSIGNALED(status))
                client_error("%s was ended by signal %d", program, WTERMSIG(status));
        return EXIT_FAILED;
}

static int ask(const struct device *device, const struct probe_wishes *wishes, int signal_fd,
               struct probed *ret)
{
        const char *program = wishes->engine ? wishes->engine : "espdfu-engine";
        struct engine engine = { .output = -EBADF };
        _cleanup_(freep) char *buffer = malloc(OUTPUT_MAX + 1);
        int r = buffer ? engine_start(device, wishes, &engine) : EXIT_FAILED;

        if (r == EXIT_DONE)
                r = hear(&engine, program, signal_fd, buffer, ret);
        if (r == EXIT_DONE)
                r = reap(&engine, program, signal_fd);
        engine_end(&engine);
        return r;
}

/* ---- DETACH and return ---- */

static struct udev_monitor *watch_bus(struct udev *udev)
{
        struct udev_monitor *monitor = udev_monitor_new_from_netlink(udev, "udev");

        if (monitor && udev_monitor_filter_add_match_subsystem_devtype(monitor, "usb", "usb_device") >= 0 &&
            udev_monitor_enable_receiving(monitor) >= 0)
                return monitor;
        if (monitor)
                udev_monitor_unref(monitor);
        return NULL;
}

/* Whether udev has just said that something is on this port. */
static bool takes_arrival(struct udev_monitor *monitor, const char *port)
{
        struct udev_device *event = udev_monitor_receive_device(monitor);
        const char *action = event ? udev_device_get_action(event) : NULL;
        const char *name = event ? udev_device_get_sysname(event) : NULL;
        bool arrived = streq_ptr(name, port) && !streq_ptr(action, "remove") && !streq_ptr(action, "unbind");

        if (event)
                udev_device_unref(event);
        return arrived;
}

/* The board as it came back: on its port, as another device. */
static bool find_again(const struct device *before, struct device *ret)
{
        struct device *devices = NULL;
        size_t n = 0;
        bool found = false;

        if (devices_look(&devices, &n) < 0)
                return false;
        for (size_t i = 0; i < n && !found; i++)
                if (streq(devices[i].port, before->port) && !streq_ptr(devices[i].node, before->node) &&
                    devices[i].may_open) {
                        *ret = devices[i];
                        devices[i] = (struct device){ 0 };
                        found = true;
                }
        devices_free(devices, n);
        return found;
}

static int await_return(const struct device *device, struct udev_monitor *monitor, int signal_fd,
                        struct device *ret)
{
        uint64_t deadline = monotonic_usec() + RETURN_TIMEOUT;

        for (;;) {
                int r = wait_for(udev_monitor_get_fd(monitor), signal_fd, deadline,
                                 "the board is not back in DFU mode 30 s after DETACH");

                if (r != EXIT_DONE)
                        return r;
                if (takes_arrival(monitor, device->port) && find_again(device, ret))
                        return EXIT_DONE;
        }
}

/* ---- all of it ---- */

static const struct probe_answer *last_answer(const struct probed *probed)
{
        return probed->n_answers > 0 ? &probed->answers[probed->n_answers - 1] : NULL;
}

/* Whether the last answer is the one to the last question that was wished. */
static bool is_complete(const struct probed *probed, const struct probe_wishes *wishes)
{
        const struct probe_answer *last = last_answer(probed);
        const struct probe_question *question, *final = NULL;

        for (size_t i = 0; last && (question = probe_question_at(i)); i++)
                if (probe_is_asked(question, last->mode, wishes->detach, wishes->upload))
                        final = question;
        return last && last->question == final && (last->mode == PROBE_DFU || !wishes->detach);
}

static bool was_detached(const struct probed *probed)
{
        const struct probe_answer *last = last_answer(probed);

        return last && last->question->when == PROBE_WITH_DETACH && last->result != PROBE_ANSWERED &&
               last->result != PROBE_STALLED;
}

static int ask_in_both_modes(const struct device *device, const struct probe_wishes *wishes,
                             struct udev_monitor *monitor, int signal_fd, struct probed *ret)
{
        _cleanup_(device_done) struct device again = { 0 };
        uint64_t detached_usec;
        int r = ask(device, wishes, signal_fd, ret);

        if (r != EXIT_DONE || !was_detached(ret))
                return r;
        detached_usec = last_answer(ret)->at_usec;
        r = await_return(device, monitor, signal_fd, &again);
        if (r != EXIT_DONE)
                return r;
        ret->return_usec = monotonic_usec() - detached_usec;
        return ask(&again, wishes, signal_fd, ret);
}

int probe_run(const struct device *device, const struct probe_wishes *wishes, int signal_fd,
              struct probed *ret)
{
        struct udev *udev = udev_new();
        struct udev_monitor *monitor = udev ? watch_bus(udev) : NULL;
        int r = EXIT_FAILED;

        *ret = (struct probed){ .return_usec = USEC_INFINITY };
        if (monitor)
                r = ask_in_both_modes(device, wishes, monitor, signal_fd, ret);
        else
                client_error("cannot listen to udev");
        ret->complete = r == EXIT_DONE && is_complete(ret, wishes);
        if (monitor)
                udev_monitor_unref(monitor);
        if (udev)
                udev_unref(udev);
        return r;
}
