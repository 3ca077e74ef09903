/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ledger as a dead daemon left it, looked at in a copy: the next daemon finds it as it was. */
#pragma once

#include "tests/integration/line.h"

struct ledger_figures {
        int64_t rows, closed, open;
        int64_t size, wal_size; /* of ledger.sqlite and its log, bytes */
};

/*
 * SQLite opens it and finds nothing wrong, closed rows are numbered from 1 on without gaps, and an open one has no number. false:
 * there is no ledger yet.
 */
bool ledger_copy_expect_sound(struct line *line, struct ledger_figures *ret);
