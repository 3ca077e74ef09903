/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The station's memory on disk (SQLite): every attempt, and the presences that already have a verdict.
 *
 * An attempt's row is committed, open, before the first byte leaves; it is closed with its verdict and a sequence
 * number without gaps before anybody is told. A writer thread commits in groups, so the event loop never waits for the
 * disk; each order's callback runs in the event loop once its commit is on disk. Times are arguments.
 * On open, rows that a dead daemon left open are closed as VERDICT_INTERRUPTED.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/status.h"

struct ledger;

/* A presence is one stay of a board on a port; it outlives a restart of the daemon, not a boot nor a replug. */
struct presence_key {
        const char *boot_id;
        const char *path;         /* ID_PATH, or the port path where there is none */
        unsigned devnum;
        uint64_t initialized_usec; /* udev's USEC_INITIALIZED */
};

/* Called in the event loop: r is 0 when it is on disk, else a negative errno (and the ledger has logged why).
 * id is the row's id; sequence its sequence number, 0 for an opened row. */
typedef void (*ledger_done_t)(void *userdata, int r, int64_t id, int64_t sequence);

/* path: the database file; created with its tables if missing. */
int ledger_open(const char *path, sd_event *event, struct ledger **ret);
/* Waits until all that was ordered is on disk; callbacks that are still due are not called. */
struct ledger *ledger_free(struct ledger *ledger);
DEFINE_CLEANUP(struct ledger, ledger_free)

/* record is copied; its id, sequence, end, verdict are not looked at. */
int ledger_attempt_open(struct ledger *ledger, const struct attempt_record *record, ledger_done_t done, void *userdata);
/* Sets end_realtime_usec, duration_usec, bytes, transfers, verdict, message (and mac, if set) of row id; and in the same commit, if
 * presence is not NULL, that this presence is final with the verdict. */
int ledger_attempt_close(struct ledger *ledger, int64_t id, const struct attempt_record *record,
                         const struct presence_key *presence, ledger_done_t done, void *userdata);
/* No callback of an order with this userdata will run any more; the order itself stands. */
void ledger_forget(struct ledger *ledger, void *userdata);

/* From memory: the final verdict of this presence, and its text (borrowed until the next call; may be NULL), or
 * VERDICT_NONE. */
enum verdict ledger_presence(struct ledger *ledger, const struct presence_key *presence, const char **ret_message);

/* Today's and the last hour's figures, for the header; from memory. Day boundaries are local time. */
struct ledger_counts {
        uint64_t flashed_today, failed_today, first_pass_today, flashed_last_hour;
};
void ledger_counts(struct ledger *ledger, uint64_t now_realtime_usec, struct ledger_counts *ret);

/* The last closed attempt of a slot (from memory, loaded at open), or NULL; borrowed until the next call. */
const struct attempt_record *ledger_last_of_slot(struct ledger *ledger, const char *slot);

/*
 * History, newest first, in pages: rows with id < before (0: from the newest), at most limit (1 to 1000). slot, mac: exact
 * filters, or NULL. Reads synchronously from a reader connection with a 200 ms budget of busy waiting.
 */
int ledger_history(struct ledger *ledger, const char *slot, const char *mac, int64_t before, unsigned limit,
                   struct attempt_record **ret, size_t *ret_n);
