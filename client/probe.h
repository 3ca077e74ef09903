/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl probe: the engine is started and heard (probe-run.c), its answers are judged and shown (probe-report.c). */
#pragma once

#include "core/device.h"
#include "core/probe.h"

struct probe_wishes {
        bool detach, upload;
        const char *engine; /* the program; NULL: the one that belongs to this espdfuctl */
};

struct probed {
        struct probe_answer answers[PROBE_ANSWERS_MAX]; /* in their order, of both modes */
        size_t n_answers;
        bool complete; /* all was asked that was wished */
        /* From the DETACH until udev had the board in DFU mode; USEC_INFINITY: it was not sent there. */
        uint64_t return_usec;
};

/* Signals that end a probe, blocked here; a descriptor that tells of them, or a negative errno. */
int probe_catch_signals(void);

/* Asks the board; all that is wrong is said. EXIT_DONE when the engine did what it was told, whatever the answers are. */
int probe_run(const struct device *device, const struct probe_wishes *wishes, int signal_fd,
              struct probed *ret);

/* How many answers are not what is expected of chip. */
size_t probe_count_differences(const struct probed *probed, const struct chip *chip);
/* The report on stdout. Exit codes. */
int probe_print(const struct device *device, const struct chip *chip, const struct probed *probed);
int probe_print_json(const struct device *device, const struct chip *chip, const struct probed *probed);
