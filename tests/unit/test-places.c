/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who gets a place on a line with hubs, and what those who wait are told. */
#include <stdio.h>

#include "core/place.h"
#include "core/places.h"
#include "tests/unit/config-text.h"

#define BOARDS_MAX 16

/* ---- vocabulary: a line, boards that come in the order in which they are told, and a look at who gets a place ---- */

struct line {
        struct config *config;
        struct places places;
        struct place_want wants[BOARDS_MAX];
        size_t n;
};

static struct line line;

static void given(const char *config)
{
        line = (struct line){ .config = read_text(config, "") };
        places_init(&line.places, line.config);
}

static int done(void **state)
{
        (void)state;
        line.config = config_free(line.config);
        return 0;
}

static void runs(const char *port)
{
        places_take(&line.places, hubs_above(line.config, NULL, port));
}

/* ticket: who came first. */
static void wants_as(uint64_t ticket, const char *port)
{
        assert_true(line.n < BOARDS_MAX);
        line.wants[line.n++] = (struct place_want){
                .ticket = ticket,
                .hubs = hubs_above(line.config, NULL, port),
                .who = (void *)(uintptr_t)port,
        };
}

static void wants(const char *port)
{
        wants_as(line.n + 1, port);
}

static void look(void)
{
        places_give(&line.places, line.wants, line.n);
}

static const struct place_want *board_on(const char *port)
{
        for (size_t i = 0; i < line.n; i++)
                if (streq(line.wants[i].who, port))
                        return &line.wants[i];
        fail_msg("no board on %s", port);
        return NULL;
}

static void expect_text(const char *port, const char *expected)
{
        char text[PLACE_TEXT_MAX];

        place_answer_text(text, line.config, &board_on(port)->answer);
        if (!streq(text, expected))
                fail_msg("%s: expected \"%s\", is \"%s\"", port, expected, text);
}

static void expect_place(const char *port)
{
        expect_text(port, "");
}

/* ---- stories ---- */

static void test_without_limits_everybody_gets_a_place(void **state)
{
        (void)state;
        given("[hub left]\nport = 1-1\njobs-max = 0\n");
        for (unsigned i = 0; i < 100; i++)
                runs("1-1.1");
        wants("1-1.2");
        wants("1-1.3");
        look();
        expect_place("1-1.2");
        expect_place("1-1.3");
}

static void test_station_gives_its_places_in_the_order_of_coming(void **state)
{
        (void)state;
        given("[station]\njobs-max = 3\n");
        runs("1-9");
        wants_as(7, "1-1");
        wants_as(3, "1-2");
        wants_as(5, "1-3");
        look();
        expect_place("1-2");
        expect_place("1-3");
        expect_text("1-1", "waits for a place: station has jobs-max = 3");
}

static void test_board_that_waits_for_its_hub_keeps_no_other_hub_waiting(void **state)
{
        (void)state;
        given("[station]\njobs-max = 8\n[hub left]\nport = 1-1\njobs-max = 1\n[hub right]\nport = "
              "1-2\njobs-max = "
              "2\n");
        runs("1-1.4");
        wants("1-1.1");
        wants("1-1.2");
        wants("1-2.1");
        wants("1-3");
        look();
        expect_text("1-1.1", "waits for a place on hub left (jobs-max = 1)");
        expect_text("1-1.2", "waits for a place on hub left (jobs-max = 1)");
        expect_place("1-2.1");
        expect_place("1-3");
}

static void test_within_a_hub_the_first_to_come_is_the_first_served(void **state)
{
        (void)state;
        given("[hub left]\nport = 1-1\njobs-max = 2\n");
        runs("1-1.4.1");
        wants_as(9, "1-1.1");
        wants_as(4, "1-1.2.3"); /* at any depth */
        wants_as(6, "1-1.3");
        look();
        expect_place("1-1.2.3");
        expect_text("1-1.1", "waits for a place on hub left (jobs-max = 2)");
        expect_text("1-1.3", "waits for a place on hub left (jobs-max = 2)");
}

