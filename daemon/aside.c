/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/aside.h"

#include <time.h>

#include "daemon/thread.h"

struct task {
        void (*run)(void *data);
        void (*release)(void *data);
        void *data;
};

static struct {
        bool runs; /* read and written by those who call */
        pthread_t thread;
        void (*lost)(unsigned n);
        pthread_mutex_t mutex; /* for what follows */
        pthread_cond_t wake, done;
        struct task waiting[ASIDE_WAITING_MAX]; /* a ring */
        size_t first, n;
        unsigned n_lost;
        bool ending, ended;
} aside = { .mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

static void carry_out(const struct task *task)
{
        task->run(task->data);
        task->release(task->data);
}

/* With the mutex, which is let go meanwhile. */
static void next_task(void)
{
        struct task task = aside.waiting[aside.first];
        unsigned n_lost = aside.n_lost;

        aside.first = (aside.first + 1) % ASIDE_WAITING_MAX;
        aside.n--;
        pthread_mutex_unlock(&aside.mutex);
        carry_out(&task);
        pthread_mutex_lock(&aside.mutex);
        if (n_lost == 0 || aside.n > 0)
                return;
        /* Where they would have been: behind the last that had a place. */
        n_lost = aside.n_lost;
        aside.n_lost = 0;
        pthread_mutex_unlock(&aside.mutex);
        aside.lost(n_lost);
        pthread_mutex_lock(&aside.mutex);
}

static void *work(void *userdata)
{
        (void)userdata;
        pthread_mutex_lock(&aside.mutex);
        while (!aside.ending || aside.n > 0)
                if (aside.n > 0)
                        next_task();
                else
                        pthread_cond_wait(&aside.wake, &aside.mutex);
        aside.ended = true;
        pthread_cond_signal(&aside.done);
        pthread_mutex_unlock(&aside.mutex);
        return NULL;
}

int aside_begin(void (*lost)(unsigned n))
{
        pthread_condattr_t attributes;
        int r;

        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&aside.done, &attributes);
        pthread_condattr_destroy(&attributes);
        aside.lost = lost;
        aside.ending = aside.ended = false;
        r = thread_start(&aside.thread, work, NULL);
        aside.runs = r == 0;
        return r;
}

void aside_end(void)
{
        struct timespec until;
        int r = 0;

        if (!aside.runs)
                return;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (time_t)(ASIDE_END_USEC / USEC_PER_SEC);
        pthread_mutex_lock(&aside.mutex);
        aside.ending = true;
        pthread_cond_signal(&aside.wake);
        while (!aside.ended && r == 0)
                r = pthread_cond_timedwait(&aside.done, &aside.mutex, &until);
        pthread_mutex_unlock(&aside.mutex);
        if (r != 0)
                return; /* it hangs, and whatever is said from now on would, too: the process ends, and it with it */
        pthread_join(aside.thread, NULL);
        aside.runs = false;
}

void aside_do(void (*run)(void *data), void (*release)(void *data), void *data)
{
        struct task task = { .run = run, .release = release, .data = data };
        bool has_room;

        if (!aside.runs) {
                carry_out(&task);
                return;
        }
        pthread_mutex_lock(&aside.mutex);
        has_room = aside.n < ASIDE_WAITING_MAX;
        if (has_room)
                aside.waiting[(aside.first + aside.n++) % ASIDE_WAITING_MAX] = task;
        else
                aside.n_lost++;
        pthread_cond_signal(&aside.wake);
        pthread_mutex_unlock(&aside.mutex);
        if (!has_room)
                release(data);
}
