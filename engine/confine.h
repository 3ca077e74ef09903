/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the engine locks itself into before the first byte of a board: a list of system calls (seccomp) which all others end
 * with SIGSYS, limits for memory, descriptors and files, nothing that others of its user may look into. There is no way out,
 * and no switch that leaves it out. What stays possible is said in docs/security.md.
 */
#pragma once

#include "core/util.h"

#define CONFINE_USB_FDS_MAX 8
#define CONFINE_DATA_MAX    (64 * MIB) /* bytes of memory to write; the image is none */
#define CONFINE_STACK_MAX   (8 * MIB)
#define CONFINE_SPACE_MAX   (72 * MIB) /* bytes of addresses of any kind, beyond what is mapped by then */
/* Seconds of a processor: to begin with, and for each MiB begun of the image, which takes a tenth of one on a usual machine, and
 * three where the whole machine is emulated. A probe, whose answers may be a whole flash, has those of the largest image. */
#define CONFINE_CPU_LEAST 60
#define CONFINE_CPU_A_MIB 13
#define CONFINE_CPU_MAX   900

/* What is open by then, and all that it will need. */
struct confinement {
        int node;                     /* the board's device node */
        int channel;                  /* the daemon's, or -1 */
        int output;                   /* where answers are written, or -1 */
        int usb[CONFINE_USB_FDS_MAX]; /* libusb's own: its timer, and what wakes it */
        size_t n_usb;
        bool may_reset;    /* the board may be reset */
        size_t image_size; /* bytes to send; 0: it is a probe */
};

/* Closes all descriptors from 3 on but these; before anything is opened, for it knows of nothing else. Returns 0 or -errno. */
int confine_close_others(const int *keep, size_t n_keep);

/* Returns 0; or a negative errno, and then part of it may hold: the caller is to end. */
int confine(const struct confinement *confinement);
