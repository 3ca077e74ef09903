/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows about espdfud alone: nothing plugged in, and a full station whose engines are played by engine-replay, so that the
 * processors are the daemon's. What is measured is what the kernel counts of the daemon's own process.
 */
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/process.h"

#define WATCHERS 8 /* beside each other: what a watcher costs once the first is there */

#define POLICIES                                                                                             \
        "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n[policy probe]\nchip = esp32s3\nimage = "          \
        "@s3.bin\n"

static const char config[] = "[station]\nstop-time = 0s\n" POLICIES;

/* Long enough for all rows; the daemon's stop ends it. */
static void set_up_replay(void)
{
        g_setenv("ENGINE_REPLAY_BYTES", "10485760", TRUE);
        g_setenv("ENGINE_REPLAY_RATE", "60000", TRUE);
}

/* ---- nothing to do ---- */

void bench_idle(struct bench *bench)
{
        static const struct row row = {
                "idle-wakeups", "idle, no boards: wake-ups of espdfud", "", NULL, STATISTIC_MAX, 0
        };
        static const struct row memory = { "idle-memory", "idle, no boards: RssAnon of espdfud",
                                           "KiB",         NULL,
                                           STATISTIC_MAX, -1 };
        struct line line;
        double wakeups, kib;
        uint64_t before;
        pid_t pid;

        open_line(&line, config, NULL);
        pid = bed_pid(line.daemon);
        run_for(&line, USEC_PER_SEC / 2); /* the clients of the start have left, and the ledger rests */
        before = process_wakeups(pid);
        run_for(&line, bench->scale->idle_usec);
        wakeups = (double)(process_wakeups(pid) - before);
        kib = (double)process_kib(pid, "status", "RssAnon:");
        report_add(bench->report, &row, &wakeups, 1);
        report_add(bench->report, &memory, &kib, 1);
        line_end(&line);
}

/* ---- espdfuctl status ---- */

/* From its start to its end, in ms. */
static double time_status(const char *const *argv, posix_spawn_file_actions_t *actions)
{
        gint64 begun = g_get_monotonic_time();
        int status;
        pid_t pid;

        if (posix_spawn(&pid, argv[0], actions, NULL, (char *const *)argv, environ) != 0 ||
            waitpid(pid, &status, 0) != pid || status != 0)
                fail_msg("espdfuctl status failed");
        return (double)(g_get_monotonic_time() - begun) / 1000;
}

static void measure_status(struct bench *bench, struct line *line)
{
        static const struct row row = {
                "status-latency", "espdfuctl status, from its start to its end", "ms", NULL, STATISTIC_P99, 50
        };
        g_autofree char *socket = line_path(line, "socket");
        const char *const argv[] = { ESPDFUCTL, "--socket", socket, "status", NULL };
        unsigned n = bench->scale->status_calls;
        g_autofree double *samples = g_new(double, n);
        posix_spawn_file_actions_t actions;

        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        for (unsigned i = 0; i < n; i++) {
                samples[i] = time_status(argv, &actions);
                run_for(line, 5 * USEC_PER_MSEC); /* what the watcher was told is read */
        }
        posix_spawn_file_actions_destroy(&actions);
        report_add(bench->report, &row, samples, n);
}

/* ---- watchers ---- */

static gboolean on_news(gint fd, GIOCondition condition, gpointer userdata)
{
        static char buffer[256 * KIB];
        ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

        (void)condition;
        if (n > 0)
                *(uint64_t *)userdata += (uint64_t)n;
        else if (n == 0 || errno != EAGAIN)
                fail_msg("a watcher was disconnected");
        return G_SOURCE_CONTINUE;
}

struct watcher {
        int fd;
        guint source;
        uint64_t bytes;
};

static void watcher_open(struct line *line, struct watcher *watcher)
{
        static const char call[] = "{\"method\":\"" STATION_INTERFACE ".Status\",\"more\":true}";
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", line->dir);
        *watcher = (struct watcher){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        assert_int_equal(connect(watcher->fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(send(watcher->fd, call, sizeof(call), 0), sizeof(call));
        watcher->source = g_unix_fd_add(watcher->fd, G_IO_IN | G_IO_HUP, on_news, &watcher->bytes);
}

static void watcher_close(struct watcher *watcher)
{
        assert_true(watcher->bytes > 0);
        g_source_remove(watcher->source);
        close(watcher->fd);
}

/* Per cent of a processor that the daemon takes while n watch. */
static double cpu_with_watchers(struct bench *bench, struct line *line, unsigned n)
{
        struct watcher watchers[WATCHERS];
        pid_t pid = bed_pid(line->daemon);
        uint64_t before;
        gint64 begun;
        double nsec, usec;

        for (unsigned i = 0; i < n; i++)
                watcher_open(line, &watchers[i]);
        run_for(line, 200 * USEC_PER_MSEC);
        before = process_cpu_nsec(pid);
        begun = g_get_monotonic_time();
        run_for(line, bench->scale->watch_usec);
        nsec = (double)(process_cpu_nsec(pid) - before);
        usec = (double)(g_get_monotonic_time() - begun);
        for (unsigned i = 0; i < n; i++)
                watcher_close(&watchers[i]);
        return nsec / 1000 / usec * 100;
}

static void measure_watchers(struct bench *bench, struct line *line)
{
        static const struct row alone = { "daemon-cpu",
                                          "espdfud while all download, nobody watches",
                                          "%",
                                          "of one processor",
                                          STATISTIC_MEDIAN,
                                          -1 };
        static const struct row first = { "watcher-cpu",
                                          "a watcher more, while all download",
                                          "%",
                                          "of one processor, and of the daemon",
                                          STATISTIC_MEDIAN,
                                          1 };
        static const struct row further = {
                "watchers-cpu", "each of eight watchers, while all download", "%", NULL, STATISTIC_MEDIAN, 1
        };
        unsigned rounds = bench->scale->watch_rounds;
        double none[16], one[16], each[16];

        for (unsigned i = 0; i < rounds; i++) {
                none[i] = cpu_with_watchers(bench, line, 0);
                one[i] = cpu_with_watchers(bench, line, 1) - none[i];
                each[i] = (cpu_with_watchers(bench, line, WATCHERS) - none[i]) / WATCHERS;
        }
        report_add(bench->report, &alone, none, rounds);
        report_add(bench->report, &first, one, rounds);
        report_add(bench->report, &further, each, rounds);
}

/* ---- a full station ---- */

void bench_many(struct bench *bench)
{
        static const struct row row = {
                "memory",      "all boards download: RssAnon of espdfud",
                "KiB",         "with the bed's libraries; an image is a memfd, and not in it",
                STATISTIC_MAX, 6144
        };
        static const struct rom_timing quick = { 0 };
        struct line line;
        double kib[3];
        pid_t pid;

        set_up_replay();
        open_line(&line, config, ENGINE_REPLAY);
        start_watching(&line);
        plug_many(&line, bench->scale->boards, &quick);
        expect_downloading(&line, bench->scale->boards);
        pid = bed_pid(line.daemon);
        kib[0] = (double)process_kib(pid, "status", "RssAnon:");
        measure_status(bench, &line);
        kib[1] = (double)process_kib(pid, "status", "RssAnon:");
        stop_watching(&line);
        measure_watchers(bench, &line);
        kib[2] = (double)process_kib(pid, "status", "RssAnon:");
        assert_true(process_children(pid, NULL, 0) == bench->scale->boards);
        report_add(bench->report, &row, kib, ARRAY_SIZE(kib));
        line_end(&line);
}
