/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl probe with the real engine: a model has no difference, one thing altered is the one difference; and the station. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include <jansson.h>

#include "tests/integration/line.h"

static const char gizmo[] = "[slot A1]\n"
                            "port = 1-4.1\n"
                            "[policy gizmo]\n"
                            "chip = esp32s2\n"
                            "image = @s2.bin\n";

static const struct rom_config s3 = { .chip = ROM_S3, .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x12 } };
static const struct rom_config s3_dfu = { .chip = ROM_S3,
                                          .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x12 },
                                          .starts_in_dfu_mode = true };

static struct line line;

static int begin(void **state)
{
        (void)state;
        line_lay_out(&line, gizmo);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

/* ---- vocabulary ---- */

static struct bed_child *begin_probe(const char *const *arguments)
{
        static const char *const environment[] = { "LC_ALL=C", NULL };
        const struct bed_spawn_options options = { .environment = environment };
        g_autofree char *socket = line_path(&line, "socket");
        const char *argv[16] = { ESPDFUCTL, "--socket", socket, "probe" };
        size_t n = 4;

        for (size_t i = 0; arguments[i] && n < ARRAY_SIZE(argv) - 1; i++)
                argv[n++] = arguments[i];
        return bed_spawn(line.bed, argv, &options);
}

static void expect_end(struct bed_child *child, int expected, const char *text)
{
        int status = bed_wait_child(child, PATIENCE);

        if (status != expected)
                fail_msg("probe: exit status %d, expected %d: %s", status, expected, bed_output(child));
        expect_said(bed_output(child), text);
}

/* Runs it; text is in what it says, which is returned (borrowed from the bed). */
#define PROBE(expected, text, ...) run_probe(expected, text, (const char *const[]){ __VA_ARGS__, NULL })
static const char *run_probe(int expected, const char *text, const char *const *arguments)
{
        struct bed_child *child = begin_probe(arguments);

        expect_end(child, expected, text);
        return bed_output(child);
}

static const struct rom_counters *counters(struct bed_board *board)
{
        return rom_counters(bed_rom(board));
}

static void expect_nothing_written(struct bed_board *board)
{
        assert_int_equal(counters(board)->requests[ROM_DNLOAD], 0);
        assert_int_equal(counters(board)->written_pages, 0);
        assert_int_equal(counters(board)->erased_sectors, 0);
        assert_int_equal(counters(board)->violations, 0);
}

/* The hold of a slot itself, as Explain tells it; NULL: nobody holds it. */
static void expect_hold(const char *slot, const char *text)
{
        g_autofree char *said = NULL;
        json_t *json;
        const char *held;

        assert_int_equal(ctl(&line, &said, (const char *[]){ "explain", slot, "--json", NULL }), 0);
        json = json_loads(said, 0, NULL);
        assert_non_null(json);
        held = json_string_value(
                json_object_get(json_array_get(json_object_get(json, "explanations"), 0), "held"));
        if (text)
                expect_said(held, text);
        else if (held)
                fail_msg("%s: expected no hold, there was: %s", slot, held);
        json_decref(json);
}

static bool is_asked(void *board)
{
        return rom_counters(bed_rom(board))->requests[ROM_GETSTATE] > 0;
}

/* ---- without a daemon ---- */

static void test_the_model_has_no_difference_in_run_time_mode(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &s3);
        const char *said;

        (void)state;
        said = PROBE(0, "Nothing differs from docs/rom-dfu.md.", "1-4.1");
        expect_said(said, "no station is told to keep its hands off: ");
        expect_said(said, "ESP32-S3 303a:0009, bcdDevice 0728, serial 7c:df:a1:0b:00:12, on port 1-4.1, "
                          "pci-0000:00:14.0-usb-0:4.1");
        expect_said(said, "run-time  GETSTATUS after ABORT");
        assert_null(strstr(said, "DETACH"));
        assert_null(strstr(said, "UPLOAD"));
        expect_nothing_written(board);
        assert_int_equal(counters(board)->requests[ROM_DETACH], 0);
        assert_int_equal(counters(board)->requests[ROM_UPLOAD], 0);
}

