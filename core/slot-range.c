/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the sections of ranges say, and the slots that come of them. The hubs are in core/layout.c. */
#include "core/slot-range.h"

#include <stdio.h>

#include "core/config-values.h"
#include "core/place.h"

#define DIGITS_MAX 3 /* of CONFIG_SLOTS_MAX */

/* ---- names ---- */

const char *range_name_fault(const char *name)
{
        static const char sound[] =
                "a name with one * for the number, of at most 30 letters, digits and . _ + : @ -";
        const char *star = strchr(name, '*');
        char first[CONFIG_NAME_MAX + 1];

        _Static_assert(CONFIG_NAME_MAX == 32 && DIGITS_MAX == 3, "the text says 30");
        if (!star || strchr(star + 1, '*') || strlen(name) - 1 + DIGITS_MAX > CONFIG_NAME_MAX)
                return sound;
        range_slot_name(first, name, 1);
        if (!value_is_name(first, CONFIG_NAME_MAX))
                return sound;
        return value_is_port(first) ? "a name that does not look like a port" : NULL;
}

void range_slot_name(char ret[CONFIG_NAME_MAX + 1], const char *name, unsigned number)
{
        size_t n = strcspn(name, "*");

        snprintf(ret, CONFIG_NAME_MAX + 1, "%.*s%u%s", (int)n, name, number, name[n] ? name + n + 1 : "");
}

bool range_gives_name(const char *name, const char *slot)
{
        size_t before = strcspn(name, "*"), after = strlen(name) - before - 1, len = strlen(slot);
        uint64_t number;
        char digits[DIGITS_MAX + 1];

        if (len <= before + after || len - before - after > DIGITS_MAX || slot[before] == '0')
                return false;
        snprintf(digits, sizeof(digits), "%.*s", (int)(len - before - after), slot + before);
        return memcmp(slot, name, before) == 0 && streq(slot + len - after, name + before + 1) &&
               value_number(digits, 1, CONFIG_SLOTS_MAX, &number) == 0;
}

bool ranges_share_a_name(const char *a, const char *b)
{
        char name[CONFIG_NAME_MAX + 1];

        for (unsigned i = 1; i <= CONFIG_SLOTS_MAX; i++) {
                range_slot_name(name, a, i);
                if (range_gives_name(b, name))
                        return true;
        }
        return false;
}

/* ---- places ---- */

/* text without its last n characters; NULL when out of memory. */
static char *without(const char *text, size_t n)
{
        return strndup(text, strlen(text) - n);
}

static bool ends_with(const char *text, const char *end)
{
        size_t len = strlen(text), n = strlen(end);

        return len > n && streq(text + len - n, end);
}

bool value_is_path_range(const char *text)
{
        static const char all[] = PLACE_USB_MARK "*";
        _cleanup_(freep) char *hub = NULL;

        if (ends_with(text, all)) {
                hub = without(text, strlen(all));
                return hub && value_is_id_path(hub) && !strstr(hub, PLACE_USB_MARK);
        }
        hub = ends_with(text, ".*") ? without(text, 2) : NULL;
        return hub && value_is_id_path(hub) && strstr(hub, PLACE_USB_MARK) &&
               path_depth(hub) < PLACE_DEPTH_MAX;
}

bool value_is_port_range(const char *text)
{
        _cleanup_(freep) char *hub = NULL;

        if (ends_with(text, "-*")) { /* every port of a bus: "1-*" where "1-1" is a port */
                hub = strdup(text);
                if (hub)
                        hub[strlen(hub) - 1] = '1';
                return hub && value_is_port(hub) && port_depth(hub) == 1;
        }
        hub = ends_with(text, ".*") ? without(text, 2) : NULL;
        return hub && value_is_port(hub) && port_depth(hub) < PLACE_DEPTH_MAX;
}

