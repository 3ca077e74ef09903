/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clocks and the identity of this boot. Only main loops read them; everything below gets time as an
 * argument. Durations are CLOCK_BOOTTIME (it neither jumps nor stops in suspend), dates are CLOCK_REALTIME.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The boot id as the journal writes it (_BOOT_ID=): 32 hexadecimal digits, lower case, and a NUL. */
#define BOOT_ID_SIZE 33

/* Microseconds. */
uint64_t clock_realtime_usec(void);
uint64_t clock_boottime_usec(void);
uint64_t clock_monotonic_usec(void); /* udev's USEC_INITIALIZED is on it */

/* Whether the kernel's clock is disciplined by a time source (adjtimex says so): whether dates can be
 * believed. */
bool clock_is_synchronized(void);

/* Fills ret with the id of this boot (/proc/sys/kernel/random/boot_id). Returns 0 or a negative errno. */
int clock_boot_id(char ret[static BOOT_ID_SIZE]);
