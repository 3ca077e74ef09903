/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One client of test-load, of one user, in one role:
 *
 *      load-client SOCKET UID ROLE [BYTES]
 *
 * until SIGTERM. What it went through is on stdout then, a line each: "latency USEC" for each answer that it waited for,
 * "answers N", "sent BYTES", "said TEXT" for an error that came before the end (the first 20), "closed N" for connections that the
 * daemon ended.
 */
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/messages.h"
#include "core/varlink.h"

#define LATENCIES_MAX 4096
#define GRABBED_MAX   128
#define SAID_MAX      20
#define CALL(method)  "{\"method\":\"" STATION_INTERFACE "." method "\"}"
#define WATCH_CALL    "{\"method\":\"" STATION_INTERFACE ".Status\",\"more\":true}"
#define HISTORY_CALL  "{\"method\":\"" STATION_INTERFACE ".History\",\"parameters\":{\"limit\":50}}"
#define STREAM_CALL   "{\"method\":\"" STATION_INTERFACE ".History\",\"more\":true}"

static struct {
        const char *path;
        int signal_fd;
        uint64_t bytes; /* that the role sends */
        uint64_t latencies[LATENCIES_MAX];
        size_t n_latencies, next_latency;
        uint64_t answers, sent, closed;
        unsigned n_said;
} me;

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

static _Noreturn void end(void)
{
        for (size_t i = 0; i < me.n_latencies; i++)
                printf("latency %llu\n", (unsigned long long)me.latencies[i]);
        printf("answers %llu\nsent %llu\nclosed %llu\n", (unsigned long long)me.answers,
               (unsigned long long)me.sent, (unsigned long long)me.closed);
        fflush(stdout);
        _exit(0);
}

static _Noreturn void fail(const char *what)
{
        printf("failed %s: %s\n", what, strerror(errno));
        end();
}

/* Whether fd has what is asked for, within a time; ends the program when it is told to. fd -1: the time alone. */
static bool wait_for(int fd, short events, int msec)
{
        struct pollfd fds[] = { { .fd = me.signal_fd, .events = POLLIN }, { .fd = fd, .events = events } };
        int r = poll(fds, ARRAY_SIZE(fds), msec);

        if (r < 0)
                fail("poll");
        if (fds[0].revents)
                end();
        return fds[1].revents != 0;
}

/* ---- a connection ---- */

struct link {
        int fd;
        struct varlink_input in;
};

static bool link_open(struct link *link)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        *link = (struct link){ .in.limit = VARLINK_REPLY_MAX };
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", me.path);
        link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (link->fd < 0)
                fail("socket");
        while (connect(link->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                if (errno != EAGAIN)
                        fail("connect");
                wait_for(-1, 0, 5); /* the backlog is full; there is no event for when it is not */
        }
        return true;
}

static void link_close(struct link *link)
{
        varlink_input_done(&link->in);
        close(link->fd);
}

/* False: the daemon hung up. */
static bool link_send(struct link *link, const void *data, size_t size)
{
        for (size_t sent = 0; sent < size;) {
                ssize_t n = send(link->fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);

                if (n < 0 && errno != EAGAIN)
                        return false;
                if (n < 0)
                        wait_for(link->fd, POLLOUT, -1);
                else
                        sent += (size_t)n, me.sent += (uint64_t)n;
        }
        return true;
}

/* A message, borrowed; NULL: the daemon hung up. */
static const char *link_receive(struct link *link)
{
        static char data[256 * KIB];
        const char *text;
        size_t size;

        while (varlink_input_next(&link->in, &text, &size) != 0) {
                ssize_t n;

                wait_for(link->fd, POLLIN, -1);
                n = recv(link->fd, data, sizeof(data), 0);
                if (n < 0 && errno == EAGAIN)
                        continue;
                if (n <= 0)
                        return NULL;
                if (varlink_input_feed(&link->in, data, (size_t)n) < 0)
                        fail("memory");
        }
        return text;
}

/* The error that the daemon said before it hung up, and that it did. */
static void hung_up(struct link *link)
{
        const char *text;

        while ((text = link_receive(link)))
                if (strstr(text, "\"error\":\"") && me.n_said++ < SAID_MAX)
                        printf("said %.300s\n", text);
        me.closed++;
        link_close(link);
}