bool ranges_overlap(const char *a, const char *b)
{
        size_t n;

        if (!a || !b)
                return false;
        n = MIN(strlen(a), strlen(b)) - 1; /* without the * of the shorter one */
        return strncmp(a, b, n) == 0;
}

/* ---- order ---- */

struct leaf {
        char *place;      /* owned */
        const char *tail; /* in place, behind what the range has in common */
        unsigned number;
        const struct layout_hub *hub;
};

/* Two chains of ports, "2.10" and "2.2": number by number. */
static int compare_chains(const char *a, const char *b)
{
        while (*a && *b) {
                char *end_a, *end_b;
                unsigned long x = strtoul(a, &end_a, 10), y = strtoul(b, &end_b, 10);

                if (x != y)
                        return x < y ? -1 : 1;
                a = end_a + (*end_a == '.');
                b = end_b + (*end_b == '.');
        }
        return (*a != '\0') - (*b != '\0');
}

static int compare_leaves(const void *a, const void *b)
{
        return compare_chains(((const struct leaf *)a)->tail, ((const struct leaf *)b)->tail);
}

/* Whether a hub is plugged in there. */
static bool is_uplink(const struct layout *layout, const char *place)
{
        size_t n = strlen(place);

        for (size_t i = 0; i < layout->n_hubs; i++)
                if (str_has_prefix(layout->hubs[i].below, place) && streq(layout->hubs[i].below + n, "."))
                        return true;
        return false;
}

struct leaves {
        struct leaf *items;
        size_t n;
};

static void leaves_done(struct leaves *leaves)
{
        for (size_t i = 0; i < leaves->n; i++)
                free(leaves->items[i].place);
        free(leaves->items);
}

static size_t depth_of(const char *place)
{
        return strstr(place, PLACE_USB_MARK) ? path_depth(place) : port_depth(place);
}

static int add_leaf(struct leaves *leaves, const struct layout *layout, const struct layout_hub *hub,
                    unsigned number)
{
        _cleanup_(freep) char *place = NULL;

        if (asprintf(&place, "%s%u", hub->below, number) < 0) {
                place = NULL;
                return -ENOMEM;
        }
        if (is_uplink(layout, place) || depth_of(place) > PLACE_DEPTH_MAX)
                return 0;
        leaves->items[leaves->n] = (struct leaf){
                .tail = place + strlen(layout->range) - 1,
                .number = number,
                .hub = hub,
        };
        leaves->items[leaves->n++].place = take_ptr(place);
        return 0;
}

/* All ports of the range, in order. */
static int find_leaves(const struct layout *layout, struct leaves *ret)
{
        _cleanup_(leaves_done) struct leaves leaves = { 0 };
        int r = 0;

        leaves.items = calloc(layout->n_hubs * RANGE_PORTS_MAX + 1, sizeof(*leaves.items));
        if (!leaves.items)
                return -ENOMEM;
        for (size_t i = 0; i < layout->n_hubs; i++)
                for (unsigned port = 1; port <= layout->hubs[i].n_ports && r == 0; port++)
                        r = add_leaf(&leaves, layout, &layout->hubs[i], port);
        if (r < 0)
                return r;
        qsort(leaves.items, leaves.n, sizeof(*leaves.items), compare_leaves);
        *ret = leaves;
        leaves = (struct leaves){ 0 };
        return 0;
}

/* ---- slots ---- */

struct expansion {
        struct config *config;
        const struct seen_hubs *seen;
        struct config_errors *warnings;
        size_t n_sections; /* slots that have a section of their own stand before the others */
};

/* The port's other name, where its hub is there to tell it; NULL: not known, or out of memory. To be freed. */
static char *other_name(const struct expansion *e, const struct leaf *leaf, bool by_path)
{
        for (size_t i = 0; i < e->seen->n; i++) {
                const struct seen_hub *hub = &e->seen->items[i];
                const char *other = by_path ? hub->port : hub->path;
                char *name;

                if (other && streq_ptr(by_path ? hub->path : hub->port, leaf->hub->below) &&
                    leaf->number <= hub->n_ports)
                        return asprintf(&name, "%s%u", other, leaf->number) < 0 ? NULL : name;
        }
        return NULL;
}

