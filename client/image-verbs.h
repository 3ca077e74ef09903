/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between client/image.c and its sub-verbs. */
#pragma once

#include "client/say.h"
#include "core/image.h"
#include "show/exit.h"

/* argv[0] is the whole name, for getopt's messages: "espdfuctl image build". Each returns an exit code. */
int image_build_main(int argc, char **argv);
int image_info_main(int argc, char **argv);
int image_sign_main(int argc, char **argv);
int image_verify_main(int argc, char **argv);

/* What getopt_long() returned '?' or ':' for is said; returns EXIT_USAGE. */
int image_bad_option(char **argv, int c);

/* An option with a value, for verbs that have no others but --help; *value is borrowed from argv. */
struct image_option {
        const char *name;
        char letter; /* its own; the short form too where letters, as getopt() takes them, have it */
        const char **value;
};
#define IMAGE_OPTIONS_MAX 4

/* Returns 0, and optind is at the first operand; or -1 where *ret_exit is to be returned at once. */
int image_options(int argc, char **argv, const struct image_option *table, size_t n, const char *letters,
                  void (*help)(FILE *out), int *ret_exit);

/* A file that was read and looked at; image is there as far as it could be read. */
struct inspected {
        const char *path; /* borrowed */
        uint8_t *data;
        size_t len;
        struct findings findings;
        struct image *image;
};

/* Returns 0 (findings say whether it is good), or a negative errno: it could not be read. */
int inspected_read(const char *path, struct inspected *ret);
void inspected_done(struct inspected *file);

/* "a directory", "No such file or directory", …: why file_read() or file_write() failed, and what it wanted. */
const char *file_error_text(int r);

/* By what they are, not by their names: links too. */
bool image_is_one_file(const char *a, const char *b);

/* As file_error_text(), for a file with a key; -EOPNOTSUPP: there is no Ed25519. */
const char *image_key_error_text(int r);
