/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slots with names: ranges of them over hubs, names that are learned by plugging boards; and boards tried again. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/line.h"

#define GIZMO "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nretry-delay = 10ms\nattempts = 2\n"
#define HUB   "pci-0000:00:14.0-usb-0:4"

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

static void configure(const char *slots, const char *said)
{
        g_autofree char *config = g_strconcat(slots, GIZMO, NULL);

        line_configure(&line, config);
        SAYS(said, "reload");
}

static void expect_refused(const char *text, const char *const *arguments)
{
        g_autofree char *said = NULL;

        if (ctl(&line, &said, arguments) == 0)
                fail_msg("expected that it is refused: %s\nthere was: %s", text, said);
        expect_said(said, text);
}
#define REFUSED(text, ...) expect_refused(text, (const char *[]){ __VA_ARGS__, NULL })

static struct bed_board *flash(const char *port, const char *slot)
{
        struct bed_board *board = plug(&line, port, ROM_S2);

        expect_flashed(&line, slot, board);
        return board;
}

/* ---- ranges ---- */

static void test_cascade_of_hubs_is_numbered_with_nothing_plugged_in(void **state)
{
        static const char range[] = "[slot B*]\npath = " HUB ".*\n";

        (void)state;
        bed_plug_hub(line.bed, "1-4", 4);
        bed_plug_hub(line.bed, "1-4.2", 3);
        configure(range, "6 slots");
        SAYS("\"path\": \"" HUB ".2.1\"", "status", "--json");
        flash("1-4.4", "B6");
        flash("1-4.2.1", "B2");
        SAYS("B2", "explain", HUB ".2.1");
        SAYS("B6", "history", "--slot", "1-4.4");
}

static void test_hub_that_is_off_at_the_start_moves_no_number(void **state)
{
        static const char range[] = "[slot B*]\npath = " HUB ".*\n";

        (void)state;
        bed_plug_hub(line.bed, "1-4", 4);
        bed_plug_hub(line.bed, "1-4.2", 3);
        configure(range, "6 slots");
        stop_daemon(&line);
        bed_pull_hub(line.bed, "1-4.2");
        start_daemon(&line);
        flash("1-4.3", "B5");
        configure(range, "6 slots");
        flash("1-4.4", "B6");
        bed_plug_hub(line.bed, "1-4.2", 3);
        flash("1-4.2.2", "B3");
}

static void test_hub_that_comes_is_told_and_numbered_with_the_reload(void **state)
{
        static const char range[] = "[slot B*]\nport = 1-4.*\n";
        struct bed_board *board;

        (void)state;
        configure(range, "[slot B*]: 1-4.*: no hub is there: expected one before espdfuctl reload");
        bed_plug_hub(line.bed, "1-4", 4);
        expect_log(&line,
                   "the hub on 1-4 is new in slot B*: its ports have no numbers before espdfuctl reload");
        board = flash("1-4.3", "1-4.3");
        bed_pull(board);
        expect_phase(&line, "1-4.3", PHASE_EMPTY);
        configure(range, "4 slots");
        bed_replug(board, NULL);
        expect_flashed(&line, "B3", board);
        bed_plug_hub(line.bed, "1-4.1", 2);
        expect_log(&line, "the hub on 1-4.1 is new in slot B*");
        stop_daemon(&line);
        start_daemon(&line);
        expect_phase(&line, "B3", PHASE_FLASHED);
        configure(range,
                  "[slot B*]: its hubs are others than before: numbers may have moved, see espdfuctl status");
        expect_phase(&line, "B4", PHASE_FLASHED);
}

static void test_port_with_a_name_of_its_own_is_not_in_the_range(void **state)
{
        (void)state;
        bed_plug_hub(line.bed, "1-4", 3);
        configure("[slot B*]\nport = 1-4.*\n[slot jig]\npath = " HUB ".2\n", "3 slots");
        flash("1-4.2", "jig");
        flash("1-4.3", "B3");
}

static void test_damaged_layout_is_told_and_made_anew(void **state)
{
        g_autofree char *path = line_path(&line, "state/layout.json");

        (void)state;
        bed_plug_hub(line.bed, "1-4", 3);
        configure("[slot B*]\nport = 1-4.*\n", "3 slots");
        stop_daemon(&line);
        assert_true(g_file_set_contents(path, "{\"ranges\": [{", -1, NULL));
        start_daemon(&line);
        expect_log(&line,
                   "layout.json: not what espdfud wrote: ranges of slots are numbered by the hubs that are "
                   "there now");
        flash("1-4.3", "B3");
}

