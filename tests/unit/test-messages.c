/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is sent is what docs/io.espdfu.Station1.varlink promises, and the other end reads what was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/interface.h"
#include "core/messages.h"
#include "core/varlink.h"
#include "tests/unit/idl.h"
#include "tests/unit/samples.h"

static struct idl *station;

static void expect_conforms(enum idl_side side, const char *member, const json_t *parameters)
{
        assert_non_null(parameters);
        assert_string_equal(idl_check(station, side, member, parameters), "");
}

static json_t *json(const char *text)
{
        json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

        assert_non_null(value);
        return value;
}

static int read_station(void **state)
{
        size_t offset;

        (void)state;
        station = idl_parse(station_interface_text, STATION_INTERFACE, &offset);
        if (!station)
                print_error("docs/io.espdfu.Station1.varlink: no interface at byte %zu\n", offset);
        return station ? 0 : -1;
}

static int drop_station(void **state)
{
        (void)state;
        idl_free(station);
        return 0;
}

static void test_both_interface_texts_can_be_read(void **state)
{
        size_t offset;
        struct idl *service = idl_parse(service_interface_text, "org.varlink.service", &offset);

        (void)state;
        assert_non_null(service);
        idl_free(service);
        assert_null(idl_parse("interface a.b\nmethod X( -> ()", "a.b", &offset));
        assert_null(idl_parse("interface a.b\nmethod X(y: Unknown) -> ()", "a.b", &offset));
        assert_null(idl_parse("interface a.c\n", "a.b", &offset));
}

