/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/filters.h"

int filter_parameters(const struct history_query *f, json_t **ret)
{
        _cleanup_(freep) char *why = NULL;
        int r = history_query_parameters(f, "--", ret, &why);

        if (r == HISTORY_QUERY_WRONG) {
                client_error("%s", why);
                return EXIT_USAGE;
        }
        return r < 0 ? client_misread(r) : EXIT_DONE;
}
