/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slots whose boards get a file each, from the board's coming to what its engine was given, without a bus. */
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/image-compose.h"
#include "daemon/slot.h"
#include "io/file.h"
#include "tests/daemon/ledger-station.h"
#include "tests/unit/fixtures.h"

#define SLOTS   100
#define ADDRESS 0x9000

static struct slot_world world;
static struct holds holds;
static struct slot *slots[SLOTS];
static size_t n_slots;
static bool look; /* places have changed */
static struct station *st;
static char dir[64];

/* ---- a station of some lines ---- */

static void on_slot(void *userdata, struct slot *slot, bool phase_changed)
{
        (void)userdata, (void)slot;
        look = look || phase_changed;
}

static void on_places(void *userdata)
{
        (void)userdata;
        look = true;
}

static void on_image(void *userdata, const struct config_policy *policy, const struct image_copy *copy,
                     const char *why)
{
        (void)userdata, (void)policy, (void)copy, (void)why;
}

static void on_data(void *userdata)
{
        (void)userdata;
        for (size_t i = 0; i < n_slots; i++)
                slot_data_changed(slots[i]);
        look = true;
}

static void turn(void)
{
        uint64_t ticket;

        assert_return_code(sd_event_run(world.event, look ? 0 : 30 * USEC_PER_SEC), errno);
        if (!look)
                return;
        look = false;
        for (size_t i = 0; i < n_slots; i++)
                if (slot_wants_place(slots[i], &ticket))
                        slot_give_place(slots[i]);
}

static void path_of(char *buffer, size_t size, const char *name)
{
        snprintf(buffer, size, "%s/%s", dir, name);
}

static void write_file(const char *name, const void *data, size_t len)
{
        char path[256], made[96];
        FILE *f;

        path_of(made, sizeof(made), "made");
        path_of(path, sizeof(path), name);
        f = fopen(made, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(data, 1, len, f), len);
        assert_int_equal(fclose(f), 0);
        assert_return_code(chmod(made, 0644), errno);
        assert_return_code(rename(made, path), errno);
}

static void put(const char *name)
{
        char path[160];

        snprintf(path, sizeof(path), "nvs/%s", name);
        write_file(path, name, strlen(name));
}

static void start(void)
{
        _cleanup_(config_errors_done) struct config_errors errors = { 0 };
        struct config *config = NULL;
        char text[512];

        station_start(st, BOOT, NOON);
        snprintf(text, sizeof(text),
                 "[policy gizmo]\nimage = %s/gizmo.bin\nboard-data = 0x9000:%s/nvs\nretry-delay = 0\n", dir,
                 dir);
        assert_int_equal(config_new(&config), 0);
        assert_int_equal(config_parse(config, "test.conf", text, strlen(text), &errors), 0);
        assert_int_equal(errors.total, 0);
        world = (struct slot_world){ .event = st->event,
                                     .config = config,
                                     .ledger = st->ledger,
                                     .boot_id = BOOT,
                                     .holds = &holds,
                                     .changed = on_slot,
                                     .places_changed = on_places,
                                     .image_seen = on_image };
        assert_int_equal(images_new(UINT64_MAX, &world.images), 0);
        assert_int_equal(board_data_new(st->event, st->ledger, on_data, NULL, &world.board_data), 0);
        assert_int_equal(engine_program_open(FAKE_ENGINE, &world.engine), 0);
}

static void stop(void)
{
        while (n_slots > 0)
                slot_free(slots[--n_slots]);
        board_data_free(world.board_data);
        images_free(world.images);
        engine_program_close(&world.engine);
        config_free((struct config *)world.config);
        assert_int_equal(world.composed.n, 0);
        assert_int_equal(world.composed.bytes, 0);
        station_stop(st);
}

