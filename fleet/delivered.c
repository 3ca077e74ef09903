/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/delivered.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

bool station_id_is_valid(const char *text)
{
        return strlen(text) == STATION_ID_SIZE - 1 && strspn(text, "0123456789abcdef") == STATION_ID_SIZE - 1;
}

size_t delivered_print(const struct delivered *delivered, char ret[static DELIVERED_TEXT_SIZE])
{
        return (size_t)snprintf(ret, DELIVERED_TEXT_SIZE, "{\"station_id\":\"%s\",\"sequence\":%" PRId64 "}",
                                delivered->station_id, delivered->sequence);
}

static int take_members(json_t *object, struct delivered *ret)
{
        const char *id = json_string_value(json_object_get(object, "station_id"));
        json_t *sequence = json_object_get(object, "sequence");

        if (!id || !station_id_is_valid(id) || !json_is_integer(sequence) || json_integer_value(sequence) < 0)
                return -EPROTO;
        memcpy(ret->station_id, id, STATION_ID_SIZE);
        ret->sequence = json_integer_value(sequence);
        return 0;
}

int delivered_parse(const void *payload, size_t size, struct delivered *ret)
{
        json_t *object;
        int r;

        if (size > DELIVERED_TEXT_MAX)
                return -EPROTO;
        object = json_loadb(payload, size, JSON_REJECT_DUPLICATES, NULL);
        r = take_members(object, ret);
        json_decref(object);
        return r;
}
