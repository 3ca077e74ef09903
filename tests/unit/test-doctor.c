/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is wrong by which facts: each check alone finds what is its own, and nothing where all is right. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/doctor.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

/* A station where nothing is wrong: one ESP32-S2 in its slot, flashed. Each test spoils it. */
static struct device device;
static struct slot_status slot;
static struct policy_status policy;
static struct station_status station;
static struct kernel_log kernel_log;
static struct doctor_facts facts;

static int begin(void **state)
{
        (void)state;
        device = (struct device){
                .port = TEXT("1-4.1"),
                .path = TEXT("pci-0000:00:14.0-usb-0:4.1"),
                .node = TEXT("/dev/bus/usb/001/007"),
                .owner = TEXT("root"),
                .group = TEXT("espdfu"),
                .serial = TEXT("0"),
                .manufacturer = TEXT("Espressif"),
                .product = TEXT("ESP32-S2"),
                .power_control = TEXT("on"),
                .ids = { 0x303a, 0x0002, 0x0723 },
                .mode = DEVICE_ROM,
                .gid = 991,
                .rights = 0660,
                .may_open = true,
                .group_may = true,
                .tagged = true,
                .mm_ignored = true,
        };
        slot = (struct slot_status){ .slot = TEXT("A1"),
                                     .port = TEXT("1-4.1"),
                                     .path = TEXT("pci-0000:00:14.0-usb-0:4.1"),
                                     .policy = TEXT("gizmo"),
                                     .phase = PHASE_FLASHED };
        policy = (struct policy_status){ .name = TEXT("gizmo") };
        station = (struct station_status){
                .slots = &slot, .n_slots = 1, .policies = &policy, .n_policies = 1
        };
        kernel_log = (struct kernel_log){ 0 };
        facts = (struct doctor_facts){
                .user = "joe",
                .group_exists = true,
                .group_gid = 991,
                .user_in_group = true,
                .session_in_group = true,
                .rule_path = "/usr/lib/udev/rules.d/60-espdfu.rules",
                .modem_manager_runs = true,
                .kernel_log_readable = true,
                .kernel_log = &kernel_log,
                .devices = &device,
                .n_devices = 1,
                .station = &station,
        };
        return 0;
}

/* ---- vocabulary ---- */

static void expect_nothing(void)
{
        struct diagnoses found;

        assert_int_equal(doctor_examine(&facts, &found), 0);
        if (found.n_items > 0)
                fail_msg("found %s: %s", found.items[0].check->name, found.items[0].what);
        diagnoses_done(&found);
}

/* This, and nothing else; where may be NULL. */
static void expect_only(const char *check, const char *where, const char *what, const char *command)
{
        struct diagnoses found;

        assert_int_equal(doctor_examine(&facts, &found), 0);
        if (found.n_items == 0)
                fail_msg("nothing was found: expected %s", check);
        assert_string_equal(found.items[0].check->name, check);
        if (found.n_items > 1)
                fail_msg("beside %s there is %s: %s", check, found.items[1].check->name, found.items[1].what);
        assert_true(streq_ptr(found.items[0].where, where));
        assert_string_equal(found.items[0].what, what);
        assert_string_equal(found.items[0].command, command);
        diagnoses_done(&found);
}

#define APPLY                                                                                                \
        "sudo udevadm control --reload && "                                                                  \
        "sudo udevadm trigger --action=add --subsystem-match=usb --attr-match=idVendor=303a"

static void no_daemon(void)
{
        facts.daemon = DOCTOR_DAEMON_ABSENT;
        facts.daemon_fault = "/run/espdfu/io.espdfu.Station1: Connection refused";
        facts.station = NULL;
}

/* ---- the machine ---- */

static void test_a_station_where_all_is_right_has_no_finding(void **state)
{
        (void)state;
        expect_nothing();
        facts.where = "A1";
        expect_nothing();
        facts.where = "1-4.1";
        expect_nothing();
}

