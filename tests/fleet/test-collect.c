/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real espdfu-collect between a real Mosquitto and a real PostgreSQL: whatever of the three ends at whatever moment, every
 * record is in the store once, and no station is told that one is before it is.
 */
#include "tests/fleet/model-stations.h"
#include "tests/fleet/store-bed.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "tests/fleet/records.h"

#define SAID "collect.log"

static struct model_stations line; /* the stations of a story */
static pid_t collectors[8];        /* that run; 0: free */

/* ---- vocabulary ---- */

static pid_t start_collector_of(const char *connection, const char *log)
{
        const char *argv[] = { ESPDFU_COLLECT, "--config", NULL, NULL };

        char name[32];
        size_t i = 0;

        while (collectors[i])
                i++;
        snprintf(name, sizeof(name), "collect-%zu.conf", i);
        argv[2] = write_collect_conf(name, connection);
        return collectors[i] = start_program(log, argv);
}

static pid_t start_collector(void)
{
        return start_collector_of(store_bed.connection, SAID);
}

static int end_collector(pid_t pid, int signal)
{
        for (size_t i = 0; i < ARRAY_SIZE(collectors); i++)
                collectors[i] = collectors[i] == pid ? 0 : collectors[i];
        return end_program(pid, signal);
}

/* Asked to end it does, without a complaint. */
static void stop_collector(pid_t pid)
{
        assert_int_equal(end_collector(pid, SIGTERM), 0);
}

static void crash_collector(pid_t pid)
{
        end_collector(pid, SIGKILL);
}

/* How often something is done, and how long it takes: `make fleet-storm` wants more of it. */
static unsigned times(unsigned n)
{
        const char *more = getenv("ESPDFU_FLEET_TIMES");
        long factor = more ? strtol(more, NULL, 10) : 1;

        return n * (unsigned)MAX(factor, 1L);
}

/* How many records: as many as there is something to lose of, or those of a storm. */
static unsigned records(unsigned few, unsigned many)
{
        return times(1) > 1 ? many : few;
}

/* Both ends are counted: every record of every station is there, with its own contents, and nothing else is. */
static void expect_all_records_once(void)
{
        char expected[64];

        stations_turn_until_within(&line, 60, model_stations_all_delivered(&line));
        snprintf(expected, sizeof(expected), "%lld|%lld|t", (long long)model_stations_records(&line),
                 (long long)model_stations_records(&line));
        assert_string_equal(
                sql("SELECT count(*), count(DISTINCT (station_id, sequence)), "
                    "coalesce(bool_and(slot = 'S' || (sequence - 1) %% 40 AND id = sequence + 1000), true) "
                    "FROM espdfu.record"),
                expected);
        for (unsigned i = 0; i < line.n; i++) {
                snprintf(expected, sizeof(expected), "%lld|%lld", (long long)line.stations[i].last,
                         (long long)line.stations[i].last);
                assert_string_equal(
                        sql("SELECT s.sequence, (SELECT max(sequence) FROM espdfu.record AS r WHERE "
                            "r.station_id = s.station_id) FROM espdfu.station AS s WHERE station_id = '%s'",
                            line.stations[i].id),
                        expected);
        }
        assert_string_equal(sql("SELECT count(*) FROM espdfu.dead_letter"), "0");
}

static int begin(void **state)
{
        (void)state;
        sql_in(NULL);
        sql("DROP SCHEMA IF EXISTS espdfu CASCADE");
        write_file(SAID, "");
        start_broker(true);
        return 0;
}

static int end(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(collectors); i++)
                if (collectors[i])
                        crash_collector(collectors[i]);
        if (line.broker)
                model_stations_close(&line);
        line = (struct model_stations){ 0 };
        if (bed.broker)
                kill_broker();
        unlink(bed_file("mosquitto.db"));
        if (!store_bed.server)
                start_database();
        return 0;
}

/* ---- the whole way ---- */

static void test_records_of_many_stations_are_in_the_store_and_their_stations_are_told(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 20);
        model_stations_work(&line, records(20, 50));
        expect_all_records_once();
        assert_string_equal(
                sql("SELECT string_agg(name, ',' ORDER BY name) FROM espdfu.station WHERE name < 'line13'"),
                "line0,line1,line10,line11,line12");
        stop_collector(collector);
        assert_int_equal(lines_with(SAID, ""), 0);
}

