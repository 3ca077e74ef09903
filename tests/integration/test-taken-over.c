/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An engine that its board has taken over, under the real daemon: what it tries, and what comes of it. It is the engine's own
 * code but for tests/engine/backdoor.c. Beside it another board is flashed by an honest engine, each time.
 */
#include "tests/integration/line.h"

static const char config[] = "[policy gizmo]\n"
                             "chip = esp32s2\n"
                             "image = @s2.bin\n"
                             "attempts = 1\n"
                             "[policy probe]\n"
                             "chip = esp32s3\n"
                             "image = @s3.bin\n";

#define BAD  "1-4.1"
#define GOOD "1-4.2"

static struct line line;
static struct bed_board *bad, *good;

/* The daemon gets an engine that does this, and both boards. */
static void take_over_to(const char *act, const char *path)
{
        g_autofree char *what = g_strdup_printf("ESPDFU_BACKDOOR=%s", act),
                        *where = g_strdup_printf("ESPDFU_BACKDOOR_PATH=%s", path ? path : "");
        const char *environment[] = { what, where, NULL };

        line.engine = TAKEN_OVER_ENGINE;
        line.environment = environment;
        start_daemon(&line);
        line.environment = NULL;
        bad = plug_with(&line, BAD, &(struct rom_config){ .chip = ROM_S2, .starts_in_dfu_mode = true });
        good = plug(&line, GOOD, ROM_S3);
}

static void come_to_an_end(void)
{
        expect_flashed(&line, GOOD, good);
        bed_pull(bad);
        bed_pull(good);
        expect_phase(&line, GOOD, PHASE_EMPTY);
        stop_daemon(&line);
}

/* Of this board: until it came its slot was empty. */
static void expect_its_end(const char *text)
{
        expect_phase(&line, BAD, PHASE_FAILED);
        expect_last_verdict(&line, BAD, VERDICT_ENGINE_FAILED);
        expect_said(slot_of(&line, BAD)->last_message, text);
        expect_untouched(&line, bad);
}

static void expect_killed(const char *act, const char *path)
{
        take_over_to(act, path);
        expect_its_end("killed by SIGSYS: it made a system call that it is not confined to");
        come_to_an_end();
}

