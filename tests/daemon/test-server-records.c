/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the socket tells of the record: attempts by filters, figures, consumers; and answers that come late, or too late. */
#include "tests/daemon/conforming.h"

#include <stdio.h>
#include <sys/socket.h>

/* ---- vocabulary ---- */

static void ask(struct client *c, const char *method, json_t *parameters)
{
        char name[96];

        snprintf(name, sizeof(name), STATION "%s", method);
        call_method(c, name, parameters, false);
}

static void expect_refusal(struct client *c, const char *error, const char *consumer)
{
        expect_refused(c, error, "consumer", consumer);
}

static json_int_t count_of(struct client *c, const char *method, json_t *parameters, const char *array)
{
        ask(c, method, parameters);
        return (json_int_t)json_array_size(json_object_get(expect_answer(c, method), array));
}

/* ---- attempts ---- */

static void test_attempts_are_chosen_by_what_is_asked(void **state)
{
        struct client *c = connect_client();
        json_int_t begin = INT64_C(1700000000000000);

        (void)state;
        w.station.n_attempts = 60;
        assert_int_equal(count_of(c, "History", NULL, "attempts"), 60);
        assert_int_equal(count_of(c, "History", json_pack("{s:s}", "verdict", "board-left"), "attempts"), 12);
        assert_int_equal(count_of(c, "History", json_pack("{s:s, s:s}", "verdict", "flashed", "slot", "A2"),
                                  "attempts"),
                         24);
        /* A port is meant whatever its slot was called, by the ID_PATH that it has; one that nobody knows, by its port
         * path at that time. */
        assert_int_equal(count_of(c, "History",
                                  json_pack("{s:s, s:s}", "verdict", "flashed", "slot", "1-4.2"), "attempts"),
                         24);
        assert_int_equal(count_of(c, "History", json_pack("{s:s}", "slot", FAKE_PATH_A2), "attempts"), 30);
        assert_int_equal(count_of(c, "History", json_pack("{s:s}", "slot", "1-4.1"), "attempts"), 30);
        assert_int_equal(count_of(c, "History", json_pack("{s:s}", "slot", "1-4.9"), "attempts"), 0);
        assert_int_equal(count_of(c, "History", json_pack("{s:s}", "image", "probe"), "attempts"), 0);
        assert_int_equal(count_of(c, "History",
                                  json_pack("{s:I, s:I}", "since_realtime_usec", begin + 60000000,
                                            "until_realtime_usec", begin + 180000000),
                                  "attempts"),
                         2);
        assert_int_equal(count_of(c, "History", json_pack("{s:i}", "after_sequence", 57), "attempts"), 3);
        ask(c, "History", json_pack("{s:b, s:i}", "oldest_first", 1, "limit", 1));
        assert_int_equal(
                json_integer_value(json_object_get(
                        json_array_get(json_object_get(expect_answer(c, "History"), "attempts"), 0), "id")),
                1);
        hang_up(c);
}

static void test_wrong_filter_is_refused_by_name(void **state)
{
        struct client *c = connect_client();
        const struct {
                const char *parameter;
                json_t *value;
        } wrong[] = {
                { "verdict", json_string("good") },
                { "verdict", json_integer(1) },
                { "slot", json_string("") },
                { "mac", json_string("") },
                { "image", json_string("") },
                { "since_realtime_usec", json_integer(-1) },
                { "until_realtime_usec", json_integer(0) },
                { "oldest_first", json_integer(1) },
                { "after_sequence", json_integer(-1) },
                { "since", json_integer(1) },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                ask(c, "History", json_pack("{s:o}", wrong[i].parameter, wrong[i].value));
                expect_error(c, SERVICE "InvalidParameter", "parameter", wrong[i].parameter);
        }
        ask(c, "Stats", json_pack("{s:s}", "verdict", "good"));
        expect_error(c, SERVICE "InvalidParameter", "parameter", "verdict");
        ask(c, "Stats", json_pack("{s:i}", "limit", 1));
        expect_error(c, SERVICE "InvalidParameter", "parameter", "limit");
        hang_up(c);
}

static void test_what_is_rare_is_found_in_parts(void **state)
{
        struct client *c = connect_client();

        (void)state;
        w.station.n_attempts = 3000; /* the station looks at some hundreds at a time */
        assert_int_equal(
                count_of(c, "History",
                         json_pack("{s:I}", "until_realtime_usec", INT64_C(1700000000000000) + 180000000),
                         "attempts"),
                2);
        assert_true(w.station.n_history > 5);
        hang_up(c);
}

