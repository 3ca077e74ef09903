/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One program for a ledger: a second daemon would close the first one's open rows as interrupted. And what is done to one that no
 * daemon has: ledger_give_new_id(). Not for use outside daemon/ledger*.
 */
#pragma once

#include "daemon/ledger.h"

/* The lock stands in a file beside it, and goes with the descriptor. 0 with *ret; -EBUSY; or what the file system says. */
int ledger_lock(const char *path, int *ret, char **ret_error);
