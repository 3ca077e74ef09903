/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vocabulary of the bridge's tests: the real espdfu-mqtt between a station with a real ledger (tests/fleet/fleet-station.c)
 * and a real Mosquitto, a way between them that can be cut, and a stand-in for the collector, which counts what it gets.
 */
#pragma once

#include "fleet/delivered.h"
#include "fleet/topics.h"
#include "tests/fleet/broker-bed.h"

#define NUMBERS_MAX 50000

/* ---- the station ---- */

void start_station(void);
/* At its stdin's end; and kill -9. */
void stop_station(void);
void kill_station(void);
/* Its answer to an order. */
int64_t tell_station(const char *format, ...) _printf_(1, 2);
/* The order alone: tell_station_answer() has the answer later. */
void order_station(const char *format, ...) _printf_(1, 2);
int64_t station_answer(void);

/* ---- the bridge ---- */

/* Its configuration: through the relay, where one runs. extra: further lines of [station], where send-again is 1 else. */
void configure_bridge(const char *extra);
void start_bridge(void);
/* SIGTERM: it must exit with 0. */
void stop_bridge(void);
void kill_bridge(void);
/* Pages of memory that are its own or shared, as the kernel counts them, in KiB; the most that it ever was. */
unsigned bridge_rss_kib(bool peak);

/* ---- the way ---- */

/* A relay between the bridge and the broker, in a process of its own. wild: it cuts and stalls at random. */
void start_relay(bool wild, unsigned seed);
void calm_relay(void);
void stop_relay(void);

/* ---- the collector ---- */

struct collector {
        struct broker_settings settings;
        struct broker *broker;
        bool silent; /* takes everything and says nothing */
        unsigned ups;
        /* The store. */
        char station_id[STATION_ID_SIZE];
        char *jobs[NUMBERS_MAX + 1];     /* by number; NULL: not there */
        int64_t before[NUMBERS_MAX + 1]; /* the `previous` of each */
        int64_t contiguous;
        uint64_t n_messages, n_doubled;
        int64_t highest; /* number of all messages */
        bool unordered;  /* a number came that was neither the next, nor one that had been before */
        bool told;       /* `delivered` is as it should be */
        /* The last of what is retained. */
        char online[1024], header[4096];
        unsigned n_headers;
        struct {
                char name[TOPIC_NAME_MAX + 1];
                char text[2048];
                unsigned n; /* messages */
        } slots[64];
        size_t n_slots; /* that have been, also those that are empty */
};

extern struct collector collector;

void start_collector(void);
void stop_collector(void);
/* A turn of its loop, at most 10 ms. */
void collect(void);
/* For so long, at least. */
void collect_for(uint64_t usec);
#define collect_until(condition)                                                                             \
        do {                                                                                                 \
                uint64_t collect_end_ = monotonic_usec() + 60 * USEC_PER_SEC;                                \
                while (!(condition)) {                                                                       \
                        if (monotonic_usec() >= collect_end_)                                                \
                                fail_msg("waited 60 s for " #condition);                                     \
                        collect();                                                                           \
                }                                                                                            \
        } while (0)

/* The store has exactly what the ledger has, each once, in its order; the bridge knows it, and has told the station. */
void expect_all_delivered(int64_t n);
/* The last text of this slot; "" where it is empty or was never heard. */
const char *slot_text(const char *name);
/* All of it: broker, station, bridge (as configure_bridge()), collector. */
void begin(const char *extra);
/* For cmocka, around each test. */
int fleet_setup(void **state);
int fleet_teardown(void **state);
