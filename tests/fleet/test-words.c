/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fleet's small pieces: topics, what is delivered, configurations, waits, what is said again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fleet/backoff.h"
#include "fleet/broker-words.h"
#include "fleet/delivered.h"
#include "fleet/settings.h"
#include "fleet/topics.h"
#include "fleet/trouble.h"

#define ID "0123456789abcdef0123456789abcdef"

static void test_only_who_may_have_a_namesake_is_told_of_one(void **state)
{
        (void)state;
        assert_string_equal(broker_lost_words(false, false), "the connection is lost");
        assert_string_equal(broker_lost_words(false, true), "the connection is lost");
        assert_non_null(strstr(broker_lost_words(true, false), "another client may have the same name"));
        assert_null(strstr(broker_lost_words(true, true), "another client"));
}

/* ---- topics ---- */

static void test_topics_are_read_as_they_are_written(void **state)
{
        static const char *const names[] = { "line3", "A+1", "a/b#c%d", "1-4.1", "\xc3\xa4" };
        char text[TOPIC_SIZE];
        struct topic topic;

        (void)state;
        for (enum topic_kind kind = 0; kind < TOPIC_KIND_MAX_; kind++)
                for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                        assert_int_equal(topic_print(text, kind, names[i], names[ARRAY_SIZE(names) - 1 - i]),
                                         0);
                        assert_null(strpbrk(text, "+#"));
                        assert_int_equal(topic_parse(text, &topic), 0);
                        assert_int_equal(topic.kind, kind);
                        assert_string_equal(topic.station, names[i]);
                        assert_string_equal(topic.slot,
                                            kind == TOPIC_SLOT ? names[ARRAY_SIZE(names) - 1 - i] : "");
                }
        assert_int_equal(topic_print(text, TOPIC_SLOT, "line3", "A+1"), 0);
        assert_string_equal(text, "espdfu/1/line3/slot/A%2b1");
}

static void test_the_longest_names_have_room_and_longer_ones_are_refused(void **state)
{
        char name[TOPIC_NAME_MAX + 2], text[TOPIC_SIZE];
        struct topic topic;

        (void)state;
        memset(name, '+', sizeof(name));
        name[TOPIC_NAME_MAX + 1] = '\0';
        assert_int_equal(topic_print(text, TOPIC_SLOT, name, name), -ENAMETOOLONG);
        name[TOPIC_NAME_MAX] = '\0';
        assert_int_equal(topic_print(text, TOPIC_SLOT, name, name), 0);
        assert_int_equal(topic_parse(text, &topic), 0);
        assert_string_equal(topic.slot, name);
        assert_int_equal(topic_print(text, TOPIC_JOB, "", NULL), -ENAMETOOLONG);
}

static void test_what_is_not_ours_is_no_topic(void **state)
{
        static const struct {
                const char *text;
                int result;
        } cases[] = {
                { "espdfu/2/line3/job", TOPIC_OTHER_VERSION },
                { "espdfu/10/line3/job", TOPIC_OTHER_VERSION },
                { "espdfu//line3/job", TOPIC_FOREIGN },
                { "espdfu/x/line3/job", TOPIC_FOREIGN },
                { "espdfu/1/line3", TOPIC_FOREIGN },
                { "espdfu/1/line3/", TOPIC_FOREIGN },
                { "espdfu/1/line3/jobs", TOPIC_FOREIGN },
                { "espdfu/1/line3/job/", TOPIC_FOREIGN },
                { "espdfu/1//job", TOPIC_FOREIGN },
                { "espdfu/1/line3/slot", TOPIC_FOREIGN },
                { "espdfu/1/line3/slot/", TOPIC_FOREIGN },
                { "espdfu/1/line3/slot/A/B", TOPIC_FOREIGN },
                { "espdfu/1/line%2/job", TOPIC_FOREIGN },
                { "espdfu/1/line%00/job", TOPIC_FOREIGN },
                { "espdfu/1/line%zz/job", TOPIC_FOREIGN },
                { "espdfu/1/line%b0/job", TOPIC_FOREIGN }, /* no UTF-8 */
                { "espdfu/1/line3/slot/A%c3", TOPIC_FOREIGN },
                { "espdfu", TOPIC_FOREIGN },
                { "", TOPIC_FOREIGN },
        };
        struct topic topic;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                if (topic_parse(cases[i].text, &topic) != cases[i].result)
                        fail_msg("%s", cases[i].text);
}

/* ---- delivered ---- */

static int read_delivered(const char *text, struct delivered *ret)
{
        return delivered_parse(text, strlen(text), ret);
}

