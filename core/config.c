/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration as an object: made, filled, thrown away; and the list of what is wrong with a text. */
#include <stdarg.h>
#include <stdio.h>

#include "core/config-keys.h"

static const char *const action_words[POLICY_ACTION_MAX_] = {
        [POLICY_FLASH] = "flash",
        [POLICY_IGNORE] = "ignore",
        [POLICY_HOLD] = "hold",
};
DEFINE_WORDS(policy_action, action_words)

static const char *const mode_words[POLICY_MODE_MAX_] = {
        [POLICY_MODE_ROM] = "rom",
        [POLICY_MODE_ANY] = "any",
};
DEFINE_WORDS(policy_mode, mode_words)

static const char *const after_words[POLICY_AFTER_MAX_] = {
        [POLICY_STAY] = "stay",
        [POLICY_RESET] = "reset",
};
DEFINE_WORDS(policy_after, after_words)

static const char *const reflash_words[POLICY_REFLASH_MAX_] = {
        [POLICY_REFLASH_ALWAYS] = "always",
        [POLICY_REFLASH_NEVER] = "never",
};
DEFINE_WORDS(policy_reflash, reflash_words)

static const char *const signature_words[POLICY_SIGNATURE_MAX_] = {
        [POLICY_SIGNATURE_NONE] = "none",
        [POLICY_SIGNATURE_REQUIRED] = "required",
};
DEFINE_WORDS(policy_signature, signature_words)

int config_new(struct config **ret)
{
        _cleanup_(config_freep) struct config *config = calloc(1, sizeof(*config));
        int r;

        if (!config)
                return -ENOMEM;
        r = config_set_defaults(CONFIG_STATION, config);
        if (r < 0)
                return r;
        *ret = take_ptr(config);
        return 0;
}

static void slot_done(struct config_slot *slot)
{
        free(slot->name);
        free(slot->path);
        free(slot->port);
        free(slot->origin.file);
}

static void hub_done(struct config_hub *hub)
{
        free(hub->name);
        free(hub->path);
        free(hub->port);
        free(hub->origin.file);
}

static void policy_done(struct config_policy *policy)
{
        free(policy->name);
        free(policy->slot);
        free(policy->port);
        free(policy->path);
        free(policy->serial);
        free(policy->image);
        free(policy->board_data);
        free(policy->origin.file);
}

struct config *config_free(struct config *config)
{
        if (!config)
                return NULL;
        for (size_t i = 0; i < config->n_slots; i++)
                slot_done(&config->slots[i]);
        for (size_t i = 0; i < config->n_ranges; i++)
                slot_done(&config->ranges[i]);
        for (size_t i = 0; i < config->n_hubs; i++)
                hub_done(&config->hubs[i]);
        for (size_t i = 0; i < config->n_policies; i++)
                policy_done(&config->policies[i]);
        free(config->slots);
        free(config->ranges);
        free(config->hubs);
        free(config->policies);
        free(config->station_name);
        trusted_keys_done(&config->keys);
        free(config);
        return NULL;
}

void config_errors_done(struct config_errors *errors)
{
        for (size_t i = 0; i < errors->n_lines; i++)
                free(errors->lines[i]);
        free(errors->lines);
        *errors = (struct config_errors){};
}

void config_errors_add(struct config_errors *errors, const char *fmt, ...)
{
        char *line, **lines;
        va_list ap;
        int n;

        errors->total++;
        if (errors->n_lines == CONFIG_ERRORS_MAX)
                return;
        lines = reallocarray(errors->lines, errors->n_lines + 1, sizeof(*lines));
        if (!lines)
                return;
        errors->lines = lines;
        va_start(ap, fmt);
        n = vasprintf(&line, fmt, ap);
        va_end(ap);
        if (n >= 0)
                errors->lines[errors->n_lines++] = line;
}
