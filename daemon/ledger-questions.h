/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The questions that the ledger's asker is asked: see ledger.h. */
#pragma once

#include "daemon/ledger-asker.h"
#include "daemon/ledger.h"

/* In ledger.c. */
struct ledger_asker *ledger_asker_of(struct ledger *ledger);
