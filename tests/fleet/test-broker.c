/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to a real Mosquitto: what goes through it, how it comes back, and what it says when it cannot. */
#include "tests/fleet/broker-bed.h"

#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"

#define TOPIC "espdfu/1/line3/job"

/* A client and what came of it. */
struct client {
        struct broker_settings settings;
        struct broker *broker;
        const char *filter; /* subscribed to when it is up; NULL: nothing */
        unsigned ups, downs, messages, acknowledged, refused;
        char last[256];
        bool last_retained;
};

static void on_up(void *userdata)
{
        struct client *c = userdata;

        c->ups++;
        if (c->filter)
                assert_int_equal(broker_subscribe(c->broker, c->filter), 0);
}

static void on_down(void *userdata)
{
        ((struct client *)userdata)->downs++;
}

static void on_message(void *userdata, const struct broker_message *message)
{
        struct client *c = userdata;

        c->messages++;
        snprintf(c->last, sizeof(c->last), "%s %s", message->topic, (const char *)message->payload);
        c->last_retained = message->retained;
}

static void on_acknowledged(void *userdata, int number, bool refused)
{
        struct client *c = userdata;

        assert_true(number > 0);
        if (refused)
                c->refused++;
        else
                c->acknowledged++;
}

static const struct broker_events events = {
        .up = on_up, .down = on_down, .message = on_message, .acknowledged = on_acknowledged
};

static void client_start(struct client *c, const char *user)
{
        *c = (struct client){ .settings = settings_of(user) };
        assert_int_equal(broker_new(&c->settings, user, &events, c, &c->broker), 0);
}

static void both_turn_until_messages(struct client *a, struct client *b, unsigned n)
{
        while (b->messages < n) {
                broker_step(a->broker, POLLIN, monotonic_usec());
                turn(b->broker);
        }
}

static void test_what_one_publishes_another_gets(void **state)
{
        struct client bridge, viewer;
        int number = 0;

        (void)state;
        start_broker(false);
        client_start(&bridge, "line3");
        client_start(&viewer, "viewer");
        viewer.filter = "espdfu/+/+/job";
        turn_until(bridge.broker, bridge.ups == 1);
        turn_until(viewer.broker, viewer.ups == 1);
        turn(viewer.broker);
        assert_int_equal(broker_publish(bridge.broker, TOPIC, "{\"a\":1}", 7, 1, false, &number), 0);
        assert_true(number > 0);
        turn_until(bridge.broker, bridge.acknowledged == 1);
        both_turn_until_messages(&bridge, &viewer, 1);
        assert_string_equal(viewer.last, TOPIC " {\"a\":1}");
        assert_false(viewer.last_retained);
        broker_free(bridge.broker);
        broker_free(viewer.broker);
        stop_broker();
}

static void test_a_killed_broker_is_found_again(void **state)
{
        struct client bridge;

        (void)state;
        listen_to_stderr();
        start_broker(false);
        client_start(&bridge, "line3");
        turn_until(bridge.broker, bridge.ups == 1);
        kill_broker();
        turn_until(bridge.broker, bridge.downs == 1);
        turn_until(bridge.broker, strstr(broker_trouble(bridge.broker), "refused"));
        assert_int_equal(broker_publish(bridge.broker, TOPIC, "", 0, 1, false, NULL), -ENOTCONN);
        start_broker(false);
        turn_until(bridge.broker, bridge.ups == 2);
        assert_string_equal(broker_trouble(bridge.broker), "");
        assert_int_equal(lines_with("said", "Connection refused"), 1);
        assert_int_equal(lines_with("said", ": connected"), 1);
        broker_free(bridge.broker);
        stop_broker();
}

static void test_a_silent_broker_is_given_up(void **state)
{
        struct client bridge;

        (void)state;
        listen_to_stderr();
        start_broker(false);
        client_start(&bridge, "line3");
        turn_until(bridge.broker, bridge.ups == 1);
        freeze_broker(true);
        turn_until(bridge.broker, bridge.downs == 1);
        assert_int_equal(lines_with("said", "silent"), 1);
        freeze_broker(false);
        turn_until(bridge.broker, bridge.ups == 2);
        broker_free(bridge.broker);
        stop_broker();
}

