/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * espdfuctl slot learn: a board is plugged into each port in turn, and the port gets its name. All that can be refused is
 * refused before anybody is asked for a board. While it learns the station is held, so that nothing is flashed; the hold
 * is lifted however it ends, unless it was somebody else's.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/client.h"
#include "client/slot-file.h"
#include "client/status-change.h"
#include "core/config-values.h"
#include "core/slot-range.h"
#include "io/clock.h"
#include "io/config-dir.h"
#include "io/file-write.h"
#include "io/file.h"

#define OUTPUT_DEFAULT  CONFIG_DIR "/espdfud.conf.d/slots.conf"
#define TIMEOUT_DEFAULT 300 /* s, for each board */
#define TIMEOUT_MAX     86400
#define HOLD_REASON     "slot learn is asking for boards"

struct learning {
        const char *output;
        bool replace;
        int64_t timeout_s;
        char **names; /* of argv */
        size_t n_names;
        char *text; /* what is in the file now; owned */
        struct named_port *ports;
        size_t n_ports; /* learned so far */

        struct connection *watch;
        sigset_t mask; /* while waiting */
        struct station_status station;
        char *held; /* our hold, as the station shows it; NULL: it is not ours */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
        (void)signal;
        interrupted = 1;
}

/* They come only while it waits for a board. */
static void catch_signals(sigset_t *ret)
{
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        struct sigaction action = { .sa_handler = on_signal };
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                sigaddset(&set, signals[i]);
                sigaction(signals[i], &action, NULL);
        }
        sigprocmask(SIG_BLOCK, &set, ret);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                sigdelset(ret, signals[i]);
        /* Nobody reads any more: what is to be lifted is lifted still. */
        signal(SIGPIPE, SIG_IGN);
}

static void learning_done(struct learning *l)
{
        for (size_t i = 0; i < l->n_ports; i++) {
                free(l->ports[i].name);
                free(l->ports[i].path);
                free(l->ports[i].port);
        }
        free(l->ports);
        free(l->text);
        free(l->held);
        if (l->watch)
                connection_close(l->watch);
        station_status_done(&l->station);
}

/* ---- before anybody is asked ---- */

static int out_of_memory(void)
{
        client_error("out of memory");
        return EXIT_FAILED;
}

static int check_names(const struct learning *l)
{
        for (size_t i = 0; i < l->n_names; i++) {
                const char *name = l->names[i];

                if (!value_is_name(name, CONFIG_NAME_MAX) || value_is_port(name)) {
                        client_error("slot learn: %s: expected a name of 1 to %d letters, digits and . _ + : "
                                     "@ - that "
                                     "does not look like a port",
                                     name, CONFIG_NAME_MAX);
                        return EXIT_USAGE;
                }
                for (size_t j = 0; j < i; j++)
                        if (streq(name, l->names[j])) {
                                client_error("slot learn: %s: expected each name once", name);
                                return EXIT_USAGE;
                        }
        }
        return EXIT_DONE;
}

/* A file is replaced by one beside it, so it is the directory that must let us write. */
static int check_writable(const char *path)
{
        _cleanup_(freep) char *real = realpath(path, NULL);
        _cleanup_(freep) char *copy = strdup(real ? real : path);
        const char *dir = copy ? dirname(copy) : NULL;
        int r;

        if (!dir)
                return out_of_memory();
        if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0)
                return EXIT_DONE;
        r = errno;
        client_error("%s: cannot be written: %s: %s: nobody is asked for a board", path, dir, strerror(r));
        return r == EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

static int read_output(struct learning *l)
{
        uint8_t *text = NULL;
        size_t len;
        int r = file_read(l->output, CONFIG_FILE_MAX, &text, &len);

        if (r == 0)
                l->text = (char *)text;
        else if (r == -ENOENT)
                l->text = strdup("# Written by espdfuctl slot learn.\n");
        if (r < 0 && r != -ENOENT) {
                client_error("%s: cannot be read: %s", l->output, strerror(-r));
                return EXIT_FAILED;
        }
        return l->text ? EXIT_DONE : out_of_memory();
}

static int check_unnamed_in_file(const struct learning *l)
{
        for (size_t i = 0; i < l->n_names && !l->replace; i++) {
                unsigned line = slot_file_line(l->text, l->names[i]);

                if (line > 0) {
                        client_error(
                                "%s:%u: [slot %s] is there already: expected --replace to give the name to "
                                "another port",
                                l->output, line, l->names[i]);
                        return EXIT_FAILED;
                }
        }
        return EXIT_DONE;
}