static void test_rule_that_is_missing(void **state)
{
        (void)state;
        facts.rule = DOCTOR_FILE_ABSENT;
        expect_nothing(); /* a device has its tag: the rule goes by another name */
        device.tagged = false;
        device.ids.pid = 0x4001; /* and is not for this one */
        device.mode = DEVICE_ROM;
        expect_only("rule-missing", NULL, "no udev rule of espdfu's is in any of udev's directories",
                    "sudo apt install --reinstall espdfu");
}

static void test_rule_that_is_masked(void **state)
{
        (void)state;
        facts.rule = DOCTOR_FILE_MASKED;
        facts.rule_path = "/etc/udev/rules.d/60-espdfu.rules";
        expect_only("rule-masked", NULL, "/etc/udev/rules.d/60-espdfu.rules masks the rule",
                    "sudo rm /etc/udev/rules.d/60-espdfu.rules && " APPLY);
}

static void test_rule_that_was_not_applied_to_a_board(void **state)
{
        (void)state;
        device.tagged = false;
        expect_only("rule-not-applied", "A1", "udev has no tag espdfu for it", APPLY);
        device.path = NULL;
        expect_only("rule-not-applied", "A1", "udev has no tag espdfu and no ID_PATH for it", APPLY);
        device.tagged = true;
        expect_only("rule-not-applied", "A1", "udev has no ID_PATH for it", APPLY);
}

static void test_group_that_is_missing(void **state)
{
        (void)state;
        facts.group_exists = facts.user_in_group = facts.session_in_group = false;
        expect_only("group-missing", NULL, "no group of this name: the rule cannot give boards to it",
                    "sudo systemd-sysusers");
}

static void test_user_who_is_not_in_the_group(void **state)
{
        (void)state;
        facts.user_in_group = facts.session_in_group = false;
        expect_only("not-in-group", NULL,
                    "user joe is not in the group espdfu; it counts from the next login on",
                    "sudo usermod -aG espdfu joe");
        facts.user_in_group = true;
        expect_only("group-not-in-session", NULL, "user joe is in the group espdfu, this login is not",
                    "newgrp espdfu");
        facts.user_is_root = true;
        expect_nothing();
}

static void test_node_that_is_not_for_the_group(void **state)
{
        (void)state;
        device.gid = 0;
        device.group = TEXT("root");
        device.rights = 0664;
        expect_only("node-rights", "A1", "/dev/bus/usb/001/007 is root:root 0664", APPLY);
        device.gid = 991;
        device.group = TEXT("espdfu");
        device.rights = 0600;
        device.group_may = false;
        expect_only("node-rights", "A1", "/dev/bus/usb/001/007 is root:espdfu 0600", APPLY);
        device.owner = NULL;
        expect_only("node-rights", "A1", "there is no node /dev/bus/usb/001/007", APPLY);
}

/* ---- the cable ---- */

static void say(const char *line)
{
        kernel_log_feed(&kernel_log, line);
}

static void test_cables_and_wires_by_the_kernels_log(void **state)
{
        (void)state;
        say("usb 1-4.2: device descriptor read/64, error -71");
        expect_only("cable-bad", "1-4.2",
                    "the kernel says: usb 1-4.2: device descriptor read/64, error -71 (1 line)",
                    "sudo dmesg --follow");
        kernel_log = (struct kernel_log){ 0 };
        say("usb 1-4.2: new low-speed USB device number 9 using xhci_hcd");
        say("usb 1-4.2: device descriptor read/64, error -71");
        say("usb 1-4-port2: Cannot enable. Maybe the USB cable is bad?");
        expect_only("wires-swapped", "1-4.2",
                    "the kernel says: usb 1-4-port2: Cannot enable. Maybe the USB cable is bad? (2 lines)",
                    "sudo dmesg --follow");
}

