/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `espdfuctl doctor` looks at: files, udev, sysfs, the kernel's log, the daemon's socket. Nothing is changed. */
#pragma once

#include "client/devices.h"
#include "client/station-view.h"

struct doctor_gathered {
        struct doctor_facts facts; /* borrows from the rest */
        struct device *devices;
        struct station_view view;
        struct kernel_log log;
        char *user, *rule_path;
};

struct doctor_sources {
        const char *root;       /* where /etc, /usr, /run and /proc are looked for; "" is this machine */
        const char *kernel_log; /* a file; NULL: this machine's */
};

/* 0, or a negative errno; what could not be read is said. */
int doctor_gather(const struct doctor_sources *sources, struct doctor_gathered *ret);
void doctor_gathered_done(struct doctor_gathered *gathered);

/* The parts that look at files below root; also for their tests. */
int doctor_gather_files(const char *root, struct doctor_gathered *ret);
