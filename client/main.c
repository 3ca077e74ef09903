/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl: what people and scripts use. The table of verbs is all that it knows. */
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "client/client.h"
#include "client/config-check.h"
#include "client/event.h"
#include "client/filters.h"
#include "client/image.h"
#include "client/remote.h"
#include "show/attempt-table.h"
#include "show/status-table.h"

static const struct verb {
        const char *name, *arguments, *help;
        int (*run)(int argc, char **argv);
        const char *listed;       /* an option whose value is some of these words: "--output COLS" */
        const char *const *words; /* NULL at the end */
        bool here;                /* works on this machine's files: not with --host */
} verbs[] = {
        { "status", "[SLOT|PORT…] [--watch] [--json] [--output COLS] [--noheadings]",
          "Show every slot, or these: its board, policy, progress and last result", verb_status,
          "--output COLS", status_columns },
        { "monitor",
          "[SLOT|PORT…] [--event EVENTS] [--json] [--exec COMMAND] [--exec-jobs N] [--exec-timeout SECONDS]",
          "Print what happens, a line for each event, and run a command for each", verb_monitor,
          "--event EVENTS", event_kind_words },
        { "explain", "[SLOT|PORT] [--json]", "Say why a slot's board gets its policy, or none",
          verb_explain },
        { "list", "[SLOT|PORT…] [--json] [--output COLS] [--noheadings]",
          "List the Espressif devices on this machine, and what the station thinks of each", verb_list,
          "--output COLS", list_columns, .here = true },
        { "doctor", "[SLOT|PORT] [--json] [--kernel-log FILE] [--root DIR]",
          "Find out why a board does not show up or is not flashed, and what mends it", verb_doctor,
          .here = true },
        { "probe", "SLOT|PORT [--detach] [--upload] [--json] [--engine PATH]",
          "Ask a board, without writing to it, whether its ROM is what espdfu takes it for", verb_probe,
          .here = true },
        { "history", FILTER_USAGE " [--limit N|--all] [--json] [--output COLS] [--noheadings]",
          "List attempts, the newest first", verb_history, "--output COLS", attempt_columns },
        { "export", "--format csv|json " FILTER_USAGE " [--output FILE]",
          "Write attempts with all their fields, the oldest first", verb_export },
        { "stats", FILTER_USAGE " [--json] [--output COLS] [--noheadings]",
          "Show yield, speed and the most frequent errors", verb_stats, "--output COLS", stats_columns },
        { "metrics", "[--output FILE]", "Write the station's figures for Prometheus", verb_metrics },
        { "consumer",
          "list|register|acknowledge|unregister [NAME [NUMBER]] [--user USER] [--json] [--output COLS] "
          "[--noheadings]",
          "Say who copies the ledger elsewhere, and what they have had", verb_consumer, "--output COLS",
          consumer_columns },
        { "cancel", "SLOT|PORT…", "End the running or queued job of a slot, for good", verb_cancel },
        { "hold", "[SLOT|PORT…] [--reason TEXT]", "Begin nothing new in a slot, or in the whole station",
          verb_hold },
        { "release", "[SLOT|PORT…]", "Lift a hold; or flash a board that its policy holds", verb_release },
        { "retry", "SLOT|PORT…", "Try a board again whose job failed or was cancelled", verb_retry },
        { "flash", "SLOT|PORT… [--image FILE]",
          "Flash a board now, whatever was before: with its policy's image, or with this one", verb_flash },
        { "slot", "learn NAME… [--output FILE] [--replace] [--timeout SECONDS]",
          "Give ports names, by plugging a board into each", verb_slot, .here = true },
        { "reload", "", "Read the configuration again", verb_reload },
        { "image", "build|info|sign|verify …", "Make, show, sign and check DFU images; without the daemon",
          verb_image, .here = true },
        { "config", "check [DIR]|keys", "Check a configuration, list what can be said; without the daemon",
          verb_config, .here = true },
        { "stdio-bridge", "", "Join stdin and stdout with the daemon's socket; what --host runs there",
          verb_bridge, .here = true },
};

