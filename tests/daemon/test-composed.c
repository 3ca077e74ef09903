/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images with one board's data in them: bounded in number and bytes, and one in each turn of the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/composed.h"
#include "io/sealed.h"
#include "tests/unit/fixtures.h"

static sd_event *event;
static struct image_copy base;

static int setup(void **state)
{
        _cleanup_(bytes_done) struct bytes bytes = fixture_board_image(chip_by_name("esp32s2"));
        _cleanup_(findings_done) struct findings findings = { 0 };

        (void)state;
        assert_int_equal(sd_event_new(&event), 0);
        base = (struct image_copy){ .references = 1, .fd = sealed_memfd("test", bytes.data, bytes.len) };
        assert_return_code(base.fd, errno);
        assert_int_equal(image_parse(bytes.data, bytes.len, &findings, &base.image), 0);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        image_free(base.image);
        close(base.fd);
        event = sd_event_unref(event);
        return 0;
}

static int on_turn(sd_event_source *source, void *userdata)
{
        (void)source, (void)userdata;
        return 0;
}

static void next_turn(void)
{
        sd_event_source *source = NULL;

        assert_return_code(sd_event_add_defer(event, &source, on_turn, NULL), errno);
        assert_true(sd_event_run(event, 30 * USEC_PER_SEC) > 0);
        sd_event_source_disable_unref(source);
}

static int make(struct composed_store *store, struct composed **ret, char **why)
{
        static const uint8_t data[100] = "serial 1";

        return composed_make(store, event, &base, 0x9000, data, sizeof(data), ret, why);
}

static void test_it_is_counted_as_long_as_it_is_there(void **state)
{
        struct composed_store store = { 0 };
        struct composed *composed = NULL;
        char *why = NULL;
        struct stat st;

        (void)state;
        next_turn();
        assert_int_equal(make(&store, &composed, &why), 0);
        assert_int_equal(store.n, 1);
        assert_int_equal(store.bytes, composed->len);
        assert_return_code(fstat(composed->fd, &st), errno);
        assert_int_equal(st.st_size, composed->len);
        assert_int_equal(write(composed->fd, "x", 1), -1); /* sealed */
        composed_free(composed);
        assert_int_equal(store.n, 0);
        assert_int_equal(store.bytes, 0);
}

static void test_one_is_made_in_each_turn_of_the_loop(void **state)
{
        struct composed_store store = { 0 };
        struct composed *first = NULL, *second = NULL;
        char *why = NULL;

        (void)state;
        next_turn();
        assert_int_equal(make(&store, &first, &why), 0);
        assert_int_equal(make(&store, &second, &why), COMPOSED_LATER);
        assert_null(second);
        next_turn();
        assert_int_equal(make(&store, &second, &why), 0);
        composed_free(first);
        composed_free(second);
}

static void test_beyond_the_bounds_it_has_to_wait_and_says_for_what(void **state)
{
        struct composed_store many = { .n = COMPOSED_MAX }, large = { .n = 3, .bytes = COMPOSED_BYTES_MAX };
        _cleanup_(freep) char *why = NULL, *why_large = NULL;
        struct composed *composed = NULL;

        (void)state;
        assert_int_equal(make(&many, &composed, &why), COMPOSED_FULL);
        assert_string_equal(why,
                            "waits: 512 images with board data are in memory (0 MiB): expected at most 512 "
                            "and 512 MiB");
        assert_true(many.wanted);
        assert_int_equal(make(&large, &composed, &why_large), COMPOSED_FULL);
        assert_string_equal(why_large,
                            "waits: 3 images with board data are in memory (512 MiB): expected at most "
                            "512 and 512 MiB");
        assert_null(composed);
}

static void test_data_that_does_not_go_in_is_refused_with_its_reason(void **state)
{
        static const uint8_t data[100];
        struct composed_store store = { 0 };
        struct composed *composed = NULL;
        _cleanup_(freep) char *why = NULL;

        (void)state;
        assert_int_equal(composed_make(&store, event, &base, 0xa000, data, sizeof(data), &composed, &why),
                         COMPOSED_REFUSED);
        assert_string_equal(why,
                            "no partition of the image begins at 0xa000: expected a data partition's: nvs "
                            "at 0x9000");
        assert_int_equal(store.n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_it_is_counted_as_long_as_it_is_there),
                TEST(test_one_is_made_in_each_turn_of_the_loop),
                TEST(test_beyond_the_bounds_it_has_to_wait_and_says_for_what),
                TEST(test_data_that_does_not_go_in_is_refused_with_its_reason),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