/* Only root and the group may reload; and what has errors now would be refused in the end. */
static int reload(void)
{
        unsigned slots, policies;

        return client_reload(&slots, &policies);
}

/* Whether this name is one of those that are learned now. */
static bool is_asked_for(const struct learning *l, const char *name)
{
        for (size_t i = 0; i < l->n_names; i++)
                if (streq(l->names[i], name))
                        return true;
        return false;
}

static int check_unnamed_elsewhere(const struct learning *l)
{
        for (size_t i = 0; i < l->station.n_slots; i++) {
                const char *name = l->station.slots[i].slot;

                if (is_asked_for(l, name) && slot_file_line(l->text, name) == 0) {
                        client_error("slot learn: %s: the configuration has this slot, and not in %s: "
                                     "expected another "
                                     "name",
                                     name, l->output);
                        return EXIT_FAILED;
                }
        }
        return EXIT_DONE;
}

/* ---- what the station tells ---- */

/* A board stands there with which nothing was begun. */
static bool is_waiting(enum phase phase)
{
        return phase == PHASE_HELD || phase == PHASE_NO_POLICY || phase == PHASE_UNUSABLE ||
               phase == PHASE_IGNORED;
}

/* A board came: where none was, or one that had been worked on before. One that was flashed just now, and is back at once, is
 * flashed from the beginning. */
static bool is_arrival(const struct slot_status *before, const struct slot_status *after)
{
        bool was_empty = !before || before->phase == PHASE_EMPTY;

        return (is_waiting(after->phase) && !(before && is_waiting(before->phase))) ||
               (after->phase == PHASE_FLASHED && was_empty);
}

/* The next change of the station; the place of a board that came with it, owned, in *ret. CLIENT_GO_ON: none did. */
static int next_change(struct learning *l, uint64_t deadline, struct slot_status *ret)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        uint64_t now = monotonic_usec();
        struct varlink_reply reply;
        bool arrived = false;
        int r;

        r = client_next_until(l->watch, deadline > now ? deadline - now : 0, &l->mask, &reply);
        if (r != EXIT_DONE)
                return r;
        r = status_update_from_json(reply.parameters, &update);
        varlink_reply_done(&reply);
        for (size_t i = 0; r == 0 && i < update.station.n_slots && !update.whole && !arrived; i++) {
                const struct slot_status *slot = &update.station.slots[i];

                arrived = is_arrival(status_find(&l->station, slot->slot), slot);
                if (arrived)
                        r = free_and_strdup(&ret->slot, slot->slot);
                if (arrived && r == 0)
                        r = free_and_strdup(&ret->port, slot->port);
                if (arrived && r == 0)
                        r = free_and_strdup(&ret->path, slot->path);
        }
        if (r == 0)
                r = status_apply(&l->station, &update);
        return r < 0 ? client_misread(r) : arrived ? EXIT_DONE : CLIENT_GO_ON;
}

/* Why nobody need go on. */
static int stopped(const struct learning *l, const char *name, int r)
{
        if (r == CLIENT_TIMED_OUT)
                client_error("slot learn: %s: no board came within %" PRId64 " s: nothing is written", name,
                             l->timeout_s);
        else if (r == CLIENT_INTERRUPTED)
                client_error("slot learn: interrupted: nothing is written");
        else
                client_error("slot learn: nothing is written");
        return r > 0 ? r : EXIT_FAILED;
}

/* The first picture, before anything is held. */
static int begin_watch(struct learning *l)
{
        struct slot_status ignored = { 0 };
        int r = client_call(STATION_INTERFACE ".Status", NULL, true, &l->watch);

        if (r == EXIT_DONE)
                r = next_change(l, monotonic_usec() + REPLY_TIMEOUT, &ignored);
        return r == CLIENT_GO_ON || r == EXIT_DONE ? EXIT_DONE : stopped(l, "the station", r);
}

/* ---- the hold ---- */

static int hold(struct learning *l)
{
        json_t *reply;
        int r;

        if (l->station.held) {
                client_say(stdout, "The station is %s: that stays, also afterwards.", l->station.held);
                return EXIT_DONE;
        }
        r = client_ask(STATION_INTERFACE ".Hold", json_pack("{s:s}", "reason", HOLD_REASON), &reply);
        if (r != EXIT_DONE)
                return r;
        r = free_and_strdup(&l->held, json_string_value(json_object_get(reply, "held")));
        json_decref(reply);
        return r < 0 || !l->held ? client_misread(r < 0 ? r : -EPROTO) : EXIT_DONE;
}

