/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a configuration means for slots and policies, at the start and on a reload. */
#include "daemon/station-internal.h"

#include <stdio.h>

#include "daemon/log.h"
#include "daemon/message-ids.h"
#include "daemon/notify.h"
#include "io/config-dir.h"

/* ---- slots ---- */

/* Takes the slot that is at this place out of a list. */
static struct slot *take_slot_at(struct slot **slots, size_t n, const char *path, const char *port)
{
        for (size_t i = 0; i < n; i++)
                if (slots[i] && slot_is_at(slots[i], path, port))
                        return take_ptr(slots[i]);
        return NULL;
}

static int place_configured(struct station *station, const struct config_slot *configured, struct slot **old,
                            size_t n_old)
{
        struct slot *slot = take_slot_at(old, n_old, configured->path, configured->port);

        if (!slot)
                return station_add_slot(station, configured->name, configured->path, configured->port, &slot);
        station->slots[station->n_slots++] = slot;
        return slot_rename(slot, configured->name);
}

/* One that the configuration no longer names stays while something is on it, under its port's name. */
static int place_other(struct station *station, struct slot *slot)
{
        struct slot_status status;
        int r;

        if (!slot_is_occupied(slot) && !slot_has_job(slot)) {
                slot_free(slot);
                return 0;
        }
        station->slots[station->n_slots++] = slot;
        r = slot_status(slot, &status);
        if (r == 0) {
                r = slot_rename(slot, status.port);
                slot_status_done(&status);
        }
        return r;
}

int station_lay_out_slots(struct station *station)
{
        _cleanup_(freep) struct slot **old = station->slots;
        size_t n_old = station->n_slots, room = n_old + station->config->n_slots + 1;
        int r = 0;

        /* Room for all that there can be, so that nothing is lost between the lists. */
        station->n_slots = 0;
        station->slots = calloc(room, sizeof(struct slot *));
        if (!station->slots) {
                station->slots = take_ptr(old);
                station->n_slots = n_old;
                return -ENOMEM;
        }
        station->slots_room = room;
        for (size_t i = 0; i < station->config->n_slots && r == 0; i++)
                r = place_configured(station, &station->config->slots[i], old, n_old);
        for (size_t i = 0; i < n_old; i++)
                if (old[i] && r == 0)
                        r = place_other(station, old[i]);
        return r == 0 ? station_add_held_slots(station) : r;
}

/* ---- policies ---- */

void station_forget_policies(struct station *station)
{
        for (size_t i = 0; i < station->n_policies; i++)
                policy_status_done(&station->policies[i]);
        free(station->policies);
        station->policies = NULL;
        station->n_policies = 0;
}

void station_image_seen(void *userdata, const struct config_policy *policy, const struct image_copy *copy,
                        const char *why)
{
        struct station *station = userdata;
        struct policy_status *status;
        size_t i = (size_t)(policy - station->config->policies);

        if (i >= station->n_policies)
                return;
        status = &station->policies[i];
        if (status->unusable && !why) {
                station->policy_mended = true;
                station_places_changed(station);
        }
        /* Without memory it shows less; what is done does not depend on it. */
        (void)free_and_strdup(&status->unusable, why);
        (void)free_and_strdup(&status->sha256, copy ? copy->sha256 : NULL);
        (void)free_and_strdup(&status->image_name, copy ? copy->name : NULL);
        (void)free_and_strdup(&status->image_version, copy ? copy->version : NULL);
}

/* So that the first board does not wait for it, and the journal says early what is wrong with it. */
static int read_ahead(struct station *station, const struct config_policy *policy)
{
        _cleanup_(freep) char *why = NULL;
        int r = board_data_read_ahead(station->world.board_data, policy->board_data, &why);

        if (r == BOARD_DATA_WAITS)
                log_slot(LOG_WARNING, NULL, NULL, NULL, "policy %s: %s", policy->name, why);
        return MIN(r, 0);
}

static int check_policy(struct station *station, const struct config_policy *policy)
{
        _cleanup_(image_copy_unrefp) struct image_copy *copy = NULL;
        _cleanup_(freep) char *why = NULL;
        int r;

        if (!policy->image || policy->action == POLICY_IGNORE)
                return 0;
        r = images_get(station->world.images, policy, &station->config->keys, &copy, &why);
        if (r < 0)
                return r;
        if (why)
                log_slot(LOG_ERR, NULL, NULL, MESSAGE_POLICY_UNUSABLE, "policy %s is unusable: %s",
                         policy->name, why);
        station_image_seen(station, policy, copy, why);
        return policy->board_data ? read_ahead(station, policy) : 0;
}

