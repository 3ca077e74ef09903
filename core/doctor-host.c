/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks of the machine: what is installed, who asks, and what the kernel says of its ports. */
#include "core/doctor-internal.h"

static const struct doctor_place everywhere = { 0 };

/* The rule may have another file's name: then its tag tells of it. */
static bool has_tagged_device(const struct doctor_facts *facts)
{
        for (size_t i = 0; i < facts->n_devices; i++)
                if (facts->devices[i].tagged)
                        return true;
        return false;
}

void find_rule_missing(struct examination *e)
{
        if (e->facts->rule == DOCTOR_FILE_ABSENT && !has_tagged_device(e->facts))
                doctor_find(e, &everywhere, "no udev rule of espdfu's is in any of udev's directories");
}

void find_rule_masked(struct examination *e)
{
        if (e->facts->rule == DOCTOR_FILE_MASKED)
                doctor_find(e, &everywhere, "%s masks the rule", e->facts->rule_path);
}

void find_group_missing(struct examination *e)
{
        if (!e->facts->group_exists)
                doctor_find(e, &everywhere, "no group of this name: the rule cannot give boards to it");
}

void find_not_in_group(struct examination *e)
{
        const struct doctor_facts *f = e->facts;

        if (f->group_exists && !f->user_is_root && !f->user_in_group && !f->session_in_group)
                doctor_find(e, &everywhere,
                            "user %s is not in the group espdfu; it counts from the next login on", f->user);
}

void find_group_not_in_session(struct examination *e)
{
        const struct doctor_facts *f = e->facts;

        if (!f->user_is_root && f->user_in_group && !f->session_in_group)
                doctor_find(e, &everywhere, "user %s is in the group espdfu, this login is not", f->user);
}

void find_service_masked(struct examination *e)
{
        const struct doctor_facts *f = e->facts;

        if (f->service == DOCTOR_FILE_MASKED || f->socket_unit == DOCTOR_FILE_MASKED)
                doctor_find(e, &everywhere, "%s%s%s masked: nothing starts the station",
                            f->service == DOCTOR_FILE_MASKED ? "espdfud.service" : "espdfud.socket",
                            f->service == f->socket_unit ? " and espdfud.socket" : "",
                            f->service == f->socket_unit ? " are" : " is");
}

/* A daemon that answers was started in another way. */
void find_service_not_installed(struct examination *e)
{
        if (e->facts->service == DOCTOR_FILE_ABSENT && e->facts->daemon != DOCTOR_DAEMON_ANSWERS)
                doctor_find(e, &everywhere, "no such unit is in any of systemd's directories");
}

/* ---- the kernel's log ---- */

void find_kernel_log_closed(struct examination *e)
{
        if (!e->facts->kernel_log_readable)
                doctor_find(e, &everywhere, "what it says of cables and controllers is not known");
}

static void find_trouble(struct examination *e, enum kernel_trouble_kind kind)
{
        const struct kernel_log *log = e->facts->kernel_log;

        for (size_t i = 0; log && i < log->n_troubles; i++) {
                const struct kernel_trouble *t = &log->troubles[i];
                const struct slot_status *slot = doctor_slot_at(e->facts, t->place);
                struct doctor_place place = { .slot = slot ? slot->slot : NULL, .port = t->place };

                if (t->kind == kind)
                        doctor_find(e, &place, "the kernel says: %s (%u line%s)", t->text, t->count,
                                    t->count == 1 ? "" : "s");
        }
}

void find_wires_swapped(struct examination *e)
{
        find_trouble(e, KERNEL_LOW_SPEED);
}

void find_cable_bad(struct examination *e)
{
        find_trouble(e, KERNEL_CABLE);
}

void find_over_current(struct examination *e)
{
        find_trouble(e, KERNEL_OVER_CURRENT);
}

void find_power_short(struct examination *e)
{
        find_trouble(e, KERNEL_POWER);
}

/* It is nobody's port alone: told whatever was asked about. */
void find_controller_full(struct examination *e)
{
        const struct kernel_log *log = e->facts->kernel_log;

        for (size_t i = 0; log && i < log->n_troubles; i++)
                if (log->troubles[i].kind == KERNEL_CONTROLLER)
                        doctor_find(e, &(struct doctor_place){ .node = log->troubles[i].place },
                                    "the kernel says: %s", log->troubles[i].text);
}
