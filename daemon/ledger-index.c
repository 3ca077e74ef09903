/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-index.h"

#include <time.h>

#include "core/place.h"

#define HOUR_FRESH_USEC USEC_PER_SEC /* the last hour's figure is at most this old */
#define DAY_USEC        (24 * 3600 * USEC_PER_SEC)

struct ledger_presence *ledger_presence_free(struct ledger_presence *presence)
{
        if (!presence)
                return NULL;
        free(presence->boot_id);
        free(presence->path);
        free(presence->message);
        free(presence->board);
        free(presence);
        return NULL;
}

struct ledger_last *ledger_last_free(struct ledger_last *last)
{
        if (!last)
                return NULL;
        attempt_record_done(&last->record);
        free(last);
        return NULL;
}

void ledger_index_done(struct ledger_index *index)
{
        while (index->presences) {
                struct ledger_presence *presence = index->presences;

                index->presences = presence->next;
                ledger_presence_free(presence);
        }
        while (index->lasts) {
                struct ledger_last *last = index->lasts;

                index->lasts = last->next;
                ledger_last_free(last);
        }
        *index = (struct ledger_index){ 0 };
}

/* ---- presences ---- */

/* The link to the presence on this path; else, with a full list, to the oldest one; else to the end. */
static struct ledger_presence **presence_place(struct ledger_index *index, const char *path)
{
        struct ledger_presence **link = &index->presences, **oldest = link;

        for (; *link; link = &(*link)->next) {
                if (streq((*link)->path, path))
                        return link;
                if ((*link)->initialized_usec < (*oldest)->initialized_usec)
                        oldest = link;
        }
        return index->n_presences >= LEDGER_PRESENCES_MAX ? oldest : link;
}

void ledger_index_put_presence(struct ledger_index *index, struct ledger_presence *presence)
{
        struct ledger_presence **place = presence_place(index, presence->path), *old = *place;

        /* A late verdict of a board that is gone does not cover the board that came after it. */
        if (old && streq(old->path, presence->path) && old->initialized_usec > presence->initialized_usec) {
                ledger_presence_free(presence);
                return;
        }
        presence->next = old ? old->next : NULL;
        *place = presence;
        if (old)
                ledger_presence_free(old);
        else
                index->n_presences++;
}

static bool is_same_presence(const struct ledger_presence *p, const struct presence_key *key)
{
        return p->devnum == key->devnum && p->initialized_usec == key->initialized_usec &&
               streq(p->path, key->path) && streq(p->boot_id, key->boot_id);
}

void ledger_index_forget_presence(struct ledger_index *index, const struct ledger_presence *presence)
{
        const struct presence_key key = { presence->boot_id, presence->path, presence->devnum,
                                          presence->initialized_usec };

        for (struct ledger_presence **link = &index->presences; *link; link = &(*link)->next) {
                struct ledger_presence *old = *link;

                if (!is_same_presence(old, &key))
                        continue;
                *link = old->next;
                ledger_presence_free(old);
                index->n_presences--;
                return;
        }
}

const struct ledger_presence *ledger_index_presence(const struct ledger_index *index,
                                                    const struct presence_key *key)
{
        for (const struct ledger_presence *p = index->presences; p; p = p->next)
                if (is_same_presence(p, key))
                        return p;
        return NULL;
}

const struct ledger_presence *ledger_index_noted(const struct ledger_index *index,
                                                 const struct presence_key *key)
{
        for (const struct ledger_presence *p = index->presences; p; p = p->next)
                if ((p->verdict == VERDICT_NONE || p->verdict == VERDICT_INTERRUPTED) &&
                    streq(p->path, key->path) && streq(p->boot_id, key->boot_id))
                        return p;
        return NULL;
}

bool ledger_index_was_reset(const struct ledger_index *index, const struct presence_key *key,
                            uint64_t limit_usec)
{
        for (const struct ledger_presence *p = index->presences; p; p = p->next)
                if (p->reset_usec > 0 && p->verdict == VERDICT_FLASHED && streq(p->path, key->path) &&
                    streq(p->boot_id, key->boot_id))
                        return key->initialized_usec > p->initialized_usec &&
                               key->initialized_usec <= p->reset_usec + limit_usec &&
                               streq_ptr(p->board, key->board);
        return false;
}

