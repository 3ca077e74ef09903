/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a daemon keeps when all boards are gone: no engine, and no descriptor beyond those that it had before. */
#pragma once

#include "tests/integration/line.h"

/*
 * What the daemon has open, sorted, a line for each; but not what is opened when it is first needed and then stays, as long as
 * it is no more of that than there may be. To be freed.
 */
char *upkeep_descriptors(struct line *line);
/* How many it has open, of all kinds. */
unsigned upkeep_count_descriptors(struct line *line);
/* All that it opened for boards and clients since before is closed, or will be soon. */
void upkeep_expect_descriptors(struct line *line, const char *before);
/* It has no child: none that runs, and none that has ended and was not reaped. */
void upkeep_expect_no_engine(struct line *line);