int station_check_policies(struct station *station)
{
        const struct config *config = station->config;
        int r = 0;

        station_forget_policies(station);
        station->policies = calloc(config->n_policies + 1, sizeof(*station->policies));
        if (!station->policies)
                return -ENOMEM;
        station->n_policies = config->n_policies;
        images_prune(station->world.images, config);
        for (size_t i = 0; i < config->n_policies && r == 0; i++) {
                r = free_and_strdup(&station->policies[i].name, config->policies[i].name);
                if (r == 0)
                        r = free_and_strdup(&station->policies[i].image, config->policies[i].image);
                if (r == 0)
                        r = check_policy(station, &config->policies[i]);
        }
        return r;
}

/* ---- reload ---- */

static int add_line(char ***lines, size_t *n, const char *text)
{
        char **more = reallocarray(*lines, *n + 1, sizeof(char *));

        if (!more)
                return -ENOMEM;
        *lines = more;
        more[*n] = strdup(text);
        if (!more[*n])
                return -ENOMEM;
        (*n)++;
        return 0;
}

static int add_warning(struct reload_result *ret, const struct policy_status *policy)
{
        _cleanup_(freep) char *text = NULL;

        if (asprintf(&text, "policy %s: %s", policy->name, policy->unusable) < 0)
                return -ENOMEM;
        return add_line(&ret->warnings, &ret->n_warnings, text);
}

/* What became of ranges of slots. */
static int add_warnings(struct reload_result *ret, const struct config_errors *warnings)
{
        int r = 0;

        for (size_t i = 0; i < warnings->n_lines && r == 0; i++)
                r = add_line(&ret->warnings, &ret->n_warnings, warnings->lines[i]);
        return r;
}

static int refuse(struct station *station, const struct config_errors *errors, struct reload_result *ret)
{
        int r = 0;

        log_slot(LOG_ERR, NULL, NULL, MESSAGE_CONFIG_REFUSED,
                 "configuration refused, the one before stays in force: %zu error%s", errors->total,
                 errors->total == 1 ? "" : "s");
        for (size_t i = 0; i < errors->n_lines && r == 0; i++) {
                log_error("%s", errors->lines[i]);
                r = add_line(&ret->errors, &ret->n_errors, errors->lines[i]);
        }
        if (r == 0)
                r = free_and_strdup(&station->config_error,
                                    errors->n_lines > 0 ? errors->lines[0] : "out of memory");
        server_changed(station->server);
        return r;
}

static int adopt(struct station *station, struct config *config, struct reload_result *ret)
{
        _cleanup_(config_errors_done) struct config_errors warnings = { 0 };
        struct config *old = station->config;
        int r = station_number_ranges(station, config, true, &warnings);

        if (r < 0) {
                config_free(config);
                return r;
        }
        station->config = config;
        station->world.config = config;
        for (size_t i = 0; i < station->n_slots; i++)
                slot_find_hubs(station->slots[i]);
        board_data_reload(station->world.board_data);
        r = station_lay_out_slots(station);
        if (r == 0)
                r = station_check_policies(station);
        config_free(old);
        (void)free_and_strdup(&station->config_error, NULL);
        for (size_t i = 0; i < station->n_slots; i++)
                slot_reconsider(station->slots[i]);
        station_places_changed(station);
        station_rescan(station);
        server_changed(station->server);
        ret->slots = (unsigned)config->n_slots;
        ret->policies = (unsigned)config->n_policies;
        if (r == 0)
                r = add_warnings(ret, &warnings);
        for (size_t i = 0; i < station->n_policies && r == 0; i++)
                if (station->policies[i].unusable)
                        r = add_warning(ret, &station->policies[i]);
        log_info("configuration loaded: %u slots, %zu hubs, %u policies", ret->slots, config->n_hubs,
                 ret->policies);
        return r;
}

static int load_config(struct station *station, struct reload_result *ret)
{
        _cleanup_(config_errors_done) struct config_errors errors = { 0 };
        struct config *config;
        int r = config_load(station->options->config_dir, station->options->vendor_dir, &config, &errors);

        if (r < 0)
                config_errors_add(&errors, "%s: %s", station->options->config_dir, strerror(-r));
        if (r != 0)
                return refuse(station, &errors, ret);
        return adopt(station, config, ret);
}

/* While it goes on, `systemctl reload` waits. */
int station_load_config(struct station *station, struct reload_result *ret)
{
        int r;

        notify_reloading();
        r = load_config(station, ret);
        notify_ready();
        station_tell_systemd(station);
        return r;
}

void station_reload(struct station *station)
{
        struct reload_result result = { 0 };
        int r = station_load_config(station, &result);

        if (r < 0)
                log_error("configuration could not be loaded: %s", strerror(-r));
        reload_result_done(&result);
}
