/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who gets a place: as many boards are flashed at one time as jobs-max of the station allows, and jobs-max of every hub that
 * a board stands below, at any depth. First come first served; but a board that waits for a hub keeps nobody waiting who is
 * not below that hub. Pure: daemon/station-places.c says who runs and who waits, and does what comes of it.
 *
 * Nobody waits for ever: hubs nest, so whoever could take a place of a hub that a board waits for stands below all the hubs
 * further up as well, and has to wait behind it. One pass costs n log n for n boards that want a place.
 */
#pragma once

#include "core/config.h"

#define PLACE_TEXT_MAX 96 /* bytes, with the NUL */

/* What a board is told that wants a place. */
struct place_answer {
        enum { PLACE_GIVEN, PLACE_STATION_FULL, PLACE_HUB_FULL } type;
        unsigned
                hub; /* PLACE_HUB_FULL: its index in the configuration; of several the nearest to the board */
};

/* The limits, and how much of each is taken. */
struct places {
        struct {
                unsigned max; /* 0: no limit */
                unsigned running;
                unsigned depth;
        } station, hubs[CONFIG_HUBS_MAX];
        size_t n_hubs;
};

struct place_want {
        uint64_t ticket; /* the lowest came first; no two are the same */
        uint64_t hubs;   /* of hubs_above() */
        void *who;       /* the caller's, not looked at */
        struct place_answer answer;
};

/* The hubs that a port is below, bit i for config->hubs[i]. path, port: either may be NULL. */
uint64_t hubs_above(const struct config *config, const char *path, const char *port);

/* The limits of config, with nothing taken. */
void places_init(struct places *places, const struct config *config);
/* A board that is being flashed counts, also where that is more than the limit. */
void places_take(struct places *places, uint64_t hubs);
/* Sorts wants, the longest waiting first, and answers each; whom a place is given counts from then on. */
void places_give(struct places *places, struct place_want *wants, size_t n);

/* What a board without a place waits for, "waits for a place on hub left (jobs-max = 8)"; empty for PLACE_GIVEN. */
void place_answer_text(char ret[PLACE_TEXT_MAX], const struct config *config,
                       const struct place_answer *answer);
