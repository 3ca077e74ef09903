/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl: the verbs are in a table; what each does is in its own file. */
#include <locale.h>
#include <stdio.h>

#include "client/image.h"
#include "core/util.h"

static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
        const char *help;
} verbs[] = {
        { "image", verb_image, "build, show and verify DFU images" },
};

static void print_help(FILE *out)
{
        fprintf(out, "Usage: espdfuctl VERB …\n\n");
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
        fprintf(out, "\nEach verb has a --help of its own.\n");
}

int main(int argc, char **argv)
{
        setlocale(LC_ALL, "");
        if (argc >= 2 && (streq(argv[1], "--help") || streq(argv[1], "-h"))) {
                print_help(stdout);
                return 0;
        }
        for (size_t i = 0; argc >= 2 && i < ARRAY_SIZE(verbs); i++)
                if (streq(verbs[i].name, argv[1]))
                        return verbs[i].run(argc - 1, argv + 1);
        if (argc >= 2)
                fprintf(stderr, "espdfuctl: unknown verb \"%s\": see espdfuctl --help\n", argv[1]);
        else
                print_help(stderr);
        return 2;
}
