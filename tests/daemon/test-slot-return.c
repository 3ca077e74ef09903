/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two slots, with a real ledger and a real event loop, and boards that leave and return. Here a board is lost between its
 * place and its first byte, so that no engine is needed; with one: tests/integration/test-returns.c.
 */
#include "tests/daemon/ledger-station.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/slot-internal.h"
#include "tests/rom/sample-image.h"

#define MAC_A "7c:df:a1:0b:00:0a"
#define MAC_B "7c:df:a1:0b:00:0b"

static struct {
        struct station *ledger;
        struct slot_world world;
        struct holds holds;
        struct config *config;
        struct slot *slots[2];
        unsigned devnum;
} line;

/* ---- the world of a slot ---- */

static void on_changed(void *userdata, struct slot *slot, bool phase_changed)
{
        (void)userdata, (void)slot, (void)phase_changed;
}

static void on_places_changed(void *userdata)
{
        (void)userdata;
}

static void on_image_seen(void *userdata, const struct config_policy *policy, const struct image_copy *copy,
                          const char *why)
{
        (void)userdata, (void)policy, (void)copy, (void)why;
}

static void on_data(void *userdata)
{
        (void)userdata;
        for (size_t i = 0; i < ARRAY_SIZE(line.slots); i++)
                slot_data_changed(line.slots[i]);
}

static struct slot *find_job(void *userdata, const struct slot *asks, const char *mac)
{
        (void)userdata;
        for (size_t i = 0; i < ARRAY_SIZE(line.slots); i++)
                if (line.slots[i] != asks && slot_has_job_of(line.slots[i], mac))
                        return line.slots[i];
        return NULL;
}

static void on_flapping(void *userdata, struct slot *slot)
{
        (void)userdata;
        assert_int_equal(holds_put_port(&line.holds, NULL, slot_port(slot), "held: " FLAPPING_REASON), 0);
        slot_holds_changed(slot);
}

/* @ stands for the test's directory. */
static void configure(const char *policies)
{
        _cleanup_(config_errors_done) struct config_errors errors = { 0 };
        char text[1024] = "";
        size_t n = 0;

        for (const char *p = policies; *p; p++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s", *p == '@' ? 63 : 1,
                                      *p == '@' ? line.ledger->dir : p);
        assert_true(n < sizeof(text));
        config_free(line.config);
        assert_int_equal(config_new(&line.config), 0);
        assert_int_equal(config_parse(line.config, "line.conf", text, n, &errors), 0);
        assert_int_equal(errors.total, 0);
        line.world.config = line.config;
}

static void write_image(void)
{
        const struct sample_spec spec = {
                .pid = 0x0009,
                .flash_size = 8 * MIB,
                .files = { { .name = "app.bin", .address = 0x10000, .size = 20000, .seed = 11 } },
                .n_files = 1,
        };
        struct sample_image image;
        char path[128];

        sample_image_make(&spec, &image);
        snprintf(path, sizeof(path), "%s/s3.bin", line.ledger->dir);
        assert_int_equal(sample_image_write(&image, path), 0);
        sample_image_done(&image);
}

static int begin(void **state)
{
        char owner[16];

        snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
        setenv("ESPDFU_DATA_OWNER", owner, 1);
        station_setup(state);
        memset(&line, 0, sizeof(line));
        line.ledger = *state;
        station_start(line.ledger, BOOT, NOON);
        write_image();
        line.world = (struct slot_world){
                .event = line.ledger->event,
                .ledger = line.ledger->ledger,
                .engine = { .fd = -EBADF },
                .boot_id = BOOT,
                .holds = &line.holds,
                .changed = on_changed,
                .places_changed = on_places_changed,
                .image_seen = on_image_seen,
                .find_job = find_job,
                .flapping = on_flapping,
        };
        configure("[policy probe]\nchip = esp32s3\nimage = @/s3.bin\nattempts = 20\n");
        assert_int_equal(images_new(UINT64_MAX, &line.world.images), 0);
        assert_int_equal(
                board_data_new(line.world.event, line.world.ledger, on_data, NULL, &line.world.board_data),
                0);
        assert_int_equal(slot_new(&line.world, "A1", NULL, "1-1", &line.slots[0]), 0);
        assert_int_equal(slot_new(&line.world, "A2", NULL, "1-2", &line.slots[1]), 0);
        return 0;
}

static int end(void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(line.slots); i++)
                slot_free(line.slots[i]);
        board_data_free(line.world.board_data);
        images_free(line.world.images);
        config_free(line.config);
        holds_done(&line.holds);
        return station_teardown(state);
}

