/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread that writes the ledger. Orders go in by ledger_writer_push(), are carried out in their order, as
 * many in one commit as wait, and come out completed in the same order; an eventfd becomes readable for the
 * event loop.
 *
 * Who owns an order: the event loop, all the time. From push until it is counted by
 * ledger_writer_progress() the thread alone reads and writes its `work` part; the rest is the loop's.
 */
#pragma once

#include "daemon/ledger-data.h"
#include "daemon/ledger-db.h"
#include "daemon/ledger-index.h"

enum ledger_order_kind {
        ORDER_ATTEMPT,
        ORDER_DATA_MOVED,
        ORDER_PRESENCE,
        ORDER_FORGET,
        ORDER_CONSUMER,
        ORDER_RETAIN,
};

struct ledger_order {
        /* The loop's. */
        struct ledger_order *next; /* all orders that are not told yet, in order */
        ledger_done_t done;
        void *userdata;

        struct {
                struct ledger_order *next; /* the thread's queue */
                enum ledger_order_kind kind;
                bool close; /* close row id; else open one */
                int64_t id; /* of close; result of open */
                struct attempt_record record;
                /* Of close: final with this, or NULL. Of open: noted with it, or NULL. Of presence, and of forget. */
                struct ledger_presence *presence;
                struct board_data_row data; /* of open: the file that the board gets; file NULL: none */
                /* Results; r is -ENOENT or -EALREADY for a row that cannot be closed, -EEXIST for data of others. */
                int r;
                int64_t sequence;
                struct ledger_last *row; /* of close: the row as it is now */
                struct {
                        enum consumer_action action;
                        char *name; /* owned */
                        int64_t sequence;
                        uint64_t now_realtime_usec, user;
                } consumer;
                struct ledger_limits limits;
                struct ledger_removed removed; /* result of retain */
        } work;
        ledger_removed_t removed_done; /* of retain, in place of done */
};
struct ledger_order *ledger_order_free(struct ledger_order *order);
DEFINE_CLEANUP(struct ledger_order, ledger_order_free)

struct ledger_writer;

/* Takes db when it succeeds. Signals are blocked in the thread. */
int ledger_writer_start(struct ledger_db *db, struct ledger_writer **ret);
/* Waits until every order is carried out, and ends the thread. The orders are still the loop's. */
struct ledger_writer *ledger_writer_free(struct ledger_writer *writer);
DEFINE_CLEANUP(struct ledger_writer, ledger_writer_free)

void ledger_writer_push(struct ledger_writer *writer, struct ledger_order *order);
/* The eventfd; read it before ledger_writer_progress(). */
int ledger_writer_fd(const struct ledger_writer *writer);

struct ledger_progress {
        uint64_t completed; /* orders, since the start */
        uint64_t commits;
        char trouble[512]; /* why the last group could not be committed; empty when it could */
};
void ledger_writer_progress(struct ledger_writer *writer, struct ledger_progress *ret);
