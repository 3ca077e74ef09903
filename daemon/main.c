/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * espdfud: options, signals, the state directory, and the event loop. Exit status: 0 stopped as told, 1 failed, 2 wrong
 * arguments, 78 (EX_CONFIG) a configuration that cannot be used.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/config-values.h"
#include "daemon/activation.h"
#include "daemon/aside.h"
#include "daemon/ledger.h"
#include "daemon/log.h"
#include "daemon/message-ids.h"
#include "daemon/notify.h"
#include "daemon/socket-dir.h"
#include "daemon/station.h"
#include "io/config-dir.h"
#include "io/engine-path.h"
#include "io/lock.h"

#define SOCKET_PATH RUNSTATEDIR "/espdfu/io.espdfu.Station1"
#define STATE_DIR   LOCALSTATEDIR "/lib/espdfu"

static void print_help(void)
{
        puts("Usage: espdfud [OPTION…]\n"
             "Flashes Espressif boards in ROM download mode as they are plugged in; see espdfud(8).\n"
             "\n"
             "  --config DIR    configuration (default: " CONFIG_DIR ")\n"
             "  --socket PATH   where espdfuctl connects (default: " SOCKET_PATH ")\n"
             "  --state DIR     the ledger (default: $STATE_DIRECTORY, else " STATE_DIR ")\n"
             "  --engine PATH   the program that flashes one board (default: espdfu-engine beside\n"
             "                  espdfud, else " PKGLIBEXECDIR "/espdfu-engine)\n"
             "  --new-ledger-id[=NUMBER]  of a ledger that was restored from an older copy: what follows "
             "has\n"
             "                  another id; NUMBER: rows above it are copied under that one, too\n"
             "  --verbose       say more\n"
             "  --help, --version\n"
             "\n"
             "SIGHUP loads the configuration anew. SIGTERM lets running downloads end within stop-time; a "
             "second\n"
             "one cancels them.");
}

/* Returns 0; 1 where nothing is left to do; -EINVAL. *ret_new_id: no station is wanted, but another id of its ledger. */
static int parse_arguments(int argc, char **argv, struct station_options *options, bool *ret_new_id,
                           int64_t *ret_since)
{
        enum { CONFIG = 256, SOCKET, STATE, ENGINE, NEW_ID, VERBOSE, SHOW_HELP, SHOW_VERSION };
        static const struct option table[] = {
                { "config", required_argument, NULL, CONFIG },
                { "socket", required_argument, NULL, SOCKET },
                { "state", required_argument, NULL, STATE },
                { "engine", required_argument, NULL, ENGINE },
                { "new-ledger-id", optional_argument, NULL, NEW_ID },
                { "verbose", no_argument, NULL, VERBOSE },
                { "help", no_argument, NULL, SHOW_HELP },
                { "version", no_argument, NULL, SHOW_VERSION },
                { 0 },
        };
        uint64_t since = 0;
        int c;

        while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
                switch (c) {
                case CONFIG:
                        options->config_dir = optarg;
                        options->vendor_dir = NULL;
                        break;
                case SOCKET:
                        options->socket_path = optarg;
                        break;
                case STATE:
                        options->state_dir = optarg;
                        break;
                case ENGINE:
                        options->engine = optarg;
                        break;
                case NEW_ID:
                        if (optarg && value_number(optarg, 0, INT64_MAX, &since) < 0) {
                                fprintf(stderr, "espdfud: --new-ledger-id=%s: expected an attempt's number\n",
                                        optarg);
                                return -EINVAL;
                        }
                        *ret_new_id = true;
                        *ret_since = optarg ? (int64_t)since : -1;
                        break;
                case VERBOSE:
                        log_set_max_level(LOG_DEBUG);
                        break;
                case SHOW_HELP:
                        print_help();
                        return 1;
                case SHOW_VERSION:
                        puts("espdfud " PACKAGE_VERSION);
                        return 1;
                default:
                        return -EINVAL;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "espdfud: unexpected argument \"%s\"; see --help\n", argv[optind]);
                return -EINVAL;
        }
        return 0;
}

/* Held until the process ends: a second daemon would flash the same boards. */
static int lock_state(const char *dir)
{
        char path[PATH_MAX];
        int fd, r;

        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): an option that wants an argument has one */
        if (mkdir(dir, 0750) < 0 && errno != EEXIST) {
                log_error("state directory %s cannot be made: %m; --state DIR names another one", dir);
                return -errno;
        }
        if ((size_t)snprintf(path, sizeof(path), "%s/lock", dir) >= sizeof(path))
                return -ENAMETOOLONG;
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
                r = -errno;
                log_error("%s cannot be opened: %s", path, strerror(-r));
                return r;
        }
        r = lock_take(fd, 0);
        if (r == -EBUSY) {
                log_info("the state directory %s is in use: waiting, for a killed espdfud may just be dying",
                         dir);
                r = lock_take(fd, LOCK_WAIT);
        }
        if (r == -EBUSY)
                log_error("another espdfud uses the state directory %s", dir);
        else if (r < 0)
                log_error("%s cannot be locked: %s", path, strerror(-r));
        if (r < 0) {
                close(fd);
                return r;
        }
        return fd;
}

