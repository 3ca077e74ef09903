/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Policies with signature = required: an image that is unsigned, altered or signed by somebody else reaches no board. */
#include <sys/stat.h>
#include <unistd.h>

#include "core/signature.h"
#include "tests/integration/line.h"
#include "tests/unit/keys.h"

#define REQUIRED "; policy says signature = required"

static const char gizmo[] = "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nsignature = required\n";

static struct line line;

/* ---- the vocabulary ---- */

static int begin(void **state)
{
        (void)state;
        umask(022);
        line_begin(&line, "");
        g_autofree char *keys = line_path(&line, "conf/keys.d");
        assert_int_equal(mkdir(keys, 0755), 0);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

static void write_file(const char *name, const void *data, size_t len)
{
        g_autofree char *path = line_path(&line, name);

        assert_true(g_file_set_contents(path, data, (gssize)len, NULL));
        assert_int_equal(chmod(path, 0644), 0);
}

static void trust(const char *name, const char *pem)
{
        write_file(name, pem, strlen(pem));
}

/* Signs s2.bin as it is on disk. */
static void sign_with(const char *pem)
{
        g_autofree char *path = line_path(&line, "s2.bin"), *data = NULL;
        uint8_t signature[SIGNATURE_SIZE];
        gsize len;

        assert_true(g_file_get_contents(path, &data, &len, NULL));
        assert_int_equal(signature_make(pem, strlen(pem), data, len, signature, NULL), 0);
        write_file("s2.bin.sig", signature, sizeof(signature));
}

static void reload_with(const char *config)
{
        line_configure(&line, config);
        reload_daemon(&line);
}

/* vendor.pem is believed and has signed s2.bin, and the first board has it. */
static void begin_signed(void)
{
        trust("conf/keys.d/vendor.pem", PUBLIC_3);
        sign_with(PRIVATE_3);
        reload_with(gizmo);
        expect_flashed(&line, "1-4.1", plug(&line, "1-4.1", ROM_S2));
}

/* The slot, explain and the log say "policy gizmo: image PATH: WHY", where WHY has @ for the line's directory. */
static void expect_unusable(const char *slot, const char *why)
{
        g_autofree char *prefix = g_strdup_printf("%s/", line.dir);
        g_auto(GStrv) parts = g_strsplit(why, "@", -1);
        g_autofree char *text = g_strjoinv(prefix, parts);
        g_autofree char *whole = g_strdup_printf("policy gizmo: image %ss2.bin: %s", prefix, text);
        g_autofree char *explained = g_strdup_printf("so: gizmo: %s", whole);

        expect_phase(&line, slot, PHASE_UNUSABLE);
        expect_message(&line, slot, whole);
        assert_string_equal(slot_of(&line, slot)->message, whole);
        expect_ctl(&line, explained, (const char *[]){ "explain", slot, NULL });
        expect_log(&line, whole);
}

/* ---- the stories ---- */

static void test_signed_image_is_flashed_and_the_log_says_whose_signature_it_has(void **state)
{
        (void)state;
        trust("conf/keys.d/other.pem", PUBLIC_1);
        begin_signed();
        expect_log(&line, "s2.bin: signed by vendor.pem");
}

static void test_unsigned_image_reaches_no_board(void **state)
{
        struct bed_board *board;

        (void)state;
        trust("conf/keys.d/vendor.pem", PUBLIC_3);
        reload_with(gizmo);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_unusable("1-4.1", "no signature beside it (@s2.bin.sig)" REQUIRED);
        expect_untouched(&line, board);
}

static void test_image_signed_by_another_key_reaches_no_board(void **state)
{
        struct bed_board *board;

        (void)state;
        trust("conf/keys.d/vendor.pem", PUBLIC_3);
        sign_with(PRIVATE_1);
        reload_with(gizmo);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_unusable("1-4.1",
                        "its signature (@s2.bin.sig) is not by the key vendor.pem: the image was altered, "
                        "or another key signed it" REQUIRED);
        expect_untouched(&line, board);
}

/* An image that is good in itself, after the one that was signed has been flashed: the copy in memory does not help it. */
static void test_image_altered_between_two_boards_reaches_the_first_alone(void **state)
{
        struct sample_image other;
        struct bed_board *board;
        struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 4 * MIB,
                .files = { { .name = "app.bin", .address = 0x10000, .size = 8192, .seed = 3 } },
                .n_files = 1,
        };

        (void)state;
        begin_signed();
        sample_image_make(&spec, &other);
        write_file("s2.bin", other.data, other.size);
        board = plug(&line, "1-4.2", ROM_S2);
        expect_unusable("1-4.2",
                        "its signature (@s2.bin.sig) is not by the key vendor.pem: the image was altered, "
                        "or another key signed it" REQUIRED);
        expect_untouched(&line, board);
        sample_image_done(&other);
}