static void test_ports_without_power_by_the_kernels_log(void **state)
{
        (void)state;
        say("usb usb1-port2: over-current change #1");
        expect_only("over-current", "1-2", "the kernel says: usb usb1-port2: over-current change #1 (1 line)",
                    "sudo dmesg --follow");
        kernel_log = (struct kernel_log){ 0 };
        say("usb 1-3: rejected 1 configuration due to insufficient available bus power");
        expect_only(
                "power-short", "1-3",
                "the kernel says: usb 1-3: rejected 1 configuration due to insufficient available bus power "
                "(1 line)",
                "lsusb -t");
}

static void test_a_controller_that_is_full_is_told_whatever_was_asked(void **state)
{
        static const char what[] =
                "the kernel says: xhci_hcd 0000:00:14.0: Not enough host controller resources for new device "
                "state.";

        (void)state;
        say("xhci_hcd 0000:00:14.0: Not enough host controller resources for new device state.");
        expect_only("controller-full", "0000:00:14.0", what, "lsusb -t");
        facts.where = "A1";
        expect_only("controller-full", "0000:00:14.0", what, "lsusb -t");
}

static void test_a_log_that_may_not_be_read_is_a_hint(void **state)
{
        struct diagnoses found;

        (void)state;
        facts.kernel_log_readable = false;
        expect_only("kernel-log-closed", NULL, "what it says of cables and controllers is not known",
                    "sudo espdfuctl doctor");
        assert_int_equal(doctor_examine(&facts, &found), 0);
        assert_int_equal(found.n_by_severity[DOCTOR_HINT], 1);
        assert_int_equal(found.n_by_severity[DOCTOR_WARNING] + found.n_by_severity[DOCTOR_ERROR], 0);
        diagnoses_done(&found);
}

/* ---- the board ---- */

static void test_no_board_at_all_is_a_hint_and_one_that_was_asked_for_an_error(void **state)
{
        (void)state;
        facts.n_devices = 0;
        slot.phase = PHASE_EMPTY;
        expect_only("no-board", NULL, "no device of Espressif's is on any port", "espdfuctl list");
        facts.where = "A1";
        expect_only("port-empty", "A1", "no device of Espressif's is there", "espdfuctl list");
        facts.where = "1-4.7";
        expect_only("port-empty", "1-4.7", "no device of Espressif's is there", "espdfuctl list");
        no_daemon();
        facts.where = "A1"; /* nobody knows where that is */
        expect_only("daemon-absent", NULL, facts.daemon_fault,
                    "sudo systemctl start espdfud.socket espdfud.service");
}

static void test_chip_that_shows_its_serial_jtag(void **state)
{
        (void)state;
        device.mode = DEVICE_SERIAL_JTAG;
        device.ids.pid = 0x1001;
        device.serial = TEXT("7C:DF:A1:0B:00:12");
        expect_only("serial-jtag", "A1",
                    "303a:1001 7C:DF:A1:0B:00:12: an application runs, or DFU is switched off",
                    "espefuse.py --port /dev/ttyACM0 summary");
}

static void test_board_that_runs_an_application(void **state)
{
        (void)state;
        device.mode = DEVICE_APPLICATION;
        device.ids.pid = 0x4001;
        device.product = TEXT("Gizmo");
        expect_only("in-application", "A1", "303a:4001 Gizmo has no DFU interface", "espdfuctl list");
}

static void test_application_that_looks_like_the_rom(void **state)
{
        (void)state;
        device.mode = DEVICE_APPLICATION_DFU;
        device.manufacturer = TEXT("Espressif Systems");
        expect_nothing(); /* a policy takes it as it is */
        slot.policy = NULL;
        slot.phase = PHASE_NO_POLICY;
        facts.station = NULL;
        expect_only("application-with-dfu", "1-4.1",
                    "303a:0002 by Espressif Systems, serial 0: not the ROM's", "espdfuctl explain 1-4.1");
}

