/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records as bridges send them. */
#pragma once

#include <jansson.h>

#include "core/util.h"

/* Of an attempt that has every field, and failed. A new object. */
json_t *sample_record(const char *station_id, int64_t sequence, int64_t previous);
/* As text, to be freed, with one field set to value (taken over; NULL: without it). name NULL: as it is. */
char *record_payload(const char *station_id, int64_t sequence, int64_t previous, const char *name,
                     json_t *value);
