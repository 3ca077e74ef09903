/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A person wants a board to be tried again, or flashed: who asked is in the journal, and the answer waits for the ledger. */
#include <stdio.h>

#include "daemon/log.h"
#include "daemon/station-internal.h"

/* 0 and the slot; SERVER_NO_SUCH_SLOT; or refused with *ret_why, when nothing begins any more. */
static int find_for_order(struct station *station, const char *where, const char *what, int refused,
                          struct slot **ret, char **ret_why)
{
        *ret = station_find_slot(station, where);
        if (!*ret)
                return SERVER_NO_SUCH_SLOT;
        if (!station->world.stopping)
                return 0;
        return asprintf(ret_why, "%s: espdfud is being stopped", what) < 0 ? -ENOMEM : refused;
}

int station_retry(void *userdata, const char *where, const char *who, uint64_t *ret_order, char **ret_why)
{
        struct station *station = userdata;
        struct slot *slot;
        int r = find_for_order(station, where, "is not tried again", SERVER_NOT_RETRIED, &slot, ret_why);

        if (r != 0)
                return r;
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
        struct slot *slot;
        int r = find_for_order(station, where, "is not flashed", SERVER_NOT_FLASHED, &slot, ret_why);

        if (r != 0)
                return r;
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