static void test_board_counts_for_every_hub_above_it(void **state)
{
        (void)state;
        given("[hub rack]\nport = 1-1\njobs-max = 3\n[hub left]\nport = 1-1.1\njobs-max = 2\n"
              "[hub right]\nport = 1-1.2\njobs-max = 2\n");
        runs("1-1.1.1");
        wants("1-1.1.2");
        wants("1-1.2.1");
        wants("1-1.2.2");
        wants("1-1.3");
        wants("1-2");
        look();
        expect_place("1-1.1.2");
        expect_place("1-1.2.1");
        expect_text("1-1.2.2", "waits for a place on hub rack (jobs-max = 3)");
        expect_text("1-1.3", "waits for a place on hub rack (jobs-max = 3)");
        expect_place("1-2");
}

static void test_of_several_full_hubs_the_nearest_is_named(void **state)
{
        (void)state;
        given("[station]\njobs-max = 1\n[hub rack]\nport = 1-1\njobs-max = 1\n"
              "[hub left]\nport = 1-1.1\njobs-max = 1\n[hub shelf]\nport = 1-1.1.4\n");
        runs("1-1.1.1");
        wants("1-1.1.4.2");
        wants("1-1.2");
        wants("1-2");
        look();
        expect_text("1-1.1.4.2", "waits for a place on hub left (jobs-max = 1)");
        expect_text("1-1.2", "waits for a place on hub rack (jobs-max = 1)");
        expect_text("1-2", "waits for a place: station has jobs-max = 1");
}

static void test_nearest_hub_is_found_whichever_of_the_two_names_it_goes_by(void **state)
{
        static const char controller[] = "[hub all]\npath = pci-0\njobs-max = 1\n";
        static const char left[] = "[hub left]\nport = 1-4\njobs-max = 1\n";
        static const char shelf[] = "[hub shelf]\npath = pci-0-usb-0:4.1\njobs-max = 1\n";
        const char *const orders[][3] = { { controller, left, shelf }, { shelf, left, controller } };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
                char text[256];

                snprintf(text, sizeof(text), "%s%s%s", orders[i][0], orders[i][1], orders[i][2]);
                given(text);
                places_take(&line.places, hubs_above(line.config, "pci-0-usb-0:4.1.1", "1-4.1.1"));
                wants("1-4.1.2");
                line.wants[0].hubs = hubs_above(line.config, "pci-0-usb-0:4.1.2", "1-4.1.2");
                look();
                expect_text("1-4.1.2", "waits for a place on hub shelf (jobs-max = 1)");
                done(NULL);
        }
}

static void test_limit_below_what_runs_starts_nobody(void **state)
{
        (void)state;
        given("[hub left]\nport = 1-1\njobs-max = 1\n");
        runs("1-1.1");
        runs("1-1.2");
        runs("1-1.3");
        wants("1-1.4");
        wants("1-2");
        look();
        expect_text("1-1.4", "waits for a place on hub left (jobs-max = 1)");
        expect_place("1-2");
}

static void test_stations_last_place_goes_past_those_whose_hub_is_full(void **state)
{
        (void)state;
        given("[station]\njobs-max = 2\n[hub left]\nport = 1-1\njobs-max = 1\n");
        runs("1-1.1");
        wants("1-1.2");
        wants("1-2");
        wants("1-3");
        look();
        expect_text("1-1.2", "waits for a place on hub left (jobs-max = 1)");
        expect_place("1-2");
        expect_text("1-3", "waits for a place: station has jobs-max = 2");
}

static void test_longest_texts_fit(void **state)
{
        (void)state;
        given("[station]\njobs-max = 1024\n[hub abcdefghijklmnopqrstuvwxyz012345]\nport = 1-1\njobs-max = "
              "1024\n");
        for (unsigned i = 0; i < 1024; i++)
                runs("1-1.1");
        wants("1-1.2");
        wants("1-2");
        look();
        expect_text("1-1.2", "waits for a place on hub abcdefghijklmnopqrstuvwxyz012345 (jobs-max = 1024)");
        expect_text("1-2", "waits for a place: station has jobs-max = 1024");
}

static void test_nobody_wants_a_place(void **state)
{
        (void)state;
        given("[station]\njobs-max = 1\n");
        places_give(&line.places, NULL, 0);
        assert_int_equal(line.places.station.running, 0);
}

/* ---- which hubs a port is below ---- */

