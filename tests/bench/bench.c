/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `make bench`: what espdfu costs, on the umockdev bed. docs/performance.md says what each row means. Prints a table, writes
 * JSON, and exits with 1 where a bar is missed.
 *
 *      bench [--small] [--output FILE] [ROOM…]       rooms: idle many engines cost start; default: all
 */
#include "tests/bench/bench.h"

#include <getopt.h>
#include <stdio.h>

static const struct scale full = {
        .boards = BOARDS_MAX,
        .status_calls = 300,
        .idle_usec = 20 * USEC_PER_SEC,
        .watch_rounds = 5,
        .watch_usec = 3 * USEC_PER_SEC / 2,
        .image_size = 256 * KIB,
        .bare_image_size = MIB,
        .cost_rounds = 4,
        .bare_transfers = 3000,
        .starts = 30,
        .tolerance = 1,
};

/* On a machine that builds and tests beside it, perhaps with sanitizers: ten times the bar is still the right size. */
static const struct scale small = {
        .boards = 20,
        .status_calls = 20,
        .idle_usec = USEC_PER_SEC,
        .watch_rounds = 1,
        .watch_usec = USEC_PER_SEC / 2,
        .image_size = 64 * KIB,
        .bare_image_size = 64 * KIB,
        .cost_rounds = 1,
        .bare_transfers = 500,
        .starts = 3,
        .tolerance = 10,
};

static const struct room {
        const char *name;
        void (*run)(struct bench *bench);
} rooms[] = {
        { "idle", bench_idle }, { "many", bench_many },   { "engines", bench_engines },
        { "cost", bench_cost }, { "start", bench_start },
};

/* ---- the line of all rooms ---- */

static bool never(void *userdata)
{
        (void)userdata;
        return false;
}

void run_for(struct line *line, uint64_t usec)
{
        bed_wait(line->bed, never, NULL, usec);
}

void open_line(struct line *line, const char *config, const char *engine)
{
        line_lay_out(line, config);
        line->engine = engine;
        line->quiet = true;
        start_daemon(line);
        stop_watching(line);
}

const char *place(unsigned n)
{
        static char port[16];

        snprintf(port, sizeof(port), "%u-4.%u", n / 15 + 1, n % 15 + 1);
        return port;
}

void plug_many(struct line *line, unsigned n, const struct rom_timing *timing)
{
        for (unsigned i = 0; i < n; i++)
                plug_with(line, place(i),
                          &(struct rom_config){ .chip = i % 2 ? ROM_S3 : ROM_S2,
                                                .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, (uint8_t)i },
                                                .timing = *timing,
                                                .starts_in_dfu_mode = true });
}

struct crowd {
        struct line *line;
        unsigned n;
};

static bool are_downloading(void *userdata)
{
        const struct crowd *crowd = userdata;
        const struct station_status *station = &crowd->line->status.station;
        unsigned n = 0;

        for (size_t i = 0; i < station->n_slots; i++)
                n += station->slots[i].phase == PHASE_DOWNLOADING && station->slots[i].bytes_done > 0;
        return n == crowd->n;
}

void expect_downloading(struct line *line, unsigned n)
{
        struct crowd crowd = { .line = line, .n = n };

        if (!bed_wait(line->bed, are_downloading, &crowd, PATIENCE))
                fail_msg("waited in vain for %u downloads; the daemon said:\n%s", n,
                         bed_output(line->daemon));
}

/* ---- the program ---- */

static const struct room *find_room(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(rooms); i++)
                if (streq(rooms[i].name, name))
                        return &rooms[i];
        return NULL;
}

static void run_room(const struct room *room, struct bench *bench)
{
        uint64_t begun = (uint64_t)g_get_monotonic_time();

        room->run(bench);
        fprintf(stderr, "bench: %s: %.1f s\n", room->name,
                (double)((uint64_t)g_get_monotonic_time() - begun) / (double)USEC_PER_SEC);
}

int main(int argc, char **argv)
{
        static const struct option options[] = { { "small", no_argument, NULL, 's' },
                                                 { "output", required_argument, NULL, 'o' },
                                                 { 0 } };
        struct bench bench = { .scale = &full };
        const char *output = NULL;
        bool good;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (c == '?')
                        return 2;
                if (c == 's')
                        bench.scale = &small;
                else
                        output = optarg;
        }
        for (int i = optind; i < argc; i++)
                if (!find_room(argv[i])) {
                        fprintf(stderr, "bench: %s: expected idle, many, engines, cost or start\n", argv[i]);
                        return 2;
                }
        bench.report = report_new(bench.scale->tolerance);
        for (size_t i = 0; optind == argc && i < ARRAY_SIZE(rooms); i++)
                run_room(&rooms[i], &bench);
        for (int i = optind; i < argc; i++)
                run_room(find_room(argv[i]), &bench);
        report_print(bench.report, stdout);
        good = report_is_good(bench.report);
        if (output && report_write(bench.report, output, bench.scale->boards) < 0) {
                fprintf(stderr, "bench: %s cannot be written\n", output);
                good = false;
        }
        report_free(bench.report);
        return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
