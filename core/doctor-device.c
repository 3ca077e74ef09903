/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks of each Espressif device that is on the bus, and of those that are not. */
#include "core/doctor-internal.h"

static struct doctor_place place_of(const struct examination *e, const struct device *device)
{
        const struct slot_status *slot = doctor_slot_at(e->facts, device->port);

        return (struct doctor_place){ .slot = slot ? slot->slot : NULL,
                                      .port = device->port,
                                      .node = device->node };
}

#define FOR_EACH_DEVICE(d, e)                                                                                \
        for (const struct device *d = (e)->facts->devices;                                                   \
             d && d < (e)->facts->devices + (e)->facts->n_devices; d++)

void find_rule_not_applied(struct examination *e)
{
        FOR_EACH_DEVICE(d, e)
        {
                struct doctor_place place = place_of(e, d);

                if (device_is_for_station(d) && (!d->tagged || !d->path))
                        doctor_find(e, &place, "udev has no %s%s%s for it", d->tagged ? "" : "tag espdfu",
                                    !d->tagged && !d->path ? " and no " : "", d->path ? "" : "ID_PATH");
        }
}

/* Where the group is missing that is the finding. */
void find_node_rights(struct examination *e)
{
        FOR_EACH_DEVICE(d, e)
        {
                struct doctor_place place = place_of(e, d);

                if (!e->facts->group_exists || !device_is_for_station(d))
                        continue;
                if (!d->owner)
                        doctor_find(e, &place, "there is no node %s", d->node ? d->node : "for it");
                else if (d->gid != e->facts->group_gid || !d->group_may)
                        doctor_find(e, &place, "%s is %s:%s %04o", d->node, d->owner, d->group, d->rights);
        }
}

void find_in_application(struct examination *e)
{
        FOR_EACH_DEVICE(d, e)
        {
                struct doctor_place place = place_of(e, d);
                char id[DEVICE_ID_SIZE];

                if (d->mode == DEVICE_APPLICATION)
                        doctor_find(e, &place, "%s %s has no DFU interface", device_id(d, id),
                                    d->product ? d->product : "");
        }
}

/* One that its policy flashes all the same is right as it is. */
void find_application_with_dfu(struct examination *e)
{
        FOR_EACH_DEVICE(d, e)
        {
                const struct slot_status *slot = doctor_slot_at(e->facts, d->port);
                struct doctor_place place = place_of(e, d);
                char id[DEVICE_ID_SIZE];

                if (d->mode == DEVICE_APPLICATION_DFU && !(slot && slot->policy))
                        doctor_find(e, &place, "%s by %s, serial %s: not the ROM's", device_id(d, id),
                                    d->manufacturer ? d->manufacturer : "nobody",
                                    d->serial ? d->serial : "none");
        }
}

void find_serial_jtag(struct examination *e)
{
        FOR_EACH_DEVICE(d, e)
        {
                struct doctor_place place = place_of(e, d);

                if (d->mode == DEVICE_SERIAL_JTAG)
                        doctor_find(e, &place, "303a:1001 %s: an application runs, or DFU is switched off",
                                    d->serial ? d->serial : "");
        }
}

void find_unreadable(struct examination *e)
{
        FOR_EACH_DEVICE(d, e)
        {
                struct doctor_place place = place_of(e, d);

                if (d->mode == DEVICE_UNREADABLE)
                        doctor_find(e, &place, "its descriptors cannot be read, or contradict themselves");
        }
}

void find_modem_manager(struct examination *e)
{
        FOR_EACH_DEVICE(d, e)
        {
                struct doctor_place place = place_of(e, d);

                if (e->facts->modem_manager_runs && device_is_for_station(d) && !d->mm_ignored)
                        doctor_find(e, &place,
                                    "ModemManager runs, and the device is not to be ignored by it");
        }
}

void find_autosuspend(struct examination *e)
{
        FOR_EACH_DEVICE(d, e)
        {
                struct doctor_place place = place_of(e, d);

                if (device_is_for_station(d) && streq_ptr(d->power_control, "auto"))
                        doctor_find(e, &place, "power/control is auto");
        }
}

void find_no_board(struct examination *e)
{
        if (!e->facts->where && e->facts->n_devices == 0)
                doctor_find(e, &(struct doctor_place){ 0 }, "no device of Espressif's is on any port");
}

/* What a slot's name means, without its daemon nobody knows. */
void find_port_empty(struct examination *e)
{
        const char *where = e->facts->where;
        const struct slot_status *slot = doctor_slot_at(e->facts, e->port);
        bool is_known = e->port || e->facts->daemon == DOCTOR_DAEMON_ANSWERS;

        FOR_EACH_DEVICE(d, e)
        {
                if (where && (device_is_at(d, where) || streq_ptr(d->port, e->port)))
                        return;
        }
        if (where && is_known)
                doctor_find(e, &(struct doctor_place){ .slot = slot ? slot->slot : where, .port = e->port },
                            "no device of Espressif's is there");
}
