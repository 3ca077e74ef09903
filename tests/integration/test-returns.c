/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Boards that leave and return: their job goes on, on this port or another; contacts that flap; boards that are done. */
#include "tests/integration/line.h"

/* Return-time is long, so that no busy machine makes a board too late. */
static const char two_slots[] = "[station]\n"
                                "return-time = 30s\n"
                                "[slot A1]\n"
                                "port = 1-4.1\n"
                                "[slot A2]\n"
                                "port = 1-4.2\n"
                                "[policy gizmo]\n"
                                "chip = esp32s2\n"
                                "image = @s2.bin\n"
                                "retry-delay = 10ms\n"
                                "[policy probe]\n"
                                "chip = esp32s3\n"
                                "image = @s3.bin\n"
                                "retry-delay = 10ms\n";

/* A download takes about 2 s. */
static const struct rom_timing slow = { .transfer_usec = 1500 };
static const uint8_t mac_a[6] = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x0a };
static const uint8_t mac_b[6] = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x0b };

static struct line line;

static int begin(void **state)
{
        (void)state;
        line_begin(&line, two_slots);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

/* ---- vocabulary ---- */

#define ORDER(...) expect_ctl(&line, "", (const char *[]){ __VA_ARGS__, NULL })

static void configure(const char *config)
{
        line_configure(&line, config);
        reload_daemon(&line);
}

static struct bed_board *plug_s3(const char *port, const uint8_t mac[6])
{
        struct rom_config config = { .chip = ROM_S3, .timing = slow };

        memcpy(config.mac, mac, sizeof(config.mac));
        return plug_with(&line, port, &config);
}

/* In the middle of its download. */
static void pull_mid_file(struct bed_board *board, const char *slot)
{
        expect_phase(&line, slot, PHASE_DOWNLOADING);
        expect_bytes_done(&line, slot, 8192);
        bed_pull(board);
}

static unsigned times_flashed(struct bed_board *board)
{
        unsigned n;

        bed_lock(line.bed);
        n = rom_counters(bed_rom(board))->completed;
        bed_unlock(line.bed);
        return n;
}

static void expect_explained(const char *slot, const char *text)
{
        expect_ctl(&line, text, (const char *[]){ "explain", slot, NULL });
}

/* The verdicts of all attempts, the newest first, and of how many jobs they are. To be freed. */
static char *read_history(unsigned jobs)
{
        g_autofree char *json = NULL;
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GString) words = g_string_new(NULL);
        json_t *reply, *attempts, *attempt;
        size_t i;

        assert_int_equal(ctl(&line, &json, (const char *[]){ "history", "--json", NULL }), 0);
        reply = json_loads(json, 0, NULL);
        attempts = json_object_get(reply, "attempts");
        assert_true(json_is_array(attempts));
        json_array_foreach(attempts, i, attempt)
        {
                g_hash_table_add(seen, g_strdup(json_string_value(json_object_get(attempt, "job"))));
                g_string_append_printf(words, "%s%s", i > 0 ? " " : "",
                                       json_string_value(json_object_get(attempt, "verdict")));
        }
        json_decref(reply);
        assert_int_equal(g_hash_table_size(seen), jobs);
        return g_strdup(words->str);
}

static void expect_history(unsigned jobs, const char *verdicts)
{
        g_autofree char *words = read_history(jobs);

        assert_string_equal(words, verdicts);
}

/* ---- the job goes on ---- */

static void test_board_pulled_mid_file_goes_on_with_its_job_when_it_is_back(void **state)
{
        struct bed_board *board = plug_s3("1-4.1", mac_a);

        (void)state;
        pull_mid_file(board, "A1");
        expect_message(&line, "A1", "; waits 30 s for its return");
        expect_phase(&line, "A1", PHASE_QUEUED);
        expect_explained("A1", "waits 30 s for its return");
        expect_last_verdict(&line, "A1", VERDICT_BOARD_LEFT);
        bed_replug(board, NULL);
        expect_flashed(&line, "A1", board);
        assert_int_equal(slot_of(&line, "A1")->attempt, 2);
        expect_history(1, "flashed board-left");
}

static void test_board_that_loses_its_contact_for_a_moment_goes_on(void **state)
{
        struct bed_board *board = plug_s3("1-4.1", mac_a);

        (void)state;
        pull_mid_file(board, "A1");
        bed_replug(board, NULL); /* before anybody has noticed */
        expect_phase(&line, "A1", PHASE_FLASHED);
        expect_flashed(&line, "A1", board);
        assert_int_equal(slot_of(&line, "A1")->attempt, 2);
}

