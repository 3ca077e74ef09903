/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records as bridges send them. */
#pragma once

#include <jansson.h>

#include "core/util.h"

/* An attempt that has every field, and failed; without what makes it a record of a station. */
#define SAMPLE_RECORD                                                                                        \
        "{\"job\":\"j1\",\"attempt\":1,\"slot\":\"A1\",\"port\":\"1-4.1\","                                  \
        "\"path\":\"pci-0000:00:14.0-usb-0:4.1\",\"chip\":\"esp32s3\","                                      \
        "\"mac\":\"7c:df:a1:0b:00:12\",\"policy\":\"gizmo\","                                                \
        "\"image_path\":\"/srv/gizmo.dfu\",\"image_name\":\"gizmo\","                                        \
        "\"image_version\":\"1.4.2\",\"image_sha256\":\"6192ab\",\"boot_id\":\"b\","                         \
        "\"clock_synchronized\":true,\"start_realtime_usec\":1764236460123456,"                              \
        "\"end_realtime_usec\":1764236470000001,\"duration_usec\":9876545,\"bytes\":81920,"                  \
        "\"transfers\":21,\"verdict\":\"board-error\",\"final\":true,"                                       \
        "\"message\":\"errFIRMWARE \\\"x\\\"\\n\",\"engine_message\":\"e\","                                 \
        "\"detaching_usec\":1,\"away_usec\":2,\"downloading_usec\":3,\"verifying_usec\":4,"                  \
        "\"dfu_status\":\"errFIRMWARE\",\"dfu_state\":\"dfuERROR\",\"station\":\"line3\","                   \
        "\"data_file\":\"/srv/data/unit-9.bin\"}"

/* Of an attempt that has every field, and failed. A new object. */
json_t *sample_record(const char *station_id, int64_t sequence, int64_t previous);
/* As text, to be freed, with one field set to value (taken over; NULL: without it). name NULL: as it is. */
char *record_payload(const char *station_id, int64_t sequence, int64_t previous, const char *name,
                     json_t *value);
