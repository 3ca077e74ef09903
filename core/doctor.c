/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/doctor.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/config-values.h"
#include "core/doctor-internal.h"
#include "core/printable.h"
#include "core/text.h"

static const char *const severity_words[DOCTOR_SEVERITY_MAX_] = {
        [DOCTOR_HINT] = "hint",
        [DOCTOR_WARNING] = "warning",
        [DOCTOR_ERROR] = "error",
};
DEFINE_WORDS(doctor_severity, severity_words)

#define APPLY_RULE                                                                                           \
        "sudo udevadm control --reload && "                                                                  \
        "sudo udevadm trigger --action=add --subsystem-match=usb --attr-match=idVendor=303a"
#define ENTER_BOOTLOADER "hold BOOT (GPIO0 to ground), press RESET or plug the board in, let go of BOOT"

/* The order is that of docs/troubleshooting.md: from the machine by the cable to the board, then the station. */
static const struct {
        struct doctor_check check;
        void (*find)(struct examination *e);
} checks[] = {
        { { "rule-missing", DOCTOR_ERROR, "The udev rule is not installed",
            "60-espdfu.rules in /usr/lib/udev/rules.d or another of udev's directories", NULL,
            "sudo apt install --reinstall espdfu" },
          find_rule_missing },
        { { "rule-masked", DOCTOR_ERROR, "The udev rule is masked",
            "no empty file and no link to /dev/null of the rule's name in /etc/udev/rules.d", NULL,
            "sudo rm /etc/udev/rules.d/60-espdfu.rules && " APPLY_RULE },
          find_rule_masked },
        { { "rule-not-applied", DOCTOR_ERROR, "The udev rule has not been applied to a device",
            "the tag espdfu and an ID_PATH", NULL, APPLY_RULE },
          find_rule_not_applied },
        { { "group-missing", DOCTOR_ERROR, "There is no group espdfu", "a user and a group espdfu", NULL,
            "sudo systemd-sysusers" },
          find_group_missing },
        { { "node-rights", DOCTOR_ERROR, "The device node is not for the group espdfu",
            "group espdfu, mode 0660", NULL, APPLY_RULE },
          find_node_rights },
        { { "not-in-group", DOCTOR_WARNING, "You may not open boards, nor give orders to the station",
            "you are root, or a member of the group espdfu", NULL, "sudo usermod -aG espdfu {user}" },
          find_not_in_group },
        { { "group-not-in-session", DOCTOR_WARNING, "Your membership of the group espdfu does not count yet",
            "a login that is younger than the membership", NULL, "newgrp espdfu" },
          find_group_not_in_session },
        { { "wires-swapped", DOCTOR_ERROR, "D+ and D- are swapped, or one of them has no contact",
            "GPIO20 at D+ (green), GPIO19 at D- (white): a full-speed device",
            "swap D+ and D-, or take another cable", "sudo dmesg --follow" },
          find_wires_swapped },
        { { "cable-bad", DOCTOR_ERROR, "A device is plugged in that does not answer",
            "a device that tells its descriptors", "take another cable, another port, no hub in between",
            "sudo dmesg --follow" },
          find_cable_bad },
        { { "over-current", DOCTOR_ERROR, "A port was switched off for over-current",
            "less than 500 mA, and no short circuit", "unplug the board, look for a short circuit",
            "sudo dmesg --follow" },
          find_over_current },
        { { "power-short", DOCTOR_ERROR, "A hub has not the power that a board asks for",
            "a hub with a power supply of its own: a board asks for 500 mA", "plug the hub's power supply in",
            "lsusb -t" },
          find_power_short },
        { { "controller-full", DOCTOR_ERROR, "The USB host controller has no room for one more device",
            "fewer devices than the controller serves: often 32 to 64, hubs included",
            "move a hub to a port of another controller", "lsusb -t" },
          find_controller_full },
        { { "kernel-log-closed", DOCTOR_HINT, "The kernel's log may not be read",
            "root, or a member of the group systemd-journal or adm", NULL, "sudo espdfuctl doctor" },
          find_kernel_log_closed },
        { { "no-board", DOCTOR_HINT, "No board shows itself on the bus",
            "a device 303a:0002, 0009, 0012 or 0020", ENTER_BOOTLOADER, "espdfuctl list" },
          find_no_board },
        { { "port-empty", DOCTOR_ERROR, "No board shows itself on a port",
            "a device 303a:0002, 0009, 0012 or 0020; none comes where Secure Boot or flash encryption has "
            "switched DFU off, or where D+ and D- have no contact",
            ENTER_BOOTLOADER, "espdfuctl list" },
          find_port_empty },
        { { "serial-jtag", DOCTOR_ERROR, "The chip shows its USB-Serial-JTAG, 303a:1001, and not DFU",
            "the ROM's DFU; an ESP32-S3 has it on its internal PHY when its eFuse USB_PHY_SEL is burnt, for "
            "good",
            ENTER_BOOTLOADER, "espefuse.py --port /dev/ttyACM0 summary" },
          find_serial_jtag },
        { { "in-application", DOCTOR_WARNING, "An application runs, not the bootloader",
            "the ROM in download mode, 303a:0002, 0009, 0012 or 0020", ENTER_BOOTLOADER, "espdfuctl list" },
          find_in_application },
        { { "application-with-dfu", DOCTOR_WARNING, "An application runs that looks like the ROM",
            "the ROM's descriptors and strings to the byte; what is not the ROM needs a policy with mode = "
            "any",
            ENTER_BOOTLOADER, "espdfuctl explain {port}" },
          find_application_with_dfu },
        { { "unreadable", DOCTOR_ERROR, "A device's descriptors make no sense",
            "descriptors as USB 2.0 has them", "plug the board in again", "sudo dmesg --follow" },
          find_unreadable },
        { { "modem-manager", DOCTOR_WARNING, "ModemManager takes a board for a modem",
            "ID_MM_DEVICE_IGNORE=1 on the device", NULL, APPLY_RULE },
          find_modem_manager },
        { { "autosuspend", DOCTOR_WARNING, "The kernel may put a board to sleep",
            "power/control is on: a reset at the awakening ends a download", NULL,
            "echo on | sudo tee /sys/bus/usb/devices/{port}/power/control" },
          find_autosuspend },
        { { "service-not-installed", DOCTOR_ERROR, "espdfud.service is not installed",
            "espdfud.service and espdfud.socket in systemd's directories", NULL,
            "sudo apt install --reinstall espdfu" },
          find_service_not_installed },
        { { "service-masked", DOCTOR_ERROR, "espdfud is masked", "no link to /dev/null of the unit's name",
            NULL,
            "sudo systemctl unmask espdfud.service espdfud.socket && "
            "sudo systemctl start espdfud.socket espdfud.service" },
          find_service_masked },
        { { "daemon-absent", DOCTOR_ERROR, "espdfud does not run", "a daemon that listens on its socket",
            NULL, "sudo systemctl start espdfud.socket espdfud.service" },
          find_daemon_absent },
        { { "daemon-refuses", DOCTOR_ERROR, "The daemon's socket may not be opened",
            "mode 0666: everybody may look", NULL, "sudo systemctl restart espdfud.socket espdfud.service" },
          find_daemon_refuses },
        { { "daemon-silent", DOCTOR_ERROR, "espdfud does not answer", "an answer within 5 s", NULL,
            "journalctl -u espdfud -b -e" },
          find_daemon_silent },
        { { "config-refused", DOCTOR_ERROR, "The configuration was refused at its last reload",
            "a configuration without an error; the one before is in force", NULL,
            "espdfuctl config check && sudo espdfuctl reload" },
          find_config_refused },
        { { "ledger-trouble", DOCTOR_ERROR, "Attempts cannot be recorded, so none begins",
            "a ledger that can be written, and room on its disk", NULL, "df -h /var/lib/espdfu" },
          find_ledger_trouble },
        { { "consumer-lags", DOCTOR_WARNING, "The record is not copied to where it should be",
            "consumers that are less than 10000 attempts and less than a day behind", NULL,
            "espdfuctl consumer list" },
          find_consumer_lags },
        { { "station-held", DOCTOR_WARNING, "The whole station is held", "nobody holds it", NULL,
            "sudo espdfuctl release" },
          find_station_held },
        { { "slot-held", DOCTOR_WARNING, "A board waits for a release", "nobody holds the slot", NULL,
            "sudo espdfuctl release {slot}" },
          find_slot_held },
        { { "no-policies", DOCTOR_ERROR, "The station has no policy: it touches no board",
            "a [policy NAME] in /etc/espdfu/espdfud.conf.d", NULL, "man espdfud.conf" },
          find_no_policies },
        { { "no-policy", DOCTOR_ERROR, "No policy matches a board", "a policy all of whose keys match", NULL,
            "espdfuctl explain {slot}" },
          find_no_policy },
        { { "image-other-chip", DOCTOR_ERROR, "The image is for another chip",
            "an image of `idf.py set-target` and `idf.py dfu` for this chip", NULL,
            "espdfuctl config check" },
          find_image_other_chip },
        { { "image-unusable", DOCTOR_ERROR, "A policy cannot be used",
            "an image that is there, whole, readable for the user espdfu, and signed if the policy wants it",
            NULL, "espdfuctl config check" },
          find_image_unusable },
        { { "interface-busy", DOCTOR_ERROR, "Another program has the board",
            "nobody else has its DFU interface", NULL, "sudo fuser -v {node}" },
          find_interface_busy },
        { { "slot-stuck", DOCTOR_ERROR, "The kernel holds an engine", "a USB driver that lets go of it",
            "unplug the board, then its hub", "journalctl -k -b -e" },
          find_slot_stuck },
        { { "slot-failed", DOCTOR_ERROR, "A board was given up", "flashed within the policy's attempts", NULL,
            "sudo espdfuctl retry {slot}" },
          find_slot_failed },
};

