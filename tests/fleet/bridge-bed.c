/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fleet/bridge-bed.h"

#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/poll.h"
#include "tests/fleet/relay.h"

struct collector collector;

static struct {
        pid_t station, bridge, relay;
        FILE *orders, *answers;
        unsigned relay_port;
} fleet;

/* ---- the station ---- */

void start_station(void)
{
        const char *argv[] = { FLEET_STATION, bed_file("ledger.sqlite"), bed_file("socket"), NULL };
        char ready[16];

        fleet.station = start_with_pipes("station.log", argv, &fleet.orders, &fleet.answers);
        if (!fgets(ready, sizeof(ready), fleet.answers)) {
                _cleanup_(freep) char *said = text_of(bed_file("station.log"));

                fail_msg("the station does not start: %s", said);
        }
}

static void end_station(int signal)
{
        if (fleet.station <= 0)
                return;
        if (signal)
                kill(fleet.station, signal);
        fclose(fleet.orders);
        fclose(fleet.answers);
        end_program(fleet.station, 0);
        fleet.station = 0;
        unlink(bed_file("socket"));
}

void stop_station(void)
{
        end_station(0);
}

void kill_station(void)
{
        end_station(SIGKILL);
}

static void order(const char *format, va_list ap) _printf_(1, 0);

static void order(const char *format, va_list ap)
{
        vfprintf(fleet.orders, format, ap);
        fputc('\n', fleet.orders);
        fflush(fleet.orders);
}

void order_station(const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        order(format, ap);
        va_end(ap);
}

int64_t station_answer(void)
{
        int64_t number = -1;

        assert_int_equal(fscanf(fleet.answers, "%" SCNd64, &number), 1);
        return number;
}

int64_t tell_station(const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        order(format, ap);
        va_end(ap);
        return station_answer();
}

/* ---- the bridge ---- */

void configure_bridge(const char *extra)
{
        char text[2048];

        snprintf(text, sizeof(text),
                 "[broker]\nhost = localhost\nport = %u\nca-file = %s\nuser = line3\npassword-file = %s\n"
                 "keep-alive = 5\nretry-max = 1\n[station]\nsocket = %s\n%s%s",
                 fleet.relay > 0 ? fleet.relay_port : bed.port, bed_file("ca.crt"),
                 bed_file("line3.password"), bed_file("socket"),
                 strstr(extra, "send-again") ? "" : "send-again = 1\n", extra);
        write_file("mqtt.conf", text);
        mkdir(bed_file("state"), 0700);
}

void start_bridge(void)
{
        const char *argv[] = { ESPDFU_MQTT, "--config",        bed_file("mqtt.conf"),
                               "--state",   bed_file("state"), NULL };

        fleet.bridge = start_program("bridge.log", argv);
}

void stop_bridge(void)
{
        int status = end_program(fleet.bridge, SIGTERM);

        fleet.bridge = 0;
        if (status != 0) {
                _cleanup_(freep) char *said = text_of(bed_file("bridge.log"));

                fail_msg("espdfu-mqtt ended with status %#x:\n%s", (unsigned)status, said);
        }
}

void kill_bridge(void)
{
        end_program(fleet.bridge, SIGKILL);
        fleet.bridge = 0;
}

unsigned bridge_rss_kib(bool peak)
{
        char path[64];
        _cleanup_(freep) char *text = NULL;
        const char *line;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)fleet.bridge);
        {
                FILE *f = fopen(path, "r");
                size_t size = 0;

                assert_non_null(f);
                assert_true(getdelim(&text, &size, '\0', f) > 0);
                fclose(f);
        }
        line = strstr(text, peak ? "VmHWM:" : "VmRSS:");
        assert_non_null(line);
        return (unsigned)strtoul(line + 6, NULL, 10);
}

/* ---- the way ---- */

void start_relay(bool wild, unsigned seed)
{
        fleet.relay = relay_start(wild, seed, &fleet.relay_port);
}