static void test_the_will_says_that_a_killed_client_is_gone(void **state)
{
        struct client bridge, viewer;

        (void)state;
        start_broker(false);
        client_start(&bridge, "line3");
        client_start(&viewer, "viewer");
        viewer.filter = "espdfu/1/+/online";
        assert_int_equal(broker_set_will(bridge.broker, "espdfu/1/line3/online", "gone", 4), 0);
        turn_until(bridge.broker, bridge.ups == 1);
        turn_until(viewer.broker, viewer.ups == 1);
        turn(viewer.broker);
        broker_free(bridge.broker);
        turn_until(viewer.broker, viewer.messages == 1);
        assert_string_equal(viewer.last, "espdfu/1/line3/online gone");
        broker_free(viewer.broker);
        stop_broker();
}

static void test_who_leaves_has_said_it_all_and_leaves_no_will(void **state)
{
        struct client bridge, viewer;

        (void)state;
        start_broker(false);
        client_start(&bridge, "line3");
        client_start(&viewer, "viewer");
        viewer.filter = "espdfu/1/+/online";
        assert_int_equal(broker_set_will(bridge.broker, "espdfu/1/line3/online", "will", 4), 0);
        turn_until(bridge.broker, bridge.ups == 1);
        assert_int_equal(broker_publish(bridge.broker, "espdfu/1/line3/online", "left", 4, 1, true, NULL), 0);
        broker_leave(bridge.broker, 5 * USEC_PER_SEC);
        broker_free(bridge.broker);
        turn_until(viewer.broker, viewer.messages == 1);
        assert_string_equal(viewer.last, "espdfu/1/line3/online left");
        assert_true(viewer.last_retained);
        broker_free(viewer.broker);
        stop_broker();
}

static void test_a_client_whose_name_has_wildcards_may_do_what_others_may(void **state)
{
        struct client c = { .settings = settings_of("line3") };

        (void)state;
        start_broker(false);
        assert_int_equal(broker_new(&c.settings, "espdfu-mqtt-a+b#c/d", &events, &c, &c.broker), 0);
        turn_until(c.broker, c.ups == 1);
        assert_int_equal(broker_publish(c.broker, TOPIC, "x", 1, 1, false, NULL), 0);
        turn_until(c.broker, c.acknowledged + c.refused == 1);
        assert_int_equal(c.refused, 0);
        broker_free(c.broker);
        stop_broker();
}

/* ---- one line each ---- */

/* The client cannot come in, and says this in one line, however often it tries. */
static void expect_refusal(struct client *c, const char *text)
{
        turn_until(c->broker, *broker_trouble(c->broker));
        if (!strstr(broker_trouble(c->broker), text))
                fail_msg("expected \"%s\" in \"%s\"", text, broker_trouble(c->broker));
        for (int i = 0; i < 12; i++)
                turn(c->broker);
        assert_int_equal(c->ups, 0);
        assert_int_equal(lines_with("said", "broker localhost:"), 1);
        assert_int_equal(lines_with("said", "tried again"), 1);
        broker_free(c->broker);
}

static void start_refused(struct client *c)
{
        listen_to_stderr();
        client_start(c, "line3");
}

static void test_each_reason_not_to_come_in_is_one_line(void **state)
{
        struct client c;

        (void)state;
        start_broker(false);

        start_refused(&c);
        c.settings.password_file = (char *)(uintptr_t)write_file("wrong.password", "wrong\n");
        expect_refusal(&c,
                       "it refuses us: Not authorized: expected another user, password-file or certificate");

        start_refused(&c);
        c.settings.password_file = (char *)(uintptr_t) "/nowhere/password";
        expect_refusal(&c, "password-file = /nowhere/password: No such file or directory");

        start_refused(&c);
        c.settings.password_file = (char *)(uintptr_t)write_file("open.password", "line3\n");
        assert_int_equal(chmod(c.settings.password_file, 0644), 0);
        expect_refusal(&c, "everybody may read it: expected chmod o-r");

        start_refused(&c);
        c.settings.ca_file = (char *)(uintptr_t)bed_file("other-ca.crt");
        expect_refusal(
                &c,
                "the broker's certificate (/CN=ca) is refused: self-signed certificate in certificate chain");

        start_refused(&c);
        c.settings.ca_file = (char *)(uintptr_t)write_file("nonsense.crt", "no certificate\n");
        expect_refusal(&c, "nonsense.crt: expected certificates in PEM");

        start_refused(&c);
        c.settings.password_file = (char *)(uintptr_t)write_file("empty.password", "\n");
        expect_refusal(&c, "empty.password: it is empty: expected the password in its first line");

        start_refused(&c);
        c.settings.certificate = (char *)(uintptr_t)bed_file("client.key");
        c.settings.key = (char *)(uintptr_t)bed_file("client.key");
        expect_refusal(&c, "client.key: expected a certificate in PEM");

        start_refused(&c);
        c.settings.certificate = (char *)(uintptr_t)bed_file("client.crt");
        c.settings.key = (char *)(uintptr_t)bed_file("client.crt");
        expect_refusal(&c, "client.crt: expected a key in PEM, without a password");

        start_refused(&c);
        c.settings.certificate = (char *)(uintptr_t)bed_file("client.crt");
        c.settings.key = (char *)(uintptr_t)bed_file("client.key");
        assert_int_equal(chmod(c.settings.key, 0644), 0);
        expect_refusal(&c, "client.key: everybody may read it: expected chmod o-r");
        assert_int_equal(chmod(c.settings.key, 0600), 0);

        start_refused(&c);
        c.settings.certificate = (char *)(uintptr_t)bed_file("client.crt");
        c.settings.key = (char *)(uintptr_t)bed_file("broker.key");
        expect_refusal(&c, "client.crt: expected two that belong together");

        start_refused(&c);
        c.settings.port = bed.tls_less; /* speaks MQTT where TLS is expected */
        expect_refusal(&c,
                       "it hung up before it let us in: expected a broker with MQTT 5 and TLS at this port");

        start_refused(&c);
        c.settings.no_tls = true; /* and the other way round */
        expect_refusal(&c, "it hung up before it let us in: expected a broker with MQTT 5, without TLS");

        start_refused(&c);
        c.settings.host = (char *)(uintptr_t) "nowhere.invalid";
        turn_until(c.broker, *broker_trouble(c.broker));
        assert_non_null(strstr(broker_trouble(c.broker), "no host of this name"));
        broker_free(c.broker);
        stop_broker();
}

