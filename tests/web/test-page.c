/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page as an operator sees it, in Chromium: the real espdfud with modelled boards, the real espdfu-web. Not part of `make
 * check`, for Chromium is big: ./bootstrap check-web. With PAGE_PICTURES=DIR it leaves pictures of the page there.
 */
#include "tests/web/browser.h"

#include <signal.h>
#include <stdio.h>

static const char config[] = "[station]\n"
                             "name = line3\n"
                             "[slot A1]\nport = 1-4.1\n"
                             "[slot A2]\nport = 1-4.2\n"
                             "[slot A3]\nport = 1-4.3\n"
                             "[slot A4]\nport = 1-4.4\n"
                             "[slot B1]\nport = 1-5.1\n"
                             "[slot B2]\nport = 1-5.2\n"
                             "[slot B3]\nport = 1-5.3\n"
                             "[slot B4]\nport = 1-5.4\n"
                             "[policy gizmo]\n"
                             "chip = esp32s2\n"
                             "image = @s2.bin\n"
                             "retry-delay = 10ms\n"
                             "attempts = 2\n"
                             "[policy probe]\n"
                             "chip = esp32s3\n"
                             "image = @s3.bin\n";

static struct line line;
static struct bed_child *web;
static struct browser *browser;
static char url[64];

static bool web_is_ready(void *userdata)
{
        (void)userdata;
        return strstr(bed_output(web), "the page is on http://") || !bed_child_runs(web);
}

static int begin(void **state)
{
        g_autofree char *socket = NULL, *dir = NULL;
        const char *said;

        (void)state;
        line_begin(&line, config);
        socket = line_path(&line, "socket");
        dir = line_path(&line, "browser");
        assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
        web = bed_spawn(line.bed,
                        (const char *[]){ ESPDFU_WEB, "--listen", "127.0.0.1:0", "--socket", socket, NULL },
                        &(struct bed_spawn_options){ .outside = true });
        bed_wait(line.bed, web_is_ready, NULL, PATIENCE);
        said = strstr(bed_output(web), "the page is on ");
        if (!said || sscanf(said, "the page is on %63s", url) != 1)
                fail_msg("espdfu-web does not start: %s", bed_output(web));
        browser = browser_open(line.bed, dir);
        browser_size(browser, 1280, 800);
        browser_go(browser, url);
        browser_expect(browser, "document.getElementById('link').className === 'up'");
        return 0;
}

static int end(void **state)
{
        (void)state;
        browser_close(browser);
        bed_kill(web, SIGTERM);
        assert_int_equal(bed_wait_child(web, PATIENCE), 0);
        line_end(&line);
        return 0;
}

/* ---- vocabulary ---- */

#define TILE "document.querySelector('[data-slot=\"%s\"]')"

/* The tile of a slot is in a phase: of this kind, with this word, shape and text to be read. */
static void expect_tile(const char *slot, const char *kind, const char *words)
{
        g_autofree char *tile = g_strdup_printf(TILE, slot);
        g_autofree char *expression = g_strdup_printf(
                "%s.classList.contains('%s') && %s.innerText.includes('%s') && "
                "%s.querySelector('use').getAttribute('href') === '#shape-%s'",
                tile, kind, tile, words, tile, kind);

        browser_expect(browser, expression);
}

static void expect_text(const char *id, const char *text)
{
        g_autofree char *expression = g_strdup_printf("document.getElementById('%s').textContent === '%s'",
                                                      id, text);

        browser_expect(browser, expression);
}

static void say_on_page(const char *script)
{
        g_autofree char *expression = g_strdup_printf("(() => { %s; return 1; })()", script);

        json_decref(browser_value(browser, expression));
}

/* How strong red, green and blue are in the colour of a tile. */
static void colour_of(const char *slot, int rgb[static 3])
{
        g_autofree char *expression = g_strdup_printf("getComputedStyle(" TILE ").backgroundColor", slot);
        json_t *value = browser_value(browser, "document.getAnimations().forEach(a => a.finish())");

        json_decref(value);
        value = browser_value(browser, expression);
        assert_int_equal(sscanf(json_string_value(value), "rgb(%d, %d, %d)", &rgb[0], &rgb[1], &rgb[2]), 3);
        json_decref(value);
}

