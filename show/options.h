/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command lines of programs with verbs, espdfuctl's and espdfu-fleet's: "PROGRAM VERB --option VALUE ARGUMENT…". */
#pragma once

#include "core/util.h"

/* What the program takes before the verb alone, "--socket PATH". Each program has its own. */
extern const char *const client_global_option;

/* A verb's long option: one of flag and value is set. --help, and its short form, are understood everywhere. */
struct client_option {
        const char *name;
        bool *flag;         /* becomes true */
        const char **value; /* takes an argument; borrowed from argv */
};

/* Reads a verb's command line. CLIENT_GO_ON with the arguments from argv[optind] on, at most max_arguments of them; else an
 * exit code, and all is said. */
#define CLIENT_GO_ON (-1)
int client_options(int argc, char **argv, const struct client_option *options, size_t n, int max_arguments);
/* The usage of a verb on stdout, from main()'s table; returns EXIT_DONE. Each program has its own. */
int client_help(const char *name);
/* One option that is a whole number; false, and said so, if text is not one from min to max. */
bool client_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret);