void calm_relay(void)
{
        kill(fleet.relay, SIGUSR1);
}

void stop_relay(void)
{
        end_program(fleet.relay, SIGKILL);
        fleet.relay = 0;
}

/* ---- the collector ---- */

static void follow_the_chain(void)
{
        /* Of what is there: the one that says that it comes behind the last. */
        for (int64_t i = collector.contiguous + 1; i <= NUMBERS_MAX && i <= collector.highest; i++)
                if (collector.jobs[i] && collector.before[i] == collector.contiguous)
                        collector.contiguous = i;
                else if (collector.jobs[i])
                        return;
}

static void take_job(const struct broker_message *message)
{
        json_t *record = json_loadb(message->payload, message->size, JSON_REJECT_DUPLICATES, NULL);
        int64_t sequence = json_integer_value(json_object_get(record, "sequence"));
        const char *job = json_string_value(json_object_get(record, "job"));
        const char *id = json_string_value(json_object_get(record, "station_id"));

        assert_non_null(record);
        assert_non_null(job);
        assert_non_null(id);
        assert_true(sequence > 0 && sequence <= NUMBERS_MAX);
        collector.n_messages++;
        if (!collector.station_id[0])
                snprintf(collector.station_id, sizeof(collector.station_id), "%s", id);
        assert_string_equal(collector.station_id, id);
        if (collector.jobs[sequence]) {
                collector.n_doubled++;
                assert_string_equal(collector.jobs[sequence], job); /* never another one under a number */
        } else {
                collector.jobs[sequence] = strdup(job);
                collector.before[sequence] = json_integer_value(json_object_get(record, "previous"));
        }
        collector.highest = MAX(collector.highest, sequence);
        follow_the_chain();
        collector.told = false;
        json_decref(record);
}

static void take_slot(const struct topic *topic, const struct broker_message *message)
{
        size_t i = 0;

        while (i < collector.n_slots && !streq(collector.slots[i].name, topic->slot))
                i++;
        assert_true(i < ARRAY_SIZE(collector.slots));
        if (i == collector.n_slots) {
                memcpy(collector.slots[i].name, topic->slot, sizeof(topic->slot));
                collector.n_slots++;
        }
        collector.slots[i].n++;
        snprintf(collector.slots[i].text, sizeof(collector.slots[i].text), "%s",
                 (const char *)message->payload);
}

static void on_message(void *userdata, const struct broker_message *message)
{
        struct topic topic;

        (void)userdata;
        assert_int_equal(topic_parse(message->topic, &topic), 0);
        switch (topic.kind) {
        case TOPIC_JOB:
                take_job(message);
                return;
        case TOPIC_ONLINE:
                snprintf(collector.online, sizeof(collector.online), "%s", (const char *)message->payload);
                return;
        case TOPIC_STATION:
                collector.n_headers++;
                snprintf(collector.header, sizeof(collector.header), "%s", (const char *)message->payload);
                return;
        case TOPIC_SLOT:
                take_slot(&topic, message);
                return;
        case TOPIC_DELIVERED:
        case TOPIC_KIND_MAX_:
                return;
        }
}

static void on_up(void *userdata)
{
        (void)userdata;
        collector.ups++;
        collector.told = false;
        assert_int_equal(broker_subscribe(collector.broker, "espdfu/1/#"), 0);
}

static void say_delivered(void)
{
        struct delivered delivered = { .sequence = collector.contiguous };
        char text[DELIVERED_TEXT_SIZE];
        size_t size;

        if (collector.told || collector.silent || !collector.station_id[0] || !broker_is_up(collector.broker))
                return;
        memcpy(delivered.station_id, collector.station_id, sizeof(delivered.station_id));
        size = delivered_print(&delivered, text);
        if (broker_publish(collector.broker, "espdfu/1/line3/delivered", text, size, 1, true, NULL) == 0)
                collector.told = true;
}