/* ---- what happens ---- */

#define A1 line.slots[0]
#define A2 line.slots[1]

static void plug(struct slot *slot, const char *mac)
{
        struct board *board = calloc(1, sizeof(*board));

        assert_non_null(board);
        *board = (struct board){
                .port = strdup(slot_port(slot)),
                .node = strdup("/dev/null"),
                .serial = strdup(mac),
                .manufacturer = strdup("Espressif"),
                .product = strdup("ESP32-S3"),
                .devnum = ++line.devnum,
                .initialized_usec = clock_monotonic_usec(),
                .ids = { 0x303a, 0x0009, 0x0728 },
                .chip = chip_by_name("esp32s3"),
                .has_dfu = true,
                .dfu = { .dfu_mode = true },
                .is_rom = true,
        };
        board->mac = board->serial;
        slot_board_arrived(slot, board);
}

static void pull(struct slot *slot)
{
        assert_true(slot_board_left(slot, slot_port(slot), 0));
}

static void wait_for_state(const struct slot *slot, enum job_state state)
{
        while (slot->job.state != state)
                assert_true(sd_event_run(line.ledger->event, 30 * USEC_PER_SEC) > 0);
}

static bool wants_place(const struct slot *slot)
{
        uint64_t ticket;

        return slot_wants_place(slot, &ticket);
}

/* It has its place, and is gone before the first byte. */
static void lose(struct slot *slot)
{
        assert_true(wants_place(slot));
        slot_give_place(slot);
        pull(slot);
}

static void expect(const struct slot *slot, enum phase phase, const char *message)
{
        struct slot_status status;

        assert_int_equal(slot_status(slot, &status), 0);
        assert_string_equal(phase_to_string(status.phase), phase_to_string(phase));
        if (message) {
                assert_non_null(status.message);
                assert_string_equal(status.message, message);
        }
        slot_status_done(&status);
}

static int64_t count(const char *what)
{
        char sql[160];

        snprintf(sql, sizeof(sql), "SELECT count(%s) FROM attempt", what);
        return on_disk(line.ledger, sql);
}

/* ---- stories ---- */

static void test_board_that_is_back_on_its_port_goes_on(void **state)
{
        (void)state;
        plug(A1, MAC_A);
        lose(A1);
        wait_for_state(A1, JOB_RETURNING);
        expect(A1, PHASE_QUEUED, "board left before the first byte; waits 10 s for its return");
        plug(A1, MAC_A);
        assert_true(wants_place(A1));
        assert_int_equal(A1->job.attempt, 1);
        lose(A1);
        wait_for_state(A1, JOB_RETURNING);
        assert_int_equal(count("DISTINCT job"), 1);
        assert_int_equal(count("*"), 2);
        assert_int_equal(on_disk(line.ledger, "SELECT sum(final) FROM attempt"), 0);
}

static void test_board_that_comes_on_another_port_takes_its_job_along(void **state)
{
        (void)state;
        plug(A1, MAC_A);
        lose(A1);
        wait_for_state(A1, JOB_RETURNING);
        plug(A2, MAC_A);
        expect(A1, PHASE_EMPTY, MAC_A " left in the middle of it and goes on in A2");
        assert_true(wants_place(A2));
        lose(A2);
        wait_for_state(A2, JOB_RETURNING);
        assert_int_equal(count("DISTINCT job"), 1);
        assert_int_equal(count("DISTINCT slot"), 2);
        /* And back again. */
        plug(A1, MAC_A);
        assert_true(wants_place(A1));
        assert_false(slot_has_job(A2));
}

static void test_board_that_comes_before_its_attempt_is_over_waits_for_that(void **state)
{
        (void)state;
        plug(A1, MAC_A);
        lose(A1);
        plug(A2, MAC_A); /* the ledger is not through with A1 */
        expect(A2, PHASE_QUEUED, "waits: its attempt in A1 is not over yet");
        slot_reunite(A2);
        assert_false(wants_place(A2));
        wait_for_state(A1, JOB_RETURNING);
        slot_reconsider(A2); /* a reload does not make a second job of it */
        assert_false(wants_place(A2));
        slot_reunite(A2);
        assert_true(wants_place(A2));
        assert_false(slot_has_job(A1));
        assert_int_equal(A2->job.attempt, 1);
}

static void test_board_that_leaves_while_it_waits_for_its_job_leaves_nothing_behind(void **state)
{
        (void)state;
        plug(A1, MAC_A);
        lose(A1);
        plug(A2, MAC_A);
        pull(A2);
        expect(A2, PHASE_EMPTY, NULL);
        wait_for_state(A1, JOB_RETURNING);
        slot_reunite(A2);
        assert_false(slot_has_job(A2));
        plug(A1, MAC_A);
        assert_true(wants_place(A1));
}

