/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was heard of the fleet, or of one station of it, as text for people. */
#pragma once

#include "fleet/view.h"
#include "show/table.h"

/* station NULL: all of them. Lines ended by '\n'; to be freed. 0 or -ENOMEM. */
int fleet_picture(const struct view *view, const char *station, const struct table_style *style, char **ret);
/* What of a station is not understood, a line for each topic, a few of them; "" where there is nothing. NULL: -ENOMEM. */
char *fleet_faults(const struct view_station *station);
