/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the ledger's tests say: a station in a directory of its own, with a real file, the real thread and a
 * real event loop. What must be on disk is read by a connection of the test's own; the loop is run until a
 * callback came, never for a time.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/messages.h"
#include "daemon/ledger.h"

#define BOOT      "0123456789abcdef0123456789abcdef"
#define NEXT_BOOT "fedcba9876543210fedcba9876543210"
#define HOUR_USEC (3600 * USEC_PER_SEC)
#define NOON      (UINT64_C(1700049600) * USEC_PER_SEC) /* 2023-11-15 12:00 UTC */

struct station {
        char dir[64], path[96];
        sd_event *event;
        struct ledger *ledger;
};

/* For cmocka: an empty directory, nothing started, UTC; and everything removed. */
int station_setup(void **state);
int station_teardown(void **state);
#define STATION_TEST(name) cmocka_unit_test_setup_teardown(name, station_setup, station_teardown)

void station_start(struct station *s, const char *boot_id, uint64_t now);
void station_stop(struct station *s);
/* In the same boot, at noon. */
void station_restart(struct station *s);

/* What a callback said; take_answer() is the callback. */
struct answer {
        bool came;
        int r;
        int64_t id, sequence;
        unsigned turn; /* answers_taken when it came */
};
extern unsigned answers_taken;
void take_answer(void *userdata, int r, int64_t id, int64_t sequence);
void wait_for(struct station *s, const struct answer *answer);

extern char slot_a1[], slot_a2[];
extern const struct presence_key presence_a;

/* Records, not owned: a first attempt on an S3, and how one ended. */
struct attempt_record board_on(char *slot);
struct attempt_record ended(enum verdict verdict, uint64_t now);

/* Ordered and waited for. */
int64_t open_attempt(struct station *s, const struct attempt_record *record);
struct answer try_close(struct station *s, int64_t id, const struct attempt_record *record,
                        const struct presence_key *presence);
/* A whole attempt; final when presence is given. Returns its row's id. */
int64_t attempt(struct station *s, char *slot, unsigned n, enum verdict verdict, uint64_t end,
                const struct presence_key *presence);

/* A page of history, waited for; released with attempts_free(). Returns what its callback got; at, if given, goes on. */
int read_history(struct station *s, const struct history_filter *filter, struct history_at *at,
                 unsigned limit, struct attempt_record **ret, size_t *ret_n);

/* The last attempt on the port with this end of its ID_PATH: "4.1", A1's, or "4.2", A2's. */
const struct attempt_record *last_at(struct station *s, const char *chain);

/* The test's own look at the disk: the first column of the first row; -1 for NULL or none. */
int64_t on_disk(struct station *s, const char *sql);
/* Somebody else holds the write lock: the thread waits, as for a slow disk. */
sqlite3 *hold_disk(struct station *s);
void release_disk(sqlite3 *db);