static int setup(void **state)
{
        struct bytes image = fixture_board_image(chip_by_name("esp32s2"));
        char path[96], owner[16];

        snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
        setenv("ESPDFU_DATA_OWNER", owner, 1);
        station_setup(state);
        st = *state;
        snprintf(dir, sizeof(dir), "%s", st->dir);
        path_of(path, sizeof(path), "nvs");
        assert_return_code(mkdir(path, 0755), errno);
        write_file("gizmo.bin", image.data, image.len);
        bytes_done(&image);
        start();
        return 0;
}

static int teardown(void **state)
{
        stop();
        return station_teardown(state);
}

/* ---- vocabulary ---- */

static struct slot *slot_at(const char *port)
{
        for (size_t i = 0; i < n_slots; i++)
                if (streq(slot_name(slots[i]), port))
                        return slots[i];
        assert_int_equal(slot_new(&world, port, NULL, port, &slots[n_slots]), 0);
        return slots[n_slots++];
}

/* Its flash is the file DIR/PORT. */
static void plug(const char *port, uint64_t stay)
{
        struct board *board = calloc(1, sizeof(*board));
        char node[96];

        assert_non_null(board);
        path_of(node, sizeof(node), port);
        board->port = strdup(port);
        board->node = strdup(node);
        board->chip = chip_by_name("esp32s2");
        board->ids = (struct usb_device_ids){ 0x303a, 0x0002, 0x0723 };
        board->devnum = (unsigned)stay;
        board->initialized_usec = stay;
        board->has_dfu = board->is_rom = board->dfu.dfu_mode = true;
        slot_board_arrived(slot_at(port), board);
}

static void pull(const char *port)
{
        assert_true(slot_board_left(slot_at(port), port, 0));
}

static void mark(const char *port, const char *how)
{
        char name[64];

        snprintf(name, sizeof(name), "%s.%s", port, how);
        write_file(name, "", 0);
}

static char *text_of(const char *port, bool file)
{
        struct slot_status status;
        char *text;

        assert_int_equal(slot_status(slot_at(port), &status), 0);
        text = take_ptr(*(file ? &status.data_file : &status.message));
        slot_status_done(&status);
        return text;
}

static void expect_phase(const char *port, enum phase phase)
{
        uint64_t limit = clock_boottime_usec() + 60 * USEC_PER_SEC;

        while (slot_phase(slot_at(port)) != phase) {
                _cleanup_(freep) char *message = text_of(port, false);

                if (clock_boottime_usec() > limit)
                        fail_msg("%s: %s, not %s: %s", port, phase_to_string(slot_phase(slot_at(port))),
                                 phase_to_string(phase), message ? message : "");
                turn();
        }
}

static void expect_waits(const char *port, const char *text)
{
        for (;;) {
                _cleanup_(freep) char *message = text_of(port, false);

                if (message && strstr(message, text))
                        break;
                turn();
        }
        assert_int_equal(slot_phase(slot_at(port)), PHASE_QUEUED);
}

/* It has chosen its file, and its attempt could not be opened. */
static void expect_waits_for_ledger(const char *port)
{
        for (;;) {
                _cleanup_(freep) char *file = text_of(port, true);

                if (file && !slot_is_running(slot_at(port)))
                        break;
                turn();
        }
        assert_int_equal(slot_phase(slot_at(port)), PHASE_QUEUED);
}

/* The engine was given the image with this file in it, and nothing else. */
static void expect_flashed_with(const char *port, const char *name)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;
        _cleanup_(freep) uint8_t *data = NULL;
        _cleanup_(freep) char *file = NULL;
        char node[96];
        size_t len;

        expect_phase(port, PHASE_FLASHED);
        file = text_of(port, true);
        assert_non_null(file);
        assert_string_equal(strrchr(file, '/') + 1, name);
        path_of(node, sizeof(node), port);
        assert_int_equal(file_read(node, IMAGE_SIZE_MAX, &data, &len), 0);
        assert_int_equal(image_parse(data, len, &findings, &image), 0);
        assert_int_equal(image->n_files, 4);
        assert_int_equal(image->files[2].address, ADDRESS);
        assert_int_equal(image->files[2].size, strlen(name));
        assert_memory_equal(data + image->members[image->files[2].first_member].offset, name, strlen(name));
}

