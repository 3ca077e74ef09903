/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A configuration file, and the slots that its ranges give; the same bytes as the file in which the hubs of ranges are kept.
 * What is accepted is within the bounds that the daemon relies on.
 */
#include "core/config-keys.h"
#include "core/config-values.h"
#include "core/glob.h"
#include "core/places.h"
#include "core/policy.h"
#include "core/printable.h"
#include "core/slot-range.h"
#include "tests/fuzz/fuzz.h"

/* A tab is no control character in a line of INI. */
static bool is_one_line(const char *text)
{
        _cleanup_(freep) char *copy = strdup(text);

        must(copy);
        for (char *tab = copy; (tab = strchr(tab, '\t'));)
                *tab = ' ';
        return is_printable(copy);
}

static void check_errors(const struct config_errors *errors)
{
        must(errors->n_lines == MIN(errors->total, (size_t)CONFIG_ERRORS_MAX));
        for (size_t i = 0; i < errors->n_lines; i++)
                must(errors->lines[i][0] && is_one_line(errors->lines[i]));
}

static void check_places(const struct config *config)
{
        for (size_t i = 0; i < config->n_slots; i++) {
                const struct config_slot *slot = &config->slots[i];

                must(value_is_name(slot->name, CONFIG_NAME_MAX) && !value_is_port(slot->name));
                must(!slot->path != !slot->port);
                must(slot->path ? value_is_id_path(slot->path) : value_is_port(slot->port));
                for (size_t j = 0; j < i; j++)
                        must(!streq(config->slots[j].name, slot->name));
        }
        for (size_t i = 0; i < config->n_hubs; i++)
                must(!config->hubs[i].path != !config->hubs[i].port && config->hubs[i].name);
        for (size_t i = 0; i < config->n_ranges; i++) {
                const struct config_slot *range = &config->ranges[i];

                must(!range_name_fault(range->name));
                must(range->path ? value_is_path_range(range->path) : value_is_port_range(range->port));
        }
}

static bool is_sound_glob(const char *glob)
{
        return !glob || !glob_fault(glob);
}

static void check_policies(const struct config *config)
{
        for (size_t i = 0; i < config->n_policies; i++) {
                const struct config_policy *p = &config->policies[i];

                must(value_is_name(p->name, CONFIG_NAME_MAX));
                must(p->action < POLICY_ACTION_MAX_ && p->mode < POLICY_MODE_MAX_);
                must(p->after < POLICY_AFTER_MAX_ && p->reflash < POLICY_REFLASH_MAX_);
                must(p->action != POLICY_FLASH || p->image);
                must(!p->image || p->image[0] == '/');
                must(!p->board_data || p->board_data[0] == '/');
                must(p->board_data_address % 4096 == 0);
                must(p->attempts >= 1 && p->attempts <= 20);
                must(is_sound_glob(p->slot) && is_sound_glob(p->port) && is_sound_glob(p->path) &&
                     is_sound_glob(p->serial));
        }
}

/* A board that arrives: every policy can be asked, and the first that matches is the answer. */
static void ask_policies(const struct config *config)
{
        const struct board_facts board = {
                .port = "1-4.1",
                .path = "pci-0000:00:14.0-usb-0:4.1",
                .slot = config->n_slots > 0 ? config->slots[0].name : NULL,
                .serial = "7c:df:a1:0b:00:12",
                .vid = ESP_VENDOR_ID,
                .pid = 0x0009,
                .is_rom = true,
                .has_dfu = true,
        };
        const struct config_policy *chosen = policy_for(config, &board);
        struct policy_mismatch why;

        for (size_t i = 0; i < config->n_policies; i++) {
                const struct config_policy *p = &config->policies[i];

                if (policy_matches(p, &board, &why)) {
                        must(p == chosen);
                        return;
                }
                must(why.key && why.wanted && why.found);
        }
        must(!chosen);
}

static void check_hubs_above(const struct config *config)
{
        struct places places;
        uint64_t hubs = hubs_above(config, "pci-0000:00:14.0-usb-0:4.1", "1-4.1");

        places_init(&places, config);
        must(config->n_hubs == 64 || hubs >> config->n_hubs == 0);
        places_take(&places, hubs);
}

/* Two hubs are there; a range that they are in gives slots, whatever its file said. */
static void add_ranges(struct config *config, const uint8_t *data, size_t size)
{
        _cleanup_(seen_hubs_done) struct seen_hubs seen = { 0 };
        _cleanup_(layouts_done) struct layouts layouts = { 0 }, kept = { 0 }, again = { 0 };
        struct config_errors warnings = { 0 };
        _cleanup_(freep) char *text = NULL;

        must(seen_hubs_add(&seen, "pci-0000:00:14.0-usb-0:2", "1-2", 7) == 0);
        must(seen_hubs_add(&seen, "pci-0000:00:14.0", "usb1", 4) == 0);
        if (layouts_parse((const char *)data, size, &layouts) == 0)
                must(layouts_copy_for(&layouts, config, &kept) == 0);
        must(layouts_take(&kept, config, &seen, false, NULL) >= 0);
        must(layouts_encode(&kept, &text) == 0);
        must(layouts_parse(text, strlen(text), &again) == 0 && again.n == kept.n);
        must(config_add_range_slots(config, &kept, &seen, &warnings) == 0);
        check_errors(&warnings);
        config_errors_done(&warnings);
        must(config->n_slots <= CONFIG_SLOTS_MAX);
        check_places(config);
}

/* The file that the daemon wrote, or that somebody else wrote in its place. */
static void read_layouts(const uint8_t *data, size_t size)
{
        _cleanup_(layouts_done) struct layouts layouts = { 0 }, again = { 0 };
        _cleanup_(freep) char *text = NULL;
        int r = layouts_parse((const char *)data, size, &layouts);

        must(r == 0 || r == 1);
        if (r != 0)
                return;
        must(layouts_encode(&layouts, &text) == 0);
        must(layouts_parse(text, strlen(text), &again) == 0 && again.n == layouts.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(config_freep) struct config *config = NULL;
        struct config_errors errors = { 0 };

        read_layouts(data, size);
        must(config_new(&config) == 0);
        must(config_parse(config, "line3.conf", (const char *)data, size, &errors) == 0);
        check_errors(&errors);
        if (errors.total == 0) {
                must(config->n_slots <= CONFIG_SLOTS_MAX && config->n_hubs <= CONFIG_HUBS_MAX &&
                     config->n_policies <= CONFIG_POLICIES_MAX);
                check_places(config);
                check_policies(config);
                ask_policies(config);
                check_hubs_above(config);
                add_ranges(config, data, size);
        }
        config_errors_done(&errors);
        return 0;
}
