/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks a board what core/probe.h has of questions, one after the other, and writes each answer as a line as it comes. No
 * byte of flash is written, and none leaves this process.
 */
#pragma once

#include <stdio.h>

#include "engine/board.h"

struct probe_order {
        struct board_wanted wanted;
        bool detach; /* a board in run-time mode is sent to DFU mode in the end */
        bool upload; /* requests that read flash, too */
};

/* Returns 0 when all was asked or the answers said that no more may be; a verdict (positive) with message saying why the
 * board could not be asked; or a negative errno. */
int probe_run(const struct probe_order *order, FILE *out, char message[static BOARD_MESSAGE_MAX]);
