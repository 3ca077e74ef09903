/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real espdfu-fleet with a real Mosquitto and a real PostgreSQL: two hundred stations with forty slots each in one picture. */
#include "tests/fleet/store-bed.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fleet/topics.h"
#include "fleet/view.h"
#include "io/clock.h"
#include "tests/fleet/records.h"

#define STATIONS 200
#define SLOTS    40

/* ---- vocabulary ---- */

static struct broker_settings settings;
static struct broker *voice; /* of all stations */
static unsigned acknowledged, published;

static void on_acknowledged(void *userdata, int number, bool refused)
{
        (void)userdata, (void)number;
        assert_false(refused);
        acknowledged++;
}

static void station_says(enum topic_kind kind, const char *station, const char *slot, const char *text)
{
        char topic[TOPIC_SIZE];

        assert_int_equal(topic_print(topic, kind, station, slot), 0);
        assert_int_equal(broker_publish(voice, topic, text, strlen(text), 1, true, NULL), 0);
        published++;
        while (published - acknowledged > 100)
                turn(voice);
}

static void all_is_said(void)
{
        turn_until(voice, published == acknowledged);
}

static void station_is_online(const char *station, bool online)
{
        char text[512];

        snprintf(text, sizeof(text),
                 "{\"online\":%s,\"station_id\":\"%032x\",\"station\":\"%s\",\"version\":\"0.1.0\",\"since_"
                 "realtime_usec\":"
                 "1764236460000000,\"message\":%s}",
                 online ? "true" : "false", 7u, station,
                 online ? "null" : "\"espdfu-mqtt is gone, or the way to it\"");
        station_says(TOPIC_ONLINE, station, NULL, text);
}

static void station_has_done(const char *station, unsigned flashed, unsigned failed, const char *held)
{
        char text[2048];

        snprintf(text, sizeof(text),
                 "{\"name\":\"%s\",\"version\":\"0.1.0\",\"flashed_today\":%u,\"failed_"
                 "today\":%u,"
                 "\"first_pass_today\":%u,\"flashed_last_hour\":%u,\"running\":3,\"waiting\":1,\"failed\":2,"
                 "\"config_error\":null,\"ledger_trouble\":null,\"held\":%s%s%s,\"slots\":%d,\"station_id\":"
                 "\"%032x\","
                 "\"realtime_usec\":1764236470000000,\"backlog\":5,\"from_the_future\":1}",
                 station, flashed, failed, flashed / 2, flashed / 8, held ? "\"" : "", held ? held : "null",
                 held ? "\"" : "", SLOTS, 7u);
        station_says(TOPIC_STATION, station, NULL, text);
}

static void slot_is(const char *station, const char *slot, const char *phase, const char *message)
{
        char text[1024];

        snprintf(text, sizeof(text),
                 "{\"slot\":\"%s\",\"port\":\"1-4.1\",\"path\":null,\"chip\":\"esp32s3\",\"mac\":\"7c:df:a1:"
                 "0b:00:12\","
                 "\"policy\":\"gizmo\",\"image_name\":\"gizmo\",\"image_version\":\"1.4.2\",\"data_file\":"
                 "null,"
                 "\"phase\":\"%s\",\"bytes_done\":500,\"bytes_total\":1000,\"rate\":41000,\"left_usec\":"
                 "1200000,"
                 "\"elapsed_usec\":1,\"attempt\":1,\"attempts_max\":3,\"message\":%s%s%s,\"last_verdict\":"
                 "\"flashed\","
                 "\"last_realtime_usec\":1764236470000000,\"last_message\":null,\"realtime_usec\":1}",
                 slot, phase, message ? "\"" : "", message ? message : "null", message ? "\"" : "");
        station_says(TOPIC_SLOT, station, slot, text);
}

