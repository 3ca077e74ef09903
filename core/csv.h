/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cells of comma-separated values (RFC 4180). A spreadsheet takes a cell that begins with = + - @ or a control character for
 * a formula, even within quotes; boards and files must not write formulas, so such a text gets an apostrophe in front.
 */
#pragma once

#include "core/bytes.h"

/* One cell, quoted where it must be. 0 or -ENOMEM. */
int csv_text(struct bytes *out, const char *text);