static void test_reload_may_put_new_slots_before_those_that_are_there(void **state)
{
        (void)state;
        configure("[slot C1]\nport = 1-4.3\n[slot C2]\nport = 1-4.4\n", "2 slots");
        configure("[slot A1]\nport = 1-4.1\n[slot C1]\nport = 1-4.3\n[slot A2]\nport = 1-4.2\n"
                  "[slot C2]\nport = 1-4.4\n",
                  "4 slots");
        flash("1-4.3", "C1");
        flash("1-4.2", "A2");
}

static struct bed_board *cancel_on(const char *port)
{
        struct bed_board *board = plug_with(&line, port, &endless);

        expect_bytes_done(&line, port, 1024);
        ORDER("cancel", port);
        expect_phase(&line, port, PHASE_CANCELLED);
        return board;
}

/* ---- names change, ports do not ---- */

static void expect_history_of_1(const char *where)
{
        g_autofree char *said = NULL;

        assert_int_equal(ctl(&line, &said, (const char *[]){ "history", "--slot", where, "--json", NULL }),
                         0);
        expect_said(said, "\"port\":\"1-4.1\"");
        expect_said(said, "\"slot\":\"1-4.1\"");
        assert_null(strstr(said, "1-4.2"));
}

static void test_port_keeps_its_record_when_its_slot_is_called_otherwise(void **state)
{
        struct bed_board *board;

        (void)state;
        flash("1-4.1", "1-4.1");
        board = cancel_on("1-4.2");
        configure("[slot A1]\nport = 1-4.1\n[slot A2]\nport = 1-4.2\n", "2 slots");
        expect_history_of_1("1-4.1");
        expect_history_of_1(HUB ".1");
        SAYS("No attempt.", "history", "--slot", "A1");
        expect_last_verdict(&line, "A1", VERDICT_FLASHED);
        expect_last_verdict(&line, "A2", VERDICT_CANCELLED);
        configure("[slot A1]\nport = 1-4.2\n[slot A2]\nport = 1-4.1\n", "2 slots");
        expect_last_verdict(&line, "A1", VERDICT_CANCELLED);
        expect_last_verdict(&line, "A2", VERDICT_FLASHED);
        expect_history_of_1("1-4.1");
        bed_pull(board);
        expect_phase(&line, "A1", PHASE_EMPTY);
        stop_daemon(&line);
        start_daemon(&line);
        expect_last_verdict(&line, "A1", VERDICT_CANCELLED);
        expect_phase(&line, "A2", PHASE_FLASHED);
        expect_last_verdict(&line, "A2", VERDICT_FLASHED);
        assert_string_equal(slot_of(&line, "A2")->image_name, "s2.bin");
        expect_history_of_1("1-4.1");
        SAYS("No attempt.", "history", "--slot", "A2");
}

static void test_cancel_that_waits_follows_its_slot_to_another_name(void **state)
{
        const struct rom_config lazy = { .chip = ROM_S2, .detach_usec = 3000000 };
        g_autofree char *socket = line_path(&line, "socket");
        const char *argv[] = { ESPDFUCTL, "--socket", socket, "cancel", "A1", NULL };
        struct bed_child *child;

        (void)state;
        configure("[slot A1]\nport = 1-4.1\n", "1 slot");
        plug_with(&line, "1-4.1", &lazy);
        expect_phase(&line, "A1", PHASE_DETACHING);
        child = bed_spawn(line.bed, argv, &(struct bed_spawn_options){ .outside = true });
        expect_log(&line, "cancels what is under way"); /* and waits until the board is back */
        configure("[slot A1]\nport = 1-4.2\n[slot A2]\nport = 1-4.1\n", "2 slots");
        if (bed_wait_child(child, PATIENCE) != 0)
                fail_msg("%s", bed_output(child));
        expect_said(bed_output(child), "A1: cancelled by user ");
        expect_phase(&line, "A2", PHASE_CANCELLED);
        expect_phase(&line, "A1", PHASE_EMPTY);
}

/* ---- retry ---- */