static void test_number_is_retained_for_a_station_that_comes_later(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 3);
        model_stations_work(&line, 10);
        expect_all_records_once();
        stop_collector(collector);
        model_stations_close(&line);
        model_stations_open(&line, 3);
        model_stations_work(&line, 10);
        line.silent = true;
        stations_turn_until(&line, model_stations_all_delivered(&line));
}

/* ---- everything ends at some moment ---- */

static void test_broker_is_killed_under_load(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 10);
        for (unsigned round = 0; round < times(2); round++) {
                unsigned ups = line.ups;

                model_stations_work(&line, records(50, 150));
                stations_turn_until(&line,
                                    line.stations[0].delivered >= line.stations[0].last - records(30, 100));
                kill_broker();
                start_broker(round % 2 == 0);
                stations_turn_until(&line, line.ups > ups);
        }
        expect_all_records_once();
        stop_collector(collector);
}

static void test_collector_is_killed_under_load(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 10);
        for (unsigned round = 0; round < times(2); round++) {
                model_stations_work(&line, records(50, 150));
                stations_turn_until(&line,
                                    line.stations[9].delivered >= line.stations[9].last - records(40, 120));
                crash_collector(collector);
                collector = start_collector();
        }
        expect_all_records_once();
        stop_collector(collector);
}

static void test_database_is_restarted_and_crashes_under_load(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 10);
        for (unsigned round = 0; round < times(2); round++) {
                model_stations_work(&line, records(50, 150));
                stations_turn_until(&line,
                                    line.stations[5].delivered >= line.stations[5].last - records(40, 120));
                if (round % 2 == 0)
                        stop_database();
                else
                        crash_database();
                for (int turns = 0; turns < 10; turns++)
                        model_stations_turn(&line);
                start_database();
        }
        expect_all_records_once();
        stop_collector(collector);
        assert_true(lines_with(SAID, "database: connected") >= 1);
        assert_true(lines_with(SAID, "") <
                    40); /* a line when it begins and when it ends, not for each attempt */
}

static void test_two_collectors_share_the_work_and_one_dies(void **state)
{
        pid_t first = start_collector(), second = start_collector_of(store_bed.connection, "second.log");

        (void)state;
        model_stations_open(&line, 10);
        model_stations_work(&line, records(30, 100));
        expect_all_records_once();
        expect_sql("2", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'espdfu-collect' AND "
                        "query LIKE "
                        "'%espdfu.take%'");
        model_stations_work(&line, records(100, 300));
        stations_turn_until(&line, line.stations[3].delivered >= line.stations[3].last - records(80, 250));
        crash_collector(second);
        expect_all_records_once();
        stop_collector(first);
}

/* ---- the database does not take them ---- */

static void test_collector_without_its_database_leaves_the_records_to_the_other(void **state)
{
        pid_t blind = start_collector_of("host=/nowhere dbname=espdfu", "blind.log"),
              seeing = start_collector();

        (void)state;
        expect_line("blind.log",
                    "database: connection to server on socket \"/nowhere/.s.PGSQL.5432\" failed: No such "
                    "file or directory; tried again, at the latest every 1 s");
        model_stations_open(&line, 10);
        line.again_usec = 600 * USEC_PER_SEC; /* nothing comes in by being sent again */
        expect_sql("t", "SELECT to_regclass('espdfu.record') IS NOT NULL");
        stations_turn_until(&line, line.ups > 0);
        while (streq(sql("SELECT count(*) FROM espdfu.station"), "0")) {
                model_stations_work(&line, 1);
                for (int turns = 0; turns < 10; turns++)
                        model_stations_turn(&line);
                line.again_usec = USEC_PER_SEC; /* the first may have come before it was there to hear them */
        }
        expect_all_records_once();
        line.again_usec = 600 * USEC_PER_SEC;
        model_stations_work(&line, records(30, 100));
        expect_all_records_once();
        assert_int_equal(lines_with("blind.log", ""), 1);
        stop_collector(blind);
        stop_collector(seeing);
}