/* ---- counters: from memory, so at once ---- */

static void test_counters_are_what_the_interface_says(void **state)
{
        struct client *c = connect_client();
        const json_t *answer, *policy;

        (void)state;
        w.station.answers_late = true;
        ask(c, "Counters", NULL);
        answer = expect_answer(c, "Counters");
        policy = json_array_get(json_object_get(answer, "policies"), 0);
        assert_string_equal(json_string_value(json_object_get(policy, "policy")), "gizmo");
        assert_int_equal(json_integer_value(json_object_get(policy, "flashed")), 96);
        ask(c, "Counters", json_pack("{s:s}", "policy", "gizmo"));
        expect_error(c, SERVICE "InvalidParameter", "parameter", "policy");
        hang_up(c);
}

/* ---- an answer that takes its time ---- */

static void test_answer_comes_late_and_the_next_call_after_it(void **state)
{
        struct client *c = connect_client();

        (void)state;
        w.station.answers_late = true;
        ask(c, "Stats", NULL);
        ask(c, "Consumers", NULL);
        settle();
        assert_false(take_reply(c));
        fake_station_answer(&w.station);
        expect_answer(c, "Stats");
        settle();
        assert_false(take_reply(c));
        fake_station_answer(&w.station);
        expect_answer(c, "Consumers");
        hang_up(c);
}

static void test_who_leaves_before_the_answer_is_forgotten(void **state)
{
        static const char *const methods[] = { "Stats", "History", "Consumers" };

        (void)state;
        w.station.answers_late = true;
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
                struct client *c = connect_client();

                ask(c, methods[i], NULL);
                settle();
                assert_int_equal(server_n_connections(w.server), 1);
                hang_up(c);
                while (server_n_connections(w.server) > 0)
                        assert_true(sd_event_run(w.event, PATIENCE) > 0);
                assert_false(fake_station_answer(&w.station));
        }
}

/* ---- consumers ---- */

static void test_consumers_are_for_everybody_to_see_and_for_some_to_change(void **state)
{
        static const char *const methods[] = { "RegisterConsumer", "Acknowledge", "UnregisterConsumer" };
        struct client *c = connect_as(1000, false);

        (void)state;
        assert_int_equal(count_of(c, "Consumers", NULL, "consumers"), 1);
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
                ask(c, methods[i], json_pack("{s:s}", "consumer", "bridge"));
                expect_reply(c);
                assert_string_equal(c->reply.error, STATION "NotPermitted");
        }
        assert_string_equal(w.station.ordered, "");
        hang_up(c);
}

static json_int_t order(struct client *c, const char *method, json_t *parameters)
{
        ask(c, method, parameters);
        return json_integer_value(json_object_get(expect_answer(c, method), "sequence"));
}

static void test_consumer_registers_acknowledges_and_leaves(void **state)
{
        struct client *c = connect_as(0, true);

        (void)state;
        w.station.n_attempts = 50;
        assert_int_equal(
                order(c, "RegisterConsumer", json_pack("{s:s, s:i}", "consumer", "bridge", "sequence", 7)),
                7);
        assert_string_equal(w.station.ordered, "register bridge 7");
        assert_int_equal(
                order(c, "Acknowledge", json_pack("{s:s, s:i}", "consumer", "bridge", "sequence", 41)), 41);
        assert_string_equal(w.station.ordered, "acknowledge bridge 41");
        assert_int_equal(order(c, "UnregisterConsumer", json_pack("{s:s}", "consumer", "bridge")), 2);
        assert_string_equal(w.station.ordered, "unregister bridge 0");
        hang_up(c);
}

static void test_a_consumers_user_acknowledges_for_it_and_does_nothing_else(void **state)
{
        struct client *c = connect_as(FAKE_BRIDGE_USER, false);

        (void)state;
        w.station.n_attempts = 50;
        assert_int_equal(
                order(c, "Acknowledge", json_pack("{s:s, s:i}", "consumer", "bridge", "sequence", 41)), 41);
        assert_string_equal(w.station.ordered, "acknowledge bridge 41");
        ask(c, "Acknowledge", json_pack("{s:s, s:i}", "consumer", "backup", "sequence", 41));
        expect_error(c, STATION "NotPermitted", "method", STATION "Acknowledge");
        ask(c, "RegisterConsumer", json_pack("{s:s}", "consumer", "bridge"));
        expect_error(c, STATION "NotPermitted", "method", STATION "RegisterConsumer");
        ask(c, "UnregisterConsumer", json_pack("{s:s}", "consumer", "bridge"));
        expect_error(c, STATION "NotPermitted", "method", STATION "UnregisterConsumer");
        ask(c, "Reload", NULL);
        expect_error(c, STATION "NotPermitted", "method", STATION "Reload");
        assert_string_equal(w.station.ordered, "acknowledge bridge 41");
        hang_up(c);
}