static struct bed_board *plug_slow(const char *port)
{
        return plug_with(&line, port,
                         &(struct rom_config){ .chip = ROM_S3,
                                               .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x12 },
                                               .timing = { .transfer_usec = 3000 } });
}

static struct bed_board *plug_broken(const char *port)
{
        const struct rom_fault fault = { .when = ROM_AT_MANIFEST,
                                         .what = ROM_DO_FLIP_BIT,
                                         .value = (0x10000 + 77) << 3 };
        struct bed_board *board = plug_with(&line, port, &(struct rom_config){ .chip = ROM_S2 });

        bed_lock(line.bed);
        rom_add_fault(bed_rom(board), &fault);
        bed_unlock(line.bed);
        return board;
}

static void picture(const char *name, unsigned width, unsigned height)
{
        const char *dir = getenv("PAGE_PICTURES");
        g_autofree char *path = dir ? g_strdup_printf("%s/%s.png", dir, name) : NULL;

        if (!dir)
                return;
        browser_size(browser, width, height);
        json_decref(browser_value(browser, "document.getAnimations().forEach(a => a.finish())"));
        browser_picture(browser, path);
        browser_size(browser, 1280, 800);
}

/* ---- stories ---- */

static void test_board_is_plugged_in_and_the_page_turns_to_downloading_and_then_green(void **state)
{
        struct bed_board *board;
        int rgb[3];

        (void)state;
        expect_tile("A1", "idle", "empty");
        board = plug_slow("1-4.1");
        expect_tile("A1", "running", "downloading");
        browser_expect(browser, "document.querySelector('[data-slot=\"A1\"] progress').value > 0");
        expect_tile("A1", "done", "flashed");
        expect_flashed(&line, "A1", board);
        colour_of("A1", rgb);
        assert_true(rgb[1] > rgb[0] + 50 && rgb[1] > rgb[2] + 40);
        expect_text("flashed", "1");
        expect_text("first-pass", "100.0 %");
        browser_expect(browser,
                       "document.querySelector('#attempts tr.done td.cell-slot').textContent === 'A1'");
        browser_expect_no_errors(browser);
}

static void test_board_that_fails_turns_red_with_its_cause(void **state)
{
        int rgb[3];

        (void)state;
        plug_broken("1-4.2");
        expect_tile("A2", "failed", "failed");
        expect_tile("A2", "failed", "board reports errFIRMWARE after reading back");
        colour_of("A2", rgb);
        assert_true(rgb[0] > rgb[1] + 100 && rgb[0] > rgb[2] + 100);
        browser_expect(browser, "document.title.startsWith('1 failed')");
        browser_expect(browser, "document.getElementById('spoken').textContent.startsWith('A2 failed')");
        browser_expect(browser, "document.querySelector('#attempts tr.failed td.cell-verdict').textContent "
                                "=== 'verify failed'");
        browser_expect_no_errors(browser);
}

static void test_history_is_searched_and_words_that_are_wrong_are_told(void **state)
{
        (void)state;
        plug(&line, "1-4.1", ROM_S3);
        plug(&line, "1-4.3", ROM_S3);
        expect_tile("A1", "done", "flashed");
        expect_tile("A3", "done", "flashed");
        browser_expect(browser, "document.querySelectorAll('#attempts tbody tr').length >= 2");
        say_on_page("document.querySelector('[name=slot]').value = 'A3'; "
                    "document.getElementById('find').click()");
        browser_expect(browser, "[...document.querySelectorAll('#attempts td.cell-slot')].every(td => "
                                "td.textContent === 'A3')"
                                " && document.querySelectorAll('#attempts td.cell-slot').length > 0");
        say_on_page("document.querySelector('[name=since]').value = 'soon'; "
                    "document.getElementById('find').click()");
        browser_expect(
                browser,
                "document.getElementById('history-says').textContent.startsWith('since soon: expected')");
        say_on_page("document.getElementById('clear').click()");
        browser_expect(browser, "document.querySelectorAll('#attempts tbody tr').length >= 2");
}

