/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl list: every Espressif device on this machine's USB ports, and what the station thinks of it, if there is one. */
#include <limits.h>
#include <stdio.h>

#include "client/client.h"
#include "client/devices.h"
#include "client/station-view.h"
#include "client/status-pick.h"
#include "show/table-choice.h"

enum column { PORT, ID, MODE, CHIP, SERIAL, NODE, RIGHTS, PATH, SLOT, STATION, N_COLUMNS };

static const char *const column_names[N_COLUMNS] = {
        [PORT] = "PORT", [ID] = "ID",         [MODE] = "MODE", [CHIP] = "CHIP", [SERIAL] = "SERIAL",
        [NODE] = "NODE", [RIGHTS] = "RIGHTS", [PATH] = "PATH", [SLOT] = "SLOT", [STATION] = "STATION",
};

const char *const list_columns[] = { "port",   "id",   "mode", "chip",    "serial", "node",
                                     "rights", "path", "slot", "station", NULL };

/* What a terminal that is too narrow does without, the first first. STATION is cut to what is left. */
static const size_t dispensable[] = { PATH, NODE, CHIP, RIGHTS, SERIAL };
static const size_t usual_widths[N_COLUMNS] = { [STATION] = 20 };

struct listing {
        struct device *devices;
        size_t n;
        struct station_view view;
};

static void listing_done(struct listing *listing)
{
        devices_free(listing->devices, listing->n);
        station_view_done(&listing->view);
}

static bool is_picked(const struct listing *listing, const struct device *device, status_pick pick)
{
        const struct slot_status *slot = station_view_slot_of(&listing->view, device);

        if (!*pick)
                return true;
        for (; *pick; pick++)
                if (device_is_at(device, *pick) || (slot && streq(slot->slot, *pick)))
                        return true;
        return false;
}

/* ---- the table ---- */

/* "root:espdfu 0660", and whether who asks may not. */
static char *format_rights(const struct device *device)
{
        char *text;

        if (!device->owner)
                return strdup("");
        return asprintf(&text, "%s:%s %04o%s", device->owner, device->group, device->rights,
                        device->may_open ? "" : ", not you") < 0
                       ? NULL
                       : text;
}

/* "no policy: …", "flashed". */
static char *format_opinion(const struct slot_status *slot)
{
        _cleanup_(freep) char *phase = format_word(slot ? phase_to_string(slot->phase) : "");
        const char *why = slot ? slot->message : NULL;
        char *text;

        if (!phase)
                return NULL;
        return asprintf(&text, "%s%s%s", phase, why ? ": " : "", why ? why : "") < 0 ? NULL : text;
}

static int add_device(const struct listing *listing, const struct device *device,
                      const struct table_style *style, struct libscols_table *table)
{
        const struct slot_status *slot = station_view_slot_of(&listing->view, device);
        struct libscols_line *line = scols_table_new_line(table, NULL);
        _cleanup_(freep) char *rights = format_rights(device);
        _cleanup_(freep) char *opinion = format_opinion(slot);
        char id[DEVICE_ID_SIZE];
        const char *texts[N_COLUMNS] = {
                [PORT] = device->port,
                [ID] = device_id(device, id),
                [MODE] = device_mode_to_string(device->mode),
                [CHIP] = device->chip ? device->chip->short_name : NULL,
                [SERIAL] = device->serial,
                [NODE] = device->node,
                [RIGHTS] = rights,
                [PATH] = device->path,
                [SLOT] = slot ? slot->slot : NULL,
                [STATION] = opinion,
        };
        int r = line && rights && opinion ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < N_COLUMNS; i++)
                r = table_set(style, line, i, texts[i]);
        return r;
}

