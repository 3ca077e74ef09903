/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * on-terminal COLUMNS LINES PROGRAM [ARGUMENT…]: runs a program on a terminal of its own. What it writes there goes to
 * stdout as it is. Lines on stdin are obeyed: "key TEXT", "size COLUMNS LINES", "signal NUMBER"; the end of stdin hangs the
 * terminal up. When the program has ended a last line says "[exit N, terminal as before]", or how the terminal differs.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

static int master, slave;
static pid_t child;

static void copy_output(void)
{
        char data[4096];
        ssize_t n = read(master, data, sizeof(data));

        if (n > 0) {
                fwrite(data, 1, (size_t)n, stdout);
                fflush(stdout);
        }
}

static void obey(const char *line)
{
        unsigned columns, lines;
        int number;

        if (strncmp(line, "key ", 4) == 0) {
                if (write(master, line + 4, strcspn(line + 4, "\n")) < 0)
                        perror("on-terminal");
        } else if (sscanf(line, "size %u %u", &columns, &lines) == 2) {
                const struct winsize size = { .ws_col = (unsigned short)columns,
                                              .ws_row = (unsigned short)lines };

                ioctl(master, TIOCSWINSZ, &size);
        } else if (sscanf(line, "signal %d", &number) == 1) {
                kill(child, number);
        }
}

static int is_same(const struct termios *a, const struct termios *b)
{
        return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
               a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

int main(int argc, char **argv)
{
        struct winsize size = { 0 };
        struct termios before, after;
        int status, commands = STDIN_FILENO;
        unsigned columns, lines;

        setvbuf(stdin, NULL, _IONBF, 0);
        if (argc < 4 || sscanf(argv[1], "%u", &columns) != 1 || sscanf(argv[2], "%u", &lines) != 1)
                return 2;
        size.ws_col = (unsigned short)columns;
        size.ws_row = (unsigned short)lines;
        if (openpty(&master, &slave, NULL, NULL, &size) < 0 || tcgetattr(slave, &before) < 0)
                return 99;
        child = fork();
        if (child == 0) {
                close(master);
                login_tty(slave);
                execvp(argv[3], argv + 3);
                _exit(127);
        }
        /* The slave stays open here, so that its settings can be looked at: the end is the program's. */
        for (int pidfd = pidfd_open(child, 0);;) {
                struct pollfd pfds[] = { { .fd = master, .events = POLLIN },
                                         { .fd = commands, .events = POLLIN },
                                         { .fd = pidfd, .events = POLLIN } };
                char line[256];

                if (poll(pfds, 3, -1) < 0 && errno != EINTR)
                        return 99;
                if (pfds[0].revents & POLLIN)
                        copy_output();
                else if (pfds[2].revents)
                        break;
                if (pfds[1].revents) {
                        if (fgets(line, sizeof(line), stdin)) {
                                obey(line);
                        } else {
                                kill(child, SIGHUP);
                                commands = -1;
                        }
                }
        }
        waitpid(child, &status, 0);
        tcgetattr(slave, &after);
        printf("[exit %d, terminal %s]\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
               is_same(&before, &after) ? "as before" : "CHANGED");
        return 0;
}