/* ---- the last attempt on a port ---- */

static struct ledger_last **last_place(struct ledger_index *index, const struct attempt_record *record)
{
        struct ledger_last **link = &index->lasts, **oldest = link;

        for (; *link; link = &(*link)->next) {
                if (is_same_place((*link)->record.path, (*link)->record.port, record->path, record->port))
                        return link;
                if ((*link)->record.sequence < (*oldest)->record.sequence)
                        oldest = link;
        }
        return index->n_lasts >= LEDGER_PORTS_MAX ? oldest : link;
}

void ledger_index_put_last(struct ledger_index *index, struct ledger_last *last)
{
        struct ledger_last **place = last_place(index, &last->record), *old = *place;

        /* They may be read in any order; and one that knows no ID_PATH may be found twice. */
        if (old && old->record.sequence > last->record.sequence) {
                ledger_last_free(last);
                return;
        }
        last->next = old ? old->next : NULL;
        *place = last;
        if (old)
                ledger_last_free(old);
        else
                index->n_lasts++;
}

/* Without an ID_PATH it may be several ports, since bus numbers move: the one that was in use last. */
const struct attempt_record *ledger_index_last(const struct ledger_index *index, const char *path,
                                               const char *port)
{
        const struct attempt_record *found = NULL;

        for (const struct ledger_last *last = index->lasts; last; last = last->next)
                if (is_same_place(last->record.path, last->record.port, path, port) &&
                    (!found || last->record.sequence > found->sequence))
                        found = &last->record;
        return found;
}

/* ---- figures ---- */

bool ledger_tally_day_is_over(const struct ledger_tally *tally, uint64_t now_usec)
{
        return now_usec < tally->day_begin_usec || now_usec >= tally->day_end_usec;
}

bool ledger_tally_hour_is_over(const struct ledger_tally *tally, uint64_t now_usec)
{
        return now_usec < tally->hour_read_usec || now_usec - tally->hour_read_usec >= HOUR_FRESH_USEC;
}

/* The local midnight, days after the day of tm. A day has 23 to 25 hours where clocks are changed. */
static uint64_t midnight_usec(const struct tm *tm, int days)
{
        struct tm midnight = { .tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday + days };
        time_t t;

        midnight.tm_isdst = -1;
        t = mktime(&midnight);
        return t > 0 ? (uint64_t)t * USEC_PER_SEC : 0;
}

void ledger_tally_begin_day(struct ledger_tally *tally, uint64_t now_usec)
{
        time_t now = (time_t)(now_usec / USEC_PER_SEC);
        struct tm tm;

        *tally = (struct ledger_tally){ .counts.flashed_last_hour = tally->counts.flashed_last_hour,
                                        .hour_read_usec = tally->hour_read_usec };
        tzset(); /* localtime_r() does not see a changed time zone otherwise */
        if (localtime_r(&now, &tm)) {
                tally->day_begin_usec = midnight_usec(&tm, 0);
                tally->day_end_usec = midnight_usec(&tm, 1);
        }
        if (ledger_tally_day_is_over(tally, now_usec)) {
                /* No local time for it: the day of UTC. */
                tally->day_begin_usec = now_usec - now_usec % DAY_USEC;
                tally->day_end_usec = tally->day_begin_usec + DAY_USEC;
        }
}

void ledger_tally_add_today(struct ledger_tally *tally, enum verdict verdict, bool final, bool first_attempt,
                            uint64_t n)
{
        if (verdict == VERDICT_FLASHED) {
                tally->counts.flashed_today += n;
                if (first_attempt)
                        tally->counts.first_pass_today += n;
        } else if (final && verdict_is_failure(verdict)) {
                tally->counts.failed_today += n;
        }
}

void ledger_tally_add(struct ledger_tally *tally, const struct attempt_record *record)
{
        if (!ledger_tally_day_is_over(tally, record->end_realtime_usec))
                ledger_tally_add_today(tally, record->verdict, record->final, record->attempt == 1, 1);
        if (record->verdict == VERDICT_FLASHED)
                tally->hour_read_usec = 0; /* counted anew when asked */
}