static void test_the_model_has_no_difference_in_both_modes(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &s3);
        const char *said;
        json_t *json;

        (void)state;
        said = PROBE(0, "Nothing differs from docs/rom-dfu.md.", "pci-0000:00:14.0-usb-0:4.1", "--detach",
                     "--upload");
        expect_said(said, "run-time  DETACH");
        expect_said(said, "dfu       GETSTATUS in dfuERROR");
        expect_said(said, "64 bytes of flash");
        expect_said(said, "Back in DFU mode ");
        assert_int_equal(counters(board)->detaches, 1);
        expect_nothing_written(board);
        said = PROBE(0, "{", "1-4.1", "--json");
        json = json_loads(strchr(said, '{'), 0, NULL);
        assert_non_null(json);
        assert_int_equal(json_integer_value(json_object_get(json, "differences")), 0);
        assert_true(json_is_true(json_object_get(json, "complete")));
        assert_true(json_is_null(json_object_get(json, "return_usec")));
        assert_string_equal(json_string_value(json_object_get(json_object_get(json, "device"), "mode")),
                            "rom-dfu");
        assert_int_equal(json_array_size(json_object_get(json, "answers")), 20);
        json_decref(json);
}

static void expect_one_difference(const struct rom_config *config, const struct rom_fault *fault,
                                  const char *text)
{
        static char port[] = "1-4.0";
        const char *said;
        struct bed_board *board;

        port[4]++;
        board = plug_with(&line, port, config);
        if (fault)
                rom_add_fault(bed_rom(board), fault);
        said = PROBE(1,
                     "1 answer differs from docs/rom-dfu.md: please send this report, see docs/hardware.md.",
                     port);
        expect_said(said, text);
        expect_nothing_written(board);
}

static void test_one_thing_altered_is_the_one_difference(void **state)
{
        const struct rom_config revision = { .chip = ROM_S2, .bcd_device = 0x0724 };
        const struct rom_config name = { .chip = ROM_S2, .manufacturer = "Espressif Systems" };
        const struct rom_config size = { .chip = ROM_S2, .patch_offset = 89, .patch_to = 0x80 };
        const struct rom_fault poll = { ROM_AT_REQUEST, ROM_GETSTATUS, 1, ROM_DO_POLL_TIME, 5 };
        const struct rom_fault stall = { ROM_AT_REQUEST, ROM_ABORT, 1, ROM_DO_STALL, 0 };

        (void)state;
        expect_one_difference(
                &revision, NULL,
                "run-time, GET_DESCRIPTOR device: is 12 01 00 02 ef 02 01 40 3a 30 02 00 24 07 01 02 03 01; "
                "expected 12 01 00 02 ef 02 01 40 3a 30 02 00 23 07 01 02 03 01");
        expect_one_difference(
                &name, NULL,
                "run-time, GET_DESCRIPTOR string 1: is \"Espressif Systems\"; expected \"Espressif\"");
        expect_one_difference(&size, NULL, "run-time, GET_DESCRIPTOR configuration: is ");
        expect_one_difference(
                &s3_dfu, &poll,
                "dfu, GETSTATUS: is OK, bwPollTimeout 5 ms, dfuIDLE; expected OK, bwPollTimeout 256 ms, "
                "dfuIDLE");
        expect_one_difference(&s3_dfu, &stall, "dfu, ABORT: is STALL; expected done");
}

static void test_board_in_mid_download_is_left_as_it_is(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &s3_dfu);
        const char *said;

        (void)state;
        rom_add_fault(bed_rom(board), &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATUS, 1, ROM_DO_STATE,
                                                           ROM_DFU_DNLOAD_IDLE });
        said = PROBE(1, "Not all was asked: ", "1-4.1", "--upload");
        expect_said(
                said,
                "is OK, bwPollTimeout 256 ms, dfuDNLOAD-IDLE; expected OK, bwPollTimeout 256 ms, dfuIDLE");
        assert_int_equal(counters(board)->requests[ROM_ABORT] + counters(board)->requests[ROM_UPLOAD], 0);
}

