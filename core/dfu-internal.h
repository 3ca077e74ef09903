/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the DFU machine, for each other alone: dfu.c (requests, limits, ends), dfu-answers.c (what a GETSTATUS
 * means). Who drives the machine includes dfu.h. */
#pragma once

#include "core/dfu.h"

void dfu_enter(struct dfu *dfu, enum dfu_stage stage);

/* Drains what is in flight, then ends. The first verdict stays: what follows it is its consequence. */
void dfu_end_with(struct dfu *dfu, enum verdict verdict, const char *fmt, ...) _printf_(3, 4);

/* A GETSTATUS was answered; flight is that request, already taken out of the ring. */
void dfu_status_answered(struct dfu *dfu, const struct dfu_flight *flight, const struct dfu_completion *c,
                         uint64_t now_usec);