static void test_device_whose_descriptors_make_no_sense(void **state)
{
        (void)state;
        device.mode = DEVICE_UNREADABLE;
        expect_only("unreadable", "A1", "its descriptors cannot be read, or contradict themselves",
                    "sudo dmesg --follow");
}

static void test_modem_manager_at_work(void **state)
{
        (void)state;
        device.mm_ignored = false;
        expect_only("modem-manager", "A1", "ModemManager runs, and the device is not to be ignored by it",
                    APPLY);
        facts.modem_manager_runs = false;
        expect_nothing();
}

static void test_board_that_may_be_put_to_sleep(void **state)
{
        (void)state;
        device.power_control = TEXT("auto");
        expect_only("autosuspend", "A1", "power/control is auto",
                    "echo on | sudo tee /sys/bus/usb/devices/1-4.1/power/control");
}

/* ---- the station ---- */

static void test_daemon_that_does_not_run_or_is_masked_or_not_installed(void **state)
{
        static const char start[] = "sudo systemctl start espdfud.socket espdfud.service";

        (void)state;
        no_daemon();
        expect_only("daemon-absent", NULL, facts.daemon_fault, start);
        facts.service = DOCTOR_FILE_MASKED;
        expect_only("service-masked", NULL, "espdfud.service is masked: nothing starts the station",
                    "sudo systemctl unmask espdfud.service espdfud.socket && "
                    "sudo systemctl start espdfud.socket espdfud.service");
        facts.socket_unit = DOCTOR_FILE_MASKED;
        expect_only("service-masked", NULL,
                    "espdfud.service and espdfud.socket are masked: nothing starts the station",
                    "sudo systemctl unmask espdfud.service espdfud.socket && "
                    "sudo systemctl start espdfud.socket espdfud.service");
        facts.service = facts.socket_unit = DOCTOR_FILE_ABSENT;
        expect_only("service-not-installed", NULL, "no such unit is in any of systemd's directories",
                    "sudo apt install --reinstall espdfu");
}

static void test_daemon_that_refuses_or_says_nothing(void **state)
{
        (void)state;
        no_daemon();
        facts.daemon = DOCTOR_DAEMON_REFUSES;
        expect_only("daemon-refuses", NULL, facts.daemon_fault,
                    "sudo systemctl restart espdfud.socket espdfud.service");
        facts.daemon = DOCTOR_DAEMON_SILENT;
        expect_only("daemon-silent", NULL, facts.daemon_fault, "journalctl -u espdfud -b -e");
}

static void test_trouble_of_the_whole_station(void **state)
{
        (void)state;
        station.config_error = TEXT("line3.conf:14: attempts = 0: expected 1 to 20");
        expect_only("config-refused", NULL, station.config_error,
                    "espdfuctl config check && sudo espdfuctl reload");
        station.config_error = NULL;
        station.ledger_trouble = TEXT("ledger: disk full");
        expect_only("ledger-trouble", NULL, "ledger: disk full", "df -h /var/lib/espdfu");
        station.ledger_trouble = NULL;
        station.lagging = TEXT("consumer mqtt is 12345 attempts behind, and has had none for 26 h");
        expect_only("consumer-lags", NULL, station.lagging, "espdfuctl consumer list");
        station.lagging = NULL;
        station.held = TEXT("held by joe: new jig");
        slot.phase = PHASE_HELD; /* for the same reason */
        expect_only("station-held", NULL, "held by joe: new jig", "sudo espdfuctl release");
        station.held = NULL;
        slot.phase = PHASE_NO_POLICY;
        station.n_policies = 0;
        expect_only("no-policies", NULL, "its configuration has none", "man espdfud.conf");
}

static void expect_slot(enum phase phase, enum verdict verdict, const char *message, const char *check,
                        const char *command)
{
        slot.phase = phase;
        slot.last_verdict = verdict;
        slot.message = TEXT(message);
        expect_only(check, "A1", message, command);
}