static void note_answer(uint64_t begun_usec)
{
        me.latencies[me.next_latency++ % LATENCIES_MAX] = now_usec() - begun_usec;
        me.n_latencies = MIN(me.next_latency, (size_t)LATENCIES_MAX);
        me.answers++;
}

/* ---- who behaves ---- */

static void ask(const char *call)
{
        struct link link;

        while (link_open(&link)) {
                for (;;) {
                        uint64_t begun = now_usec();

                        if (!link_send(&link, call, strlen(call) + 1) || !link_receive(&link))
                                break;
                        note_answer(begun);
                        wait_for(-1, 0, 100);
                }
                hung_up(&link);
                wait_for(-1, 0, 100);
        }
}

static void status(void)
{
        ask(CALL("Status"));
}

static void history(void)
{
        ask(HISTORY_CALL);
}

static void watch(void)
{
        struct link link;

        link_open(&link);
        if (link_send(&link, WATCH_CALL, sizeof(WATCH_CALL)))
                while (link_receive(&link))
                        me.answers++;
        hung_up(&link);
        for (;;)
                wait_for(-1, 0, -1);
}

/* A connection for each question. */
static void reconnect(void)
{
        struct link link;

        while (link_open(&link)) {
                uint64_t begun = now_usec();

                if (link_send(&link, CALL("Counters"), sizeof(CALL("Counters"))) && link_receive(&link)) {
                        note_answer(begun);
                        link_close(&link);
                } else {
                        hung_up(&link);
                }
                wait_for(-1, 0, 10);
        }
}

/* ---- who does not ---- */

/* Leaves before the answer. */
static void rude(void)
{
        struct link link;

        while (link_open(&link)) {
                if (!link_send(&link, CALL("Status"), sizeof(CALL("Status"))))
                        me.closed++;
                link_close(&link);
                wait_for(-1, 0, 1);
        }
}

/* Takes what it asked for in full, and nothing else ever. */
static void stall(void)
{
        struct link link;
        char byte;

        link_open(&link);
        if (!link_send(&link, STREAM_CALL, sizeof(STREAM_CALL)))
                hung_up(&link);
        wait_for(link.fd, POLLIN, -1);
        if (recv(link.fd, &byte, 1, 0) == 1)
                me.answers++;
        for (;;)
                wait_for(-1, 0, -1);
}

/* Watches, and never reads. */
static void deaf(void)
{
        struct link link;

        link_open(&link);
        link_send(&link, WATCH_CALL, sizeof(WATCH_CALL));
        wait_for(link.fd, 0, -1); /* POLLHUP */
        hung_up(&link);
        for (;;)
                wait_for(-1, 0, -1);
}

/* As much as the daemon keeps for one that watches: most of another call, and news that it never reads. */
static void hog(void)
{
        static char part[60 * KIB];
        struct link link;

        memset(part, ' ', sizeof(part));
        link_open(&link);
        if (link_send(&link, WATCH_CALL, sizeof(WATCH_CALL)) && link_send(&link, part, sizeof(part)))
                wait_for(link.fd, 0, -1); /* POLLHUP */
        hung_up(&link);
        for (;;)
                wait_for(-1, 0, -1);
}

/* Asks why of all slots, over and over, and never reads an answer. */
static void ask_why(void)
{
        struct link link;

        link_open(&link);
        while (link_send(&link, CALL("Explain"), sizeof(CALL("Explain"))))
                ;
        hung_up(&link);
        for (;;)
                wait_for(-1, 0, -1);
}

/* A call, a byte a second. */
static void drip(void)
{
        static const char call[] = CALL("Status");
        struct link link;

        for (;;) {
                size_t i = 0;

                link_open(&link);
                while (i < sizeof(call) && link_send(&link, &call[i], 1)) {
                        i++;
                        if (wait_for(link.fd, POLLIN, 1000))
                                break;
                }
                hung_up(&link);
        }
}

