/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl reload: the daemon reads its configuration again. */
#include <stdio.h>

#include "client/client.h"

static int print_result(const json_t *parameters)
{
        _cleanup_(reload_result_done) struct reload_result result = { 0 };
        int r;

        r = reload_result_from_json(parameters, &result);
        if (r < 0)
                return client_misread(r);
        for (size_t i = 0; i < result.n_warnings; i++)
                client_error("warning: %s", result.warnings[i]);
        printf("The configuration is in force: %u slot%s, %u polic%s.\n", result.slots,
               result.slots == 1 ? "" : "s", result.policies, result.policies == 1 ? "y" : "ies");
        return EXIT_DONE;
}

int verb_reload(int argc, char **argv)
{
        json_t *parameters;
        int r;

        r = client_options(argc, argv, NULL, 0, 0);
        if (r != CLIENT_GO_ON)
                return r;
        r = client_ask(STATION_INTERFACE ".Reload", NULL, &parameters);
        if (r != EXIT_DONE)
                return r;
        r = print_result(parameters);
        json_decref(parameters);
        return r;
}
