/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fleet/relay.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/poll.h"
#include "tests/fleet/broker-bed.h"

#define PAIRS_MAX 8

static volatile sig_atomic_t calm;

static void on_calm(int signal)
{
        (void)signal;
        calm = 1;
}

static int connect_to(unsigned port)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
                return fd;
        close(fd);
        return -1;
}

/* Whether both are still there. */
static bool pass_on(int from, int to)
{
        char data[16384];
        ssize_t n = recv(from, data, sizeof(data), MSG_DONTWAIT);

        if (n < 0)
                return errno == EAGAIN;
        for (ssize_t sent = 0; n > 0 && sent < n;) {
                ssize_t m = send(to, data + sent, (size_t)(n - sent), MSG_NOSIGNAL);

                if (m < 0)
                        return false;
                sent += m;
        }
        return n > 0;
}

static void cut(int pairs[PAIRS_MAX][2])
{
        for (int i = 0; i < PAIRS_MAX; i++)
                if (pairs[i][0] >= 0) {
                        close(pairs[i][0]);
                        close(pairs[i][1]);
                        pairs[i][0] = pairs[i][1] = -1;
                }
}

static void take_pair(int listening, int pairs[PAIRS_MAX][2])
{
        int client = accept(listening, NULL, NULL), broker = connect_to(bed.port), i = 0;

        while (i < PAIRS_MAX && pairs[i][0] >= 0)
                i++;
        if (broker < 0 || i == PAIRS_MAX) {
                close(client);
                if (broker >= 0)
                        close(broker);
                return;
        }
        pairs[i][0] = client;
        pairs[i][1] = broker;
}

/* In a process of its own. */
static void relay(int listening, bool wild, unsigned seed)
{
        int pairs[PAIRS_MAX][2];
        uint64_t next = monotonic_usec() + USEC_PER_SEC;

        memset(pairs, 0xff, sizeof(pairs));
        signal(SIGUSR1, on_calm);
        for (;;) {
                struct pollfd pfds[1 + 2 * PAIRS_MAX] = { { .fd = listening, .events = POLLIN } };
                uint64_t now;

                for (int i = 0; i < 2 * PAIRS_MAX; i++)
                        pfds[1 + i] = (struct pollfd){ .fd = pairs[i / 2][i % 2], .events = POLLIN };
                (void)poll_until(pfds, ARRAY_SIZE(pfds), next, NULL);
                now = monotonic_usec();
                if (wild && !calm && now >= next) {
                        unsigned dice = (unsigned)rand_r(&seed);

                        if (dice % 3 == 0)
                                usleep(dice % 300000); /* everything waits */
                        else
                                cut(pairs);
                        next = monotonic_usec() + 200 * USEC_PER_MSEC +
                               (unsigned)rand_r(&seed) % (1300 * USEC_PER_MSEC);
                        continue;
                }
                if (!wild || calm)
                        next = now + USEC_PER_SEC;
                for (int i = 0; i < PAIRS_MAX; i++)
                        for (int k = 0; k < 2; k++)
                                if (pairs[i][0] >= 0 && pfds[1 + 2 * i + k].fd >= 0 &&
                                    pfds[1 + 2 * i + k].revents && !pass_on(pairs[i][k], pairs[i][1 - k])) {
                                        close(pairs[i][0]);
                                        close(pairs[i][1]);
                                        pairs[i][0] = pairs[i][1] = -1;
                                }
                if (pfds[0].revents)
                        take_pair(listening, pairs);
        }
}

pid_t relay_start(bool wild, unsigned seed, unsigned *ret_port)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pid_t pid;

        *ret_port = free_port();
        address.sin_port = htons((uint16_t)*ret_port);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 8), 0);
        pid = fork_program();
        if (pid == 0)
                relay(fd, wild, seed);
        close(fd);
        return pid;
}
