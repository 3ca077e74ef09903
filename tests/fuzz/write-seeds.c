/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* write-seeds FOLDER: the seeds of each target as files FOLDER/TARGET/seed-N, for libFuzzer. */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/fuzz/seeds.h"

struct folder {
        char path[PATH_MAX];
        unsigned n;
        bool failed;
};

static void write_seed(void *userdata, const void *data, size_t size)
{
        struct folder *folder = userdata;
        char path[PATH_MAX + 32];
        FILE *f;

        snprintf(path, sizeof(path), "%s/seed-%02u", folder->path, ++folder->n);
        f = fopen(path, "wb");
        if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
                perror(path);
                folder->failed = true;
        }
}

static bool make_folder(const char *path)
{
        if (mkdir(path, 0777) == 0 || errno == EEXIST)
                return true;
        perror(path);
        return false;
}

int main(int argc, char **argv)
{
        const char *target;

        if (argc != 2) {
                fprintf(stderr, "Usage: write-seeds FOLDER\n");
                return 2;
        }
        if (!make_folder(argv[1]))
                return 1;
        for (size_t i = 0; (target = seeds_target(i)); i++) {
                struct folder folder = { 0 };

                snprintf(folder.path, sizeof(folder.path), "%s/%s", argv[1], target);
                if (!make_folder(folder.path) || !seeds_of(target, write_seed, &folder) || folder.failed)
                        return 1;
                puts(target);
        }
        return 0;
}
