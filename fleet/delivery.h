/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which records go to the broker next, and which are delivered: a state machine without I/O or a clock.
 *
 * A record counts as delivered when the collector has said so (`delivered`); what a broker acknowledges proves nothing. So at
 * most `window` records are on their way beyond the cursor, which is the last delivered one, and they are sent again from
 * there when the broker was away, when nothing was delivered for a while, and when the collector says that it has less than
 * it had (another store, a broker that forgot). No record is kept here: it is read from the station each time it is sent.
 *
 * Each record tells the one before it in the stream (`previous`), so that the collector knows a gap from a beginning.
 */
#pragma once

#include "fleet/delivered.h"

#define DELIVERY_PAGE 50 /* records that are asked for at a time */

struct delivery {
        unsigned window;
        uint64_t again_first_usec;

        struct delivered cursor; /* station_id "": no ledger is known yet */
        int64_t origin;          /* where this id begins: numbers up to this one are another id's */
        int64_t last;            /* the station's last number, as far as it is known */
        int64_t sent;            /* of this round; cursor.sequence: none yet */
        int64_t ahead;           /* the collector has so many, which the station has not shown yet; 0: no */
        bool station, broker;    /* are there */
        bool restored; /* the ledger has given numbers that are delivered already: nothing is sent */
        bool asked;    /* a page is on its way, of what is behind asked_after */
        int64_t asked_after;

        uint64_t again_usec;    /* how long nothing may be delivered before all is sent again */
        uint64_t deadline_usec; /* when that is; USEC_INFINITY: nothing is on its way */
        int64_t back;           /* the collector says that it has less than the cursor, or than ahead … */
        uint64_t back_usec; /* … and until then it may take that back; USEC_INFINITY: it does not say so */
};

void delivery_init(struct delivery *d, unsigned window, uint64_t send_again_usec);
/* What the cursor's file had. Before the station is there. */
void delivery_resume(struct delivery *d, const struct delivered *cursor);

/* Positive results of delivery_station_up(). */
enum {
        DELIVERY_OTHER_LEDGER = 1, /* than the cursor was of: it begins anew */
        DELIVERY_RESTORED,         /* an older copy of the ledger: nothing is sent until it has another id */
};
/* The station is there, with this ledger. Also to tell that it has more than before. */
int delivery_station_up(struct delivery *d, const char *id, int64_t origin, int64_t last);
void delivery_station_down(struct delivery *d);
void delivery_broker_up(struct delivery *d);
void delivery_broker_down(struct delivery *d);

/* The station's last number is known anew. Returns as delivery_station_up(). */
int delivery_extent(struct delivery *d, int64_t last);
/* Whether the extent is to be asked for at once: the collector has more than the station has shown. */
bool delivery_wants_extent(const struct delivery *d);

/* Whether a page of records is to be asked for: those after *ret_after, at most *ret_limit. It is asked for then. */
bool delivery_wants_page(struct delivery *d, int64_t *ret_after, unsigned *ret_limit);
/* A record of that page, in the order of their numbers. Whether it is to be published, with what as `previous`; *ret_gap: rows
 * between that one and this are no more. */
bool delivery_record(struct delivery *d, int64_t sequence, uint64_t now_usec, int64_t *ret_previous,
                     bool *ret_gap);
/* The page is over (n: how many records it had), or did not come (-1). */
void delivery_page_over(struct delivery *d, int n);

/* The collector has said this. Whether the cursor has moved. */
bool delivery_delivered(struct delivery *d, const struct delivered *delivered, bool retained,
                        uint64_t now_usec);

/* When delivery_time() is to be called; USEC_INFINITY: never. */
uint64_t delivery_deadline(const struct delivery *d);
/* Whether the cursor has moved. */
bool delivery_time(struct delivery *d, uint64_t now_usec);

/* Records that the station has and the collector has not, as far as it is known. */
uint64_t delivery_backlog(const struct delivery *d);
