/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * espdfu-mqtt: a station's records and state to an MQTT broker. Exit status: 0 stopped as told, 1 failed, 2 wrong arguments,
 * 78 (EX_CONFIG) a configuration that cannot be used.
 */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "fleet/bridge.h"
#include "io/say.h"

#define CONFIG_FILE SYSCONFDIR "/espdfu/mqtt.conf"
#define STATE_DIR   LOCALSTATEDIR "/lib/espdfu-mqtt"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
        const char *config, *state;
        bool check;
};

static void print_help(void)
{
        puts("Usage: espdfu-mqtt [OPTION…]\n"
             "Carries a flashing station's records and state to an MQTT broker; see espdfu-mqtt(8).\n"
             "\n"
             "  --config FILE  default: " CONFIG_FILE "; see mqtt.conf(5)\n"
             "  --state DIR    where it remembers what is delivered (default: $STATE_DIRECTORY, else\n"
             "                 " STATE_DIR ")\n"
             "  --check        read the configuration, say what is wrong with it, and exit\n"
             "  --help, --version");
}

static int bad_usage(const char *option, const char *what)
{
        say_line("%s: %s: see espdfu-mqtt --help", option, what);
        return EXIT_USAGE;
}

/* Negative: go on; else an exit status. */
static int take_options(int argc, char **argv, struct options *ret)
{
        static const struct option table[] = {
                { "check", no_argument, NULL, 'k' },   { "config", required_argument, NULL, 'c' },
                { "help", no_argument, NULL, 'h' },    { "state", required_argument, NULL, 's' },
                { "version", no_argument, NULL, 'v' }, { 0 },
        };
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, ":h", table, NULL)) >= 0) {
                switch (c) {
                case 'k':
                        ret->check = true;
                        break;
                case 'c':
                        ret->config = optarg;
                        break;
                case 's':
                        ret->state = optarg;
                        break;
                case 'h':
                        print_help();
                        return EXIT_DONE;
                case 'v':
                        puts(PACKAGE_STRING);
                        return EXIT_DONE;
                case ':':
                        return bad_usage(argv[optind - 1], "expected a value after it");
                default:
                        return bad_usage(argv[optind - 1], "is not understood");
                }
        }
        return optind < argc ? bad_usage(argv[optind], "is not understood") : -1;
}

int main(int argc, char **argv)
{
        const char *state = getenv("STATE_DIRECTORY");
        struct options options = { CONFIG_FILE, state ? state : STATE_DIR, false };
        _cleanup_(settings_done) struct settings settings = { 0 };
        _cleanup_(bridge_freep) struct bridge *bridge = NULL;
        int r = take_options(argc, argv, &options);

        if (r >= 0)
                return r;
        if (settings_load(options.config, SETTINGS_BRIDGE, &settings) < 0)
                return EX_CONFIG;
        if (options.check)
                return settings_check_files(&settings, options.config) < 0 ? EX_CONFIG : EXIT_DONE;
        r = bridge_new(&settings, options.state, &bridge);
        if (r == 0)
                r = bridge_run(bridge);
        if (r < 0)
                say_line("cannot go on: %s", strerror(-r));
        return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
