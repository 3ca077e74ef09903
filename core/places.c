/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/places.h"

#include <stdio.h>

#include "core/place.h"

_Static_assert(CONFIG_HUBS_MAX <= 64, "hubs_above() has a bit for each hub");

static bool is_below(const struct config_hub *hub, const char *path, const char *port)
{
        if (hub->path)
                return path && is_path_below(path, hub->path);
        return port && is_port_below(port, hub->port);
}

uint64_t hubs_above(const struct config *config, const char *path, const char *port)
{
        uint64_t hubs = 0;

        for (size_t i = 0; i < config->n_hubs; i++)
                if (is_below(&config->hubs[i], path, port))
                        hubs |= UINT64_C(1) << i;
        return hubs;
}

void places_init(struct places *places, const struct config *config)
{
        *places = (struct places){ .station.max = config->jobs_max, .n_hubs = config->n_hubs };
        for (size_t i = 0; i < config->n_hubs; i++) {
                const struct config_hub *hub = &config->hubs[i];

                places->hubs[i].max = hub->jobs_max;
                places->hubs[i].depth = hub->path ? path_depth(hub->path) : port_depth(hub->port);
        }
}

/* Takes the lowest bit out of hubs. */
static unsigned next_hub(uint64_t *hubs)
{
        unsigned hub = (unsigned)__builtin_ctzll(*hubs);

        *hubs &= *hubs - 1;
        return hub;
}

void places_take(struct places *places, uint64_t hubs)
{
        places->station.running++;
        while (hubs)
                places->hubs[next_hub(&hubs)].running++;
}

static bool is_full(unsigned max, unsigned running)
{
        return max != 0 && running >= max;
}

/* The nearest hub first: what is said stays the same while more is full further up. */
static struct place_answer answer(const struct places *places, uint64_t hubs)
{
        struct place_answer ret = { .type = PLACE_GIVEN };

        while (hubs) {
                unsigned hub = next_hub(&hubs);

                if (!is_full(places->hubs[hub].max, places->hubs[hub].running))
                        continue;
                if (ret.type == PLACE_GIVEN || places->hubs[hub].depth > places->hubs[ret.hub].depth)
                        ret = (struct place_answer){ .type = PLACE_HUB_FULL, .hub = hub };
        }
        if (ret.type == PLACE_GIVEN && is_full(places->station.max, places->station.running))
                ret.type = PLACE_STATION_FULL;
        return ret;
}

static int compare_tickets(const void *a, const void *b)
{
        uint64_t x = ((const struct place_want *)a)->ticket, y = ((const struct place_want *)b)->ticket;

        return (x > y) - (x < y);
}

void places_give(struct places *places, struct place_want *wants, size_t n)
{
        if (n > 1)
                qsort(wants, n, sizeof(*wants), compare_tickets);
        for (size_t i = 0; i < n; i++) {
                wants[i].answer = answer(places, wants[i].hubs);
                if (wants[i].answer.type == PLACE_GIVEN)
                        places_take(places, wants[i].hubs);
        }
}

void place_answer_text(char ret[PLACE_TEXT_MAX], const struct config *config,
                       const struct place_answer *answer)
{
        const struct config_hub *hub;

        switch (answer->type) {
        case PLACE_GIVEN:
                ret[0] = '\0';
                break;
        case PLACE_STATION_FULL:
                snprintf(ret, PLACE_TEXT_MAX, "waits for a place: station has jobs-max = %u",
                         config->jobs_max);
                break;
        case PLACE_HUB_FULL:
                hub = &config->hubs[answer->hub];
                snprintf(ret, PLACE_TEXT_MAX, "waits for a place on hub %s (jobs-max = %u)", hub->name,
                         hub->jobs_max);
                break;
        }
}
