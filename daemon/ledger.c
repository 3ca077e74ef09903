/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ledger as the daemon sees it; runs in the event loop and never waits for the disk's commits. */
#include "daemon/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ledger-query.h"
#include "daemon/ledger-questions.h"
#include "daemon/ledger-update.h"
#include "daemon/ledger-writer.h"
#include "io/lock.h"

#define TALLY_RETRY_USEC (10 * USEC_PER_SEC)

struct ledger {
        int lock_fd;
        struct ledger_writer *writer;
        struct ledger_db *reader; /* for what the loop itself asks, in bounded time */
        struct ledger_asker *asker;
        sd_event_source *source, *answers;

        struct ledger_order *orders, **end; /* not told yet, in order */
        uint64_t n_ordered, n_told;         /* since the start */
        char trouble[512];

        struct ledger_index index;
        struct ledger_tally tally;
        struct counters counters;
        uint64_t tally_failed_usec; /* CLOCK_REALTIME; 0: never */
        int64_t sequence;           /* the last that was told */
};

/* ---- opening and closing ---- */

/* A second daemon would close the first one's open rows as interrupted; so the file has a lock beside it. */
static int lock_file(const char *path, int *ret, char **ret_error)
{
        _cleanup_(freep) char *lock = NULL;
        int fd, r;

        if (asprintf(&lock, "%s-lock", path) < 0) {
                lock = NULL;
                return -ENOMEM;
        }
        fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return ledger_error(ret_error, -errno, "%s: cannot be created: %s", lock, strerror(errno));
        (void)fchmod(fd, 0600); /* one of before, that the group could lock; if it is another's, he may */
        r = lock_take(fd, LOCK_WAIT);
        if (r < 0) {
                close(fd);
                return ledger_error(
                        ret_error, r, "%s: %s", path,
                        r == -EBUSY ? "in use by another espdfud: stop that one, or give this one its own "
                                      "state directory"
                                    : strerror(-r));
        }
        *ret = fd;
        return 0;
}

static int tell_completed(sd_event_source *source, int fd, uint32_t revents, void *userdata);
static int tell_answers(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static int open_database(struct ledger *ledger, const char *path, const char *boot_id,
                         uint64_t now_realtime_usec, char **ret_error)
{
        _cleanup_(ledger_db_freep) struct ledger_db *db = NULL;
        int r;

        r = ledger_db_open_writer(path, &db, ret_error);
        if (r < 0)
                return r;
        r = ledger_db_recover(db, boot_id, now_realtime_usec);
        if (r >= 0)
                r = ledger_query_index(db, &ledger->index, &ledger->sequence);
        if (r < 0)
                return ledger_db_refuse(db, r, "cannot be brought up to date", ret_error);
        r = ledger_db_open_reader(path, &ledger->reader, ret_error);
        if (r < 0)
                return r;
        r = ledger_writer_start(db, &ledger->writer);
        if (r < 0)
                return r;
        db = NULL; /* the writer's now */
        r = ledger_db_open_reader(path, &db, ret_error);
        if (r < 0)
                return r;
        r = ledger_asker_start(db, &ledger->asker);
        if (r < 0)
                return r;
        db = NULL; /* the asker's now */
        return 0;
}

static int open_all(struct ledger *ledger, const char *path, sd_event *event, const char *boot_id,
                    uint64_t now_realtime_usec, char **ret_error)
{
        int r;

        r = lock_file(path, &ledger->lock_fd, ret_error);
        if (r < 0)
                return r;
        r = open_database(ledger, path, boot_id, now_realtime_usec, ret_error);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &ledger->source, ledger_writer_fd(ledger->writer), EPOLLIN, tell_completed,
                            ledger);
        if (r < 0)
                return r;
        sd_event_source_set_description(ledger->source, "ledger");
        r = sd_event_add_io(event, &ledger->answers, ledger_asker_fd(ledger->asker), EPOLLIN, tell_answers,
                            ledger);
        return MIN(r, 0);
}

int ledger_open(const char *path, sd_event *event, const char *boot_id, uint64_t now_realtime_usec,
                struct ledger **ret, char **ret_error)
{
        _cleanup_(ledger_freep) struct ledger *ledger = calloc(1, sizeof(*ledger));
        _cleanup_(freep) char *error = NULL;
        int r;

        if (!ledger)
                return -ENOMEM;
        ledger->lock_fd = -EBADF;
        ledger->end = &ledger->orders;
        counters_init(&ledger->counters);
        r = open_all(ledger, path, event, boot_id, now_realtime_usec, &error);
        if (r < 0) {
                if (!error)
                        ledger_error(&error, r, "%s: cannot be opened: %s", path, strerror(-r));
                if (ret_error)
                        *ret_error = take_ptr(error);
                return r;
        }
        *ret = take_ptr(ledger);
        return 0;
}

