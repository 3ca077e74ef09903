/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * espdfu-mqtt: what the station says, to the broker; what the collector has, to the station. docs/mqtt.md says what is published.
 *
 * Files: bridge.c (this interface: the loop, and who is there), bridge-records.c (records, cursor, acknowledgement),
 * bridge-state.c (online, station, slots).
 */
#pragma once

#include "fleet/settings.h"

struct bridge;

/* settings and state_dir (where the cursor is kept) are borrowed. */
int bridge_new(const struct settings *settings, const char *state_dir, struct bridge **ret);
struct bridge *bridge_free(struct bridge *bridge);
DEFINE_CLEANUP(struct bridge, bridge_free)

/* Until it is asked to end (SIGTERM, SIGINT); then it says that the station is not online any more. 0 or a negative errno. */
int bridge_run(struct bridge *bridge);
