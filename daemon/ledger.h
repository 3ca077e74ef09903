/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The station's memory on disk (SQLite): every attempt, and the presences that already have a verdict.
 *
 * An attempt's row is committed, open, before the first byte leaves; it is closed with its verdict and a
 * sequence number without gaps before anybody is told. A writer thread commits in groups, so the event loop
 * never waits for the disk; each order's callback runs in the event loop once its commit is on disk, in the
 * order of the orders. Times are arguments, in microseconds.
 *
 * Files: daemon/ledger.c (this interface), ledger-writer (thread, queue, group commit), ledger-db and
 * ledger-schema (connection, statements, tables), ledger-row (columns and fields), ledger-update and
 * ledger-query (what is written and read), ledger-index (what is answered from memory), ledger-asker, ledger-history and
 * ledger-stats (what is read for others, in a thread), ledger-retain (consumers, and what is removed), ledger-roll (consumers,
 * from memory).
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/consumer.h"
#include "core/counters.h"
#include "core/history.h"
#include "core/stats.h"

#define LEDGER_HISTORY_MAX 1000u /* rows of one page */
#define LEDGER_ORDERS_MAX  4096u /* orders that wait for the disk; a station has one for each slot */

#define LEDGER_ID_SIZE 33 /* 32 hexadecimal digits and a NUL */

struct ledger;

/* Which ledger this is, wherever its rows are copied to: id and sequence together are one row for ever. */
struct ledger_identity {
        char id[LEDGER_ID_SIZE];
        int64_t since; /* numbers up to this one were given under another id; 0: none were */
};

/* A presence is one stay of a board on a port; it outlives a restart of the daemon, no boot, no replug. */
struct presence_key {
        const char *boot_id;
        const char *path; /* ID_PATH, or the port path where there is none */
        unsigned devnum;
        uint64_t initialized_usec; /* udev's USEC_INITIALIZED */
        /* Of ledger_attempt_close(): the board was reset afterwards; CLOCK_MONOTONIC, 0: not. And of that and
         * ledger_presence_was_reset(): who it is, or NULL. */
        uint64_t reset_usec;
        const char *board;
};

/*
 * What the ledger says of a presence. Beside final verdicts there are two that are none yet, of boards that a person ordered
 * to be flashed: VERDICT_NONE, to be flashed with the image of its policy, whatever else the policy says; and
 * VERDICT_INTERRUPTED, with an image that is gone with the daemon: message says so.
 */
struct presence_note {
        struct presence_key key;
        enum verdict verdict;
        const char *message; /* or NULL */
};

/*
 * Called in the event loop: r is 0 when it is on disk, else a negative errno, and ledger_trouble() says why.
 * id is the row's id; sequence its sequence number, 0 for an opened row. Must not call ledger_free().
 */
typedef void (*ledger_done_t)(void *userdata, int r, int64_t id, int64_t sequence);

/*
 * path: the database file, created with its tables if missing, for its owner alone; its directory is the caller's.
 * Rows that a dead daemon left open are closed as VERDICT_INTERRUPTED, ended now; presences of other boots
 * than boot_id are dropped. Returns 0, or a negative errno with one line for the operator in *ret_error
 * (owned by the caller, NULL when out of memory): -EBUSY another process has this ledger open, -EUCLEAN
 * damaged or not a database, -EMEDIUMTYPE another program's database, -EPROTONOSUPPORT written by a newer
 * espdfu, or what the file system says.
 */
int ledger_open(const char *path, sd_event *event, const char *boot_id, uint64_t now_realtime_usec,
                struct ledger **ret, char **ret_error);
/* Waits until all that was ordered is on disk; callbacks that are still due are not called. */
struct ledger *ledger_free(struct ledger *ledger);
DEFINE_CLEANUP(struct ledger, ledger_free)