static void test_board_that_returns_on_another_port_goes_on_there(void **state)
{
        struct bed_board *board = plug_s3("1-4.1", mac_a);

        (void)state;
        pull_mid_file(board, "A1");
        bed_replug(board, "1-4.2");
        expect_flashed(&line, "A2", board);
        assert_int_equal(slot_of(&line, "A2")->attempt, 2);
        assert_string_equal(slot_of(&line, "A2")->policy, "probe");
        expect_phase(&line, "A1", PHASE_EMPTY);
        expect_message(&line, "A1", "7c:df:a1:0b:00:0a left in the middle of it and goes on in A2");
        assert_int_equal(slot_of(&line, "A1")->last_verdict, VERDICT_BOARD_LEFT);
        expect_history(1, "flashed board-left");
        /* Neither slot keeps anything of it. */
        bed_pull(board);
        expect_phase(&line, "A2", PHASE_EMPTY);
        expect_flashed(&line, "A1", plug_s3("1-4.1", mac_b));
}

static void test_board_that_returns_where_another_policy_counts_begins_anew(void **state)
{
        struct bed_board *board;

        (void)state;
        configure("[slot A1]\nport = 1-4.1\n[slot A2]\nport = 1-4.2\n"
                  "[policy probe]\nchip = esp32s3\nslot = A1\nimage = @s3.bin\n"
                  "[policy other]\nchip = esp32s3\nslot = A2\nimage = @s3.bin\n");
        board = plug_s3("1-4.1", mac_a);
        pull_mid_file(board, "A1");
        bed_replug(board, "1-4.2");
        expect_flashed(&line, "A2", board);
        assert_int_equal(slot_of(&line, "A2")->attempt, 1);
        assert_string_equal(slot_of(&line, "A2")->policy, "other");
        expect_phase(&line, "A1", PHASE_FAILED);
        expect_message(&line, "A1", "came back on 1-4.2, where policy other counts");
}

static void test_board_that_returns_after_a_reload_with_another_policy_begins_anew(void **state)
{
        struct bed_board *board = plug_s3("1-4.1", mac_a);

        (void)state;
        pull_mid_file(board, "A1");
        expect_message(&line, "A1", "waits 30 s");
        configure("[slot A1]\nport = 1-4.1\n[policy next]\nchip = esp32s3\nimage = @s3.bin\n");
        bed_replug(board, NULL);
        expect_flashed(&line, "A1", board);
        assert_int_equal(slot_of(&line, "A1")->attempt, 1);
        expect_history(2, "flashed board-left board-left");
}

static void test_board_that_is_not_back_in_time_is_failed_and_its_return_is_a_new_job(void **state)
{
        struct bed_board *board;

        (void)state;
        configure("[station]\nreturn-time = 300ms\n[policy probe]\nchip = esp32s3\nimage = @s3.bin\n");
        board = plug_s3("1-4.1", mac_a);
        pull_mid_file(board, "1-4.1");
        expect_phase(&line, "1-4.1", PHASE_FAILED);
        expect_message(&line, "1-4.1", "board left, and was not back within 0.3 s");
        expect_history(1, "board-left board-left");
        bed_replug(board, NULL);
        expect_flashed(&line, "1-4.1", board);
        assert_int_equal(slot_of(&line, "1-4.1")->attempt, 1);
        expect_history(2, "flashed board-left board-left");
}

static void test_another_board_on_the_port_ends_the_job_as_replaced(void **state)
{
        struct bed_board *wrong = plug_s3("1-4.1", mac_a), *right;

        (void)state;
        pull_mid_file(wrong, "A1");
        expect_message(&line, "A1", "waits 30 s");
        right = plug_s3("1-4.1", mac_b);
        expect_flashed(&line, "A1", right);
        assert_int_equal(slot_of(&line, "A1")->attempt, 1);
        expect_history(2, "flashed replaced board-left");
        assert_int_equal(times_flashed(wrong), 0);
}

static void test_two_boards_that_change_places_are_both_flashed(void **state)
{
        struct bed_board *a = plug_s3("1-4.1", mac_a), *b = plug_s3("1-4.2", mac_b);

        (void)state;
        pull_mid_file(a, "A1");
        pull_mid_file(b, "A2");
        bed_replug(a, "1-4.2");
        bed_replug(b, "1-4.1");
        expect_flashed(&line, "A2", a);
        expect_flashed(&line, "A1", b);
        assert_int_equal(times_flashed(a), 1);
        assert_int_equal(times_flashed(b), 1);
}

static void test_stop_of_the_daemon_waits_for_no_board(void **state)
{
        struct bed_board *board = plug_s3("1-4.1", mac_a);

        (void)state;
        pull_mid_file(board, "A1");
        expect_message(&line, "A1", "waits 30 s");
        stop_daemon(&line);
        bed_replug(board, NULL);
        start_daemon(&line);
        expect_flashed(&line, "A1", board);
        expect_history(2, "flashed board-left");
}

