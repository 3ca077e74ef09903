/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A person wants a board to be tried again: who asked is in the journal, and the answer waits for the ledger. */
#include <stdio.h>

#include "daemon/log.h"
#include "daemon/station-internal.h"

int station_retry(void *userdata, const char *where, const char *who, uint64_t *ret_order, char **ret_why)
{
        static uint64_t orders;
        struct station *station = userdata;
        struct slot *slot = station_find_slot(station, where);
        int r;

        if (!slot)
                return SERVER_NO_SUCH_SLOT;
        if (station->world.stopping)
                return (*ret_why = strdup("is not tried again: espdfud is being stopped"))
                               ? SERVER_NOT_RETRIED
                               : -ENOMEM;
        r = slot_retry(slot, ++orders, ret_why);
        if (r != 0)
                return r < 0 ? r : SERVER_NOT_RETRIED;
        log_slot(LOG_NOTICE, slot_name(slot), NULL, NULL, "user %s has its board tried again", who);
        *ret_order = orders;
        return 0;
}

void station_retried(void *userdata, struct slot *slot, uint64_t order, int r)
{
        struct station *station = userdata;

        if (station->server) /* NULL: the daemon ends */
                server_retried(station->server, order, slot_name(slot), r,
                               r < 0 ? ledger_trouble(station->world.ledger) : NULL);
}