static void test_what_cannot_be_probed_is_said(void **state)
{
        const struct rom_config jtag = { .chip = ROM_S3, .pid = 0x1001 };
        struct bed_board *board;

        (void)state;
        PROBE(2, "probe: expected a slot, a port path or an ID_PATH: see espdfuctl probe --help", "--json");
        PROBE(1,
              "espdfuctl: 1-4.1: no Espressif device is at this port or path, and no espdfud answers that "
              "knows slots: ",
              "1-4.1");
        plug_with(&line, "1-4.2", &jtag);
        PROBE(1,
              "1-4.2: 303a:1001 is no chip in download mode: expected 303a:0002, 0009, 0012 or 0020 with a "
              "DFU "
              "interface: see espdfuctl doctor 1-4.2",
              "1-4.2");
        board = plug_with(&line, "1-4.3", &s3);
        bed_occupy(board, 2);
        PROBE(1, "espdfu-engine: cannot claim the DFU interface: Resource busy", "1-4.3");
        PROBE(1, "cannot start /nowhere/engine: No such file or directory", "1-4.3", "--engine",
              "/nowhere/engine");
        PROBE(1, "/bin/echo says what is no answer: --probe --node", "1-4.3", "--engine", "/bin/echo");
}

static void expect_engine_refuses(const char *const *arguments)
{
        g_autofree char *directory = g_path_get_dirname(ESPDFUCTL),
                        *engine = g_build_filename(directory, "espdfu-engine", NULL);
        const char *argv[12] = { engine };
        struct bed_child *child;

        for (size_t i = 0; arguments[i]; i++)
                argv[i + 1] = arguments[i];
        child = bed_spawn(line.bed, argv, NULL);
        expect_end(child, 2,
                   "espdfu-engine: expected --node, --image-fd and --channel-fd (descriptors above 2), or "
                   "--probe and --node, and nothing else; see --help");
}

static void test_engine_takes_no_option_of_flashing_for_a_probe(void **state)
{
        (void)state;
        expect_engine_refuses((const char *[]){ "--probe", NULL });
        expect_engine_refuses((const char *[]){ "--probe", "--node", "/dev/null", "--image-fd", "3", NULL });
        expect_engine_refuses((const char *[]){ "--probe", "--node", "/dev/null", "--reset", NULL });
        expect_engine_refuses((const char *[]){ "--node", "/dev/null", "--image-fd", "3", "--channel-fd", "4",
                                                "--detach", NULL });
        expect_engine_refuses((const char *[]){ "--probe", "--node", "/dev/null", "more", NULL });
}

/* ---- with a station ---- */

static void test_station_keeps_its_hands_off_meanwhile(void **state)
{
        struct bed_board *board;

        (void)state;
        start_daemon(&line);
        board = plug_with(&line, "1-4.2", &s3); /* no policy is for it */
        expect_phase(&line, "1-4.2", PHASE_NO_POLICY);
        PROBE(0, "Nothing differs", "1-4.2", "--detach");
        expect_log(&line, ": espdfuctl probe");
        expect_hold("1-4.2", NULL);
        expect_nothing_written(board);
}

static void test_board_that_waits_for_the_probe_is_flashed_after_it(void **state)
{
        struct bed_board *board;

        (void)state;
        start_daemon(&line);
        expect_ctl(&line, "", (const char *[]){ "hold", NULL });
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "A1", PHASE_HELD);
        PROBE(0, "Nothing differs", "A1");
        expect_phase(&line, "A1", PHASE_HELD); /* the station is, by somebody else */
        expect_held(&line, "held by ");
        expect_nothing_written(board);
        expect_ctl(&line, "", (const char *[]){ "release", NULL });
        expect_flashed(&line, "A1", board);
        PROBE(0, "Nothing differs", "A1"); /* it stands in DFU mode, dfuIDLE */
        expect_phase(&line, "A1", PHASE_FLASHED);
        assert_int_equal(counters(board)->completed, 1);
}

