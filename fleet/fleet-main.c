/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfu-fleet: many stations in one picture. Its table of verbs, and where its configuration is. */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "fleet/fleet-table.h"
#include "fleet/fleet.h"
#include "fleet/topics.h"
#include "io/say.h"
#include "show/attempt-table.h"

#define CONFIG_DEFAULT SYSCONFDIR "/espdfu/fleet.conf"

const char *const client_global_option = "--config FILE";
static const char *config; /* --config; NULL: where it usually is */
static char *path;         /* what was read */

static const struct verb {
        const char *name, *arguments, *help;
        int (*run)(int argc, char **argv);
        const char *const *words; /* of --output */
} verbs[] = {
        { "status", "[--station STATION] [--json] [--output COLS] [--noheadings]",
          "Show every station, or the slots of one, as the broker knows them", verb_status, fleet_columns },
        { "watch", "[--station STATION] [--json]",
          "Show them as they change: on a terminal a picture, until q or Ctrl-C; else, and where TERM is "
          "dumb, lines",
          verb_watch, NULL },
        { "history",
          "[--station STATION] [--slot SLOT] [--mac MAC] [--image IMAGE] [--verdict VERDICT] [--since TIME] "
          "[--until TIME] [--limit N|--all] [--json] [--output COLS] [--noheadings]",
          "List attempts of all stations out of the central store, the newest first", verb_history,
          attempt_columns_of_stations },
};

static void usage(FILE *f)
{
        fputs("Usage: espdfu-fleet [--config FILE] VERB …\n\n", f);
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                fprintf(f, "  %s %s\n      %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
        fputs("\nOptions:\n"
              "  --config FILE  default: ~/.config/espdfu/fleet.conf, else " CONFIG_DEFAULT "\n"
              "  --help         this; after a verb: about the verb\n"
              "  --version      the version\n"
              "\nExit codes: 0 done, 1 failed, 2 usage or configuration, 3 no broker or no database. See "
              "espdfu-fleet(1).\n",
              f);
}

static const struct verb *find_verb(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                if (streq(verbs[i].name, name))
                        return &verbs[i];
        return NULL;
}

int client_help(const char *name)
{
        const struct verb *verb = find_verb(name);

        printf("Usage: espdfu-fleet %s %s\n\n%s.\n\n", name, verb ? verb->arguments : "",
               verb ? verb->help : "");
        if (verb && verb->words) {
                fputs("  --output COLS  ", stdout);
                for (size_t i = 0; verb->words[i]; i++)
                        printf("%s%s", i > 0 ? ", " : "", verb->words[i]);
                puts("; with commas between them\n");
        }
        puts("See espdfu-fleet(1).");
        return EXIT_DONE;
}

/* A person's own file counts before the machine's. To be freed; NULL: out of memory. */
static char *usual_config(void)
{
        const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        char *own = NULL;
        int n = base && *base ? asprintf(&own, "%s/espdfu/fleet.conf", base)
                              : asprintf(&own, "%s/.config/espdfu/fleet.conf", home ? home : "");

        if (n < 0)
                return NULL;
        if (access(own, F_OK) == 0)
                return own;
        free(own);
        return strdup(CONFIG_DEFAULT);
}

int fleet_no_memory(void)
{
        say_line("out of memory");
        return EXIT_FAILED;
}

int fleet_check_station(const char *verb, const char *name)
{
        if (!name || topic_name_is_right(name))
                return EXIT_DONE;
        say_line("%s: --station '%s': expected a name of 1 to %d bytes, UTF-8", verb, name, TOPIC_NAME_MAX);
        return EXIT_USAGE;
}

int fleet_bad_setting(const struct settings *settings, const char *section, const char *key, const char *text)
{
        settings_say_fault(settings, path, section, key, text);
        return EXIT_USAGE;
}

int fleet_settings(bool needs_broker, struct settings *ret)
{
        free(path);
        path = config ? strdup(config) : usual_config();
        if (!path)
                return fleet_no_memory();
        if (settings_load(path, SETTINGS_FLEET, ret) < 0)
                return EXIT_USAGE;
        if (needs_broker && !ret->broker.host) {
                say_line("%s: host is missing: expected [broker] with host = the broker's name", path);
                settings_done(ret);
                return EXIT_USAGE;
        }
        if (needs_broker && settings_check_files(ret, path) < 0) {
                settings_done(ret);
                return EXIT_USAGE;
        }
        return EXIT_DONE;
}

/* Negative: go on with the verb at optind; else an exit code. */
static int global_options(int argc, char **argv)
{
        static const struct option options[] = {
                { "config", required_argument, NULL, 'c' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "+:h", options, NULL)) >= 0)
                switch (c) {
                case 'c':
                        config = optarg;
                        break;
                case 'h':
                        usage(stdout);
                        return EXIT_DONE;
                case 'v':
                        puts(PACKAGE_STRING);
                        return EXIT_DONE;
                case ':':
                        say_line("--config: expected the path of a file after it");
                        return EXIT_USAGE;
                default:
                        say_line("'%s' is not understood: see espdfu-fleet --help", argv[optind - 1]);
                        return EXIT_USAGE;
                }
        return -1;
}

static int run(int argc, char **argv)
{
        const struct verb *verb;
        int r = global_options(argc, argv);

        if (r >= 0)
                return r;
        if (optind == argc) {
                usage(stderr);
                return EXIT_USAGE;
        }
        verb = find_verb(argv[optind]);
        if (!verb) {
                say_line("there is no verb '%s': see espdfu-fleet --help", argv[optind]);
                return EXIT_USAGE;
        }
        argc -= optind;
        argv += optind;
        optind = 0;
        return verb->run(argc, argv);
}

int main(int argc, char **argv)
{
        int r;

        setlocale(LC_ALL, "");
        opterr = 0;
        r = run(argc, argv);
        free(path);
        errno = 0;
        if (fflush(stdout) == EOF || ferror(stdout)) {
                say_line("cannot write: %s", errno ? strerror(errno) : "a part was lost");
                return r == EXIT_DONE ? EXIT_FAILED : r;
        }
        return r;
}
