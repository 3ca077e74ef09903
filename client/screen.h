/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The station for somebody who stands two metres away: a line for each slot, its phase as a word in capitals on its
 * colour; the last failures below. Pure: what is seen goes in, lines come out. No line is wider than the screen, and there
 * are no more of them than it is high.
 *
 * Where there are more slots than lines, those that failed are shown first, then those that want somebody, then those at
 * work, then the others, always in the station's order; a line says what is not shown.
 */
#pragma once

#include "client/failures.h"
#include "show/table.h"

struct screen {
        const struct station_status *station;
        const struct failures *failures;
        const char *gone;   /* why the daemon is gone; what is shown is how it was then; NULL: it is there */
        uint64_t gone_usec; /* since this time of day */
        size_t height;      /* 0: as high as it gets */
        struct table_style style; /* with its width; 0: as wide as it gets */
};

/* Lines, each ended by '\n'; to be freed. 0 or -ENOMEM. */
int screen_render(const struct screen *screen, char **ret);
