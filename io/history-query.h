/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which attempts somebody wants to see, in a person's words, as the parameters of History. */
#pragma once

#include <jansson.h>

#include "core/util.h"

/* NULL: it does not matter. Borrowed. */
struct history_query {
        const char *slot, *mac, *image, *verdict;
        const char *since, *until; /* core/time-words.h; local time, as of now */
};

#define HISTORY_QUERY_WRONG 1 /* *ret_why says which and what was expected, to be freed */

/* prefix: what stands before the names in *ret_why: "--" for options. 0 with a new object; HISTORY_QUERY_WRONG; -ENOMEM. */
int history_query_parameters(const struct history_query *query, const char *prefix, json_t **ret,
                             char **ret_why);
