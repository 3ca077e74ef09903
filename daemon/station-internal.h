/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the station share: station.c (boards, start and stop), station-slots.c (which slots there are),
 * station-places.c (who is flashed now and who waits), station-config.c (what a configuration means for slots and
 * policies), station-answers.c (what the socket is told), hold.c (what people hold, and the other orders that they give).
 */
#pragma once

#include <inttypes.h>

#include "daemon/hotplug.h"
#include "daemon/retention.h"
#include "daemon/server.h"
#include "daemon/slot.h"
#include "daemon/station.h"

#ifndef SLOTS_MAX      /* a test has few */
#define SLOTS_MAX 1024 /* configured ones, and ports that boards were seen on */
#endif
#define SLOTS_GO ((SLOTS_MAX + 15) / 16) /* empty ports that give their place at a time, when it is reached */

#define STATION_LEFT_ALONE                                                                                   \
        "the station has as many slots as it can have, each with a board, a hold or a name: pull boards or " \
        "release ports, and plug it in again"

struct station {
        const struct station_options *options;
        struct config *config;
        struct slot_world world;
        struct hotplug *hotplug;
        struct server_options server_options;
        struct server *server;
        struct retention *retention;
        struct slot *
                *slots; /* the configured ones in their order, then the others in the order of their coming */
        size_t n_slots, slots_room; /* room in slots; it never shrinks while they are laid out */
        struct place_want *wants;   /* room for those who want a place, n_wants of them */
        size_t n_wants;
        struct policy_status *policies; /* as in config, with what is known of their images */
        size_t n_policies;
        char *config_error; /* why the last reload was refused */
        struct holds holds;
        struct layouts layouts;         /* the hubs that ranges of slots are numbered by */
        uint64_t started_usec;          /* CLOCK_BOOTTIME */
        uint64_t started_realtime_usec; /* as the clock was then */
        uint64_t orders;                /* of people, that are answered later: the number of the last */
        bool policy_mended;             /* one that could not be used can: boards may wait for it */
        char *left_alone[16];           /* ports of boards that no slot was left for: the last ones */
        size_t n_left_alone;            /* so far */
        sd_event_source *places, *stop_timer;
};

int station_add_slot(struct station *station, const char *name, const char *path, const char *port,
                     struct slot **ret);
/* -ENOBUFS: it is left alone. */
int station_slot_for_board(struct station *station, const struct board *board, struct slot **ret);
bool station_leaves_alone(const struct station *station, const char *port);
/* port: it is empty; NULL: all. */
void station_forget_left_alone(struct station *station, const char *port);
int station_rescan(struct station *station);

/* Slots with a job under way. */
size_t station_n_running(const struct station *station);
/* As slot_world has it. */
void station_places_changed(void *userdata);
int station_open_places(struct station *station);
/* As board_data_new() has it. */
void station_board_data_changed(void *userdata);

/* layout.c: gives the ports of config's ranges their slots. At the start (reload: false) a range that has hubs already keeps
 * what it has. What is wrong, or different from before, is logged; *warnings (may be NULL) gets it too. */
int station_number_ranges(struct station *station, struct config *config, bool reload,
                          struct config_errors *warnings);
/* As hotplug_ops has it. */
void station_on_hub(void *userdata, const char *path, const char *port, unsigned n_ports);

/* Makes the slots those of station->config; a slot that is there already, under whatever name, stays what it is. */
int station_lay_out_slots(struct station *station);
/* Looks at every policy's image; what cannot be used is logged and shown. */
int station_check_policies(struct station *station);
void station_forget_policies(struct station *station);
void station_image_seen(void *userdata, const struct config_policy *policy, const struct image_copy *copy,
                        const char *why);
int station_load_config(struct station *station, struct reload_result *ret);

/* where: a slot's name, else its ID_PATH or its port path. NULL: there is none. */
struct slot *station_find_slot(const struct station *station, const char *where);

/* What people held when the daemon ended. A file that cannot be understood holds the station. */
int station_load_holds(struct station *station);
/* A held port that the configuration does not name, and where no board is, must be there to be seen and released. */
int station_add_held_slots(struct station *station);
/* As server_ops has them. */
int station_cancel(void *userdata, const char *where, const char *who, char **ret_place);
int station_hold(void *userdata, const char *where, const char *who, const char *reason, char **ret_text);
/* As slot_world has it. */
void station_flapping(void *userdata, struct slot *slot);
int station_release(void *userdata, const char *where, const char *who, bool *ret_was_held, char **ret_why);

/* retry.c: as server_ops and slot_world have them. */
int station_retry(void *userdata, const char *where, const char *who, uint64_t *ret_order, char **ret_why);
int station_flash(void *userdata, const char *where, const char *who, const struct given_image *given,
                  uint64_t *ret_order, char **ret_why);
void station_begun(void *userdata, struct slot *slot, uint64_t order, int r);

/* The status line of `systemctl status`. */
void station_tell_systemd(struct station *station);
int station_open_server(struct station *station, const struct station_options *options);