static void test_database_whose_disk_is_full_is_said_once_and_nothing_is_lost(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 5);
        model_stations_work(&line, 20);
        expect_all_records_once();
        sql("CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could "
            "not extend "
            "file: No space left on device' USING ERRCODE = 'disk_full'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON espdfu.record FOR EACH STATEMENT EXECUTE FUNCTION "
            "full_disk()");
        model_stations_work(&line, 200);
        for (uint64_t until = monotonic_usec() + 2 * USEC_PER_SEC; monotonic_usec() < until;)
                model_stations_turn(&line);
        assert_string_equal(sql("SELECT count(*) FROM espdfu.record"), "100");
        sql("DROP TRIGGER full_disk ON espdfu.record");
        expect_all_records_once();
        sql("DROP FUNCTION full_disk");
        assert_int_equal(
                lines_with(SAID, "database: could not extend file: No space left on device: expected room on "
                                 "the disk of the database; tried again, at the latest every 1 s"),
                1);
        assert_int_equal(lines_with(SAID, "database: takes records again"), 1);
        stop_collector(collector);
}

static const char *session(void)
{
        return sql("SELECT coalesce(min(pid), 0) FROM pg_stat_activity WHERE application_name = "
                   "'espdfu-collect'");
}

/* The session that is made then has it for ever: what it was set to when it began. */
static void test_database_that_was_read_only_for_a_while_is_used_again(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 5);
        model_stations_work(&line, 20);
        expect_all_records_once();
        sql("ALTER DATABASE espdfu SET default_transaction_read_only = on");
        sql("SELECT pg_terminate_backend(%s)", session());
        model_stations_work(&line, 20);
        stations_turn_until(&line, lines_with(SAID, "read-only") == 1);
        for (uint64_t until = monotonic_usec() + 2 * USEC_PER_SEC; monotonic_usec() < until;)
                model_stations_turn(&line);
        assert_string_equal(sql("SELECT count(*) FROM espdfu.record"), "100");
        sql("BEGIN READ WRITE; ALTER DATABASE espdfu RESET default_transaction_read_only; COMMIT");
        expect_all_records_once();
        assert_int_equal(
                lines_with(SAID,
                           "database: it is read-only: expected default_transaction_read_only = off "
                           "(who runs the database may have set it on while its disk is full), or the "
                           "primary server: target_session_attrs=read-write; tried again, at the latest "
                           "every 1 s"),
                1);
        assert_int_equal(lines_with(SAID, "database: connected"), 1);
        stop_collector(collector);
}

/* Whatever it is about a session: the next try is another one. */
static void test_refusal_that_may_be_the_sessions_is_tried_again_in_another_one(void **state)
{
        pid_t collector = start_collector();
        char before[32];

        (void)state;
        model_stations_open(&line, 5);
        model_stations_work(&line, 20);
        expect_all_records_once();
        snprintf(before, sizeof(before), "%s", session());
        sql("CREATE FUNCTION read_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' "
            "USING ERRCODE = 'read_only_sql_transaction'; END $$;"
            "CREATE TRIGGER read_only BEFORE INSERT ON espdfu.record FOR EACH STATEMENT EXECUTE FUNCTION "
            "read_only()");
        model_stations_work(&line, 20);
        for (uint64_t until = monotonic_usec() + 3 * USEC_PER_SEC; monotonic_usec() < until;)
                model_stations_turn(&line);
        sql("DROP TRIGGER read_only ON espdfu.record");
        expect_all_records_once();
        sql("DROP FUNCTION read_only");
        assert_string_not_equal(session(), before);
        assert_int_equal(lines_with(SAID, "database: it is read-only"), 1);
        assert_int_equal(lines_with(SAID, "database: takes records again"), 1);
        assert_int_equal(lines_with(SAID, ""), 2); /* and not "connected" each time */
        stop_collector(collector);
}

static void test_schema_that_is_gone_is_made_anew(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 1);
        model_stations_work(&line, 5);
        expect_all_records_once();
        sql("DROP SCHEMA espdfu CASCADE");
        model_stations_work(&line, 5);
        stations_turn_until(&line,
                            lines_with(SAID, "expected the schema espdfu as espdfu-collect makes it: where "
                                             "all of it is gone it is made anew, else bring it back from "
                                             "a backup; tried again") == 1);
        stations_turn_until(&line, lines_with(SAID, "database: takes records again") == 1);
        assert_string_equal(sql("SELECT count(*) > 0 FROM espdfu.record"), "t");
        stop_collector(collector);
}

