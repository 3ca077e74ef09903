/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people order: cancel, hold, release. Holds outlive the daemon in a small file beside the ledger, not in it: they are
 * a wish about now and no record, they must be kept also when the ledger cannot be written, and an older espdfu would
 * refuse a ledger with one more table. The file is replaced as a whole before anything changes, so that what is answered
 * is on disk; that is the one write that the event loop waits for; it happens when a person asks for it, or when a slot is held for flapping.
 */
#include <stdio.h>

#include "core/flapping.h"
#include "daemon/log.h"
#include "daemon/message-ids.h"
#include "daemon/station-internal.h"
#include "io/file-write.h"
#include "io/file.h"

/* ---- cancel ---- */

int station_cancel(void *userdata, const char *where, const char *who, char **ret_place)
{
        struct station *station = userdata;
        struct slot *slot = station_find_slot(station, where);
        char by[JOB_PERSON_MAX];
        int r;

        if (!slot)
                return SERVER_NO_SUCH_SLOT;
        if (!slot_has_job(slot))
                return SERVER_NOTHING_RUNNING;
        r = free_and_strdup(ret_place, slot_path(slot) ? slot_path(slot) : slot_port(slot));
        if (r < 0)
                return r;
        snprintf(by, sizeof(by), "user %s", who);
        log_slot(LOG_INFO, slot_name(slot), NULL, NULL, "%s cancels what is under way", by);
        slot_cancel(slot, by);
        return 0;
}

/* ---- the file ---- */

static char *file_path(const struct station *station)
{
        char *path;

        return asprintf(&path, "%s/holds.json", station->options->state_dir) < 0 ? NULL : path;
}

static int read_file(const char *path, struct holds *ret)
{
        _cleanup_(freep) uint8_t *text = NULL;
        size_t len;
        int r = file_read(path, HOLDS_FILE_MAX, &text, &len);

        return r < 0 ? r : holds_parse((const char *)text, len, ret);
}

int station_load_holds(struct station *station)
{
        _cleanup_(freep) char *path = file_path(station);
        int r = path ? read_file(path, &station->holds) : -ENOMEM;

        if (r == -ENOMEM)
                return r;
        if (r != 0 && r != -ENOENT) {
                /* What was held is not known: nothing is touched until somebody says so. */
                log_error("%s: %s: the station is held until it is released", path,
                          r < 0 ? strerror(-r) : "not what espdfud wrote");
                return asprintf(&station->holds.station, "held: %s cannot be read", path) < 0 ? -ENOMEM : 0;
        }
        if (station->holds.station)
                log_notice("the station is %s", station->holds.station);
        return 0;
}

int station_add_held_slots(struct station *station)
{
        int r = 0;

        for (size_t i = 0; i < station->holds.n_ports && r == 0; i++) {
                const struct hold *hold = &station->holds.ports[i];
                struct slot *slot;
                bool found = false;

                for (size_t j = 0; j < station->n_slots && !found; j++)
                        found = slot_is_at(station->slots[j], hold->path, hold->port);
                if (!found)
                        r = station_add_slot(station, hold->port ? hold->port : hold->path, hold->path,
                                             hold->port, &slot);
        }
        return r == -ENOBUFS ? 0 : r;
}

static int write_file(const struct station *station, const struct holds *holds)
{
        _cleanup_(freep) char *path = file_path(station);
        _cleanup_(freep) char *text = NULL;
        int r = path ? holds_encode(holds, &text) : -ENOMEM;

        if (r == 0)
                r = file_write(path, text, strlen(text));
        if (r < 0)
                log_error("%s: cannot be written: %s", path ? path : "holds", strerror(-r));
        return r;
}

/* ---- hold and release ---- */

/* Makes them those of the station, and has the slots look. slot: the only one that they differ for; NULL: all. */
static void take_holds(struct station *station, struct holds *holds, struct slot *slot)
{
        struct holds before = station->holds;

        station->holds = *holds;
        *holds = before;
        station->world.places_changed(station);
        if (slot) {
                slot_holds_changed(slot);
                server_slot_changed(station->server, slot_name(slot), true);
                return;
        }
        for (size_t i = 0; i < station->n_slots; i++)
                slot_holds_changed(station->slots[i]);
        server_changed(station->server);
}

static int adopt(struct station *station, struct holds *holds, struct slot *slot)
{
        int r = write_file(station, holds);

        if (r == 0)
                take_holds(station, holds, slot);
        return r;
}

static void log_order(const struct slot *slot, const char *message_id, const char *text)
{
        log_slot(LOG_NOTICE, slot ? slot_name(slot) : NULL, NULL, message_id, "%s%s",
                 slot ? "" : "the station is ", text);
}

