/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/admission.h"

#define USERS 40

/* A house where users come one by one: each has a rank, and takes as many places as it is given. */
struct house {
        struct admission_counts counts;
        size_t of_user[USERS];
};

static const uint64_t plenty = 4096;

static bool come(struct house *house, unsigned user, enum admission_rank rank)
{
        struct admission_counts counts = house->counts;

        counts.of_user = house->of_user[user];
        if (admission_refuses(rank, &counts, 40, plenty))
                return false;
        house->of_user[user]++;
        house->counts.of_rank[rank]++;
        return true;
}

static size_t come_all(struct house *house, unsigned user, enum admission_rank rank)
{
        size_t n = 0;

        while (come(house, user, rank))
                n++;
        return n;
}

static void test_one_user_has_sixteen_and_root_more(void **state)
{
        struct house house = { 0 };

        (void)state;
        assert_int_equal(come_all(&house, 0, ADMISSION_LOOKS), 16);
        assert_int_equal(come_all(&house, 1, ADMISSION_ACTS), 16);
        assert_int_equal(come_all(&house, 2, ADMISSION_ROOT), 32);
        assert_true(come(&house, 3, ADMISSION_LOOKS));
}

static void test_four_users_with_all_of_theirs_leave_some_for_others(void **state)
{
        struct house house = { 0 };

        (void)state;
        for (unsigned user = 0; user < 4; user++)
                assert_int_equal(come_all(&house, user, ADMISSION_LOOKS), 16);
        for (unsigned user = 4; user < 8; user++)
                assert_int_equal(come_all(&house, user, ADMISSION_LOOKS), 4);
        assert_false(come(&house, 8, ADMISSION_LOOKS));
}

static void test_however_many_look_the_group_and_root_find_a_place(void **state)
{
        struct house house = { 0 };

        (void)state;
        for (unsigned user = 0; user < 20; user++)
                come_all(&house, user, ADMISSION_LOOKS);
        assert_int_equal(come_all(&house, 20, ADMISSION_ACTS), 4);
        assert_int_equal(come_all(&house, 21, ADMISSION_ACTS), 4);
        assert_int_equal(come_all(&house, 22, ADMISSION_ACTS), 4);
        assert_false(come(&house, 23, ADMISSION_ACTS));
        assert_int_equal(come_all(&house, 24, ADMISSION_ROOT), 4);
        assert_int_equal(house.counts.of_rank[ADMISSION_LOOKS] + house.counts.of_rank[ADMISSION_ACTS] +
                                 house.counts.of_rank[ADMISSION_ROOT],
                         ADMISSION_CONNECTIONS_MAX);
}

static void test_there_are_never_more_than_there_are_places(void **state)
{
        struct house house = { 0 };

        (void)state;
        come_all(&house, 0, ADMISSION_ROOT);
        for (unsigned user = 1; user < 20; user++)
                come_all(&house, user, ADMISSION_ACTS);
        for (unsigned user = 20; user < USERS; user++)
                come_all(&house, user, ADMISSION_LOOKS);
        assert_int_equal(house.counts.of_rank[ADMISSION_LOOKS] + house.counts.of_rank[ADMISSION_ACTS] +
                                 house.counts.of_rank[ADMISSION_ROOT],
                         ADMISSION_CONNECTIONS_MAX);
}

/* The first descriptor that a rank is not given. */
static unsigned stops_at(enum admission_rank rank, uint64_t limit)
{
        const struct admission_counts nobody = { 0 };
        int fd = 0;

        while (!admission_refuses(rank, &nobody, fd, limit))
                fd++;
        return (unsigned)fd;
}

static void test_boards_find_descriptors_when_clients_find_none(void **state)
{
        (void)state;
        assert_int_equal(stops_at(ADMISSION_LOOKS, 1024), 960);
        assert_int_equal(stops_at(ADMISSION_ACTS, 1024), 976);
        assert_int_equal(stops_at(ADMISSION_ROOT, 1024), 984);
        assert_int_equal(stops_at(ADMISSION_LOOKS, 64), 48);
        assert_true(stops_at(ADMISSION_ACTS, 64) > stops_at(ADMISSION_LOOKS, 64));
        assert_true(stops_at(ADMISSION_ROOT, 64) > stops_at(ADMISSION_ACTS, 64));
        assert_true(stops_at(ADMISSION_ROOT, 64) < 60);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_user_has_sixteen_and_root_more),
                cmocka_unit_test(test_four_users_with_all_of_theirs_leave_some_for_others),
                cmocka_unit_test(test_however_many_look_the_group_and_root_find_a_place),
                cmocka_unit_test(test_there_are_never_more_than_there_are_places),
                cmocka_unit_test(test_boards_find_descriptors_when_clients_find_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
