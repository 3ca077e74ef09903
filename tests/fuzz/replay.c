/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-TARGET [FILE|FOLDER...]: a target of fuzzing without libFuzzer. Without arguments it gets its seeds and its corpus,
 * which is what `make check` does. Each input that does not hold is named with what shows it again.
 *
 * The inputs are played in a child, which says how far it is; one that ends badly is replaced behind the input that did it.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

#define SECONDS_EACH 20 /* sanitizers and a busy machine included */

struct input {
        char *name; /* of its file, or "seed N" */
        uint8_t *data;
        size_t size;
};

struct inputs {
        struct input *items;
        size_t n;
        unsigned seeds;
};

static void *must_have(void *memory)
{
        must(memory);
        return memory;
}

static void add(struct inputs *inputs, const char *name, const void *data, size_t size)
{
        struct input *input;

        inputs->items = must_have(reallocarray(inputs->items, inputs->n + 1, sizeof(*inputs->items)));
        input = &inputs->items[inputs->n++];
        input->name = must_have(strdup(name));
        input->size = size;
        input->data = must_have(malloc(MAX(size, (size_t)1)));
        if (size > 0)
                memcpy(input->data, data, size);
}

static void add_seed(void *userdata, const void *data, size_t size)
{
        struct inputs *inputs = userdata;
        char name[32];

        snprintf(name, sizeof(name), "seed %u", ++inputs->seeds);
        add(inputs, name, data, size);
}

static bool add_file(struct inputs *inputs, const char *path)
{
        FILE *f = fopen(path, "rb");
        char *data = NULL;
        size_t size = 0;
        FILE *copy = open_memstream(&data, &size);
        char part[4096];
        size_t n;

        must(copy);
        if (!f) {
                perror(path);
                return false;
        }
        while ((n = fread(part, 1, sizeof(part), f)) > 0)
                must(fwrite(part, 1, n, copy) == n);
        must(fclose(copy) == 0);
        fclose(f);
        add(inputs, path, data, size);
        free(data);
        return true;
}

/* A file, or all files of a folder. */
static bool add_path(struct inputs *inputs, const char *path)
{
        char below[PATH_MAX];
        struct dirent **entries;
        bool good = true;
        struct stat st;
        int n;

        if (stat(path, &st) < 0) {
                perror(path);
                return false;
        }
        if (!S_ISDIR(st.st_mode))
                return add_file(inputs, path);
        n = scandir(path, &entries, NULL, alphasort);
        must(n >= 0);
        for (int i = 0; i < n; i++) {
                if (entries[i]->d_name[0] != '.') {
                        snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
                        good = add_file(inputs, below) && good;
                }
                free(entries[i]);
        }
        free(entries);
        return good;
}

/* Plays the inputs from the one that *at names; ends with the process. */
static void play(const struct inputs *inputs, volatile size_t *at)
{
        for (; *at < inputs->n; (*at)++) {
                const struct input *input = &inputs->items[*at];
                uint8_t *data = must_have(malloc(MAX(input->size, (size_t)1)));

                /* A copy of its own, for the sanitizers to see the first byte too many. */
                if (input->size > 0)
                        memcpy(data, input->data, input->size);
                alarm(SECONDS_EACH);
                must(LLVMFuzzerTestOneInput(data, input->size) == 0);
                free(data);
        }
        alarm(0);
}

static void inputs_done(struct inputs *inputs)
{
        for (size_t i = 0; i < inputs->n; i++) {
                free(inputs->items[i].name);
                free(inputs->items[i].data);
        }
        free(inputs->items);
}

/* Returns how many did not hold. */
static unsigned play_all(struct inputs *inputs, const char *program)
{
        size_t *at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        unsigned failed = 0;

        must(at != MAP_FAILED);
        while (*at < inputs->n) {
                int status;
                pid_t child;

                fflush(NULL);
                child = fork();
                must(child >= 0);
                if (child == 0) {
                        play(inputs, at);
                        inputs_done(inputs);
                        exit(0);
                }
                must(waitpid(child, &status, 0) == child);
                if (status == 0)
                        break;
                if (*at == inputs->n) { /* what is found at the end: a leak */
                        printf("%s: the process ended badly behind its last input\n", program);
                        failed++;
                        break;
                }
                printf("does not hold (%s %d): %s %s\n", WIFSIGNALED(status) ? "signal" : "exit status",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), program,
                       inputs->items[*at].name);
                failed++;
                (*at)++;
        }
        munmap(at, sizeof(*at));
        return failed;
}

int main(int argc, char **argv)
{
        const char *slash = strrchr(argv[0], '/'), *dash = strchr(slash ? slash : argv[0], '-');
        const char *target = dash ? dash + 1 : argv[0];
        struct inputs inputs = { 0 };
        char corpus[PATH_MAX];
        unsigned failed;
        bool good = true;

        for (int i = 1; i < argc; i++)
                good = add_path(&inputs, argv[i]) && good;
        if (argc == 1) {
                snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", TOP_SRCDIR, target);
                good = seeds_of(target, add_seed, &inputs) && add_path(&inputs, corpus);
        }
        if (!good || inputs.n == 0) {
                fprintf(stderr, "%s: no input, or not all of it: expected seeds and a corpus of target %s\n",
                        argv[0], target);
                return 2;
        }
        failed = play_all(&inputs, argv[0]);
        printf("%s: %zu inputs (%u seeds), %u do not hold\n", target, inputs.n, inputs.seeds, failed);
        inputs_done(&inputs);
        return failed > 0;
}