static void test_person_cancels_while_a_board_is_waited_for(void **state)
{
        struct bed_board *board = plug_s3("1-4.1", mac_a);

        (void)state;
        pull_mid_file(board, "A1");
        expect_message(&line, "A1", "waits 30 s");
        ORDER("cancel", "A1");
        expect_phase(&line, "A1", PHASE_CANCELLED);
        expect_history(1, "cancelled board-left");
}

/* ---- contacts that flap ---- */

static struct bed_board *flap(const char *port, const char *slot)
{
        struct bed_board *board = plug_with(&line, port,
                                            &(struct rom_config){ .chip = ROM_S2, .timing = slow });

        for (unsigned i = 0; i < 3; i++) {
                if (i > 0)
                        bed_replug(board, NULL);
                expect_phase(&line, slot, PHASE_DOWNLOADING);
                bed_pull(board);
                expect_phase(&line, slot, i < 2 ? PHASE_FAILED : PHASE_HELD);
        }
        return board;
}

static void test_slot_that_boards_leave_three_times_within_a_minute_is_held_until_a_person_releases_it(
        void **state)
{
        struct bed_board *board = flap("1-4.1", "A1");

        (void)state;
        expect_message(&line, "A1", "held: flapping: left 3 times within a minute");
        expect_log(&line, "held: flapping: left 3 times within a minute");
        stop_daemon(&line);
        start_daemon(&line);
        bed_replug(board, NULL);
        expect_phase(&line, "A1", PHASE_HELD);
        expect_explained("A1", "held: flapping: left 3 times within a minute");
        expect_flashed(&line, "A2", plug(&line, "1-4.2", ROM_S2)); /* it alone */
        assert_int_equal(times_flashed(board), 0);
        ORDER("release", "A1");
        expect_flashed(&line, "A1", board);
}

static void test_release_of_an_empty_slot_begins_the_count_anew(void **state)
{
        (void)state;
        flap("1-4.1", "A1");
        ORDER("release", "A1");
        expect_phase(&line, "A1", PHASE_EMPTY);
        flap("1-4.1", "A1"); /* not before the third time */
}

static void test_board_with_a_mac_that_flaps_is_held_too(void **state)
{
        g_autofree char *words = NULL;
        struct bed_board *board;

        (void)state;
        configure("[station]\nreturn-time = 30s\n"
                  "[policy probe]\nchip = esp32s3\nimage = @s3.bin\nattempts = 20\n");
        board = plug_s3("1-4.1", mac_a);
        for (unsigned i = 0; i < 3; i++) {
                if (i > 0)
                        bed_replug(board, NULL);
                expect_phase(&line, "1-4.1", PHASE_DOWNLOADING);
                bed_pull(board);
                expect_phase(&line, "1-4.1", i < 2 ? PHASE_QUEUED : PHASE_HELD);
        }
        bed_replug(board, NULL);
        expect_phase(&line, "1-4.1", PHASE_HELD);
        /* Where its engine notices before udev tells, the end that udev's word brings is a row of its own. */
        words = read_history(1);
        if (!streq(words, "board-left board-left board-left board-left"))
                assert_string_equal(words, "board-left board-left board-left");
}

static void test_flashed_boards_that_are_pulled_never_count(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 4; i++) {
                struct bed_board *board = plug(&line, "1-4.1", ROM_S2);

                expect_flashed(&line, "A1", board);
                bed_pull(board);
                expect_phase(&line, "A1", PHASE_EMPTY);
        }
}

/* ---- boards that are done ---- */

static void test_flashed_board_that_comes_back_by_itself_is_taken_for_its_application(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S3);

        (void)state;
        expect_flashed(&line, "A1", board);
        bed_pull(board); /* as a reset button does; its application looks like the ROM to the byte */
        expect_phase(&line, "A1", PHASE_EMPTY);
        bed_replug(board, NULL);
        expect_phase(&line, "A1", PHASE_FLASHED);
        expect_message(&line, "A1", "flashed, and back within 10 s: taken for its application");
        expect_explained("A1", "taken for its application");
        assert_string_equal(slot_of(&line, "A1")->policy, "probe");
        assert_string_equal(slot_of(&line, "A1")->image_name, "s3.bin");
        expect_flashed(&line, "A2", plug_s3("1-4.2", mac_a));
        assert_int_equal(times_flashed(board), 1);
        /* It is about this board: the next one is flashed. */
        bed_pull(board);
        expect_phase(&line, "A1", PHASE_EMPTY);
        expect_flashed(&line, "A1", plug_s3("1-4.1", mac_b));
}

static void test_application_of_an_s2_is_told_from_the_rom(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2), *application;

        (void)state;
        expect_flashed(&line, "A1", board);
        bed_pull(board);
        application = plug_with(&line, "1-4.1",
                                &(struct rom_config){ .chip = ROM_S2, .serial = "7C:DF:A1:00:00:09" });
        expect_phase(&line, "A1", PHASE_NO_POLICY);
        expect_message(&line, "A1", "not the mask ROM: an application, left alone");
        expect_explained("A1", "an application, left alone");
        expect_explained("A1", "no: mode is not the mask ROM, the policy wants rom");
        expect_untouched(&line, application);
}

