/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How what people ordered is told. */
#pragma once

#include "core/status.h"

/* "A1: started again" on stdout where the slot shows that it is, else why not. what: "started again". An exit code. */
int act_begun(const char *where, const struct slot_status *slot, const char *what);
