/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the rooms of the bench share: how much of everything, and where the figures go. */
#pragma once

#include "tests/bench/report.h"
#include "tests/integration/line.h"

#define BOARDS_MAX 120

/* The bench, or a small one that says no more than that the bench works. */
struct scale {
        unsigned boards; /* at once */
        unsigned status_calls;
        uint64_t idle_usec;
        unsigned watch_rounds;
        uint64_t watch_usec;    /* each half of a round */
        size_t image_size;      /* bytes, of the rows about one board */
        size_t bare_image_size; /* of those without a bed, which are quick */
        unsigned cost_rounds;   /* of both programs */
        unsigned bare_transfers;
        unsigned starts;
        double tolerance; /* as report_new() */
};

struct bench {
        const struct scale *scale;
        struct report *report;
};

/* rows-daemon.c: espdfud with nothing to do, and with all boards at once and a stand-in for the engine */
void bench_idle(struct bench *bench);
void bench_many(struct bench *bench);
/* rows-engine.c: the real engine */
void bench_engines(struct bench *bench);
void bench_cost(struct bench *bench);
void bench_start(struct bench *bench);

/* Lets everything run for so long. */
void run_for(struct line *line, uint64_t usec);
/* A line with the daemon as it is in life (not --verbose), and no watcher. */
void open_line(struct line *line, const char *config, const char *engine);
/* Its n-th place: eight controllers with a hub each, fifteen boards on a hub. Valid until the next call. */
const char *place(unsigned n);
/* Plugs n boards into the first places, S2 and S3 by turns, in DFU mode. */
void plug_many(struct line *line, unsigned n, const struct rom_timing *timing);
/* Waits until so many slots say that they are downloading. Somebody must watch. */
void expect_downloading(struct line *line, unsigned n);
