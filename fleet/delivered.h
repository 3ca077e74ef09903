/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the collector says of a station: every record up to this number is in the store, for good. Pure. */
#pragma once

#include "core/util.h"

#define STATION_ID_SIZE     33 /* 32 hexadecimal digits and a NUL */
#define DELIVERED_TEXT_SIZE 128
#define DELIVERED_TEXT_MAX  4096 /* bytes that are looked at */

struct delivered {
        char station_id[STATION_ID_SIZE];
        int64_t sequence; /* 0: none */
};

/* 32 hexadecimal digits in lower case. */
bool station_id_is_valid(const char *text);
/* The payload of …/delivered: its length. */
size_t delivered_print(const struct delivered *delivered, char ret[static DELIVERED_TEXT_SIZE]);
/* 0, or -EPROTO: it is something else. What it has besides is ignored. */
int delivered_parse(const void *payload, size_t size, struct delivered *ret);
