/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options that choose attempts, of history, export and stats. */
#pragma once

#include "client/client.h"
#include "io/history-query.h"

#define FILTER_USAGE                                                                                         \
        "[--slot SLOT] [--mac MAC] [--image IMAGE] [--verdict VERDICT] [--since TIME] [--until TIME]"

/* Rows of a verb's table of options; f: a struct history_query. */
#define FILTER_OPTIONS(f)                                                                                    \
        { "image", .value = &(f).image }, { "mac", .value = &(f).mac }, { "since", .value = &(f).since },    \
                { "slot", .value = &(f).slot }, { "until", .value = &(f).until },                            \
        {                                                                                                    \
                "verdict", .value = &(f).verdict                                                             \
        }

/* The call's parameters, a new object. EXIT_DONE, or all is said. */
int filter_parameters(const struct history_query *f, json_t **ret);
