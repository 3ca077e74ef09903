/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl list and doctor in the bed: what udev, sysfs, files, the kernel's log and the daemon say, as people see it. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/integration/line.h"

static const char gizmo[] = "[slot A1]\n"
                            "port = 1-4.1\n"
                            "[policy gizmo]\n"
                            "chip = esp32s2\n"
                            "image = @s2.bin\n";

static struct line line;

static int begin(void **state)
{
        (void)state;
        line_lay_out(&line, gizmo);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        return 0;
}

/* ---- vocabulary ---- */

static void write_file(const char *name, const char *text)
{
        g_autofree char *path = line_path(&line, name), *dir = g_path_get_dirname(path);

        assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
        assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* A machine where all is installed; the group espdfu is the one that the bed's nodes have. */
static void install(void)
{
        g_autofree char *groups = g_strdup_printf("root:x:0:\nespdfu:x:%u:\n", (unsigned)getegid());

        write_file("root/usr/lib/udev/rules.d/60-espdfu.rules", "# the rule\n");
        write_file("root/usr/lib/systemd/system/espdfud.service", "[Service]\n");
        write_file("root/usr/lib/systemd/system/espdfud.socket", "[Socket]\n");
        write_file("root/etc/group", groups);
        write_file("kernel.log", "");
}

static void give_node_to_group(struct bed_board *board)
{
        g_autofree char *node = bed_path(board, bed_devnode(board));

        assert_int_equal(chmod(node, 0660), 0);
}

/* Runs espdfuctl in the bed. Returns its exit status; *ret_said is what it wrote, to be freed. */
static int inside(char **ret_said, const char *const *arguments)
{
        g_autofree char *socket = line_path(&line, "socket");
        const char *argv[16] = { ESPDFUCTL, "--socket", socket };
        const struct bed_spawn_options options = { .environment = (const char *[]){ "LC_ALL=C", NULL } };
        size_t n = 3;
        struct bed_child *child;
        int status;

        for (size_t i = 0; arguments[i] && n < ARRAY_SIZE(argv) - 1; i++)
                argv[n++] = arguments[i];
        child = bed_spawn(line.bed, argv, &options);
        status = bed_wait_child(child, PATIENCE);
        *ret_said = g_strdup(bed_output(child));
        return status;
}

#define LIST(...) list((const char *const[]){ "list", ##__VA_ARGS__, NULL })
static char *list(const char *const *arguments)
{
        char *said;
        int status = inside(&said, arguments);

        if (status != 0)
                fail_msg("list: exit status %d: %s", status, said);
        return said;
}

/* doctor with the files of install(); where may be NULL. */
static char *doctor(int expected_status, const char *where, bool json)
{
        g_autofree char *root = line_path(&line, "root"), *log = line_path(&line, "kernel.log");
        const char *arguments[] = { "doctor",
                                    "--root",
                                    root,
                                    "--kernel-log",
                                    log,
                                    where  ? where
                                    : json ? "--json"
                                           : NULL,
                                    where && json ? "--json" : NULL,
                                    NULL };
        char *said;
        int status = inside(&said, arguments);

        if (status != expected_status)
                fail_msg("doctor: exit status %d, expected %d: %s", status, expected_status, said);
        return said;
}

static void expect_finding(const char *check, const char *text)
{
        g_autofree char *said = doctor(1, NULL, false), *name = g_strdup_printf("[%s] ", check);

        expect_said(said, name);
        expect_said(said, text);
}

/* ---- list ---- */

static void test_every_espressif_device_is_listed_with_what_it_is(void **state)
{
        const struct rom_config jtag = { .chip = ROM_S3, .pid = 0x1001, .serial = "7C:DF:A1:0B:00:12" };
        const struct rom_config arduino = { .chip = ROM_S2, .manufacturer = "Espressif Systems" };
        /* The DFU interface's class becomes one of its own. */
        const struct rom_config application = {
                .chip = ROM_S2, .pid = 0x4001, .product = "Gizmo", .patch_offset = 80, .patch_to = 0xff
        };
        g_autofree char *said = NULL;

        (void)state;
        plug(&line, "1-4.1", ROM_S2);
        plug_with(&line, "1-4.2",
                  &(struct rom_config){ .chip = ROM_S3,
                                        .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x12 },
                                        .starts_in_dfu_mode = true });
        plug_with(&line, "1-4.3", &jtag);
        plug_with(&line, "1-4.4", &arduino);
        plug_with(&line, "1-4.10", &application);
        said = LIST();
        expect_said(said, "what the station thinks of them is not known: ");
        expect_said(said,
                    "1-4.1   303a:0002  rom              S2    0                  /dev/bus/usb/001/003");
        expect_said(said, "pci-0000:00:14.0-usb-0:4.1");
        expect_said(said,
                    "1-4.2   303a:0009  rom-dfu          S3    7c:df:a1:0b:00:12  /dev/bus/usb/001/004");
        expect_said(said, "1-4.3   303a:1001  serial-jtag      -     7C:DF:A1:0B:00:12");
        expect_said(said, "1-4.4   303a:0002  application-dfu  S2    0");
        expect_said(said, "1-4.10  303a:4001  application      -     0");
        assert_true(strstr(said, "1-4.10") > strstr(said, "1-4.4"));
}

