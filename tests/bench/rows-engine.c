/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows about the real espdfu-engine: its memory, its start, and what a MiB costs beside dfu-util on the same bed. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <sys/resource.h>

#include "tests/bench/process.h"

#define COST_ROUNDS_MAX 16
#define BARE_BOARDS     4 /* in a round: the kernel tells the processor time of engines in steps of 10 ms */

/* One image for all: a flash of 4 MiB, and an application that fills what the row wants to be sent. */
#define POLICY                                                                                               \
        "[station]\nstop-time = 0s\n"                                                                        \
        "[policy gizmo]\nchip = esp32s2\nport = 1-*\nimage = @gizmo.bin\n"

static const struct rom_timing bus_floor = { .transfer_usec = 80 };

/* Returns the bytes that are sent to a board. */
static double open_gizmo_line(struct line *line, size_t image_size, const char *const *environment)
{
        const struct sample_spec spec = { .pid = 0x0002,
                                          .flash_size = 4 * MIB,
                                          .part_size = 64 * KIB,
                                          .files = { { "app.bin", 0x10000, image_size, 11 } },
                                          .n_files = 1 };
        g_autofree char *path = NULL;
        struct sample_image image;
        double payload;

        line_lay_out(line, POLICY);
        line->environment = environment;
        line->quiet = true;
        path = line_path(line, "gizmo.bin");
        sample_image_make(&spec, &image);
        assert_int_equal(sample_image_write(&image, path), 0);
        payload = (double)image.payload_size;
        sample_image_done(&image);
        start_daemon(line);
        return payload;
}

static struct bed_board *plug_gizmo(struct line *line, const char *port, const struct rom_timing *timing)
{
        return plug_with(
                line, port,
                &(struct rom_config){ .chip = ROM_S2, .timing = *timing, .starts_in_dfu_mode = true });
}

static void expect_gizmo(struct line *line, const char *port, struct bed_board *board)
{
        expect_phase(line, port, PHASE_FLASHED);
        assert_int_equal(rom_counters(bed_rom(board))->completed, 1);
}

/* ---- memory ---- */

/* On a bus so slow that all boards together are no load, and a download is still under way when the last has begun. */
void bench_engines(struct bench *bench)
{
        static const struct rom_timing slow = { .transfer_usec = USEC_PER_SEC / 4 };
        static const struct row row = { "engine-pss",  "all boards download: PSS of each espdfu-engine",
                                        "KiB",         NULL,
                                        STATISTIC_MAX, 400 };
        static const struct row bed_row = { "engine-pss-bed",
                                            "of it: the bed's libraries",
                                            "KiB",
                                            "mapped files alone, not their heap",
                                            STATISTIC_MAX,
                                            -1 };
        /* Else root alone could look at them. */
        static const char *const environment[] = { "ESPDFU_BED_DUMPABLE=1", NULL };
        double pss[BOARDS_MAX], of_bed[BOARDS_MAX];
        pid_t engines[BOARDS_MAX];
        unsigned n = bench->scale->boards;
        struct line line;

        line_lay_out(&line, "[station]\nstop-time = 0s\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n"
                            "[policy probe]\nchip = esp32s3\nimage = @s3.bin\n");
        bed_set_hold(line.bed, USEC_PER_SEC);
        line.quiet = true;
        line.environment = environment;
        start_daemon(&line);
        plug_many(&line, n, &slow);
        expect_downloading(&line, n);
        assert_int_equal(process_children(bed_pid(line.daemon), engines, n), n);
        for (unsigned i = 0; i < n; i++) {
                pss[i] = (double)process_kib(engines[i], "smaps_rollup", "Pss:");
                of_bed[i] = (double)(process_pss_of_kib(engines[i], "umockdev") +
                                     process_pss_of_kib(engines[i], "bed-preload"));
        }
        report_add(bench->report, &row, pss, n);
        report_add(bench->report, &bed_row, of_bed, n);
        line_end(&line);
}

/* ---- a MiB ---- */