static void test_board_that_comes_where_another_policy_counts_begins_anew(void **state)
{
        (void)state;
        configure("[policy probe]\nchip = esp32s3\nport = 1-1\nimage = @/s3.bin\n"
                  "[policy other]\nchip = esp32s3\nimage = @/s3.bin\n");
        plug(A1, MAC_A);
        lose(A1);
        wait_for_state(A1, JOB_RETURNING);
        plug(A2, MAC_A);
        assert_true(wants_place(A2));
        assert_int_equal(A2->job.attempt, 0);
        assert_string_not_equal(A1->job_id, A2->job_id);
        wait_for_state(A1, JOB_ENDED);
        expect(A1, PHASE_FAILED, "came back on 1-2, where policy other counts");
        assert_int_equal(on_disk(line.ledger, "SELECT sum(final) FROM attempt"), 1);
}

static void test_released_board_is_back_where_its_policy_has_no_image_any_more(void **state)
{
        _cleanup_(freep) char *why = NULL;

        (void)state;
        configure("[policy probe]\nchip = esp32s3\naction = hold\nimage = @/s3.bin\n");
        plug(A1, MAC_A);
        expect(A1, PHASE_HELD, NULL);
        assert_int_equal(slot_release(A1, &why), 0);
        lose(A1);
        wait_for_state(A1, JOB_RETURNING);
        configure("[policy probe]\nchip = esp32s3\naction = hold\n");
        plug(A1, MAC_A);
        wait_for_state(A1, JOB_OPENING);
        assert_string_equal(A1->job.message, "came back, and policy probe says action = hold now");
        while (slot_has_job(A1))
                assert_true(sd_event_run(line.ledger->event, 30 * USEC_PER_SEC) > 0);
        expect(A1, PHASE_HELD, NULL);
}

/* ---- boards that get a file of their own ---- */

#define IN(folder, address) PROBE "board-data = " address ":@/" folder "\n"
#define PROBE               "[policy probe]\nchip = esp32s3\nimage = @/s3.bin\nattempts = 20\n"

static void put(const char *folder, const char *name)
{
        char path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", line.ledger->dir, folder);
        if (mkdir(path, 0755) < 0)
                assert_int_equal(errno, EEXIST);
        snprintf(path, sizeof(path), "%s/%s/%s", line.ledger->dir, folder, name);
        f = fopen(path, "we");
        assert_non_null(f);
        fputs(path, f);
        assert_int_equal(fclose(f), 0);
        assert_return_code(chmod(path, 0644), errno);
}

static void reload(const char *policies)
{
        configure(policies);
        board_data_reload(line.world.board_data);
}

/* Its file was chosen, and it is gone before the first byte. */
static void lose_in_time(struct slot *slot)
{
        while (slot->job.state == JOB_QUEUED) {
                if (wants_place(slot))
                        slot_give_place(slot);
                assert_return_code(sd_event_run(line.world.event, 0), errno);
        }
        pull(slot);
        wait_for_state(slot, JOB_RETURNING);
}

/*
 * Where the policy says something else about board-data by now, the board's job ends for that reason, and it begins anew by
 * what is said now: with this file, or with none.
 */
static void expect_begins_anew(const char *before, const char *after, const char *why, const char *file)
{
        char first[SD_ID128_STRING_MAX], sql[256];

        put("nvs", "a");
        put("nvs", "b");
        put("keys", "k");
        reload(before);
        plug(A1, MAC_A);
        lose_in_time(A1);
        memcpy(first, A1->job_id, sizeof(first));
        reload(after);
        plug(A1, MAC_A);
        while (streq(A1->job_id, first))
                assert_true(sd_event_run(line.world.event, 30 * USEC_PER_SEC) > 0);
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM attempt WHERE final AND job = '%s' AND message = '%s'", first, why);
        assert_int_equal(on_disk(line.ledger, sql), 1);
        lose_in_time(A1);
        assert_int_equal(A1->job.attempt, 1);
        if (file)
                assert_string_equal(strrchr(A1->data.file, '/') + 1, file);
        else
                assert_null(A1->data.file);
}