/* Whether the hold that the station has now is ours; somebody may have put another in its place. */
static bool is_ours(const struct learning *l)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        json_t *reply;
        bool ours;

        if (client_ask(STATION_INTERFACE ".Status", NULL, &reply) != EXIT_DONE)
                return true; /* the release will say what is wrong */
        ours = status_update_from_json(reply, &update) < 0 || streq_ptr(update.station.held, l->held);
        json_decref(reply);
        return ours;
}

static int lift(const struct learning *l)
{
        json_t *reply;
        int r;

        if (!l->held || !is_ours(l))
                return EXIT_DONE;
        r = client_ask(STATION_INTERFACE ".Release", NULL, &reply);
        if (r != EXIT_DONE) {
                client_error("the station stays held: expected espdfuctl release");
                return r;
        }
        json_decref(reply);
        client_say(stdout,
                   "The station is released: boards that are plugged in are treated as their policies say.");
        return EXIT_DONE;
}

/* ---- one port after the other ---- */

static const char *place_of(const char *path, const char *port)
{
        return path ? path : port ? port : "?";
}

/* NULL, or the name that was given to this port a moment ago. */
static const char *learned_name(const struct learning *l, const struct slot_status *slot)
{
        for (size_t i = 0; i < l->n_ports; i++)
                if (streq_ptr(l->ports[i].port, slot->port))
                        return l->ports[i].name;
        return NULL;
}

/* Whether this port can have the name; if not, says why. */
static bool may_be_named(const struct learning *l, const struct slot_status *slot)
{
        const char *learned = learned_name(l, slot);
        bool named = !streq_ptr(slot->slot, slot->port) && !streq_ptr(slot->slot, slot->path);

        if (learned)
                client_say(stdout, "Port %s is %s, as you said a moment ago: expected another port.",
                           slot->port, learned);
        else if (named && !is_asked_for(l, slot->slot))
                client_say(stdout, "Port %s has a name already, %s: expected another port.", slot->port,
                           slot->slot);
        else
                return true;
        return false;
}

static int keep_port(struct learning *l, const char *name, struct slot_status *slot)
{
        struct named_port *ports = reallocarray(l->ports, l->n_ports + 1, sizeof(*ports));

        if (!ports)
                return out_of_memory();
        l->ports = ports;
        ports[l->n_ports] = (struct named_port){ .name = strdup(name) };
        ports[l->n_ports].path = take_ptr(slot->path);
        ports[l->n_ports].port = take_ptr(slot->port);
        if (!ports[l->n_ports++].name)
                return out_of_memory();
        return EXIT_DONE;
}

/* What becomes part of the configuration, and is not ours. */
static bool is_a_place(const char *name, const struct slot_status *slot)
{
        char *looked_at = (char *)(uintptr_t)name;

        if (named_port_is_sound(&(struct named_port){ looked_at, slot->path, slot->port }))
                return true;
        client_error("slot learn: %s: espdfud says that the board is at port %s, path %s: expected a port as "
                     "1-4.1 and an ID_PATH without spaces, control characters and [ ] = # ;",
                     name, slot->port ? slot->port : "none", slot->path ? slot->path : "none");
        return false;
}

/* Without a hold the next board would be flashed. */
static bool was_released(const struct learning *l)
{
        if (l->station.held)
                return false;
        client_error("somebody has released the station: expected nobody to, while ports are learned");
        return true;
}

static int learn_port(struct learning *l, const char *name)
{
        uint64_t deadline = monotonic_usec() + (uint64_t)l->timeout_s * USEC_PER_SEC;

        client_say(stdout, "Plug a board into the port that shall be %s …", name);
        fflush(stdout);
        for (;;) {
                _cleanup_(slot_status_done) struct slot_status slot = { 0 };
                int r = interrupted ? CLIENT_INTERRUPTED : next_change(l, deadline, &slot);

                if (r == CLIENT_GO_ON && was_released(l))
                        r = EXIT_FAILED;
                if (r == CLIENT_GO_ON)
                        continue;
                if (r != EXIT_DONE)
                        return stopped(l, name, r);
                if (!is_a_place(name, &slot))
                        return stopped(l, name, EXIT_FAILED);
                if (!may_be_named(l, &slot)) {
                        fflush(stdout);
                        continue;
                }
                client_say(stdout, "%s is %s (%s).", name, place_of(slot.path, slot.port), slot.port);
                return keep_port(l, name, &slot);
        }
}

/* Until the station shows our hold: what comes before that may be flashed. */
static int await_hold(struct learning *l)
{
        uint64_t deadline = monotonic_usec() + REPLY_TIMEOUT;

        while (!l->station.held) {
                _cleanup_(slot_status_done) struct slot_status early = { 0 };
                int r = next_change(l, deadline, &early);

                if (r != EXIT_DONE && r != CLIENT_GO_ON)
                        return stopped(l, l->names[0], r);
        }
        return EXIT_DONE;
}

