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
        printf("The configuration is in force: %u slots, %u policies.\n", result.slots, result.policies);
        return EXIT_DONE;
}

int verb_reload(int argc, char **argv)
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        json_t *parameters;
        int c, r;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                return c == 'h' ? client_help(argv[0]) : client_bad_usage(argv);
        if (optind < argc)
                return client_too_many(argv);
        r = client_ask(STATION_INTERFACE ".Reload", NULL, &parameters);
        if (r != EXIT_DONE)
                return r;
        r = print_result(parameters);
        json_decref(parameters);
        return r;
}
