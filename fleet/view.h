/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fleet as the broker tells it, one message after the other: its stations, and of them what was heard. Pure. */
#pragma once

#include <jansson.h>

#include "core/status.h"
#include "fleet/topics.h"

#define VIEW_STATIONS_MAX 10000
#define VIEW_SLOTS_MAX    4096 /* of a station */
#define VIEW_PAYLOAD_MAX  (256 * KIB)

/* The last messages, whole; NULL: none. Owned. */
struct view_station {
        char name[TOPIC_NAME_MAX + 1];
        json_t *online, *header;
        json_t *slots; /* object: the slots by name; in what order they are is for who shows them */
        json_t *faults; /* object: why the last message of a topic is not understood, by topic; "espdfu/1/line3/station" */
};

struct view {
        struct view_station *stations; /* by name, numbers in it by their value */
        size_t n, allocated;
};
void view_done(struct view *view);

/* 0: nothing of it is shown; 1: something changed. -ENOMEM. ret (may be NULL): of which station. What is not understood counts as
 * a fault of its topic, until something else comes there; what JSON of it there is is kept for who wants it whole. */
int view_take(struct view *view, const struct topic *topic, const void *payload, size_t size,
              struct view_station **ret);
struct view_station *view_find(const struct view *view, const char *name);

/* ---- what of a station is shown ---- */

/* That its bridge is there, and hears its station. */
bool view_is_online(const struct view_station *station);
/* When it was heard last; 0: never. */
uint64_t view_seen_usec(const struct view_station *station);
/* Whether its header is there, and understood. */
bool view_has_header(const struct view_station *station);
/* Records that are not in the store yet, and slots; 0 where nobody said. */
uint64_t view_backlog(const struct view_station *station);
uint64_t view_slots(const struct view_station *station);
/* What is to be known of it, the worst first; borrowed, "" where there is nothing. */
const char *view_note(const struct view_station *station);
/* The names of the slots that are understood, in order, up to NULL; they are borrowed, the array is to be freed. NULL: -ENOMEM. */
const char **view_slot_names(const struct view_station *station);
/* Why what this topic has is not understood, "espdfu/1/line3/slot/A1: bytes_done …"; borrowed, NULL where it is. */
const char *view_fault(const struct view_station *station, const struct topic *topic);
/* The header and the slots, those in order of their names, as a station's own Status; to be released. What is not understood is
 * left out. 0, -EPROTO, -ENOMEM. */
int view_status(const struct view_station *station, struct station_status *ret);