static void test_board_waits_until_the_signature_comes(void **state)
{
        struct bed_board *board;

        (void)state;
        trust("conf/keys.d/vendor.pem", PUBLIC_3);
        reload_with(gizmo);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_UNUSABLE);
        sign_with(PRIVATE_3);
        expect_flashed(&line, "1-4.2", plug(&line, "1-4.2", ROM_S2));
        expect_flashed(&line, "1-4.1", board);
}

static void test_signature_that_is_taken_away_counts_for_the_next_board(void **state)
{
        g_autofree char *signature = line_path(&line, "s2.bin.sig");
        struct bed_board *board;

        (void)state;
        begin_signed();
        assert_int_equal(unlink(signature), 0);
        board = plug(&line, "1-4.2", ROM_S2);
        expect_unusable("1-4.2", "no signature beside it (@s2.bin.sig)" REQUIRED);
        expect_untouched(&line, board);
}

static void test_key_that_is_taken_away_signs_nothing_after_a_reload(void **state)
{
        g_autofree char *key = line_path(&line, "conf/keys.d/vendor.pem");
        struct bed_board *board;

        (void)state;
        begin_signed();
        assert_int_equal(unlink(key), 0);
        reload_daemon(&line);
        board = plug(&line, "1-4.2", ROM_S2);
        expect_unusable(
                "1-4.2",
                "no key to check its signature by: expected a public key (*.pem) in @conf/keys.d" REQUIRED);
        expect_untouched(&line, board);
        trust("conf/keys.d/other.pem", PUBLIC_1);
        trust("conf/keys.d/third.pem", PUBLIC_1);
        reload_daemon(&line);
        expect_unusable("1-4.2",
                        "its signature (@s2.bin.sig) is by none of the 2 keys in @conf/keys.d: the image "
                        "was altered, or another key signed it" REQUIRED);
        trust("conf/keys.d/vendor.pem", PUBLIC_3);
        reload_daemon(&line);
        expect_flashed(&line, "1-4.2", board);
}

/* Two policies with one file: what the one was content with is nothing to the other. */
static void test_copy_for_who_asks_for_no_signature_is_none_for_who_does(void **state)
{
        struct bed_board *board;

        (void)state;
        trust("conf/keys.d/vendor.pem", PUBLIC_3);
        reload_with("[policy open]\nchip = esp32s2\nport = 1-4.[13]\nimage = @s2.bin\n"
                    "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nsignature = required\n");
        expect_flashed(&line, "1-4.1", plug(&line, "1-4.1", ROM_S2));
        board = plug(&line, "1-4.2", ROM_S2);
        expect_unusable("1-4.2", "no signature beside it (@s2.bin.sig)" REQUIRED);
        expect_untouched(&line, board);
        expect_flashed(&line, "1-4.3", plug(&line, "1-4.3", ROM_S2));
}

static void test_pin_and_signature_are_both_demanded(void **state)
{
        g_autofree char *wrong = g_strdup_printf("%ssha256 = %064d\n", gizmo, 0);
        g_autofree char *right = NULL, *sum = NULL;
        struct bed_board *board;

        (void)state;
        sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, line.s2.data, line.s2.size);
        right = g_strdup_printf("%ssha256 = %s\n", gizmo, sum);
        trust("conf/keys.d/vendor.pem", PUBLIC_3);
        sign_with(PRIVATE_3);
        reload_with(wrong);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "1-4.1", PHASE_UNUSABLE);
        expect_message(&line, "1-4.1", "expected 0000000000000000");
        expect_untouched(&line, board);
        reload_with(right);
        expect_flashed(&line, "1-4.1", board);
}

static void test_reload_with_a_damaged_key_keeps_the_keys_before_it(void **state)
{
        g_autofree char *said = NULL;

        (void)state;
        trust("conf/keys.d/vendor.pem", PUBLIC_3);
        sign_with(PRIVATE_3);
        reload_with(gizmo);
        trust("conf/keys.d/vendor.pem", "text\n");
        assert_int_not_equal(ctl(&line, &said, (const char *[]){ "reload", NULL }), 0);
        expect_said(
                said,
                "conf/keys.d/vendor.pem: no PEM: expected one Ed25519 public key in PEM (BEGIN PUBLIC KEY)");
        expect_flashed(&line, "1-4.1", plug(&line, "1-4.1", ROM_S2));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_signed_image_is_flashed_and_the_log_says_whose_signature_it_has),
                TEST(test_unsigned_image_reaches_no_board),
                TEST(test_image_signed_by_another_key_reaches_no_board),
                TEST(test_image_altered_between_two_boards_reaches_the_first_alone),
                TEST(test_board_waits_until_the_signature_comes),
                TEST(test_signature_that_is_taken_away_counts_for_the_next_board),
                TEST(test_key_that_is_taken_away_signs_nothing_after_a_reload),
                TEST(test_copy_for_who_asks_for_no_signature_is_none_for_who_does),
                TEST(test_pin_and_signature_are_both_demanded),
                TEST(test_reload_with_a_damaged_key_keeps_the_keys_before_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