static void test_list_says_what_the_station_thinks(void **state)
{
        g_autofree char *said = NULL, *json = NULL, *one = NULL;
        struct bed_board *board;
        json_t *whole, *device;

        (void)state;
        start_daemon(&line);
        board = plug(&line, "1-4.1", ROM_S2);
        plug(&line, "1-4.2", ROM_S3);
        expect_flashed(&line, "A1", board);
        expect_phase(&line, "1-4.2", PHASE_NO_POLICY);
        said = LIST();
        expect_said(said, "A1     flashed");
        expect_said(said, "1-4.2  no policy");
        one = LIST("A1");
        expect_said(one, "1-4.1");
        assert_null(strstr(one, "1-4.2"));
        {
                g_autofree char *rows = LIST("--noheadings", "--output", "mode,port");

                assert_string_equal(rows, "rom-dfu  1-4.1\nrom      1-4.2\n");
        }
        json = LIST("--json", "1-4.2");
        whole = json_loads(json, 0, NULL);
        assert_true(json_is_true(json_object_get(whole, "daemon")));
        assert_int_equal(json_array_size(json_object_get(whole, "devices")), 1);
        device = json_array_get(json_object_get(whole, "devices"), 0);
        assert_string_equal(json_string_value(json_object_get(device, "id")), "303a:0009");
        assert_string_equal(json_string_value(json_object_get(device, "mode")), "rom");
        assert_string_equal(json_string_value(json_object_get(device, "chip")), "esp32s3");
        assert_string_equal(json_string_value(json_object_get(device, "phase")), "no-policy");
        assert_true(json_is_true(json_object_get(device, "tagged")));
        json_decref(whole);
}

static void test_list_of_what_is_not_there(void **state)
{
        g_autofree char *none = NULL, *unknown = NULL, *nobody = NULL;

        (void)state;
        none = LIST();
        expect_said(none, "No device of Espressif's (303a:*) on any USB port: see espdfuctl doctor.");
        assert_int_equal(inside(&nobody, (const char *[]){ "list", "A1", NULL }), 1);
        expect_said(nobody,
                    "espdfuctl: A1: no Espressif device is at this port or path, and no espdfud answers "
                    "that knows slots");
        start_daemon(&line);
        assert_int_equal(inside(&unknown, (const char *[]){ "list", "Z9", NULL }), 1);
        expect_said(unknown,
                    "espdfuctl: Z9: no Espressif device is at this port or path, and no slot has this name");
        g_free(LIST("A1"));
}

/* ---- doctor ---- */

static void test_doctor_finds_nothing_where_all_is_right(void **state)
{
        g_autofree char *said = NULL, *slot = NULL;
        struct bed_board *board;

        (void)state;
        install();
        start_daemon(&line);
        board = plug(&line, "1-4.1", ROM_S2);
        expect_flashed(&line, "A1", board);
        bed_set_property(board, "ID_MM_DEVICE_IGNORE", "1");
        give_node_to_group(board);
        said = doctor(0, NULL, false);
        assert_string_equal(said, "0 errors, 0 warnings, 0 hints; 1 device, espdfud answers\n");
        slot = doctor(0, "A1", false);
        assert_string_equal(slot, said);
}

static void test_doctor_sees_what_udev_did_not_do(void **state)
{
        const struct rom_config s2 = { .chip = ROM_S2 };
        struct bed_board *board;

        (void)state;
        install();
        board = plug_with(&line, "1-4.1", &s2);
        give_node_to_group(board);
        bed_pull(board);
        bed_set_property(board, "TAGS", NULL);
        bed_set_property(board, "ID_PATH", NULL);
        bed_replug(board, NULL);
        give_node_to_group(board);
        expect_finding("rule-not-applied", "udev has no tag espdfu and no ID_PATH for it");
        {
                g_autofree char *node = bed_path(board, bed_devnode(board));

                assert_int_equal(chmod(node, 0600), 0);
        }
        expect_finding("node-rights", " 0600");
        bed_set_attribute(board, "power/control", "auto");
        expect_finding("autosuspend", "echo on | sudo tee /sys/bus/usb/devices/1-4.1/power/control");
        write_file("root/proc/4711/comm", "ModemManager\n");
        expect_finding("modem-manager", "ModemManager runs");
}