static void test_slot_that_somebody_holds_stays_held_by_them(void **state)
{
        (void)state;
        start_daemon(&line);
        expect_ctl(&line, "", (const char *[]){ "hold", "A1", "--reason", "bent pin", NULL });
        plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "A1", PHASE_HELD);
        PROBE(0, "Nothing differs", "A1");
        expect_hold("A1", ": bent pin");
}

static void test_running_job_is_not_disturbed(void **state)
{
        const struct rom_config endless = { .chip = ROM_S2, .timing = { .transfer_usec = 20000 } };

        (void)state;
        start_daemon(&line);
        plug_with(&line, "1-4.1", &endless);
        expect_bytes_done(&line, "A1", 1024);
        PROBE(1, "espdfuctl: A1: a job runs there (downloading): wait for its end, or espdfuctl cancel A1",
              "A1");
        expect_hold("A1", NULL);
        assert_int_equal(slot_of(&line, "A1")->phase, PHASE_DOWNLOADING);
        expect_ctl(&line, "", (const char *[]){ "cancel", "A1", NULL });
}

static void test_hold_is_released_when_the_board_fails_and_on_ctrl_c(void **state)
{
        struct bed_child *child;
        struct bed_board *board;

        (void)state;
        start_daemon(&line);
        board = plug_with(&line, "1-4.2", &s3);
        expect_phase(&line, "1-4.2", PHASE_NO_POLICY);
        rom_add_fault(bed_rom(board),
                      &(struct rom_fault){ ROM_AT_REQUEST, ROM_CLRSTATUS, 1, ROM_DO_UNPLUG, 0 });
        PROBE(1, "run-time, CLRSTATUS: is no answer: ", "1-4.2");
        expect_hold("1-4.2", NULL);

        board = plug_with(&line, "1-4.3", &s3);
        expect_phase(&line, "1-4.3", PHASE_NO_POLICY);
        rom_add_fault(bed_rom(board), &(struct rom_fault){ ROM_AT_REQUEST, ROM_GETSTATE, 1, ROM_DO_HANG, 0 });
        child = begin_probe((const char *[]){ "1-4.3", NULL });
        assert_true(bed_wait(line.bed, is_asked, board, PATIENCE));
        expect_hold("1-4.3", ": espdfuctl probe");
        bed_kill(child, SIGINT);
        expect_end(child, 1, "espdfuctl: interrupted");
        expect_hold("1-4.3", NULL);
}

static void test_slots_that_are_empty_or_unknown(void **state)
{
        (void)state;
        start_daemon(&line);
        PROBE(1, "espdfuctl: A1: no Espressif device is in this slot: see espdfuctl doctor A1", "A1");
        PROBE(1,
              "espdfuctl: Z9: no Espressif device is at this port or path, and no slot has this name: see "
              "espdfuctl list",
              "Z9");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_the_model_has_no_difference_in_run_time_mode),
                TEST(test_the_model_has_no_difference_in_both_modes),
                TEST(test_one_thing_altered_is_the_one_difference),
                TEST(test_board_in_mid_download_is_left_as_it_is),
                TEST(test_what_cannot_be_probed_is_said),
                TEST(test_engine_takes_no_option_of_flashing_for_a_probe),
                TEST(test_station_keeps_its_hands_off_meanwhile),
                TEST(test_board_that_waits_for_the_probe_is_flashed_after_it),
                TEST(test_slot_that_somebody_holds_stays_held_by_them),
                TEST(test_running_job_is_not_disturbed),
                TEST(test_hold_is_released_when_the_board_fails_and_on_ctrl_c),
                TEST(test_slots_that_are_empty_or_unknown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
