/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to the broker of the bed, by which it can be cut. */
#pragma once

#include <sys/types.h>

#include "core/util.h"

/* In a process of its own, which listens on *ret_port. wild: it cuts all connections and lets them wait, at random, until it gets
 * SIGUSR1. Ended by end_program(). */
pid_t relay_start(bool wild, unsigned seed, unsigned *ret_port);
