/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/station-internal.h"

#include <stdio.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/notify.h"

/* After stop-time: engines that abort, those that are killed, and the ledger's last rows. */
#define STOP_MARGIN (10 * USEC_PER_SEC) /* of this program, for the rest of its end */
#define STOP_REST   (JOB_ENGINE_STOP_LIMIT + JOB_ENGINE_KILL_LIMIT + JOB_LEDGER_RETRY)

/* ---- boards ---- */

/* Every Espressif chip that may be in download mode; and whatever a configured slot or a policy is about. */
static bool is_ours(struct station *station, const struct board *board)
{
        const struct config_slot *slot = config_slot_for(station->config, board->path, board->port);
        struct board_facts facts = board_facts(board, slot ? slot->name : NULL);

        return board->chip || slot || policy_for(station->config, &facts);
}

static void on_arrived(void *userdata, struct board *board)
{
        struct station *station = userdata;
        bool told = station_leaves_alone(station, board->port); /* an add and a bind event, or a rescan */
        struct slot *slot;
        int r;

        if (!is_ours(station, board)) {
                board_free(board);
                return;
        }
        r = station_slot_for_board(station, board, &slot);
        if (r < 0) {
                if (r != -ENOBUFS || !told)
                        log_error("board on port %s is left alone: %s", board->port,
                                  r == -ENOBUFS ? STATION_LEFT_ALONE : strerror(-r));
                board_free(board);
                return;
        }
        slot_board_arrived(slot, board);
}

static void on_left(void *userdata, const char *port, unsigned devnum)
{
        struct station *station = userdata;

        for (size_t i = 0; i < station->n_slots; i++)
                if (slot_board_left(station->slots[i], port, devnum))
                        return;
        station_forget_left_alone(station, port);
}

static void on_lost(void *userdata)
{
        station_rescan(userdata);
}

/* ---- what the slots tell ---- */

static void on_changed(void *userdata, struct slot *slot, bool phase_changed)
{
        struct station *station = userdata;

        if (station->server)
                server_slot_changed(station->server, slot_name(slot), phase_changed);
        if (phase_changed)
                station_places_changed(station);
}

/* The board with this MAC may have begun elsewhere. */
static struct slot *find_job(void *userdata, const struct slot *asks, const char *mac)
{
        struct station *station = userdata;

        for (size_t i = 0; i < station->n_slots; i++)
                if (station->slots[i] != asks && slot_has_job_of(station->slots[i], mac))
                        return station->slots[i];
        return NULL;
}

/* ---- the stop ---- */

static void cancel_all(struct station *station)
{
        size_t running = station_n_running(station);

        log_notice("cancelling %zu running download%s", running, running == 1 ? "" : "s");
        for (size_t i = 0; i < station->n_slots; i++)
                slot_cancel(station->slots[i], NULL);
        station_places_changed(station);
}

/* A disk that takes nothing is not waited for either: what is open is closed as interrupted by the next daemon. */
static int on_rest_over(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct station *station = userdata;

        (void)source, (void)usec;
        for (size_t i = 0; i < station->n_slots; i++)
                if (slot_is_running(station->slots[i]))
                        log_slot(LOG_ERR, slot_name(station->slots[i]), NULL, NULL,
                                 "how its attempt ended is not recorded%s%s: the next start will say "
                                 "interrupted",
                                 ledger_trouble(station->world.ledger) ? ": " : "",
                                 ledger_trouble(station->world.ledger) ? ledger_trouble(station->world.ledger)
                                                                       : "");
        return sd_event_exit(station->world.event, 0);
}

static int on_stop_time(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct station *station = userdata;

        (void)source, (void)usec;
        log_notice("stop-time of %" PRIu64 " s is over", station->config->stop_time_usec / USEC_PER_SEC);
        cancel_all(station);
        station->stop_timer = sd_event_source_disable_unref(station->stop_timer);
        return sd_event_add_time_relative(station->world.event, &station->stop_timer, CLOCK_BOOTTIME,
                                          STOP_REST, 0, on_rest_over, station) < 0
                       ? sd_event_exit(station->world.event, 0)
                       : 0;
}

void station_stop(struct station *station)
{
        size_t running = station_n_running(station);

        if (station->world.stopping) {
                cancel_all(station);
                return;
        }
        station->world.stopping = true;
        notify_stopping(station->config->stop_time_usec + STOP_REST + STOP_MARGIN);
        if (running > 0)
                log_notice("stopping: %zu running download%s may end within %" PRIu64 " s", running,
                           running == 1 ? "" : "s", station->config->stop_time_usec / USEC_PER_SEC);
        if (sd_event_add_time_relative(station->world.event, &station->stop_timer, CLOCK_BOOTTIME,
                                       station->config->stop_time_usec, 0, on_stop_time, station) < 0)
                cancel_all(station);
        station_places_changed(station);
}

/* ---- its making ---- */

