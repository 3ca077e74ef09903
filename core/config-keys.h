/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be configured: one row for each key, with its section, its default, what is expected of a value and what it
 * is for. The parser, its messages, `espdfuctl config keys` and the tests of the documents read the same row.
 */
#pragma once

#include "core/config.h"

enum config_section { CONFIG_STATION, CONFIG_SLOT, CONFIG_HUB, CONFIG_POLICY, CONFIG_SECTION_MAX_ };
DECLARE_WORDS(config_section)

struct config_key {
        enum config_section section;
        const char *name;
        const char *default_value; /* as it would be written; NULL: not set */
        const char *expected;      /* completes "expected …" */
        const char *help;          /* one line */
        /* Puts value into field; 0, -EINVAL when it is not what is expected, -ENOMEM. */
        int (*parse)(const struct config_key *key, const char *value, void *field);
        /* What is wrong with a value that parse() refused, where that is more than it is not what is expected; or NULL. */
        const char *(*why)(const char *value);
        size_t offset;     /* of the field in its section's struct */
        uint64_t min, max; /* numbers; max alone: times, in microseconds */
};

/* Walks the table: index 0, 1, … until NULL. */
const struct config_key *config_key_at(size_t index);
#define CONFIG_KEYS_MAX 32 /* more than the table has, which the compiler checks */

/* The row, or NULL; *ret_index is its place in the table. */
const struct config_key *config_key_find(enum config_section section, const char *name, size_t *ret_index);

/* Puts value into the key's field of object, which is the section's struct. Results as key->parse(). */
int config_key_set(const struct config_key *key, const char *value, void *object);

/* Puts the default of every key of the section into object. 0 or -ENOMEM. */
int config_set_defaults(enum config_section section, void *object);

/* The key of the section whose name is spelled most like name, or NULL where none comes near. */
const char *config_key_nearest(enum config_section section, const char *name);

/* The section's keys as a list for a message, "name, jobs-max or stop-time", cut to size. */
void config_key_list(enum config_section section, char *buffer, size_t size);
