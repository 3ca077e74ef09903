/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/policy.h"
#include "core/glob.h"

static bool mismatch(struct policy_mismatch *ret, const char *key, const char *wanted, const char *found)
{
        if (ret)
                *ret = (struct policy_mismatch){ key, wanted, found };
        return false;
}

static const struct chip *chip_of(const struct board_facts *board)
{
        return board->vid == ESP_VENDOR_ID ? chip_by_pid(board->pid) : NULL;
}

static bool mode_matches(const struct config_policy *policy, const struct board_facts *board,
                         struct policy_mismatch *ret)
{
        const char *wanted = policy_mode_to_string(policy->mode);

        switch (policy->mode) {
        case POLICY_MODE_ROM:
                return board->is_rom || mismatch(ret, "mode", wanted, "not the mask ROM");
        case POLICY_MODE_ANY:
                return board->has_dfu || mismatch(ret, "mode", wanted, "no DFU interface");
        case POLICY_MODE_MAX_:
                break;
        }
        return false;
}

bool policy_matches(const struct config_policy *policy, const struct board_facts *board,
                    struct policy_mismatch *ret)
{
        const struct {
                const char *key, *glob, *text, *missing;
                bool (*matches)(const char *glob, const char *text);
        } globs[] = {
                { "slot", policy->slot, board->slot, "no slot", glob_matches },
                { "port", policy->port, board->port, "unknown", glob_matches },
                { "path", policy->path, board->path, "unknown", glob_matches },
                { "serial", policy->serial, board->serial, "unknown", glob_matches_any_case },
        };
        const struct chip *chip = chip_of(board);

        if (policy->chip && policy->chip != chip)
                return mismatch(ret, "chip", policy->chip->name, chip ? chip->name : "unknown");
        for (size_t i = 0; i < ARRAY_SIZE(globs); i++) {
                if (!globs[i].glob)
                        continue;
                if (!globs[i].text)
                        return mismatch(ret, globs[i].key, globs[i].glob, globs[i].missing);
                if (!globs[i].matches(globs[i].glob, globs[i].text))
                        return mismatch(ret, globs[i].key, globs[i].glob, globs[i].text);
        }
        return mode_matches(policy, board, ret);
}

const struct config_policy *policy_for(const struct config *config, const struct board_facts *board)
{
        for (size_t i = 0; i < config->n_policies; i++)
                if (policy_matches(&config->policies[i], board, NULL))
                        return &config->policies[i];
        return NULL;
}

const struct config_slot *config_slot_for(const struct config *config, const char *path, const char *port)
{
        for (size_t i = 0; path && i < config->n_slots; i++)
                if (streq_ptr(config->slots[i].path, path))
                        return &config->slots[i];
        for (size_t i = 0; port && i < config->n_slots; i++)
                if (streq_ptr(config->slots[i].port, port))
                        return &config->slots[i];
        return NULL;
}
