/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What came on a topic of job records, made into what the store takes (schema-1.sql, espdfu.take()): a record whose fields
 * are columns, or a letter with the reason why it is none. Pure.
 */
#pragma once

#include <jansson.h>

#include "core/util.h"

#define RECORD_PAYLOAD_MAX (64 * KIB) /* a record has under 16 KiB; of a longer payload that much is kept */

/* Positive result of record_read(). */
#define RECORD_LETTER 1

/*
 * 0 with an item of espdfu.take()'s messages, or RECORD_LETTER with one of its letters. The item is a new object; what of it
 * is wrong is its "why". -ENOMEM.
 */
int record_read(const char *topic, const void *payload, size_t size, json_t **ret);

/* The names of a record's fields, all that Attempt has and "station_id", "previous"; NULL after the last. */
const char *record_field(size_t index);