static void test_doctor_sees_what_is_not_installed(void **state)
{
        g_autofree char *rule = line_path(&line, "root/usr/lib/udev/rules.d/60-espdfu.rules"),
                        *mask = line_path(&line, "root/etc/systemd/system/espdfud.service"),
                        *rule_mask = line_path(&line, "root/etc/udev/rules.d/60-espdfu.rules");

        (void)state;
        install();
        expect_finding("daemon-absent", "/socket: No such file or directory");
        assert_int_equal(unlink(rule), 0);
        expect_finding("rule-missing", "sudo apt install --reinstall espdfu");
        write_file("root/etc/udev/rules.d/60-espdfu.rules", "");
        expect_finding("rule-masked", rule_mask);
        write_file("root/etc/systemd/system/other", "");
        assert_int_equal(symlink("/dev/null", mask), 0);
        expect_finding("service-masked", "espdfud.service is masked");
        write_file("root/etc/group", "root:x:0:\n");
        expect_finding("group-missing", "sudo systemd-sysusers");
}

static void test_doctor_reads_the_kernels_log(void **state)
{
        g_autofree char *one = NULL, *other = NULL;

        (void)state;
        install();
        write_file("kernel.log", "[   95.1] usb 1-4.1: new low-speed USB device number 9 using xhci_hcd\n"
                                 "[   95.2] usb 1-4.1: device descriptor read/64, error -71\n"
                                 "[   96.2] usb 1-4-port2: Cannot enable. Maybe the USB cable is bad?\n");
        expect_finding("wires-swapped", "1-4.1: D+ and D- are swapped");
        expect_finding("cable-bad", "1-4.2: A device is plugged in that does not answer");
        one = doctor(1, "1-4.2", false);
        expect_said(one, "[cable-bad]");
        assert_null(strstr(one, "[wires-swapped]"));
        write_file("root/kernel.log", "");
        other = line_path(&line, "none");
        {
                g_autofree char *said = NULL, *wanted = NULL;

                assert_int_equal(inside(&said, (const char *[]){ "doctor", "--kernel-log", other, NULL }), 1);
                wanted = g_strdup_printf("--kernel-log %s: No such file or directory: expected what dmesg or "
                                         "journalctl -k wrote",
                                         other);
                expect_said(said, wanted);
        }
}

static void test_doctor_asks_the_station(void **state)
{
        g_autofree char *said = NULL, *unknown = NULL;
        json_t *json;

        (void)state;
        install();
        start_daemon(&line);
        expect_ctl(&line, "", (const char *[]){ "hold", "--reason", "new jig", NULL });
        plug(&line, "1-4.1", ROM_S2);
        expect_phase(&line, "A1", PHASE_HELD);
        expect_finding("station-held", ": new jig");
        expect_ctl(&line, "", (const char *[]){ "release", NULL });
        plug(&line, "1-4.2", ROM_S3);
        expect_phase(&line, "1-4.2", PHASE_NO_POLICY);
        expect_finding("no-policy", "espdfuctl explain 1-4.2");
        said = doctor(1, "A7", true);
        expect_said(said,
                    "doctor: A7: no slot has this name, and no device is there: expected a slot, a port path "
                    "such as 1-4.1, or an ID_PATH");
        unknown = doctor(1, "1-4.2", true);
        json = json_loads(unknown, 0, NULL);
        assert_non_null(json);
        assert_true(json_integer_value(json_object_get(json, "errors")) > 0);
        assert_true(json_is_true(json_object_get(json, "daemon")));
        json_decref(json);
}

static void test_doctor_is_told_nonsense(void **state)
{
        g_autofree char *said = NULL;

        (void)state;
        install();
        write_file("socket", "this is no socket\n");
        expect_finding("daemon-absent", "Connection refused");
        assert_int_equal(inside(&said, (const char *[]){ "doctor", "--colour", NULL }), 2);
        expect_said(said, "doctor: --colour is not understood: see espdfuctl doctor --help");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_every_espressif_device_is_listed_with_what_it_is),
                TEST(test_list_says_what_the_station_thinks),
                TEST(test_list_of_what_is_not_there),
                TEST(test_doctor_finds_nothing_where_all_is_right),
                TEST(test_doctor_sees_what_udev_did_not_do),
                TEST(test_doctor_sees_what_is_not_installed),
                TEST(test_doctor_reads_the_kernels_log),
                TEST(test_doctor_asks_the_station),
                TEST(test_doctor_is_told_nonsense),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