/* So many bytes that are no call. */
static void bulk(void)
{
        static char data[64 * KIB];
        struct link link;

        memset(data, 'x', sizeof(data));
        while (me.sent < me.bytes) {
                link_open(&link);
                while (me.sent < me.bytes && link_send(&link, data, sizeof(data)))
                        ;
                hung_up(&link);
        }
        for (;;)
                wait_for(-1, 0, -1);
}

/* Sends data over and over, up to so many bytes, as fast as it goes, and reads what comes as fast as it comes. */
static void pour(const char *data, size_t size, uint64_t bytes)
{
        static char rubbish[256 * KIB];
        size_t offset = 0;
        struct link link;

        link_open(&link);
        while (me.sent < bytes) {
                ssize_t n = send(link.fd, data + offset, size - offset, MSG_NOSIGNAL);

                if (n > 0) {
                        me.sent += (uint64_t)n;
                        offset = (offset + (size_t)n) % size;
                }
                while ((n = recv(link.fd, rubbish, sizeof(rubbish), 0)) > 0)
                        me.answers++;
                if (n == 0)
                        break;
                wait_for(link.fd, POLLIN | POLLOUT, -1);
        }
        hung_up(&link);
        for (;;)
                wait_for(-1, 0, -1);
}

/* So many bytes of calls, each nearly as long as a call may be. */
static void calls(void)
{
        static char data[60 * KIB];
        static const char head[] = "{\"method\":\"" STATION_INTERFACE ".Slot", tail[] = "\"}";

        memset(data, 'x', sizeof(data));
        memcpy(data, head, sizeof(head) - 1);
        memcpy(data + sizeof(data) - sizeof(tail), tail, sizeof(tail));
        pour(data, sizeof(data), me.bytes);
}

/* Calls and calls, each of which costs the daemon something. */
static void flood(void)
{
        static char data[512][sizeof(CALL("Status"))];

        for (size_t i = 0; i < ARRAY_SIZE(data); i++)
                memcpy(data[i], CALL("Status"), sizeof(data[i]));
        pour(data[0], sizeof(data), UINT64_MAX);
}

static void nonsense(void)
{
        static const char text[] = "GET / HTTP/1.1\r\n\r\n";
        struct link link;

        while (link_open(&link)) {
                link_send(&link, text, sizeof(text));
                hung_up(&link);
                wait_for(-1, 0, 100);
        }
}

/* Opens connections until it is turned away, and keeps them; tries again and again. */
static void grab(void)
{
        static struct link links[GRABBED_MAX];
        size_t n = 0;

        for (;;) {
                struct link link;

                link_open(&link);
                /* Whoever is turned away is told at once; whoever is not hears nothing. */
                if (!wait_for(link.fd, POLLIN, 300) && n < GRABBED_MAX)
                        links[n++] = link;
                else
                        hung_up(&link);
                while (n > 0 && wait_for(links[n - 1].fd, POLLIN, 0))
                        hung_up(&links[--n]);
                me.answers = MAX(me.answers, n);
        }
}

/* ---- the program ---- */

static const struct {
        const char *name;
        void (*play)(void);
} roles[] = {
        { "status", status }, { "history", history }, { "watch", watch },     { "reconnect", reconnect },
        { "rude", rude },     { "stall", stall },     { "deaf", deaf },       { "drip", drip },
        { "bulk", bulk },     { "calls", calls },     { "flood", flood },     { "nonsense", nonsense },
        { "grab", grab },     { "hog", hog },         { "ask-why", ask_why },
};

static void become(uid_t uid)
{
        pid_t parent = getppid();
        sigset_t set;

        if (geteuid() == 0 && uid != 0 && (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0))
                fail("setuid");
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* another user forgets it */
        if (getppid() != parent)
                _exit(1);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        me.signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
        if (me.signal_fd < 0)
                fail("signalfd");
}

int main(int argc, char **argv)
{
        if (argc < 4) {
                fputs("Usage: load-client SOCKET UID ROLE [BYTES]\n", stderr);
                return 2;
        }
        me.path = argv[1];
        me.bytes = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
        become((uid_t)strtoul(argv[2], NULL, 10));
        for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
                if (streq(roles[i].name, argv[3]))
                        roles[i].play();
        fprintf(stderr, "load-client: no role \"%s\"\n", argv[3]);
        return 2;
}