/* Writes the file. What a person wants to be held is, also where that cannot be kept: they are told. */
static int tell_held(const struct station *station, const struct holds *holds, const char *text, char **ret)
{
        int r = write_file(station, holds);

        if (r == -ENOMEM)
                return r;
        if (r == 0)
                return free_and_strdup(ret, text);
        return asprintf(ret, "%s (only until espdfud ends: it cannot be kept: %s)", text, strerror(-r)) < 0
                       ? -ENOMEM
                       : 0;
}

int station_hold(void *userdata, const char *where, const char *who, const char *reason, char **ret_text)
{
        _cleanup_(holds_done) struct holds holds = { 0 };
        struct station *station = userdata;
        struct slot *slot = where ? station_find_slot(station, where) : NULL;
        char text[HOLD_TEXT_MAX];
        int r;

        if (where && !slot)
                return SERVER_NO_SUCH_SLOT;
        hold_text(text, who, reason);
        r = holds_copy(&station->holds, &holds);
        if (r == 0)
                r = slot ? holds_put_port(&holds, slot_path(slot), slot_port(slot), text)
                         : free_and_strdup(&holds.station, text);
        if (r == 0)
                r = tell_held(station, &holds, text, ret_text);
        if (r < 0)
                return r;
        take_holds(station, &holds, slot);
        log_order(slot, MESSAGE_HELD, *ret_text);
        return 0;
}

/* Also if it cannot be kept over a restart: the board on it would be begun with again and again. */
void station_flapping(void *userdata, struct slot *slot)
{
        static const char text[] = "held: " FLAPPING_REASON;
        _cleanup_(holds_done) struct holds holds = { 0 };
        struct station *station = userdata;
        size_t n_gone;

        if (holds_of_port(&station->holds, slot_path(slot), slot_port(slot)))
                return; /* a person's reason is the better one */
        if (holds_copy(&station->holds, &holds) < 0 ||
            holds_put_port(&holds, slot_path(slot), slot_port(slot), text) < 0) {
                log_slot(LOG_ERR, slot_name(slot), NULL, NULL, "cannot be held for flapping: out of memory");
                return;
        }
        n_gone = holds_bound_unnamed(&holds, text, station->config, FLAPPING_UNNAMED_MAX);
        (void)write_file(station, &holds); /* says why not */
        take_holds(station, &holds, n_gone > 0 ? NULL : slot);
        if (n_gone > 0)
                log_warning(
                        "more than %d ports without a name are held for flapping: the one that was first is "
                        "held no more",
                        FLAPPING_UNNAMED_MAX);
        log_slot(LOG_WARNING, slot_name(slot), NULL, MESSAGE_HELD, "%s", text);
}

/* Takes out what holds the slot, or the station. 1: nothing did. */
static int lift(struct station *station, struct slot *slot, const char *who)
{
        _cleanup_(holds_done) struct holds holds = { 0 };
        char text[HOLD_TEXT_MAX];
        bool found;
        int r = holds_copy(&station->holds, &holds);

        if (r < 0)
                return r;
        found = slot ? holds_remove_port(&holds, slot_path(slot), slot_port(slot)) : holds.station != NULL;
        if (!found)
                return 1;
        if (!slot)
                free(take_ptr(holds.station));
        snprintf(text, sizeof(text), "released by %s", who);
        if (slot)
                slot_forgive(slot);
        r = adopt(station, &holds, slot);
        if (r == 0)
                log_order(slot, MESSAGE_RELEASED, text);
        return r;
}

/* One that no person holds by itself. */
static int release_board(struct station *station, struct slot *slot, const char *who, bool *ret_was_held,
                         char **ret_why)
{
        char text[HOLD_TEXT_MAX];
        int r;

        if (!slot_is_held_by_policy(slot))
                return 0;
        if (station->holds.station)
                return asprintf(ret_why, "the station is %s: expected espdfuctl release without a slot first",
                                station->holds.station) < 0
                               ? -ENOMEM
                               : SERVER_NOT_RELEASED;
        r = slot_release(slot, ret_why);
        if (r == 2)
                return SERVER_NOT_RELEASED;
        *ret_was_held = r == 0;
        snprintf(text, sizeof(text), "released by %s: flashed although its policy says action = hold", who);
        if (r == 0)
                log_order(slot, MESSAGE_RELEASED, text);
        return MIN(r, 0);
}

int station_release(void *userdata, const char *where, const char *who, bool *ret_was_held, char **ret_why)
{
        struct station *station = userdata;
        struct slot *slot = where ? station_find_slot(station, where) : NULL;
        int r;

        if (where && !slot)
                return SERVER_NO_SUCH_SLOT;
        r = lift(station, slot, who);
        *ret_was_held = r == 0;
        if (r > 0 && slot)
                return release_board(station, slot, who, ret_was_held, ret_why);
        return MIN(r, 0);
}