static int load_config(const struct station_options *options, struct config **ret)
{
        _cleanup_(config_errors_done) struct config_errors errors = { 0 };
        int r = config_load(options->config_dir, options->vendor_dir, ret, &errors);

        for (size_t i = 0; i < errors.n_lines; i++)
                log_slot(LOG_ERR, NULL, NULL, MESSAGE_CONFIG_REFUSED, "%s", errors.lines[i]);
        if (errors.total > errors.n_lines)
                log_error("and %zu more errors", errors.total - errors.n_lines);
        if (r < 0)
                log_slot(LOG_ERR, NULL, NULL, MESSAGE_CONFIG_REFUSED,
                         "configuration directory %s: %s: expected one that espdfud can read",
                         options->config_dir, strerror(-r));
        return r;
}

/* ---- signals ---- */

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        (void)source, (void)si;
        station_reload(userdata);
        return 0;
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        (void)source, (void)si;
        station_stop(userdata);
        return 0;
}

static int block_signals(void)
{
        sigset_t set;

        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN); /* the ledger reports EFBIG */
        sigemptyset(&set);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGCHLD);
        return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static int listen_for_signals(sd_event *event, struct station *station)
{
        int r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, station);

        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_terminate, station);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_terminate, station);
        return MIN(r, 0);
}

/* ---- the program ---- */

static int run(const struct station_options *options, struct config *config)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(station_freep) struct station *station = NULL;
        int r = sd_event_default(&event);

        if (r < 0) {
                config_free(config);
                return r;
        }
        r = station_new(event, options, config, &station);
        if (r == 0)
                r = listen_for_signals(event, station);
        if (r == 0)
                r = station_start(station);
        if (r < 0)
                return r;
        if (aside_begin(log_lost) < 0)
                log_warning("no thread for the journal: where that stands still, boards do, too");
        sd_event_set_watchdog(event, true);
        notify_ready();
        log_info("espdfud " PACKAGE_VERSION " is ready on %s", options->socket_path);
        r = sd_event_loop(event);
        log_info("stopped");
        aside_end();
        return r;
}

/* Where the socket goes, unless --socket says so: the one who said so answers for it. */
static int prepare_socket(struct station_options *options, char **ret_inherited)
{
        if (options->socket_fd >= 0) {
                *ret_inherited = activation_path(options->socket_fd);
                if (*ret_inherited)
                        options->socket_path = *ret_inherited;
        } else {
                int r = socket_dir_make(options->socket_path);

                if (r < 0)
                        return r;
        }
        return streq_ptr(options->socket_path, SOCKET_PATH) ? socket_dir_check(options->socket_path) : 0;
}

/* Returns an exit status. */
static int start(struct station_options *options)
{
        _cleanup_(freep) char *inherited = NULL;
        struct config *config;
        int r, lock;

        if (load_config(options, &config) != 0)
                return EX_CONFIG;
        r = prepare_socket(options, &inherited);
        lock = r == 0 ? lock_state(options->state_dir) : -ECANCELED;
        if (lock < 0) {
                config_free(config);
                return r > 0 ? EX_CONFIG : EXIT_FAILURE;
        }
        return run(options, config) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Returns an exit status. */
static int give_new_id(const char *state_dir, int64_t since)
{
        struct ledger_identity identity;
        _cleanup_(freep) char *error = NULL;
        char path[PATH_MAX];

        if ((size_t)snprintf(path, sizeof(path), "%s/ledger.sqlite", state_dir) >= sizeof(path))
                return EXIT_FAILURE;
        if (ledger_give_new_id(path, since, &identity, &error) < 0) {
                fprintf(stderr, "espdfud: %s\n", error ? error : "out of memory");
                return EXIT_FAILURE;
        }
        printf("%s: has the id %s now; attempts up to number %" PRId64 " stay those of the id before\n", path,
               identity.id, identity.since);
        return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        char engine[PATH_MAX];
        const char *state = getenv("STATE_DIRECTORY");
        struct station_options options = {
                .config_dir = CONFIG_DIR,
                .vendor_dir = CONFIG_VENDOR_DIR,
                .state_dir = state ? state : STATE_DIR,
                .socket_path = SOCKET_PATH,
                .group = "espdfu",
        };
        int64_t since = -1;
        bool new_id = false;
        int r;

        r = parse_arguments(argc, argv, &options, &new_id, &since);
        if (r != 0)
                return r < 0 ? EXIT_FAILURE + 1 : EXIT_SUCCESS;
        if (new_id)
                return give_new_id(options.state_dir, since);
        options.socket_fd = activation_socket();
        if (options.socket_fd < -1 || block_signals() < 0)
                return EXIT_FAILURE;
        if (!options.engine)
                options.engine = engine_path(engine, sizeof(engine));
        r = start(&options);
        if (r != EXIT_SUCCESS && log_first_error())
                notify_failed(log_first_error());
        if (r == EX_CONFIG && options.socket_fd >= 0)
                activation_turn_away(options.socket_fd);
        return r;
}
