/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * espdfuctl probe: whether a board is what docs/rom-dfu.md says. The engine speaks USB; the station, where there is one,
 * keeps its hands off the slot meanwhile.
 */
#include "client/probe.h"

#include <stdio.h>
#include <unistd.h>

#include "client/client.h"
#include "client/devices.h"
#include "client/station-view.h"

#define HOLD_REASON "espdfuctl probe"

struct probe_case {
        struct device *devices;
        size_t n_devices;
        const struct device *device; /* borrowed */
        const struct chip *chip;     /* whose ROM is expected */
        struct station_view view;
        const char *slot; /* borrowed; NULL: no station knows the port */
        bool holds;       /* the hold is ours */
        int signal_fd;
};

static void probe_case_done(struct probe_case *c)
{
        devices_free(c->devices, c->n_devices);
        station_view_done(&c->view);
        if (c->signal_fd >= 0)
                close(c->signal_fd);
}

/* ---- which board ---- */

static int no_device(const struct probe_case *c, const char *where, const struct slot_status *slot)
{
        if (slot)
                client_error("%s: no Espressif device is in this slot: see espdfuctl doctor %s", where,
                             where);
        else if (c->view.fault)
                client_error(
                        "%s: no Espressif device is at this port or path, and no espdfud answers that knows "
                        "slots: %s",
                        where, c->view.fault);
        else
                client_error(
                        "%s: no Espressif device is at this port or path, and no slot has this name: see "
                        "espdfuctl list",
                        where);
        return EXIT_FAILED;
}

/* One that is no ROM by its bytes may be just the ROM that we know wrongly. */
static int check_device(const struct device *device, const char *where)
{
        char id[DEVICE_ID_SIZE];

        if (!device->chip || device->mode == DEVICE_APPLICATION || device->mode == DEVICE_SERIAL_JTAG ||
            device->mode == DEVICE_UNREADABLE) {
                client_error("%s: %s is no chip in download mode: expected 303a:0002, 0009, 0012 or 0020 "
                             "with a DFU "
                             "interface: see espdfuctl doctor %s",
                             where, device_id(device, id), device->port);
                return EXIT_FAILED;
        }
        if (device->may_open)
                return EXIT_DONE;
        client_error(
                "%s: you may not open %s (%s:%s %04o): expected root or a member of the group espdfu: see "
                "espdfuctl doctor %s",
                where, device->node ? device->node : "its node", device->owner ? device->owner : "?",
                device->group ? device->group : "?", device->rights, device->port);
        return EXIT_NOT_PERMITTED;
}

static int find_device(struct probe_case *c, const char *where)
{
        const struct slot_status *slot;
        int r = devices_look(&c->devices, &c->n_devices);

        if (r < 0) {
                client_error("cannot list the USB devices of this machine: %s", strerror(-r));
                return EXIT_FAILED;
        }
        r = station_look(&c->view);
        if (r < 0)
                return client_misread(r);
        slot = station_view_slot(&c->view, where);
        if (slot && slot->port)
                c->device = devices_find(c->devices, c->n_devices, slot->port);
        if (!c->device)
                c->device = devices_find(c->devices, c->n_devices, where);
        if (!c->device)
                return no_device(c, where, slot);
        slot = station_view_slot_of(&c->view, c->device);
        c->slot = slot ? slot->slot : NULL;
        c->chip = c->device->chip;
        return check_device(c->device, where);
}

/* ---- the station's hands ---- */

static int refuse_if_at_work(const struct probe_case *c, const struct slot_status *slot)
{
        if (!slot || (!phase_is_running(slot->phase) && slot->phase != PHASE_STUCK))
                return EXIT_DONE;
        client_error("%s: a job runs there (%s): wait for its end, or espdfuctl cancel %s", c->slot,
                     phase_to_string(slot->phase), c->slot);
        return EXIT_FAILED;
}

static json_t *where_parameters(const struct probe_case *c)
{
        return json_pack("{s:s}", "where", c->slot);
}

