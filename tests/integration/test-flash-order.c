/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl flash: a person has a board flashed, whatever was before, with its policy's image or with one of their own. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/signature.h"
#include "tests/integration/line.h"
#include "tests/unit/keys.h"

#define LOST                                                                                                 \
        "interrupted: espdfud ended before the board was flashed with an image that a person gave: "         \
        "expected "                                                                                          \
        "espdfuctl flash or retry"

#define A1    "[slot A1]\nport = 1-4.1\n"
#define PROBE "[policy probe]\nchip = esp32s3\nimage = @s3.bin\nretry-delay = 10ms\n"
static const char gizmo[] = A1 PROBE "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nretry-delay = 10ms\n";

/* On a bus where a download takes about 3 s; and on one where it does not end before somebody cancels it. */
static const struct rom_config slow = { .chip = ROM_S2, .timing = { .transfer_usec = 900 } };
static const struct rom_config endless = { .chip = ROM_S2, .timing = { .transfer_usec = 20000 } };
static const struct rom_config slow_s3 = { .chip = ROM_S3,
                                           .timing = { .transfer_usec = 1500 },
                                           .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x34 } };

static struct line line;
static struct sample_image other, other_s3; /* also other.bin, other-s3.bin */
static char owner[40];
static const char *const environment[] = { owner, NULL };

/* ---- vocabulary ---- */

static void write_image(const struct sample_image *image, const char *name)
{
        g_autofree char *path = line_path(&line, name);

        assert_int_equal(sample_image_write(image, path), 0);
}

static int begin(void **state)
{
        struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 4 * MIB,
                .files = { { .name = "app.bin", .address = 0x10000, .size = 150000, .seed = 5 } },
                .n_files = 1
        };

        (void)state;
        umask(022);
        line_lay_out(&line, gizmo);
        sample_image_make(&spec, &other);
        write_image(&other, "other.bin");
        spec.pid = 0x0009;
        spec.flash_size = 8 * MIB;
        sample_image_make(&spec, &other_s3);
        write_image(&other_s3, "other-s3.bin");
        g_snprintf(owner, sizeof(owner), "ESPDFU_DATA_OWNER=%u", (unsigned)geteuid());
        line.environment = environment;
        start_daemon(&line);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        sample_image_done(&other);
        sample_image_done(&other_s3);
        return 0;
}

/* espdfuctl with these arguments does it. */
#define ORDER(...) expect_ctl(&line, "", (const char *[]){ __VA_ARGS__, NULL })

/* espdfuctl flash SLOT, with --image where image (a file of the line's) is not NULL. Returns the exit status. */
static int order_flash(const char *slot, const char *image, char **ret_said)
{
        g_autofree char *path = image ? line_path(&line, image) : NULL;

        return ctl(&line, ret_said, (const char *[]){ "flash", slot, image ? "--image" : NULL, path, NULL });
}

static void flash(const char *slot, const char *image)
{
        g_autofree char *said = NULL, *expected = g_strdup_printf("%s: started\n", slot);

        if (order_flash(slot, image, &said) != 0)
                fail_msg("espdfuctl flash %s: %s", slot, said);
        assert_string_equal(said, expected);
}

/* It says exactly "espdfuctl: SLOT: WHY", where WHY has @ for the line's directory. */
static void expect_refused(const char *slot, const char *image, const char *why)
{
        g_autofree char *prefix = g_strdup_printf("%s/", line.dir), *said = NULL;
        g_auto(GStrv) parts = g_strsplit(why, "@", -1);
        g_autofree char *text = g_strjoinv(prefix, parts);
        g_autofree char *whole = g_strdup_printf("espdfuctl: %s: %s\n", slot, text);

        assert_int_equal(order_flash(slot, image, &said), 1);
        assert_string_equal(said, whole);
}

struct completions {
        struct bed_board *board;
        unsigned n;
};

static bool has_completed(void *userdata)
{
        const struct completions *c = userdata;

        return rom_counters(bed_rom(c->board))->completed >= c->n;
}