/*
 * Opens an attempt's row. record is copied; its id, sequence, end, duration, bytes, transfers, verdict, final
 * and message are not looked at; job, slot and boot_id must be there. Returns 0, -EINVAL, -ENOMEM, or
 * -ENOBUFS with LEDGER_ORDERS_MAX waiting; the callback runs only after 0. Texts are cut to their bounds
 * (docs/ledger.md).
 */
int ledger_attempt_open(struct ledger *ledger, const struct attempt_record *record, ledger_done_t done,
                        void *userdata);
/*
 * Sets end_realtime_usec, duration_usec, bytes, transfers, verdict, message (and mac, if set) of row id. With
 * presence, exactly when no further attempt of the job follows: the row is final, and in the same commit this
 * presence has that verdict. done may be NULL. Results as above; the callback may also get -ENOENT (no such
 * row) or -EALREADY (closed before). After another failure the row is open still: order the same again.
 */
int ledger_attempt_close(struct ledger *ledger, int64_t id, const struct attempt_record *record,
                         const struct presence_key *presence, ledger_done_t done, void *userdata);
/*
 * This presence is as one that has no verdict yet, also after a crash: a person wants its board to be tried again. No
 * error if it had none. Results as above, the callback's id and sequence are 0.
 */
int ledger_presence_forget(struct ledger *ledger, const struct presence_key *presence, ledger_done_t done,
                           void *userdata);
/* The note takes the place of what the ledger had about this path. Results as above; done may be NULL. */
int ledger_presence_put(struct ledger *ledger, const struct presence_note *note, ledger_done_t done,
                        void *userdata);
/*
 * No callback of an order or a question with this userdata will run any more; the order itself stands. A row that is opened
 * for nobody is closed at once as VERDICT_CANCELLED.
 */
void ledger_forget(struct ledger *ledger, void *userdata);

/*
 * Why nothing can be recorded, in one line (the file, the reason), or NULL: as of the last commit. While
 * there is one no board should be started; the next order tries again, and its success clears it. Borrowed
 * until the loop runs.
 */
const char *ledger_trouble(struct ledger *ledger);

/* Commits made since it was opened: fewer than orders, because they are grouped. */
uint64_t ledger_commits(struct ledger *ledger);

/* From memory: the final verdict of this presence, and its text (borrowed until the loop runs; may be NULL),
 * or VERDICT_NONE. */
enum verdict ledger_presence(struct ledger *ledger, const struct presence_key *presence,
                             const char **ret_message);

/* From memory: whether a note that is no verdict is there for this boot and path, whichever the stay, and which (borrowed
 * until the loop runs; key.board is set). */
bool ledger_presence_noted(struct ledger *ledger, const struct presence_key *presence,
                           struct presence_note *ret);

/* From memory: whether this is the return, within limit_usec, of the board whose flashing on this path ended with a
 * reset. */
bool ledger_presence_was_reset(struct ledger *ledger, const struct presence_key *presence,
                               uint64_t limit_usec);

/*
 * Today's and the last hour's figures, for the header. Day boundaries are local time. Kept in memory, read
 * anew when the day changes, the clock jumps, or the last hour's figure is over a second old.
 */
struct ledger_counts {
        uint64_t flashed_today;    /* attempts that flashed */
        uint64_t failed_today;     /* jobs that ended in failure; attempts that were retried are not in it */
        uint64_t first_pass_today; /* flashed with attempt 1 */
        uint64_t flashed_last_hour;
};
void ledger_counts(struct ledger *ledger, uint64_t now_realtime_usec, struct ledger_counts *ret);

/* Of the attempts that were closed since it was opened (not: those that a dead daemon had left open). Borrowed until the loop
 * runs. */
const struct counters *ledger_counters(const struct ledger *ledger);
/* The number of the last closed attempt; 0: none. */
int64_t ledger_last_sequence(const struct ledger *ledger);

/* The last closed attempt on a port, whatever its slot was called then, by ID_PATH or, where either does not know that, by
 * port path (either may be NULL); from memory, loaded at open. Or NULL; borrowed until the loop runs. */
