/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-writer.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/ledger-retain.h"
#include "daemon/ledger-update.h"
#include "daemon/thread.h"

#define GROUP_MAX 256u /* orders of one commit: bounds what a failure takes with it */

struct ledger_writer {
        struct ledger_db *db; /* the thread's */
        pthread_t thread;
        int fd;

        pthread_mutex_t mutex; /* for what follows */
        pthread_cond_t wake;
        struct ledger_order *first, **end; /* the queue */
        struct ledger_progress progress;
        bool stopping;
};

struct ledger_order *ledger_order_free(struct ledger_order *order)
{
        if (!order)
                return NULL;
        attempt_record_done(&order->work.record);
        ledger_presence_free(order->work.presence);
        ledger_last_free(order->work.row);
        free(order->work.consumer.name);
        board_data_row_done(&order->work.data);
        free(order);
        return NULL;
}

/* ---- in the thread ---- */

static int carry_out_close(struct ledger_db *db, struct ledger_order *order)
{
        _cleanup_(ledger_last_freep) struct ledger_last *row = calloc(1, sizeof(*row));
        int r;

        if (!row)
                return -ENOMEM;
        r = ledger_db_attempt_close(db, order->work.id, &order->work.record, order->work.presence,
                                    &row->record);
        if (r != 0)
                return r;
        if (order->work.presence) {
                r = ledger_db_presence_put(db, order->work.presence);
                if (r < 0)
                        return r;
        }
        order->work.sequence = row->record.sequence;
        order->work.row = take_ptr(row);
        return 0;
}

static int carry_out_open(struct ledger_db *db, struct ledger_order *order)
{
        int r = order->work.data.file ? ledger_db_data_assign(db, &order->work.data) : 0;

        if (r == 0)
                r = ledger_db_attempt_open(db, &order->work.record, &order->work.id);
        return r == 0 && order->work.presence ? ledger_db_presence_put(db, order->work.presence) : r;
}

/* Within a transaction. The order's own verdict (no such row, closed before) goes to work.r; what is returned
 * is the database's failure, and undoes the group. */
static int carry_out(struct ledger_db *db, struct ledger_order *order)
{
        int r = 0;

        order->work.r = 0;
        switch (order->work.kind) {
        case ORDER_ATTEMPT:
                r = order->work.close ? carry_out_close(db, order) : carry_out_open(db, order);
                break;
        case ORDER_DATA_MOVED:
                return ledger_db_data_moved(db, &order->work.data);
        case ORDER_PRESENCE:
                return ledger_db_presence_put(db, order->work.presence);
        case ORDER_FORGET:
                return ledger_db_presence_forget(db, order->work.presence);
        case ORDER_CONSUMER:
                r = ledger_db_consumer(db, order->work.consumer.action, order->work.consumer.name,
                                       order->work.consumer.sequence, order->work.consumer.user,
                                       order->work.consumer.now_realtime_usec, &order->work.sequence);
                break;
        case ORDER_RETAIN:
                order->work.removed = (struct ledger_removed){ 0 };
                r = ledger_db_retain(db, &order->work.limits, &order->work.removed);
                break;
        }
        if (r > 0) {
                order->work.r = -r;
                return 0;
        }
        return r;
}

static void undo(struct ledger_order *order, int r)
{
        order->work.r = r;
        order->work.sequence = 0;
        if (!order->work.close)
                order->work.id = 0;
        order->work.row = ledger_last_free(order->work.row);
}