/* It was flashed that often by now, the last time with this image, byte for byte. */
static void expect_flashed_again(const char *slot, struct bed_board *board, unsigned n,
                                 const struct sample_image *image)
{
        struct completions c = { board, n };

        if (!bed_wait(line.bed, has_completed, &c, PATIENCE))
                fail_msg("waited in vain: flashed %u times; the daemon said:\n%s", n,
                         bed_output(line.daemon));
        expect_phase(&line, slot, PHASE_FLASHED);
        bed_lock(line.bed);
        assert_true(rom_flash_has_image(bed_rom(board), image->data, image->payload_size));
        assert_int_equal(rom_counters(bed_rom(board))->completed, n);
        assert_int_equal(rom_counters(bed_rom(board))->raw_downloads, 0);
        assert_int_equal(rom_counters(bed_rom(board))->violations, 0);
        bed_unlock(line.bed);
}

static unsigned downloads_of(struct bed_board *board)
{
        unsigned n;

        bed_lock(line.bed);
        n = rom_counters(bed_rom(board))->requests[ROM_DNLOAD];
        bed_unlock(line.bed);
        return n;
}

/* Another board goes all the way meanwhile: time enough for what must not happen. */
static void flash_another(const char *port)
{
        struct bed_board *board = plug_with(&line, port, &(struct rom_config){ .chip = ROM_S3 });

        expect_flashed(&line, port, board);
}

/* The attempt is under way, some way into the image. */
static void expect_in_the_middle(const char *slot)
{
        expect_phase(&line, slot, PHASE_DOWNLOADING);
        expect_bytes_done(&line, slot, 20000);
}

static void configure(const char *config)
{
        line_configure(&line, config);
        ORDER("reload");
}

static void write_file(const char *name, const void *data, size_t len)
{
        g_autofree char *path = line_path(&line, name);

        assert_true(g_file_set_contents(path, data, (gssize)len, NULL));
        assert_return_code(chmod(path, 0644), errno);
}

static void sign(const struct sample_image *image, const char *name, const char *pem)
{
        uint8_t signature[SIGNATURE_SIZE];

        assert_int_equal(signature_make(pem, strlen(pem), image->data, image->size, signature, NULL), 0);
        write_file(name, signature, sizeof(signature));
}

static char *history(void)
{
        char *said = NULL;

        assert_int_equal(ctl(&line, &said, (const char *[]){ "history", "--json", NULL }), 0);
        return said;
}

/* ---- what can be flashed ---- */

static void test_flashed_board_is_flashed_again(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);

        (void)state;
        expect_flashed(&line, "A1", board);
        flash("1-4.1", NULL); /* A1, by its port */
        expect_flashed_again("A1", board, 2, &line.s2);
        expect_log(&line, "has its board flashed with the image of its policy");
        /* From here on it is a flashed board like any other. */
        stop_daemon(&line);
        start_daemon(&line);
        flash_another("1-4.2");
        expect_flashed_again("A1", board, 2, &line.s2);
        bed_pull(board);
        expect_phase(&line, "A1", PHASE_EMPTY);
        bed_replug(board, NULL);
        expect_flashed_again("A1", board, 3, &line.s2);
}

static void test_board_gets_the_image_that_a_person_gives(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);
        g_autofree char *told = NULL, *rows = NULL, *digest = NULL, *sha256 = NULL;

        (void)state;
        expect_flashed(&line, "A1", board);
        flash("A1", "other.bin");
        expect_flashed_again("A1", board, 2, &other);
        assert_string_equal(slot_of(&line, "A1")->image_name, "other.bin");
        assert_string_equal(slot_of(&line, "A1")->policy, "gizmo");
        /* Whose it was, from where as they say, and what it was. */
        told = g_strdup_printf(": %s/other.bin\"", line.dir);
        digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, other.data, other.size);
        sha256 = g_strdup_printf("\"image_sha256\":\"%s\"", digest);
        rows = history();
        expect_said(rows, "\"image_path\":\"user ");
        expect_said(rows, told);
        expect_said(rows, sha256);
        stop_daemon(&line);
        start_daemon(&line);
        flash_another("1-4.2");
        expect_flashed_again("A1", board, 2, &other);
}