const struct attempt_record *ledger_last_of_port(struct ledger *ledger, const char *path, const char *port);

/*
 * What is read for others is read in a thread of its own and told in the event loop, unless it is forgotten before. All
 * return 0, -ENOMEM, or -ENOBUFS with too many questions waiting; the callback runs only after 0.
 *
 * A page of history: at most limit rows (1 to LEDGER_HISTORY_MAX) of those that pass the filter, which is copied, the
 * newest first unless it says otherwise; at: all zero, or as the page before said. A page may have fewer rows, or none,
 * though it is not the last: what takes long is told in parts.
 */
int ledger_history(struct ledger *ledger, const struct history_filter *filter, const struct history_at *at,
                   unsigned limit, history_page_t done, void *userdata);
/* Who wants to keep what is in stats takes it out. */
typedef void (*ledger_stats_t)(void *userdata, int r, struct station_stats *stats);
int ledger_stats(struct ledger *ledger, const struct history_filter *filter, ledger_stats_t done,
                 void *userdata);
typedef void (*ledger_consumers_t)(void *userdata, int r, const struct consumer_status *consumers, size_t n);
int ledger_consumers(struct ledger *ledger, ledger_consumers_t done, void *userdata);

/*
 * Who copies the ledger elsewhere: registered by name, it is not bereft of a row that it has not acknowledged. sequence: of
 * the last row that it has had (register: where it begins, and no more than that if it is registered already). user: of register, a uid that may acknowledge in its name;
 * USEC_INFINITY: nobody besides, or whoever might before. done gets the
 * sequence up to which it has had the rows, or -ENOENT (not registered), -ERANGE (a number that no row has had yet, or one
 * below what was acknowledged before) or -EUSERS (LEDGER_CONSUMERS_MAX are registered).
 */
int ledger_consumer(struct ledger *ledger, enum consumer_action action, const char *name, int64_t sequence,
                    uint64_t now_realtime_usec, uint64_t user, ledger_done_t done, void *userdata);
/* From memory: whether this uid may acknowledge in its name. */
bool ledger_consumer_is_of(const struct ledger *ledger, const char *name, uid_t uid);
/* From memory: whether one lags, and which of them is furthest behind, in words. */
bool ledger_consumer_lags(const struct ledger *ledger, uint64_t now_realtime_usec,
                          char ret[static CONSUMER_LAG_TEXT]);
/* Borrowed. */
const struct ledger_identity *ledger_identity(const struct ledger *ledger);
/*
 * Of a ledger that nobody has open, restored from an older copy: what it writes from here on must not be taken for the rows that
 * others have under these numbers already. since: the last number that they have with this very content; -1: all that it has.
 * Errors as ledger_open().
 */
int ledger_give_new_id(const char *path, int64_t since, struct ledger_identity *ret, char **ret_error);

/* Which rows may go: those that ended before before_realtime_usec (0: none for their age), and the oldest of more than
 * rows_max (0: none for their number). */
struct ledger_limits {
        uint64_t before_realtime_usec, rows_max, now_realtime_usec;
};
struct ledger_removed {
        uint64_t n;
        int64_t first, last;         /* sequence numbers; of 0 rows: nothing */
        bool more;                   /* there are more that may go: order it again */
        uint64_t kept_for_consumers; /* rows that would have gone */
};
typedef void (*ledger_removed_t)(void *userdata, int r, const struct ledger_removed *removed);
/* Removes a group of the oldest rows. What remains has no gaps, and the last row stays. */
int ledger_retain(struct ledger *ledger, const struct ledger_limits *limits, ledger_removed_t done,
                  void *userdata);

/*
 * For `reflash = never`: whether the board with this MAC has this very image: the last attempt that can have
 * written to it flashed the image with this SHA-256 (hexadecimal). Returns 1, 0, or a negative errno.
 */
int ledger_board_has_image(struct ledger *ledger, const char *mac, const char *sha256);
