/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real bridge between a real ledger and a real Mosquitto: what arrives, and that nothing is lost whatever goes wrong. */
#include "tests/fleet/bridge-bed.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"

static void begin(const char *extra)
{
        start_broker(false);
        start_station();
        configure_bridge(extra);
        start_bridge();
        start_collector();
}

static void test_records_arrive_in_order_and_are_acknowledged(void **state)
{
        (void)state;
        begin("");
        tell_station("record 100");
        expect_all_delivered(100);
        assert_int_equal(collector.n_messages, 100); /* each once: nothing went wrong */
        tell_station("record 1");
        expect_all_delivered(101);
        stop_bridge();
        collect_until(strstr(collector.online, "\"online\":false"));
        assert_non_null(strstr(collector.online, "espdfu-mqtt was stopped"));
        tell_station("record 10");
        start_bridge();
        expect_all_delivered(111);
        assert_int_equal(collector.n_messages, 111);
        assert_non_null(strstr(collector.online, "\"online\":true"));
        stop_bridge();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_records_arrive_in_order_and_are_acknowledged,
                                                fleet_setup, fleet_teardown),
        };

        return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
