/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfu-web: a page that shows the station. A client of espdfud's socket like any other; it can tell the station nothing. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "core/messages.h"
#include "io/say.h"
#include "web/http.h"
#include "web/listen.h"
#include "web/watcher.h"

#define SOCKET_DEFAULT      RUNSTATEDIR "/espdfu/" STATION_INTERFACE
#define PER_ADDRESS_DEFAULT 16
#define TIMEOUT_DEFAULT     30
#define TIMEOUT_MAX         600
#define DAEMON_SILENCE_MAX  10 /* seconds; a timeout that is shorter counts for the daemon, too */

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct settings {
        const char *listen;
        const char *socket;
        struct web web;
};

static void usage(FILE *f)
{
        fprintf(f,
                "Usage: espdfu-web [OPTION…]\n"
                "A page that shows a flashing station: its slots live, and its history.\n\n"
                "  --listen ADDRESS:PORT  where the page is; default: " LISTEN_DEFAULT
                ", this machine alone\n"
                "  --allow-host NAME      a name by which browsers may call it, besides localhost and the "
                "address;\n"
                "                         up to %d times\n"
                "  --socket PATH          espdfud's socket; default: " SOCKET_DEFAULT "\n"
                "  --per-address N        connections from one address at a time, 1 to %d; default: %d\n"
                "  --timeout SECONDS      who takes or says nothing for so long is dropped, 1 to %d; "
                "default: %d\n"
                "  --help, --version\n\n"
                "Exit codes: 0 done, 1 failed, 2 usage. See espdfu-web(8).\n",
                GUARD_NAMES_MAX, HTTP_CONNECTIONS_MAX, PER_ADDRESS_DEFAULT, TIMEOUT_MAX, TIMEOUT_DEFAULT);
}

static int bad_usage(const char *option, const char *text, const char *expected)
{
        say_line("%s %s: %s", option, text, expected);
        return EXIT_USAGE;
}

static bool parse_number(const char *text, unsigned max, unsigned *ret)
{
        unsigned long value;

        if (!*text || strlen(text) > 4 || strspn(text, "0123456789") != strlen(text))
                return false;
        value = strtoul(text, NULL, 10);
        if (value < 1 || value > max)
                return false;
        *ret = (unsigned)value;
        return true;
}

/* Negative: go on; else an exit code. */
static int take_option(int c, char **argv, struct settings *s)
{
        struct guard *guard = &s->web.guard;

        switch (c) {
        case 'h':
                usage(stdout);
                return EXIT_DONE;
        case 'v':
                puts(PACKAGE_STRING);
                return EXIT_DONE;
        case 'l':
                s->listen = optarg;
                return -1;
        case 's':
                s->socket = optarg;
                return *optarg ? -1 : bad_usage("--socket", "''", "expected the path of espdfud's socket");
        case 'a':
                if (!guard_is_name(optarg) || guard->n_names == GUARD_NAMES_MAX)
                        return bad_usage("--allow-host", optarg,
                                         guard->n_names == GUARD_NAMES_MAX
                                                 ? "too many of them"
                                                 : "expected a host's name, without a port");
                guard->names[guard->n_names++] = optarg;
                return -1;
        case 'p':
                return parse_number(optarg, HTTP_CONNECTIONS_MAX, &s->web.per_address)
                               ? -1
                               : bad_usage("--per-address", optarg, "expected a number from 1 to 64");
        case 't':
                return parse_number(optarg, TIMEOUT_MAX, &s->web.timeout_sec)
                               ? -1
                               : bad_usage("--timeout", optarg, "expected seconds, from 1 to 600");
        case ':':
                return bad_usage(argv[optind - 1], "", "expected a value after it: see espdfu-web --help");
        default:
                return bad_usage(argv[optind - 1], "", "is not understood: see espdfu-web --help");
        }
}

static int take_options(int argc, char **argv, struct settings *s)
{
        static const struct option options[] = {
                { "allow-host", required_argument, NULL, 'a' },
                { "help", no_argument, NULL, 'h' },
                { "listen", required_argument, NULL, 'l' },
                { "per-address", required_argument, NULL, 'p' },
                { "socket", required_argument, NULL, 's' },
                { "timeout", required_argument, NULL, 't' },
                { "version", no_argument, NULL, 'v' },
                { 0 },
        };
        int c, r;

        opterr = 0;
        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = take_option(c, argv, s);
                if (r >= 0)
                        return r;
        }
        if (optind < argc)
                return bad_usage(argv[optind], "", "is not understood: see espdfu-web --help");
        return -1;
}

/* Until SIGTERM or SIGINT. */
static void wait_for_end(const sigset_t *signals)
{
        int signal;

        while (sigwait(signals, &signal) != 0)
                ;
        sd_notify(0, "STOPPING=1");
}

static int serve(struct settings *s, int listening, const char *where, const sigset_t *signals)
{
        _cleanup_(view_freep) struct view *view = NULL;
        _cleanup_(watcher_stopp) struct watcher *watcher = NULL;
        int r = view_new(&view);

        s->web.view = view;
        s->web.socket = s->socket;
        if (r == 0)
                r = watcher_start(s->socket,
                                  MIN(s->web.timeout_sec, (unsigned)DAEMON_SILENCE_MAX) * USEC_PER_SEC, view,
                                  &watcher);
        if (r == 0)
                r = http_start(&s->web, listening);
        if (r < 0) {
                close(listening);
                say_line("cannot start: %s", strerror(-r));
                return EXIT_FAILED;
        }
        printf("espdfu-web: the page is on http://%s/\n", where);
        fflush(stdout);
        sd_notify(0, "READY=1");
        wait_for_end(signals);
        view_end(view);
        http_stop(&s->web);
        return EXIT_DONE;
}

int main(int argc, char **argv)
{
        struct settings settings = {
                .listen = LISTEN_DEFAULT,
                .socket = SOCKET_DEFAULT,
                .web = { .per_address = PER_ADDRESS_DEFAULT,
                         .timeout_sec = TIMEOUT_DEFAULT,
                         .history_mutex = PTHREAD_MUTEX_INITIALIZER },
        };
        char where[LISTEN_TEXT_MAX];
        struct listen_address address;
        sigset_t signals;
        int r = take_options(argc, argv, &settings), fd;

        if (r >= 0)
                return r;
        if (listen_address_parse(settings.listen, &address) < 0)
                return bad_usage("--listen", settings.listen, LISTEN_EXPECTED);
        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, NULL); /* in every thread that is started from here on */
        signal(SIGPIPE, SIG_IGN);
        fd = listen_open(&address);
        if (fd < 0) {
                say_line("--listen %s: cannot listen there: %s", settings.listen, strerror(-fd));
                return EXIT_FAILED;
        }
        listen_address_print(&address, where);
        return serve(&settings, fd, where, &signals);
}