/* Of processes that have ended and were waited for, in ms. */
static double children_cpu_msec(void)
{
        struct rusage usage;

        getrusage(RUSAGE_CHILDREN, &usage);
        return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static double station_cpu_msec(pid_t daemon)
{
        return (double)process_cpu_nsec(daemon) / 1e6 + (double)process_children_usec(daemon) / 1e3;
}

static double transfers_of(struct bed_board *board)
{
        const struct rom_counters *counters = rom_counters(bed_rom(board));
        double sum = counters->others;

        for (size_t i = 0; i < ROM_N_REQUESTS; i++)
                sum += counters->requests[i];
        return sum;
}

struct cost {
        double cpu_msec, transfers;
        unsigned completed; /* downloads that the board found right */
};

/* Of n boards, one after the other. */
static struct cost cost_of_station(struct line *line, unsigned n)
{
        pid_t daemon = bed_pid(line->daemon);
        struct cost cost = { .cpu_msec = -station_cpu_msec(daemon) };

        for (unsigned i = 0; i < n; i++) {
                struct bed_board *board = plug_gizmo(line, "1-4.1", &bus_floor);

                expect_phase(line, "1-4.1", PHASE_FLASHED);
                cost.transfers += transfers_of(board);
                cost.completed += rom_counters(bed_rom(board))->completed;
                bed_pull(board);
                expect_phase(line, "1-4.1", PHASE_EMPTY);
        }
        run_for(line, 50 * USEC_PER_MSEC); /* the last engine is reaped */
        assert_int_equal(process_children(daemon, NULL, 0), 0);
        cost.cpu_msec += station_cpu_msec(daemon);
        return cost;
}

/* Runs a program in the bed. Returns its processor time in ms. */
static double cpu_of(struct line *line, const char *const *argv, const char *const *environment)
{
        double before = children_cpu_msec();
        struct bed_child *child = bed_spawn(line->bed, argv,
                                            &(struct bed_spawn_options){ .environment = environment });

        if (bed_wait_child(child, PATIENCE) != 0)
                fail_msg("%s: %s", argv[0], bed_output(child));
        return children_cpu_msec() - before;
}

/* The station leaves this board alone: no policy is for its port. */
static struct cost cost_of_dfu_util(struct line *line, unsigned n)
{
        g_autofree char *image = line_path(line, "gizmo.bin");
        const char *const argv[] = { "dfu-util", "-p", "2-4.1", "-D", image, NULL };
        struct cost cost = { 0 };

        for (unsigned i = 0; i < n; i++) {
                struct bed_board *board = plug_gizmo(line, "2-4.1", &bus_floor);

                cost.cpu_msec += cpu_of(line, argv, line->environment);
                cost.transfers += transfers_of(board);
                cost.completed += rom_counters(bed_rom(board))->completed;
                bed_pull(board);
        }
        return cost;
}

/* Of one transfer on the bed, in ms, with nothing above the kernel's ioctls. */
static double cost_of_bed(struct bench *bench, struct line *line, const char *depth)
{
        struct bed_board *board = plug_gizmo(line, "2-4.1", &bus_floor);
        g_autofree char *count = g_strdup_printf("%u", bench->scale->bare_transfers);
        const char *const argv[] = { BARE_TRANSFERS, bed_devnode(board), count, depth, NULL };
        double msec = cpu_of(line, argv, NULL);

        bed_pull(board);
        return msec / bench->scale->bare_transfers;
}

static void add_rows(struct bench *bench, const struct row *rows, size_t n,
                     double (*samples)[COST_ROUNDS_MAX])
{
        for (size_t i = 0; i < n; i++)
                report_add(bench->report, &rows[i], samples[i], bench->scale->cost_rounds);
}

static void bench_cost_on_bed(struct bench *bench)
{
        static const struct row rows[] = {
                { "cpu-ratio", "CPU per MiB: espdfud and engine, times dfu-util's", "", NULL,
                  STATISTIC_MEDIAN, 0.5 },
                { "cpu-espdfu", "CPU per MiB: espdfud and engine", "ms", NULL, STATISTIC_MEDIAN, -1 },
                { "cpu-dfu-util", "CPU per MiB: dfu-util", "ms", NULL, STATISTIC_MEDIAN, -1 },
                { "cpu-espdfu-bed", "of espdfud's and engine's: the bed's own", "%",
                  "bare ioctls, 32 in flight, as many transfers", STATISTIC_MEDIAN, -1 },
                { "cpu-dfu-util-bed", "of dfu-util's: the bed's own", "%",
                  "bare ioctls, one in flight, as many transfers", STATISTIC_MEDIAN, -1 },
                { "transfers", "transfers per MiB: engine", "", NULL, STATISTIC_MAX, 16640 },
                { "transfers-dfu-util", "transfers per MiB: dfu-util", "", NULL, STATISTIC_MAX, -1 },
        };
        double samples[ARRAY_SIZE(rows)][COST_ROUNDS_MAX];
        struct line line;
        double mib = open_gizmo_line(&line, bench->scale->image_size, NULL) / (double)MIB;

        for (unsigned i = 0; i < bench->scale->cost_rounds; i++) {
                struct cost station = cost_of_station(&line, 1), dfu_util = cost_of_dfu_util(&line, 1);

                assert_true(station.completed == 1 && dfu_util.completed == 1);
                samples[0][i] = station.cpu_msec / dfu_util.cpu_msec;
                samples[1][i] = station.cpu_msec / mib;
                samples[2][i] = dfu_util.cpu_msec / mib;
                samples[3][i] = cost_of_bed(bench, &line, "32") * station.transfers / station.cpu_msec * 100;
                samples[4][i] = cost_of_bed(bench, &line, "1") * dfu_util.transfers / dfu_util.cpu_msec * 100;
                samples[5][i] = station.transfers / mib;
                samples[6][i] = dfu_util.transfers / mib;
        }
        add_rows(bench, rows, ARRAY_SIZE(rows), samples);
        line_end(&line);
}

/* Boards that are only looked at: what would be sent to them is answered in the program's process. */
static void bench_cost_without_bed(struct bench *bench)
{
        static const struct row rows[] = {
                { "cpu-ratio-bare", "the same without bed and bus, times dfu-util's", "",
                  "transfers are answered in the process: programs, libusb, and their other system calls",
                  STATISTIC_MEDIAN, 0.5 },
                { "cpu-espdfu-bare", "without bed and bus: espdfud and engine", "ms", NULL, STATISTIC_MEDIAN,
                  -1 },
                { "cpu-dfu-util-bare", "without bed and bus: dfu-util", "ms", NULL, STATISTIC_MEDIAN, -1 },
        };
        static const char *const environment[] = { "LD_PRELOAD=" INSTANT_USBFS ":" BED_PRELOAD
                                                   ":libumockdev-preload.so.0",
                                                   NULL };
        double samples[ARRAY_SIZE(rows)][COST_ROUNDS_MAX];
        struct line line;
        double mib = open_gizmo_line(&line, bench->scale->bare_image_size, environment) * BARE_BOARDS /
                     (double)MIB;

        for (unsigned i = 0; i < bench->scale->cost_rounds; i++) {
                struct cost station = cost_of_station(&line, BARE_BOARDS),
                            dfu_util = cost_of_dfu_util(&line, BARE_BOARDS);

                assert_true(station.transfers == 0 && dfu_util.transfers == 0);
                samples[0][i] = station.cpu_msec / dfu_util.cpu_msec;
                samples[1][i] = station.cpu_msec / mib;
                samples[2][i] = dfu_util.cpu_msec / mib;
        }
        add_rows(bench, rows, ARRAY_SIZE(rows), samples);
        line_end(&line);
}

void bench_cost(struct bench *bench)
{
        bench_cost_on_bed(bench);
        bench_cost_without_bed(bench);
}

/* ---- its start ---- */

/* When the daemon ordered the last attempt's row: it had decided then, and the engine waits for the row. */
static double decided_usec(struct line *line)
{
        static const char key[] = "\"start_realtime_usec\":";
        g_autofree char *said = NULL;
        const char *at;

        assert_int_equal(ctl(line, &said, (const char *[]){ "history", "--json", "--limit", "1", NULL }), 0);
        at = strstr(said, key);
        if (!at)
                fail_msg("no attempt in the history: %s", said);
        return (double)strtoull(at + strlen(key), NULL, 10);
}

void bench_start(struct bench *bench)
{
        static const struct row row = { "engine-start",
                                        "from espdfud's decision to the first USB transfer",
                                        "ms",
                                        "the attempt's row in the ledger included",
                                        STATISTIC_MEDIAN,
                                        -1 };
        static const struct row open_row = { "engine-open",
                                             "of it: until the device node is open",
                                             "ms",
                                             "the rest is libusb's and the bed's",
                                             STATISTIC_MEDIAN,
                                             -1 };
        unsigned n = bench->scale->starts;
        g_autofree double *transfers = g_new(double, n), *opens = g_new(double, n);
        struct line line;

        open_gizmo_line(&line, 2048, NULL);
        for (unsigned i = 0; i < n; i++) {
                struct bed_board *board = plug_gizmo(&line, "1-4.1", &bus_floor);
                struct bed_firsts firsts;
                double decided;

                expect_gizmo(&line, "1-4.1", board);
                firsts = bed_firsts(board);
                decided = decided_usec(&line) - (double)(g_get_real_time() - g_get_monotonic_time());
                transfers[i] = ((double)firsts.transfer_usec - decided) / 1000;
                opens[i] = ((double)firsts.open_usec - decided) / 1000;
                bed_pull(board);
                expect_phase(&line, "1-4.1", PHASE_EMPTY);
        }
        report_add(bench->report, &row, transfers, n);
        report_add(bench->report, &open_row, opens, n);
        line_end(&line);
}
