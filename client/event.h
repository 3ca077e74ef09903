/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happens at a station, out of the difference between two pictures of it: events, as `espdfuctl monitor` prints them
 * and hands them to programs. An event is a JSON object that has all keys of event_keys, null where one does not apply. Pure.
 */
#pragma once

#include <jansson.h>

#include "client/status-pick.h"
#include "core/status.h"

enum event_kind {
        EVENT_BEGUN,         /* the station is known; what follows are changes */
        EVENT_BOARD_ARRIVED, /* a slot is empty no more */
        EVENT_BOARD_LEFT,    /* a slot is empty */
        EVENT_VERDICT,       /* an attempt ended */
        EVENT_PHASE,         /* another phase, attempt or message of a slot */
        EVENT_SLOT_GONE,     /* there is no such slot any more: a reload */
        EVENT_STATION_HELD,  /* or held otherwise */
        EVENT_STATION_RELEASED,
        EVENT_CONFIG_ERROR,   /* a reload was refused */
        EVENT_CONFIG_SOUND,   /* the configuration on disk is in force again */
        EVENT_LEDGER_TROUBLE, /* nothing can be recorded */
        EVENT_LEDGER_SOUND,
        EVENT_POLICY_UNUSABLE,
        EVENT_POLICY_USABLE,
        EVENT_DAEMON_GONE,
        EVENT_DAEMON_BACK,
        EVENT_MAX_,
};
DECLARE_WORDS(event_kind)

/* All of them; NULL at the end. */
extern const char *const event_kind_words[];

/* The keys, in the order in which they are printed; NULL at the end. */
extern const char *const event_keys[];

/* One event; every pointer may be NULL. slot: what it is about; message: else the slot's own. NULL when out of memory. */
json_t *event_new(enum event_kind kind, const char *station, const struct slot_status *slot,
                  const char *message, uint64_t now_realtime_usec);

enum event_kind event_kind_of(const json_t *event);
/* Whether it passes: one of the kinds (a bit each), and in one of the slots, or in none. */
bool event_passes(const json_t *event, unsigned kinds, status_pick pick);

/* The events of an update, appended to events, an array. before is the picture that the update is for; with no name there
 * was none, and all that has happened is that it begins. 0 or -ENOMEM. */
int events_of_update(const struct station_status *before, const struct status_update *update,
                     uint64_t now_realtime_usec, json_t *events);

/* "2026-01-31T09:41:07 verdict A1 board-left: board left at 24 kB", local time, escaped; NULL when out of memory. */
char *event_line(const json_t *event);