/* The most memory that it ever had, in KiB. */
static long peak_of(pid_t pid)
{
        char path[64], text[256];
        long kib = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        f = fopen(path, "re");
        assert_non_null(f);
        while (kib == 0 && fgets(text, sizeof(text), f))
                if (sscanf(text, "VmHWM: %ld", &kib) != 1)
                        kib = 0;
        fclose(f);
        return kib;
}

/* In a storm it is away for longer than a mere restart takes: then the records are left to others, who are not there. */
static void test_memory_is_bounded_while_the_database_is_away(void **state)
{
        pid_t collector = start_collector();
        uint64_t until;
        long kib;

        (void)state;
        model_stations_open(&line, 50);
        model_stations_work(&line, 1);
        expect_all_records_once();
        line.again_usec = 5 * USEC_PER_SEC;
        stop_database();
        model_stations_work(&line, 200);
        for (until = monotonic_usec() + times(3) * USEC_PER_SEC; monotonic_usec() < until;)
                model_stations_turn(&line);
        kib = peak_of(collector);
        printf("with 10000 records on their way, again and again, and no database: %ld MiB at most\n",
               kib / 1024);
        assert_true(kib < 100 * 1024);
        start_database();
        expect_all_records_once();
        stop_collector(collector);
}

/* ---- what is no record ---- */

static void say_as_station(const char *topic, const char *payload)
{
        stations_turn_until(&line, broker_is_up(line.broker));
        assert_int_equal(broker_publish(line.broker, topic, payload, strlen(payload), 1, false, NULL), 0);
}

static void test_what_cannot_be_read_is_a_dead_letter_and_a_line(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 1);
        model_stations_work(&line, 1);
        expect_all_records_once();
        say_as_station("espdfu/2/line0/job", "{\"of\":\"the future\"}");
        say_as_station("espdfu/1/line0/job", "nonsense");
        say_as_station("espdfu/1/line0/job", "nonsense");
        stations_turn_until(&line, lines_with(SAID, "dead_letter") == 2);
        assert_int_equal(
                lines_with(SAID,
                           "espdfu/2/line0/job: another version of the topics: expected espdfu/1/; kept in "
                           "espdfu.dead_letter"),
                1);
        expect_sql(
                "espdfu/1/line0/job|nonsense|2\nespdfu/2/line0/job|{\"of\":\"the future\"}|1",
                "SELECT topic, convert_from(payload, 'UTF8'), times FROM espdfu.dead_letter ORDER BY topic");
        model_stations_work(&line, 5);
        stations_turn_until(&line, model_stations_all_delivered(&line));
        stop_collector(collector);
}

static void test_flood_of_nonsense_is_kept_and_told_in_a_few_lines(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 1);
        model_stations_work(&line, 1);
        expect_all_records_once();
        for (int i = 0; i < 200; i++) {
                char text[32];

                snprintf(text, sizeof(text), "nonsense %d", i);
                say_as_station("espdfu/1/line0/job", text);
        }
        stations_turn_until(&line, streq(sql("SELECT count(*) FROM espdfu.dead_letter"), "200"));
        assert_true(lines_with(SAID, "") <= 22); /* ten a minute, and that there are more */
        stop_collector(collector);
}

static void say_record_as(const char *topic, int64_t sequence, int64_t previous)
{
        _cleanup_(freep) char *payload = record_payload(line.stations[0].id, sequence, previous, NULL, NULL);

        say_as_station(topic, payload);
}

/* Whoever says it: a station keeps its records until its own are there. */
static void test_station_that_speaks_for_another_one_moves_nothing_and_is_named(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 1);
        model_stations_work(&line, 10);
        expect_all_records_once();
        for (int i = 0; i < 50; i++)
                say_record_as("espdfu/1/line9/job", INT64_C(9000000000) + i, 10);
        stations_turn_until(&line, streq(sql("SELECT count(*) FROM espdfu.dead_letter"), "50"));
        stations_turn_until(&line, lines_with(SAID, "") == 1);
        expect_line(SAID, "espdfu/1/line9/job: this ledger is station line0's, and nothing of it is taken "
                          "under the name line9: if the station has got another name: SELECT "
                          "espdfu.rename_station('line0', 'line9'); if line9 has a copy of its ledger: "
                          "espdfud --new-ledger-id on line9; else line9 says that it is another one; kept in "
                          "espdfu.dead_letter");
        sql("DELETE FROM espdfu.dead_letter");
        model_stations_work(&line, 10);
        expect_all_records_once();
        stop_collector(collector);
        assert_int_equal(lines_with(SAID, ""), 1);
}

