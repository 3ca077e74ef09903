/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A command that is run for each event: a label printer, an andon light. What it may cost is bounded, so that nothing here
 * ever waits for it: how many run at once, how long one may take (then its process group is ended, and 2 s later killed),
 * how many events wait, and how much of its output is shown (on stderr, escaped, a line each; the rest is read and counted).
 * When a command has ended, what it left running in its process group is killed.
 */
#pragma once

#include <jansson.h>
#include <poll.h>

#include "core/util.h"

struct hook_options {
        const char *command;   /* for sh -c; borrowed */
        uint64_t timeout_usec; /* of one run */
        size_t jobs_max;       /* 1: one after the other, in the order of the events */
        const char *socket;    /* for its ESPDFU_SOCKET; NULL: as it is */
};

#define HOOK_JOBS_MAX   16
#define HOOK_OUTPUT_MAX 4096 /* bytes of one run that are shown */

struct hook;

int hook_new(const struct hook_options *options, struct hook **ret);
/* Ends what runs, and says what was not done. Takes 2 s at most. */
struct hook *hook_end(struct hook *hook);
DEFINE_CLEANUP(struct hook, hook_end)

/* Borrows event. Its fields become ESPDFU_EVENT, ESPDFU_SLOT …, escaped; one that is null is not set. */
void hook_add(struct hook *hook, json_t *event);
/* What to wait for: descriptors, at most two for each job, and a time (CLOCK_MONOTONIC; USEC_INFINITY: none). */
size_t hook_poll(const struct hook *hook, struct pollfd *ret, uint64_t *ret_deadline);
/* Does what can be done now, without waiting. */
void hook_go_on(struct hook *hook);