static void test_what_is_delivered_is_read_as_it_is_written(void **state)
{
        const struct delivered written = { ID, INT64_MAX };
        char text[DELIVERED_TEXT_SIZE];
        struct delivered delivered = { 0 };
        size_t size = delivered_print(&written, text);

        (void)state;
        assert_int_equal(size, strlen(text));
        assert_int_equal(delivered_parse(text, size, &delivered), 0);
        assert_string_equal(delivered.station_id, ID);
        assert_true(delivered.sequence == INT64_MAX);
        assert_int_equal(
                read_delivered("{\"station_id\":\"" ID "\",\"sequence\":0,\"more\":[1]}", &delivered), 0);
        assert_true(delivered.sequence == 0);
}

static void test_nonsense_is_not_taken_for_delivered(void **state)
{
        static const char *const nonsense[] = {
                "",
                "{",
                "null",
                "[]",
                "7",
                "{}",
                "{\"station_id\":\"" ID "\"}",
                "{\"station_id\":\"" ID "\",\"sequence\":-1}",
                "{\"station_id\":\"" ID "\",\"sequence\":1.5}",
                "{\"station_id\":\"" ID "\",\"sequence\":99999999999999999999}",
                "{\"station_id\":\"short\",\"sequence\":1}",
                "{\"station_id\":7,\"sequence\":1}",
                "{\"station_id\":\"" ID "\",\"sequence\":1,\"sequence\":2}",
                "{\"station_id\":\"0123456789ABCDEF0123456789abcdef\",\"sequence\":1}",
        };
        struct delivered delivered;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++)
                if (read_delivered(nonsense[i], &delivered) != -EPROTO)
                        fail_msg("%s", nonsense[i]);
}

/* ---- settings ---- */

static char faults[1024];

static void on_fault(void *userdata, unsigned line, const char *text)
{
        size_t len = strlen(faults);

        (void)userdata;
        snprintf(faults + len, sizeof(faults) - len, "%u: %s\n", line, text);
}

static int read_settings(const char *text, enum settings_reader reader, struct settings *ret)
{
        faults[0] = '\0';
        return settings_parse(text, strlen(text), reader, on_fault, NULL, ret);
}

static void test_a_configuration_is_understood(void **state)
{
        struct settings settings;

        (void)state;
        assert_int_equal(read_settings("[broker]\nhost = mqtt.example\n", SETTINGS_BRIDGE, &settings), 0);
        assert_int_equal(settings.broker.port, 8883);
        assert_false(settings.broker.no_tls);
        assert_null(settings.station.name);
        assert_string_equal(settings.collector.group, "espdfu");
        settings_done(&settings);

        assert_int_equal(
                read_settings("[broker]\nhost = ::1\ntls = no\nuser = line3\npassword-file = /etc/p\n"
                              "keep-alive = 10\nretry-max = 5\n[station]\nname = line 3/a+b\nwindow = 17\n",
                              SETTINGS_BRIDGE, &settings),
                0);
        assert_int_equal(settings.broker.port, 1883);
        assert_string_equal(settings.station.name, "line 3/a+b");
        assert_int_equal(settings.station.window, 17);
        assert_int_equal(settings_line(&settings, "station", "name"), 9);
        assert_int_equal(settings_line(&settings, "broker", "host"), 2);
        assert_int_equal(settings_line(&settings, "broker", "key"), 0);
        assert_int_equal(settings.broker.keep_alive_sec, 10);
        settings_done(&settings);

        assert_int_equal(
                read_settings("[broker]\nhost = a\nport = 1\n[database]\nconnection = dbname=espdfu\n"
                              "[collector]\ngroup = g\n",
                              SETTINGS_COLLECTOR, &settings),
                0);
        assert_int_equal(settings.broker.port, 1);
        assert_string_equal(settings.database.connection, "dbname=espdfu");
        settings_done(&settings);
}

static void test_each_mistake_in_a_configuration_is_told_with_its_line(void **state)
{
        static const struct {
                const char *text, *fault;
        } cases[] = {
                { "", "0: host is missing: expected [broker] with host = the broker's name\n" },
                { "host = a\n", "1: host: expected [broker] or another section before it\n" },
                { "[broker]\nhost = a\nhost = b\n", "3: host: is there already, in line 2\n" },
                { "[broker]\nhost = a b\n", "2: host = a b: expected the broker's name or address\n" },
                { "[broker]\nhost = a\nport = 70000\n",
                  "3: port = 70000: expected a number from 1 to 65535\n" },
                { "[broker]\nhost = a\ntls = maybe\n", "3: tls = maybe: expected yes or no\n" },
                { "[broker]\nhost = a\nca-file = ca.crt\n",
                  "3: ca-file = ca.crt: expected an absolute path\n" },
                { "[broker]\nhost = a\ncolour = red\n", "3: colour is no key of [broker]\n" },
                { "[database]\nconnection = x\n[broker]\nhost = a\n",
                  "1: [database] is no section of this file\n" },
                { "[broker]\nhost = a\n[station]\nname =\n",
                  "4: name = : expected a name of 1 to 64 bytes, UTF-8 without control characters\n" },
                { "[broker]\nhost = a\nuser = u\n",
                  "0: user without password-file: expected both, or none\n" },
                { "[broker]\nhost = a\nkey = /k\n", "0: key without certificate: expected both, or none\n" },
                { "[broker]\nhost = a\ntls = no\nca-file = /c\n",
                  "0: certificates with tls = no: expected tls = yes, or none of them\n" },
        };
        struct settings settings;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_int_equal(read_settings(cases[i].text, SETTINGS_BRIDGE, &settings), -EINVAL);
                assert_string_equal(faults, cases[i].fault);
        }
}

