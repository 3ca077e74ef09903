/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which policy a board gets: the first in the configuration whose every key matches. Pure, so that the daemon,
 * `espdfuctl explain` and the tests ask the same function.
 */
#pragma once

#include "core/config.h"

/* What is known of a board that stands on a port. Strings are borrowed; NULL where unknown. */
struct board_facts {
        const char *port;         /* "1-4.1" */
        const char *path;         /* udev's ID_PATH */
        const char *slot;         /* the configured slot's name, or NULL */
        const char *serial;       /* iSerial as the board says it */
        const char *manufacturer; /* iManufacturer */
        const char *product;      /* iProduct */
        uint16_t vid, pid, bcd_device;
        bool is_rom;   /* descriptors and strings are the mask ROM's to the byte */
        bool has_dfu;  /* there is a DFU interface */
        bool dfu_mode; /* it is in DFU mode (bInterfaceProtocol 2), not run-time mode */
};

/* Why one policy did not match: its key, what the policy wants and what the board has. Texts are borrowed from
 * the policy and the board, or static. */
struct policy_mismatch {
        const char *key;
        const char *wanted;
        const char *found;
};

/* Whether policy matches board; if not, and ret is not NULL, the first key that does not. */
bool policy_matches(const struct config_policy *policy, const struct board_facts *board,
                    struct policy_mismatch *ret);

/* The first policy that matches, or NULL. */
const struct config_policy *policy_for(const struct config *config, const struct board_facts *board);

/* The configured slot for a port: by its ID_PATH, then by its port path; NULL if none names it. Either may be NULL. */
const struct config_slot *config_slot_for(const struct config *config, const char *path, const char *port);