const struct doctor_check *doctor_check_at(size_t index)
{
        return index < ARRAY_SIZE(checks) ? &checks[index].check : NULL;
}

/* ---- a finding ---- */

/* It is to be pasted into a shell, and a daemon may call a slot as it likes. Returns 0 or -ENOMEM. */
static int put_word(FILE *f, const char *word)
{
        _cleanup_(freep) char *escaped = text_escape(word);
        _cleanup_(freep) char *quoted = escaped ? text_quote_for_shell(escaped) : NULL;

        return quoted && fputs(quoted, f) >= 0 ? 0 : -ENOMEM;
}

/* text with each {name} that is known replaced. NULL when out of memory. */
static char *fill_in(const char *text, const struct doctor_place *place, const char *user)
{
        const struct {
                const char *name, *value, *otherwise;
        } names[] = {
                { "{port}", place->port, "PORT" },
                { "{slot}", place->slot ? place->slot : place->port, "SLOT" },
                { "{node}", place->node, "/dev/bus/usb/BBB/DDD" },
                { "{user}", user, "USER" },
        };
        char *filled = NULL;
        bool sound = true;
        size_t size;
        FILE *f = open_memstream(&filled, &size);

        while (f && *text) {
                size_t i = 0;

                while (i < ARRAY_SIZE(names) && !str_has_prefix(text, names[i].name))
                        i++;
                if (i == ARRAY_SIZE(names)) {
                        fputc(*text++, f);
                        continue;
                }
                if (names[i].value)
                        sound = put_word(f, names[i].value) == 0 && sound;
                else
                        fputs(names[i].otherwise, f);
                text += strlen(names[i].name);
        }
        if (f && (fclose(f) == EOF || !sound)) {
                free(filled);
                filled = NULL;
        }
        return filled;
}

