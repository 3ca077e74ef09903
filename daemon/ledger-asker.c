/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-asker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/thread.h"

struct queue {
        struct ledger_question *first, **end;
};

struct ledger_asker {
        struct ledger_db *db; /* the thread's */
        pthread_t thread;
        int fd;
        struct queue telling; /* the loop's: answered, and being told */

        pthread_mutex_t mutex; /* for what follows */
        pthread_cond_t wake;
        struct queue waiting, answered;
        struct ledger_question *current; /* being asked */
        unsigned n;                      /* waiting, current and answered */
        bool stopping;
};

static void queue_init(struct queue *queue)
{
        queue->first = NULL;
        queue->end = &queue->first;
}

static void queue_put(struct queue *queue, struct ledger_question *question)
{
        question->next = NULL;
        *queue->end = question;
        queue->end = &question->next;
}

static struct ledger_question *queue_take(struct queue *queue)
{
        struct ledger_question *question = queue->first;

        if (!question)
                return NULL;
        queue->first = question->next;
        if (!queue->first)
                queue->end = &queue->first;
        return question;
}

static void queue_forget(struct queue *queue, const void *userdata)
{
        for (struct ledger_question *q = queue->first; q; q = q->next)
                if (q->userdata == userdata)
                        q->forgotten = true;
}

static void queue_done(struct queue *queue)
{
        struct ledger_question *question;

        while ((question = queue_take(queue)))
                question->free(question);
}

/* ---- in the thread ---- */

static void *ask_questions(void *userdata)
{
        struct ledger_asker *asker = userdata;

        pthread_mutex_lock(&asker->mutex);
        while (!asker->stopping) {
                struct ledger_question *question = queue_take(&asker->waiting);
                int r = -ECANCELED;

                if (!question) {
                        pthread_cond_wait(&asker->wake, &asker->mutex);
                        continue;
                }
                asker->current = question;
                if (!question->forgotten) {
                        pthread_mutex_unlock(&asker->mutex);
                        r = question->ask(asker->db, question);
                        pthread_mutex_lock(&asker->mutex);
                }
                asker->current = NULL;
                question->r = r;
                queue_put(r > 0 ? &asker->waiting : &asker->answered, question);
                if (r <= 0)
                        eventfd_write(asker->fd, 1);
        }
        pthread_mutex_unlock(&asker->mutex);
        return NULL;
}

/* ---- in the event loop ---- */

int ledger_asker_start(struct ledger_db *db, struct ledger_asker **ret)
{
        struct ledger_asker *asker = calloc(1, sizeof(*asker));
        int r;

        if (!asker)
                return -ENOMEM;
        asker->db = db;
        queue_init(&asker->waiting);
        queue_init(&asker->answered);
        queue_init(&asker->telling);
        asker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (asker->fd < 0) {
                r = -errno;
                free(asker);
                return r;
        }
        pthread_mutex_init(&asker->mutex, NULL);
        pthread_cond_init(&asker->wake, NULL);
        r = thread_start(&asker->thread, ask_questions, asker);
        if (r < 0) {
                close(asker->fd);
                free(asker);
                return r;
        }
        *ret = asker;
        return 0;
}

struct ledger_asker *ledger_asker_free(struct ledger_asker *asker)
{
        if (!asker)
                return NULL;
        pthread_mutex_lock(&asker->mutex);
        asker->stopping = true;
        pthread_cond_signal(&asker->wake);
        pthread_mutex_unlock(&asker->mutex);
        pthread_join(asker->thread, NULL);

        queue_done(&asker->waiting);
        queue_done(&asker->answered);
        queue_done(&asker->telling);
        pthread_cond_destroy(&asker->wake);
        pthread_mutex_destroy(&asker->mutex);
        ledger_db_free(asker->db);
        close(asker->fd);
        free(asker);
        return NULL;
}

int ledger_asker_push(struct ledger_asker *asker, struct ledger_question *question)
{
        int r = 0;

        pthread_mutex_lock(&asker->mutex);
        if (asker->n >= LEDGER_QUESTIONS_MAX) {
                r = -ENOBUFS;
        } else {
                asker->n++;
                queue_put(&asker->waiting, question);
                pthread_cond_signal(&asker->wake);
        }
        pthread_mutex_unlock(&asker->mutex);
        return r;
}

void ledger_asker_forget(struct ledger_asker *asker, void *userdata)
{
        pthread_mutex_lock(&asker->mutex);
        queue_forget(&asker->waiting, userdata);
        queue_forget(&asker->answered, userdata);
        if (asker->current && asker->current->userdata == userdata)
                asker->current->forgotten = true;
        pthread_mutex_unlock(&asker->mutex);
        queue_forget(&asker->telling, userdata);
}

int ledger_asker_fd(const struct ledger_asker *asker)
{
        return asker->fd;
}

/* Answers may lead to more questions, and to some being forgotten. */
void ledger_asker_answer(struct ledger_asker *asker)
{
        struct ledger_question *question;
        eventfd_t ignored;

        eventfd_read(asker->fd, &ignored);
        pthread_mutex_lock(&asker->mutex);
        while ((question = queue_take(&asker->answered))) {
                asker->n--;
                queue_put(&asker->telling, question);
        }
        pthread_mutex_unlock(&asker->mutex);
        while ((question = queue_take(&asker->telling))) {
                if (!question->forgotten)
                        question->answer(question);
                question->free(question);
        }
}