static void test_board_that_is_back_goes_on_with_the_file_that_it_got(void **state)
{
        (void)state;
        put("nvs", "a");
        put("nvs", "b");
        reload(IN("nvs", "0x9000"));
        plug(A1, MAC_A);
        lose_in_time(A1);
        reload(IN("nvs", "0x9000"));
        plug(A2, MAC_A);
        lose_in_time(A2);
        assert_string_equal(strrchr(A2->data.file, '/') + 1, "a");
        assert_int_equal(on_disk(line.ledger, "SELECT count(*) FROM board_data"), 1);
        assert_int_equal(on_disk(line.ledger, "SELECT count(*) FROM attempt WHERE data_file LIKE '%/nvs/a'"),
                         2);
}

static void test_board_that_is_back_where_board_data_is_another_folder_begins_anew(void **state)
{
        (void)state;
        expect_begins_anew(IN("nvs", "0x9000"), IN("keys", "0x9000"),
                           "came back, and policy probe has another board-data now", "k");
        /* The one that it had stays its own. */
        assert_int_equal(on_disk(line.ledger, "SELECT count(*) FROM board_data WHERE mac = '" MAC_A "'"), 2);
}

static void test_board_that_is_back_where_board_data_has_another_address_begins_anew(void **state)
{
        (void)state;
        expect_begins_anew(IN("nvs", "0x9000"), IN("nvs", "0xa000"),
                           "came back, and policy probe has another board-data now", "a");
        assert_int_equal(on_disk(line.ledger, "SELECT count(*) FROM board_data"), 1);
}

static void test_board_that_is_back_where_board_data_is_gone_begins_anew(void **state)
{
        (void)state;
        expect_begins_anew(IN("nvs", "0x9000"), PROBE,
                           "came back, and policy probe says no board-data any more", NULL);
}

static void test_board_that_is_back_where_board_data_was_added_begins_anew(void **state)
{
        (void)state;
        expect_begins_anew(PROBE, IN("nvs", "0x9000"), "came back, and policy probe says board-data now",
                           "a");
}

static void test_board_that_comes_on_another_port_where_board_data_is_another_begins_anew(void **state)
{
        (void)state;
        put("nvs", "a");
        put("keys", "k");
        reload(IN("nvs", "0x9000"));
        plug(A1, MAC_A);
        lose_in_time(A1);
        reload(IN("keys", "0x9000"));
        plug(A2, MAC_A);
        wait_for_state(A1, JOB_ENDED);
        expect(A1, PHASE_FAILED, "came back, and policy probe has another board-data now");
        lose_in_time(A2);
        assert_int_equal(A2->job.attempt, 1);
        assert_string_equal(strrchr(A2->data.file, '/') + 1, "k");
}

static void test_another_board_ends_the_job_as_replaced_and_the_record_has_the_right_mac(void **state)
{
        (void)state;
        plug(A1, MAC_A);
        lose(A1);
        wait_for_state(A1, JOB_RETURNING);
        plug(A1, MAC_B);
        wait_for_state(A1, JOB_QUEUED);
        assert_true(wants_place(A1));
        assert_int_equal(A1->job.attempt, 0);
        assert_int_equal(on_disk(line.ledger, "SELECT count(*) FROM attempt WHERE final AND mac = '" MAC_A
                                              "' AND verdict = 'replaced'"),
                         1);
        assert_int_equal(on_disk(line.ledger, "SELECT count(*) FROM attempt WHERE mac = '" MAC_B "'"), 0);
}

static void test_slot_that_flaps_is_held_until_it_is_forgiven(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                plug(A1, MAC_A);
                lose(A1);
                wait_for_state(A1, i < 2 ? JOB_RETURNING : JOB_ENDED);
        }
        expect(A1, PHASE_HELD, "held: flapping: left 3 times within a minute");
        plug(A1, MAC_A);
        expect(A1, PHASE_HELD, "held: flapping: left 3 times within a minute");
        slot_forgive(A1);
        assert_true(holds_remove_port(&line.holds, NULL, "1-1"));
        slot_holds_changed(A1);
        assert_true(wants_place(A1));
        assert_int_equal(on_disk(line.ledger, "SELECT sum(final) FROM attempt"), 1);
}

static void test_board_that_was_not_begun_with_counts_only_if_it_leaves_at_once(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 5; i++) {
                plug(A1, MAC_A);
                A1->arrived_usec -= 6 * USEC_PER_SEC; /* it stood there for a while */
                pull(A1);
                expect(A1, PHASE_EMPTY, NULL);
        }
        for (unsigned i = 0; i < 3; i++) {
                plug(A1, MAC_A);
                pull(A1);
        }
        expect(A1, PHASE_HELD, "held: flapping: left 3 times within a minute");
}

