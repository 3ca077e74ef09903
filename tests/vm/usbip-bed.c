/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-bed: boards for a virtual machine. Modelled chips are plugged into the kernel's virtual host
 * controllers.
 *
 *   vm-bed serve SOCKET              the bed: runs as root until `quit` or its end; then all boards leave
 *   vm-bed ask SOCKET COMMAND…        one command to it: exit status 0, or 1 with the reason on stderr
 *   vm-bed sample CHIP FILE [BYTES]  writes an image for S2, S3, P4 or S31, the application of so many bytes
 *   vm-bed help                      the commands
 *
 * One thread, one epoll loop. A command is one line on a connection of its own; the answer's last line is
 * "ok" or "no: REASON". A wait keeps its connection until it is over.
 */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/rom/sample-image.h"
#include "tests/vm/commands.h"
#include "tests/vm/vhci.h"

#define SESSIONS_MAX    64
#define EVENTS_MAX      64
#define SAMPLE_APP_SIZE 180000 /* bytes: with the rest about what a small application has */

/* What an epoll event is about: a port's number is its own, the rest follows. */
enum { EVENT_LISTENER = VHCI_PORTS_MAX, EVENT_SESSION };

struct session {
        int fd; /* -EBADF: free */
        struct command command;
        size_t len;
        bool complete; /* the line is there, its command waits */
};

struct server {
        struct bed bed;
        struct port ports[VHCI_PORTS_MAX];
        struct session sessions[SESSIONS_MAX];
        int epoll_fd, listener;
};

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- commands ---- */

static void send_all(int fd, const char *text, size_t len)
{
        while (len > 0) {
                ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return; /* the scenario does not listen any more */
                text += n;
                len -= (size_t)n;
        }
}

static void session_end(struct session *s)
{
        close(s->fd);
        *s = (struct session){ .fd = -EBADF };
}

static void session_run(struct server *server, struct session *s)
{
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        int r;

        if (!out) {
                session_end(s);
                return;
        }
        r = command_run(&server->bed, &s->command, now_usec(), out);
        fclose(out);
        if (r <= 0) {
                if (r < 0)
                        send_all(s->fd, "no: ", 4);
                send_all(s->fd, text, len);
                send_all(s->fd, r < 0 ? "\n" : "ok\n", r < 0 ? 1 : 3);
                session_end(s);
        }
        free(text);
}