static void test_board_without_a_policy_is_flashed_with_the_image_that_is_given(void **state)
{
        struct bed_board *board;

        (void)state;
        configure(A1);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "A1", PHASE_NO_POLICY);
        expect_refused("A1", NULL, "no policy for ESP32-S2 in run-time mode: expected one, or --image FILE");
        expect_refused("A1", "s3.bin", "image @s3.bin: made for 303a:0009: board is 303a:0002");
        flash("A1", "other.bin");
        expect_flashed_again("A1", board, 1, &other);
        assert_null(slot_of(&line, "A1")->policy);
        expect_log(&line, "policy none, image other.bin (attempt 1)");
}

static void test_policy_that_holds_or_ignores_a_board_is_overridden(void **state)
{
        struct bed_board *board;

        (void)state;
        configure(A1 "[policy gizmo]\nchip = esp32s2\naction = ignore\n");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "A1", PHASE_IGNORED);
        expect_refused("A1", NULL,
                       "policy gizmo says action = ignore and names no image: expected --image FILE");
        flash("A1", "other.bin");
        expect_flashed_again("A1", board, 1, &other);
        configure(A1 "[policy gizmo]\nchip = esp32s2\naction = hold\nimage = @s2.bin\n");
        bed_pull(board);
        bed_replug(board, NULL);
        expect_phase(&line, "A1", PHASE_HELD);
        flash("A1", NULL);
        expect_flashed_again("A1", board, 2, &line.s2);
}

static void test_failed_cancelled_and_unusable_boards_are_flashed(void **state)
{
        struct bed_board *board;

        (void)state;
        board = plug_with(&line, "1-4.1", &slow);
        expect_in_the_middle("A1");
        ORDER("cancel", "A1");
        flash("A1", NULL);
        expect_flashed_again("A1", board, 1, &line.s2);
        configure(A1 "[policy gizmo]\nchip = esp32s2\nimage = @nothing.bin\n");
        bed_pull(board);
        bed_replug(board, NULL);
        expect_phase(&line, "A1", PHASE_UNUSABLE);
        expect_refused("A1", NULL, "image @nothing.bin: No such file or directory");
        flash("A1", "other.bin");
        expect_flashed_again("A1", board, 2, &other);
}

static void test_reflash_never_does_not_count_for_a_person(void **state)
{
        struct bed_board *board;

        (void)state;
        configure("[policy probe]\nchip = esp32s3\nimage = @s3.bin\nreflash = never\n");
        board = plug(&line, "1-4.1", ROM_S3);
        expect_flashed(&line, "1-4.1", board);
        flash("1-4.1", NULL);
        expect_flashed_again("1-4.1", board, 2, &line.s3);
}

static void test_boards_named_together_get_the_same_image(void **state)
{
        struct bed_board *first = plug(&line, "1-4.1", ROM_S2), *second = plug(&line, "1-4.2", ROM_S2);
        g_autofree char *image = line_path(&line, "other.bin"), *said = NULL;

        (void)state;
        expect_flashed(&line, "A1", first);
        expect_flashed(&line, "1-4.2", second);
        assert_int_equal(
                ctl(&line, &said, (const char *[]){ "flash", "A1", "Z9", "1-4.2", "--image", image, NULL }),
                1);
        expect_said(said, "A1: started\n");
        expect_said(said, "Z9: no slot has this name");
        expect_said(said, "1-4.2: started\n");
        expect_flashed_again("A1", first, 2, &other);
        expect_flashed_again("1-4.2", second, 2, &other);
}

