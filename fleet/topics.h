/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The topics of the fleet, version 1: "espdfu/1/STATION/KIND" and "espdfu/1/STATION/slot/NAME"; docs/mqtt.md says what is
 * published there. A name is one level: what may not stand in one (/ + # %, control characters) is percent-encoded, "A%2B1".
 * Pure.
 */
#pragma once

#include "core/words.h"

#define TOPIC_VERSION  "1"
#define TOPIC_NAME_MAX 64  /* bytes in the name of a station or a slot */
#define TOPIC_SIZE     512 /* with its NUL; the longest names, each of their bytes encoded */

enum topic_kind {
        TOPIC_ONLINE,
        TOPIC_STATION,
        TOPIC_SLOT,
        TOPIC_JOB,
        TOPIC_DELIVERED,
        TOPIC_KIND_MAX_,
};
DECLARE_WORDS(topic_kind)

/* Positive results of topic_parse(). */
enum {
        TOPIC_FOREIGN = 1,   /* nothing of ours */
        TOPIC_OTHER_VERSION, /* espdfu/2/… */
};

struct topic {
        enum topic_kind kind;
        char station[TOPIC_NAME_MAX + 1];
        char slot[TOPIC_NAME_MAX + 1]; /* of TOPIC_SLOT; else "" */
};

/* Whether a station or a slot can be called so: 1 to TOPIC_NAME_MAX bytes, UTF-8. */
bool topic_name_is_right(const char *name);
/* slot: of TOPIC_SLOT alone. 0, or -ENAMETOOLONG where a name is empty or longer than TOPIC_NAME_MAX. */
int topic_print(char ret[static TOPIC_SIZE], enum topic_kind kind, const char *station, const char *slot);
/* 0 with *ret; TOPIC_FOREIGN; TOPIC_OTHER_VERSION. */
int topic_parse(const char *text, struct topic *ret);