struct ledger *ledger_free(struct ledger *ledger)
{
        if (!ledger)
                return NULL;
        sd_event_source_disable_unref(ledger->source);
        sd_event_source_disable_unref(ledger->answers);
        ledger_asker_free(ledger->asker);
        ledger_writer_free(ledger->writer);
        ledger_db_free(ledger->reader);
        while (ledger->orders) {
                struct ledger_order *order = ledger->orders;

                ledger->orders = order->next;
                ledger_order_free(order);
        }
        ledger_index_done(&ledger->index);
        counters_done(&ledger->counters);
        if (ledger->lock_fd >= 0)
                close(ledger->lock_fd);
        free(ledger);
        return NULL;
}

/* ---- orders ---- */

/* Takes *order when it succeeds. */
static int push(struct ledger *ledger, struct ledger_order **order)
{
        struct ledger_order *taken;

        if (ledger->n_ordered - ledger->n_told >= LEDGER_ORDERS_MAX)
                return -ENOBUFS;
        taken = take_ptr(*order);
        *ledger->end = taken;
        ledger->end = &taken->next;
        ledger->n_ordered++;
        ledger_writer_push(ledger->writer, taken);
        return 0;
}

static int make_order(const struct attempt_record *record, ledger_done_t done, void *userdata,
                      struct ledger_order **ret)
{
        _cleanup_(ledger_order_freep) struct ledger_order *order = calloc(1, sizeof(*order));
        int r;

        if (!order)
                return -ENOMEM;
        r = attempt_record_copy(record, &order->work.record);
        if (r < 0)
                return r;
        order->done = done;
        order->userdata = userdata;
        *ret = take_ptr(order);
        return 0;
}

static int make_presence(const struct presence_key *key, enum verdict verdict, const char *message,
                         struct ledger_presence **ret)
{
        _cleanup_(ledger_presence_freep) struct ledger_presence *presence = calloc(1, sizeof(*presence));

        if (!presence || !(presence->boot_id = strdup(key->boot_id)) ||
            !(presence->path = strdup(key->path)) || free_and_strdup(&presence->message, message) < 0 ||
            free_and_strdup(&presence->board, key->board) < 0)
                return -ENOMEM;
        presence->devnum = key->devnum;
        presence->initialized_usec = key->initialized_usec;
        presence->reset_usec = key->reset_usec;
        presence->verdict = verdict;
        *ret = take_ptr(presence);
        return 0;
}

int ledger_attempt_open_with_data(struct ledger *ledger, const struct attempt_record *record,
                                  const struct board_data_row *data, const struct presence_note *note,
                                  ledger_done_t done, void *userdata)
{
        _cleanup_(ledger_order_freep) struct ledger_order *order = NULL;
        int r;

        if (!record->job || !record->slot || !record->boot_id || !done)
                return -EINVAL;
        r = make_order(record, done, userdata, &order);
        if (r == 0 && data)
                r = board_data_row_copy(data, &order->work.data);
        if (r == 0 && note)
                r = make_presence(&note->key, note->verdict, note->message, &order->work.presence);
        if (r < 0)
                return r;
        return push(ledger, &order);
}

int ledger_attempt_open(struct ledger *ledger, const struct attempt_record *record, ledger_done_t done,
                        void *userdata)
{
        return ledger_attempt_open_with_data(ledger, record, NULL, NULL, done, userdata);
}

int ledger_data_moved(struct ledger *ledger, const struct board_data_row *data)
{
        _cleanup_(ledger_order_freep) struct ledger_order *order = calloc(1, sizeof(*order));
        int r;

        if (!order)
                return -ENOMEM;
        order->work.kind = ORDER_DATA_MOVED;
        r = board_data_row_copy(data, &order->work.data);
        return r < 0 ? r : push(ledger, &order);
}

int ledger_attempt_close(struct ledger *ledger, int64_t id, const struct attempt_record *record,
                         const struct presence_key *presence, ledger_done_t done, void *userdata)
{
        _cleanup_(ledger_order_freep) struct ledger_order *order = NULL;
        int r;

        if (record->verdict <= VERDICT_NONE || record->verdict >= VERDICT_MAX_)
                return -EINVAL;
        if (presence && (!presence->boot_id || !presence->path))
                return -EINVAL;
        r = make_order(record, done, userdata, &order);
        if (r < 0)
                return r;
        order->work.close = true;
        order->work.id = id;
        if (presence) {
                r = make_presence(presence, record->verdict, record->message, &order->work.presence);
                if (r < 0)
                        return r;
        }
        return push(ledger, &order);
}