static void test_numbers_that_are_no_more_are_a_line(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 1);
        model_stations_work(&line, 3);
        expect_all_records_once();
        line.stations[0].last = 20;
        line.stations[0].sent = 20;
        say_record_as("espdfu/1/line0/job", 20, 3);
        stations_turn_until(&line, lines_with(SAID, "") == 1);
        expect_line(SAID, "station line0: the records with the numbers 4 to 19 are no more: its ledger had "
                          "them no longer when they were to be sent; all that is missing: SELECT * FROM "
                          "espdfu.missing()");
        stop_collector(collector);
}

/* ---- what stations are told ---- */

static void test_lower_number_that_somebody_tells_is_put_right(void **state)
{
        pid_t collector = start_collector();
        char text[DELIVERED_TEXT_SIZE];
        struct delivered lower = { .sequence = 3 };
        unsigned told;

        (void)state;
        model_stations_open(&line, 1);
        model_stations_work(&line, 10);
        expect_all_records_once();
        memcpy(lower.station_id, line.stations[0].id, sizeof(lower.station_id));
        told = line.told;
        assert_int_equal(broker_publish(line.broker, "espdfu/1/line0/delivered", text,
                                        delivered_print(&lower, text), 1, true, NULL),
                         0);
        stations_turn_until(&line, line.told > told); /* the right one again */
        model_stations_close(&line);
        model_stations_open(&line, 1);
        model_stations_work(&line, 10);
        line.silent = true;
        stations_turn_until(&line, model_stations_all_delivered(&line));
        stop_collector(collector);
}

static void test_broker_that_forgot_everything_is_told_again(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 5);
        model_stations_work(&line, 10);
        expect_all_records_once();
        model_stations_close(&line);
        kill_broker();
        unlink(bed_file("mosquitto.db"));
        start_broker(false);
        model_stations_open(&line, 5);
        model_stations_work(&line, 10);
        line.silent = true;
        stations_turn_until(&line, model_stations_all_delivered(&line));
        stop_collector(collector);
}

static void test_station_that_sends_what_is_there_already_is_told(void **state)
{
        pid_t collector = start_collector();
        unsigned told;

        (void)state;
        model_stations_open(&line, 1);
        model_stations_work(&line, 10);
        expect_all_records_once();
        told = line.told;
        line.stations[0].delivered = line.stations[0].sent = 0; /* it lost its cursor */
        stations_turn_until(&line, line.told > told);
        expect_all_records_once();
        stop_collector(collector);
}

/* ---- a service ---- */

static void test_readiness_is_told_to_systemd(void **state)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        char text[256] = "";
        pid_t collector;

        (void)state;
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", bed_file("notify"));
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        setenv("NOTIFY_SOCKET", address.sun_path, 1);
        collector = start_collector();
        unsetenv("NOTIFY_SOCKET");
        while (!strstr(text, "READY=1")) {
                assert_int_equal(poll(&pfd, 1, 20000), 1);
                assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
        }
        stop_collector(collector);
        close(fd);
}

static void test_collector_that_is_asked_to_end_brings_in_what_it_has(void **state)
{
        pid_t collector = start_collector();

        (void)state;
        model_stations_open(&line, 10);
        model_stations_work(&line, 200);
        stations_turn_until(&line, line.stations[0].delivered > 20);
        stop_collector(collector);
        collector = start_collector();
        expect_all_records_once();
        stop_collector(collector);
}

static void expect_refusal(const char *text, const char *said)
{
        const char *argv[] = { ESPDFU_COLLECT, "--config", write_file("wrong.conf", text), NULL };
        int status;

        write_file("wrong.log", "");
        status = end_program(start_program("wrong.log", argv), 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 78);
        expect_line("wrong.log", said);
}