static void test_trouble_of_a_slot(void **state)
{
        (void)state;
        expect_slot(PHASE_HELD, VERDICT_NONE, "held by joe", "slot-held", "sudo espdfuctl release A1");
        expect_slot(PHASE_NO_POLICY, VERDICT_NONE, "no policy matches", "no-policy", "espdfuctl explain A1");
        expect_slot(PHASE_UNUSABLE, VERDICT_NONE, "made for 303a:0009: expected 303a:0002 (chip = esp32s2)",
                    "image-other-chip", "espdfuctl config check");
        expect_slot(PHASE_FAILED, VERDICT_IMAGE_REFUSED, "image's DFU suffix is not for 303a:0002",
                    "image-other-chip", "espdfuctl config check");
        expect_slot(PHASE_UNUSABLE, VERDICT_NONE, "/srv/gizmo.bin: No such file or directory",
                    "image-unusable", "espdfuctl config check");
        expect_slot(PHASE_FAILED, VERDICT_BUSY, "cannot claim the DFU interface: Resource busy",
                    "interface-busy", "sudo fuser -v /dev/bus/usb/001/007");
        expect_slot(PHASE_STUCK, VERDICT_NONE, "the kernel holds the engine", "slot-stuck",
                    "journalctl -k -b -e");
        expect_slot(PHASE_FAILED, VERDICT_VERIFY_FAILED, "app.bin: errFIRMWARE", "slot-failed",
                    "sudo espdfuctl retry A1");
}

static void test_a_slot_whose_name_is_a_command_is_one_word_in_ours(void **state)
{
        (void)state;
        slot.phase = PHASE_FAILED;
        slot.last_verdict = VERDICT_TIMED_OUT;
        slot.slot = TEXT("1-1; touch /tmp/PWNED #");
        expect_only("slot-failed", slot.slot, "no attempt is left",
                    "sudo espdfuctl retry '1-1; touch /tmp/PWNED #'");
        slot.slot = TEXT("1'$(reboot)'\n");
        expect_only("slot-failed", slot.slot, "no attempt is left",
                    "sudo espdfuctl retry '1'\\''$(reboot)'\\''<0a>'");
}

static void test_policy_that_cannot_be_used_is_told_before_a_board_comes_for_it(void **state)
{
        (void)state;
        policy.unusable = TEXT("/srv/gizmo.bin: No such file or directory");
        expect_only("image-unusable", NULL, "policy gizmo: /srv/gizmo.bin: No such file or directory",
                    "espdfuctl config check");
        policy.unusable = TEXT("made for 303a:0009: expected 303a:0002 (chip = esp32s2)");
        expect_only("image-other-chip", NULL,
                    "policy gizmo: made for 303a:0009: expected 303a:0002 (chip = esp32s2)",
                    "espdfuctl config check");
        slot.phase = PHASE_UNUSABLE;
        slot.message = policy.unusable;
        expect_only("image-other-chip", "A1", policy.unusable, "espdfuctl config check");
}

static void test_a_slot_that_was_given_up_says_why_by_its_last_attempt(void **state)
{
        (void)state;
        slot.phase = PHASE_FAILED;
        slot.last_verdict = VERDICT_TIMED_OUT;
        expect_only("slot-failed", "A1", "no attempt is left", "sudo espdfuctl retry A1");
        slot.last_message = TEXT("no answer to GETSTATUS within 5 s");
        expect_only("slot-failed", "A1", slot.last_message, "sudo espdfuctl retry A1");
}

/* ---- what is asked, what is shown ---- */

