/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fleet-station LEDGER SOCKET [NAME]: the daemon's real server and its real ledger, with the slots of the manual's station and
 * no board, so that thousands of records are a second. Everybody who asks is user 2000, who may look, and acknowledge for the
 * consumer "mqtt". Prints "ready", obeys lines on stdin, each answered by a line, and ends with stdin:
 *   record N            N attempts, recorded: answered when they are on the disk, by the last number
 *   keep N              all but the last N are removed, as far as consumers let them: answered by how many went
 *   phase SLOT WORD   progress SLOT BYTES   remove SLOT   name NAME
 *   consumer            what "mqtt" has acknowledged
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "tests/daemon/fake-station.h"

#define BOOT  "0123456789abcdef0123456789abcdef"
#define USER  2000
#define AHEAD 512 /* attempts that are on their way to the disk */

#include "daemon/ledger.h"

static struct fake_station station;
static struct server *server;
static struct ledger *ledger;
static int64_t ordered, wanted, closed; /* numbers of attempts: begun, to be begun, recorded */
static char name[64], lagging[CONSUMER_LAG_TEXT];

static int somebody(int fd, gid_t group, struct server_peer *ret)
{
        (void)fd, (void)group;
        *ret = (struct server_peer){ .uid = USER };
        return 0;
}

static uint64_t realtime_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- the real ledger's answers ---- */

static int on_header(void *userdata, struct station_status *ret)
{
        station.header.lagging = ledger_consumer_lags(ledger, realtime_usec(), lagging) ? lagging : NULL;
        return fake_station_ops.header(userdata, ret);
}

static int on_history(void *userdata, const struct history_filter *filter, const struct history_at *at,
                      unsigned limit, history_page_t done, void *peer)
{
        (void)userdata;
        return ledger_history(ledger, filter, at, limit, done, peer);
}

static int on_counters(void *userdata, struct station_counters *ret)
{
        int r = counters_copy(ledger_counters(ledger), ret);

        (void)userdata;
        ret->attempts_recorded = (uint64_t)ledger_last_sequence(ledger);
        return r;
}

static int on_consumer(void *userdata, enum consumer_action action, const char *consumer, int64_t sequence,
                       uint64_t user, void (*done)(void *peer, int r, int64_t id, int64_t sequence),
                       void *peer)
{
        (void)userdata;
        return ledger_consumer(ledger, action, consumer, sequence, realtime_usec(), user, done, peer);
}

static bool on_consumer_is_of(void *userdata, const char *consumer, uid_t uid)
{
        (void)userdata;
        return ledger_consumer_is_of(ledger, consumer, uid);
}

static int on_consumers(void *userdata,
                        void (*done)(void *peer, int r, const struct consumer_status *consumers, size_t n),
                        void *peer)
{
        (void)userdata;
        return ledger_consumers(ledger, done, peer);
}

static void on_forget(void *userdata, void *peer)
{
        (void)userdata;
        ledger_forget(ledger, peer);
}

/* ---- attempts ---- */

static void answer(int64_t number)
{
        printf("%" PRId64 "\n", number);
        fflush(stdout);
}

static void begin_attempts(void);

static void on_closed(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct slot_status *slot = &station.slots[sequence % 4];

        (void)userdata, (void)id;
        if (r < 0)
                _exit(3);
        closed = sequence;
        slot->last_verdict = VERDICT_FLASHED;
        slot->last_realtime_usec = realtime_usec();
        slot->phase = slot->phase == PHASE_FLASHED ? PHASE_DOWNLOADING : PHASE_FLASHED;
        server_slot_changed(server, slot->slot, true);
        if (closed == wanted)
                answer(closed);
        else
                begin_attempts();
}

/* Its number is in what is recorded: "job-17". */
static void on_opened(void *userdata, int r, int64_t id, int64_t sequence)
{
        static char message[] = "board left at 24 kB";
        const struct attempt_record end = { .end_realtime_usec = realtime_usec(),
                                            .duration_usec = 5 * USEC_PER_SEC,
                                            .bytes = 24576,
                                            .transfers = 384,
                                            .message = message,
                                            .verdict = VERDICT_FLASHED };

        (void)userdata, (void)sequence;
        if (r < 0 || ledger_attempt_close(ledger, id, &end, NULL, on_closed, NULL) < 0)
                _exit(3);
}