static int begin(void **state)
{
        (void)state;
        line_lay_out(&line, config);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

/* ---- what it cannot do ---------------------------------------------------------- */

static void test_it_cannot_open_the_ledger_the_configuration_or_another_board(void **state)
{
        g_autofree char *ledger = line_path(&line, "state/ledger.sqlite"),
                        *conf = line_path(&line, "conf/espdfud.conf");

        (void)state;
        expect_killed("open", ledger);
        expect_killed("open", conf);
        expect_killed("open", "/dev/bus/usb/001/001");
}

static void test_it_cannot_reach_the_station_or_a_network(void **state)
{
        (void)state;
        expect_killed("local-socket", NULL);
        expect_killed("network-socket", NULL);
}

static void test_it_cannot_start_a_process(void **state)
{
        (void)state;
        expect_killed("execute", NULL);
        expect_killed("start-process", NULL);
}

static void test_it_cannot_signal_or_read_its_daemon(void **state)
{
        (void)state;
        expect_killed("kill-daemon", NULL);
        expect_killed("read-daemon", NULL);
}

static void test_it_cannot_change_the_image_of_the_others(void **state)
{
        (void)state;
        take_over_to("write-image", NULL);
        expect_its_end("killed by SIG"); /* SEGV; or with sanitizers ABRT */
        come_to_an_end();
        expect_killed("make-image-writable", NULL);
}

static void test_it_cannot_do_to_its_node_what_was_not_foreseen(void **state)
{
        (void)state;
        expect_killed("disconnect-driver", NULL);
        expect_killed("set-configuration", NULL);
        expect_killed("reset", NULL);
}

static void test_it_cannot_grow_without_end(void **state)
{
        (void)state;
        expect_killed("more-descriptors", NULL);
#ifndef ESPDFU_SANITIZERS
        take_over_to("more-memory", NULL);
        expect_its_end("memory came to its end");
        come_to_an_end();
        take_over_to("more-addresses", NULL);
        expect_its_end("addresses came to their end");
        come_to_an_end();
#endif
}

static void test_it_cannot_flood_its_daemon(void **state)
{
        (void)state;
        take_over_to("flood", NULL);
        expect_its_end("it sent more messages than an engine has to say");
        come_to_an_end();
}

static void test_it_cannot_make_its_daemon_believe_nonsense(void **state)
{
        (void)state;
        take_over_to("nonsense", NULL);
        expect_its_end("it sent a message that is none");
        come_to_an_end();
}

/* All that it writes is told as what it is, escaped, and no more of it than a screen or two. */
static void test_it_cannot_speak_in_the_journal_for_its_daemon(void **state)
{
        unsigned n = 0;
        const char *p;

        (void)state;
        take_over_to("forge-journal", NULL);
        expect_its_end("exit status 3");
        expect_log(&line, "warning: " BAD ": its engine wrote: <2>espdfud: 1-4.2: flashed<1b>[2J\n");
        expect_log(&line, "warning: " BAD ": its engine wrote: … and more\n");
        p = bed_output(line.daemon);
        while ((p = strstr(p, "<2>espdfud: 1-4.2: flashed"))) {
                n++;
                p++;
        }
        assert_in_range(n, 2, 64);
        assert_null(strchr(bed_output(line.daemon), '\x1b'));
        come_to_an_end();
}

/* That of an operator who asks what the board is. */
static void test_it_cannot_speak_to_a_terminal(void **state)
{
        g_autofree char *socket = line_path(&line, "socket");
        const char *argv[] = { ESPDFUCTL,  "--socket",        socket, "probe", BAD,
                               "--engine", TAKEN_OVER_ENGINE, NULL };
        static const char *const environment[] = { "ESPDFU_BACKDOOR=forge-journal", NULL };
        struct bed_child *child;

        (void)state;
        take_over_to("lie", NULL);
        expect_phase(&line, BAD, PHASE_FLASHED);
        child = bed_spawn(line.bed, argv, &(struct bed_spawn_options){ .environment = environment });
        assert_int_equal(bed_wait_child(child, PATIENCE), 1);
        expect_said(bed_output(child), "says what is no answer: <2>espdfud: 1-4.2: flashed<1b>[2J");
        assert_null(strchr(bed_output(child), '\x1b'));
        come_to_an_end();
}

/* ---- what it can do, to its own board -------------------------------------------- */

static void test_it_can_hold_its_own_slot_until_somebody_cancels(void **state)
{
        (void)state;
        take_over_to("be-silent", NULL);
        expect_phase(&line, BAD, PHASE_DOWNLOADING);
        expect_flashed(&line, GOOD, good);
        expect_ctl(&line, "", (const char *[]){ "cancel", BAD, NULL });
        expect_last_verdict(&line, BAD, VERDICT_CANCELLED);
        expect_untouched(&line, bad);
        come_to_an_end();
}

/* Nobody else has seen the board, so its word is all there is. */
static void test_it_can_lie_about_its_own_board(void **state)
{
        (void)state;
        take_over_to("lie", NULL);
        expect_phase(&line, BAD, PHASE_FLASHED);
        expect_untouched(&line, bad);
        come_to_an_end();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_it_cannot_open_the_ledger_the_configuration_or_another_board),
                TEST(test_it_cannot_reach_the_station_or_a_network),
                TEST(test_it_cannot_start_a_process),
                TEST(test_it_cannot_signal_or_read_its_daemon),
                TEST(test_it_cannot_change_the_image_of_the_others),
                TEST(test_it_cannot_do_to_its_node_what_was_not_foreseen),
                TEST(test_it_cannot_grow_without_end),
                TEST(test_it_cannot_flood_its_daemon),
                TEST(test_it_cannot_make_its_daemon_believe_nonsense),
                TEST(test_it_cannot_speak_in_the_journal_for_its_daemon),
                TEST(test_it_cannot_speak_to_a_terminal),
                TEST(test_it_can_hold_its_own_slot_until_somebody_cancels),
                TEST(test_it_can_lie_about_its_own_board),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
