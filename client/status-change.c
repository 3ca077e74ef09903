/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/status-change.h"

struct slot_status *status_find(struct station_status *station, const char *name)
{
        for (size_t i = 0; i < station->n_slots; i++)
                if (streq(station->slots[i].slot, name))
                        return &station->slots[i];
        return NULL;
}

static void remove_slot(struct station_status *station, const char *name)
{
        struct slot_status *slot = status_find(station, name);
        size_t i;

        if (!slot)
                return;
        i = (size_t)(slot - station->slots);
        slot_status_done(slot);
        memmove(slot, slot + 1, (--station->n_slots - i) * sizeof(*slot));
}

/* Moves slot in. */
static int put_slot(struct station_status *station, struct slot_status *slot)
{
        struct slot_status *old = status_find(station, slot->slot);

        if (old) {
                slot_status_done(old);
        } else {
                old = realloc(station->slots, (station->n_slots + 1) * sizeof(*old));
                if (!old)
                        return -ENOMEM;
                station->slots = old;
                old += station->n_slots++;
        }
        *old = *slot;
        *slot = (struct slot_status){ 0 };
        return 0;
}

#define SWAP(a, b)                                                                                           \
        do {                                                                                                 \
                __typeof__(a) swap_ = (a);                                                                   \
                (a) = (b);                                                                                   \
                (b) = swap_;                                                                                 \
        } while (0)

int status_apply(struct station_status *station, struct status_update *update)
{
        int r;

        if (!update->whole) {
                /* The header is new; slots and policies go on living in it. */
                for (size_t i = 0; i < update->n_gone; i++)
                        remove_slot(station, update->gone[i]);
                for (size_t i = 0; i < update->station.n_slots; i++) {
                        r = put_slot(station, &update->station.slots[i]);
                        if (r < 0)
                                return r;
                }
                SWAP(station->slots, update->station.slots);
                SWAP(station->n_slots, update->station.n_slots);
                SWAP(station->policies, update->station.policies);
                SWAP(station->n_policies, update->station.n_policies);
        }
        SWAP(*station, update->station);
        return 0;
}

bool status_says_gone(const struct status_update *update, const char *name)
{
        for (size_t i = 0; i < update->n_gone; i++)
                if (streq(update->gone[i], name))
                        return true;
        for (size_t i = 0; update->whole && i < update->station.n_slots; i++)
                if (streq(update->station.slots[i].slot, name))
                        return false;
        return update->whole;
}

bool status_is_event(const struct slot_status *before, const struct slot_status *after)
{
        return !before || before->phase != after->phase || before->attempt != after->attempt ||
               before->last_verdict != after->last_verdict ||
               before->last_realtime_usec != after->last_realtime_usec ||
               !streq_ptr(before->mac, after->mac) || !streq_ptr(before->policy, after->policy) ||
               !streq_ptr(before->message, after->message);
}
