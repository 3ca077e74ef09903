/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a broker, and whoever it lets in, may send to the fleet's programs: a line with the topic, and the payload behind it.
 * What is read as a record, a number or a picture is one. And the same bytes as one of their configurations.
 */
#include "fleet/delivered.h"
#include "fleet/record.h"
#include "fleet/settings.h"
#include "fleet/view.h"
#include "tests/fuzz/fuzz.h"

static bool check_topic(const char *text, struct topic *ret)
{
        struct topic again;
        char printed[TOPIC_SIZE];

        if (topic_parse(text, ret) != 0)
                return false;
        must(ret->station[0] && !ret->slot[0] == (ret->kind != TOPIC_SLOT));
        must(topic_print(printed, ret->kind, ret->station, ret->slot) == 0);
        must(topic_parse(printed, &again) == 0);
        must(again.kind == ret->kind && streq(again.station, ret->station) && streq(again.slot, ret->slot));
        return true;
}

static void check_delivered(const uint8_t *payload, size_t size)
{
        struct delivered delivered, again;
        char printed[DELIVERED_TEXT_SIZE];

        if (delivered_parse(payload, size, &delivered) < 0)
                return;
        must(station_id_is_valid(delivered.station_id) && delivered.sequence >= 0);
        size = delivered_print(&delivered, printed);
        must(size < sizeof(printed) && delivered_parse(printed, size, &again) == 0);
        must(streq(again.station_id, delivered.station_id) && again.sequence == delivered.sequence);
}

/* Into the store goes what has a place in a chain, or a letter that says why it has none. */
static void check_record(const char *topic, const uint8_t *payload, size_t size)
{
        json_t *item = NULL;
        int r = record_read(topic, payload, size, &item);
        json_int_t sequence, previous;

        must(r == 0 || r == RECORD_LETTER);
        must(json_is_object(item));
        if (r == RECORD_LETTER) {
                const char *why = json_string_value(json_object_get(item, "why"));

                must(why && *why);
        } else {
                sequence = json_integer_value(json_object_get(item, "sequence"));
                previous = json_integer_value(json_object_get(item, "previous"));
                must(station_id_is_valid(json_string_value(json_object_get(item, "station_id"))));
                must(previous >= 0 && sequence > previous);
                must(json_is_object(json_object_get(item, "record")));
        }
        json_decref(item);
}

/* Twice: the second message takes the place of the first. */
static void check_view(const struct topic *topic, const uint8_t *payload, size_t size)
{
        struct view view = { 0 };
        struct view_station *station = NULL;

        for (int i = 0; i < 2; i++)
                must(view_take(&view, topic, payload, size, &station) >= 0);
        must(view.n <= 1);
        for (size_t i = 0; i < view.n; i++) {
                _cleanup_(freep) const char **names = view_slot_names(&view.stations[i]);
                struct station_status status = { 0 };
                int r = view_status(&view.stations[i], &status);

                must(r == 0 || r == -EPROTO);
                if (r == 0)
                        station_status_done(&status);
                must(view_note(&view.stations[i]));
                /* What is left out is named. */
                must(r == 0 || view_fault(&view.stations[i], topic));
                must(names && (!names[0] || !view_fault(&view.stations[i], topic)));
                (void)view_has_header(&view.stations[i]);
                (void)view_is_online(&view.stations[i]);
                (void)view_seen_usec(&view.stations[i]);
                (void)view_backlog(&view.stations[i]);
                (void)view_slots(&view.stations[i]);
        }
        view_done(&view);
}

static void count_fault(void *userdata, unsigned line, const char *text)
{
        (void)line;
        must(*text);
        ++*(unsigned *)userdata;
}

static void check_settings(const char *text, size_t size)
{
        static const enum settings_reader readers[] = { SETTINGS_BRIDGE, SETTINGS_COLLECTOR, SETTINGS_FLEET };

        for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
                struct settings settings;
                unsigned faults = 0;
                int r = settings_parse(text, size, readers[i], count_fault, &faults, &settings);

                must(r == 0 ? faults == 0 : r == -EINVAL && faults > 0);
                must(r != 0 || settings.broker.port > 0);
                must(!settings.broker.certificate == !settings.broker.key);
                must(!settings.broker.user == !settings.broker.password_file);
                settings_done(&settings);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size, behind = end ? len + 1 : size;
        _cleanup_(freep) char *topic_text = strndup((const char *)data, len);
        struct topic topic;

        must(topic_text);
        check_record(topic_text, data + behind, size - behind);
        check_delivered(data + behind, size - behind);
        if (check_topic(topic_text, &topic))
                check_view(&topic, data + behind, size - behind);
        check_settings((const char *)data, size);
        return 0;
}