static void test_port_is_below_its_hub_at_any_depth_and_below_no_other(void **state)
{
        (void)state;
        assert_true(is_port_below("1-4.1", "1-4"));
        assert_true(is_port_below("1-4.1.2.3.4.5", "1-4"));
        assert_true(is_port_below("1-4.1.2", "1-4.1"));
        assert_false(is_port_below("1-4", "1-4"));
        assert_false(is_port_below("1-40.1", "1-4"));
        assert_false(is_port_below("1-4.10.1", "1-4.1"));
        assert_false(is_port_below("1-4", "1-4.1"));
        assert_false(is_port_below("11-4.1", "1-4"));
}

static void test_id_path_is_below_its_hub_and_its_controller(void **state)
{
        (void)state;
        assert_true(is_path_below("pci-0000:00:14.0-usb-0:4.1", "pci-0000:00:14.0-usb-0:4"));
        assert_true(is_path_below("pci-0000:00:14.0-usb-0:4.1.2", "pci-0000:00:14.0-usb-0:4"));
        assert_false(is_path_below("pci-0000:00:14.0-usb-0:40.1", "pci-0000:00:14.0-usb-0:4"));
        assert_false(is_path_below("pci-0000:00:14.0-usb-0:4", "pci-0000:00:14.0-usb-0:4"));
        assert_false(is_path_below("pci-0000:01:00.0-usb-0:4.1", "pci-0000:00:14.0-usb-0:4"));
        assert_true(is_path_below("pci-0000:00:14.0-usb-0:4", "pci-0000:00:14.0"));
        assert_true(is_path_below("pci-0000:00:14.0-usb-0:4.1", "pci-0000:00:14.0"));
        assert_false(is_path_below("pci-0000:00:14.0-usb-0:4.1", "pci-0000:00:14"));
        assert_false(is_path_below("pci-0000:00:14.0", "pci-0000:00:14.0"));
}

static void test_hub_by_id_path_has_no_board_whose_id_path_is_not_known(void **state)
{
        (void)state;
        given("[hub left]\npath = pci-0-usb-0:4\njobs-max = 1\n[hub right]\nport = 1-4\njobs-max = 1\n");
        assert_int_equal(hubs_above(line.config, "pci-0-usb-0:4.1", "1-4.1"), 3);
        assert_int_equal(hubs_above(line.config, NULL, "1-4.1"), 2);
        assert_int_equal(hubs_above(line.config, "pci-0-usb-0:4.1", NULL), 1);
        assert_int_equal(hubs_above(line.config, NULL, NULL), 0);
}

static void test_depth_is_the_number_of_ports_on_the_way(void **state)
{
        (void)state;
        assert_int_equal(port_depth("1-4"), 1);
        assert_int_equal(port_depth("12-4.1.10"), 3);
        assert_int_equal(path_depth("pci-0000:00:14.0"), 0);
        assert_int_equal(path_depth("pci-0000:00:14.0-usb-0:4"), 1);
        assert_int_equal(path_depth("pci-0000:00:14.0-usb-0:4.1.10"), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, done)
        const struct CMUnitTest tests[] = {
                TEST(test_without_limits_everybody_gets_a_place),
                TEST(test_station_gives_its_places_in_the_order_of_coming),
                TEST(test_board_that_waits_for_its_hub_keeps_no_other_hub_waiting),
                TEST(test_within_a_hub_the_first_to_come_is_the_first_served),
                TEST(test_board_counts_for_every_hub_above_it),
                TEST(test_of_several_full_hubs_the_nearest_is_named),
                TEST(test_nearest_hub_is_found_whichever_of_the_two_names_it_goes_by),
                TEST(test_limit_below_what_runs_starts_nobody),
                TEST(test_stations_last_place_goes_past_those_whose_hub_is_full),
                TEST(test_longest_texts_fit),
                TEST(test_nobody_wants_a_place),
                TEST(test_port_is_below_its_hub_at_any_depth_and_below_no_other),
                TEST(test_id_path_is_below_its_hub_and_its_controller),
                TEST(test_hub_by_id_path_has_no_board_whose_id_path_is_not_known),
                TEST(test_depth_is_the_number_of_ports_on_the_way),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