static void test_only_what_was_asked_about_and_what_is_everybodys_is_told(void **state)
{
        (void)state;
        device.power_control = TEXT("auto");
        facts.where = "1-4.2";
        station.held = TEXT("held by joe");
        facts.n_devices = 1;
        say("usb 1-4.3: device descriptor read/64, error -71");
        {
                struct diagnoses found;

                assert_int_equal(doctor_examine(&facts, &found), 0);
                assert_int_equal(found.n_items, 2);
                assert_string_equal(found.items[0].check->name, "port-empty");
                assert_string_equal(found.items[1].check->name, "station-held");
                diagnoses_done(&found);
        }
        facts.where = "pci-0000:00:14.0-usb-0:4.1";
        station.held = NULL;
        expect_only("autosuspend", "A1", "power/control is auto",
                    "echo on | sudo tee /sys/bus/usb/devices/1-4.1/power/control");
}

static void test_the_worst_comes_first(void **state)
{
        struct diagnoses found;
        json_t *json;

        (void)state;
        facts.kernel_log_readable = false;
        device.power_control = TEXT("auto");
        slot.phase = PHASE_FAILED;
        assert_int_equal(doctor_examine(&facts, &found), 0);
        assert_int_equal(found.n_items, 3);
        assert_string_equal(found.items[0].check->name, "slot-failed");
        assert_string_equal(found.items[1].check->name, "autosuspend");
        assert_string_equal(found.items[2].check->name, "kernel-log-closed");
        json = diagnoses_to_json(&found);
        assert_int_equal(json_integer_value(json_object_get(json, "errors")), 1);
        assert_int_equal(json_integer_value(json_object_get(json, "warnings")), 1);
        assert_int_equal(json_integer_value(json_object_get(json, "hints")), 1);
        assert_int_equal(json_array_size(json_object_get(json, "findings")), 3);
        json_decref(json);
        diagnoses_done(&found);
}

static void test_what_a_board_says_of_itself_cannot_paint(void **state)
{
        struct diagnoses found;

        (void)state;
        device.mode = DEVICE_APPLICATION;
        device.product = TEXT("\x1b[2J");
        assert_int_equal(doctor_examine(&facts, &found), 0);
        assert_int_equal(found.n_items, 1);
        assert_null(strchr(found.items[0].what, '\x1b'));
        diagnoses_done(&found);
}

static void test_more_findings_than_are_kept_are_counted(void **state)
{
        static struct device many[DIAGNOSES_MAX + 50];
        struct diagnoses found;

        (void)state;
        device.power_control = TEXT("auto");
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = device;
        facts.devices = many;
        facts.n_devices = ARRAY_SIZE(many);
        assert_int_equal(doctor_examine(&facts, &found), 0);
        assert_int_equal(found.n_items, DIAGNOSES_MAX);
        assert_int_equal(found.n_by_severity[DOCTOR_WARNING], ARRAY_SIZE(many));
        diagnoses_done(&found);
}

/* ---- the document ---- */

static char *read_document(void)
{
        static char text[256 * 1024];
        FILE *f = fopen(TOP_SRCDIR "/docs/troubleshooting.md", "re");
        size_t n;

        assert_non_null(f);
        n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
        assert_true(n < sizeof(text) - 1);
        text[n] = '\0';
        return text;
}

/* A section for each check, in the table's order, with what it expects and its command; and no other. */
static void test_troubleshooting_md_has_every_check_and_no_other(void **state)
{
        const char *at = read_document(), *section = strstr(at, "\n### ");
        const struct doctor_check *check;

        (void)state;
        for (size_t i = 0; (check = doctor_check_at(i)); i++) {
                char heading[256], line[1024];
                const char *next;

                snprintf(heading, sizeof(heading), "\n### %s\n\n`%s`, %s. Expected: %s.\n", check->title,
                         check->name, doctor_severity_to_string(check->severity), check->expected);
                if (!section || !str_has_prefix(section, heading))
                        fail_msg("docs/troubleshooting.md: expected here:%s\nis: %.300s", heading,
                                 section ? section : "the end");
                next = strstr(section + 1, "\n### ");
                snprintf(line, sizeof(line), "\n    %s\n", check->command);
                at = strstr(section, line);
                if (!at || (next && at > next))
                        fail_msg("docs/troubleshooting.md, %s: expected the line:%s", check->title, line);
                if (check->hands) {
                        snprintf(line, sizeof(line), "By hand: %s.\n", check->hands);
                        at = strstr(section, line);
                        if (!at || (next && at > next))
                                fail_msg("docs/troubleshooting.md, %s: expected: %s", check->title, line);
                }
                section = next;
        }
        if (section)
                fail_msg("docs/troubleshooting.md: no check finds this: %.100s", section);
}

