/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hubs that are seen, those that ranges of slots are made of, and the text that keeps them. */
#include <jansson.h>
#include <stdio.h>

#include "core/config-values.h"
#include "core/fields.h"
#include "core/place.h"
#include "core/slot-range.h"

static const struct field layout_fields[] = { FIELD(TEXT, layout, range) };
static const struct field hub_fields[] = { FIELD(TEXT, layout_hub, below),
                                           FIELD(UNSIGNED, layout_hub, n_ports) };

/* ---- what is seen ---- */

void seen_hubs_done(struct seen_hubs *hubs)
{
        for (size_t i = 0; i < hubs->n; i++) {
                free(hubs->items[i].path);
                free(hubs->items[i].port);
        }
        free(hubs->items);
        *hubs = (struct seen_hubs){ 0 };
}

int seen_hubs_add(struct seen_hubs *hubs, const char *path, const char *port, unsigned n_ports)
{
        bool root = str_has_prefix(port, "usb");
        struct seen_hub *items, *hub;

        if (n_ports == 0 || n_ports > RANGE_PORTS_MAX || (!root && !value_is_port(port)))
                return -EINVAL;
        if (hubs->n >= RANGE_HUBS_MAX)
                return -ENOBUFS;
        items = reallocarray(hubs->items, hubs->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        hubs->items = items;
        hub = &items[hubs->n];
        *hub = (struct seen_hub){ .n_ports = n_ports };
        if (asprintf(&hub->port, "%s%s", root ? port + strlen("usb") : port, root ? "-" : ".") < 0)
                return -ENOMEM;
        if (path && asprintf(&hub->path, "%s%s", path, root ? PLACE_USB_MARK : ".") < 0) {
                free(hub->port);
                return -ENOMEM;
        }
        hubs->n++;
        return 0;
}

/* ---- layouts ---- */

static void layout_done(struct layout *layout)
{
        for (size_t i = 0; i < layout->n_hubs; i++)
                free(layout->hubs[i].below);
        free(layout->hubs);
        free(layout->range);
}

void layouts_done(struct layouts *layouts)
{
        for (size_t i = 0; i < layouts->n; i++)
                layout_done(&layouts->items[i]);
        free(layouts->items);
        *layouts = (struct layouts){ 0 };
}

static const char *place_of(const struct config_slot *range)
{
        return range->path ? range->path : range->port;
}

static const struct config_slot *range_of(const struct config *config, const char *place)
{
        for (size_t i = 0; i < config->n_ranges; i++)
                if (streq(place_of(&config->ranges[i]), place))
                        return &config->ranges[i];
        return NULL;
}

static struct layout *layout_find(const struct layouts *layouts, const char *range)
{
        for (size_t i = 0; i < layouts->n; i++)
                if (streq(layouts->items[i].range, range))
                        return &layouts->items[i];
        return NULL;
}

static int layout_add(struct layouts *layouts, const char *range, struct layout **ret)
{
        struct layout *items = reallocarray(layouts->items, layouts->n + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        layouts->items = items;
        items[layouts->n] = (struct layout){ .range = strdup(range) };
        if (!items[layouts->n].range)
                return -ENOMEM;
        *ret = &items[layouts->n++];
        return 0;
}

static int hub_add(struct layout *layout, const char *below, unsigned n_ports)
{
        struct layout_hub *hubs = reallocarray(layout->hubs, layout->n_hubs + 1, sizeof(*hubs));

        if (!hubs)
                return -ENOMEM;
        layout->hubs = hubs;
        hubs[layout->n_hubs] = (struct layout_hub){ .below = strdup(below), .n_ports = n_ports };
        if (!hubs[layout->n_hubs].below)
                return -ENOMEM;
        layout->n_hubs++;
        return 0;
}

int layouts_copy_for(const struct layouts *layouts, const struct config *config, struct layouts *ret)
{
        _cleanup_(layouts_done) struct layouts copy = { 0 };
        int r = 0;

        for (size_t i = 0; i < layouts->n && r == 0; i++) {
                const struct layout *from = &layouts->items[i];
                struct layout *to;

                if (!range_of(config, from->range))
                        continue;
                r = layout_add(&copy, from->range, &to);
                for (size_t j = 0; j < from->n_hubs && r == 0; j++)
                        r = hub_add(to, from->hubs[j].below, from->hubs[j].n_ports);
        }
        if (r < 0)
                return r;
        *ret = copy;
        copy = (struct layouts){ 0 };
        return 0;
}

/* ---- taking what is seen ---- */

/* The hub as this range writes it, if it is in it; else NULL. */
static const char *hub_in_range(const struct config_slot *range, const struct seen_hub *hub)
{
        const char *below = range->path ? hub->path : hub->port, *place = place_of(range);

        return below && strncmp(below, place, strlen(place) - 1) == 0 ? below : NULL;
}

static struct layout_hub *hub_find(const struct layout *layout, const char *below)
{
        for (size_t i = 0; i < layout->n_hubs; i++)
                if (streq(layout->hubs[i].below, below))
                        return &layout->hubs[i];
        return NULL;
}

/* A hub of USB 3 is two devices, with one ID_PATH: the more ports of the two. */
static unsigned most_ports(const struct config_slot *range, const struct seen_hubs *seen, const char *below)
{
        unsigned most = 0;

        for (size_t i = 0; i < seen->n; i++)
                if (streq_ptr(hub_in_range(range, &seen->items[i]), below))
                        most = MAX(most, seen->items[i].n_ports);
        return most;
}

static int take_range(struct layouts *layouts, const struct config_slot *range, const struct seen_hubs *seen,
                      bool only_new)
{
        struct layout *layout = layout_find(layouts, place_of(range));
        int r = layout ? 0 : layout_add(layouts, place_of(range), &layout), changed = 0;

        if (r < 0 || (only_new && layout->n_hubs > 0))
                return r;
        for (size_t i = 0; i < seen->n; i++) {
                const char *below = hub_in_range(range, &seen->items[i]);
                struct layout_hub *hub = below ? hub_find(layout, below) : NULL;
                unsigned n_ports = below ? most_ports(range, seen, below) : 0;

                if (!below || (hub && hub->n_ports == n_ports))
                        continue;
                changed = 1;
                if (hub)
                        hub->n_ports = n_ports;
                else if ((r = hub_add(layout, below, n_ports)) < 0)
                        return r;
        }
        return changed;
}

int layouts_take(struct layouts *layouts, const struct config *config, const struct seen_hubs *seen,
                 bool only_new, bool *changed)
{
        int any = 0;

        for (size_t i = 0; i < config->n_ranges; i++) {
                int r = take_range(layouts, &config->ranges[i], seen, only_new);

                if (r < 0)
                        return r;
                if (changed)
                        changed[i] = r > 0;
                any |= r;
        }
        return any;
}

const struct config_slot *layouts_range_without(const struct layouts *layouts, const struct config *config,
                                                const struct seen_hub *hub)
{
        for (size_t i = 0; i < config->n_ranges; i++) {
                const char *below = hub_in_range(&config->ranges[i], hub);
                const struct layout *layout = layout_find(layouts, place_of(&config->ranges[i]));

                if (below && (!layout || !hub_find(layout, below)))
                        return &config->ranges[i];
        }
        return NULL;
}

/* ---- the file ---- */

static json_t *layout_to_json(const struct layout *layout)
{
        json_t *object = fields_to_json(layout_fields, ARRAY_SIZE(layout_fields), layout);
        json_t *hubs = fields_array_to_json(hub_fields, ARRAY_SIZE(hub_fields), layout->hubs, layout->n_hubs,
                                            sizeof(*layout->hubs));

        /* Takes hubs over, also on failure. */
        if (json_object_set_new(object, "hubs", hubs) == 0)
                return object;
        json_decref(object);
        return NULL;
}

int layouts_encode(const struct layouts *layouts, char **ret)
{
        json_t *ranges = json_array(), *object = json_pack("{s:O?}", "ranges", ranges);
        _cleanup_(freep) char *text = NULL;
        int r = object ? 0 : -ENOMEM;

        for (size_t i = 0; i < layouts->n && r == 0; i++)
                if (json_array_append_new(ranges, layout_to_json(&layouts->items[i])) < 0)
                        r = -ENOMEM;
        if (r == 0)
                text = json_dumps(object, JSON_INDENT(2));
        if (!text || asprintf(ret, "%s\n", text) < 0)
                r = -ENOMEM;
        json_decref(ranges);
        json_decref(object);
        return r;
}

/* Each hub is below its range, and ends where the number of a port begins. */
static bool is_sound(const struct layout *layout)
{
        bool by_port = value_is_port_range(layout->range);

        if (!by_port && !value_is_path_range(layout->range))
                return false;
        for (size_t i = 0; i < layout->n_hubs; i++) {
                const struct layout_hub *hub = &layout->hubs[i];
                _cleanup_(freep) char *port = NULL;

                if (asprintf(&port, "%s1", hub->below) < 0) {
                        port = NULL;
                        return false;
                }
                if (strncmp(hub->below, layout->range, strlen(layout->range) - 1) != 0 || hub->n_ports == 0 ||
                    hub->n_ports > RANGE_PORTS_MAX ||
                    !(by_port ? value_is_port(port) : value_is_id_path(port)))
                        return false;
        }
        return true;
}

static int parse_layout(const json_t *object, struct layouts *layouts)
{
        struct layout *layout;
        int r = layout_add(layouts, "", &layout);

        if (r == 0)
                free(take_ptr(layout->range));
        if (r == 0)
                r = fields_from_json(layout_fields, ARRAY_SIZE(layout_fields), object, layout);
        if (r == 0)
                r = fields_array_from_json(hub_fields, ARRAY_SIZE(hub_fields),
                                           json_object_get(object, "hubs"), sizeof(*layout->hubs),
                                           &layout->hubs, &layout->n_hubs);
        if (r == 0 && (layout->n_hubs > RANGE_HUBS_MAX || !is_sound(layout)))
                return -EPROTO;
        return r;
}

int layouts_parse(const char *text, size_t len, struct layouts *ret)
{
        _cleanup_(layouts_done) struct layouts layouts = { 0 };
        json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
        const json_t *ranges = json_object_get(object, "ranges"), *range;
        int r = json_is_array(ranges) && json_array_size(ranges) <= CONFIG_SLOTS_MAX ? 0 : -EPROTO;
        size_t i;

        if (r == 0)
                json_array_foreach(ranges, i, range) if (r == 0) r = parse_layout(range, &layouts);
        json_decref(object);
        if (r < 0)
                return r == -EPROTO ? 1 : r;
        *ret = layouts;
        layouts = (struct layouts){ 0 };
        return 0;
}