static int open_ledger(struct station *station, const struct station_options *options)
{
        _cleanup_(freep) char *path = NULL, *why = NULL;
        int r;

        if (asprintf(&path, "%s/ledger.sqlite", options->state_dir) < 0)
                return -ENOMEM;
        r = ledger_open(path, station->world.event, station->world.boot_id, clock_realtime_usec(),
                        &station->world.ledger, &why);
        if (r < 0)
                log_error("%s", why ? why : strerror(-r));
        return r < 0 ? r
                     : retention_new(station->world.event, station->world.ledger, &station->world.config,
                                     &station->retention);
}

static int open_engine(struct station *station, const struct station_options *options)
{
        int r = engine_program_open(options->engine, &station->world.engine);

        if (r < 0)
                log_error("engine %s cannot be opened: %s", options->engine, strerror(-r));
        return r;
}

static int open_hotplug(struct station *station)
{
        static const struct hotplug_ops ops = {
                .arrived = on_arrived, .left = on_left, .hub = station_on_hub, .lost = on_lost
        };
        int r = hotplug_new(station->world.event, &ops, station, &station->hotplug);

        if (r < 0)
                log_error("udev's events cannot be listened to: %s", strerror(-r));
        return r;
}

/* Moments are kept with the boot in which they were: see daemon/clock.h. */
static int open_clock(struct station *station)
{
        int r = clock_boot_id(station->world.boot_id);

        if (r < 0)
                log_error("/proc/sys/kernel/random/boot_id: this boot's id cannot be read: %s (is /proc "
                          "mounted, and without subset=pid?)",
                          strerror(-r));
        return r;
}

/* The socket first: a second daemon is told so before it touches anything else. */
static int open_all(struct station *station, const struct station_options *options)
{
        int r = open_clock(station);

        if (r == 0)
                r = station_open_places(station);
        if (r == 0)
                r = station_open_server(station, options);
        if (r == 0)
                r = open_engine(station, options);
        if (r == 0)
                r = open_ledger(station, options);
        if (r == 0)
                r = station_load_holds(station);
        if (r == 0)
                r = images_new(images_bytes_here(), &station->world.images);
        if (r == 0)
                r = board_data_new(station->world.event, station->world.ledger, station_board_data_changed,
                                   station, &station->world.board_data);
        if (r == 0)
                r = open_hotplug(station);
        return r;
}

int station_new(sd_event *event, const struct station_options *options, struct config *config,
                struct station **ret)
{
        _cleanup_(station_freep) struct station *station = calloc(1, sizeof(*station));
        int r;

        if (!station) {
                config_free(config);
                return -ENOMEM;
        }
        station->options = options;
        station->config = config;
        station->started_usec = clock_boottime_usec();
        station->started_realtime_usec = clock_realtime_usec();
        station->world = (struct slot_world){
                .event = sd_event_ref(event),
                .config = config,
                .engine = { .fd = -EBADF },
                .holds = &station->holds,
                .userdata = station,
                .changed = on_changed,
                .places_changed = station_places_changed,
                .image_seen = station_image_seen,
                .begun = station_begun,
                .find_job = find_job,
                .flapping = station_flapping,
        };
        r = open_all(station, options);
        if (r == 0)
                r = station_number_ranges(station, config, false, NULL);
        if (r == 0)
                r = station_lay_out_slots(station);
        if (r == 0)
                r = station_check_policies(station);
        if (r < 0)
                return r;
        *ret = take_ptr(station);
        return 0;
}

struct station *station_free(struct station *station)
{
        if (station->server)
                server_free(station->server);
        station->server = NULL;
        if (station->hotplug)
                hotplug_free(station->hotplug);
        for (size_t i = 0; i < station->n_slots; i++)
                slot_free(station->slots[i]);
        free(station->slots);
        free(station->wants);
        station_forget_left_alone(station, NULL);
        retention_free(station->retention);
        if (station->world.board_data)
                board_data_free(station->world.board_data);
        if (station->world.ledger)
                ledger_free(station->world.ledger);
        if (station->world.images)
                images_free(station->world.images);
        given_prune(&station->world.given);
        engine_program_close(&station->world.engine);
        station_forget_policies(station);
        sd_event_source_disable_unref(station->stop_timer);
        sd_event_source_disable_unref(station->places);
        sd_event_unref(station->world.event);
        config_free(station->config);
        free(station->config_error);
        holds_done(&station->holds);
        layouts_done(&station->layouts);
        free(station);
        return NULL;
}

int station_rescan(struct station *station)
{
        int r;

        for (size_t i = 0; i < station->n_slots; i++)
                slot_before_scan(station->slots[i]);
        r = hotplug_scan(station->hotplug);
        if (r < 0) {
                log_error("USB devices cannot be enumerated: %s", strerror(-r));
                return r;
        }
        for (size_t i = 0; i < station->n_slots; i++)
                slot_after_scan(station->slots[i]);
        return 0;
}

int station_start(struct station *station)
{
        station_places_changed(station); /* the first status line, also of a station without boards */
        return station_rescan(station);
}
