/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bounds of what the ledger keeps in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "daemon/ledger-index.h"

#define BOOT "0123456789abcdef0123456789abcdef"

static void path_of(unsigned port, char *ret, size_t size)
{
        snprintf(ret, size, "pci-usb-0:%u", port);
}

static void put_presence(struct ledger_index *index, unsigned port, uint64_t initialized_usec)
{
        struct ledger_presence *presence = calloc(1, sizeof(*presence));
        char path[32];

        path_of(port, path, sizeof(path));
        assert_non_null(presence);
        presence->boot_id = strdup(BOOT);
        presence->path = strdup(path);
        presence->initialized_usec = initialized_usec;
        presence->verdict = VERDICT_FLASHED;
        ledger_index_put_presence(index, presence);
}

static bool has_presence(const struct ledger_index *index, unsigned port, uint64_t initialized_usec)
{
        char path[32];

        path_of(port, path, sizeof(path));
        return ledger_index_presence(index, &(struct presence_key){ BOOT, path, 0, initialized_usec });
}

static void test_oldest_presence_goes_first_when_ports_have_no_end(void **state)
{
        struct ledger_index index = { 0 };

        (void)state;
        /* Port 7 has the oldest, port 8 the next. */
        for (unsigned port = 0; port < LEDGER_PRESENCES_MAX; port++)
                put_presence(&index, port, port == 7 ? 1 : port == 8 ? 2 : 1000 + port);
        assert_true(has_presence(&index, 7, 1));
        put_presence(&index, LEDGER_PRESENCES_MAX, 9000);
        assert_int_equal(index.n_presences, LEDGER_PRESENCES_MAX);
        assert_false(has_presence(&index, 7, 1));
        assert_true(has_presence(&index, 8, 2));
        assert_true(has_presence(&index, LEDGER_PRESENCES_MAX, 9000));
        /* A port that is known takes no place of another. */
        put_presence(&index, 9, 9001);
        assert_int_equal(index.n_presences, LEDGER_PRESENCES_MAX);
        assert_true(has_presence(&index, 8, 2));
        assert_true(has_presence(&index, 9, 9001));
        ledger_index_done(&index);
}

static void put_last(struct ledger_index *index, const char *path, const char *port, int64_t sequence)
{
        struct ledger_last *last = calloc(1, sizeof(*last));

        assert_non_null(last);
        last->record.slot = strdup("A1");
        last->record.path = path ? strdup(path) : NULL;
        last->record.port = strdup(port);
        last->record.sequence = sequence;
        ledger_index_put_last(index, last);
}

static void put_last_at(struct ledger_index *index, unsigned port, int64_t sequence)
{
        char path[32];

        path_of(port, path, sizeof(path));
        put_last(index, path, "1-1", sequence);
}

static int64_t last_at(const struct ledger_index *index, unsigned port)
{
        const struct attempt_record *last;
        char path[32];

        path_of(port, path, sizeof(path));
        last = ledger_index_last(index, path, NULL);
        return last ? last->sequence : 0;
}

static void test_port_that_is_quiet_longest_goes_first_when_ports_have_no_end(void **state)
{
        struct ledger_index index = { 0 };

        (void)state;
        for (unsigned port = 0; port < LEDGER_PORTS_MAX; port++)
                put_last_at(&index, port, port + 1);
        put_last_at(&index, 0, 5000); /* it was quiet longest until now */
        put_last_at(&index, LEDGER_PORTS_MAX, 5001);
        assert_int_equal(index.n_lasts, LEDGER_PORTS_MAX);
        assert_int_equal(last_at(&index, 0), 5000);
        assert_int_equal(last_at(&index, 1), 0);
        assert_int_equal(last_at(&index, 2), 3);
        ledger_index_done(&index);
}

static void test_last_attempt_is_the_ports_by_whichever_name_both_know(void **state)
{
        struct ledger_index index = { 0 };

        (void)state;
        put_last(&index, "pci-usb-0:4", "1-4", 1);
        put_last(&index, "pci-usb-0:5", "1-4", 2); /* bus numbers moved with a reboot */
        put_last(&index, NULL, "2-7", 3);
        assert_int_equal(ledger_index_last(&index, "pci-usb-0:4", "1-4")->sequence, 1);
        assert_int_equal(ledger_index_last(&index, "pci-usb-0:5", "9-9")->sequence, 2);
        assert_int_equal(ledger_index_last(&index, NULL, "1-4")->sequence, 2);
        assert_int_equal(ledger_index_last(&index, "pci-usb-0:7", "2-7")->sequence, 3);
        assert_null(ledger_index_last(&index, "pci-usb-0:6", "1-4"));
        assert_null(ledger_index_last(&index, NULL, NULL));
        ledger_index_done(&index);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_oldest_presence_goes_first_when_ports_have_no_end),
                cmocka_unit_test(test_port_that_is_quiet_longest_goes_first_when_ports_have_no_end),
                cmocka_unit_test(test_last_attempt_is_the_ports_by_whichever_name_both_know),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
