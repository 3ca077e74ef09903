/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many stations as a broker sees them: each has records, sends them in order with a window, and again from the delivered one on
 * after each connect and when nothing moves. One connection for all (user "stations").
 */
#pragma once

#include "tests/fleet/broker-bed.h"

#include "fleet/delivered.h"

#define MODEL_WINDOW 256

struct model_station {
        char name[32], id[STATION_ID_SIZE];
        int64_t last; /* records that it has */
        int64_t sent, delivered;
        uint64_t moved_usec;
};

struct model_stations {
        struct broker_settings settings;
        struct broker *broker;
        struct model_station *stations;
        unsigned n, on_their_way; /* published and not acknowledged by the broker */
        uint64_t again_usec;      /* after so long without a movement they are sent again */
        unsigned ups, told;       /* connections; how often a number was told */
        bool silent;              /* they hear, and send nothing */
};

/* Of n stations, "line0" and on, with no record. To be closed. */
void model_stations_open(struct model_stations *m, unsigned n);
void model_stations_close(struct model_stations *m);
/* Each of them gets so many records more. */
void model_stations_work(struct model_stations *m, int64_t n);
int64_t model_stations_records(const struct model_stations *m);
bool model_stations_all_delivered(const struct model_stations *m);
/* Once, or 20 ms. */
void model_stations_turn(struct model_stations *m);

#define stations_turn_until_within(m, seconds, condition)                                                    \
        do {                                                                                                 \
                uint64_t turn_end_ = monotonic_usec() + (seconds)*USEC_PER_SEC;                              \
                while (!(condition)) {                                                                       \
                        if (monotonic_usec() >= turn_end_)                                                   \
                                fail_msg("waited %u s for " #condition, (unsigned)(seconds));                \
                        model_stations_turn(m);                                                              \
                }                                                                                            \
        } while (0)
#define stations_turn_until(m, condition) stations_turn_until_within(m, 30, condition)
