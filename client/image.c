/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "client/image-verbs.h"
#include "client/image.h"
#include "io/file-write.h"
#include "io/file.h"

static const struct {
        const char *name;
        const char *whole_name; /* in getopt's messages */
        int (*run)(int argc, char **argv);
        const char *help;
} verbs[] = {
        { "build", "espdfuctl image build", image_build_main,
          "make a DFU image out of an ESP-IDF build's files" },
        { "info", "espdfuctl image info", image_info_main, "show what is in a DFU image" },
        { "sign", "espdfuctl image sign", image_sign_main, "sign a DFU image with a private key" },
        { "verify", "espdfuctl image verify", image_verify_main, "say whether DFU images may be flashed" },
};

static void print_help(FILE *out)
{
        fprintf(out, "Usage: espdfuctl image VERB …\n\n");
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].help);
        fprintf(out, "\nEach verb has a --help of its own.\n"
                     "Exit codes: 0 done, 1 failed (an image has an error), 2 wrong usage.\n");
}

int verb_image(int argc, char **argv)
{
        if (argc >= 2 && (streq(argv[1], "--help") || streq(argv[1], "-h"))) {
                print_help(stdout);
                return EXIT_DONE;
        }
        if (argc < 2) {
                print_help(stderr);
                return EXIT_USAGE;
        }
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
                if (!streq(verbs[i].name, argv[1]))
                        continue;
                argv[1] = (char *)verbs[i].whole_name; /* getopt() only prints it */
                optind = 0;                            /* main() has used getopt() before */
                return verbs[i].run(argc - 1, argv + 1);
        }
        client_error("image: unknown verb \"%s\": expected build, info, sign or verify", argv[1]);
        return EXIT_USAGE;
}

int image_bad_option(char **argv, int c)
{
        /* A letter need not be at the end of its argument, which optind is past then. */
        const char letter[] = { '-', (char)optopt, '\0' };
        const char *option = optopt > 0 && optopt < 256 && !str_has_prefix(argv[optind - 1], "--")
                                     ? letter
                                     : argv[optind - 1];

        client_say(stderr, "%s: %s: %s: see %s --help", argv[0], option,
                   c == ':' ? "expected a value after it" : "not understood", argv[0]);
        return EXIT_USAGE;
}

static const struct image_option *option_of(const struct image_option *table, size_t n, int c)
{
        for (size_t i = 0; i < n; i++)
                if (table[i].letter == c)
                        return &table[i];
        return NULL;
}

int image_options(int argc, char **argv, const struct image_option *table, size_t n, const char *letters,
                  void (*help)(FILE *out), int *ret_exit)
{
        struct option options[IMAGE_OPTIONS_MAX + 2] = { { "help", no_argument, NULL, 'h' } };
        int c;

        for (size_t i = 0; i < n && i < IMAGE_OPTIONS_MAX; i++)
                options[i + 1] = (struct option){ table[i].name, required_argument, NULL, table[i].letter };
        while ((c = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
                const struct image_option *option = option_of(table, n, c);

                if (option) {
                        *option->value = optarg;
                        continue;
                }
                *ret_exit = c == 'h' ? EXIT_DONE : image_bad_option(argv, c);
                if (c == 'h')
                        help(stdout);
                return -1;
        }
        return 0;
}

int inspected_read(const char *path, struct inspected *ret)
{
        struct inspected file = { .path = path };
        int r = file_read(path, IMAGE_SIZE_MAX, &file.data, &file.len);

        if (r == 0)
                r = image_inspect(file.data, file.len, &file.findings, &file.image);
        if (r < 0) {
                inspected_done(&file);
                return r;
        }
        *ret = file;
        return 0;
}

void inspected_done(struct inspected *file)
{
        free(file->data);
        findings_done(&file->findings);
        image_free(file->image);
        *file = (struct inspected){ 0 };
}

const char *file_error_text(int r)
{
        switch (r) {
        case -EISDIR:
                return "a directory: expected a regular file";
        case -EINVAL:
                return "a device or pipe: expected a regular file";
        case -EFBIG:
                return "too large: expected at most 64 MiB";
        case -EOPNOTSUPP:
                return "this system's libcrypto has no MD5, which the chip checks files by";
        case -ELOOP:
                return file_write_error_text(r);
        default:
                return strerror(-r);
        }
}

bool image_is_one_file(const char *a, const char *b)
{
        struct stat x, y;

        return a && b && stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

const char *image_key_error_text(int r)
{
        switch (r) {
        case -EFBIG:
                return "too large: expected a key in PEM, at most 16 KiB";
        case -EOPNOTSUPP:
                return "this system's libcrypto has no Ed25519";
        default:
                return file_error_text(r);
        }
}