/* It is no question, of which nobody would hear the answer. */
static void test_what_a_consumer_acknowledges_counts_when_it_has_left(void **state)
{
        static const char acknowledge[] = "{\"method\":\"" STATION
                                          "Acknowledge\",\"parameters\":{\"consumer\":"
                                          "\"bridge\",\"sequence\":41},\"oneway\":true}";
        struct client *c = connect_as(FAKE_BRIDGE_USER, false);

        (void)state;
        w.station.n_attempts = 50;
        assert_int_equal(send(c->fd, acknowledge, sizeof(acknowledge), MSG_NOSIGNAL), sizeof(acknowledge));
        hang_up(c);
        assert_string_equal(w.station.ordered, "acknowledge bridge 41");
}

static void test_a_consumers_user_is_told_by_who_may_act(void **state)
{
        struct client *c = connect_as(0, true);

        (void)state;
        order(c, "RegisterConsumer", json_pack("{s:s, s:i}", "consumer", "mqtt", "user", 997));
        assert_string_equal(w.station.ordered, "register mqtt 0 for 997");
        ask(c, "RegisterConsumer",
            json_pack("{s:s, s:I}", "consumer", "mqtt", "user", (json_int_t)UINT32_MAX));
        expect_error(c, SERVICE "InvalidParameter", "parameter", "user");
        ask(c, "RegisterConsumer", json_pack("{s:s, s:s}", "consumer", "mqtt", "user", "root"));
        expect_error(c, SERVICE "InvalidParameter", "parameter", "user");
        hang_up(c);
}

static void test_wrong_orders_about_consumers_say_why(void **state)
{
        struct client *c = connect_as(0, true);

        (void)state;
        w.station.n_attempts = 50;
        ask(c, "Acknowledge", json_pack("{s:s, s:i}", "consumer", "bridge", "sequence", 51));
        expect_refusal(c, "WrongSequence", "bridge");
        ask(c, "Acknowledge", json_pack("{s:s, s:i}", "consumer", "nobody", "sequence", 1));
        expect_refusal(c, "NoSuchConsumer", "nobody");
        ask(c, "RegisterConsumer", json_pack("{s:s}", "consumer", "too-many"));
        expect_refusal(c, "TooManyConsumers", "too-many");
        ask(c, "RegisterConsumer", json_pack("{s:s}", "consumer", "on-full-disk"));
        expect_error(c, STATION "Failed", "message", "the ledger cannot be written: No space left on device");
        ask(c, "Acknowledge", json_pack("{s:s}", "consumer", "bridge"));
        expect_error(c, SERVICE "InvalidParameter", "parameter", "sequence");
        ask(c, "RegisterConsumer", json_pack("{s:s, s:i}", "consumer", "bridge", "sequence", -1));
        expect_error(c, SERVICE "InvalidParameter", "parameter", "sequence");
        ask(c, "RegisterConsumer", json_pack("{s:s}", "consumer", "a bridge"));
        expect_error(c, SERVICE "InvalidParameter", "parameter", "consumer");
        ask(c, "UnregisterConsumer", NULL);
        expect_error(c, SERVICE "InvalidParameter", "parameter", "consumer");
        hang_up(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_attempts_are_chosen_by_what_is_asked),
                TEST(test_wrong_filter_is_refused_by_name),
                TEST(test_what_is_rare_is_found_in_parts),
                TEST(test_counters_are_what_the_interface_says),
                TEST(test_answer_comes_late_and_the_next_call_after_it),
                TEST(test_who_leaves_before_the_answer_is_forgotten),
                TEST(test_consumers_are_for_everybody_to_see_and_for_some_to_change),
                TEST(test_consumer_registers_acknowledges_and_leaves),
                TEST(test_a_consumers_user_acknowledges_for_it_and_does_nothing_else),
                TEST(test_what_a_consumer_acknowledges_counts_when_it_has_left),
                TEST(test_a_consumers_user_is_told_by_who_may_act),
                TEST(test_wrong_orders_about_consumers_say_why),
        };

        return cmocka_run_group_tests(tests, read_interface, drop_interface);
}
