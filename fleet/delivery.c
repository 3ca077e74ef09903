/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/delivery.h"

#include <stdio.h>

#define AGAIN_GROWS_TO 4 /* times the first wait: who has no collector floods no broker */

/* All that is on its way is on its way no more. */
static void begin_round(struct delivery *d)
{
        d->sent = d->cursor.sequence;
        d->deadline_usec = USEC_INFINITY;
}

static void move(struct delivery *d, int64_t sequence)
{
        d->cursor.sequence = sequence;
        d->back_usec = USEC_INFINITY;
        d->ahead = 0;
}

static void move_back(struct delivery *d, int64_t sequence)
{
        move(d, sequence);
        d->again_usec = d->again_first_usec;
        begin_round(d);
}

void delivery_init(struct delivery *d, unsigned window, uint64_t send_again_usec)
{
        *d = (struct delivery){
                .window = window,
                .again_first_usec = send_again_usec,
                .again_usec = send_again_usec,
                .deadline_usec = USEC_INFINITY,
                .back_usec = USEC_INFINITY,
        };
}

void delivery_resume(struct delivery *d, const struct delivered *cursor)
{
        d->cursor = *cursor;
        begin_round(d);
}

/* ---- who is there ---- */

int delivery_station_up(struct delivery *d, const char *id, int64_t origin, int64_t last)
{
        bool known = d->cursor.station_id[0] != '\0', other = !streq(d->cursor.station_id, id);

        d->station = true;
        d->asked = false;
        d->origin = origin;
        if (other) {
                snprintf(d->cursor.station_id, sizeof(d->cursor.station_id), "%s", id);
                move_back(d, origin);
        } else if (d->cursor.sequence < origin) {
                move_back(d, origin);
        } else {
                begin_round(d);
        }
        d->last = 0;
        return other && known ? (delivery_extent(d, last), DELIVERY_OTHER_LEDGER) : delivery_extent(d, last);
}

void delivery_station_down(struct delivery *d)
{
        d->station = false;
        d->asked = false;
}

void delivery_broker_up(struct delivery *d)
{
        d->broker = true;
        begin_round(d);
}

void delivery_broker_down(struct delivery *d)
{
        d->broker = false;
        begin_round(d);
}

int delivery_extent(struct delivery *d, int64_t last)
{
        d->last = MAX(d->last, last);
        if (d->ahead > 0 && d->ahead <= d->last) {
                move(d, d->ahead);
                d->sent = MAX(d->sent, d->cursor.sequence);
        }
        d->restored = MAX(d->cursor.sequence, d->ahead) > d->last;
        return d->restored ? DELIVERY_RESTORED : 0;
}

bool delivery_wants_extent(const struct delivery *d)
{
        return d->station && d->ahead > 0 && !d->restored;
}

/* ---- records ---- */

bool delivery_wants_page(struct delivery *d, int64_t *ret_after, unsigned *ret_limit)
{
        uint64_t on_their_way = (uint64_t)(d->sent - d->cursor.sequence);

        if (!d->station || !d->broker || d->restored || d->asked || d->ahead > 0 || d->sent >= d->last ||
            on_their_way >= d->window)
                return false;
        d->asked = true;
        d->asked_after = *ret_after = d->sent;
        *ret_limit = (unsigned)MIN((uint64_t)DELIVERY_PAGE, d->window - on_their_way);
        return true;
}

bool delivery_record(struct delivery *d, int64_t sequence, uint64_t now_usec, int64_t *ret_previous,
                     bool *ret_gap)
{
        /* Since it was asked for all may have begun anew, from elsewhere. */
        if (!d->asked || d->asked_after != d->sent || sequence <= d->sent || !d->broker)
                return false;
        *ret_previous = d->sent == d->origin ? 0 : d->sent;
        *ret_gap = sequence != d->sent + 1 && *ret_previous != 0;
        if (d->deadline_usec == USEC_INFINITY)
                d->deadline_usec = now_usec + d->again_usec;
        d->sent = d->asked_after = sequence;
        d->last = MAX(d->last, sequence);
        return true;
}

void delivery_page_over(struct delivery *d, int n)
{
        if (n == 0 && d->asked && d->asked_after == d->sent)
                d->last = d->sent; /* what else there seemed to be is no more */
        d->asked = false;
}

/* ---- what the collector says ---- */

static void it_moves(struct delivery *d, uint64_t now_usec)
{
        d->again_usec = d->again_first_usec;
        d->deadline_usec = d->sent > d->cursor.sequence ? now_usec + d->again_usec : USEC_INFINITY;
}

/* The most that the collector seemed to have. */
static int64_t most(const struct delivery *d)
{
        return MAX(d->cursor.sequence, d->ahead);
}

/* It has less than it seemed to have. Whether the cursor has moved. */
static bool take_back(struct delivery *d, int64_t sequence)
{
        int64_t before = d->cursor.sequence;

        if (sequence > d->last && sequence >= before) {
                d->ahead = sequence;
                d->back_usec = USEC_INFINITY;
        } else {
                move_back(d, sequence);
        }
        d->restored = d->restored && most(d) > d->last;
        return d->cursor.sequence != before;
}

bool delivery_delivered(struct delivery *d, const struct delivered *delivered, bool retained,
                        uint64_t now_usec)
{
        int64_t sequence = MAX(delivered->sequence, d->origin);

        if (!streq(delivered->station_id, d->cursor.station_id))
                return false;
        if (sequence < most(d) && !retained) {
                /* Of two collectors one may be late with its word. */
                d->back = sequence;
                if (d->back_usec == USEC_INFINITY)
                        d->back_usec = now_usec + d->again_first_usec;
                return false;
        }
        if (sequence < most(d))
                return take_back(d, sequence);
        d->back_usec = USEC_INFINITY;
        if (sequence > d->last) {
                d->ahead = sequence;
                return false;
        }
        if (sequence == d->cursor.sequence) {
                /* It is there, and has not what is on its way: no need to wait as long as for one that is away. */
                d->again_usec = d->again_first_usec;
                if (d->deadline_usec != USEC_INFINITY)
                        d->deadline_usec = MIN(d->deadline_usec, now_usec + d->again_usec);
                return false;
        }
        move(d, sequence);
        d->sent = MAX(d->sent, sequence);
        it_moves(d, now_usec);
        return true;
}

/* ---- time ---- */

uint64_t delivery_deadline(const struct delivery *d)
{
        return MIN(d->deadline_usec, d->back_usec);
}

bool delivery_time(struct delivery *d, uint64_t now_usec)
{
        if (now_usec >= d->back_usec)
                return take_back(d, d->back);
        if (now_usec >= d->deadline_usec) {
                d->again_usec = MIN(d->again_usec * 2, d->again_first_usec * AGAIN_GROWS_TO);
                begin_round(d);
        }
        return false;
}

uint64_t delivery_backlog(const struct delivery *d)
{
        return d->last > d->cursor.sequence ? (uint64_t)(d->last - d->cursor.sequence) : 0;
}
