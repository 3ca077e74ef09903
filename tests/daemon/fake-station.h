/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A station without boards, for tests of the socket and of the client: it answers the server's questions from arrays
 * that a test writes to. Texts are borrowed (literals).
 */
#pragma once

#include "daemon/server.h"

#define FAKE_SLOTS_MAX   200
#define FAKE_BRIDGE_USER 2000 /* the uid of the consumer "bridge" */
#define FAKE_PATH_A2     "pci-0000:00:14.0-usb-0:4.2"
#define TEXT(s)          ((char *)(uintptr_t)(s)) /* a literal, for a struct that owns its texts otherwise */

struct fake_station {
        struct station_status header; /* without slots and policies */
        struct slot_status slots[FAKE_SLOTS_MAX];
        size_t n_slots;
        struct policy_status policies[4];
        size_t n_policies;
        bool answers_late;                    /* History, Stats and Consumers: by fake_station_answer() */
        void (*late)(struct fake_station *s); /* the question that waits, of late_peer */
        void *late_peer;
        history_page_t late_history;
        void (*late_stats)(void *peer, int r, struct station_stats *stats);
        void (*late_consumers)(void *peer, int r, const struct consumer_status *consumers, size_t n);
        int64_t n_attempts; /* history: ids from this number down to 1, of the slots A1 and A2 in turn */
        struct reload_result reload;
        int error;                     /* what every op returns, if not 0 */
        unsigned n_reloads, n_history; /* how often it was asked */
        bool cancel_takes_time;        /* else the slot is cancelled before cancel returns */
        uint64_t n_retries;            /* the number of the last, be it a flash or a retry */
        int64_t given_size;            /* of the image that came with the last flash; 0: none */
        char ordered[512];             /* the last order: "cancel A1 by joe" */
};

extern const struct server_ops fake_station_ops;

/* The station of the manual: A1 downloads, A2 is verified, A3 is empty, A4 failed, A5 has no policy. base: the time of
 * day of its last attempts (09:41 there). */
void fake_station_line3(struct fake_station *s, uint64_t base_usec);
/* n slots, "S000" and so on, all downloading. */
void fake_station_many(struct fake_station *s, size_t n);

struct slot_status *fake_station_slot(struct fake_station *s, const char *name);
/* Answers what waits, if answers_late; whether something did. */
bool fake_station_answer(struct fake_station *s);
void fake_station_remove(struct fake_station *s, const char *name);