static void test_cancelled_board_is_tried_again(void **state)
{
        (void)state;
        cancel_on("1-4.1");
        SAYS(HUB ".1: started again", "retry", HUB ".1");
        expect_log(&line, "has its board tried again");
        expect_bytes_done(&line, "1-4.1", 1024);
        assert_int_equal(slot_of(&line, "1-4.1")->attempt, 1);
        REFUSED("1-4.1: is running; nothing to retry", "retry", "1-4.1");
        ORDER("cancel", "1-4.1");
}

static void test_retry_stands_also_when_the_daemon_is_killed_right_after(void **state)
{
        (void)state;
        cancel_on("1-4.1");
        kill_daemon(&line);
        start_daemon(&line);
        expect_phase(&line, "1-4.1", PHASE_CANCELLED);
        ORDER("retry", "1-4.1");
        kill_daemon(&line);
        start_daemon(&line);
        expect_bytes_done(&line, "1-4.1", 1024);
        ORDER("cancel", "1-4.1");
}

static void test_retry_says_what_there_is_instead(void **state)
{
        struct bed_board *board;

        (void)state;
        board = flash("1-4.1", "1-4.1");
        REFUSED("espdfuctl: 1-4.1: is flashed; nothing to retry\n", "retry", "1-4.1");
        bed_pull(board);
        expect_phase(&line, "1-4.1", PHASE_EMPTY);
        REFUSED("espdfuctl: 1-4.1: is empty; nothing to retry\n", "retry", "1-4.1");
        REFUSED("espdfuctl: Z9: no slot has this name, port or path: see espdfuctl status\n", "retry", "Z9");
        plug(&line, "1-4.2", ROM_S3);
        expect_phase(&line, "1-4.2", PHASE_NO_POLICY);
        REFUSED("espdfuctl: 1-4.2: has no policy; nothing to retry\n", "retry", "1-4.2");
        cancel_on("1-4.3");
        ORDER("hold", "1-4.3", "--reason", "bent pin");
        REFUSED(": bent pin: expected espdfuctl release first\n", "retry", "1-4.3");
        plug(&line, "1-4.4", ROM_S2);
        expect_phase(&line, "1-4.4", PHASE_FLASHED);
        ORDER("hold");
        plug(&line, "1-4.5", ROM_S2);
        expect_phase(&line, "1-4.5", PHASE_HELD);
        REFUSED("espdfuctl: 1-4.5: is held, and was not tried; nothing to retry\n", "retry", "1-4.5");
        REFUSED("retry: expected the slots whose boards are to be tried again", "retry");
}

static void test_failed_board_gets_all_attempts_again(void **state)
{
        struct bed_board *board;

        (void)state;
        ORDER("hold");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_HELD);
        bed_occupy(board, 2);
        ORDER("release");
        expect_phase(&line, "1-4.1", PHASE_FAILED);
        bed_occupy(board, -1);
        assert_int_equal(slot_of(&line, "1-4.1")->attempt, 2);
        ORDER("retry", "1-4.1");
        expect_flashed(&line, "1-4.1", board);
        assert_int_equal(slot_of(&line, "1-4.1")->attempt, 1);
}

static void test_board_whose_image_is_unusable_is_tried_again_and_says_what_came_of_it(void **state)
{
        g_autofree char *image = line_path(&line, "s2.bin"), *away = line_path(&line, "away.bin");
        struct bed_board *board;

        (void)state;
        assert_int_equal(rename(image, away), 0);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_UNUSABLE);
        REFUSED("1-4.1: not started again: unusable: policy gizmo: ", "retry", "1-4.1");
        assert_int_equal(rename(away, image), 0);
        SAYS("1-4.1: started again", "retry", "1-4.1");
        expect_flashed(&line, "1-4.1", board);
}

/* ---- learn ---- */

static struct bed_child *learner;

static void start_learning(const char *const *arguments)
{
        g_autofree char *socket = line_path(&line, "socket");
        g_autofree char *output = line_path(&line, "conf/espdfud.conf.d/slots.conf");
        g_autofree char *dir = line_path(&line, "conf/espdfud.conf.d");
        const char *argv[24] = { ESPDFUCTL, "--socket", socket, "slot", "learn", "--output", output };
        struct bed_spawn_options options = { .outside = true };
        size_t n = 7;

        g_mkdir_with_parents(dir, 0755);
        for (size_t i = 0; arguments[i] && n < ARRAY_SIZE(argv) - 1; i++)
                argv[n++] = arguments[i];
        learner = bed_spawn(line.bed, argv, &options);
}
#define LEARN(...) start_learning((const char *[]){ __VA_ARGS__, NULL })