/* One transaction for the orders from first on. trouble gets the reason of a failure. */
static int commit_group(struct ledger_db *db, struct ledger_order *first, char *trouble, size_t size)
{
        int r;

        r = ledger_db_check_place(db);
        if (r >= 0)
                r = ledger_db_begin(db);
        for (struct ledger_order *order = first; order && r >= 0; order = order->work.next)
                r = carry_out(db, order);
        if (r >= 0)
                r = ledger_db_commit(db);
        if (r >= 0)
                return 0;

        if (r == -ESTALE)
                snprintf(trouble, size,
                         "%s: moved or removed while in use: put it back; nothing is flashed until then. A "
                         "restart "
                         "would begin a new ledger, and flash again what is plugged in",
                         db->path);
        else
                snprintf(trouble, size, "%s: cannot be written: %s (%s); nothing is flashed until it can",
                         db->path, strerror(-r), ledger_db_error(db));
        ledger_db_rollback(db);
        for (struct ledger_order *order = first; order; order = order->work.next)
                undo(order, r);
        return r;
}

/* Takes up to GROUP_MAX orders off the queue, as a list of their own; waits for one. Returns how many: 0 when
 * none waits and none will come. Called and returns with the mutex held. */
static size_t take_group(struct ledger_writer *writer, struct ledger_order **ret)
{
        struct ledger_order **end = ret;
        size_t n = 0;

        while (!writer->first && !writer->stopping)
                pthread_cond_wait(&writer->wake, &writer->mutex);
        for (; writer->first && n < GROUP_MAX; n++) {
                *end = writer->first;
                end = &writer->first->work.next;
                writer->first = *end;
        }
        *end = NULL;
        if (!writer->first)
                writer->end = &writer->first;
        return n;
}

static void *write_orders(void *userdata)
{
        struct ledger_writer *writer = userdata;
        struct ledger_order *group;
        size_t n;

        pthread_mutex_lock(&writer->mutex);
        while ((n = take_group(writer, &group)) > 0) {
                char trouble[sizeof(writer->progress.trouble)] = "";
                int r;

                pthread_mutex_unlock(&writer->mutex);
                r = commit_group(writer->db, group, trouble, sizeof(trouble));
                pthread_mutex_lock(&writer->mutex);

                writer->progress.completed += n;
                writer->progress.commits += r == 0;
                memcpy(writer->progress.trouble, trouble, sizeof(trouble));
                eventfd_write(writer->fd, 1);
        }
        pthread_mutex_unlock(&writer->mutex);
        return NULL;
}

/* ---- in the event loop ---- */

int ledger_writer_start(struct ledger_db *db, struct ledger_writer **ret)
{
        struct ledger_writer *writer = calloc(1, sizeof(*writer));
        int r;

        if (!writer)
                return -ENOMEM;
        writer->db = db;
        writer->end = &writer->first;
        writer->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (writer->fd < 0) {
                r = -errno;
                free(writer);
                return r;
        }
        pthread_mutex_init(&writer->mutex, NULL);
        pthread_cond_init(&writer->wake, NULL);
        r = thread_start(&writer->thread, write_orders, writer);
        if (r < 0) {
                close(writer->fd);
                free(writer);
                return r;
        }
        *ret = writer;
        return 0;
}

struct ledger_writer *ledger_writer_free(struct ledger_writer *writer)
{
        if (!writer)
                return NULL;
        pthread_mutex_lock(&writer->mutex);
        writer->stopping = true;
        pthread_cond_signal(&writer->wake);
        pthread_mutex_unlock(&writer->mutex);
        pthread_join(writer->thread, NULL);

        pthread_cond_destroy(&writer->wake);
        pthread_mutex_destroy(&writer->mutex);
        ledger_db_free(writer->db);
        close(writer->fd);
        free(writer);
        return NULL;
}

void ledger_writer_push(struct ledger_writer *writer, struct ledger_order *order)
{
        order->work.next = NULL;
        pthread_mutex_lock(&writer->mutex);
        *writer->end = order;
        writer->end = &order->work.next;
        pthread_cond_signal(&writer->wake);
        pthread_mutex_unlock(&writer->mutex);
}

int ledger_writer_fd(const struct ledger_writer *writer)
{
        return writer->fd;
}

void ledger_writer_progress(struct ledger_writer *writer, struct ledger_progress *ret)
{
        pthread_mutex_lock(&writer->mutex);
        *ret = writer->progress;
        pthread_mutex_unlock(&writer->mutex);
}
