/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device, a bus and a driver that do anything that the types allow, as the dice fall: completions in any order, any
 * answer at any time, SIGTERM and the clock whenever they like. Whatever happens core/dfu comes to an end, and keeps its
 * rules; whoever breaks one fails the test.
 */
#pragma once

#include "core/dfu.h"
#include "tests/unit/dice.h"

/* One download, or one DETACH, to its end. Returns the verdict. */
enum verdict chaos_run(struct dice *dice);