static void session_receive(struct server *server, struct session *s)
{
        char *end;
        ssize_t n;

        if (s->fd < 0)
                return;
        n = recv(s->fd, s->command.line + s->len, sizeof(s->command.line) - 1 - s->len, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
                return;
        if (n <= 0) { /* also one that waits and is not wanted any more, and a line too long */
                session_end(s);
                return;
        }
        s->len += (size_t)n;
        s->command.line[s->len] = '\0';
        end = strchr(s->command.line, '\n');
        if (!end || s->complete)
                return;
        *end = '\0';
        s->complete = true;
        session_run(server, s);
}

static void accept_session(struct server *server)
{
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
                return;
        for (size_t i = 0; i < SESSIONS_MAX; i++) {
                struct epoll_event event = { .events = EPOLLIN, .data.u64 = EVENT_SESSION + i };

                if (server->sessions[i].fd >= 0)
                        continue;
                if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                        break;
                server->sessions[i].fd = fd;
                return;
        }
        close(fd);
}

/* ---- the loop ---- */

/* For epoll_pwait2(): the time that is left until then. */
static struct timespec time_left(uint64_t at)
{
        uint64_t now = now_usec(), left = at > now ? at - now : 0;

        return (struct timespec){ .tv_sec = (time_t)(left / USEC_PER_SEC),
                                  .tv_nsec = (long)(left % USEC_PER_SEC * 1000) };
}

/* Everything that is due; returns when the next thing is. */
static uint64_t run_due(struct server *server)
{
        uint64_t next = USEC_INFINITY;

        for (size_t i = 0; i < VHCI_PORTS_MAX; i++)
                if (server->ports[i].phase != PORT_EMPTY) {
                        uint64_t due = port_run(&server->ports[i], now_usec());

                        next = MIN(next, due);
                }
        for (size_t i = 0; i < SESSIONS_MAX; i++) {
                struct session *s = &server->sessions[i];

                if (!s->complete)
                        continue;
                session_run(server, s);
                if (s->complete && s->command.deadline_usec > 0)
                        next = MIN(next, s->command.deadline_usec);
        }
        return next;
}

static void dispatch(struct server *server, uint64_t what)
{
        if (what < VHCI_PORTS_MAX)
                port_receive(&server->ports[what], now_usec());
        else if (what == EVENT_LISTENER)
                accept_session(server);
        else
                session_receive(server, &server->sessions[what - EVENT_SESSION]);
}

static int loop(struct server *server)
{
        while (!server->bed.ends) {
                struct epoll_event events[EVENTS_MAX];
                uint64_t due = run_due(server);
                struct timespec left = time_left(due);
                int n = epoll_pwait2(server->epoll_fd, events, EVENTS_MAX, due == USEC_INFINITY ? NULL : &left,
                                     NULL);

                if (n < 0 && errno != EINTR)
                        return -errno;
                for (int i = 0; i < n; i++)
                        dispatch(server, events[i].data.u64);
        }
        return 0;
}

static int unix_address(const char *path, struct sockaddr_un *ret)
{
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (strlen(path) >= sizeof(ret->sun_path))
                return -ENAMETOOLONG;
        memcpy(ret->sun_path, path, strlen(path));
        return 0;
}

static int watch(struct server *server, int fd, uint64_t what)
{
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = what };

        return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int server_open(struct server *server, const char *path)
{
        struct sockaddr_un address;
        int r = unix_address(path, &address);

        if (r < 0)
                return r;
        server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (server->epoll_fd < 0 || server->listener < 0)
                return -errno;
        unlink(path);
        if (bind(server->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(server->listener, SESSIONS_MAX) < 0)
                return -errno;
        return watch(server, server->listener, EVENT_LISTENER);
}

static int serve(const char *path)
{
        static struct server server;
        int r = server_open(&server, path);

        server.bed = (struct bed){ .ports = server.ports, .n_ports = VHCI_PORTS_MAX };
        for (unsigned i = 0; i < VHCI_PORTS_MAX; i++)
                server.ports[i] = (struct port){ .number = i, .epoll_fd = server.epoll_fd, .fd = -EBADF };
        for (size_t i = 0; i < SESSIONS_MAX; i++)
                server.sessions[i].fd = -EBADF;
        if (r == 0)
                r = loop(&server);
        for (size_t i = 0; i < VHCI_PORTS_MAX; i++)
                port_done(&server.ports[i]);
        unlink(path);
        if (r < 0)
                fprintf(stderr, "vm-bed: %s: %s\n", path, strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- the scenario's side ---- */

/* Prints the answer but for its last line. */
static int show_answer(FILE *answer)
{
        char line[COMMAND_MAX];

        while (fgets(line, sizeof(line), answer)) {
                if (streq(line, "ok\n"))
                        return EXIT_SUCCESS;
                if (str_has_prefix(line, "no: ")) {
                        fputs(line + strlen("no: "), stderr);
                        return EXIT_FAILURE;
                }
                fputs(line, stdout);
        }
        fputs("vm-bed: the bed hung up\n", stderr);
        return EXIT_FAILURE;
}

static int ask(const char *path, char **words)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
        struct sockaddr_un address;
        FILE *stream;

        r = unix_address(path, &address);
        if (fd < 0 || r < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                fprintf(stderr, "vm-bed: %s: %s\n", path, strerror(r < 0 ? -r : errno));
                return EXIT_FAILURE;
        }
        stream = fdopen(fd, "r+e");
        if (!stream)
                return EXIT_FAILURE;
        for (size_t i = 0; words[i]; i++)
                fprintf(stream, "%s%s", i > 0 ? " " : "", words[i]);
        fputc('\n', stream);
        fflush(stream);
        r = show_answer(stream);
        fclose(stream);
        return r;
}

/* A boot loader, a partition table and an application of so many bytes: over 512 KiB it comes in parts. */
static int write_sample(const char *chip, const char *path, size_t app_size)
{
        static const struct sample_chip {
                const char *name;
                uint16_t pid;
                uint32_t boot_address;
        } chips[] = { { "S2", 0x0002, 0x1000 },
                      { "S3", 0x0009, 0 },
                      { "P4", 0x0012, 0x2000 },
                      { "S31", 0x0020, 0x2000 } };
        const struct sample_chip *c = chips;
        struct sample_image image;
        int r;

        while (c < chips + ARRAY_SIZE(chips) && !streq(c->name, chip))
                c++;
        if (c == chips + ARRAY_SIZE(chips) || app_size == 0 || app_size > 4 * MIB) {
                fprintf(stderr, "vm-bed: %s %zu: expected S2, S3, P4 or S31, and at most 4 MiB\n", chip,
                        app_size);
                return EXIT_FAILURE;
        }
        sample_image_make(
                &(struct sample_spec){ .pid = c->pid,
                                       .flash_size = 8 * MIB,
                                       .files = { { "boot.bin", c->boot_address, 22400, c->pid + 3U },
                                                  { "pt.bin", 0x8000, 3072, 5 },
                                                  { "app.bin", 0x10000, app_size, c->pid + 11U } },
                                       .n_files = 3 },
                &image);
        r = sample_image_write(&image, path);
        sample_image_done(&image);
        if (r < 0)
                fprintf(stderr, "vm-bed: %s: %s\n", path, strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        if (argc == 3 && streq(argv[1], "serve"))
                return serve(argv[2]);
        if (argc >= 4 && streq(argv[1], "ask"))
                return ask(argv[2], argv + 3);
        if ((argc == 4 || argc == 5) && streq(argv[1], "sample"))
                return write_sample(argv[2], argv[3],
                                    argc == 5 ? strtoul(argv[4], NULL, 0) : SAMPLE_APP_SIZE);
        if (argc == 2 && streq(argv[1], "help")) {
                command_help(stdout);
                return EXIT_SUCCESS;
        }
        fputs("usage: vm-bed serve SOCKET | ask SOCKET COMMAND… | sample CHIP FILE [BYTES] | help\n", stderr);
        return EXIT_FAILURE;
}