/* What it printed, to be freed; its exit code. */
static int fleet(char **ret, const char *const *arguments)
{
        const char *argv[24] = { ESPDFU_FLEET, "--config", bed_file("fleet.conf") };
        size_t n = 3;
        int status;

        while (*arguments)
                argv[n++] = *arguments++;
        write_file("fleet.out", "");
        status = end_program(start_program("fleet.out", argv), 0);
        *ret = text_of(bed_file("fleet.out"));
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

#define FLEET(ret, ...) fleet((ret), (const char *const[]){ __VA_ARGS__, NULL })

static char *expect_done(const char *const *arguments)
{
        char *text;
        int code = fleet(&text, arguments);

        if (code != 0)
                fail_msg("exit code %d: %s", code, text);
        return text;
}

#define DONE(...) expect_done((const char *const[]){ __VA_ARGS__, NULL })

/* The cells of a table's rows with one blank between them: how wide columns are is libsmartcols' business. */
static char *squeezed(char *text)
{
        char *to = text;

        for (const char *from = text; *from; from++)
                if (*from != ' ' ||
                    (to > text && to[-1] != ' ' && to[-1] != '\n' && from[1] != '\n' && from[1]))
                        *to++ = *from;
                else if (from[1] == '\n' && to > text && to[-1] == ' ')
                        to--;
        *to = '\0';
        return text;
}

/* The columns, without their headings. */
#define CELLS(columns, ...) squeezed(DONE(__VA_ARGS__, "--output", (columns), "--noheadings"))

static unsigned lines_of(const char *text)
{
        unsigned n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

static void expect_in(const char *text, const char *expected)
{
        if (!strstr(text, expected))
                fail_msg("\"%s\" is not in:\n%s", expected, text);
}

static void expect_not_in(const char *text, const char *unexpected)
{
        if (strstr(text, unexpected))
                fail_msg("\"%s\" is in:\n%s", unexpected, text);
}

static void expect_in_order(const char *text, const char *first, const char *second)
{
        expect_in(text, first);
        expect_in(text, second);
        assert_true(strlen(strstr(text, first)) > strlen(strstr(text, second)));
}

static void write_fleet_conf(const char *password)
{
        char text[1024];

        snprintf(text, sizeof(text),
                 "[broker]\nhost = localhost\nport = %u\nca-file = %s\nuser = viewer\npassword-file = "
                 "%s\n[database]\n"
                 "connection = %s\n",
                 bed.port, bed_file("ca.crt"), bed_file(password), store_bed.connection);
        write_file("fleet.conf", text);
}

static int begin(void **state)
{
        static const struct broker_events events = { .acknowledged = on_acknowledged };

        (void)state;
        start_broker(false);
        settings = settings_of("stations");
        acknowledged = published = 0;
        assert_int_equal(broker_new(&settings, "voice", &events, NULL, &voice), 0);
        turn_until(voice, broker_is_up(voice));
        write_fleet_conf("viewer.password");
        return 0;
}

static int end(void **state)
{
        (void)state;
        voice = broker_free(voice);
        kill_broker();
        return 0;
}

/* ---- status ---- */

static void big_fleet(void)
{
        char station[16], slot[8];

        for (unsigned i = 0; i < STATIONS; i++) {
                snprintf(station, sizeof(station), "line%u", i);
                station_is_online(station, i != 17);
                station_has_done(station, i == 3 ? 0 : 100, i == 3 ? 0 : i % 10,
                                 i == 5 ? "held by joe: new jig" : NULL);
                for (unsigned k = 0; k < SLOTS; k++) {
                        snprintf(slot, sizeof(slot), "S%u", k);
                        slot_is(station, slot, k % 2 ? "flashed" : "downloading", NULL);
                }
        }
        all_is_said();
}

static void test_two_hundred_stations_are_a_row_each_in_under_a_second(void **state)
{
        _cleanup_(freep) char *text = NULL, *again = NULL;
        uint64_t began, usec;

        (void)state;
        big_fleet();
        began = monotonic_usec();
        text = DONE("status");
        usec = monotonic_usec() - began;
        printf("espdfu-fleet status of %d stations with %d slots each: %u ms\n", STATIONS, SLOTS,
               (unsigned)(usec / 1000));
        assert_true(usec < USEC_PER_SEC);
        assert_int_equal(lines_of(text),
                         STATIONS + 3); /* what they are together, a line without anything, headings */
        expect_in(text, "200 stations, 199 online   running 600   today 19900 flashed, 897 failed, yield "
                        "95.7 %, first pass "
                        "47.8 %   1000 records on their way\n\nSTATION");
        expect_in(text, "\nline9 ");
        expect_in_order(text, "\nline9 ", "\nline10 ");
        expect_in(text, "espdfu-mqtt is gone, or the way to it\n");
        expect_in(text, "held by joe: new jig\n");
        again = CELLS("station,online,done,failed,yield,first,backlog,note", "status");
        assert_int_equal(lines_of(again), STATIONS);
        expect_in(again, "line2 yes 100 2 98.0 % 49.0 % 5\n");
        expect_in(again, "line3 yes 0 0 5\n");
        expect_in(again, "line17 no 100 7 93.5 % 46.7 % 5 espdfu-mqtt is gone, or the "
                         "way to it\n");
}

static void test_slots_of_one_station_are_those_of_its_own_status(void **state)
{
        _cleanup_(freep) char *text = NULL, *rows = NULL;

        (void)state;
        station_is_online("line3", true);
        station_has_done("line3", 10, 1, NULL);
        slot_is("line3", "A2", "downloading", NULL);
        slot_is("line3", "A10", "failed", "board left at 24 kB");
        slot_is("line3", "A+1", "flashed", NULL);
        slot_is("line4", "B1", "flashed", NULL);
        all_is_said();
        text = DONE("status", "--station", "line3");
        expect_in(text, "line3   today 10 flashed, first pass 45.5 %, 1 boards/h   running 3, "
                        "waiting 1, failed 2\n");
        expect_in(text, "board left at 24 kB");
        expect_in_order(text, "\nA+1 ", "\nA2 ");
        expect_in_order(text, "\nA2 ", "\nA10 ");
        expect_not_in(text, "B1");
        rows = CELLS("slot,phase", "status", "--station", "line3");
        assert_string_equal(rows, "A+1 flashed\nA2 downloading\nA10 failed\n");
}

static void test_station_that_is_offline_says_since_when_and_why(void **state)
{
        _cleanup_(freep) char *text = NULL;

        (void)state;
        station_has_done("line3", 10, 1, NULL);
        station_is_online("line3", false);
        slot_is("line3", "A1", "downloading", NULL);
        all_is_said();
        text = DONE("status", "--station", "line3");
        expect_in(text,
                  "offline since 2025-11-27 09:41: espdfu-mqtt is gone, or the way to it\nline3   today ");
}

static void test_station_and_slot_that_are_no_more_are_not_shown(void **state)
{
        _cleanup_(freep) char *text = NULL, *slots = NULL;

        (void)state;
        station_is_online("line3", true);
        station_has_done("line3", 1, 0, NULL);
        station_is_online("line4", true);
        slot_is("line3", "A1", "empty", NULL);
        slot_is("line3", "A2", "empty", NULL);
        station_says(TOPIC_ONLINE, "line4", NULL, "");
        station_says(TOPIC_SLOT, "line3", "A2", "");
        all_is_said();
        text = CELLS("station", "status");
        assert_string_equal(text, "line3\n");
        slots = CELLS("slot", "status", "--station", "line3");
        assert_string_equal(slots, "A1\n");
}

static void test_json_is_what_was_heard_whole(void **state)
{
        _cleanup_(freep) char *text = NULL;
        json_t *all, *station;

        (void)state;
        station_is_online("line3", true);
        station_has_done("line3", 1, 0, NULL);
        slot_is("line3", "A1", "flashed", NULL);
        all_is_said();
        text = DONE("status", "--station", "line3", "--json");
        all = json_loads(text, 0, NULL);
        station = json_array_get(json_object_get(all, "stations"), 0);
        assert_string_equal(json_string_value(json_object_get(station, "station")), "line3");
        assert_true(json_is_true(json_object_get(json_object_get(station, "online"), "online")));
        assert_int_equal(
                json_integer_value(json_object_get(json_object_get(station, "status"), "from_the_future")),
                1);
        assert_string_equal(json_string_value(json_object_get(
                                    json_object_get(json_object_get(station, "slots"), "A1"), "phase")),
                            "flashed");
        json_decref(all);
}

static void test_what_no_station_of_ours_says_is_named_and_not_shown(void **state)
{
        _cleanup_(freep) char *text = NULL;

        (void)state;
        station_says(TOPIC_ONLINE, "line3", NULL, "nonsense");
        station_says(TOPIC_STATION, "line4", NULL, "[1,2]");
        station_says(TOPIC_STATION, "line5", NULL, "{\"flashed_today\":\"many\",\"backlog\":-1}");
        station_says(TOPIC_ONLINE, "line6", NULL, "{\"online\":false,\"message\":\"\\u001b[2Jgone\"}");
        all_is_said();
        text = CELLS("station,online,done,note", "status");
        assert_string_equal(text, "line3 no espdfu/1/line3/online is not understood: expected a JSON object "
                                  "of at most 256 KiB\n"
                                  "line4 no espdfu/1/line4/station is not understood: expected a JSON object "
                                  "of at most 256 KiB\n"
                                  "line5 no espdfu/1/line5/station: name is not understood: expected what "
                                  "espdfu-mqtt publishes\n"
                                  "line6 no <1b>[2Jgone\n");
}

static void test_what_is_not_understood_of_one_slot_hides_no_other(void **state)
{
        static const char z1[] = "espdfu/1/line4/slot/Z1: bytes_done is not understood: expected what "
                                 "espdfu-mqtt publishes\n";
        _cleanup_(freep) char *text = NULL, *rows = NULL, *json = NULL, *mended = NULL;
        json_t *all, *station;

        (void)state;
        station_is_online("line4", true);
        station_has_done("line4", 10, 1, NULL);
        slot_is("line4", "A1", "flashed", NULL);
        station_says(TOPIC_SLOT, "line4", "Z1",
                     "{\"slot\":\"Z1\",\"phase\":\"downloading\",\"bytes_done\":1e300}");
        station_says(TOPIC_SLOT, "line4", "Z2",
                     "{\"slot\":\"Z2\",\"phase\":\"downloading\",\"bytes_done\":-1}");
        station_says(TOPIC_SLOT, "line4", "Z3", "nonsense");
        all_is_said();
        text = DONE("status", "--station", "line4");
        expect_in(text, "line4   today 10 flashed");
        expect_in(text, "\nA1 ");
        expect_not_in(text, "\nZ1 ");
        expect_in(text, z1);
        expect_in(text, "espdfu/1/line4/slot/Z2: bytes_done is not understood");
        expect_in(text, "espdfu/1/line4/slot/Z3 is not understood: expected a JSON object");
        rows = CELLS("slot,phase", "status", "--station", "line4");
        expect_in(rows, "A1 flashed\n");
        expect_in(rows, z1);
        assert_int_equal(lines_of(rows), 4);
        json = DONE("status", "--station", "line4", "--json");
        all = json_loads(json, 0, NULL);
        station = json_array_get(json_object_get(all, "stations"), 0);
        assert_int_equal(json_object_size(json_object_get(station, "faults")), 3);
        assert_non_null(json_object_get(json_object_get(station, "slots"), "Z1"));
        json_decref(all);
        slot_is("line4", "Z1", "flashed", NULL);
        all_is_said();
        mended = DONE("status", "--station", "line4");
        expect_in(mended, "\nZ1 ");
        expect_not_in(mended, z1);
}

static void test_a_note_has_an_end_where_no_terminal_cuts_it(void **state)
{
        _cleanup_(freep) char *text = NULL, *json = NULL;
        char held[901];

        (void)state;
        memset(held, 'x', 900);
        held[900] = '\0';
        station_is_online("line3", true);
        station_has_done("line3", 1, 0, held);
        all_is_said();
        text = CELLS("note", "status");
        assert_int_equal(strlen(text), 300 + strlen("\u2026\n"));
        expect_in(text, "x\u2026\n");
        json = DONE("status", "--json");
        expect_in(json, held);
}

static void test_a_name_that_no_station_can_have_is_refused_at_once(void **state)
{
        static const char *const verbs[] = { "status", "watch", "history" };
        char longer[TOPIC_NAME_MAX + 2];
        const char *const names[] = { "", longer, "line\xff" };

        (void)state;
        memset(longer, 'x', sizeof(longer));
        longer[TOPIC_NAME_MAX + 1] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                        _cleanup_(freep) char *text = NULL;

                        assert_int_equal(FLEET(&text, verbs[i], "--station", names[k]), 2);
                        assert_int_equal(lines_of(text), 1);
                        expect_in(text, "expected a name of 1 to 64 bytes");
                }
}

static void test_empty_fleet_says_so_and_unknown_station_is_an_error(void **state)
{
        _cleanup_(freep) char *text = NULL, *unknown = NULL, *wrong = NULL;

        (void)state;
        text = DONE("status");
        assert_string_equal(
                text, "No station: the broker keeps nothing of espdfu's, or this user may not read it.\n");
        assert_int_equal(FLEET(&unknown, "status", "--station", "nobody"), 1);
        assert_string_equal(
                unknown,
                "espdfu-fleet: status: no station nobody: the broker keeps nothing of it, or this user "
                "may not read it\n");
        assert_int_equal(FLEET(&wrong, "status", "--output", "colour"), 2);
        expect_in(wrong, "status: --output 'colour': expected some of station, online, slots, ");
}

static void test_broker_that_refuses_or_is_away_is_one_line(void **state)
{
        _cleanup_(freep) char *refused = NULL, *away = NULL;

        (void)state;
        write_fleet_conf("line3.password");
        assert_int_equal(FLEET(&refused, "status"), 3);
        assert_int_equal(lines_of(refused), 1);
        expect_in(refused, "it refuses us: Not authorized");
        expect_not_in(refused, "tried again");
        stop_broker();
        assert_int_equal(FLEET(&away, "status"), 3);
        assert_int_equal(lines_of(away), 1);
        expect_in(away, "Connection refused");
        start_broker(false);
}

static void test_a_file_that_the_configuration_names_is_looked_at_first(void **state)
{
        _cleanup_(freep) char *missing = NULL, *open = NULL;

        (void)state;
        write_fleet_conf("nobody.password");
        assert_int_equal(FLEET(&missing, "status"), 2);
        assert_int_equal(lines_of(missing), 1);
        expect_in(missing, "/fleet.conf:6: password-file = ");
        expect_in(missing, "nobody.password: No such file or directory");
        write_file("open.password", "viewer\n");
        assert_int_equal(chmod(bed_file("open.password"), 0644), 0);
        write_fleet_conf("open.password");
        assert_int_equal(FLEET(&open, "watch"), 2);
        expect_in(open, "everybody may read it: expected chmod o-r");
}

/* A program's exit code, and what it said. */
static int run(char **ret, const char *const *argv)
{
        int status;

        write_file("fleet.out", "");
        status = end_program(start_program("fleet.out", argv), 0);
        *ret = text_of(bed_file("fleet.out"));
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void expect_run(int code, const char *said, const char *const *argv)
{
        _cleanup_(freep) char *text = NULL;
        int r = run(&text, argv);

        if (r != code || !strstr(text, said))
                fail_msg("exit code %d, expected %d with \"%s\":\n%s", r, code, said, text);
        assert_true(code == 0 || lines_of(text) == 1);
}

#define EXPECT_RUN(code, said, ...) expect_run((code), (said), (const char *const[]){ __VA_ARGS__, NULL })

static void test_check_looks_at_each_file_that_is_named(void **state)
{
        const char *mqtt = bed_file("mqtt.conf"), *collect = bed_file("collect.conf");
        char text[1024];

        (void)state;
        snprintf(text, sizeof(text), "[broker]\nhost = localhost\nca-file = %s\ncertificate = %s\nkey = %s\n",
                 bed_file("ca.crt"), bed_file("client.crt"), bed_file("client.key"));
        write_file("mqtt.conf", text);
        EXPECT_RUN(0, "", ESPDFU_MQTT, "--check", "--config", mqtt);
        assert_int_equal(chmod(bed_file("client.key"), 0644), 0);
        EXPECT_RUN(78, "/mqtt.conf:5: key = ", ESPDFU_MQTT, "--check", "--config", mqtt);
        assert_int_equal(chmod(bed_file("client.key"), 0600), 0);
        strncat(text, "[database]\nconnection = host=/run dbname=espdfu\n", sizeof(text) - strlen(text) - 1);
        write_file("collect.conf", text);
        EXPECT_RUN(0, "", ESPDFU_COLLECT, "--check", "--config", collect);

        snprintf(text, sizeof(text), "[broker]\nhost = localhost\nca-file = /nowhere/ca.crt\n");
        write_file("mqtt.conf", text);
        EXPECT_RUN(78, "/mqtt.conf:3: ca-file = /nowhere/ca.crt: No such file or directory", ESPDFU_MQTT,
                   "--check", "--config", mqtt);
        snprintf(text, sizeof(text), "[broker]\nhost = localhost\ncertificate = %s\nkey = %s\n",
                 bed_file("client.crt"), bed_file("broker.key"));
        write_file("mqtt.conf", text);
        EXPECT_RUN(78, "client.crt: expected two that belong together", ESPDFU_MQTT, "--check", "--config",
                   mqtt);
        write_file("collect.conf", "[broker]\nhost = localhost\n[database]\nconnection = host=a db name\n");
        EXPECT_RUN(78, "/collect.conf:4: connection: missing \"=\" after \"db\"", ESPDFU_COLLECT, "--check",
                   "--config", collect);
}

static void test_arguments_that_are_none_are_said_alike(void **state)
{
        (void)state;
        EXPECT_RUN(2, "espdfu-mqtt: --nonsense: is not understood: see espdfu-mqtt --help", ESPDFU_MQTT,
                   "--nonsense");
        EXPECT_RUN(2, "espdfu-mqtt: --config: expected a value after it", ESPDFU_MQTT, "--config");
        EXPECT_RUN(2, "espdfu-mqtt: more: is not understood: see espdfu-mqtt --help", ESPDFU_MQTT, "more");
        EXPECT_RUN(2, "espdfu-collect: --nonsense: is not understood: see espdfu-collect --help",
                   ESPDFU_COLLECT, "--nonsense");
        EXPECT_RUN(2, "--database: expected what libpq connects with", ESPDFU_COLLECT, "--init", "--database",
                   "");
        EXPECT_RUN(2, "--init: expected alone", ESPDFU_COLLECT, "--init", "--schema");
        EXPECT_RUN(0, PACKAGE_STRING "\n", ESPDFU_MQTT, "--version");
        EXPECT_RUN(0, PACKAGE_STRING "\n", ESPDFU_COLLECT, "--version");
        EXPECT_RUN(0, PACKAGE_STRING "\n", ESPDFU_FLEET, "--version");
}

/* ---- watch ---- */

static void test_watch_prints_what_happens(void **state)
{
        const char *argv[] = { ESPDFU_FLEET, "--config", bed_file("fleet.conf"), "watch", "--station",
                               "line3",      NULL };
        pid_t watch;

        (void)state;
        station_is_online("line3", true);
        all_is_said();
        write_file("watch.out", "");
        watch = start_program("watch.out", argv);
        expect_line("watch.out", " line3 online");
        slot_is("line3", "A1", "failed", "board left at 24 kB");
        all_is_said();
        expect_line("watch.out", " line3 A1 failed: board left at 24 kB");
        station_is_online("line3", false);
        all_is_said();
        expect_line("watch.out", " line3 offline: espdfu-mqtt is gone, or the way to it");
        assert_int_equal(end_program(watch, SIGINT), 0);
}

static void test_watch_begins_in_order_and_repeats_nothing_after_a_reconnection(void **state)
{
        const char *argv[] = { ESPDFU_FLEET, "--config", bed_file("fleet.conf"), "watch", "--station",
                               "line3",      NULL };
        _cleanup_(freep) char *text = NULL;
        pid_t watch;

        (void)state;
        slot_is("line3", "A10", "flashed", NULL);
        slot_is("line3", "A2", "empty", NULL);
        station_is_online("line3", true);
        slot_is("line3", "A1", "empty", NULL);
        all_is_said();
        write_file("watch.out", "");
        watch = start_program("watch.out", argv);
        expect_line("watch.out", " line3 A10 flashed");
        text = text_of(bed_file("watch.out"));
        assert_int_equal(lines_of(text), 4);
        expect_in_order(text, " line3 online", " line3 A1 empty");
        expect_in_order(text, " line3 A1 empty", " line3 A2 empty");
        expect_in_order(text, " line3 A2 empty", " line3 A10 flashed");

        kill_broker();
        turn_until(voice, !broker_is_up(voice));
        start_broker(false);
        turn_until(voice, broker_is_up(voice));
        station_is_online("line3", true);
        slot_is("line3", "A1", "empty", NULL);
        slot_is("line3", "A2", "queued", NULL);
        all_is_said();
        expect_line("watch.out", " line3 A2 queued");
        station_says(TOPIC_SLOT, "line3", "A2", "");
        all_is_said();
        expect_line("watch.out", " line3 A2 gone");
        assert_int_equal(lines_with("watch.out", " line3 online"), 1);
        assert_int_equal(lines_with("watch.out", " line3 A1 empty"), 1);
        assert_int_equal(end_program(watch, SIGINT), 0);
}

static void test_watch_of_a_station_that_is_not_there_says_so_and_waits(void **state)
{
        const char *argv[] = { ESPDFU_FLEET, "--config", bed_file("fleet.conf"), "watch", "--station",
                               "nix",        NULL };
        pid_t watch;

        (void)state;
        write_file("watch.out", "");
        watch = start_program("watch.out", argv);
        expect_line("watch.out", "the broker keeps nothing of a station nix yet");
        station_is_online("nix", true);
        all_is_said();
        expect_line("watch.out", " nix online");
        assert_int_equal(lines_with("watch.out", "keeps nothing"), 1);
        assert_int_equal(end_program(watch, SIGTERM), 0);
}

/* Of a processor, in half a second in which nothing happens. */
static void expect_at_rest(pid_t pid)
{
        struct timespec begin, end;
        clockid_t clock;

        assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
        assert_int_equal(clock_gettime(clock, &begin), 0);
        usleep(500 * 1000);
        assert_int_equal(clock_gettime(clock, &end), 0);
        assert_true((double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9 < 0.05);
}

static void test_watch_rests_while_nothing_happens(void **state)
{
        const char *lines[] = { ESPDFU_FLEET, "--config", bed_file("fleet.conf"), "watch", NULL };
        const char *json[] = { ESPDFU_FLEET, "--config", bed_file("fleet.conf"), "watch", "--json", NULL };
        const char **all[] = { lines, json };

        (void)state;
        station_is_online("line3", true);
        all_is_said();
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                pid_t watch;

                write_file("watch.out", "");
                watch = start_program("watch.out", all[i]);
                expect_line("watch.out", "line3");
                expect_at_rest(watch);
                assert_int_equal(end_program(watch, SIGTERM), 0);
        }
}

static void test_watch_as_json_is_a_line_for_each_message(void **state)
{
        const char *argv[] = { ESPDFU_FLEET, "--config", bed_file("fleet.conf"), "watch", "--json", NULL };
        pid_t watch;

        (void)state;
        station_is_online("line3", true);
        all_is_said();
        write_file("watch.out", "");
        watch = start_program("watch.out", argv);
        expect_line("watch.out",
                    "{\"station\":\"line3\",\"kind\":\"online\",\"slot\":null,\"payload\":{\"online\":true,");
        station_says(TOPIC_ONLINE, "line3", NULL, "");
        all_is_said();
        expect_line("watch.out",
                    "{\"station\":\"line3\",\"kind\":\"online\",\"slot\":null,\"payload\":null}");
        assert_int_equal(end_program(watch, SIGTERM), 0);
}

static void test_watch_on_a_low_terminal_has_its_lines_for_rows(void **state)
{
        const char *argv[] = { ON_TERMINAL, "30", "3", ESPDFU_FLEET, "--config", bed_file("fleet.conf"),
                               "watch",     NULL };
        FILE *keys, *screen;
        char line[4096] = "";
        pid_t watch;

        (void)state;
        station_is_online("line3", true);
        station_has_done("line3", 41, 0, NULL);
        all_is_said();
        setenv("TERM", "xterm", 1);
        watch = start_with_pipes("watch.err", argv, &keys, &screen);
        while (!strstr(line, "1 station, 1 online   running "))
                assert_non_null(fgets(line, sizeof(line), screen));
        assert_null(strstr(line, "today"));
        assert_non_null(fgets(line, sizeof(line), screen));
        expect_in(line, "STATION");
        fputs("key q\n", keys);
        fflush(keys);
        assert_non_null(fgets(line, sizeof(line), screen));
        expect_in(line, "line3");
        while (fgets(line, sizeof(line), screen))
                ;
        fclose(keys);
        fclose(screen);
        assert_int_equal(end_program(watch, 0), 0);
}

static void test_watch_on_a_terminal_is_a_picture_that_follows(void **state)
{
        const char *argv[] = { ON_TERMINAL, "100", "20", ESPDFU_FLEET, "--config", bed_file("fleet.conf"),
                               "watch",     NULL };
        FILE *keys, *screen;
        char line[4096] = "";
        pid_t watch;

        (void)state;
        station_is_online("line3", true);
        station_has_done("line3", 41, 0, NULL);
        all_is_said();
        setenv("TERM", "xterm", 1);
        watch = start_with_pipes("watch.err", argv, &keys, &screen);
        while (!strstr(line, "asking localhost:"))
                assert_non_null(fgets(line, sizeof(line), screen));
        while (!strstr(line, "line3") || !strstr(line, " 41 "))
                assert_non_null(fgets(line, sizeof(line), screen));
        station_has_done("line3", 4242, 0, NULL);
        all_is_said();
        while (!strstr(line, "4242"))
                assert_non_null(fgets(line, sizeof(line), screen));
        fputs("key q\n", keys);
        fflush(keys);
        while (fgets(line, sizeof(line), screen))
                ;
        fclose(keys);
        fclose(screen);
        assert_int_equal(end_program(watch, 0), 0);
}

/* What a terminal of this size shows of it, without what moves the cursor; to be freed. */
static char *on_terminal(const char *columns, const char *lines, const char *station)
{
        const char *argv[] = { ON_TERMINAL, columns,
                               lines,       ESPDFU_FLEET,
                               "--config",  bed_file("fleet.conf"),
                               "status",    station ? "--station" : NULL,
                               station,     NULL };
        _cleanup_(freep) char *text = NULL;
        FILE *keys, *screen;
        char line[4096];
        size_t size;
        FILE *f = open_memstream(&text, &size);
        pid_t status;

        setenv("TERM", "dumb", 1);
        status = start_with_pipes("status.err", argv, &keys, &screen);
        while (fgets(line, sizeof(line), screen) && line[0] != '[')
                fputs(line, f);
        fclose(keys);
        fclose(screen);
        fclose(f);
        assert_int_equal(end_program(status, 0), 0);
        return take_ptr(text);
}

static void test_a_narrow_terminal_has_the_header_cut_to_it(void **state)
{
        static const char *const widths[] = { "40", "20", "5" };
        static const char *const stations[] = { NULL, "line3" };

        (void)state;
        station_is_online("line3", true);
        station_has_done("line3", 41, 0, NULL);
        all_is_said();
        for (size_t i = 0; i < ARRAY_SIZE(widths); i++)
                for (size_t k = 0; k < ARRAY_SIZE(stations); k++) {
                        _cleanup_(freep) char *text = on_terminal(widths[i], "20", stations[k]);
                        size_t width = strtoul(widths[i], NULL, 10);
                        const char *line = text;

                        for (; *line && *line != '\r'; line += strcspn(line, "\n") + 1)
                                if (strcspn(line, "\r\n") > width)
                                        fail_msg("more than %zu columns:\n%s", width, text);
                        assert_true(line > text);
                }
}

/* ---- history ---- */

static void store_has(const char *id, const char *name, int64_t sequence, const char *field, json_t *value)
{
        char *payload = record_payload(id, sequence, sequence - 1, NULL, NULL);
        json_t *record = json_loads(payload, 0, NULL);
        int64_t at = 1764236460 + sequence * 60;

        free(payload);
        if (field)
                json_object_set_new(record, field, value);
        json_object_set_new(record, "start_time", json_sprintf("%lld", 0LL));
        sql("INSERT INTO espdfu.station (station_id, name) VALUES ('%s', '%s') ON CONFLICT DO NOTHING", id,
            name);
        payload = json_dumps(record, JSON_COMPACT);
        for (char *quote = payload; (quote = strchr(quote, '\'')); quote++)
                *quote = '"';
        sql("SELECT espdfu.add_records(jsonb_build_array('%s'::jsonb || jsonb_build_object('start_time', "
            "to_timestamp(%lld), "
            "'end_time', to_timestamp(%lld))))",
            payload, (long long)at, (long long)at + 10);
        free(payload);
        json_decref(record);
}

static void test_history_is_chosen_as_espdfuctl_does(void **state)
{
        const char *init[] = { ESPDFU_COLLECT, "--init", "--database", store_bed.connection, NULL };
        static const char a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
        char *text;

        (void)state;
        setenv("TZ", "UTC", 1);
        assert_int_equal(end_program(start_program("init.log", init), 0), 0);
        store_has(a, "line3", 1, NULL, NULL);
        store_has(a, "line3", 2, "slot", json_string("A2"));
        store_has(b, "line4", 1, "mac", json_string("7c:df:a1:0b:00:99"));
        store_has(b, "line4", 3, "verdict", json_string("flashed"));
        store_has(b, "line4", 4, "image_name", json_string("probe"));
#define ROWS(expected, ...)                                                                                  \
        do {                                                                                                 \
                text = CELLS("station,time,slot", "history", __VA_ARGS__);                                   \
                assert_string_equal(text, expected);                                                         \
                free(text);                                                                                  \
        } while (0)
        ROWS("line4 2025-11-27 09:45 A1\nline4 2025-11-27 09:44 A1\nline3 2025-11-27 09:43 A2\n"
             "line3 2025-11-27 09:42 A1\nline4 2025-11-27 09:42 A1\n",
             "--all");
        ROWS("line4 2025-11-27 09:45 A1\n", "--limit", "1");
        ROWS("line3 2025-11-27 09:43 A2\nline3 2025-11-27 09:42 A1\n", "--station", "line3");
        ROWS("line3 2025-11-27 09:43 A2\nline3 2025-11-27 09:42 A1\n", "--station", a);
        ROWS("line3 2025-11-27 09:43 A2\n", "--slot", "A2");
        ROWS("line4 2025-11-27 09:42 A1\n", "--mac", "7C-DF-A1-0B-00-99");
        ROWS("line4 2025-11-27 09:44 A1\n", "--verdict", "flashed");
        ROWS("line4 2025-11-27 09:45 A1\n", "--image", "probe");
        ROWS("line4 2025-11-27 09:45 A1\n", "--image", "6192AB", "--limit", "1");
        ROWS("line4 2025-11-27 09:45 A1\n", "--since", "2025-11-27 09:45");
        ROWS("line3 2025-11-27 09:42 A1\nline4 2025-11-27 09:42 A1\n", "--until", "2025-11-27 09:43");
        text = DONE("history", "--slot", "nothing");
        assert_string_equal(text, "No attempt.\n");
        free(text);
        assert_int_equal(FLEET(&text, "history", "--station", "nix"), 1);
        assert_string_equal(text, "espdfu-fleet: history: no station nix: the database has nothing of it\n");
        free(text);
        text = DONE("history", "--station", "line3", "--limit", "1", "--json");
        {
                json_t *all = json_loads(text, 0, NULL);
                json_t *attempt = json_array_get(json_object_get(all, "attempts"), 0);

                assert_int_equal(json_integer_value(json_object_get(attempt, "start_realtime_usec")),
                                 1764236580000000);
                assert_string_equal(json_string_value(json_object_get(attempt, "fleet_station")), "line3");
                assert_string_equal(json_string_value(json_object_get(attempt, "station_id")), a);
                assert_int_equal(json_integer_value(json_object_get(attempt, "transfers")), 21);
                json_decref(all);
        }
        free(text);
}

static void test_history_without_its_database_is_one_line(void **state)
{
        _cleanup_(freep) char *text = NULL, *empty = NULL, *wrong = NULL;
        char conf[256];

        (void)state;
        write_file("fleet.conf", "[database]\nconnection = host=/nowhere dbname=espdfu\n");
        assert_int_equal(FLEET(&text, "history"), 3);
        assert_int_equal(lines_of(text), 1);
        expect_in(
                text,
                "espdfu-fleet: database: connection to server on socket \"/nowhere/.s.PGSQL.5432\" failed: ");
        write_file("fleet.conf", "[database]\nconnection = hots=/nowhere\n");
        assert_int_equal(FLEET(&wrong, "history"), 2);
        assert_int_equal(lines_of(wrong), 1);
        expect_in(wrong, "/fleet.conf:2: connection: invalid connection option \"hots\"");
        snprintf(conf, sizeof(conf), "[database]\nconnection = %s\n", new_database("empty"));
        write_file("fleet.conf", conf);
        assert_int_equal(FLEET(&empty, "history"), 3);
        expect_in(empty, "relation \"espdfu.record\" does not exist");
}

static int set_up(void **state)
{
        setenv("LC_ALL", "C.UTF-8", 1);
        setenv("TZ", "UTC", 1);
        return beds_setup(state);
}

#define story(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                story(test_two_hundred_stations_are_a_row_each_in_under_a_second),
                story(test_slots_of_one_station_are_those_of_its_own_status),
                story(test_station_that_is_offline_says_since_when_and_why),
                story(test_station_and_slot_that_are_no_more_are_not_shown),
                story(test_json_is_what_was_heard_whole),
                story(test_what_no_station_of_ours_says_is_named_and_not_shown),
                story(test_what_is_not_understood_of_one_slot_hides_no_other),
                story(test_a_note_has_an_end_where_no_terminal_cuts_it),
                story(test_a_name_that_no_station_can_have_is_refused_at_once),
                story(test_empty_fleet_says_so_and_unknown_station_is_an_error),
                story(test_broker_that_refuses_or_is_away_is_one_line),
                story(test_a_file_that_the_configuration_names_is_looked_at_first),
                story(test_check_looks_at_each_file_that_is_named),
                story(test_arguments_that_are_none_are_said_alike),
                story(test_watch_prints_what_happens),
                story(test_watch_begins_in_order_and_repeats_nothing_after_a_reconnection),
                story(test_watch_of_a_station_that_is_not_there_says_so_and_waits),
                story(test_watch_rests_while_nothing_happens),
                story(test_watch_as_json_is_a_line_for_each_message),
                story(test_watch_on_a_low_terminal_has_its_lines_for_rows),
                story(test_watch_on_a_terminal_is_a_picture_that_follows),
                story(test_a_narrow_terminal_has_the_header_cut_to_it),
                story(test_history_is_chosen_as_espdfuctl_does),
                story(test_history_without_its_database_is_one_line),
        };

        cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
        return cmocka_run_group_tests(tests, set_up, beds_teardown);
}