int ledger_presence_forget(struct ledger *ledger, const struct presence_key *presence, ledger_done_t done,
                           void *userdata)
{
        static const struct attempt_record none;
        _cleanup_(ledger_order_freep) struct ledger_order *order = NULL;
        int r;

        if (!presence->boot_id || !presence->path || !done)
                return -EINVAL;
        r = make_order(&none, done, userdata, &order);
        if (r == 0)
                r = make_presence(presence, VERDICT_NONE, NULL, &order->work.presence);
        if (r < 0)
                return r;
        order->work.kind = ORDER_FORGET;
        return push(ledger, &order);
}

int ledger_presence_put(struct ledger *ledger, const struct presence_note *note, ledger_done_t done,
                        void *userdata)
{
        _cleanup_(ledger_order_freep) struct ledger_order *order = calloc(1, sizeof(*order));
        int r;

        if (!note->key.boot_id || !note->key.path)
                return -EINVAL;
        if (!order)
                return -ENOMEM;
        order->done = done;
        order->userdata = userdata;
        order->work.kind = ORDER_PRESENCE;
        r = make_presence(&note->key, note->verdict, note->message, &order->work.presence);
        return r < 0 ? r : push(ledger, &order);
}

void ledger_forget(struct ledger *ledger, void *userdata)
{
        for (struct ledger_order *order = ledger->orders; order; order = order->next)
                if (order->userdata == userdata) {
                        order->done = NULL;
                        order->removed_done = NULL;
                }
        ledger_asker_forget(ledger->asker, userdata);
}

int ledger_consumer(struct ledger *ledger, enum consumer_action action, const char *name, int64_t sequence,
                    uint64_t now_realtime_usec, ledger_done_t done, void *userdata)
{
        _cleanup_(ledger_order_freep) struct ledger_order *order = calloc(1, sizeof(*order));

        if (!order || !(order->work.consumer.name = strdup(name)))
                return -ENOMEM;
        order->done = done;
        order->userdata = userdata;
        order->work.kind = ORDER_CONSUMER;
        order->work.consumer.action = action;
        order->work.consumer.sequence = sequence;
        order->work.consumer.now_realtime_usec = now_realtime_usec;
        return push(ledger, &order);
}

int ledger_retain(struct ledger *ledger, const struct ledger_limits *limits, ledger_removed_t done,
                  void *userdata)
{
        _cleanup_(ledger_order_freep) struct ledger_order *order = calloc(1, sizeof(*order));

        if (!order)
                return -ENOMEM;
        order->removed_done = done;
        order->userdata = userdata;
        order->work.kind = ORDER_RETAIN;
        order->work.limits = *limits;
        return push(ledger, &order);
}

/* ---- completion ---- */

/* Nobody knows the id of this row, so nobody would ever close it. */
static void close_forgotten(struct ledger *ledger, const struct ledger_order *opened)
{
        static char message[] = "cancelled before it began";
        const struct attempt_record cancelled = {
                .end_realtime_usec = opened->work.record.start_realtime_usec,
                .verdict = VERDICT_CANCELLED,
                .message = message,
        };

        /* If it cannot be ordered, the row is closed as interrupted at the next start. */
        ledger_attempt_close(ledger, opened->work.id, &cancelled, NULL, NULL, NULL);
}

static void remember(struct ledger *ledger, struct ledger_order *order)
{
        ledger->sequence = order->work.sequence;
        ledger_tally_add(&ledger->tally, &order->work.row->record);
        counters_add(&ledger->counters, &order->work.row->record);
        ledger_index_put_last(&ledger->index, take_ptr(order->work.row));
}

/* Whether the order leaves a presence in the ledger: a verdict, or a note of what is to be. */
static bool puts_presence(const struct ledger_order *order)
{
        return order->work.presence &&
               (order->work.kind == ORDER_ATTEMPT || order->work.kind == ORDER_PRESENCE);
}

static void tell(struct ledger *ledger, struct ledger_order *order)
{
        if (order->work.r == 0 && order->work.close)
                remember(ledger, order);
        if (order->work.r == 0 && puts_presence(order))
                ledger_index_put_presence(&ledger->index, take_ptr(order->work.presence));
        if (order->work.r == 0 && order->work.kind == ORDER_FORGET)
                ledger_index_forget_presence(&ledger->index, order->work.presence);
        if (order->removed_done)
                order->removed_done(order->userdata, order->work.r, &order->work.removed);
        else if (order->done)
                order->done(order->userdata, order->work.r, order->work.id, order->work.sequence);
        else if (order->work.kind == ORDER_ATTEMPT && order->work.r == 0 && !order->work.close)
                close_forgotten(ledger, order);
}

