/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show/options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "io/say.h"
#include "show/exit.h"

#define CLIENT_OPTIONS_MAX 16

static int bad_usage(char **argv, const char *what)
{
        say_line("%s: %s is not understood: see %s %s --help", argv[0], what, program_invocation_short_name,
                 argv[0]);
        return EXIT_USAGE;
}

static int bad_option(char **argv, int c)
{
        const char *option = argv[optind - 1];
        const char letter[] = { '-', (char)optopt, '\0' };
        size_t n = strcspn(client_global_option, " ");

        if (c == ':')
                say_line("%s: %s: expected a value after it: see %s %s --help", argv[0], option,
                         program_invocation_short_name, argv[0]);
        else if (strncmp(option, client_global_option, n) == 0 && (!option[n] || option[n] == '='))
                say_line("%s: %.*s: expected before the verb: %s %s %s", argv[0], (int)n, option,
                         program_invocation_short_name, client_global_option, argv[0]);
        else
                /* Of letters in one argument optind is not past it yet. */
                return bad_usage(argv, optopt && optopt != 'h' ? letter : option);
        return EXIT_USAGE;
}

int client_options(int argc, char **argv, const struct client_option *options, size_t n, int max_arguments)
{
        struct option table[CLIENT_OPTIONS_MAX + 2] = { { "help", no_argument, NULL, 'h' } };
        int c, which = 0;

        n = MIN(n, (size_t)CLIENT_OPTIONS_MAX);
        for (size_t i = 0; i < n; i++)
                table[i + 1] = (struct option){ options[i].name,
                                                options[i].value ? required_argument : no_argument, NULL, 0 };
        while ((c = getopt_long(argc, argv, ":h", table, &which)) >= 0) {
                if (c == 'h')
                        return client_help(argv[0]);
                if (c != 0)
                        return bad_option(argv, c);
                if (options[which - 1].value)
                        *options[which - 1].value = optarg;
                else
                        *options[which - 1].flag = true;
        }
        if (argc - optind > max_arguments)
                return bad_usage(argv, argv[optind + max_arguments]);
        return CLIENT_GO_ON;
}

bool client_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret)
{
        char *end;
        long long value;

        errno = 0;
        value = strtoll(text, &end, 10);
        if (errno || end == text || *end || value < min || value > max) {
                say_line("%s %s: expected a number from %" PRId64 " to %" PRId64, option, text, min, max);
                return false;
        }
        *ret = value;
        return true;
}
