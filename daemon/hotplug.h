/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells which boards come and go: udev's own events (never the kernel's, which come before the node has its rights), and
 * the boards that are there already at the start.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/slot-range.h"
#include "daemon/board.h"

struct hotplug;

struct hotplug_ops {
        /* The board is handed over. The same board may be told twice: an add and a bind event, or a rescan. */
        void (*arrived)(void *userdata, struct board *board);
        /* port: sysfs's name; devnum: of what left, 0 where udev does not say. */
        void (*left)(void *userdata, const char *port, unsigned devnum);
        /* A hub came, or was there at a scan. port: sysfs's name of it; path: its ID_PATH, or NULL. */
        void (*hub)(void *userdata, const char *path, const char *port, unsigned n_ports);
        /* Events were lost: what is there, and what is no more, only a scan can tell. */
        void (*lost)(void *userdata);
};

/* Listens from here on. ops and userdata are borrowed. */
int hotplug_new(sd_event *event, const struct hotplug_ops *ops, void *userdata, struct hotplug **ret);
struct hotplug *hotplug_free(struct hotplug *hotplug);
DEFINE_CLEANUP(struct hotplug, hotplug_free)

/* Tells of every board and hub that is there now. */
int hotplug_scan(struct hotplug *hotplug);
/* Adds the hubs that are there now. */
int hotplug_find_hubs(struct hotplug *hotplug, struct seen_hubs *hubs);
