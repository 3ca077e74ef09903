/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A board that was given up is begun with again. The ledger says of its presence that nothing more is to be done; that is
 * taken out first, and what follows is what follows a board's arrival. A daemon that is killed in between finds a board
 * without a verdict, and flashes it.
 */
#include "daemon/slot-internal.h"

#include <stdio.h>

#include "daemon/log.h"

/* What stands in the way, or NULL. Static, but for what people said of a hold. */
static const char *obstacle(const struct slot *slot)
{
        if (!slot->present)
                return "is empty";
        switch (slot_phase(slot)) {
        case PHASE_FAILED:
        case PHASE_CANCELLED:
        case PHASE_UNUSABLE:
                return slot->order.number ? "is being tried again" : NULL;
        case PHASE_FLASHED:
                return "is flashed";
        case PHASE_QUEUED:
                return "is queued";
        case PHASE_DETACHING:
        case PHASE_DOWNLOADING:
        case PHASE_VERIFYING:
        case PHASE_RESETTING:
                return "is running";
        case PHASE_STUCK:
                return "is stuck";
        case PHASE_NO_POLICY:
                return "has no policy";
        case PHASE_IGNORED:
                return "is ignored by its policy";
        case PHASE_HELD:
                return "is held, and was not tried";
        case PHASE_EMPTY:
        case PHASE_MAX_:
                break;
        }
        return "is empty";
}

static int refuse(const struct slot *slot, char **ret_why)
{
        const char *what = obstacle(slot), *held = slot_held(slot);

        if (what)
                return asprintf(ret_why, "%s; nothing to retry", what) < 0 ? -ENOMEM : 1;
        if (held)
                return asprintf(ret_why, "%s: expected espdfuctl release first", held) < 0 ? -ENOMEM : 1;
        return 0;
}

/* The board may have left meanwhile, or another have come, or a reload have begun with it. */
static void on_forgotten(void *userdata, int r, int64_t id, int64_t sequence)
{
        struct slot *slot = userdata;
        uint64_t order = slot->order.number;

        (void)id, (void)sequence;
        slot_order_done(slot);
        if (r < 0)
                log_slot(LOG_ERR, slot->name, NULL, NULL, "not tried again: %s", strerror(-r));
        else
                slot->adopted = false;
        if (r == 0 && !obstacle(slot))
                slot_begin_again(slot);
        slot->world->begun(slot->world->userdata, slot, order, r);
}

int slot_retry(struct slot *slot, uint64_t order, char **ret_why)
{
        struct presence_key presence = slot_presence(slot);
        int r = refuse(slot, ret_why);

        if (r == 0)
                r = ledger_presence_forget(slot->world->ledger, &presence, on_forgotten, slot);
        if (r == 0)
                slot->order = (struct slot_order){ .number = order };
        return r;
}
