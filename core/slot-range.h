/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A range of slots: [slot B*] with path = pci-0000:00:14.0-usb-0:2.* (or port = 1-2.*) names every port below that hub, at
 * any depth: B1, B2, … in the order of their paths, number by number (2.2 before 2.10). It is the hubs' ports that count,
 * whether a board is on them or not; a port that another hub is plugged into counts as that hub's ports.
 *
 * Names on a production line must not move by themselves, least of all because a hub was off or slow when the daemon
 * started: another slot is another policy. So the hubs of a range are kept (daemon/layout.c has the file): a hub that is
 * off keeps its numbers, one that is new gets numbers with the next reload, which says so.
 *
 * A hub is written as what stands before the number of each of its ports: "pci-0000:00:14.0-usb-0:2." and "1-2.", and
 * "pci-0000:00:14.0-usb-0:" and "1-" for the one in the computer. Pure.
 */
#pragma once

#include "core/config.h"

#define RANGE_HUBS_MAX  CONFIG_SLOTS_MAX /* hubs in one range */
#define RANGE_PORTS_MAX 31               /* ports of one hub, as the kernel has it */
#define LAYOUT_FILE_MAX (4 * MIB)        /* bytes of the JSON text */

/* ---- what a section says ---- */

/* Whether text has a * where the number of a slot goes: [slot B*] is no slot, but a range of them. */
static inline bool is_range_name(const char *text)
{
        return strchr(text, '*') != NULL;
}

/* What is wrong with the name of a range, as what was expected, or NULL. */
const char *range_name_fault(const char *name);
/* "B*" and 12: "B12". */
void range_slot_name(char ret[CONFIG_NAME_MAX + 1], const char *name, unsigned number);
/* Whether "B*" can give this name to a slot. */
bool range_gives_name(const char *name, const char *slot);
/* Whether two ranges can give one name: "B*" and "B1*" both have B11. */
bool ranges_share_a_name(const char *a, const char *b);

/* "pci-0000:00:14.0-usb-0:2.*", "pci-0000:00:14.0-usb-0:*"; "1-2.*", "1-*". */
bool value_is_path_range(const char *text);
bool value_is_port_range(const char *text);
/* Of two such values: whether a port can be in both. Either may be NULL. */
bool ranges_overlap(const char *a, const char *b);

/* ---- hubs ---- */

/* A hub that is there now. */
struct seen_hub {
        char *path; /* what stands before its ports' numbers in an ID_PATH, or NULL */
        char *port; /* the same of port paths */
        unsigned n_ports;
};

struct seen_hubs {
        struct seen_hub *items;
        size_t n;
};

/* port: sysfs's name of the hub, "usb1" or "1-2"; path: its ID_PATH, or NULL. 0, -EINVAL, -ENOBUFS, -ENOMEM. */
int seen_hubs_add(struct seen_hubs *hubs, const char *path, const char *port, unsigned n_ports);
void seen_hubs_done(struct seen_hubs *hubs);

/* ---- which hubs the numbers of a range are made of ---- */

struct layout_hub {
        char *below; /* as above */
        unsigned n_ports;
};

struct layout {
        char *range; /* the section's path or port, with the * */
        struct layout_hub *hubs;
        size_t n_hubs;
};

struct layouts {
        struct layout *items;
        size_t n;
};

void layouts_done(struct layouts *layouts);
/* A copy with those ranges that config still has. 0 or -ENOMEM; *ret is overwritten. */
int layouts_copy_for(const struct layouts *layouts, const struct config *config, struct layouts *ret);

/*
 * Puts what is seen into the layout of each range of config: a hub that is not in it yet, or has another number of ports
 * by now. A hub that is not seen stays. only_new: only ranges without any hub are looked at. changed (CONFIG_SLOTS_MAX
 * flags, or NULL) tells for each range of config whether it is another. Returns 1 when something changed, else 0;
 * -ENOMEM.
 */
int layouts_take(struct layouts *layouts, const struct config *config, const struct seen_hubs *seen,
                 bool only_new, bool *changed);

/* The range of config that a hub is in whose layout does not have it, or NULL. */
const struct config_slot *layouts_range_without(const struct layouts *layouts, const struct config *config,
                                                const struct seen_hub *hub);

/* The text for the file; to be freed. 0 or -ENOMEM. */
int layouts_encode(const struct layouts *layouts, char **ret);
/* 0; 1 when it is not what layouts_encode() writes; -ENOMEM. */
int layouts_parse(const char *text, size_t len, struct layouts *ret);

/* ---- the slots ---- */

/*
 * Appends the slots of every range to config->slots, once. A port that a section of its own names is left out, and its
 * number with it, so that naming one port moves no other. What cannot be done is a line in warnings: a range without a
 * hub, a port that is in two ranges (known only here where one is by path and the other by port), more slots than there
 * can be. 0 or -ENOMEM.
 */
int config_add_range_slots(struct config *config, const struct layouts *layouts, const struct seen_hubs *seen,
                           struct config_errors *warnings);
