/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options that choose attempts, of history, export and stats. */
#pragma once

#include "client/client.h"

struct filter_arguments {
        const char *slot, *mac, *image, *since, *until,
                *verdict; /* as they stand on the command line, or NULL */
};

#define FILTER_USAGE                                                                                         \
        "[--slot SLOT] [--mac MAC] [--image IMAGE] [--verdict VERDICT] [--since TIME] [--until TIME]"

/* Rows of a verb's table of options. */
#define FILTER_OPTIONS(f)                                                                                    \
        { "image", .value = &(f).image }, { "mac", .value = &(f).mac }, { "since", .value = &(f).since },    \
                { "slot", .value = &(f).slot }, { "until", .value = &(f).until },                            \
        {                                                                                                    \
                "verdict", .value = &(f).verdict                                                             \
        }

/* The call's parameters, a new object. EXIT_DONE, or all is said. */
int filter_parameters(const struct filter_arguments *f, json_t **ret);
