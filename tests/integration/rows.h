/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `espdfuctl export` writes of the ledger, and what must be right of any ledger whose daemon is at rest. */
#pragma once

#include "tests/integration/line.h"

/* All attempts, the oldest first: an array of objects, to be released. */
json_t *rows_export(struct line *line);

/* CSV says the same, cell by cell. */
void rows_expect_csv_agrees(struct line *line, const json_t *rows);
/*
 * Of each job the attempts are numbered from 1 on, only the last of them is final, and it is about one board and has one
 * file. rows are in the order in which attempts began.
 */
void rows_expect_whole_jobs(const json_t *rows);
/* Each number once, from 1 on: nothing is open, nothing is missing. */
void rows_expect_sequence_without_gaps(const json_t *rows);