/* ---- waits, and what is said again ---- */

static void test_a_refusal_of_our_certificate_is_told_from_other_trouble_of_tls(void **state)
{
        static const struct {
                const char *text, *certificate, *said;
        } cases[] = {
                { "tlsv1 alert unknown ca", "/c.crt",
                  "it wants another certificate of us: tlsv1 alert unknown ca: expected one that its CA has "
                  "signed, and that is in its time (certificate = /c.crt)" },
                { "tlsv13 alert certificate required", NULL,
                  "it wants a certificate of us: tlsv13 alert certificate required: expected certificate and "
                  "key" },
                { "sslv3 alert certificate expired", "/c.crt",
                  "it says that our certificate is over: sslv3 alert certificate expired: expected a new one "
                  "there, or that both clocks are right (certificate = /c.crt)" },
                { "sslv3 alert certificate revoked", "/c.crt",
                  "it says that our certificate is revoked: sslv3 alert certificate revoked: expected a new "
                  "one there (certificate = /c.crt)" },
                { "sslv3 alert bad certificate", "/c.crt",
                  "it wants another certificate of us: sslv3 alert bad certificate: expected one that its CA "
                  "has signed, and that is in its time (certificate = /c.crt)" },
                { "wrong version number", "/c.crt", "TLS: wrong version number" },
                { "certificate verify failed", "/c.crt", "TLS: certificate verify failed" },
                { "tlsv1 alert internal error", NULL, "TLS: tlsv1 alert internal error" },
        };
        char text[256];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                broker_tls_print(cases[i].text, cases[i].certificate, text, sizeof(text));
                assert_string_equal(text, cases[i].said);
        }
}

static void test_waits_grow_to_the_longest_and_are_not_all_alike(void **state)
{
        struct backoff backoff = { .first_usec = 1000, .max_usec = 60000 };
        uint64_t step = 1000, total = 0, random = 12345;

        (void)state;
        for (int i = 0; i < 20; i++) {
                uint64_t wait = backoff_next(&backoff, random);

                random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
                assert_true(wait <= step && wait >= step / 2);
                total += wait;
                step = MIN(step * 2, UINT64_C(60000));
        }
        assert_true(total > 500000 && total < 1000000);
        backoff_reset(&backoff);
        assert_true(backoff_next(&backoff, 0) == 1000);
}

static void test_a_trouble_is_said_once_until_it_is_another_and_each_hour(void **state)
{
        struct trouble trouble = { 0 };
        char longer[2 * TROUBLE_TEXT_MAX];

        (void)state;
        assert_false(trouble_over(&trouble));
        assert_true(trouble_is(&trouble, "away", 1000));
        assert_false(trouble_is(&trouble, "away", 2000));
        assert_true(trouble_is(&trouble, "away, far", 3000));
        assert_true(trouble_is(&trouble, "away", 4000));
        assert_false(trouble_is(&trouble, "away", 3999 + TROUBLE_AGAIN));
        assert_true(trouble_is(&trouble, "away", 4000 + TROUBLE_AGAIN));
        assert_true(trouble_over(&trouble));
        assert_false(trouble_over(&trouble));
        assert_true(trouble_is(&trouble, "away", 4001 + TROUBLE_AGAIN));
        memset(longer, 'x', sizeof(longer));
        longer[sizeof(longer) - 1] = '\0';
        assert_true(trouble_is(&trouble, longer, 5000 + TROUBLE_AGAIN));
        assert_false(trouble_is(&trouble, longer, 5000 + TROUBLE_AGAIN));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_who_may_have_a_namesake_is_told_of_one),
                cmocka_unit_test(test_topics_are_read_as_they_are_written),
                cmocka_unit_test(test_the_longest_names_have_room_and_longer_ones_are_refused),
                cmocka_unit_test(test_what_is_not_ours_is_no_topic),
                cmocka_unit_test(test_what_is_delivered_is_read_as_it_is_written),
                cmocka_unit_test(test_nonsense_is_not_taken_for_delivered),
                cmocka_unit_test(test_a_configuration_is_understood),
                cmocka_unit_test(test_each_mistake_in_a_configuration_is_told_with_its_line),
                cmocka_unit_test(test_a_refusal_of_our_certificate_is_told_from_other_trouble_of_tls),
                cmocka_unit_test(test_waits_grow_to_the_longest_and_are_not_all_alike),
                cmocka_unit_test(test_a_trouble_is_said_once_until_it_is_another_and_each_hour),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