static int print_table(const struct listing *listing, const struct table_choice *choice, status_pick pick)
{
        const struct table_fit fit = { usual_widths, dispensable, ARRAY_SIZE(dispensable) };
        bool chosen = table_is_chosen(choice);
        struct table_style style;
        _cleanup_(table_unrefp) struct libscols_table *table = NULL;
        _cleanup_(freep) char *text = NULL;
        int r;

        table_style_of_stdout(&style);
        if (!chosen)
                table_style_fit_terminal(&style);
        table = table_new(&style, column_names, N_COLUMNS);
        r = table ? 0 : -ENOMEM;
        for (size_t i = 0; r == 0 && i < listing->n; i++)
                if (is_picked(listing, &listing->devices[i], pick))
                        r = add_device(listing, &listing->devices[i], &style, table);
        if (r == 0 && scols_table_get_nlines(table) == 0 && !chosen) {
                puts("No device of Espressif's (303a:*) on any USB port: see espdfuctl doctor.");
                return EXIT_DONE;
        }
        if (r == 0)
                r = chosen ? table_choose(table, choice) : table_fit(&style, table, &fit);
        if (r == 0)
                r = scols_print_table_to_string(table, &text);
        if (r != 0)
                return client_misread(r);
        fputs(text, stdout);
        if (*text && text[strlen(text) - 1] != '\n')
                putchar('\n');
        return EXIT_DONE;
}

/* ---- JSON ---- */

static json_t *device_json(const struct listing *listing, const struct device *device)
{
        const struct slot_status *slot = station_view_slot_of(&listing->view, device);
        json_t *object = device_to_json(device);
        json_t *opinion = json_pack("{s:s?, s:s?, s:s?, s:s?}", "slot", slot ? slot->slot : NULL, "phase",
                                    slot ? phase_to_string(slot->phase) : NULL, "policy",
                                    slot ? slot->policy : NULL, "message", slot ? slot->message : NULL);

        if (object && json_object_update(object, opinion) < 0) {
                json_decref(object);
                object = NULL;
        }
        json_decref(opinion);
        return object;
}

static int print_json(const struct listing *listing, status_pick pick)
{
        json_t *devices = json_array(), *whole;
        bool sound = devices;
        int r;

        for (size_t i = 0; sound && i < listing->n; i++)
                if (is_picked(listing, &listing->devices[i], pick))
                        sound = json_array_append_new(devices, device_json(listing, &listing->devices[i])) ==
                                0;
        if (!sound) {
                json_decref(devices);
                return client_misread(-ENOMEM);
        }
        whole = json_pack("{s:b, s:o}", "daemon", listing->view.daemon == DOCTOR_DAEMON_ANSWERS, "devices",
                          devices);
        r = whole ? client_print_json(whole, false) : client_misread(-ENOMEM);
        json_decref(whole);
        return r;
}

/* ---- the verb ---- */

/* A slot may be known and empty; what nobody knows is a typing error. */
static const char *find_unknown(const struct listing *listing, status_pick pick)
{
        for (; *pick; pick++)
                if (!devices_find(listing->devices, listing->n, *pick) &&
                    !station_view_slot(&listing->view, *pick))
                        return *pick;
        return NULL;
}

int verb_list(int argc, char **argv)
{
        _cleanup_(listing_done) struct listing listing = { 0 };
        bool json = false;
        struct table_choice choice = { 0 };
        const struct client_option options[] = { { "json", .flag = &json }, TABLE_OPTIONS(choice) };
        const char *unknown;
        int r = client_options(argc, argv, options, ARRAY_SIZE(options), INT_MAX);

        if (r != CLIENT_GO_ON)
                return r;
        r = table_choice_read(&choice, "list", list_columns, json);
        if (r != EXIT_DONE)
                return r;
        r = devices_look(&listing.devices, &listing.n);
        if (r < 0) {
                client_error("cannot list the USB devices of this machine: %s", strerror(-r));
                return EXIT_FAILED;
        }
        r = station_look(&listing.view);
        if (r < 0)
                return client_misread(r);
        unknown = find_unknown(&listing, argv + optind);
        if (unknown) {
                client_error("%s: no Espressif device is at this port or path%s", unknown,
                             listing.view.fault ? ", and no espdfud answers that knows slots"
                                                : ", and no slot has this name");
                return EXIT_FAILED;
        }
        if (listing.view.fault)
                client_error("what the station thinks of them is not known: %s", listing.view.fault);
        return json ? print_json(&listing, argv + optind) : print_table(&listing, &choice, argv + optind);
}