static bool has_said(void *text)
{
        return strstr(bed_output(learner), text) || !bed_child_runs(learner);
}

static void learner_says(const char *text)
{
        bed_wait(line.bed, has_said, (void *)(uintptr_t)text, PATIENCE);
        expect_said(bed_output(learner), text);
}

static void learner_ends(int status)
{
        int r = bed_wait_child(learner, PATIENCE);

        if (r != status)
                fail_msg("expected %d, there was %d:\n%s", status, r, bed_output(learner));
}

static void expect_file(const char *expected)
{
        g_autofree char *path = line_path(&line, "conf/espdfud.conf.d/slots.conf");
        g_autofree char *text = NULL;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        assert_string_equal(text, expected);
}

static void write_slots(const char *text)
{
        g_autofree char *dir = line_path(&line, "conf/espdfud.conf.d");
        g_autofree char *path = line_path(&line, "conf/espdfud.conf.d/slots.conf");

        g_mkdir_with_parents(dir, 0755);
        assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void test_ports_are_named_by_plugging_a_board_into_each(void **state)
{
        struct bed_board *board;

        (void)state;
        LEARN("--timeout", "60", "A1", "A2");
        learner_says("Plug a board into the port that shall be A1 …");
        expect_held(&line, ": slot learn is asking for boards");
        board = plug(&line, "1-4.3", ROM_S2);
        learner_says("A1 is " HUB ".3 (1-4.3).");
        learner_says("Plug a board into the port that shall be A2 …");
        expect_untouched(&line, board);
        bed_pull(board);
        expect_phase(&line, "1-4.3", PHASE_EMPTY);
        bed_replug(board, NULL);
        learner_says("Port 1-4.3 is A1, as you said a moment ago: expected another port.");
        plug(&line, "1-4.1", ROM_S2);
        learner_says("A2 is " HUB ".1 (1-4.1).");
        learner_ends(0);
        learner_says("A1  1-4.3  " HUB ".3");
        learner_says("A2  1-4.1  " HUB ".1");
        learner_says("The station is released");
        expect_file("# Written by espdfuctl slot learn.\n[slot A1]\npath = " HUB ".3\n[slot A2]\npath = " HUB
                    ".1\n");
        expect_held(&line, NULL);
        expect_flashed(&line, "A1", board);
        expect_phase(&line, "A2", PHASE_FLASHED);
}

static void test_flashed_board_that_is_plugged_in_again_at_once_names_its_port(void **state)
{
        struct bed_board *board;

        (void)state;
        line_configure(&line, "[policy probe]\nchip = esp32s3\nimage = @s3.bin\n");
        reload_daemon(&line);
        board = plug(&line, "1-4.3", ROM_S3);
        expect_flashed(&line, "1-4.3", board);
        LEARN("--timeout", "60", "A1");
        learner_says("Plug a board into the port that shall be A1 …");
        bed_pull(board);
        expect_phase(&line, "1-4.3", PHASE_EMPTY);
        bed_replug(board, NULL);
        learner_says("A1 is " HUB ".3 (1-4.3).");
        learner_ends(0);
}

static void test_what_was_in_the_file_stays_and_names_are_replaced_only_when_told(void **state)
{
        (void)state;
        write_slots("# the rack by the door\n[slot A1]\nport = 1-7\n; bent\n\n[slot C3]\nport = 1-4.3\n");
        ORDER("reload");
        LEARN("--timeout", "60", "A2", "A1");
        learner_ends(1);
        learner_says("slots.conf:2: [slot A1] is there already: expected --replace to give the name to "
                     "another port");
        LEARN("--timeout", "60", "--replace", "A1");
        learner_says("shall be A1");
        plug(&line, "1-4.3", ROM_S2);
        learner_says("Port 1-4.3 has a name already, C3: expected another port.");
        plug(&line, "1-4.2", ROM_S2);
        learner_ends(0);
        expect_file("# the rack by the door\n[slot C3]\nport = 1-4.3\n[slot A1]\npath = " HUB ".2\n");
        expect_phase(&line, "A1", PHASE_FLASHED);
}

static void test_learning_that_is_interrupted_writes_nothing_and_releases(void **state)
{
        g_autofree char *path = line_path(&line, "conf/espdfud.conf.d/slots.conf");
        struct bed_board *board;

        (void)state;
        LEARN("--timeout", "60", "A1", "A2");
        learner_says("shall be A1");
        board = plug(&line, "1-4.1", ROM_S2);
        learner_says("shall be A2");
        bed_kill(learner, SIGINT);
        learner_ends(1);
        learner_says("slot learn: interrupted: nothing is written");
        assert_int_equal(access(path, F_OK), -1);
        expect_held(&line, NULL);
        expect_flashed(&line, "1-4.1", board);
}

static void test_learning_without_a_board_ends_with_the_time(void **state)
{
        (void)state;
        LEARN("--timeout", "1", "A1");
        learner_ends(1);
        learner_says("slot learn: A1: no board came within 1 s: nothing is written");
        expect_held(&line, NULL);
}

static void test_a_hold_that_was_there_stays(void **state)
{
        struct bed_board *board;

        (void)state;
        ORDER("hold", "--reason", "audit");
        LEARN("--timeout", "60", "A1");
        learner_says(": audit: that stays, also afterwards.");
        learner_says("shall be A1");
        board = plug(&line, "1-4.1", ROM_S2);
        learner_ends(0);
        expect_phase(&line, "A1", PHASE_HELD);
        expect_held(&line, ": audit");
        expect_untouched(&line, board);
}

static void test_learning_ends_when_somebody_releases_the_station(void **state)
{
        (void)state;
        LEARN("--timeout", "60", "A1");
        learner_says("shall be A1");
        ORDER("release");
        learner_ends(1);
        learner_says("somebody has released the station");
        expect_held(&line, NULL);
}

static void test_learning_is_refused_before_anybody_is_asked(void **state)
{
        g_autofree char *nowhere = line_path(&line, "nowhere/slots.conf");

        (void)state;
        REFUSED("slot: expected learn and the names of the ports", "slot", "learn");
        REFUSED("slot learn: no terminal", "slot", "learn", "A1");
        REFUSED("slot learn: 1-4: expected a name of 1 to 32 letters", "slot", "learn", "--timeout", "1",
                "1-4");
        REFUSED("slot learn: A1: expected each name once", "slot", "learn", "--timeout", "1", "A1", "A1");
        REFUSED("--timeout 0: expected a number from 1 to 86400", "slot", "learn", "--timeout", "0", "A1");
        REFUSED("nowhere: No such file or directory: nobody is asked for a board", "slot", "learn",
                "--timeout", "1", "--output", nowhere, "A1");
        configure("[slot B1]\nport = 1-7\n", "1 slot");
        LEARN("--timeout", "1", "B1");
        learner_ends(1);
        learner_says("slot learn: B1: the configuration has this slot, and not in ");
        line_configure(&line, "[slot B1]\n");
        LEARN("--timeout", "1", "A1");
        learner_ends(1);
        learner_says("[slot B1]: neither path nor port");
        assert_null(strstr(bed_output(learner), "Plug a board"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_cascade_of_hubs_is_numbered_with_nothing_plugged_in),
                TEST(test_hub_that_is_off_at_the_start_moves_no_number),
                TEST(test_hub_that_comes_is_told_and_numbered_with_the_reload),
                TEST(test_port_with_a_name_of_its_own_is_not_in_the_range),
                TEST(test_damaged_layout_is_told_and_made_anew),
                TEST(test_reload_may_put_new_slots_before_those_that_are_there),
                TEST(test_port_keeps_its_record_when_its_slot_is_called_otherwise),
                TEST(test_cancel_that_waits_follows_its_slot_to_another_name),
                TEST(test_cancelled_board_is_tried_again),
                TEST(test_retry_stands_also_when_the_daemon_is_killed_right_after),
                TEST(test_retry_says_what_there_is_instead),
                TEST(test_failed_board_gets_all_attempts_again),
                TEST(test_board_whose_image_is_unusable_is_tried_again_and_says_what_came_of_it),
                TEST(test_ports_are_named_by_plugging_a_board_into_each),
                TEST(test_flashed_board_that_is_plugged_in_again_at_once_names_its_port),
                TEST(test_what_was_in_the_file_stays_and_names_are_replaced_only_when_told),
                TEST(test_learning_that_is_interrupted_writes_nothing_and_releases),
                TEST(test_learning_without_a_board_ends_with_the_time),
                TEST(test_a_hold_that_was_there_stays),
                TEST(test_learning_ends_when_somebody_releases_the_station),
                TEST(test_learning_is_refused_before_anybody_is_asked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
