/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run of espdfu-engine: started for a board, heard over a socketpair, watched by pidfd. Whoever made it frees it
 * after `ended`; until then it is asked to stop, or killed, and its end is waited for.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/engine-message.h"

struct runner;

/* The engine's program, opened once at the daemon's start, so that an upgrade never mixes versions. */
struct engine_program {
        int fd;
        char *path; /* for messages */
};

struct runner_order {
        const struct engine_program *program;
        const char *node;
        uint16_t vid, pid;
        int image_fd;
        bool any;   /* any DFU 1.1 device, not the ROM alone */
        bool reset; /* after it was flashed */
};

struct runner_ops {
        void (*said)(void *userdata, const struct engine_message *message);
        /* A line that it wrote as an error, as it was written; told after its end. */
        void (*wrote)(void *userdata, const char *line);
        /* Reaped. how: what to tell if it had said no verdict ("exit status 1", "killed by SIGSEGV"). All that it said was
         * told before. */
        void (*ended)(void *userdata, const char *how);
};

int engine_program_open(const char *path, struct engine_program *ret);
void engine_program_close(struct engine_program *program);

/* Everything is borrowed for the call; ops and userdata until the end. */
int runner_start(sd_event *event, const struct runner_order *order, const struct runner_ops *ops,
                 void *userdata, struct runner **ret);
void runner_terminate(struct runner *runner);
void runner_kill(struct runner *runner);
/* One that still runs is killed, and reaped by nobody: only for the daemon's own end. */
struct runner *runner_free(struct runner *runner);
DEFINE_CLEANUP(struct runner, runner_free)