static const struct config_slot *slot_at(const struct expansion *e, const char *path, const char *port)
{
        for (size_t i = 0; i < e->config->n_slots; i++) {
                const struct config_slot *slot = &e->config->slots[i];

                if ((path && streq_ptr(slot->path, path)) || (port && streq_ptr(slot->port, port)))
                        return slot;
        }
        return NULL;
}

static int append_slot(struct config *config, const struct config_slot *range, const struct leaf *leaf,
                       unsigned number)
{
        struct config_slot *slots = reallocarray(config->slots, config->n_slots + 1, sizeof(*slots)), *slot;
        char name[CONFIG_NAME_MAX + 1];
        int r;

        if (!slots)
                return -ENOMEM;
        config->slots = slots;
        slot = &slots[config->n_slots++];
        *slot = (struct config_slot){ .origin.line = range->origin.line };
        range_slot_name(name, range->name, number);
        r = free_and_strdup(&slot->name, name);
        if (r == 0)
                r = free_and_strdup(range->path ? &slot->path : &slot->port, leaf->place);
        return r == 0 ? free_and_strdup(&slot->origin.file, range->origin.file) : r;
}

static int add_slot(struct expansion *e, const struct config_slot *range, const struct leaf *leaf,
                    unsigned number)
{
        _cleanup_(freep) char *other = other_name(e, leaf, range->path != NULL);
        const struct config_slot *slot = slot_at(e, range->path ? leaf->place : other,
                                                 range->path ? other : leaf->place);

        if (slot && (size_t)(slot - e->config->slots) >= e->n_sections)
                config_errors_add(
                        e->warnings,
                        "%s:%u: [slot %s]: port %s is slot %s already (%s:%u): expected ports that no "
                        "other range has",
                        range->origin.file, range->origin.line, range->name, leaf->place, slot->name,
                        slot->origin.file, slot->origin.line);
        return slot ? 0 : append_slot(e->config, range, leaf, number);
}

static int add_range(struct expansion *e, const struct config_slot *range, const struct layout *layout)
{
        _cleanup_(leaves_done) struct leaves leaves = { 0 };
        int r = layout ? find_leaves(layout, &leaves) : 0;

        if (r == 0 && leaves.n == 0)
                config_errors_add(
                        e->warnings,
                        "%s:%u: [slot %s]: %s: no hub is there: expected one before espdfuctl reload",
                        range->origin.file, range->origin.line, range->name,
                        range->path ? range->path : range->port);
        for (size_t i = 0; i < leaves.n && r == 0; i++) {
                if (e->config->n_slots == CONFIG_SLOTS_MAX) {
                        config_errors_add(
                                e->warnings,
                                "%s:%u: [slot %s]: %zu ports: expected at most %d slots in all; the last "
                                "of them have no name",
                                range->origin.file, range->origin.line, range->name, leaves.n,
                                CONFIG_SLOTS_MAX);
                        break;
                }
                r = add_slot(e, range, &leaves.items[i], (unsigned)i + 1);
        }
        return r;
}

int config_add_range_slots(struct config *config, const struct layouts *layouts, const struct seen_hubs *seen,
                           struct config_errors *warnings)
{
        struct expansion e = { config, seen, warnings, config->n_slots };
        int r = 0;

        for (size_t i = 0; i < config->n_ranges && r == 0; i++) {
                const struct config_slot *range = &config->ranges[i];
                const struct layout *layout = NULL;

                for (size_t j = 0; j < layouts->n && !layout; j++)
                        if (streq(layouts->items[j].range, range->path ? range->path : range->port))
                                layout = &layouts->items[j];
                r = add_range(&e, range, layout);
        }
        return r;
}
