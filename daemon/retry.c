/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A person wants a board to be tried again, or flashed: who asked is in the journal, and the answer waits for the ledger. */
#include <stdio.h>

#include "daemon/log.h"
#include "daemon/station-internal.h"

int station_retry(void *userdata, const char *where, const char *who, uint64_t *ret_order, char **ret_why)
{
        struct station *station = userdata;
        struct slot *slot = station_find_slot(station, where);
        int r;

        if (!slot)
                return SERVER_NO_SUCH_SLOT;
        if (station->world.stopping)
                return (*ret_why = strdup("is not tried again: espdfud is being stopped"))
                               ? SERVER_NOT_RETRIED
                               : -ENOMEM;
        r = slot_retry(slot, ++station->orders, ret_why);
        if (r != 0)
                return r < 0 ? r : SERVER_NOT_RETRIED;
        log_slot(LOG_NOTICE, slot_name(slot), NULL, NULL, "user %s has its board tried again", who);
        *ret_order = station->orders;
        return 0;
}

static void log_flash(const struct slot *slot, const char *who, const struct given_image *given)
{
        log_slot(LOG_NOTICE, slot_name(slot), NULL, NULL, "user %s has its board flashed with %s%s", who,
                 given ? "an image of theirs: " : "the image of its policy", given ? given->path : "");
}

int station_flash(void *userdata, const char *where, const char *who, const struct given_image *given,
                  uint64_t *ret_order, char **ret_why)
{
        struct station *station = userdata;
        struct slot *slot = station_find_slot(station, where);
        int r;

        if (!slot)
                return SERVER_NO_SUCH_SLOT;
        if (station->world.stopping)
                return (*ret_why = strdup("espdfud is being stopped")) ? SERVER_NOT_FLASHED : -ENOMEM;
        r = slot_flash(slot, given, ++station->orders, ret_why);
        if (r != 0)
                return r < 0 ? r : SERVER_NOT_FLASHED;
        log_flash(slot, who, given);
        *ret_order = station->orders;
        return 0;
}

void station_begun(void *userdata, struct slot *slot, uint64_t order, int r)
{
        struct station *station = userdata;
        const char *text = r == -ECANCELED ? "the board left meanwhile: nothing was begun"
                           : r < 0         ? ledger_trouble(station->world.ledger)
                                           : NULL;

        if (station->server) /* NULL: the daemon ends */
                server_begun(station->server, order, slot_name(slot), r, text);
}
