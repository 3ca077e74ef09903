/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/view.h"

#include <stdio.h>

#include "core/messages.h"

static void forget(struct view_station *station)
{
        json_decref(station->online);
        json_decref(station->header);
        json_decref(station->slots);
        json_decref(station->faults);
}

void view_done(struct view *view)
{
        for (size_t i = 0; i < view->n; i++)
                forget(&view->stations[i]);
        free(view->stations);
        *view = (struct view){ 0 };
}

/* ---- by name ---- */

/* "line10" comes after "line9". */
static int compare(const char *a, const char *b)
{
        int order = strverscmp(a, b);

        return order ? order : strcmp(a, b);
}

static size_t position(const struct view *view, const char *name, bool *ret_found)
{
        size_t low = 0, high = view->n;

        while (low < high) {
                size_t middle = (low + high) / 2;
                int order = compare(view->stations[middle].name, name);

                if (order == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_found = false;
        return low;
}

struct view_station *view_find(const struct view *view, const char *name)
{
        bool found;
        size_t at = position(view, name, &found);

        return found ? &view->stations[at] : NULL;
}

/* The station of this name, a new one where there was none; NULL: there are too many, or out of memory. */
static struct view_station *find_or_add(struct view *view, const char *name)
{
        bool found;
        size_t at = position(view, name, &found);
        struct view_station *station;

        if (found)
                return &view->stations[at];
        if (view->n == VIEW_STATIONS_MAX)
                return NULL;
        if (view->n == view->allocated) {
                size_t allocated = MAX(view->allocated * 2, (size_t)32);
                void *stations = reallocarray(view->stations, allocated, sizeof(*view->stations));

                if (!stations)
                        return NULL;
                view->stations = stations;
                view->allocated = allocated;
        }
        station = &view->stations[at];
        memmove(station + 1, station, (view->n - at) * sizeof(*station));
        *station = (struct view_station){ .slots = json_object(), .faults = json_object() };
        if (!station->slots || !station->faults) {
                forget(station);
                memmove(station, station + 1, (view->n - at) * sizeof(*station));
                return NULL;
        }
        snprintf(station->name, sizeof(station->name), "%s", name);
        view->n++;
        return station;
}

/* Whoever took a station out of service empties what the broker keeps of it. */
static void drop_empty(struct view *view, struct view_station *station)
{
        size_t at = (size_t)(station - view->stations);

        if (station->online || station->header || json_object_size(station->slots) > 0 ||
            json_object_size(station->faults) > 0)
                return;
        forget(station);
        memmove(station, station + 1, (view->n - at - 1) * sizeof(*station));
        view->n--;
}

/* ---- messages ---- */

static void replace(json_t **p, json_t *value)
{
        json_decref(*p);
        *p = value ? json_incref(value) : NULL;
}

static int take_slot(struct view_station *station, const char *slot, json_t *value)
{
        if (!value)
                return json_object_del(station->slots, slot) == 0;
        if (json_object_size(station->slots) >= VIEW_SLOTS_MAX && !json_object_get(station->slots, slot))
                return 0;
        return json_object_set(station->slots, slot, value) == 0 ? 1 : -ENOMEM;
}

/* value NULL: it is no more, or it is no JSON object. */
static int take_value(struct view_station *station, const struct topic *topic, json_t *value)
{
        switch (topic->kind) {
        case TOPIC_ONLINE:
                replace(&station->online, value);
                return 1;
        case TOPIC_STATION:
                replace(&station->header, value);
                return 1;
        case TOPIC_SLOT:
                return take_slot(station, topic->slot, value);
        case TOPIC_JOB:
        case TOPIC_DELIVERED:
        case TOPIC_KIND_MAX_:
                return 0;
        }
        return 0;
}

/* The field of a message that is not understood; NULL: it is. "": it is no object. */
static const char *fault_of(enum topic_kind kind, const json_t *value)
{
        switch (kind) {
        case TOPIC_ONLINE:
                return !json_is_object(value)                               ? ""
                       : !json_is_boolean(json_object_get(value, "online")) ? "online"
                                                                            : NULL;
        case TOPIC_STATION:
                return station_fault(value);
        case TOPIC_SLOT:
                return slot_fault(value);
        case TOPIC_JOB:
        case TOPIC_DELIVERED:
        case TOPIC_KIND_MAX_:
                return NULL;
        }
        return NULL;
}

/* fault NULL: there is none any more. Whether it is another than before, or -ENOMEM. */
static int set_fault(struct view_station *station, const struct topic *topic, const char *fault)
{
        char name[TOPIC_SIZE];

        if (topic_print(name, topic->kind, topic->station, topic->slot) < 0)
                return 0;
        if (!fault)
                return json_object_del(station->faults, name) == 0;
        if (json_object_size(station->faults) > VIEW_SLOTS_MAX && !json_object_get(station->faults, name))
                return 0;
        return json_object_set_new(station->faults, name,
                                   *fault ? json_sprintf("%s: %s is not understood: expected what "
                                                         "espdfu-mqtt publishes",
                                                         name, fault)
                                          : json_sprintf("%s is not understood: expected a JSON object of at "
                                                         "most %u KiB",
                                                         name, (unsigned)(VIEW_PAYLOAD_MAX / KIB))) == 0
                       ? 1
                       : -ENOMEM;
}

/* value NULL: there is none, or it is no JSON object. */
static int take_message(struct view_station *station, const struct topic *topic, json_t *value, bool is_empty)
{
        int changed = take_value(station, topic, value),
            fault = set_fault(station, topic, is_empty ? NULL : fault_of(topic->kind, value));

        return changed < 0 ? changed : fault < 0 ? fault : changed | fault;
}

int view_take(struct view *view, const struct topic *topic, const void *payload, size_t size,
              struct view_station **ret)
{
        json_t *value = size > 0 && size <= VIEW_PAYLOAD_MAX ? json_loadb(payload, size, 0, NULL) : NULL;
        struct view_station *station = NULL;
        int r = 0;

        if (topic->kind == TOPIC_JOB || topic->kind == TOPIC_DELIVERED) {
                json_decref(value);
                return 0;
        }
        station = size > 0 ? find_or_add(view, topic->station) : view_find(view, topic->station);
        if (station)
                r = take_message(station, topic, json_is_object(value) ? value : NULL, size == 0);
        json_decref(value);
        if (station)
                drop_empty(view, station);
        if (ret)
                *ret = view_find(view, topic->station);
        return r;
}

/* ---- what is shown ---- */

static uint64_t number_of(const json_t *object, const char *name)
{
        json_int_t value = json_integer_value(json_object_get(object, name));

        return value > 0 ? (uint64_t)value : 0;
}

static const char *text_of(const json_t *object, const char *name)
{
        const char *text = json_string_value(json_object_get(object, name));

        return text ? text : "";
}

bool view_is_online(const struct view_station *station)
{
        return json_is_true(json_object_get(station->online, "online"));
}

uint64_t view_seen_usec(const struct view_station *station)
{
        return MAX(number_of(station->header, "realtime_usec"),
                   number_of(station->online, "since_realtime_usec"));
}

bool view_has_header(const struct view_station *station)
{
        return station->header && !station_fault(station->header);
}

uint64_t view_backlog(const struct view_station *station)
{
        return number_of(station->header, "backlog");
}

uint64_t view_slots(const struct view_station *station)
{
        return number_of(station->header, "slots");
}

const char *view_fault(const struct view_station *station, const struct topic *topic)
{
        char name[TOPIC_SIZE];

        return topic_print(name, topic->kind, topic->station, topic->slot) < 0
                       ? NULL
                       : json_string_value(json_object_get(station->faults, name));
}

static const char *first_fault(const struct view_station *station)
{
        const char *name;
        json_t *fault;

        json_object_foreach(station->faults, name, fault) return json_string_value(fault);
        return NULL;
}

const char *view_note(const struct view_station *station)
{
        static const char *const names[] = { "ledger_trouble", "held", "config_error", "lagging" };
        const char *fault = first_fault(station);

        if (!view_is_online(station) && *text_of(station->online, "message"))
                return text_of(station->online, "message");
        if (fault)
                return fault;
        if (!view_is_online(station))
                return station->online ? "" : "its bridge was not heard";
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (*text_of(station->header, names[i]))
                        return text_of(station->header, names[i]);
        return "";
}

static int by_name(const void *a, const void *b)
{
        return compare(*(const char *const *)a, *(const char *const *)b);
}

static bool slot_is_understood(const struct view_station *station, const char *slot)
{
        struct topic topic = { .kind = TOPIC_SLOT };

        snprintf(topic.station, sizeof(topic.station), "%s", station->name);
        snprintf(topic.slot, sizeof(topic.slot), "%s", slot);
        return !view_fault(station, &topic);
}

const char **view_slot_names(const struct view_station *station)
{
        size_t n = 0;
        const char **names = calloc(json_object_size(station->slots) + 1, sizeof(*names));
        const char *name;
        json_t *slot;

        if (!names)
                return NULL;
        json_object_foreach(station->slots, name, slot)
        {
                if (slot_is_understood(station, name))
                        names[n++] = name;
        }
        qsort(names, n, sizeof(*names), by_name);
        return names;
}

/* Those slots that are understood, in order; a new array. */
static json_t *slots_in_order(const struct view_station *station)
{
        const char **names = view_slot_names(station);
        json_t *array = names ? json_array() : NULL;

        for (size_t i = 0; array && names[i]; i++)
                if (json_array_append(array, json_object_get(station->slots, names[i])) < 0) {
                        json_decref(array);
                        array = NULL;
                }
        free(names);
        return array;
}

int view_status(const struct view_station *station, struct station_status *ret)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        json_t *header = view_has_header(station)
                                 ? json_incref(station->header)
                                 : json_pack("{s:s, s:s}", "name", station->name, "version", "");
        json_t *whole = json_pack("{s:o, s:o, s:b}", "station", header, "slots", slots_in_order(station),
                                  "whole", true);
        int r = whole ? status_update_from_json(whole, &update) : -ENOMEM;

        json_decref(whole);
        if (r < 0)
                return r;
        *ret = update.station;
        update.station = (struct station_status){ 0 };
        return 0;
}
