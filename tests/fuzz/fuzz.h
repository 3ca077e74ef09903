/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a target of fuzzing has: one function that takes any bytes, and ends the process where something does not hold.
 * libFuzzer calls it with what it thinks of (`make fuzz`), tests/fuzz/replay.c with the seeds and the corpus (`make
 * check`). It keeps nothing from one call to the next.
 */
#pragma once

#include <stdio.h>

#include "core/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold, whatever came in. */
#define must(condition)                                                                                      \
        do {                                                                                                 \
                if (!(condition)) {                                                                          \
                        fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);       \
                        abort();                                                                             \
                }                                                                                            \
        } while (0)
