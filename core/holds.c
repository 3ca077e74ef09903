/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/holds.h"

#include <jansson.h>
#include <stdio.h>

#include "core/fields.h"
#include "core/place.h"
#include "core/policy.h"
#include "core/printable.h"

static const struct field station_fields[] = { FIELD(TEXT_OR_NULL, holds, station) };

static const struct field port_fields[] = {
        FIELD(TEXT_OR_NULL, hold, path),
        FIELD(TEXT_OR_NULL, hold, port),
        FIELD(TEXT, hold, text),
};

static void hold_done(struct hold *hold)
{
        free(hold->path);
        free(hold->port);
        free(hold->text);
}

void holds_done(struct holds *holds)
{
        for (size_t i = 0; i < holds->n_ports; i++)
                hold_done(&holds->ports[i]);
        free(holds->ports);
        free(holds->station);
        *holds = (struct holds){ 0 };
}

int holds_copy(const struct holds *holds, struct holds *ret)
{
        _cleanup_(holds_done) struct holds copy = { 0 };
        int r = free_and_strdup(&copy.station, holds->station);

        for (size_t i = 0; i < holds->n_ports && r == 0; i++)
                r = holds_put_port(&copy, holds->ports[i].path, holds->ports[i].port, holds->ports[i].text);
        if (r < 0)
                return r;
        *ret = copy;
        copy = (struct holds){ 0 };
        return 0;
}

void hold_text(char ret[HOLD_TEXT_MAX], const char *who, const char *reason)
{
        snprintf(ret, HOLD_TEXT_MAX, "held by %s%s%s", who, reason ? ": " : "", reason ? reason : "");
}

static struct hold *find_port(const struct holds *holds, const char *path, const char *port)
{
        for (size_t i = 0; i < holds->n_ports; i++)
                if (is_same_place(holds->ports[i].path, holds->ports[i].port, path, port))
                        return &holds->ports[i];
        return NULL;
}

const char *holds_of_port(const struct holds *holds, const char *path, const char *port)
{
        const struct hold *hold = find_port(holds, path, port);

        return hold ? hold->text : NULL;
}

static int append_port(struct holds *holds, const struct hold *from)
{
        struct hold *ports, hold = { 0 };
        int r;

        if (holds->n_ports >= HOLDS_MAX)
                return -ENOBUFS;
        ports = reallocarray(holds->ports, holds->n_ports + 1, sizeof(*ports));
        if (!ports)
                return -ENOMEM;
        holds->ports = ports;
        r = free_and_strdup(&hold.path, from->path);
        if (r == 0)
                r = free_and_strdup(&hold.port, from->port);
        if (r == 0)
                r = free_and_strdup(&hold.text, from->text);
        if (r < 0) {
                hold_done(&hold);
                return r;
        }
        ports[holds->n_ports++] = hold;
        return 0;
}

int holds_put_port(struct holds *holds, const char *path, const char *port, const char *text)
{
        struct hold *hold = find_port(holds, path, port);
        const struct hold from = {
                .path = (char *)(uintptr_t)path,
                .port = (char *)(uintptr_t)port,
                .text = (char *)(uintptr_t)text,
        };

        return hold ? free_and_strdup(&hold->text, text) : append_port(holds, &from);
}

/* The others stay in the order in which they came. */
static void remove_at(struct holds *holds, size_t i)
{
        hold_done(&holds->ports[i]);
        holds->n_ports--;
        memmove(&holds->ports[i], &holds->ports[i + 1], (holds->n_ports - i) * sizeof(*holds->ports));
}

bool holds_remove_port(struct holds *holds, const char *path, const char *port)
{
        struct hold *hold = find_port(holds, path, port);

        if (!hold)
                return false;
        remove_at(holds, (size_t)(hold - holds->ports));
        return true;
}

static bool is_unnamed(const struct hold *hold, const char *text, const struct config *config)
{
        return streq(hold->text, text) && !config_slot_for(config, hold->path, hold->port);
}

size_t holds_bound_unnamed(struct holds *holds, const char *text, const struct config *config, size_t max)
{
        size_t n = 0, removed = 0;

        for (size_t i = 0; i < holds->n_ports; i++)
                n += is_unnamed(&holds->ports[i], text, config);
        for (size_t i = 0; n - removed > max;)
                if (is_unnamed(&holds->ports[i], text, config)) {
                        remove_at(holds, i);
                        removed++;
                } else {
                        i++;
                }
        return removed;
}

/* ---- the file ---- */

int holds_encode(const struct holds *holds, char **ret)
{
        json_t *object = fields_to_json(station_fields, ARRAY_SIZE(station_fields), holds);
        json_t *ports = fields_array_to_json(port_fields, ARRAY_SIZE(port_fields), holds->ports,
                                             holds->n_ports, sizeof(*holds->ports));
        _cleanup_(freep) char *text = NULL;
        int r = -ENOMEM;

        /* Takes ports over, also on failure. */
        if (json_object_set_new(object, "ports", ports) == 0)
                text = json_dumps(object, JSON_INDENT(2));
        if (text && asprintf(ret, "%s\n", text) >= 0)
                r = 0;
        json_decref(object);
        return r;
}

static bool is_sound(const struct holds *holds)
{
        if (holds->n_ports > HOLDS_MAX || (holds->station && !is_printable(holds->station)))
                return false;
        for (size_t i = 0; i < holds->n_ports; i++)
                if ((!holds->ports[i].path && !holds->ports[i].port) || !is_printable(holds->ports[i].text))
                        return false;
        return true;
}

int holds_parse(const char *text, size_t len, struct holds *ret)
{
        _cleanup_(holds_done) struct holds holds = { 0 };
        json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
        int r = json_is_object(object) && json_is_array(json_object_get(object, "ports")) ? 0 : -EPROTO;

        if (r == 0)
                r = fields_from_json(station_fields, ARRAY_SIZE(station_fields), object, &holds);
        if (r == 0)
                r = fields_array_from_json(port_fields, ARRAY_SIZE(port_fields),
                                           json_object_get(object, "ports"), sizeof(*holds.ports),
                                           &holds.ports, &holds.n_ports);
        json_decref(object);
        if (r == -EPROTO || (r == 0 && !is_sound(&holds)))
                return 1;
        if (r < 0)
                return r;
        *ret = holds;
        holds = (struct holds){ 0 };
        return 0;
}