static void test_the_checker_sees_what_is_wrong(void **state)
{
        static const struct {
                const char *reply, *wrong;
        } cases[] = {
                { "{\"slots\":1,\"policies\":2,\"warnings\":[]}", "" },
                { "{\"slots\":1,\"policies\":2}", "Reload.warnings: expected to be there" },
                { "{\"slots\":\"1\",\"policies\":2,\"warnings\":[]}", "Reload.slots: expected int" },
                { "{\"slots\":1,\"policies\":2,\"warnings\":[3]}", "Reload.warnings[0]: expected string" },
                { "{\"slots\":1,\"policies\":2,\"warnings\":[],\"x\":1}",
                  "Reload: expected no other fields than the interface has" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                json_t *reply = json(cases[i].reply);

                assert_string_equal(idl_check(station, IDL_REPLY, "Reload", reply), cases[i].wrong);
                json_decref(reply);
        }
}

static void test_status_conforms_and_survives_the_journey(void **state)
{
        struct slot_status slots[2];
        struct policy_status policy;
        char *gone[1];
        struct status_update sent = sample_status(slots, &policy, gone), got;
        json_t *wire = status_update_to_json(&sent), *again;

        (void)state;
        expect_conforms(IDL_REPLY, "Status", wire);
        assert_int_equal(status_update_from_json(wire, &got), 0);
        again = status_update_to_json(&got);
        assert_true(json_equal(wire, again));
        assert_int_equal(got.station.slots[0].phase, PHASE_DOWNLOADING);
        assert_int_equal(got.station.slots[0].left_usec, 2100000);
        assert_int_equal(got.station.slots[1].left_usec, USEC_INFINITY);
        assert_null(got.station.slots[1].mac);
        assert_string_equal(got.gone[0], "A9");
        json_decref(wire);
        json_decref(again);
        status_update_done(&got);
}

static void test_a_change_names_no_policies(void **state)
{
        struct status_update change = { .station = { .name = (char *)"line3-a" } }, got;
        json_t *wire = status_update_to_json(&change);

        (void)state;
        expect_conforms(IDL_REPLY, "Status", wire);
        assert_true(json_is_null(json_object_get(wire, "policies")));
        assert_int_equal(status_update_from_json(wire, &got), 0);
        assert_false(got.whole);
        assert_int_equal(got.station.n_slots, 0);
        status_update_done(&got);
        json_decref(wire);
}

/* What a watcher is sent is what it would be as JSON, however it is printed. */
static void expect_reply_is_json(const struct status_update *update)
{
        json_t *parameters = status_update_to_json(update);

        for (int continues = 0; continues < 2; continues++) {
                struct varlink_reply reply;
                char *text;
                size_t size;

                assert_int_equal(status_update_to_reply(update, continues, &text, &size), 0);
                assert_int_equal(strlen(text) + 1, size);
                assert_int_equal(varlink_reply_parse(text, size - 1, &reply), 0);
                assert_int_equal(reply.continues, continues);
                assert_null(reply.error);
                assert_true(json_equal(reply.parameters, parameters));
                varlink_reply_done(&reply);
                free(text);
        }
        json_decref(parameters);
}

static void test_a_reply_is_printed_as_json_has_it(void **state)
{
        struct slot_status slots[2];
        struct policy_status policy;
        char *gone[1], *long_text = calloc(1, 10000);
        struct status_update update = sample_status(slots, &policy, gone);

        (void)state;
        expect_reply_is_json(&update);
        update.whole = false;
        expect_reply_is_json(&update);
        gone[0] = (char *)"a \"quoted\" \\ name\n\x01\x7f \xc3\xa4 \xff\xfe";
        slots[0].message = gone[0];
        slots[1].phase = PHASE_STUCK;
        slots[1].bytes_done = UINT64_MAX;
        slots[1].bytes_total = (uint64_t)INT64_MAX;
        expect_reply_is_json(&update);
        memset(long_text, 'x', 9999);
        slots[0].last_message = long_text;
        memcpy(long_text + 4094, "\xe2\x82\xac", 3); /* where it is cut */
        expect_reply_is_json(&update);
        update = (struct status_update){ .station = { .uptime_usec = UINT64_MAX } };
        expect_reply_is_json(&update);
        free(long_text);
}

static void test_every_word_is_one_that_the_interface_names(void **state)
{
        (void)state;
        for (int i = 0; i < PHASE_MAX_; i++)
                if (!strstr(station_interface_text, phase_to_string((enum phase)i)))
                        fail_msg("the interface does not name the phase %s", phase_to_string((enum phase)i));
        for (int i = 0; i < VERDICT_MAX_; i++)
                if (!strstr(station_interface_text, verdict_to_string((enum verdict)i)))
                        fail_msg("the interface does not name the verdict %s",
                                 verdict_to_string((enum verdict)i));
}

static void test_what_a_board_says_becomes_valid_text(void **state)
{
        struct slot_status slot = { .slot = (char *)"A1", .mac = (char *)"\xff\x1b[2J" };
        struct status_update update = { .station = { .slots = &slot, .n_slots = 1 } };
        json_t *wire = status_update_to_json(&update), *sent;

        (void)state;
        expect_conforms(IDL_REPLY, "Status", wire);
        sent = json_object_get(json_array_get(json_object_get(wire, "slots"), 0), "mac");
        assert_string_equal(json_string_value(sent), "\xef\xbf\xbd\x1b[2J");
        json_decref(wire);
}

static void test_a_number_over_what_json_carries_is_capped(void **state)
{
        struct status_update update = { .station = { .uptime_usec = UINT64_MAX } };
        json_t *wire = status_update_to_json(&update);

        (void)state;
        assert_int_equal(json_integer_value(json_object_get(json_object_get(wire, "station"), "uptime_usec")),
                         INT64_MAX);
        json_decref(wire);
}

#define SLOT(more)                                                                                           \
        "{\"station\":{\"name\":\"s\",\"version\":\"1\"},\"whole\":true,\"slots\":[{\"slot\":\"A1\"" more    \
        "}]}"

static void test_an_older_or_newer_daemon_is_understood(void **state)
{
        static const char older[] = SLOT("");
        static const char newer[] = SLOT(
                ",\"colour\":\"red\",\"phase\":\"erasing\",\"last_verdict\":\"melted\"");
        struct status_update got;
        json_t *wire = json(older);

        (void)state;
        assert_int_equal(status_update_from_json(wire, &got), 0);
        assert_int_equal(got.station.slots[0].phase, PHASE_EMPTY);
        assert_int_equal(got.station.slots[0].left_usec, USEC_INFINITY);
        status_update_done(&got);
        json_decref(wire);

        wire = json(newer);
        assert_int_equal(status_update_from_json(wire, &got), 0);
        assert_int_equal(got.station.slots[0].phase, PHASE_MAX_);
        assert_string_equal(phase_to_string(got.station.slots[0].phase), "unknown");
        assert_int_equal(got.station.slots[0].last_verdict, VERDICT_MAX_);
        status_update_done(&got);
        json_decref(wire);
}

static void test_wrong_types_are_refused(void **state)
{
        static const char *const texts[] = {
                "{}",
                "{\"station\":{\"name\":\"s\",\"version\":\"1\"}}",
                "{\"station\":[],\"whole\":true}",
                "{\"station\":{\"name\":\"s\",\"version\":\"1\"},\"whole\":true,\"slots\":{}}",
                "{\"station\":{\"name\":\"s\",\"version\":\"1\"},\"whole\":true,\"slots\":[1]}",
                "{\"station\":{\"name\":\"s\",\"version\":\"1\"},\"whole\":true,\"slots\":[{}]}",
                "{\"station\":{\"name\":\"s\",\"version\":\"1\"},\"whole\":true,\"gone\":[1]}",
                SLOT(",\"bytes_done\":-1"),
                SLOT(",\"bytes_done\":1.5"),
                SLOT(",\"bytes_done\":null"),
                SLOT(",\"attempt\":4294967296"),
                SLOT(",\"phase\":1"),
                SLOT(",\"mac\":1"),
        };
        struct status_update got;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                json_t *wire = json(texts[i]);

                if (status_update_from_json(wire, &got) != -EPROTO)
                        fail_msg("%s was taken", texts[i]);
                json_decref(wire);
        }
}

