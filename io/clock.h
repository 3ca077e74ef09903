/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock that deadlines go by. Only main loops and who waits read it; what core/ decides is given the time. */
#pragma once

#include "core/util.h"

/* Of CLOCK_MONOTONIC. */
uint64_t monotonic_usec(void);
