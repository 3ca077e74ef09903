/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl reload: the daemon reads its configuration again. */
#include <stdio.h>

#include "client/client.h"

int client_reload(unsigned *ret_slots, unsigned *ret_policies)
{
        _cleanup_(reload_result_done) struct reload_result result = { 0 };
        json_t *parameters;
        int r = client_ask(STATION_INTERFACE ".Reload", NULL, &parameters);

        if (r != EXIT_DONE)
                return r;
        r = reload_result_from_json(parameters, &result);
        json_decref(parameters);
        if (r < 0)
                return client_misread(r);
        for (size_t i = 0; i < result.n_warnings; i++)
                client_error("warning: %s", result.warnings[i]);
        *ret_slots = result.slots;
        *ret_policies = result.policies;
        return EXIT_DONE;
}

int verb_reload(int argc, char **argv)
{
        unsigned slots, policies;
        int r = client_options(argc, argv, NULL, 0, 0);

        if (r != CLIENT_GO_ON)
                return r;
        r = client_reload(&slots, &policies);
        if (r == EXIT_DONE)
                printf("The configuration is in force: %u slot%s, %u polic%s.\n", slots,
                       slots == 1 ? "" : "s", policies, policies == 1 ? "y" : "ies");
        return r;
}