static const struct verb *find_verb(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                if (streq(verbs[i].name, name))
                        return &verbs[i];
        return NULL;
}

static void usage(FILE *f)
{
        fputs("Usage: espdfuctl [--host HOST] [--socket PATH] VERB …\n\n", f);
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                fprintf(f, "  %s%s%s\n      %s\n", verbs[i].name, *verbs[i].arguments ? " " : "",
                        verbs[i].arguments, verbs[i].help);
        fputs("\nOptions:\n"
              "  -H, --host HOST  the station of [USER@]HOST, by ssh\n"
              "  --socket PATH  the daemon's socket; default: $ESPDFU_SOCKET, else " SOCKET_DEFAULT "\n"
              "  --help         this; after a verb: about the verb\n"
              "  --version      the version\n"
              "\nExit codes: 0 done, 1 failed, 2 usage, 3 no daemon, 4 not permitted. See espdfuctl(1).\n",
              f);
}

int client_help(const char *name)
{
        const struct verb *verb = find_verb(name);

        printf("Usage: espdfuctl %s%s%s\n\n%s.\n\n", name, verb && *verb->arguments ? " " : "",
               verb ? verb->arguments : "", verb ? verb->help : "");
        if (verb && verb->words) {
                printf("  %s  ", verb->listed);
                for (size_t i = 0; verb->words[i]; i++)
                        printf("%s%s", i > 0 ? ", " : "", verb->words[i]);
                puts("; with commas between them\n");
        }
        puts("See espdfuctl(1).");
        return EXIT_DONE;
}

static int bad_option(char **argv, int c)
{
        const char letter[] = { '-', (char)optopt, '\0' };

        if (c == ':')
                client_error(optopt == 'H' ? "--host: expected [USER@]HOST after it"
                                           : "--socket: expected the path of espdfud's socket after it");
        else
                client_error("'%s' is not understood: see espdfuctl --help",
                             optopt && !strchr("hHsv", optopt) ? letter : argv[optind - 1]);
        return EXIT_USAGE;
}

/* Negative: go on with the verb at optind; else an exit code. */
static int global_options(int argc, char **argv)
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "host", required_argument, NULL, 'H' },
                { "socket", required_argument, NULL, 's' },
                { "version", no_argument, NULL, 'v' },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "+:hH:", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        usage(stdout);
                        return EXIT_DONE;
                case 'H':
                        if (remote_host_fault(optarg)) {
                                client_error("--host '%s': %s", optarg, remote_host_fault(optarg));
                                return EXIT_USAGE;
                        }
                        client_host = optarg;
                        break;
                case 's':
                        if (!*optarg) {
                                client_error("--socket: '' is no path: expected that of espdfud's socket");
                                return EXIT_USAGE;
                        }
                        client_socket = optarg;
                        client_socket_given = true;
                        break;
                case 'v':
                        puts(PACKAGE_STRING);
                        return EXIT_DONE;
                default:
                        return bad_option(argv, c);
                }
        return -1;
}

/* A descriptor that we were started without would become the daemon's connection, or a file that is written. In its place
 * stands one that refuses what we do with the real one, so that output that goes nowhere is told. */
static bool open_missing_streams(void)
{
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 &&
                    open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
                        return false;
        return true;
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
                client_error("there is no verb '%s': see espdfuctl --help", argv[optind]);
                return EXIT_USAGE;
        }
        if (client_host && verb->here) {
                client_error("%s: not with --host: it works on the files of the machine that it runs on: "
                             "ssh %s espdfuctl %s …",
                             verb->name, client_host, verb->name);
                return EXIT_USAGE;
        }
        argc -= optind;
        argv += optind;
        optind = 0;
        return verb->run(argc, argv);
}

int main(int argc, char **argv)
{
        const char *socket = getenv("ESPDFU_SOCKET");
        int r, flushed;

        if (!open_missing_streams())
                return EXIT_FAILED;
        setlocale(LC_ALL, "");
        opterr = 0;
        if (socket && *socket)
                client_socket = socket;
        r = run(argc, argv);
        flushed = client_flush();
        return r == EXIT_DONE ? flushed : r;
}