static void test_configuration_that_is_wrong_is_refused_with_its_line(void **state)
{
        (void)state;
        expect_refusal("[broker]\nhost = x\n",
                       "wrong.conf: connection is missing: expected [database] with connection = what "
                       "libpq connects with");
        expect_refusal("[broker]\nhost = x\n[database]\nconnection = x\nbatch = 0\n",
                       "wrong.conf:5: batch = 0: expected a number from 1 to 10000");
        expect_refusal("[broker]\nhost = x\n[station]\nname = y\n",
                       "wrong.conf:3: [station] is no section of this file");
}

static void test_schema_is_made_by_init_and_by_hand(void **state)
{
        const char *init[] = { ESPDFU_COLLECT, "--init", "--database", store_bed.connection, NULL };
        const char *nowhere[] = { ESPDFU_COLLECT, "--init", "--database", "host=/nowhere", NULL };
        const char *schema[] = { ESPDFU_COLLECT, "--schema", NULL };

        (void)state;
        write_file("init.log", "");
        assert_int_equal(end_program(start_program("init.log", init), 0), 0);
        expect_line("init.log", "The schema espdfu has version 1.");
        assert_string_equal(sql("SELECT count(*) FROM espdfu.record"), "0");
        write_file("nowhere.log", "");
        assert_int_equal(WEXITSTATUS(end_program(start_program("nowhere.log", nowhere), 0)), 1);
        assert_int_equal(lines_with("nowhere.log", ""), 1);
        write_file("schema.sql", "");
        assert_int_equal(end_program(start_program("schema.sql", schema), 0), 0);
        sql("DROP SCHEMA espdfu CASCADE");
        sql_file(bed_file("schema.sql"));
        assert_string_equal(sql("SELECT version FROM espdfu.version"), "1");
}

/* ---- figures ---- */

/* A part of a minute's, but in a storm. */
static void test_ten_thousand_records_a_minute(void **state)
{
        pid_t collector = start_collector();
        const unsigned each = records(50, 200), n = 50 * each;
        uint64_t began, usec;

        (void)state;
        model_stations_open(&line, 50);
        model_stations_work(&line, 1);
        expect_all_records_once();
        model_stations_work(&line, each);
        began = monotonic_usec();
        stations_turn_until_within(&line, 60, model_stations_all_delivered(&line));
        usec = monotonic_usec() - began;
        printf("%u records of 50 stations through Mosquitto and espdfu-collect into PostgreSQL: %.1f s, "
               "%.0f a minute\n",
               n, (double)usec / 1e6, n * 60e6 / (double)usec);
        assert_true(usec < n / 50 * 300 * USEC_PER_MSEC); /* 10000 in a minute */
        expect_all_records_once();
        stop_collector(collector);
}

#define story(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                story(test_records_of_many_stations_are_in_the_store_and_their_stations_are_told),
                story(test_number_is_retained_for_a_station_that_comes_later),
                story(test_broker_is_killed_under_load),
                story(test_collector_is_killed_under_load),
                story(test_database_is_restarted_and_crashes_under_load),
                story(test_two_collectors_share_the_work_and_one_dies),
                story(test_collector_without_its_database_leaves_the_records_to_the_other),
                story(test_database_whose_disk_is_full_is_said_once_and_nothing_is_lost),
                story(test_database_that_was_read_only_for_a_while_is_used_again),
                story(test_refusal_that_may_be_the_sessions_is_tried_again_in_another_one),
                story(test_schema_that_is_gone_is_made_anew),
                story(test_memory_is_bounded_while_the_database_is_away),
                story(test_what_cannot_be_read_is_a_dead_letter_and_a_line),
                story(test_flood_of_nonsense_is_kept_and_told_in_a_few_lines),
                story(test_station_that_speaks_for_another_one_moves_nothing_and_is_named),
                story(test_numbers_that_are_no_more_are_a_line),
                story(test_lower_number_that_somebody_tells_is_put_right),
                story(test_broker_that_forgot_everything_is_told_again),
                story(test_station_that_sends_what_is_there_already_is_told),
                story(test_readiness_is_told_to_systemd),
                story(test_collector_that_is_asked_to_end_brings_in_what_it_has),
                story(test_configuration_that_is_wrong_is_refused_with_its_line),
                story(test_schema_is_made_by_init_and_by_hand),
                story(test_ten_thousand_records_a_minute),
        };

        cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
        return cmocka_run_group_tests(tests, beds_setup, beds_teardown);
}
