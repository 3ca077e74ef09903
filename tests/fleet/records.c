/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fleet/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const char sample[] =
        "{\"job\":\"j1\",\"attempt\":1,\"slot\":\"A1\",\"port\":\"1-4.1\",\"path\":\"pci-0000:00:14.0-usb-0:"
        "4.1\","
        "\"chip\":\"esp32s3\",\"mac\":\"7c:df:a1:0b:00:12\",\"policy\":\"gizmo\",\"image_path\":\"/srv/"
        "gizmo.dfu\","
        "\"image_name\":\"gizmo\",\"image_version\":\"1.4.2\",\"image_sha256\":\"6192ab\",\"boot_id\":\"b\","
        "\"clock_synchronized\":true,\"start_realtime_usec\":1764236460123456,\"end_realtime_usec\":"
        "1764236470000001,"
        "\"duration_usec\":9876545,\"bytes\":81920,\"transfers\":21,\"verdict\":\"board-error\",\"final\":"
        "true,"
        "\"message\":\"errFIRMWARE "
        "\\\"x\\\"\\n\",\"engine_message\":\"e\",\"detaching_usec\":1,\"away_usec\":2,"
        "\"downloading_usec\":3,\"verifying_usec\":4,\"dfu_status\":\"errFIRMWARE\",\"dfu_state\":"
        "\"dfuERROR\","
        "\"station\":\"line3\",\"data_file\":\"/srv/data/unit-9.bin\"}";

json_t *sample_record(const char *station_id, int64_t sequence, int64_t previous)
{
        json_t *record = json_loads(sample, 0, NULL);

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
