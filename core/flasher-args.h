/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flasher_args.json, which an ESP-IDF build leaves beside its binaries: which file goes to which flash address.
 * What is not asked for here may stand in it.
 * Source: ESP-IDF, "Build System", "Flash arguments".
 */
#pragma once

#include "core/finding.h"

#define FLASHER_ARGS_SIZE_MAX  (1 * MIB) /* bytes of JSON */
#define FLASHER_ARGS_FILES_MAX 256

struct flasher_args_file {
        uint32_t address;
        char *path; /* owned; relative to the JSON file's directory, unless absolute */
};

struct flasher_args {
        struct flasher_args_file *files; /* in the order of the text */
        size_t n_files;
        /* As they stand there, be it something unknown or, as JSON, no string at all. NULL: not said. */
        char *chip;       /* "esp32s2" */
        char *flash_size; /* "4MB" */
};

/* Returns 0, 1 with *fault, or -ENOMEM. *ret is to be given to flasher_args_done() after a 0 only. */
int flasher_args_parse(const char *text, size_t len, struct flasher_args *ret, struct fault *fault);
void flasher_args_done(struct flasher_args *args);