static void test_the_answer_to_cancel_is_a_slot(void **state)
{
        struct slot_status slots[2], got;
        struct policy_status policy;
        char *gone[1];
        json_t *wire, *damaged = json("{\"slot\":7}");

        (void)state;
        sample_status(slots, &policy, gone);
        wire = slot_reply_to_json(&slots[0]);
        expect_conforms(IDL_REPLY, "Cancel", wire);
        assert_int_equal(slot_reply_from_json(wire, &got), 0);
        assert_string_equal(got.slot, "A1");
        assert_int_equal(got.last_verdict, VERDICT_BOARD_LEFT);
        slot_status_done(&got);
        assert_int_equal(slot_reply_from_json(damaged, &got), -EPROTO);
        json_decref(damaged);
        json_decref(wire);
}

static void test_explain_conforms_and_survives_the_journey(void **state)
{
        struct explain_policy answers[] = {
                { .policy = (char *)"probe",
                  .key = (char *)"chip",
                  .wanted = (char *)"esp32s3",
                  .found = (char *)"esp32s2" },
                { .policy = (char *)"gizmo", .matches = true },
        };
        struct explanation sent[] = {
                { .slot = (char *)"A1",
                  .present = true,
                  .board = (char *)"ESP32-S2",
                  .phase = PHASE_FLASHED,
                  .chosen = (char *)"gizmo",
                  .held = (char *)"held by joe",
                  .policies = answers,
                  .n_policies = 2 },
                { .slot = (char *)"A2" },
        };
        struct explanation *got;
        json_t *wire = explanations_to_json(sent, 2), *again;
        size_t n;

        (void)state;
        expect_conforms(IDL_REPLY, "Explain", wire);
        assert_int_equal(explanations_from_json(wire, &got, &n), 0);
        assert_int_equal(n, 2);
        assert_string_equal(got[0].policies[0].wanted, "esp32s3");
        assert_string_equal(got[0].held, "held by joe");
        assert_null(got[1].held);
        again = explanations_to_json(got, n);
        assert_true(json_equal(wire, again));
        json_decref(wire);
        json_decref(again);
        explanations_free(got, n);
}

