/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/remote.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client.h"
#include "core/bytes.h"
#include "core/printable.h"

#define SSH_FAILED      255 /* ssh(1): its own failure */
#define SHELL_NOT_FOUND 127

const char *remote_host_fault(const char *host)
{
        if (!*host || host[strlen(host) - 1] == '@')
                return "expected [USER@]HOST";
        if (*host == '-')
                return "a name that begins with - would be an option of ssh: expected [USER@]HOST";
        return is_printable(host) && !strpbrk(host, " \t") ? NULL : "expected [USER@]HOST, without blanks";
}

/* ssh gives its arguments to a shell there: text between quotes of that shell. */
static int add_quoted(struct bytes *command, const char *text)
{
        int r = bytes_append(command, "'", 1);

        for (; r == 0 && *text; text++)
                r = *text == '\'' ? bytes_append(command, "'\\''", 4) : bytes_append(command, text, 1);
        return r == 0 ? bytes_append(command, "'", 1) : r;
}

/* The socket counts there; a path that was not given is that machine's own default. */
static char *bridge_command(void)
{
        _cleanup_(bytes_done) struct bytes command = { 0 };
        int r = bytes_append(&command, "espdfuctl", strlen("espdfuctl"));

        if (r == 0 && client_socket_given) {
                r = bytes_append(&command, " --socket ", strlen(" --socket "));
                if (r == 0)
                        r = add_quoted(&command, client_socket);
        }
        if (r == 0)
                r = bytes_append(&command, " stdio-bridge", sizeof(" stdio-bridge"));
        return r == 0 ? (char *)take_ptr(command.data) : NULL;
}

/* The child. Signals are as a program expects them. */
static _Noreturn void run_ssh(const char *host, const char *command, bool again, int fd)
{
        const char *const first[] = { "ssh", "-xT", "--", host, command, NULL };
        const char *const later[] = { "ssh", "-xT", "-o", "BatchMode=yes", "--", host, command, NULL };
        const char *const *argv = again ? later : first;
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
                _exit(SSH_FAILED);
        if (again) /* there is a screen, or there are events; its exit status says enough */
                dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        client_error("ssh cannot be run: %s", strerror(errno));
        _exit(SSH_FAILED);
}

int remote_open(const char *host, bool again, struct connection **ret)
{
        _cleanup_(freep) char *command = bridge_command();
        int fds[2];
        pid_t child;

        if (!command)
                return -ENOMEM;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        child = fork();
        if (child == 0)
                run_ssh(host, command, again, fds[1]);
        close(fds[1]);
        if (child < 0) {
                close(fds[0]);
                return -errno;
        }
        return connection_of_child(fds[0], child, ret);
}

const char *remote_trouble(int status)
{
        switch (status) {
        case EXIT_DONE:
                return "espdfud there hung up: it stops, or could not start";
        case EXIT_NO_DAEMON:
        case EXIT_NOT_PERMITTED:
                return "the station there cannot be reached";
        case EXIT_USAGE:
                return "espdfuctl there has no stdio-bridge: is it older than this one?";
        case SHELL_NOT_FOUND:
                return "there is no espdfuctl there, or not in the PATH that ssh has";
        case SSH_FAILED:
                return "ssh failed: see what \"ssh HOST true\" says";
        default:
                return "ssh ended";
        }
}

int remote_ended(const char *host, int status)
{
        client_error("%s: %s", host, remote_trouble(status));
        return status == EXIT_NO_DAEMON || status == EXIT_NOT_PERMITTED ? status : EXIT_FAILED;
}
