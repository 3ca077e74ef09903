/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the broker into the central store. What it may forget it forgets: a record counts when it is committed, and what this
 * program lost on the way there its bridge sends again.
 */
#pragma once

#include "fleet/settings.h"

/* As a service, until it is asked to end. 0, or a negative errno where it cannot begin. */
int collect(const struct settings *settings);
