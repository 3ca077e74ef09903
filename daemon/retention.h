/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removes what the ledger need not keep (ledger-keep, ledger-rows-max), some rows at a time, and says so. By age only while
 * the clock is synchronised; never what a registered consumer has not had.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/config.h"
#include "daemon/ledger.h"

struct retention;

/* config: where the configuration stands; the pointer there may change. All is borrowed until retention_free(). */
int retention_new(sd_event *event, struct ledger *ledger, const struct config *const *config,
                  struct retention **ret);
struct retention *retention_free(struct retention *retention);
DEFINE_CLEANUP(struct retention, retention_free)