static void test_device_number_that_comes_again_is_not_the_same_stay(void **state)
{
        char first[SD_ID128_STRING_MAX];

        (void)state;
        plug(A1, MAC_A);
        memcpy(first, A1->job_id, sizeof(first));
        line.devnum--;
        plug(A1, MAC_B); /* what happened between the two was lost */
        assert_string_not_equal(A1->job_id, first);
        assert_string_equal(A1->job_mac, MAC_B);
}

static void test_flashed_board_that_is_back_at_once_is_taken_for_its_application(void **state)
{
        static const char application[] = "flashed, and back within 10 s: taken for its application";

        (void)state;
        plug(A1, MAC_A);
        slot_rest_in(A1, PHASE_FLASHED, NULL);
        for (unsigned i = 0; i < 2; i++) { /* it may start more than once */
                pull(A1);
                expect(A1, PHASE_EMPTY, NULL);
                plug(A1, MAC_A);
                expect(A1, PHASE_FLASHED, application);
        }
        pull(A1);
        plug(A1, MAC_B);
        assert_true(wants_place(A1));
        slot_rest_in(A1, PHASE_FLASHED, NULL);
        pull(A1);
        A1->flashed_back_until_usec = clock_boottime_usec(); /* 10 s later */
        plug(A1, MAC_B);
        assert_true(wants_place(A1));
}

/* The daemon before this one flashed the board with this MAC on A1 and reset it. */
static void was_flashed_and_reset(const char *mac, uint64_t usec_ago)
{
        _cleanup_(freep) char *board = NULL;
        uint64_t now = clock_monotonic_usec();

        assert_true(asprintf(&board, "303a:0009 %s", mac) > 0);
        attempt(line.ledger, slot_a1, 1, VERDICT_FLASHED, NOON,
                &(struct presence_key){ .boot_id = BOOT,
                                        .path = "1-1",
                                        .devnum = 99,
                                        .initialized_usec = 1,
                                        .reset_usec = now - usec_ago,
                                        .board = board });
}

static void test_board_that_the_daemon_before_reset_is_not_flashed_again(void **state)
{
        (void)state;
        was_flashed_and_reset(MAC_A, USEC_PER_SEC);
        plug(A1, MAC_A);
        expect(A1, PHASE_FLASHED, "came back after the reset that followed its flashing");
        pull(A1);
        plug(A1, MAC_B);
        assert_true(wants_place(A1));
}

static void test_reset_of_the_daemon_before_is_about_that_board_and_not_for_ever(void **state)
{
        (void)state;
        was_flashed_and_reset(MAC_A, USEC_PER_SEC);
        plug(A1, MAC_B);
        assert_true(wants_place(A1));
        was_flashed_and_reset(MAC_A, SLOT_BACK_LIMIT + 1);
        slot_free(A2);
        assert_int_equal(slot_new(&line.world, "A3", NULL, "1-1", &line.slots[1]), 0);
        plug(line.slots[1], MAC_A);
        assert_true(wants_place(line.slots[1]));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_board_that_is_back_on_its_port_goes_on),
                TEST(test_board_that_comes_on_another_port_takes_its_job_along),
                TEST(test_board_that_comes_before_its_attempt_is_over_waits_for_that),
                TEST(test_board_that_leaves_while_it_waits_for_its_job_leaves_nothing_behind),
                TEST(test_board_that_comes_where_another_policy_counts_begins_anew),
                TEST(test_released_board_is_back_where_its_policy_has_no_image_any_more),
                TEST(test_board_that_is_back_goes_on_with_the_file_that_it_got),
                TEST(test_board_that_is_back_where_board_data_is_another_folder_begins_anew),
                TEST(test_board_that_is_back_where_board_data_has_another_address_begins_anew),
                TEST(test_board_that_is_back_where_board_data_is_gone_begins_anew),
                TEST(test_board_that_is_back_where_board_data_was_added_begins_anew),
                TEST(test_board_that_comes_on_another_port_where_board_data_is_another_begins_anew),
                TEST(test_another_board_ends_the_job_as_replaced_and_the_record_has_the_right_mac),
                TEST(test_slot_that_flaps_is_held_until_it_is_forgiven),
                TEST(test_board_that_was_not_begun_with_counts_only_if_it_leaves_at_once),
                TEST(test_device_number_that_comes_again_is_not_the_same_stay),
                TEST(test_flashed_board_that_is_back_at_once_is_taken_for_its_application),
                TEST(test_board_that_the_daemon_before_reset_is_not_flashed_again),
                TEST(test_reset_of_the_daemon_before_is_about_that_board_and_not_for_ever),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