/* ---- stories ---- */

static void test_board_gets_the_image_with_its_file_in_it(void **state)
{
        (void)state;
        put("unit-1.bin");
        plug("1-1", 1);
        expect_flashed_with("1-1", "unit-1.bin");
        assert_int_equal(on_disk(st, "SELECT count(*) FROM board_data JOIN attempt USING (job)"
                                     " WHERE file LIKE '%/nvs/unit-1.bin' AND board_data.slot = '1-1'"),
                         1);
        assert_int_equal(world.composed.n, 0);
}

static void test_hundred_boards_at_once_get_a_hundred_files(void **state)
{
        bool given[SLOTS] = { false };
        char port[16], name[32];

        (void)state;
        for (unsigned i = 0; i < SLOTS; i++) {
                snprintf(name, sizeof(name), "unit-%u.bin", i);
                put(name);
        }
        for (unsigned i = 0; i < SLOTS; i++) {
                snprintf(port, sizeof(port), "1-1.%u", i + 1);
                plug(port, i + 1);
        }
        for (unsigned i = 0; i < SLOTS; i++) {
                _cleanup_(freep) char *file = NULL;
                unsigned n;

                snprintf(port, sizeof(port), "1-1.%u", i + 1);
                expect_phase(port, PHASE_FLASHED);
                file = text_of(port, true);
                assert_int_equal(sscanf(strrchr(file, '/'), "/unit-%u.bin", &n), 1);
                assert_in_range(n, 0, SLOTS - 1);
                assert_false(given[n]);
                given[n] = true;
                snprintf(name, sizeof(name), "unit-%u.bin", n);
                expect_flashed_with(port, name);
        }
        assert_int_equal(on_disk(st, "SELECT count(*) FROM board_data"), SLOTS);
}

/* How often a file of the folder was opened since watch_opens(). */
static int watch_opens(void)
{
        char path[96];
        int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

        assert_return_code(fd, errno);
        path_of(path, sizeof(path), "nvs");
        assert_return_code(inotify_add_watch(fd, path, IN_OPEN), errno);
        return fd;
}

static unsigned count_opens(int fd)
{
        _Alignas(struct inotify_event) char buffer[16384];
        unsigned n = 0;
        ssize_t len;

        while ((len = read(fd, buffer, sizeof(buffer))) > 0)
                for (const char *p = buffer; p < buffer + len;) {
                        struct inotify_event event;

                        memcpy(&event, p, sizeof(event));
                        assert_false(event.mask & IN_Q_OVERFLOW);
                        n += !(event.mask & IN_ISDIR);
                        p += sizeof(event) + event.len;
                }
        assert_int_equal(errno, EAGAIN);
        return n;
}

static void test_file_is_read_only_when_it_is_its_board_s_turn(void **state)
{
        char port[16], name[32];
        int fd;

        (void)state;
        for (unsigned i = 0; i < 30; i++) {
                snprintf(name, sizeof(name), "unit-%u.bin", i);
                put(name);
        }
        fd = watch_opens();
        for (unsigned i = 0; i < 30; i++) { /* all want their place in the same turns */
                snprintf(port, sizeof(port), "1-1.%u", i + 1);
                plug(port, i + 1);
        }
        for (unsigned i = 0; i < 30; i++) {
                snprintf(port, sizeof(port), "1-1.%u", i + 1);
                expect_phase(port, PHASE_FLASHED);
        }
        assert_int_equal(count_opens(fd), 30);
        close(fd);
}