static void test_what_others_wrote_is_text_and_nothing_else(void **state)
{
        (void)state;
        expect_text("name", "line3");
        expect_ctl(&line, "",
                   (const char *[]){ "hold", "--reason", "<b>new</b><img src=x onerror=alert(1)>", NULL });
        browser_expect(browser,
                       "document.querySelector('#alerts .held').textContent.includes('<b>new</b><img')");
        plug(&line, "1-4.1", ROM_S3);
        expect_tile("A1", "held", "<b>new</b><img");
        browser_expect(browser, "document.querySelectorAll('b, img').length === 0");
        browser_expect_no_errors(browser);
}

static void test_daemon_that_restarts_is_told_and_the_page_goes_on(void **state)
{
        (void)state;
        stop_daemon(&line);
        expect_text("link-word", "not live");
        browser_expect(browser,
                       "document.getElementById('alerts').textContent.includes('The station is not heard')");
        start_daemon(&line);
        expect_text("link-word", "live");
        browser_expect(browser, "document.getElementById('alerts').textContent === ''");
        plug(&line, "1-5.4", ROM_S3);
        expect_tile("B4", "done", "flashed");
}

static void test_station_that_is_held_says_so(void **state)
{
        (void)state;
        expect_ctl(&line, "", (const char *[]){ "hold", "--reason", "new jig", NULL });
        browser_expect(browser, "document.querySelector('#alerts .held').textContent.includes('new jig')");
        plug(&line, "1-4.1", ROM_S3);
        expect_tile("A1", "held", "held");
        expect_ctl(&line, "", (const char *[]){ "release", NULL });
        expect_tile("A1", "done", "flashed");
}

/* Not wider than the screen that it is on; and the pictures. */
static void test_page_fits_a_phone_and_a_wall(void **state)
{
        static const unsigned widths[] = { 320, 390, 1280, 1920, 3840 };

        (void)state;
        plug(&line, "1-4.1", ROM_S3);
        plug_broken("1-4.2");
        plug(&line, "1-5.1", ROM_S2);
        plug(&line, "1-5.3", ROM_P4); /* no policy */
        expect_ctl(&line, "", (const char *[]){ "hold", "B2", "--reason", "loose needle", NULL });
        expect_tile("A1", "done", "flashed");
        expect_tile("A2", "failed", "failed");
        expect_tile("B1", "done", "flashed");
        expect_tile("B3", "trouble", "no policy");
        plug(&line, "1-5.2", ROM_S3);
        expect_tile("B2", "held", "held");
        plug_with(&line, "1-4.3",
                  &(struct rom_config){ .chip = ROM_S3,
                                        .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x2e },
                                        .timing = { .transfer_usec = 20000 } });
        browser_expect(browser, "document.querySelector('[data-slot=\"A3\"] progress').value > 20");
        picture("wall", 1920, 1080);
        picture("desk", 1280, 800);
        picture("phone", 390, 844);
        for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
                g_autofree char *fits = g_strdup_printf(
                        "innerWidth === %u && document.documentElement.scrollWidth <= %u", widths[i],
                        widths[i]);

                browser_size(browser, widths[i], 900);
                browser_expect(browser, fits);
        }
        browser_size(browser, 1280, 800);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_board_is_plugged_in_and_the_page_turns_to_downloading_and_then_green),
                TEST(test_board_that_fails_turns_red_with_its_cause),
                TEST(test_history_is_searched_and_words_that_are_wrong_are_told),
                TEST(test_what_others_wrote_is_text_and_nothing_else),
                TEST(test_daemon_that_restarts_is_told_and_the_page_goes_on),
                TEST(test_station_that_is_held_says_so),
                TEST(test_page_fits_a_phone_and_a_wall),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