static void test_history_conforms_and_survives_the_journey(void **state)
{
        struct attempt_record sent[] = {
                { .id = 8, .job = (char *)"j2", .attempt = 1, .slot = (char *)"A1" },
                { .id = 7,
                  .sequence = 7,
                  .job = (char *)"j1",
                  .attempt = 2,
                  .slot = (char *)"A1",
                  .port = (char *)"1-4.1",
                  .chip = (char *)"esp32s2",
                  .policy = (char *)"gizmo",
                  .image_path = (char *)"/srv/dfu.bin",
                  .image_name = (char *)"gizmo",
                  .image_version = (char *)"1.4.2",
                  .image_sha256 = (char *)"00ff",
                  .boot_id = (char *)"b",
                  .clock_synchronized = true,
                  .start_realtime_usec = 1,
                  .end_realtime_usec = 3,
                  .duration_usec = 2,
                  .bytes = 4096,
                  .transfers = 1,
                  .verdict = VERDICT_VERIFY_FAILED,
                  .final = true,
                  .message = (char *)"errVERIFY",
                  .engine_message = (char *)"errVERIFY",
                  .detaching_usec = 1,
                  .downloading_usec = 2,
                  .dfu_status = (char *)"errVERIFY",
                  .dfu_state = (char *)"dfuERROR",
                  .station = (char *)"line3-a",
                  .data_file = (char *)"/srv/nvs/17.bin" },
        };
        struct attempt_record *got;
        json_t *wire = attempts_to_json(sent, 2), *again;
        size_t n;

        (void)state;
        expect_conforms(IDL_REPLY, "History", wire);
        assert_true(json_is_null(
                json_object_get(json_array_get(json_object_get(wire, "attempts"), 0), "sequence")));
        assert_int_equal(attempts_from_json(wire, &got, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(got[1].verdict, VERDICT_VERIFY_FAILED);
        again = attempts_to_json(got, n);
        assert_true(json_equal(wire, again));
        json_decref(wire);
        json_decref(again);
        attempts_free(got, n);
}

static void test_stats_conform_and_survive_the_journey(void **state)
{
        struct stats_line lines[] = {
                { .name = (char *)"A1", .attempts = 3, .yield_ppm = 989000, .p95_usec = 4 },
                { .name = (char *)"A2",
                  .yield_ppm = USEC_INFINITY,
                  .first_pass_ppm = USEC_INFINITY,
                  .boards_per_hour = USEC_INFINITY,
                  .mean_usec = USEC_INFINITY,
                  .p95_usec = USEC_INFINITY }
        };
        struct stats_error errors[] = {
                { .verdict = VERDICT_STALLED, .attempts = 2, .message = (char *)"refused DNLOAD" },
                { .verdict = VERDICT_BOARD_ERROR, .dfu_status = (char *)"errPROG", .attempts = 1 },
        };
        struct station_stats sent = { .first_start_realtime_usec = 1,
                                      .total = { .attempts = 3 },
                                      .policies = lines,
                                      .n_policies = 1,
                                      .slots = lines,
                                      .n_slots = 2,
                                      .errors = errors,
                                      .n_errors = 2,
                                      .rows = 3,
                                      .first_sequence = 1,
                                      .last_sequence = 3 },
                             got;
        json_t *wire = station_stats_to_json(&sent), *again;

        (void)state;
        expect_conforms(IDL_REPLY, "Stats", wire);
        assert_int_equal(station_stats_from_json(wire, &got), 0);
        assert_int_equal(got.n_slots, 2);
        assert_true(got.slots[1].yield_ppm == USEC_INFINITY);
        assert_string_equal(got.errors[1].dfu_status, "errPROG");
        again = station_stats_to_json(&got);
        assert_true(json_equal(wire, again));
        json_decref(wire);
        json_decref(again);
        station_stats_done(&got);
}

static void test_counters_conform_and_survive_the_journey(void **state)
{
        struct counters counters;
        struct station_counters sent, got;
        json_t *wire, *again;

        (void)state;
        counters_init(&counters);
        counters_add(&counters, &(struct attempt_record){ .policy = (char *)"gizmo",
                                                          .verdict = VERDICT_FLASHED,
                                                          .attempt = 1,
                                                          .bytes = 4096,
                                                          .duration_usec = 7 * USEC_PER_SEC });
        assert_int_equal(counters_copy(&counters, &sent), 0);
        sent.attempts_recorded = 41;
        wire = station_counters_to_json(&sent);
        expect_conforms(IDL_REPLY, "Counters", wire);
        assert_int_equal(station_counters_from_json(wire, &got), 0);
        assert_int_equal(got.attempts_recorded, 41);
        assert_int_equal(got.policies[0].attempts[VERDICT_FLASHED], 1);
        assert_int_equal(got.policies[0].n_spans, sent.policies[0].n_spans);
        again = station_counters_to_json(&got);
        assert_true(json_equal(wire, again));
        station_counters_done(&got);
        json_array_clear(json_object_get(json_array_get(json_object_get(wire, "policies"), 0), "durations"));
        assert_int_equal(station_counters_from_json(wire, &got), -EPROTO);
        json_decref(wire);
        json_decref(again);
        station_counters_done(&sent);
        counters_done(&counters);
}

static void test_consumers_conform_and_survive_the_journey(void **state)
{
        const struct consumer_status sent = { (char *)"bridge", 41, 2, 1700000000 };
        struct consumer_status *got;
        json_t *wire = consumers_to_json(&sent, 1);
        size_t n;

        (void)state;
        expect_conforms(IDL_REPLY, "Consumers", wire);
        assert_int_equal(consumers_from_json(wire, &got, &n), 0);
        assert_int_equal(n, 1);
        assert_string_equal(got[0].consumer, "bridge");
        assert_int_equal(got[0].behind, 2);
        json_decref(wire);
        consumers_free(got, n);
}

static void test_reload_tells_warnings_or_errors(void **state)
{
        char *lines[] = { (char *)"line3.conf:14: attempts = 0: expected 1 to 20" };
        struct reload_result good = { .slots = 4, .policies = 2, .warnings = lines, .n_warnings = 1 };
        struct reload_result refused = { .errors = lines, .n_errors = 1 }, got;
        json_t *wire = reload_result_to_json(&good);

        (void)state;
        expect_conforms(IDL_REPLY, "Reload", wire);
        assert_int_equal(reload_result_from_json(wire, &got), 0);
        assert_int_equal(got.slots, 4);
        assert_string_equal(got.warnings[0], lines[0]);
        reload_result_done(&got);
        json_decref(wire);

        wire = reload_result_to_json(&refused);
        expect_conforms(IDL_ERROR, "ReloadRefused", wire);
        assert_int_equal(reload_result_from_json(wire, &got), 0);
        assert_int_equal(got.n_errors, 1);
        reload_result_done(&got);
        json_decref(wire);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_both_interface_texts_can_be_read),
                cmocka_unit_test(test_the_checker_sees_what_is_wrong),
                cmocka_unit_test(test_status_conforms_and_survives_the_journey),
                cmocka_unit_test(test_a_change_names_no_policies),
                cmocka_unit_test(test_a_reply_is_printed_as_json_has_it),
                cmocka_unit_test(test_every_word_is_one_that_the_interface_names),
                cmocka_unit_test(test_what_a_board_says_becomes_valid_text),
                cmocka_unit_test(test_a_number_over_what_json_carries_is_capped),
                cmocka_unit_test(test_an_older_or_newer_daemon_is_understood),
                cmocka_unit_test(test_wrong_types_are_refused),
                cmocka_unit_test(test_the_answer_to_cancel_is_a_slot),
                cmocka_unit_test(test_explain_conforms_and_survives_the_journey),
                cmocka_unit_test(test_history_conforms_and_survives_the_journey),
                cmocka_unit_test(test_stats_conform_and_survive_the_journey),
                cmocka_unit_test(test_counters_conform_and_survive_the_journey),
                cmocka_unit_test(test_consumers_conform_and_survive_the_journey),
                cmocka_unit_test(test_reload_tells_warnings_or_errors),
        };

        return cmocka_run_group_tests(tests, read_station, drop_station);
}