static void test_a_certificate_of_another_host_or_one_that_is_over_is_refused(void **state)
{
        struct client c;

        (void)state;
        bed.certificate = "elsewhere";
        start_broker(false);
        start_refused(&c);
        expect_refusal(&c,
                       "(/CN=elsewhere) is refused: hostname mismatch: expected one for host = localhost");
        stop_broker();

        bed.certificate = "over";
        start_broker(false);
        start_refused(&c);
        expect_refusal(&c, "(/CN=over) is refused: certificate has expired, on 20");
        stop_broker();
        bed.certificate = NULL;
}

static void test_a_broker_that_wants_a_certificate_is_told_ours(void **state)
{
        struct client c;

        (void)state;
        bed.require_certificate = true;
        start_broker(false);
        start_refused(&c);
        /* It says so and hangs up: its words may come too late the first time. */
        turn_until(c.broker, strstr(broker_trouble(c.broker), "certificate required"));
        for (int i = 0; i < 24; i++)
                turn(c.broker);
        assert_non_null(strstr(broker_trouble(c.broker), "certificate required"));
        assert_true(lines_with("said", "tried again") <= 2);
        assert_int_equal(lines_with("said", "certificate required: expected certificate and key"), 1);
        broker_free(c.broker);

        client_start(&c, "line3");
        c.settings.certificate = (char *)(uintptr_t)bed_file("client.crt");
        c.settings.key = (char *)(uintptr_t)bed_file("client.key");
        turn_until(c.broker, c.ups == 1);
        broker_free(c.broker);
        stop_broker();
        bed.require_certificate = false;
}

static void test_what_the_acl_refuses_is_said_once(void **state)
{
        struct client c;

        (void)state;
        start_broker(false);
        listen_to_stderr();
        client_start(&c, "line3");
        turn_until(c.broker, c.ups == 1);
        for (int i = 0; i < 3; i++)
                assert_int_equal(broker_publish(c.broker, "espdfu/1/line4/job", "x", 1, 1, false, NULL), 0);
        turn_until(c.broker, c.refused == 3);
        assert_int_equal(lines_with("said", "what we publish is refused: Not authorized"), 1);
        broker_free(c.broker);
        stop_broker();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_one_publishes_another_gets),
                cmocka_unit_test(test_a_killed_broker_is_found_again),
                cmocka_unit_test(test_a_silent_broker_is_given_up),
                cmocka_unit_test(test_the_will_says_that_a_killed_client_is_gone),
                cmocka_unit_test(test_who_leaves_has_said_it_all_and_leaves_no_will),
                cmocka_unit_test(test_a_client_whose_name_has_wildcards_may_do_what_others_may),
                cmocka_unit_test(test_each_reason_not_to_come_in_is_one_line),
                cmocka_unit_test(test_a_certificate_of_another_host_or_one_that_is_over_is_refused),
                cmocka_unit_test(test_a_broker_that_wants_a_certificate_is_told_ours),
                cmocka_unit_test(test_what_the_acl_refuses_is_said_once),
        };

        return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