/* Callbacks may order more, and forget others; so an order leaves the list before it is told. */
static int tell_completed(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct ledger *ledger = userdata;
        struct ledger_progress progress;
        eventfd_t ignored;

        (void)source;
        (void)revents;
        eventfd_read(fd, &ignored);
        ledger_writer_progress(ledger->writer, &progress);
        memcpy(ledger->trouble, progress.trouble, sizeof(ledger->trouble));
        while (ledger->orders && ledger->n_told < progress.completed) {
                _cleanup_(ledger_order_freep) struct ledger_order *order = ledger->orders;

                ledger->orders = order->next;
                if (!ledger->orders)
                        ledger->end = &ledger->orders;
                ledger->n_told++;
                tell(ledger, order);
        }
        return 0;
}

static int tell_answers(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct ledger *ledger = userdata;

        (void)source, (void)fd, (void)revents;
        ledger_asker_answer(ledger->asker);
        return 0;
}

/* ---- questions ---- */

const char *ledger_trouble(struct ledger *ledger)
{
        return ledger->trouble[0] ? ledger->trouble : NULL;
}

uint64_t ledger_commits(struct ledger *ledger)
{
        struct ledger_progress progress;

        ledger_writer_progress(ledger->writer, &progress);
        return progress.commits;
}

enum verdict ledger_presence(struct ledger *ledger, const struct presence_key *presence,
                             const char **ret_message)
{
        const struct ledger_presence *found = ledger_index_presence(&ledger->index, presence);

        if (ret_message)
                *ret_message = found ? found->message : NULL;
        return found ? found->verdict : VERDICT_NONE;
}

bool ledger_presence_noted(struct ledger *ledger, const struct presence_key *presence,
                           struct presence_note *ret)
{
        const struct ledger_presence *found = ledger_index_noted(&ledger->index, presence);

        if (found)
                *ret = (struct presence_note){
                        .key = { found->boot_id, found->path, found->devnum, found->initialized_usec,
                                 .board = found->board },
                        .verdict = found->verdict,
                        .message = found->message,
                };
        return found;
}

bool ledger_presence_was_reset(struct ledger *ledger, const struct presence_key *presence,
                               uint64_t limit_usec)
{
        return ledger_index_was_reset(&ledger->index, presence, limit_usec);
}

const struct counters *ledger_counters(const struct ledger *ledger)
{
        return &ledger->counters;
}

int64_t ledger_last_sequence(const struct ledger *ledger)
{
        return ledger->sequence;
}

void ledger_counts(struct ledger *ledger, uint64_t now_realtime_usec, struct ledger_counts *ret)
{
        uint64_t since_failure_usec = now_realtime_usec - ledger->tally_failed_usec;

        /* When it cannot be read, the figures stay, and the loop is not held up again at once. */
        if (since_failure_usec >= TALLY_RETRY_USEC &&
            ledger_query_tally(ledger->reader, ledger->sequence, now_realtime_usec, &ledger->tally) < 0)
                ledger->tally_failed_usec = now_realtime_usec;
        *ret = ledger->tally.counts;
}

const struct attempt_record *ledger_last_of_port(struct ledger *ledger, const char *path, const char *port)
{
        return ledger_index_last(&ledger->index, path, port);
}

int ledger_board_has_image(struct ledger *ledger, const char *mac, const char *sha256)
{
        return ledger_query_board_has_image(ledger->reader, mac, sha256);
}

struct ledger_asker *ledger_asker_of(struct ledger *ledger)
{
        return ledger->asker;
}

int ledger_data_of_board(struct ledger *ledger, const char *folder, const char *mac,
                         const struct presence_key *presence, struct board_data_row *ret)
{
        return ledger_query_data_of_board(ledger->reader, folder, mac, presence, ret);
}

int ledger_data_interrupted(struct ledger *ledger, const char *folder, const struct presence_key *presence,
                            struct board_data_row *ret)
{
        return ledger_query_data_interrupted(ledger->reader, folder, presence, ret);
}

int ledger_data_by_content(struct ledger *ledger, const char *sha256, struct board_data_row *ret)
{
        return ledger_query_data_by_content(ledger->reader, sha256, ret);
}

int ledger_data_is_used(struct ledger *ledger, const char *file)
{
        return ledger_query_data_is_used(ledger->reader, file);
}

int ledger_data_count(struct ledger *ledger, const char *folder, uint64_t *ret)
{
        return ledger_query_data_count(ledger->reader, folder, ret);
}