static void begin_attempts(void)
{
        while (ordered < wanted && ordered - closed < AHEAD) {
                char job[32];
                const struct attempt_record record = {
                        .job = job,
                        .attempt = 1,
                        .slot = station.slots[0].slot,
                        .port = TEXT("1-4.1"),
                        .path = TEXT(FAKE_PATH_A2),
                        .chip = TEXT("esp32s3"),
                        .mac = TEXT("7c:df:a1:0b:00:12"),
                        .policy = TEXT("gizmo"),
                        .image_path = TEXT("/srv/images/gizmo-1.4.2.dfu"),
                        .image_name = TEXT("gizmo"),
                        .image_version = TEXT("1.4.2"),
                        .image_sha256 = TEXT(
                                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
                        .boot_id = TEXT(BOOT),
                        .clock_synchronized = true,
                        .start_realtime_usec = realtime_usec(),
                        .station = name,
                };

                snprintf(job, sizeof(job), "job-%" PRId64, ++ordered);
                if (ledger_attempt_open(ledger, &record, on_opened, NULL) < 0)
                        _exit(3);
        }
}

static void on_removed(void *userdata, int r, const struct ledger_removed *removed)
{
        static int64_t total;
        uint64_t *keep = userdata;
        const struct ledger_limits limits = { .rows_max = *keep, .now_realtime_usec = realtime_usec() };

        total += r == 0 ? (int64_t)removed->n : 0;
        if (r == 0 && removed->more && ledger_retain(ledger, &limits, on_removed, keep) == 0)
                return;
        answer(total);
        total = 0;
}

static void keep(uint64_t n)
{
        static uint64_t rows;
        const struct ledger_limits limits = { .rows_max = n, .now_realtime_usec = realtime_usec() };

        rows = n;
        if (ledger_retain(ledger, &limits, on_removed, &rows) < 0)
                answer(-1);
}

static void tell_consumer(void *userdata, int r, const struct consumer_status *consumers, size_t n)
{
        int64_t sequence = -1;

        (void)userdata;
        for (size_t i = 0; r == 0 && i < n; i++)
                if (streq(consumers[i].consumer, "mqtt"))
                        sequence = consumers[i].sequence;
        answer(sequence);
}

/* ---- orders ---- */

static void obey(const char *line)
{
        char command[32] = "", what[64] = "", word[32] = "";
        struct slot_status *slot;

        sscanf(line, "%31s %63s %31s", command, what, word);
        slot = fake_station_slot(&station, what);
        if (streq(command, "record")) {
                wanted += (int64_t)strtoull(what, NULL, 10);
                begin_attempts();
                return;
        }
        if (streq(command, "keep")) {
                keep(strtoull(what, NULL, 10));
                return;
        }
        if (streq(command, "consumer")) {
                ledger_consumers(ledger, tell_consumer, NULL);
                return;
        }
        if (streq(command, "phase") && slot) {
                slot->phase = (enum phase)phase_from_string(word);
                server_slot_changed(server, what, true);
        } else if (streq(command, "progress") && slot) {
                slot->bytes_done = strtoull(word, NULL, 10);
                server_slot_changed(server, what, false);
        } else if (streq(command, "remove")) {
                fake_station_remove(&station, what);
                server_slot_changed(server, what, true);
        } else if (streq(command, "name")) {
                snprintf(name, sizeof(name), "%s", what);
                server_changed(server);
        }
        answer(0);
}

static int on_stdin(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        char line[128];

        (void)fd, (void)revents, (void)userdata;
        if (!fgets(line, sizeof(line), stdin))
                return sd_event_exit(sd_event_source_get_event(source), 0);
        obey(line);
        return 0;
}

static void on_registered(void *userdata, int r, int64_t id, int64_t sequence)
{
        (void)userdata, (void)id, (void)sequence;
        if (r < 0)
                _exit(3);
        printf("ready\n");
        fflush(stdout);
}

int main(int argc, char **argv)
{
        static struct server_options options = { .fd = -1, .peer = somebody };
        struct server_ops ops = fake_station_ops;
        _cleanup_(freep) char *error = NULL;
        sd_event *event;
        int r;

        if (argc < 3)
                return 2;
        options.path = argv[2];
        log_set_max_level(LOG_WARNING);
        setvbuf(stdin, NULL, _IONBF, 0);
        ops.header = on_header;
        ops.history = on_history;
        ops.counters = on_counters;
        ops.consumer = on_consumer;
        ops.consumer_is_of = on_consumer_is_of;
        ops.consumers = on_consumers;
        ops.forget = on_forget;
        fake_station_line3(&station, realtime_usec());
        snprintf(name, sizeof(name), "%s", argc > 3 ? argv[3] : "line3");
        station.header.name = name;
        r = sd_event_default(&event);
        if (r >= 0)
                r = ledger_open(argv[1], event, BOOT, realtime_usec(), &ledger, &error);
        if (r < 0) {
                fprintf(stderr, "fleet-station: %s\n", error ? error : strerror(-r));
                return 1;
        }
        station.header.id = TEXT(ledger_identity(ledger)->id);
        station.header.id_since = ledger_identity(ledger)->since;
        ordered = wanted = closed = ledger_last_sequence(ledger);
        r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, NULL);
        if (r >= 0)
                r = server_new(event, &options, &ops, &station, &server);
        if (r >= 0)
                r = ledger_consumer(ledger, CONSUMER_REGISTER, "mqtt", 0, realtime_usec(), USER,
                                    on_registered, NULL);
        if (r < 0)
                return 1;
        r = sd_event_loop(event);
        server_free(server);
        ledger_free(ledger);
        sd_event_unref(event);
        return r < 0;
}
