/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fleet/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

json_t *sample_record(const char *station_id, int64_t sequence, int64_t previous)
{
        json_t *record = json_loads(SAMPLE_RECORD, 0, NULL);

        assert_non_null(record);
        json_object_set_new(record, "id", json_integer(sequence + 1000));
        json_object_set_new(record, "sequence", json_integer(sequence));
        json_object_set_new(record, "previous", json_integer(previous));
        json_object_set_new(record, "station_id", json_string(station_id));
        return record;
}

char *record_payload(const char *station_id, int64_t sequence, int64_t previous, const char *name,
                     json_t *value)
{
        json_t *record = sample_record(station_id, sequence, previous);
        char *text;

        if (name && value)
                json_object_set_new(record, name, value);
        else if (name)
                json_object_del(record, name);
        text = json_dumps(record, JSON_COMPACT);
        json_decref(record);
        assert_non_null(text);
        return text;
}