/* As browsers of Markdown make an anchor of a heading: lower case, - for a space, and of signs the - alone. */
static void anchor_of(const char *title, char ret[static 256])
{
        size_t n = 0;

        for (; *title && n < 255; title++)
                if (isalnum((unsigned char)*title) || *title == '-')
                        ret[n++] = (char)tolower((unsigned char)*title);
                else if (*title == ' ')
                        ret[n++] = '-';
        ret[n] = '\0';
}

static bool has_section(const char *anchor, size_t len)
{
        const struct doctor_check *check;
        char text[256];

        for (size_t i = 0; (check = doctor_check_at(i)); i++) {
                anchor_of(check->title, text);
                if (strlen(text) == len && strncmp(text, anchor, len) == 0)
                        return true;
        }
        return false;
}

static void test_links_in_troubleshooting_md_lead_to_sections(void **state)
{
        unsigned n = 0;

        (void)state;
        for (const char *at = read_document(); (at = strstr(at, "](#")); n++) {
                at += strlen("](#");
                if (!has_section(at, strcspn(at, ")")))
                        fail_msg("docs/troubleshooting.md: no section is called #%.60s", at);
        }
        assert_true(n > 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
        const struct CMUnitTest tests[] = {
                TEST(test_a_station_where_all_is_right_has_no_finding),
                TEST(test_rule_that_is_missing),
                TEST(test_rule_that_is_masked),
                TEST(test_rule_that_was_not_applied_to_a_board),
                TEST(test_group_that_is_missing),
                TEST(test_user_who_is_not_in_the_group),
                TEST(test_node_that_is_not_for_the_group),
                TEST(test_cables_and_wires_by_the_kernels_log),
                TEST(test_ports_without_power_by_the_kernels_log),
                TEST(test_a_controller_that_is_full_is_told_whatever_was_asked),
                TEST(test_a_log_that_may_not_be_read_is_a_hint),
                TEST(test_no_board_at_all_is_a_hint_and_one_that_was_asked_for_an_error),
                TEST(test_chip_that_shows_its_serial_jtag),
                TEST(test_board_that_runs_an_application),
                TEST(test_application_that_looks_like_the_rom),
                TEST(test_device_whose_descriptors_make_no_sense),
                TEST(test_modem_manager_at_work),
                TEST(test_board_that_may_be_put_to_sleep),
                TEST(test_daemon_that_does_not_run_or_is_masked_or_not_installed),
                TEST(test_daemon_that_refuses_or_says_nothing),
                TEST(test_trouble_of_the_whole_station),
                TEST(test_trouble_of_a_slot),
                TEST(test_a_slot_whose_name_is_a_command_is_one_word_in_ours),
                TEST(test_policy_that_cannot_be_used_is_told_before_a_board_comes_for_it),
                TEST(test_a_slot_that_was_given_up_says_why_by_its_last_attempt),
                TEST(test_only_what_was_asked_about_and_what_is_everybodys_is_told),
                TEST(test_the_worst_comes_first),
                TEST(test_what_a_board_says_of_itself_cannot_paint),
                TEST(test_more_findings_than_are_kept_are_counted),
                TEST(test_troubleshooting_md_has_every_check_and_no_other),
                TEST(test_links_in_troubleshooting_md_lead_to_sections),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