static void test_board_that_comes_back_after_our_reset_is_not_flashed_again_also_after_a_restart(void **state)
{
        struct bed_board *board;

        (void)state;
        configure(
                "[slot A1]\nport = 1-4.1\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nafter = reset\n");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_message(&line, "A1", "came back after the reset that followed its flashing");
        expect_phase(&line, "A1", PHASE_FLASHED);
        expect_explained("A1", "came back after the reset that followed its flashing");
        stop_daemon(&line);
        start_daemon(&line);
        expect_flashed(&line, "1-4.2", plug(&line, "1-4.2", ROM_S2));
        expect_message(&line, "A1", "came back after the reset that followed its flashing");
        assert_int_equal(times_flashed(board), 1);
}

static void test_board_that_comes_back_after_our_reset_while_the_daemon_is_down_is_not_flashed_again(
        void **state)
{
        struct bed_board *board;

        (void)state;
        configure(
                "[slot A1]\nport = 1-4.1\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nafter = reset\n");
        board = plug_with(&line, "1-4.1",
                          &(struct rom_config){ .chip = ROM_S2, .application_after_reset = true });
        expect_last_verdict(&line, "A1", VERDICT_FLASHED);
        expect_phase(&line, "A1", PHASE_EMPTY);
        stop_daemon(&line);
        bed_replug(board, NULL);
        start_daemon(&line);
        expect_phase(&line, "A1", PHASE_FLASHED);
        expect_message(&line, "A1", "came back after the reset that followed its flashing");
        assert_int_equal(times_flashed(board), 1);
        /* The one after it is another board's arrival. */
        bed_pull(board);
        expect_phase(&line, "A1", PHASE_EMPTY);
        board = plug_with(&line, "1-4.1",
                          &(struct rom_config){ .chip = ROM_S2, .application_after_reset = true });
        expect_phase(&line, "A1", PHASE_DOWNLOADING);
        expect_phase(&line, "A1", PHASE_EMPTY);
        assert_int_equal(times_flashed(board), 1);
}

static void test_explain_says_that_a_board_is_done_and_why(void **state)
{
        struct bed_board *board;

        (void)state;
        configure("[policy probe]\nchip = esp32s3\nimage = @s3.bin\nreflash = never\n");
        board = plug(&line, "1-4.1", ROM_S3);
        expect_flashed(&line, "1-4.1", board);
        stop_daemon(&line);
        start_daemon(&line);
        expect_phase(&line, "1-4.1", PHASE_FLASHED);
        expect_explained("1-4.1", "flashed already, and not unplugged since");
        bed_pull(board);
        bed_replug(board, "1-4.2");
        expect_phase(&line, "1-4.2", PHASE_FLASHED);
        expect_explained("1-4.2", "has this image already (reflash = never)");
        assert_non_null(slot_of(&line, "1-4.2")->policy);
        assert_string_equal(slot_of(&line, "1-4.2")->image_name, "s3.bin");
        assert_int_equal(times_flashed(board), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_board_pulled_mid_file_goes_on_with_its_job_when_it_is_back),
                TEST(test_board_that_loses_its_contact_for_a_moment_goes_on),
                TEST(test_board_that_returns_on_another_port_goes_on_there),
                TEST(test_board_that_returns_where_another_policy_counts_begins_anew),
                TEST(test_board_that_returns_after_a_reload_with_another_policy_begins_anew),
                TEST(test_board_that_is_not_back_in_time_is_failed_and_its_return_is_a_new_job),
                TEST(test_another_board_on_the_port_ends_the_job_as_replaced),
                TEST(test_two_boards_that_change_places_are_both_flashed),
                TEST(test_stop_of_the_daemon_waits_for_no_board),
                TEST(test_person_cancels_while_a_board_is_waited_for),
                TEST(test_slot_that_boards_leave_three_times_within_a_minute_is_held_until_a_person_releases_it),
                TEST(test_release_of_an_empty_slot_begins_the_count_anew),
                TEST(test_board_with_a_mac_that_flaps_is_held_too),
                TEST(test_flashed_boards_that_are_pulled_never_count),
                TEST(test_flashed_board_that_comes_back_by_itself_is_taken_for_its_application),
                TEST(test_application_of_an_s2_is_told_from_the_rom),
                TEST(test_board_that_comes_back_after_our_reset_is_not_flashed_again_also_after_a_restart),
                TEST(test_board_that_comes_back_after_our_reset_while_the_daemon_is_down_is_not_flashed_again),
                TEST(test_explain_says_that_a_board_is_done_and_why),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