static void test_image_may_come_on_standard_input(void **state)
{
        g_autofree char *image = line_path(&line, "other.bin"), *socket = line_path(&line, "socket");
        g_autofree char *command = g_strdup_printf("exec \"$0\" --socket '%s' flash A1 --image - <'%s'",
                                                   socket, image);
        struct bed_spawn_options options = { .outside = true };
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);
        g_autofree char *rows = NULL;

        (void)state;
        expect_flashed(&line, "A1", board);
        assert_int_equal(
                bed_wait_child(bed_spawn(line.bed, (const char *[]){ "sh", "-c", command, ESPDFUCTL, NULL },
                                         &options),
                               PATIENCE),
                0);
        expect_flashed_again("A1", board, 2, &other);
        rows = history();
        expect_said(rows, ": standard input\"");
}

/* ---- what stands in the way ---- */

static void test_flash_is_refused_where_something_is_in_the_way(void **state)
{
        struct bed_board *second;

        (void)state;
        expect_refused("A1", NULL, "is empty; nothing to flash");
        expect_refused("Z9", NULL, "no slot has this name, port or path: see espdfuctl status");
        configure("[station]\njobs-max = 1\n[slot A1]\nport = 1-4.1\n[policy gizmo]\nchip = esp32s2\nimage = "
                  "@s2.bin\n");
        plug_with(&line, "1-4.1", &endless);
        expect_bytes_done(&line, "A1", 4096);
        second = plug(&line, "1-4.2", ROM_S2);
        expect_phase(&line, "1-4.2", PHASE_QUEUED);
        expect_refused("A1", "other.bin", "is running: expected espdfuctl cancel first");
        expect_refused("1-4.2", NULL, "is queued: expected espdfuctl cancel first");
        ORDER("cancel", "1-4.2");
        ORDER("hold", "1-4.2", "--reason", "bent pin");
        g_autofree char *said = NULL;
        assert_int_equal(order_flash("1-4.2", "other.bin", &said), 1);
        expect_said(said, "espdfuctl: 1-4.2: held by ");
        expect_said(said, ": bent pin: expected espdfuctl release first\n");
        ORDER("cancel", "A1");
        expect_untouched(&line, second);
        ORDER("release", "1-4.2");
        flash("1-4.2", "other.bin");
        expect_flashed_again("1-4.2", second, 1, &other);
}

static void test_image_for_another_chip_is_refused(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);

        (void)state;
        expect_flashed(&line, "A1", board);
        expect_refused("A1", "s3.bin",
                       "image @s3.bin: made for 303a:0009: expected 303a:0002 (chip = esp32s2)");
        flash_another("1-4.2");
        expect_flashed_again("A1", board, 1, &line.s2);
}

static void test_order_that_cannot_be_recorded_changes_nothing_and_says_so(void **state)
{
        g_autofree char *ledger = line_path(&line, "state/ledger.sqlite"),
                        *aside = line_path(&line, "state/aside"), *said = NULL;
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);

        (void)state;
        expect_flashed(&line, "A1", board);
        assert_int_equal(rename(ledger, aside), 0);
        assert_int_equal(order_flash("A1", "other.bin", &said), 1);
        expect_said(said, "ledger.sqlite: moved or removed while in use");
        assert_int_equal(slot_of(&line, "A1")->phase, PHASE_FLASHED);
        assert_int_equal(rename(aside, ledger), 0);
        flash("A1", "other.bin");
        expect_flashed_again("A1", board, 2, &other);
}

static void test_flash_is_refused_while_the_daemon_stops(void **state)
{
        struct bed_board *board = plug(&line, "1-4.2", ROM_S2);

        (void)state;
        expect_flashed(&line, "1-4.2", board);
        plug_with(&line, "1-4.1", &slow);
        expect_in_the_middle("A1");
        bed_kill(line.daemon, SIGTERM);
        expect_log(&line, "stopping: 1 running download");
        expect_refused("1-4.2", "other.bin", "is not flashed: espdfud is being stopped");
        stop_watching(&line);
        assert_int_equal(bed_wait_child(line.daemon, PATIENCE), 0);
        start_daemon(&line);
        expect_flashed_again("1-4.2", board, 1, &line.s2);
}

/* ---- trust ---- */

