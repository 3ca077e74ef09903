/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A contact that flaps: boards that leave a port in the middle of it, again and again. Pure: times are arguments, of any
 * clock that does not stand still. Which leaves count is the caller's to say (daemon/slot-return.c).
 */
#pragma once

#include "core/util.h"

#define FLAPPING_LEAVES 3
#define FLAPPING_WITHIN (60 * USEC_PER_SEC)
/* Ports without a name that are held for it at a time: a device that plays hubs has as many ports as it likes, and none of what
 * is held gives its slot or its place among the holds away. */
#define FLAPPING_UNNAMED_MAX 64
#define FLAPPING_REASON      "flapping: left 3 times within a minute"

/* All zero: none yet. */
struct flapping {
        uint64_t left_usec[FLAPPING_LEAVES]; /* the newest first; 0: none */
};

/* One more. Whether it is too many; then the count begins anew. */
bool flapping_left(struct flapping *flapping, uint64_t now_usec);
