/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits for the station and for its hubs: who waits, what a board that waits says, and what a reload changes. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/line.h"

#define GIZMO "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n"

/* On a bus where a download does not end before somebody cancels it. */
static const struct rom_config endless = { .chip = ROM_S2, .timing = { .transfer_usec = 20000 } };

static struct line line;

static int begin(void **state)
{
        (void)state;
        line_begin(&line, GIZMO);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

/* ---- vocabulary ---- */

#define ORDER(...)      expect_ctl(&line, "", (const char *[]){ __VA_ARGS__, NULL })
#define SAYS(text, ...) expect_ctl(&line, text, (const char *[]){ __VA_ARGS__, NULL })

static void configure(const char *limits)
{
        g_autofree char *config = g_strconcat(limits, GIZMO, NULL);

        line_configure(&line, config);
        ORDER("reload");
}

/* A board whose download goes on until it is cancelled. */
static void occupy(const char *port)
{
        plug_with(&line, port, &endless);
        expect_bytes_done(&line, port, 1024);
}

static struct bed_board *plug_in_vain(const char *port, const char *waits_for)
{
        struct bed_board *board = plug(&line, port, ROM_S2);

        expect_message(&line, port, waits_for);
        expect_phase(&line, port, PHASE_QUEUED);
        return board;
}

/* ---- stories ---- */

static void test_hub_limit_lets_other_hubs_go_on(void **state)
{
        static const char waits[] = "waits for a place on hub left (jobs-max = 1)";
        struct bed_board *waiting, *other;

        (void)state;
        configure("[station]\njobs-max = 8\n"
                  "[hub left]\nport = 1-4\njobs-max = 1\n[hub right]\nport = 1-5\njobs-max = 1\n");
        occupy("1-4.1");
        waiting = plug_in_vain("1-4.2", waits);
        other = plug(&line, "1-5.3", ROM_S2);
        expect_flashed(&line, "1-5.3", other);
        other = plug(&line, "2-1", ROM_S2);
        expect_flashed(&line, "2-1", other);
        assert_int_equal(slot_of(&line, "1-4.2")->phase, PHASE_QUEUED);
        SAYS(waits, "status");
        SAYS("\"message\": \"waits for a place on hub left (jobs-max = 1)\"", "status", "--json");
        SAYS("so: gizmo: waits for a place on hub left (jobs-max = 1)", "explain", "1-4.2");
        expect_untouched(&line, waiting);
        ORDER("cancel", "1-4.1");
        expect_flashed(&line, "1-4.2", waiting);
}

static void test_board_counts_for_the_hubs_above_it_at_any_depth(void **state)
{
        struct bed_board *deep, *beside;

        (void)state;
        /* The one by its ID_PATH, the other by its port. */
        configure("[hub rack]\npath = pci-0000:00:14.0-usb-0:4\njobs-max = 2\n"
                  "[hub shelf]\nport = 1-4.1\njobs-max = 1\n");
        occupy("1-4.1.1");
        deep = plug_in_vain("1-4.1.2.3", "waits for a place on hub shelf (jobs-max = 1)");
        occupy("1-4.2");
        beside = plug_in_vain("1-4.3", "waits for a place on hub rack (jobs-max = 2)");
        ORDER("cancel", "1-4.2");
        expect_flashed(&line, "1-4.3", beside);
        assert_int_equal(slot_of(&line, "1-4.1.2.3")->phase, PHASE_QUEUED);
        ORDER("cancel", "1-4.1.1");
        expect_flashed(&line, "1-4.1.2.3", deep);
}

static void test_station_limit_is_told_and_a_hold_before_it(void **state)
{
        static const char waits[] = "waits for a place: station has jobs-max = 1";
        struct bed_board *board;

        (void)state;
        configure("[station]\njobs-max = 1\n");
        occupy("1-4.1");
        board = plug_in_vain("1-4.2", waits);
        ORDER("hold", "1-4.2", "--reason", "bent pin");
        expect_message(&line, "1-4.2", ": bent pin");
        ORDER("release", "1-4.2");
        expect_message(&line, "1-4.2", waits);
        ORDER("cancel", "1-4.1");
        expect_flashed(&line, "1-4.2", board);
        assert_null(strstr(slot_of(&line, "1-4.2")->message, "waits"));
}

static void test_reload_changes_limits_at_once_and_stops_nobody(void **state)
{
        struct bed_board *board;

        (void)state;
        configure("[hub left]\nport = 1-4\njobs-max = 2\n");
        occupy("1-4.1");
        occupy("1-4.2");
        board = plug_in_vain("1-4.3", "waits for a place on hub left (jobs-max = 2)");
        configure("[hub links]\nport = 1-4\njobs-max = 1\n");
        expect_message(&line, "1-4.3", "waits for a place on hub links (jobs-max = 1)");
        assert_int_equal(slot_of(&line, "1-4.1")->phase, PHASE_DOWNLOADING);
        assert_int_equal(slot_of(&line, "1-4.2")->phase, PHASE_DOWNLOADING);
        ORDER("cancel", "1-4.1");
        SAYS("waits for a place on hub links (jobs-max = 1)", "explain", "1-4.3");
        expect_untouched(&line, board);
        configure("[hub links]\nport = 1-4\njobs-max = 2\n");
        expect_flashed(&line, "1-4.3", board);
        assert_int_equal(slot_of(&line, "1-4.2")->phase, PHASE_DOWNLOADING);
        ORDER("cancel", "1-4.2");
}

/* The slots stand in the other order than the boards come. */
static void test_board_keeps_its_turn_through_reload_and_hold(void **state)
{
        static const char limits[] =
                "[slot 3rd]\nport = 1-4.3\n[slot 2nd]\nport = 1-4.2\n[slot 1st]\nport = 1-4.1\n"
                "[hub left]\nport = 1-4\njobs-max = 1\n";
        struct bed_board *third;

        (void)state;
        configure(limits);
        plug_with(&line, "1-4.1", &endless);
        expect_bytes_done(&line, "1st", 1024);
        plug_with(&line, "1-4.2", &endless);
        expect_message(&line, "2nd", "waits for a place");
        third = plug(&line, "1-4.3", ROM_S2);
        expect_message(&line, "3rd", "waits for a place");
        configure(limits);
        ORDER("hold", "2nd");
        ORDER("release", "2nd");
        ORDER("cancel", "1st");
        expect_bytes_done(&line, "2nd", 1024);
        expect_untouched(&line, third);
        SAYS("waits for a place on hub left (jobs-max = 1)", "explain", "3rd");
        ORDER("cancel", "2nd");
        expect_flashed(&line, "3rd", third);
}

static void test_board_that_waits_is_told_when_the_daemon_stops(void **state)
{
        struct bed_board *board;

        (void)state;
        configure("[station]\njobs-max = 1\n");
        occupy("1-4.1");
        board = plug_in_vain("1-4.2", "waits for a place");
        bed_kill(line.daemon, SIGTERM);
        expect_message(&line, "1-4.2", "waits: espdfud is being stopped");
        stop_daemon(&line); /* the second time: at once */
        expect_untouched(&line, board);
}

/* The kernel tells a device's strings under its lock, which a device that does not answer may keep for seconds: here whoever
 * reads the hub's waits for ever. */
static void test_strings_of_what_is_no_board_are_not_asked_for(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);
        g_autofree char *hub = g_path_get_dirname(bed_syspath(board));
        g_autofree char *serial = g_strconcat(g_getenv("UMOCKDEV_DIR"), hub, "/serial", NULL);

        (void)state;
        expect_flashed(&line, "1-4.1", board);
        stop_daemon(&line);
        (void)unlink(serial);
        assert_int_equal(mkfifo(serial, 0644), 0);
        start_daemon(&line);
        expect_flashed(&line, "1-4.2", plug(&line, "1-4.2", ROM_S2));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_hub_limit_lets_other_hubs_go_on),
                TEST(test_board_counts_for_the_hubs_above_it_at_any_depth),
                TEST(test_station_limit_is_told_and_a_hold_before_it),
                TEST(test_reload_changes_limits_at_once_and_stops_nobody),
                TEST(test_board_keeps_its_turn_through_reload_and_hold),
                TEST(test_board_that_waits_is_told_when_the_daemon_stops),
                TEST(test_strings_of_what_is_no_board_are_not_asked_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