static void begin_with_keys(const char *policy)
{
        g_autofree char *keys = line_path(&line, "conf/keys.d");

        assert_return_code(mkdir(keys, 0755), errno);
        write_file("conf/keys.d/vendor.pem", PUBLIC_3, strlen(PUBLIC_3));
        sign(&line.s2, "s2.bin.sig", PRIVATE_3);
        configure(policy);
}

static void test_policy_that_requires_signatures_takes_no_other_image(void **state)
{
        struct bed_board *board;

        (void)state;
        begin_with_keys(A1 "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n"
                           "signature = required\n");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "A1", board);
        expect_refused("A1", "other.bin",
                       "image @other.bin: no signature came with it: expected one in FILE.sig; policy says "
                       "signature = required");
        sign(&other, "other.bin.sig", PRIVATE_1);
        expect_refused(
                "A1", "other.bin",
                "image @other.bin: its signature is by no key in @conf/keys.d: the image was altered, or "
                "another key signed it; policy says signature = required");
        sign(&line.s2, "other.bin.sig", PRIVATE_3); /* of another image */
        expect_refused(
                "A1", "other.bin",
                "image @other.bin: its signature is by no key in @conf/keys.d: the image was altered, or "
                "another key signed it; policy says signature = required");
        sign(&other, "other.bin.sig", PRIVATE_3);
        flash("A1", "other.bin");
        expect_flashed_again("A1", board, 2, &other);
}

static void test_policy_with_a_pin_takes_that_image_alone(void **state)
{
        g_autofree char *pin = g_compute_checksum_for_data(G_CHECKSUM_SHA256, line.s2.data, line.s2.size),
                        *found = g_compute_checksum_for_data(G_CHECKSUM_SHA256, other.data, other.size);
        g_autofree char *config = g_strdup_printf(
                "[slot A1]\nport = 1-4.1\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n"
                "sha256 = %s\n",
                pin);
        g_autofree char *why = g_strdup_printf("image @other.bin: SHA-256 is %s: expected %s", found, pin);
        struct bed_board *board;

        (void)state;
        configure(config);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "A1", board);
        expect_refused("A1", "other.bin", why);
        flash("A1", "s2.bin");
        expect_flashed_again("A1", board, 2, &line.s2);
}

/* ---- board data ---- */

static void test_board_data_goes_into_the_image_that_is_given(void **state)
{
        static uint8_t content[4096];
        g_autofree char *folder = line_path(&line, "nvs");
        struct sample_image full;
        struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 4 * MIB,
                .files = { { .name = "all.bin", .address = 0x8000, .size = 90000, .seed = 7 } },
                .n_files = 1
        };
        struct bed_board *board;

        (void)state;
        assert_return_code(mkdir(folder, 0755), errno);
        sample_fill(content, sizeof(content), 77);
        write_file("nvs/unit-1", content, sizeof(content));
        configure(A1 "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n"
                     "board-data = 0x9000:@nvs\n");
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "A1", board);
        flash("A1", "other.bin");
        expect_flashed_again("A1", board, 2, &other);
        bed_lock(line.bed);
        assert_true(rom_flash_equals(bed_rom(board), 0x9000, content, sizeof(content)));
        bed_unlock(line.bed);
        expect_said(slot_of(&line, "A1")->data_file, "nvs/unit-1"); /* the same board's file */
        /* An image that has something else in that place. */
        sample_image_make(&spec, &full);
        write_image(&full, "full.bin");
        sample_image_done(&full);
        g_autofree char *said = NULL;
        assert_int_equal(order_flash("A1", "full.bin", &said), 1);
        expect_said(said, "; policy gizmo says board-data\n");
}

/* ---- in the middle of it ---- */

static void test_attempt_that_fails_is_followed_by_one_with_the_same_image(void **state)
{
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);

        (void)state;
        expect_flashed(&line, "A1", board);
        bed_lock(line.bed);
        rom_add_fault(bed_rom(board),
                      &(struct rom_fault){ .when = ROM_AT_BLOCK, .nth = 20, .what = ROM_DO_STALL });
        bed_unlock(line.bed);
        flash("A1", "other.bin");
        expect_flashed_again("A1", board, 2, &other);
}

