/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inputs that each target begins with: what the unit tests have, made by the same code, so that nothing is kept
 * twice. What fuzzing found beyond them stands in corpus/TARGET.
 */
#pragma once

#include "core/util.h"

/* data is borrowed for the call. */
typedef void (*take_seed)(void *userdata, const void *data, size_t size);

/* Walks the targets: index 0, 1, … until NULL. */
const char *seeds_target(size_t index);
/* False where there is no such target. */
bool seeds_of(const char *target, take_seed take, void *userdata);
