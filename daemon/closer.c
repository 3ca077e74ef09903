/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/closer.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/thread.h"

/* What the callers' bound leaves room for, connections and what they have passed: ADMISSION_CONNECTIONS_MAX each. */
#define ROOM (CLOSER_FULL + 4 * ADMISSION_CONNECTIONS_MAX)

/* Ignored unless somebody asks for it; nobody else in this process does. */
#define DISTURBANCE SIGURG

enum state {
        FREE,
        WAITING,
        CLOSING,
};

struct item {
        enum state state;
        int fd;
        bool counts; /* as a connection of … */
        uid_t uid;
        enum admission_rank rank;
        uint64_t number; /* the lowest is the next */
};

/* In static memory: a thread that hangs may outlive whoever gave it something to close. */
static struct {
        pthread_mutex_t mutex; /* for what follows */
        pthread_cond_t wake;
        struct item items[ROOM];
        size_t n, n_waiting;
        unsigned n_threads, n_idle;
        uint64_t number;
        size_t told_below; /* the event is wanted when there are fewer; 0: it is not */
        int event;         /* -1: not made yet */
} closer = { .mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .event = -1 };

static struct item *next_waiting(void)
{
        struct item *next = NULL;

        for (size_t i = 0; i < ROOM; i++) {
                struct item *item = &closer.items[i];

                if (item->state == WAITING && (!next || item->number < next->number))
                        next = item;
        }
        return next;
}

static void closed(struct item *item)
{
        static const uint64_t one = 1;

        item->state = FREE;
        closer.n--;
        if (closer.n >= closer.told_below)
                return;
        closer.told_below = 0;
        (void)!write(closer.event, &one, sizeof(one));
}

static void on_disturbance(int signal)
{
        (void)signal;
}

/* A timer that sends this thread the signal that ends its waiting. 0, or -1: then it waits as long as it takes. */
static int make_timer(timer_t *ret)
{
        struct sigaction action = { .sa_handler = on_disturbance };
        struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = DISTURBANCE };
        sigset_t set;

        event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
        sigemptyset(&set);
        sigaddset(&set, DISTURBANCE);
        if (sigaction(DISTURBANCE, &action, NULL) < 0 || timer_create(CLOCK_MONOTONIC, &event, ret) < 0)
                return -1;
        return pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0 ? 0 : -1;
}

static void set_timer(timer_t timer, uint64_t usec)
{
        const struct timespec span = { 0, (long)usec * 1000 };
        const struct itimerspec spec = { span, span };

        (void)timer_settime(timer, 0, &spec, NULL);
}

static void *work(void *userdata)
{
        timer_t timer;
        bool has_timer = make_timer(&timer) == 0;

        (void)userdata;
        pthread_mutex_lock(&closer.mutex);
        for (;;) {
                struct item *item;

                while (!(item = next_waiting())) {
                        closer.n_idle++;
                        pthread_cond_wait(&closer.wake, &closer.mutex);
                        closer.n_idle--;
                }
                item->state = CLOSING;
                closer.n_waiting--;
                pthread_mutex_unlock(&closer.mutex);
                if (has_timer)
                        set_timer(timer, CLOSER_DISTURB_USEC);
                close(item->fd);
                if (has_timer)
                        set_timer(timer, 0);
                pthread_mutex_lock(&closer.mutex);
                closed(item);
        }
        return NULL;
}

/* With the mutex. One more thread, where those that there are have something to do. Whether there is any. */
static bool has_threads(void)
{
        pthread_t thread;

        if (closer.n_idle <= closer.n_waiting && closer.n_threads < CLOSER_THREADS &&
            thread_start(&thread, work, NULL) == 0) {
                pthread_detach(thread);
                closer.n_threads++;
        }
        return closer.n_threads > 0;
}

static struct item *find_free(void)
{
        for (size_t i = 0; i < ROOM; i++)
                if (closer.items[i].state == FREE)
                        return &closer.items[i];
        return NULL;
}

static void take(const struct item *from)
{
        struct item *item;

        pthread_mutex_lock(&closer.mutex);
        item = has_threads() ? find_free() : NULL;
        if (item) {
                *item = *from;
                item->state = WAITING;
                item->number = closer.number++;
                closer.n++;
                closer.n_waiting++;
                pthread_cond_signal(&closer.wake);
        }
        pthread_mutex_unlock(&closer.mutex);
        if (!item)
                close(from->fd); /* no thread could be started: better that we wait than that it stays open */
}

void closer_close(int fd)
{
        take(&(struct item){ .fd = fd });
}

void closer_close_for(int fd, uid_t uid, enum admission_rank rank)
{
        take(&(struct item){ .fd = fd, .counts = true, .uid = uid, .rank = rank });
}

size_t closer_pending(void)
{
        size_t n;

        pthread_mutex_lock(&closer.mutex);
        n = closer.n;
        pthread_mutex_unlock(&closer.mutex);
        return n;
}

void closer_count(uid_t uid, struct admission_counts *counts)
{
        pthread_mutex_lock(&closer.mutex);
        for (size_t i = 0; i < ROOM && closer.n > 0; i++) {
                const struct item *item = &closer.items[i];

                if (item->state == FREE || !item->counts)
                        continue;
                counts->of_user += item->uid == uid;
                counts->of_rank[item->rank]++;
        }
        pthread_mutex_unlock(&closer.mutex);
}

bool closer_is_full(size_t n)
{
        bool full;

        pthread_mutex_lock(&closer.mutex);
        full = closer.n >= n;
        if (full)
                closer.told_below = n;
        pthread_mutex_unlock(&closer.mutex);
        return full;
}

int closer_event(void)
{
        int fd;

        pthread_mutex_lock(&closer.mutex);
        if (closer.event < 0)
                closer.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        fd = closer.event < 0 ? -errno : closer.event;
        pthread_mutex_unlock(&closer.mutex);
        return fd;
}