static void test_board_that_is_pulled_and_returns_elsewhere_gets_the_image_that_was_given(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &slow_s3);

        (void)state;
        expect_flashed(&line, "A1", board);
        flash("A1", "other-s3.bin");
        expect_in_the_middle("A1");
        bed_pull(board);
        expect_last_verdict(&line, "A1", VERDICT_BOARD_LEFT);
        bed_replug(board, "1-4.2");
        expect_flashed_again("1-4.2", board, 2, &other_s3);
        stop_daemon(&line);
        start_daemon(&line);
        flash_another("1-4.3");
        expect_flashed_again("1-4.2", board, 2, &other_s3);
}

static void test_reload_in_the_middle_changes_nothing(void **state)
{
        struct bed_board *board = plug_with(&line, "1-4.1", &slow);

        (void)state;
        expect_flashed(&line, "A1", board);
        flash("A1", "other.bin");
        expect_in_the_middle("A1");
        configure(A1 "[policy gadget]\nchip = esp32s2\nimage = @s2.bin\n");
        expect_flashed_again("A1", board, 2, &other);
}

/* The policies are asked again about what waits: neither this image nor another one reaches the board. */
static void test_reload_with_a_policy_that_does_not_take_the_image_fails_what_waits(void **state)
{
        struct bed_board *board = plug(&line, "1-4.2", ROM_S2);

        (void)state;
        expect_flashed(&line, "1-4.2", board);
        configure("[station]\njobs-max = 1\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n");
        plug_with(&line, "1-4.1", &endless);
        expect_bytes_done(&line, "1-4.1", 4096);
        flash("1-4.2", "other.bin");
        expect_phase(&line, "1-4.2", PHASE_QUEUED);
        configure("[station]\njobs-max = 1\n[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nsha256 = "
                  "0000000000000000000000000000000000000000000000000000000000000000\n" PROBE);
        expect_phase(&line, "1-4.2", PHASE_FAILED);
        expect_message(&line, "1-4.2", "SHA-256 is ");
        ORDER("cancel", "1-4.1");
        stop_daemon(&line);
        start_daemon(&line);
        flash_another("1-4.3");
        expect_phase(&line, "1-4.2", PHASE_FAILED);
        bed_lock(line.bed);
        assert_int_equal(rom_counters(bed_rom(board))->completed, 1);
        bed_unlock(line.bed);
}

/* ---- the daemon is gone ---- */

/* In the middle of a given image, and a daemon that does not have it has come. */
static struct bed_board *interrupt_given(const char *port)
{
        struct bed_board *board = plug_with(&line, port, &slow);

        expect_flashed(&line, "A1", board);
        flash("A1", "other.bin");
        expect_in_the_middle("A1");
        kill_daemon(&line);
        start_daemon(&line);
        flash_another("1-4.15"); /* by then its engine has followed the daemon that was killed */
        return board;
}

static void expect_left_alone(const char *slot, struct bed_board *board, unsigned downloads)
{
        expect_phase(&line, slot, PHASE_FAILED);
        assert_string_equal(slot_of(&line, slot)->message, LOST);
        assert_int_equal(downloads_of(board), downloads);
}

static void test_board_whose_given_image_died_with_the_daemon_is_left_alone_and_says_so(void **state)
{
        struct bed_board *board = interrupt_given("1-4.1");
        unsigned downloads = downloads_of(board);
        g_autofree char *rows = NULL;

        (void)state;
        expect_left_alone("A1", board, downloads);
        assert_int_equal(slot_of(&line, "A1")->last_verdict, VERDICT_INTERRUPTED);
        expect_ctl(&line, LOST, (const char *[]){ "explain", "A1", NULL });
        rows = history();
        expect_said(rows, "\"verdict\":\"interrupted\"");
        flash_another("1-4.2");
        reload_daemon(&line);
        stop_daemon(&line);
        start_daemon(&line);
        flash_another("1-4.3");
        expect_left_alone("A1", board, downloads);
        /* A person says what is to be done. */
        flash("A1", "other.bin");
        expect_flashed_again("A1", board, 2, &other);
}