static void test_board_that_waits_for_room_reads_and_claims_nothing(void **state)
{
        const struct composed_store full = { .n = COMPOSED_MAX };
        char *file;
        int fd;

        (void)state;
        put("a");
        world.composed = full;
        fd = watch_opens();
        plug("1-1", 1);
        expect_waits("1-1", "waits: 512 images with board data are in memory (0 MiB): expected at most 512 "
                            "and 512 MiB");
        assert_int_equal(count_opens(fd), 0);
        file = text_of("1-1", true);
        assert_null(file);
        world.composed = (struct composed_store){ 0 };
        on_data(NULL); /* what poking comes to, once one is freed */
        expect_flashed_with("1-1", "a");
        close(fd);
}

static void test_folder_that_runs_empty_holds_the_slot_and_goes_on_when_a_file_comes(void **state)
{
        (void)state;
        put("a");
        plug("1-1", 1);
        expect_flashed_with("1-1", "a");
        plug("1-2", 2);
        expect_waits("1-2", "policy gizmo: no unused file left in ");
        expect_waits("1-2", "/nvs (1 used)");
        assert_int_equal(on_disk(st, "SELECT count(*) FROM attempt"), 1);
        put("b");
        expect_flashed_with("1-2", "b");
}

static void test_boards_that_wait_get_the_files_that_come_one_each(void **state)
{
        (void)state;
        plug("1-1", 1);
        plug("1-2", 2);
        plug("1-3", 3);
        expect_waits("1-1", "(0 used)");
        expect_waits("1-2", "(0 used)");
        expect_waits("1-3", "(0 used)");
        put("a");
        expect_flashed_with("1-1", "a");
        expect_waits("1-2", "(1 used)");
        put("b");
        expect_flashed_with("1-2", "b");
        expect_waits("1-3", "(2 used)");
}

static void test_retry_gets_the_same_file(void **state)
{
        (void)state;
        put("a");
        put("b");
        mark("1-1", "fails");
        plug("1-1", 1);
        expect_flashed_with("1-1", "a");
        assert_int_equal(on_disk(st, "SELECT max(attempt) FROM attempt"), 2);
        plug("1-2", 2);
        expect_flashed_with("1-2", "b");
}

static void test_crash_after_commit_gives_the_same_file(void **state)
{
        (void)state;
        put("a");
        put("b");
        mark("1-1", "hangs");
        plug("1-1", 1);
        while (on_disk(st, "SELECT count(*) FROM board_data") < 1)
                turn();
        stop(); /* without closing anything */
        start();
        char path[96];
        path_of(path, sizeof(path), "1-1.hangs");
        assert_return_code(unlink(path), errno);
        plug("1-2", 2);
        expect_flashed_with("1-2", "b");
        plug("1-1", 1);
        expect_flashed_with("1-1", "a");
        assert_int_equal(on_disk(st, "SELECT count(*) FROM board_data"), 2);
}

static void test_pulled_s2_is_a_new_board(void **state)
{
        (void)state;
        put("a");
        put("b");
        plug("1-1", 1);
        expect_flashed_with("1-1", "a");
        pull("1-1");
        plug("1-1", 2);
        expect_flashed_with("1-1", "b");
}

static void test_board_that_is_pulled_while_it_waits_takes_no_file(void **state)
{
        (void)state;
        plug("1-1", 1);
        expect_waits("1-1", "no unused file left");
        pull("1-1");
        put("a");
        plug("1-2", 2);
        expect_flashed_with("1-2", "a");
        expect_phase("1-1", PHASE_EMPTY);
}

static void test_file_that_does_not_fit_holds_the_slot_until_it_is_gone(void **state)
{
        _cleanup_(freep) uint8_t *large = fixture_bytes(0x6001, 3);
        char path[96];

        (void)state;
        write_file("nvs/large", large, 0x6001);
        plug("1-1", 1);
        expect_waits("1-1",
                     "nvs/large: 24577 bytes do not fit partition nvs at 0x9000: expected at most 24576");
        for (unsigned i = 0; i < 100; i++) { /* nothing goes round in circles */
                look = false;
                assert_int_equal(sd_event_run(world.event, 0), 0);
                assert_false(look);
        }
        assert_int_equal(on_disk(st, "SELECT count(*) FROM attempt"), 0);
        path_of(path, sizeof(path), "nvs/large");
        assert_return_code(unlink(path), errno);
        put("z");
        expect_flashed_with("1-1", "z");
}

