/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of ports in trouble, in the words of several of its versions and as several programs show them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/kernel-log.h"
#include "tests/unit/samples.h"

static struct kernel_log log_;

static int begin(void **state)
{
        (void)state;
        log_ = (struct kernel_log){ 0 };
        return 0;
}

/* ---- vocabulary ---- */

#define SAY(...) say((const char *const[]){ __VA_ARGS__, NULL })
static void say(const char *const *lines)
{
        for (; *lines; lines++)
                kernel_log_feed(&log_, *lines);
}

static const struct kernel_trouble *trouble_at(const char *place)
{
        for (size_t i = 0; i < log_.n_troubles; i++)
                if (streq(log_.troubles[i].place, place))
                        return &log_.troubles[i];
        fail_msg("nothing about %s", place);
        return NULL;
}

static void expect_trouble(const char *place, enum kernel_trouble_kind kind, unsigned count)
{
        assert_int_equal(trouble_at(place)->kind, kind);
        assert_int_equal(trouble_at(place)->count, count);
}

/* ---- stories ---- */

static void test_a_cable_that_is_bad_is_one_trouble_of_its_port(void **state)
{
        (void)state;
        SAY(KERNEL_BAD_CABLE);
        assert_int_equal(log_.n_troubles, 1);
        expect_trouble("1-4", KERNEL_CABLE, 5);
        assert_string_equal(trouble_at("1-4")->text, "usb usb1-port4: unable to enumerate USB device");
}

static void test_ports_of_hubs_have_their_port_paths(void **state)
{
        (void)state;
        SAY("usb usb1-port4: Cannot enable. Maybe the USB cable is bad?",
            "usb 1-4-port2: Cannot enable. Maybe the USB cable is bad?",
            "usb 3-1.2.4-port7: unable to enumerate USB device",
            "hub 1-0:1.0: Cannot enable port 3.  Maybe the USB cable is bad?", /* before Linux 3.9 */
            "hub 1-5:1.0: unable to enumerate USB device on port 2");
        assert_int_equal(log_.n_troubles, 5);
        expect_trouble("1-4", KERNEL_CABLE, 1);
        expect_trouble("1-4.2", KERNEL_CABLE, 1);
        expect_trouble("3-1.2.4.7", KERNEL_CABLE, 1);
        expect_trouble("1-3", KERNEL_CABLE, 1);
        expect_trouble("1-5.2", KERNEL_CABLE, 1);
}

static void test_low_speed_and_no_answer_are_swapped_wires(void **state)
{
        (void)state;
        SAY("usb 1-4: new low-speed USB device number 9 using xhci_hcd",
            "usb 1-4: device descriptor read/64, error -71");
        expect_trouble("1-4", KERNEL_LOW_SPEED, 1);
}

static void test_a_keyboard_is_low_speed_and_no_trouble(void **state)
{
        (void)state;
        SAY("usb 1-4: new low-speed USB device number 9 using xhci_hcd",
            "usb 1-4: New USB device found, idVendor=046d, idProduct=c31c, bcdDevice=64.00",
            "usb 1-4: USB disconnect, device number 9",
            "usb 1-4: new full-speed USB device number 10 using xhci_hcd",
            "usb 1-4: device descriptor read/64, error -71");
        expect_trouble("1-4", KERNEL_CABLE, 1);
}

static void test_a_board_that_was_found_in_the_end_is_no_trouble(void **state)
{
        (void)state;
        SAY("usb 1-4: device descriptor read/64, error -71", "usb 1-5: device descriptor read/64, error -71",
            "usb 1-4: new full-speed USB device number 7 using xhci_hcd",
            "usb 1-4: New USB device found, idVendor=303a, idProduct=0002, bcdDevice= 7.23");
        assert_int_equal(log_.n_troubles, 1);
        expect_trouble("1-5", KERNEL_CABLE, 1);
}