static bool is_asked_about(const struct examination *e, const struct doctor_place *place)
{
        const char *where = e->facts->where;

        if (!where || (!place->slot && !place->port))
                return true;
        return streq_ptr(place->slot, where) || streq_ptr(place->port, where) ||
               (e->port && streq_ptr(place->port, e->port));
}

static void diagnosis_done(struct diagnosis *diagnosis)
{
        free(diagnosis->where);
        free(diagnosis->what);
        free(diagnosis->command);
}

/* Takes the diagnosis over. */
static void keep(struct diagnoses *diagnoses, struct diagnosis *diagnosis)
{
        struct diagnosis *items;

        diagnoses->n_by_severity[diagnosis->check->severity]++;
        if (diagnoses->n_items == DIAGNOSES_MAX) {
                diagnosis_done(diagnosis);
                return;
        }
        items = diagnosis->what && diagnosis->command
                        ? reallocarray(diagnoses->items, diagnoses->n_items + 1, sizeof(*items))
                        : NULL;
        if (!items) {
                diagnosis_done(diagnosis);
                diagnoses->out_of_memory = true;
                return;
        }
        make_printable(diagnosis->what);
        items[diagnoses->n_items++] = *diagnosis;
        diagnoses->items = items;
}

void doctor_find(struct examination *e, const struct doctor_place *place, const char *fmt, ...)
{
        const char *where = place->slot ? place->slot : place->port ? place->port : place->node;
        struct diagnosis diagnosis = { .check = e->check };
        va_list args;

        if (!is_asked_about(e, place))
                return;
        va_start(args, fmt);
        if (vasprintf(&diagnosis.what, fmt, args) < 0)
                diagnosis.what = NULL;
        va_end(args);
        diagnosis.command = fill_in(e->check->command, place, e->facts->user);
        if (where && !(diagnosis.where = strdup(where)))
                e->diagnoses->out_of_memory = true;
        keep(e->diagnoses, &diagnosis);
}