/* The ledger has another board there, of which the station does not know: it cannot be written. */
static void test_file_of_a_job_that_was_cancelled_before_its_commit_is_free_at_once(void **state)
{
        sqlite3 *disk = NULL;

        (void)state;
        put("a");
        assert_int_equal(sqlite3_open_v2(st->path, &disk, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(disk,
                                      "CREATE TRIGGER full BEFORE INSERT ON attempt WHEN NEW.slot = '1-1' "
                                      "BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        sqlite3_close(disk);
        plug("1-1", 1);
        expect_waits_for_ledger("1-1");
        assert_int_equal(on_disk(st, "SELECT count(*) FROM board_data"), 0);
        plug("1-2", 2);
        expect_waits("1-2", "/nvs (1 used)");
        slot_cancel(slot_at("1-1"), "user joe");
        assert_null(text_of("1-1", true));
        expect_flashed_with("1-2", "a");
        expect_phase("1-1", PHASE_QUEUED); /* that it is cancelled is told when it is recorded */
}

static void test_file_of_a_job_that_was_cancelled_after_its_commit_stays_its_board_s(void **state)
{
        _cleanup_(freep) char *file = NULL;

        (void)state;
        put("a");
        put("b");
        mark("1-1", "hangs");
        plug("1-1", 1);
        while (on_disk(st, "SELECT count(*) FROM board_data") < 1)
                turn();
        slot_cancel(slot_at("1-1"), "user joe");
        expect_phase("1-1", PHASE_CANCELLED);
        file = text_of("1-1", true);
        assert_string_equal(strrchr(file, '/') + 1, "a");
        plug("1-2", 2);
        expect_flashed_with("1-2", "b");
}

static void test_explain_says_which_file_would_be_the_next(void **state)
{
        struct explanation explanation;

        (void)state;
        put("a");
        put("b");
        plug("1-1", 1);
        expect_flashed_with("1-1", "a");
        assert_int_equal(slot_explain(slot_at("1-1"), true, &explanation), 0);
        assert_non_null(strstr(explanation.message, "board data: "));
        assert_non_null(strstr(explanation.message, "/nvs/a"));
        explanation_done(&explanation);
        /* Among all slots it says what it got, and nobody looks for the next. */
        assert_int_equal(slot_explain(slot_at("1-1"), false, &explanation), 0);
        assert_string_equal(explanation.chosen, "gizmo");
        assert_int_equal(explanation.n_policies, 0);
        explanation_done(&explanation);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_board_gets_the_image_with_its_file_in_it),
                TEST(test_hundred_boards_at_once_get_a_hundred_files),
                TEST(test_file_is_read_only_when_it_is_its_board_s_turn),
                TEST(test_board_that_waits_for_room_reads_and_claims_nothing),
                TEST(test_folder_that_runs_empty_holds_the_slot_and_goes_on_when_a_file_comes),
                TEST(test_boards_that_wait_get_the_files_that_come_one_each),
                TEST(test_retry_gets_the_same_file),
                TEST(test_crash_after_commit_gives_the_same_file),
                TEST(test_pulled_s2_is_a_new_board),
                TEST(test_board_that_is_pulled_while_it_waits_takes_no_file),
                TEST(test_file_that_does_not_fit_holds_the_slot_until_it_is_gone),
                TEST(test_file_of_a_job_that_was_cancelled_before_its_commit_is_free_at_once),
                TEST(test_file_of_a_job_that_was_cancelled_after_its_commit_stays_its_board_s),
                TEST(test_explain_says_which_file_would_be_the_next),
        };

        sigset_t child;

        sigemptyset(&child); /* sd-event hears of engines so */
        sigaddset(&child, SIGCHLD);
        sigprocmask(SIG_BLOCK, &child, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