/* ---- the result ---- */

static int write_output(const struct learning *l)
{
        _cleanup_(freep) char *text = NULL;
        int r = slot_file_put(l->text, l->ports, l->n_ports, &text);

        if (r == 0)
                r = file_write(l->output, text, strlen(text));
        if (r < 0) {
                client_error("%s: cannot be written: %s", l->output, file_write_error_text(r));
                return EXIT_FAILED;
        }
        client_say(stdout, "%s is written.", l->output);
        return EXIT_DONE;
}

static const struct slot_status *shown_at(struct station_status *station, const struct named_port *port)
{
        const struct slot_status *slot = status_find(station, port->name);

        return slot && (streq_ptr(slot->path, port->path) || streq_ptr(slot->port, port->port)) ? slot : NULL;
}

/* What the station has in force now: a file that it does not read changes nothing. */
static int show(const struct learning *l)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        json_t *reply;
        int r = client_ask(STATION_INTERFACE ".Status", NULL, &reply), code = EXIT_DONE;

        if (r != EXIT_DONE)
                return r;
        r = status_update_from_json(reply, &update);
        json_decref(reply);
        if (r < 0)
                return client_misread(r);
        for (size_t i = 0; i < l->n_ports; i++) {
                const struct named_port *port = &l->ports[i];

                if (shown_at(&update.station, port)) {
                        client_say(stdout, "%s  %s  %s", port->name, port->port,
                                   place_of(port->path, port->port));
                        continue;
                }
                client_error("%s: the station does not have it: expected %s to be a file that espdfud reads",
                             port->name, l->output);
                code = EXIT_FAILED;
        }
        return code;
}

/* A file that is refused stays: it took some walking. The running configuration stays as well. */
static int put_in_force(const struct learning *l)
{
        int r = write_output(l);

        if (r == EXIT_DONE)
                r = reload();
        return r == EXIT_DONE ? show(l) : r;
}

static int learn(struct learning *l)
{
        int r, lifted;

        r = check_names(l);
        if (r == EXIT_DONE)
                r = check_writable(l->output);
        if (r == EXIT_DONE)
                r = read_output(l);
        if (r == EXIT_DONE)
                r = check_unnamed_in_file(l);
        if (r == EXIT_DONE)
                r = reload();
        if (r == EXIT_DONE)
                r = begin_watch(l);
        if (r == EXIT_DONE)
                r = check_unnamed_elsewhere(l);
        if (r == EXIT_DONE)
                r = hold(l);
        if (r == EXIT_DONE)
                r = await_hold(l);
        for (size_t i = 0; i < l->n_names && r == EXIT_DONE; i++)
                r = learn_port(l, l->names[i]);
        if (r == EXIT_DONE)
                r = put_in_force(l);
        lifted = lift(l);
        return r == EXIT_DONE ? lifted : r;
}

/* ---- the verb ---- */

static int options(int argc, char **argv, struct learning *l)
{
        const char *timeout = NULL;
        const struct client_option table[] = {
                { "output", .value = &l->output },
                { "replace", .flag = &l->replace },
                { "timeout", .value = &timeout },
        };
        int r = client_options(argc, argv, table, ARRAY_SIZE(table), INT_MAX);

        if (r != CLIENT_GO_ON)
                return r;
        if (timeout && !client_number("--timeout", timeout, 1, TIMEOUT_MAX, &l->timeout_s))
                return EXIT_USAGE;
        if (optind == argc || !streq(argv[optind], "learn") || optind + 1 == argc) {
                client_error("slot: expected learn and the names of the ports: see espdfuctl slot --help");
                return EXIT_USAGE;
        }
        if (!timeout && !isatty(STDIN_FILENO)) {
                client_error("slot learn: no terminal, so perhaps nobody who plugs boards: expected "
                             "--timeout beside it, "
                             "since the station is held meanwhile");
                return EXIT_USAGE;
        }
        l->names = argv + optind + 1;
        l->n_names = (size_t)(argc - optind - 1);
        return CLIENT_GO_ON;
}

int verb_slot(int argc, char **argv)
{
        _cleanup_(learning_done) struct learning l = { .output = OUTPUT_DEFAULT,
                                                       .timeout_s = TIMEOUT_DEFAULT };
        int r = options(argc, argv, &l);

        if (r != CLIENT_GO_ON)
                return r;
        catch_signals(&l.mask);
        return learn(&l);
}