static void test_board_whose_given_image_died_is_its_policys_again_by_retry_or_plugged_in_anew(void **state)
{
        struct bed_board *board = interrupt_given("1-4.1");

        (void)state;
        expect_phase(&line, "A1", PHASE_FAILED);
        ORDER("retry", "A1");
        expect_flashed_again("A1", board, 2, &line.s2);
        flash("A1", "other.bin");
        expect_in_the_middle("A1");
        kill_daemon(&line);
        start_daemon(&line);
        expect_phase(&line, "A1", PHASE_FAILED);
        bed_pull(board);
        expect_phase(&line, "A1", PHASE_EMPTY);
        bed_replug(board, NULL);
        expect_flashed_again("A1", board, 3, &line.s2);
}

static void test_given_image_that_waits_for_its_turn_dies_with_the_daemon_too(void **state)
{
        struct bed_board *board = plug(&line, "1-4.2", ROM_S2), *first;

        (void)state;
        expect_flashed(&line, "1-4.2", board);
        configure("[station]\njobs-max = 1\n" A1 PROBE "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n");
        first = plug_with(&line, "1-4.1", &endless);
        expect_bytes_done(&line, "A1", 4096);
        flash("1-4.2", "other.bin");
        expect_phase(&line, "1-4.2", PHASE_QUEUED);
        kill_daemon(&line);
        bed_pull(first);
        start_daemon(&line);
        expect_left_alone("1-4.2", board, downloads_of(board));
        flash_another("1-4.3");
        expect_phase(&line, "1-4.2", PHASE_FAILED);
        ORDER("retry", "1-4.2");
        expect_flashed_again("1-4.2", board, 2, &line.s2);
}

/* It was in run-time mode when it was ordered: the daemon sent it to DFU mode, where it is another stay on the bus. */
static void test_board_that_was_sent_to_dfu_mode_for_a_given_image_is_known_again(void **state)
{
        struct bed_board *board;
        unsigned downloads;

        (void)state;
        configure(A1);
        board = plug_with(&line, "1-4.1", &slow);
        expect_phase(&line, "A1", PHASE_NO_POLICY);
        flash("A1", "other.bin");
        expect_in_the_middle("A1");
        kill_daemon(&line);
        line_configure(&line, gizmo); /* which would have it flashed */
        start_daemon(&line);
        flash_another("1-4.2");
        downloads = downloads_of(board);
        expect_left_alone("A1", board, downloads);
        kill_daemon(&line);
        start_daemon(&line);
        flash_another("1-4.3");
        expect_left_alone("A1", board, downloads);
        ORDER("retry", "A1");
        expect_flashed_again("A1", board, 1, &line.s2);
}

/* With the board's MAC, where it is another one that stands there by then. */
static void test_another_board_on_the_port_is_not_taken_for_the_interrupted_one(void **state)
{
        struct rom_config stranger = slow_s3;
        struct bed_board *board = plug_with(&line, "1-4.1", &slow_s3), *next;

        (void)state;
        stranger.mac[5] = 0x35;
        expect_flashed(&line, "A1", board);
        flash("A1", "other-s3.bin");
        expect_in_the_middle("A1");
        kill_daemon(&line);
        bed_pull(board);
        next = plug_with(&line, "1-4.1", &stranger);
        start_daemon(&line);
        expect_flashed(&line, "A1", next);
}

static void test_order_to_flash_the_policys_image_outlives_the_daemon(void **state)
{
        struct bed_board *board;

        (void)state;
        configure(A1 "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\naction = hold\n" PROBE);
        board = plug_with(&line, "1-4.1", &slow);
        expect_phase(&line, "A1", PHASE_HELD);
        flash("A1", NULL);
        expect_in_the_middle("A1");
        kill_daemon(&line);
        start_daemon(&line);
        expect_flashed_again("A1", board, 1, &line.s2);
        stop_daemon(&line);
        start_daemon(&line);
        flash_another("1-4.2");
        expect_flashed_again("A1", board, 1, &line.s2);
}