static void test_a_controller_that_is_full_is_named(void **state)
{
        (void)state;
        SAY("xhci_hcd 0000:00:14.0: Not enough host controller resources for new device state.",
            "xhci_hcd 0000:05:00.0: Error while assigning device slot ID: No Slots Available Error",
            "xhci_hcd 0000:05:00.0: Maximum number of devices this xHCI host supports is 32.",
            "xhci_hcd 0000:06:00.0: Not enough bandwidth for new device state.",
            "usb 1-4.1: can't set config #1, error -28");
        expect_trouble("0000:00:14.0", KERNEL_CONTROLLER, 1);
        expect_trouble("0000:05:00.0", KERNEL_CONTROLLER, 2);
        expect_trouble("0000:06:00.0", KERNEL_CONTROLLER, 1);
        expect_trouble("1-4.1", KERNEL_CONTROLLER, 1);
}

static void test_power_is_told_by_its_two_words(void **state)
{
        (void)state;
        SAY("usb usb1-port2: over-current change #1", "usb 1-3: rejected 1 configuration due to insufficient "
                                                      "available bus power");
        expect_trouble("1-2", KERNEL_OVER_CURRENT, 1);
        expect_trouble("1-3", KERNEL_POWER, 1);
}

static void test_lines_are_read_as_every_program_shows_them(void **state)
{
        (void)state;
        SAY("<6>[   12.345678] usb 1-1: device descriptor read/64, error -71",
            "[Fri Nov 27 09:41:00 2026] usb 1-2: device descriptor read/64, error -71",
            "Nov 27 09:41:00 line3 kernel: usb 1-3: device descriptor read/64, error -71",
            "Nov 27 09:41:00 line3 kernel: [   12.3] usb 1-4: device descriptor read/64, error -71");
        assert_int_equal(log_.n_troubles, 4);
        expect_trouble("1-1", KERNEL_CABLE, 1);
        expect_trouble("1-4", KERNEL_CABLE, 1);
}

static void test_what_is_no_port_is_left_alone(void **state)
{
        (void)state;
        SAY("", "usb", "usb ", "usb 1-", "usb 1-4", "usb usb-port4: unable to enumerate USB device",
            "usb usb1-port: unable to enumerate USB device", "usb -4: device descriptor read/64, error -71",
            "usb 1-4.: device descriptor read/64, error -71", "hub 1-0:1.0: Maybe the USB cable is bad",
            "xhci_hcd : Not enough host controller resources", "[ usb 1-4: device descriptor read/64",
            "<usb 1-4: device descriptor read/64",
            "usb 1-4.1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17: device descriptor read/64, error -71",
            "some program says: usb 1-4: device descriptor read/64, error -71");
        assert_int_equal(log_.n_troubles, 0);
}

static void test_a_text_that_would_paint_is_made_printable(void **state)
{
        (void)state;
        SAY("usb 1-4: device descriptor read/64, error \x1b[2J");
        assert_null(strchr(trouble_at("1-4")->text, '\x1b'));
}

static void test_more_ports_than_there_is_room_for_are_dropped(void **state)
{
        char line[128];

        (void)state;
        for (unsigned i = 1; i <= 2 * KERNEL_TROUBLES_MAX; i++) {
                snprintf(line, sizeof(line), "usb 1-%u: device descriptor read/64, error -71", i);
                kernel_log_feed(&log_, line);
        }
        assert_int_equal(log_.n_troubles, KERNEL_TROUBLES_MAX);
        expect_trouble("1-1", KERNEL_CABLE, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
        const struct CMUnitTest tests[] = {
                TEST(test_a_cable_that_is_bad_is_one_trouble_of_its_port),
                TEST(test_ports_of_hubs_have_their_port_paths),
                TEST(test_low_speed_and_no_answer_are_swapped_wires),
                TEST(test_a_keyboard_is_low_speed_and_no_trouble),
                TEST(test_a_board_that_was_found_in_the_end_is_no_trouble),
                TEST(test_a_controller_that_is_full_is_named),
                TEST(test_power_is_told_by_its_two_words),
                TEST(test_lines_are_read_as_every_program_shows_them),
                TEST(test_what_is_no_port_is_left_alone),
                TEST(test_a_text_that_would_paint_is_made_printable),
                TEST(test_more_ports_than_there_is_room_for_are_dropped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
