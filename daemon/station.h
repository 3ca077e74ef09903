/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The station: what joins hotplug, slots, images, ledger and socket. It knows every slot, gives out the places that
 * jobs-max of the station and of its hubs allows, in the order of the boards' coming, and loads the configuration anew when it is told to.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/config.h"

struct station_options {
        const char *config_dir, *vendor_dir;
        const char *state_dir;
        const char *socket_path;
        int socket_fd; /* listens already (socket activation), or -1 */
        const char *engine;
        const char *group; /* whose members may act */
};

struct station;

/* options is borrowed for the station's life; config is taken, also on failure. Logs why it fails. */
int station_new(sd_event *event, const struct station_options *options, struct config *config,
                struct station **ret);
struct station *station_free(struct station *station);
DEFINE_CLEANUP(struct station, station_free)

/* Looks at the boards that are there already. From here on it flashes. */
int station_start(struct station *station);

/* SIGHUP. What is wrong is logged, and kept for status; the running configuration stays then. */
void station_reload(struct station *station);

/*
 * SIGTERM: nothing new begins, running downloads may end within stop-time, then they are cancelled; the second call
 * cancels at once. Ends the event loop when all is recorded.
 */
void station_stop(struct station *station);