/* ---- what the client says ---- */

static void expect_bad_file(const char *image, const char *why)
{
        g_autofree char *path = line_path(&line, image), *said = NULL;
        g_autofree char *whole = g_strdup_printf("espdfuctl: %s: %s\n", path, why);

        assert_int_equal(order_flash("A1", image, &said), 1);
        assert_string_equal(said, whole);
}

static void test_client_refuses_what_is_no_image(void **state)
{
        g_autofree char *fifo = line_path(&line, "fifo"), *large = line_path(&line, "large"),
                        *folder = line_path(&line, "folder"), *said = NULL;
        struct bed_board *board = plug(&line, "1-4.1", ROM_S2);

        (void)state;
        expect_flashed(&line, "A1", board);
        expect_bad_file("nothing", "No such file or directory");
        assert_return_code(mkdir(folder, 0755), errno);
        expect_bad_file("folder", "a directory: expected a regular file");
        assert_return_code(mkfifo(fifo, 0600), errno);
        expect_bad_file("fifo", "a device or pipe: expected a regular file");
        write_file("large", "", 0);
        assert_return_code(truncate(large, 64 * (off_t)MIB + 1), errno);
        expect_bad_file("large", "too large: expected at most 64 MiB");
        write_file("text", "no image\n", 9);
        assert_int_equal(order_flash("A1", "text", &said), 1);
        expect_said(said, "/text: error: ");
        write_file("other.bin.sig", "short", 5);
        g_autofree char *signature = line_path(&line, "other.bin.sig");
        g_autofree char *whole = g_strdup_printf(
                "espdfuctl: %s: expected the 64 raw bytes of an Ed25519 signature\n", signature);
        g_free(said);
        assert_int_equal(order_flash("A1", "other.bin", &said), 1);
        assert_string_equal(said, whole);
        flash_another("1-4.2");
        assert_int_equal(slot_of(&line, "A1")->phase, PHASE_FLASHED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_flashed_board_is_flashed_again),
                TEST(test_board_gets_the_image_that_a_person_gives),
                TEST(test_board_without_a_policy_is_flashed_with_the_image_that_is_given),
                TEST(test_policy_that_holds_or_ignores_a_board_is_overridden),
                TEST(test_failed_cancelled_and_unusable_boards_are_flashed),
                TEST(test_reflash_never_does_not_count_for_a_person),
                TEST(test_boards_named_together_get_the_same_image),
                TEST(test_image_may_come_on_standard_input),
                TEST(test_flash_is_refused_where_something_is_in_the_way),
                TEST(test_image_for_another_chip_is_refused),
                TEST(test_order_that_cannot_be_recorded_changes_nothing_and_says_so),
                TEST(test_flash_is_refused_while_the_daemon_stops),
                TEST(test_policy_that_requires_signatures_takes_no_other_image),
                TEST(test_policy_with_a_pin_takes_that_image_alone),
                TEST(test_board_data_goes_into_the_image_that_is_given),
                TEST(test_attempt_that_fails_is_followed_by_one_with_the_same_image),
                TEST(test_board_that_is_pulled_and_returns_elsewhere_gets_the_image_that_was_given),
                TEST(test_reload_in_the_middle_changes_nothing),
                TEST(test_reload_with_a_policy_that_does_not_take_the_image_fails_what_waits),
                TEST(test_board_whose_given_image_died_with_the_daemon_is_left_alone_and_says_so),
                TEST(test_board_whose_given_image_died_is_its_policys_again_by_retry_or_plugged_in_anew),
                TEST(test_given_image_that_waits_for_its_turn_dies_with_the_daemon_too),
                TEST(test_board_that_was_sent_to_dfu_mode_for_a_given_image_is_known_again),
                TEST(test_another_board_on_the_port_is_not_taken_for_the_interrupted_one),
                TEST(test_order_to_flash_the_policys_image_outlives_the_daemon),
                TEST(test_client_refuses_what_is_no_image),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
