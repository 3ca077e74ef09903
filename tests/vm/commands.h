/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What scenarios say to the bed: one line in, "COMMAND PORT ARGUMENTS…", and lines out. The table in
 * commands.c is the reference; `vm-bed help` prints it.
 */
#pragma once

#include <stdio.h>

#include "tests/vm/port.h"

#define COMMAND_MAX       1024 /* bytes in a line */
#define COMMAND_WORDS_MAX 32

struct command {
        char line[COMMAND_MAX];
        uint64_t deadline_usec; /* of a wait; set by its first go */
};

struct bed {
        struct port *ports; /* owned by main */
        size_t n_ports;
        bool ends; /* somebody said quit */
};

/*
 * Carries out a command; what it has to say goes to out.
 * Returns 0 (done), 1 (a wait that is not over: ask again after whatever happens next), or a negative
 * errno, with the reason in out.
 */
int command_run(struct bed *bed, struct command *command, uint64_t now_usec, FILE *out);
void command_help(FILE *out);
