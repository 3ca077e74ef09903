/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An attempt, as History tells it, as a line of comma-separated values: all fields in the ledger's order, then CR LF. */
#pragma once

#include <jansson.h>

#include "core/bytes.h"

/* attempt NULL: the fields' names. A field that is absent or null is empty. 0 or -ENOMEM; a part may be appended then. */
int attempt_to_csv(struct bytes *out, const json_t *attempt);