const struct slot_status *doctor_slot_at(const struct doctor_facts *facts, const char *port)
{
        const struct station_status *station = facts->station;

        for (size_t i = 0; station && i < station->n_slots; i++)
                if (port && streq_ptr(station->slots[i].port, port))
                        return &station->slots[i];
        return NULL;
}

/* ---- all of them ---- */

static bool slot_is_called(const struct slot_status *slot, const char *where)
{
        return streq_ptr(slot->slot, where) || streq_ptr(slot->port, where) || streq_ptr(slot->path, where);
}

/* The port of what was asked about, or NULL: it is not known. */
static const char *port_of(const struct doctor_facts *facts)
{
        const struct station_status *station = facts->station;

        for (size_t i = 0; station && facts->where && i < station->n_slots; i++)
                if (slot_is_called(&station->slots[i], facts->where))
                        return station->slots[i].port;
        for (size_t i = 0; facts->where && i < facts->n_devices; i++)
                if (device_is_at(&facts->devices[i], facts->where))
                        return facts->devices[i].port;
        return facts->where && value_is_port(facts->where) ? facts->where : NULL;
}

int doctor_examine(const struct doctor_facts *facts, struct diagnoses *ret)
{
        struct examination e = { .facts = facts, .port = port_of(facts), .diagnoses = ret };

        *ret = (struct diagnoses){ 0 };
        for (int severity = DOCTOR_SEVERITY_MAX_ - 1; severity >= 0; severity--)
                for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
                        e.check = &checks[i].check;
                        if ((int)e.check->severity == severity)
                                checks[i].find(&e);
                }
        if (!ret->out_of_memory)
                return 0;
        diagnoses_done(ret);
        return -ENOMEM;
}

void diagnoses_done(struct diagnoses *diagnoses)
{
        for (size_t i = 0; i < diagnoses->n_items; i++)
                diagnosis_done(&diagnoses->items[i]);
        free(diagnoses->items);
        *diagnoses = (struct diagnoses){ 0 };
}

static json_t *diagnosis_to_json(const struct diagnosis *diagnosis)
{
        const struct doctor_check *check = diagnosis->check;

        return json_pack("{s:s, s:s, s:s?, s:s, s:s, s:s, s:s?, s:s}", "check", check->name, "severity",
                         doctor_severity_to_string(check->severity), "where", diagnosis->where, "title",
                         check->title, "what", diagnosis->what, "expected", check->expected, "hands",
                         check->hands, "command", diagnosis->command);
}

json_t *diagnoses_to_json(const struct diagnoses *diagnoses)
{
        const size_t *n = diagnoses->n_by_severity;
        json_t *findings = json_array();
        bool sound = findings;

        for (size_t i = 0; sound && i < diagnoses->n_items; i++)
                sound = json_array_append_new(findings, diagnosis_to_json(&diagnoses->items[i])) == 0;
        if (!sound) {
                json_decref(findings);
                return NULL;
        }
        return json_pack("{s:I, s:I, s:I, s:o}", "errors", (json_int_t)n[DOCTOR_ERROR], "warnings",
                         (json_int_t)n[DOCTOR_WARNING], "hints", (json_int_t)n[DOCTOR_HINT], "findings",
                         findings);
}