/* Whether somebody holds the slot already: then it stays as it is. */
static int is_held(const struct probe_case *c, bool *ret)
{
        struct explanation *explanations = NULL;
        size_t n = 0;
        json_t *reply;
        int r = client_ask(STATION_INTERFACE ".Explain", where_parameters(c), &reply);

        if (r != EXIT_DONE)
                return r;
        r = explanations_from_json(reply, &explanations, &n);
        json_decref(reply);
        if (r < 0)
                return client_misread(r);
        *ret = n > 0 && explanations[0].held;
        explanations_free(explanations, n);
        return EXIT_DONE;
}

static int hold(struct probe_case *c)
{
        json_t *reply;
        int r = client_ask(STATION_INTERFACE ".Hold",
                           json_pack("{s:s, s:s}", "where", c->slot, "reason", HOLD_REASON), &reply);

        if (r != EXIT_DONE)
                return r;
        json_decref(reply);
        c->holds = true;
        return EXIT_DONE;
}

/* Between the first look and the hold a job may have begun. */
static int look_again(struct probe_case *c)
{
        struct station_view view;
        int r = station_look(&view);

        if (r == 0 && !view.fault)
                r = refuse_if_at_work(c, station_view_slot(&view, c->slot));
        else
                r = client_misread(r < 0 ? r : -EPROTO);
        station_view_done(&view);
        return r;
}

static int keep_station_away(struct probe_case *c)
{
        bool held = false;
        int r;

        if (c->view.fault)
                client_error("no station is told to keep its hands off: %s", c->view.fault);
        if (!c->slot)
                return EXIT_DONE;
        r = refuse_if_at_work(c, station_view_slot(&c->view, c->slot));
        if (r == EXIT_DONE)
                r = is_held(c, &held);
        if (r == EXIT_DONE && !held)
                r = hold(c);
        return r == EXIT_DONE ? look_again(c) : r;
}

/* Whatever happened. */
static int let_station_go_on(struct probe_case *c)
{
        json_t *reply;
        int r;

        if (!c->holds)
                return EXIT_DONE;
        r = client_ask(STATION_INTERFACE ".Release", where_parameters(c), &reply);
        if (r == EXIT_DONE)
                json_decref(reply);
        else
                client_error("%s stays held: espdfuctl release %s", c->slot, c->slot);
        return r;
}

/* ---- the verb ---- */

static int report(const struct probe_case *c, const struct probed *probed, bool json)
{
        int r = json ? probe_print_json(c->device, c->chip, probed) : probe_print(c->device, c->chip, probed);

        if (r != EXIT_DONE)
                return r;
        return probed->complete && probe_count_differences(probed, c->chip) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int probe(struct probe_case *c, const char *where, const struct probe_wishes *wishes, bool json)
{
        _cleanup_(freep) struct probed *probed = calloc(1, sizeof(*probed));
        int r = find_device(c, where), released;

        if (r != EXIT_DONE)
                return r;
        if (wishes->detach && c->device->mode == DEVICE_ROM_DFU)
                client_error("%s: the board is in DFU mode already: no DETACH is sent", where);
        c->signal_fd = probe_catch_signals();
        if (!probed || c->signal_fd < 0)
                return client_misread(probed ? c->signal_fd : -ENOMEM);
        r = keep_station_away(c);
        if (r == EXIT_DONE)
                r = probe_run(c->device, wishes, c->signal_fd, probed);
        released = let_station_go_on(c);
        if (probed->n_answers > 0) {
                int said = report(c, probed, json);

                r = r == EXIT_DONE ? said : r;
        }
        return r == EXIT_DONE ? released : r;
}

int verb_probe(int argc, char **argv)
{
        _cleanup_(probe_case_done) struct probe_case c = { .signal_fd = -EBADF };
        struct probe_wishes wishes = { 0 };
        bool json = false;
        const struct client_option options[] = {
                { "detach", .flag = &wishes.detach },
                { "engine", .value = &wishes.engine },
                { "json", .flag = &json },
                { "upload", .flag = &wishes.upload },
        };
        int r = client_options(argc, argv, options, ARRAY_SIZE(options), 1);

        if (r != CLIENT_GO_ON)
                return r;
        if (optind == argc) {
                client_error("probe: expected a slot, a port path or an ID_PATH: see espdfuctl probe --help");
                return EXIT_USAGE;
        }
        return probe(&c, argv[optind], &wishes, json);
}
