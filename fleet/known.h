/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stations that the store knows, and up to which record: what the collector has to tell each. A number is told when it was
 * committed, and again when somebody told a lower one (two collectors, or a broker that lost its memory). Pure.
 */
#pragma once

#include "core/util.h"
#include "fleet/delivered.h"
#include "fleet/topics.h"

#define KNOWN_MAX 65536

struct known_station {
        struct delivered delivered;
        char name[TOPIC_NAME_MAX + 1];
        bool is_to_be_told;
};

struct known {
        struct known_station *stations; /* by station_id */
        size_t n, allocated;
        size_t n_to_be_told, next; /* next: where known_take() goes on */
};
void known_done(struct known *known);

/* The store has this; it is to be told. 0, -ENOSPC or -ENOMEM. */
int known_committed(struct known *known, const char *station_id, const char *name, int64_t sequence);
/* Somebody told this. */
void known_heard(struct known *known, const struct delivered *heard);
/* The next that is to be told, which it is from now on; NULL: none. Valid until the next call. */
const struct known_station *known_take(struct known *known);