static const struct broker_events events = { .up = on_up, .message = on_message };

void start_collector(void)
{
        collector.settings = settings_of("collector");
        collector.settings.no_tls = true;
        collector.settings.ca_file = NULL;
        collector.settings.port = bed.tls_less;
        assert_int_equal(broker_new(&collector.settings, "collector", &events, NULL, &collector.broker), 0);
}

void stop_collector(void)
{
        if (collector.broker)
                collector.broker = broker_free(collector.broker);
}

void collect(void)
{
        struct pollfd pfd;
        uint64_t until = MIN(broker_wait(collector.broker, &pfd), monotonic_usec() + 10 * USEC_PER_MSEC);

        (void)poll_until(&pfd, 1, until, NULL);
        broker_step(collector.broker, pfd.revents, monotonic_usec());
        say_delivered();
}

void collect_for(uint64_t usec)
{
        uint64_t end = monotonic_usec() + usec;

        while (monotonic_usec() < end)
                collect();
}

/* ---- what must hold ---- */

static void compare_with_ledger(int64_t n)
{
        sqlite3_stmt *stmt = NULL;
        sqlite3 *db = NULL;
        int64_t rows = 0;

        assert_int_equal(sqlite3_open_v2(bed_file("ledger.sqlite"), &db, SQLITE_OPEN_READONLY, NULL),
                         SQLITE_OK);
        assert_int_equal(
                sqlite3_prepare_v2(db,
                                   "SELECT sequence, job FROM attempt WHERE sequence IS NOT NULL ORDER BY 1",
                                   -1, &stmt, NULL),
                SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
                int64_t sequence = sqlite3_column_int64(stmt, 0);

                if (!collector.jobs[sequence])
                        fail_msg("record %" PRId64 " is lost", sequence);
                assert_string_equal(collector.jobs[sequence], (const char *)sqlite3_column_text(stmt, 1));
                rows++;
        }
        sqlite3_finalize(stmt);
        sqlite3_close(db);
        assert_int_equal(rows, n);
        for (int64_t i = n + 1; i <= NUMBERS_MAX; i++)
                assert_null(collector.jobs[i]);
}

void expect_all_delivered(int64_t n)
{
        char cursor[96];

        collect_until(collector.contiguous == n);
        compare_with_ledger(n);
        snprintf(cursor, sizeof(cursor), "\"sequence\":%" PRId64 "}", n);
        collect_until(lines_with("state/cursor", cursor) == 1);
        collect_until(tell_station("consumer") == n);
}

const char *slot_text(const char *name)
{
        for (size_t i = 0; i < collector.n_slots; i++)
                if (streq(collector.slots[i].name, name))
                        return collector.slots[i].text;
        return "";
}

void begin(const char *extra)
{
        start_broker(false);
        start_station();
        configure_bridge(extra);
        start_bridge();
        start_collector();
}

int fleet_setup(void **state)
{
        (void)state;
        collector = (struct collector){ 0 };
        return 0;
}

int fleet_teardown(void **state)
{
        (void)state;
        if (fleet.bridge > 0)
                kill_bridge();
        if (fleet.relay > 0)
                stop_relay();
        end_station(SIGKILL);
        stop_collector();
        for (size_t i = 0; i <= NUMBERS_MAX; i++)
                free(take_ptr(collector.jobs[i]));
        if (bed.broker > 0)
                kill_broker();
        unlink(bed_file("ledger.sqlite"));
        unlink(bed_file("ledger.sqlite-wal"));
        unlink(bed_file("ledger.sqlite-shm"));
        unlink(bed_file("state/cursor"));
        if (getenv("KEEP_BED")) {
                static unsigned n;
                char name[32];

                snprintf(name, sizeof(name), "bridge-%u.log", ++n);
                rename(bed_file("bridge.log"), bed_file(name));
        }
        unlink(bed_file("bridge.log"));
        unlink(bed_file("mosquitto.db"));
        return 0;
}
