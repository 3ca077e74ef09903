/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What systemd is told of the daemon, in the words of sd_notify(3): how its start, its reloads and its stop go, and the
 * line that `systemctl status` shows. Where no systemd listens ($NOTIFY_SOCKET), all of it does nothing.
 */
#pragma once

#include "core/status.h"

/* Up, or up again after notify_reloading(). */
void notify_ready(void);
void notify_reloading(void);
/* What runs may take limit_usec, from now, until the daemon has ended: systemd waits that long before it kills. */
void notify_stopping(uint64_t limit_usec);
/* The station's counts as the status line; nothing is sent while they stay the same. */
void notify_counts(const struct station_status *header, bool stopping);
/* The daemon ends because of this. */
void notify_failed(const char *why);
