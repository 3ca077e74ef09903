/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>

#include "client/image-verbs.h"

static void print_help(FILE *out)
{
        fprintf(out, "Usage: espdfuctl image verify FILE…\n\n"
                     "Says for each DFU image \"FILE: ok\", or what is wrong with it, one line each.\n\n"
                     "  -h, --help  this text\n\n"
                     "Exit codes: 0 no errors (there may be warnings), 1 an image has an error or cannot be "
                     "read,\n"
                     "2 wrong usage.\n");
}

/* Returns whether the image may be flashed. */
static bool verify(const char *path)
{
        _cleanup_(inspected_done) struct inspected file = { 0 };
        int r = inspected_read(path, &file);

        if (r < 0) {
                client_say(stdout, "%s: error: %s", path, file_error_text(r));
                return false;
        }
        for (size_t i = 0; i < file.findings.n_items; i++) {
                _cleanup_(freep) char *line = finding_to_string(&file.findings.items[i]);

                client_say(stdout, "%s: %s", path, line ?: "error: out of memory");
        }
        if (file.findings.n_errors + file.findings.n_warnings > file.findings.n_items)
                client_say(stdout, "%s: %zu errors and %zu warnings in all", path, file.findings.n_errors,
                           file.findings.n_warnings);
        if (file.findings.n_errors == 0)
                client_say(stdout, "%s: ok", path);
        return file.findings.n_errors == 0;
}

int image_verify_main(int argc, char **argv)
{
        static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
        bool good = true;
        int c;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                if (c != 'h')
                        return image_bad_option(argv, c);
                print_help(stdout);
                return EXIT_DONE;
        }
        if (optind == argc) {
                client_say(stderr, "%s: no FILE: expected at least one DFU image", argv[0]);
                return EXIT_USAGE;
        }
        for (; optind < argc; optind++)
                good = verify(argv[optind]) && good;
        return good ? EXIT_DONE : EXIT_FAILED;
}
