/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfu-collect: its command line. Ends with 78 (EX_CONFIG) where its configuration cannot be used. */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "fleet/collect.h"
#include "fleet/conninfo.h"
#include "fleet/store.h"
#include "io/clock.h"
#include "io/poll.h"
#include "io/say.h"

#define CONFIG_DEFAULT SYSCONFDIR "/espdfu/collect.conf"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command_line {
        const char *config, *database;
        bool check, init, schema;
};

static void usage(FILE *f)
{
        fputs("Usage: espdfu-collect [--config FILE] [--check | --init [--database CONNECTION]] | --schema\n"
              "Takes the records of many flashing stations from an MQTT broker into a PostgreSQL "
              "database.\n\n"
              "  --config FILE          default: " CONFIG_DEFAULT "\n"
              "  --check                read the configuration, say what is wrong with it, and end\n"
              "  --init                 make the schema in the database, or bring it up to date, and end\n"
              "  --database CONNECTION  do so there, as libpq has it; default: that of the configuration\n"
              "  --schema               print the SQL that --init runs\n"
              "  --help, --version\n\n"
              "Exit codes: 0 done, 1 failed, 2 usage, 78 configuration. See espdfu-collect(8).\n",
              f);
}

static int bad_usage(const char *option, const char *what)
{
        say_line("%s: %s: see espdfu-collect --help", option, what);
        return EXIT_USAGE;
}

/* Negative: go on; else an exit code. */
static int take_options(int argc, char **argv, struct command_line *line)
{
        static const struct option options[] = {
                { "check", no_argument, NULL, 'k' },          { "config", required_argument, NULL, 'c' },
                { "database", required_argument, NULL, 'd' }, { "help", no_argument, NULL, 'h' },
                { "init", no_argument, NULL, 'i' },           { "schema", no_argument, NULL, 's' },
                { "version", no_argument, NULL, 'v' },        { 0 },
        };
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0)
                switch (c) {
                case 'k':
                        line->check = true;
                        break;
                case 'c':
                        line->config = optarg;
                        break;
                case 'd':
                        line->database = optarg;
                        break;
                case 'h':
                        usage(stdout);
                        return EXIT_DONE;
                case 'i':
                        line->init = true;
                        break;
                case 's':
                        line->schema = true;
                        break;
                case 'v':
                        puts(PACKAGE_STRING);
                        return EXIT_DONE;
                case ':':
                        return bad_usage(argv[optind - 1], "expected a value after it");
                default:
                        return bad_usage(argv[optind - 1], "is not understood");
                }
        if (optind < argc)
                return bad_usage(argv[optind], "is not understood");
        if (line->database && !line->init)
                return bad_usage("--database", "expected with --init alone");
        if (line->database && !*line->database)
                return bad_usage("--database", "expected what libpq connects with, and not nothing");
        if (line->init + line->schema + line->check > 1)
                return bad_usage(line->init ? "--init" : "--schema",
                                 "expected alone, without another of --check, --init and --schema");
        return -1;
}

static int print_schema(void)
{
        _cleanup_(freep) char *text = store_schema_sql();

        if (!text || fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
                say_line("cannot write: %s", strerror(errno));
                return EXIT_FAILED;
        }
        return EXIT_DONE;
}

/* Of store_step(): --init is done when the store is ready. */
static void on_ready(void *userdata)
{
        *(bool *)userdata = true;
}

static void on_end(void *userdata)
{
        (void)userdata;
}

static int init(const char *connection)
{
        static const struct store_events events = { .ready = on_ready, .away = on_end, .refused = on_end };
        _cleanup_(store_freep) struct store *store = NULL;
        bool ready = false;
        int r = store_new(connection, 0, &events, &ready, &store);

        while (r >= 0 && !ready && !*store_trouble(store)) {
                struct pollfd pfd;
                uint64_t deadline = store_wait(store, &pfd);

                r = poll_until(&pfd, 1, deadline, NULL);
                if (r <= 0)
                        pfd.revents = 0;
                store_step(store, pfd.revents, monotonic_usec());
        }
        if (r < 0)
                say_line("cannot begin: %s", strerror(-r));
        if (!ready)
                return EXIT_FAILED;
        printf("The schema espdfu has version %d.\n", STORE_SCHEMA);
        return EXIT_DONE;
}

static int check_connection(const struct settings *settings, const char *path)
{
        static const struct conninfo_parser libpq = { PQconninfoParse, PQconninfoFree, PQfreemem };
        _cleanup_(freep) char *fault = conninfo_fault(&libpq, settings->database.connection);

        if (fault)
                settings_say_fault(settings, path, "database", "connection", fault);
        return fault ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
        struct command_line line = { .config = CONFIG_DEFAULT };
        struct settings settings = { 0 };
        int r = take_options(argc, argv, &line);

        if (r >= 0)
                return r;
        if (line.schema)
                return print_schema();
        if (line.database)
                return init(line.database);
        if (settings_load(line.config, SETTINGS_COLLECTOR, &settings) < 0)
                return EX_CONFIG;
        if (check_connection(&settings, line.config) < 0) {
                r = EX_CONFIG;
        } else if (line.check) {
                r = settings_check_files(&settings, line.config) < 0 ? EX_CONFIG : EXIT_DONE;
        } else if (line.init) {
                r = init(settings.database.connection);
        } else {
                r = collect(&settings);
                if (r < 0)
                        say_line("cannot begin: %s", strerror(-r));
                r = r < 0 ? EXIT_FAILED : EXIT_DONE;
        }
        settings_done(&settings);
        return r;
}
