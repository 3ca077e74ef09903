/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ranges of slots, [slot B*]: the hubs that are there, and those that the numbers are made of, which are kept in
 * layout.json beside the holds. The file is written when the numbers change, at the start or with a reload.
 */
#include <stdio.h>

#include "daemon/log.h"
#include "daemon/station-internal.h"
#include "io/file-write.h"
#include "io/file.h"

static char *file_path(const struct station *station)
{
        char *path;

        return asprintf(&path, "%s/layout.json", station->options->state_dir) < 0 ? NULL : path;
}

/* One that cannot be read is as none: the numbers are those of the hubs that are there. */
static int load(struct station *station)
{
        _cleanup_(freep) char *path = file_path(station);
        _cleanup_(freep) uint8_t *text = NULL;
        size_t len;
        int r = path ? file_read(path, LAYOUT_FILE_MAX, &text, &len) : -ENOMEM;

        if (r == 0)
                r = layouts_parse((const char *)text, len, &station->layouts);
        if (r == -ENOMEM)
                return r;
        if (r != 0 && r != -ENOENT)
                log_error("%s: %s: ranges of slots are numbered by the hubs that are there now", path,
                          r < 0 ? strerror(-r) : "not what espdfud wrote");
        return 0;
}

/* What is not written is lost with the daemon, and no more. */
static void save(const struct station *station, const struct layouts *layouts)
{
        _cleanup_(freep) char *path = file_path(station);
        _cleanup_(freep) char *text = NULL;
        int r = path ? layouts_encode(layouts, &text) : -ENOMEM;

        if (r == 0)
                r = file_write(path, text, strlen(text));
        if (r < 0)
                log_error("%s: cannot be written: %s: the next start may number slots otherwise",
                          path ? path : "layout.json", strerror(-r));
}

static bool had_hubs(const struct layouts *layouts, const struct config_slot *range)
{
        for (size_t i = 0; i < layouts->n; i++)
                if (streq(layouts->items[i].range, range->path ? range->path : range->port))
                        return layouts->items[i].n_hubs > 0;
        return false;
}

static void tell_changes(const struct station *station, const struct config *config, const bool *changed,
                         struct config_errors *warnings)
{
        for (size_t i = 0; i < config->n_ranges; i++) {
                const struct config_slot *range = &config->ranges[i];

                if (changed[i] && had_hubs(&station->layouts, range))
                        config_errors_add(
                                warnings,
                                "%s:%u: [slot %s]: its hubs are others than before: numbers may have "
                                "moved, see espdfuctl status",
                                range->origin.file, range->origin.line, range->name);
        }
}

/* The hubs as they were before, and what is seen; station->layouts is theirs afterwards. */
static int take_hubs(struct station *station, const struct config *config, const struct seen_hubs *seen,
                     bool reload, struct config_errors *warnings)
{
        _cleanup_(layouts_done) struct layouts layouts = { 0 };
        bool changed[CONFIG_SLOTS_MAX] = { false };
        struct layouts before;
        size_t n = station->layouts.n;
        int r = layouts_copy_for(&station->layouts, config, &layouts);

        if (r == 0)
                r = layouts_take(&layouts, config, seen, !reload, changed);
        if (r < 0)
                return r;
        tell_changes(station, config, changed, warnings);
        before = station->layouts;
        station->layouts = layouts;
        layouts = before;
        if (r > 0 || n != station->layouts.n)
                save(station, &station->layouts);
        return 0;
}

int station_number_ranges(struct station *station, struct config *config, bool reload,
                          struct config_errors *ret_warnings)
{
        _cleanup_(config_errors_done) struct config_errors own = { 0 };
        struct config_errors *warnings = ret_warnings ? ret_warnings : &own;
        _cleanup_(seen_hubs_done) struct seen_hubs seen = { 0 };
        int r = reload ? 0 : load(station);

        if (r < 0 || (config->n_ranges == 0 && station->layouts.n == 0))
                return r;
        r = hotplug_find_hubs(station->hotplug, &seen);
        if (r == 0)
                r = take_hubs(station, config, &seen, reload, warnings);
        if (r == 0)
                r = config_add_range_slots(config, &station->layouts, &seen, warnings);
        for (size_t i = 0; i < warnings->n_lines; i++)
                log_warning("%s", warnings->lines[i]);
        return r;
}

void station_on_hub(void *userdata, const char *path, const char *port, unsigned n_ports)
{
        _cleanup_(seen_hubs_done) struct seen_hubs seen = { 0 };
        struct station *station = userdata;
        const struct config_slot *range = NULL;

        if (seen_hubs_add(&seen, path, port, n_ports) == 0)
                range = layouts_range_without(&station->layouts, station->config, &seen.items[0]);
        if (range)
                log_notice(
                        "the hub on %s is new in slot %s: its ports have no numbers before espdfuctl reload",
                        port, range->name);
}
